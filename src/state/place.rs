//! Where the state is kept.

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc};

#[cfg(feature = "aws")]
use super::dynamodb::{DynamoStore, TableArn};
use super::{Result, StateStore};

/// A file, or a table in a cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An SQLite file on this machine.
    File(PathBuf),
    /// A DynamoDB table.
    #[cfg(feature = "aws")]
    DynamoDb(TableArn),
}

/// Why a text names no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotAPlace(String);

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> std::result::Result<Self, NotAPlace> {
        if !text.starts_with("arn:") {
            return Ok(Self::File(text.into()));
        }
        #[cfg(feature = "aws")]
        return match text.parse() {
            Ok(arn) => Ok(Self::DynamoDb(arn)),
            Err(error) => Err(NotAPlace(error.to_string())),
        };
        #[cfg(not(feature = "aws"))]
        Err(NotAPlace(
            "an ARN, but this program was built without AWS".to_owned(),
        ))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            #[cfg(feature = "aws")]
            Self::DynamoDb(arn) => arn.fmt(f),
        }
    }
}

impl Place {
    /// The store there; a cloud's is spoken to with `http`, as whoever the environment says:
    /// `lookup` is given a variable's name.
    ///
    /// # Errors
    /// If a file cannot be opened. Nobody is asked yet whether a table is there.
    #[cfg_attr(
        not(feature = "aws"),
        expect(unused_variables, reason = "files need neither")
    )]
    pub fn open(
        &self,
        http: reqwest::Client,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Arc<dyn StateStore>> {
        match self {
            #[cfg(feature = "local")]
            Self::File(path) => Ok(Arc::new(super::sqlite::SqliteStore::open(path)?)),
            #[cfg(not(feature = "local"))]
            Self::File(_) => Err(super::Error::Unavailable(
                "this program was built without files: SCIM_BRIDGE_STATE has to name a table"
                    .to_owned(),
            )),
            #[cfg(feature = "aws")]
            Self::DynamoDb(arn) => Ok(Arc::new(DynamoStore::new(arn.clone(), http, lookup))),
        }
    }
}
