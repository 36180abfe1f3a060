//! Where the sealed file is kept.

use std::path::PathBuf;

use super::{Error, ScimSession};

/// A place that keeps a `scimsession`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file on this machine.
    File(PathBuf),
}

impl Source {
    /// Reads the file from its place.
    ///
    /// # Errors
    /// [`Error::Missing`] if the place has none, [`Error::NotAScimSession`] if it is something
    /// else.
    pub async fn load(&self) -> Result<ScimSession, Error> {
        let Self::File(path) = self;
        let text = std::fs::read_to_string(path).map_err(|error| Error::Missing {
            place: path.display().to_string(),
            reason: error.to_string(),
        })?;
        ScimSession::parse(&text)
    }
}
