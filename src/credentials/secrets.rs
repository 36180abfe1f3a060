//! Where a bridge finds its secrets.

use std::str::FromStr;

use time::Duration;

use super::{Source, SweepKey};

/// Where the secrets are.
pub struct Secrets {
    /// The sealed credentials.
    pub scimsession: Source,
    /// What the sweep opens them with; without it the sweep waits for a provider's request.
    pub sweep_key: Option<SweepKeySource>,
    /// How often they are looked at again.
    pub refresh: Duration,
}

/// A sweep key, or the place that keeps it.
pub enum SweepKeySource {
    /// From the settings themselves.
    Given(SweepKey),
    /// From a place of its own.
    Kept(Source),
}

impl FromStr for SweepKeySource {
    type Err = NoSweepKey;

    /// A key, or what tells where it is kept. What might be a mistyped key is not taken for the
    /// name of a file: it would be shown with the file's.
    fn from_str(text: &str) -> Result<Self, NoSweepKey> {
        match text.parse() {
            Ok(key) => Ok(Self::Given(key)),
            Err(_) if !text.contains(['/', ':']) => Err(NoSweepKey),
            Err(_) => text.parse().map(Self::Kept).map_err(|_| NoSweepKey),
        }
    }
}

/// The text is neither a sweep key nor a place that may keep one.
#[derive(Debug, thiserror::Error)]
#[error(
    "neither a complete sweep key nor a place that keeps one: check for a missing or mistyped \
     character; a path needs a slash, such as ./sweep-key"
)]
pub struct NoSweepKey;
