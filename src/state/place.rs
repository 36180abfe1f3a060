//! Where the state is kept.

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc};

#[cfg(feature = "aws")]
use super::dynamodb::{DynamoStore, TableArn};
#[cfg(feature = "azure")]
use super::table_storage::{TableStore, TableUrl};
use super::{Result, StateStore};
use crate::private_file::is_a_name;

/// A file, or a table in a cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An SQLite file on this machine.
    File(PathBuf),
    /// A DynamoDB table.
    #[cfg(feature = "aws")]
    DynamoDb(TableArn),
    /// A table of an Azure storage account.
    #[cfg(feature = "azure")]
    TableStorage(TableUrl),
}

/// Why a text names no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotAPlace(String);

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> std::result::Result<Self, NotAPlace> {
        if text.starts_with("arn:") {
            #[cfg(feature = "aws")]
            return match text.parse() {
                Ok(arn) => Ok(Self::DynamoDb(arn)),
                Err(error) => Err(NotAPlace(error.to_string())),
            };
            #[cfg(not(feature = "aws"))]
            return Err(NotAPlace(
                "an ARN, but this program was built without AWS".to_owned(),
            ));
        }
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        if scheme.is_some_and(|one| ["https", "http"].contains(&&*one.to_ascii_lowercase())) {
            #[cfg(feature = "azure")]
            return match text.parse() {
                Ok(url) => Ok(Self::TableStorage(url)),
                Err(error) => Err(NotAPlace(error.to_string())),
            };
            #[cfg(not(feature = "azure"))]
            return Err(NotAPlace(
                "a URL, but this program was built without Azure".to_owned(),
            ));
        }
        if !is_a_name(text) {
            return Err(NotAPlace(
                "names no file: it has to be a path, the ARN of a DynamoDB table, or the URL of a \
                 table of Azure Table Storage, and holds no key and no signature"
                    .to_owned(),
            ));
        }
        Ok(Self::File(text.into()))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            #[cfg(feature = "aws")]
            Self::DynamoDb(arn) => arn.fmt(f),
            #[cfg(feature = "azure")]
            Self::TableStorage(url) => url.fmt(f),
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
        not(any(feature = "aws", feature = "azure")),
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
            Self::File(_) => Err(super::Error::Refused(
                "this program keeps no state in files: SCIM_BRIDGE_STATE has to name a table"
                    .to_owned(),
            )),
            #[cfg(feature = "aws")]
            Self::DynamoDb(arn) => Ok(Arc::new(DynamoStore::new(arn.clone(), http, lookup))),
            #[cfg(feature = "azure")]
            Self::TableStorage(url) => Ok(Arc::new(TableStore::new(url.clone(), http, lookup))),
        }
    }
}
