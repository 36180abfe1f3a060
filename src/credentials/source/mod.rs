//! The places that keep the bridge's secrets: a file, AWS Secrets Manager, Azure Key Vault.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use reqwest::Url;
use tracing::{instrument::WithSubscriber, subscriber::NoSubscriber};
use zeroize::Zeroizing;

use super::{BearerToken, SweepKey};
use crate::private_file::is_a_name;

mod file;
#[cfg(feature = "azure")]
mod key_vault;
#[cfg(feature = "aws")]
mod secrets_manager;

#[cfg(feature = "azure")]
pub use key_vault::SecretUrl;
#[cfg(feature = "aws")]
pub use secrets_manager::SecretArn;

/// How long a place may take to answer, tries and waits together. On one machine somebody's
/// sign-in may have to be renewed first, by a program that is slow to start.
const LIMIT: Duration = Duration::from_secs(if cfg!(feature = "local") { 20 } else { 5 });

const WHAT_IT_IS: &str = "has to be a path, the ARN of a Secrets Manager secret, or the https:// \
                          URL of a Key Vault secret: the place, not what is in it";

/// Which place keeps a secret, written as one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file on this machine: its path, or `file:///…`.
    File(PathBuf),
    /// A secret of AWS Secrets Manager: its ARN.
    #[cfg(feature = "aws")]
    SecretsManager(SecretArn),
    /// A secret of Azure Key Vault: its URL.
    #[cfg(feature = "azure")]
    KeyVault(SecretUrl),
}

/// A text that names no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotASource(String);

impl FromStr for Source {
    type Err = NotASource;

    /// Reads a path, `file:///…`, an ARN `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME`, or a
    /// URL `https://VAULT.vault.azure.net/secrets/NAME[/VERSION]` of any of Azure's clouds.
    fn from_str(text: &str) -> Result<Self, NotASource> {
        let text = text.trim();
        if text.is_empty() {
            return Err(not_a_source("is empty"));
        }
        // As a file's name it would be shown in errors.
        if [BearerToken::PREFIX, SweepKey::PREFIX]
            .iter()
            .any(|prefix| text.contains(prefix))
        {
            return Err(not_a_source(
                "is a secret itself, not a place that keeps one",
            ));
        }
        if text.starts_with("arn:") {
            #[cfg(feature = "aws")]
            return text.parse().map(Self::SecretsManager);
            #[cfg(not(feature = "aws"))]
            return Err(not_a_source(
                "an ARN, but this program was built without AWS",
            ));
        }
        if !text.contains("://") && is_a_name(text) {
            return Ok(Self::File(text.into()));
        }
        let url = Url::parse(text).map_err(|_| not_a_source(WHAT_IT_IS))?;
        match url.scheme() {
            "file" => url
                .to_file_path()
                .map(Self::File)
                .map_err(|()| not_a_source("a file's URL has to be like file:///path/of/the/file")),
            #[cfg(feature = "azure")]
            "https" | "http" => SecretUrl::try_from(url).map(Self::KeyVault),
            #[cfg(not(feature = "azure"))]
            "https" | "http" => Err(not_a_source(
                "a Key Vault's URL, but this program was built without Azure",
            )),
            _ => Err(not_a_source(WHAT_IT_IS)),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            #[cfg(feature = "aws")]
            Self::SecretsManager(arn) => arn.fmt(f),
            #[cfg(feature = "azure")]
            Self::KeyVault(url) => url.fmt(f),
        }
    }
}

fn not_a_source(problem: &str) -> NotASource {
    NotASource(problem.to_owned())
}

/// A secret as it is stored.
pub struct Stored {
    /// The secret itself.
    pub text: Zeroizing<String>,
    /// The store's own name for this version of it; a file has a short digest.
    pub version: String,
}

/// What went wrong at a place, and what to do. No text holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It is not there: never made, deleted, or disabled.
    #[error("no secret at {place}: {remedy}")]
    Missing {
        /// Where it was looked for.
        place: String,
        /// What is missing, and what to do.
        remedy: String,
    },
    /// The place does not let this process in.
    #[error("no access to {place}: {reason}")]
    Denied {
        /// Which place.
        place: String,
        /// What the place said, and what to do.
        reason: String,
    },
    /// Nobody knows for now: the network, a throttled or a broken service. Try again later.
    #[error("{place} is out of reach: {reason}")]
    Unreachable {
        /// Which place.
        place: String,
        /// What went wrong.
        reason: String,
    },
    /// The place is there, but does not do what it is asked, now or later.
    #[error("{place} cannot be used: {reason}")]
    Unusable {
        /// Which place.
        place: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
}

/// What went wrong, before it is known where; [`Stores`] knows.
enum Problem {
    Missing(String),
    Denied(String),
    Unreachable(String),
    Unusable(String),
}

impl Problem {
    fn at(self, place: &Source) -> StoreError {
        let place = place.to_string();
        match self {
            Self::Missing(remedy) => StoreError::Missing { place, remedy },
            Self::Denied(reason) => StoreError::Denied { place, reason },
            Self::Unreachable(reason) => StoreError::Unreachable { place, reason },
            Self::Unusable(reason) => StoreError::Unusable { place, reason },
        }
    }
}

/// All places, with their clients, which are made when they are first needed.
pub struct Stores {
    #[cfg(feature = "aws")]
    secrets_manager: secrets_manager::SecretsManager,
    #[cfg(feature = "azure")]
    key_vault: key_vault::KeyVault,
}

impl Stores {
    /// Stores that are spoken to with `http`, as whoever the environment says: `lookup` is given
    /// a variable's name. Makes no client and asks nobody.
    #[cfg_attr(
        not(any(feature = "aws", feature = "azure")),
        expect(unused_variables, reason = "files need neither")
    )]
    pub fn new(http: reqwest::Client, lookup: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            #[cfg(feature = "aws")]
            secrets_manager: secrets_manager::SecretsManager::new(http.clone(), &lookup),
            #[cfg(feature = "azure")]
            key_vault: key_vault::KeyVault::new(http, &lookup),
        }
    }

    /// Reads a secret.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn read(&self, from: &Source) -> Result<Stored, StoreError> {
        let read = async {
            match from {
                Source::File(path) => file::read(path),
                #[cfg(feature = "aws")]
                Source::SecretsManager(arn) => self.secrets_manager.read(arn).await,
                #[cfg(feature = "azure")]
                Source::KeyVault(url) => self.key_vault.read(url).await,
            }
        };
        limited(read).await.map_err(|problem| problem.at(from))
    }

    /// Writes a secret's new version and returns the store's name for it. Secrets Manager needs
    /// the secret itself to be there: whoever makes it chooses its key and who may read it.
    ///
    /// # Errors
    /// See [`StoreError`]. After [`StoreError::Unreachable`] it may have been written or not.
    pub async fn write(&self, to: &Source, text: &str) -> Result<String, StoreError> {
        let write = async {
            match to {
                Source::File(path) => file::write(path, text),
                #[cfg(feature = "aws")]
                Source::SecretsManager(arn) => self.secrets_manager.write(arn, text).await,
                #[cfg(feature = "azure")]
                Source::KeyVault(url) => self.key_vault.write(url, text).await,
            }
        };
        limited(write).await.map_err(|problem| problem.at(to))
    }
}

/// Within [`LIMIT`], and without a log: at `trace` clients log whole requests, secrets included.
async fn limited<T>(work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let work = work.with_subscriber(NoSubscriber::default());
    tokio::time::timeout(LIMIT, work).await.unwrap_or_else(|_| {
        let seconds = LIMIT.as_secs();
        Err(Problem::Unreachable(format!(
            "no answer within {seconds} s"
        )))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_text_names_one_place() {
        let file = |path: &str| Some(Source::File(path.into()));
        for (text, expected) in [
            (" a/b ", file("a/b")),
            ("/a/b", file("/a/b")),
            ("C:\\a", file("C:\\a")),
            ("file:///a/b%20c", file("/a/b c")),
            ("file://host/a", None),
            ("", None),
            ("s3://bucket/key", None),
            ("./scimsweep_abc", None),
            ("://", None),
        ] {
            assert_eq!(text.parse::<Source>().ok(), expected, "{text}");
        }
    }

    #[cfg(feature = "aws")]
    #[test]
    fn an_arn_is_one_of_secrets_manager() {
        for (text, region) in [
            (
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a/b_c-AbCdEf",
                Some("eu-west-1"),
            ),
            (
                "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:a",
                Some("cn-north-1"),
            ),
            (
                "arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:a",
                Some("us-gov-west-1"),
            ),
            (
                "arn:other:secretsmanager:eu-west-1:123456789012:secret:a",
                None,
            ),
            ("arn:aws:ssm:eu-west-1:123456789012:parameter/a", None),
            (
                "arn:aws:secretsmanager:x.example/:123456789012:secret:a",
                None,
            ),
            ("arn:aws:secretsmanager::123456789012:secret:a", None),
            ("arn:aws:secretsmanager:eu-west-1:12345:secret:a", None),
            (
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:",
                None,
            ),
            (
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a b",
                None,
            ),
            ("arn:aws:secretsmanager:eu-west-1:123456789012:a", None),
        ] {
            let source = text.parse::<Source>().ok();
            let found = source.as_ref().map(|source| match source {
                Source::SecretsManager(arn) => arn.region(),
                other => unreachable!("{other}"),
            });
            assert_eq!(found, region, "{text}");
            assert!(source.is_none_or(|source| source.to_string() == text));
        }
    }

    #[cfg(feature = "azure")]
    #[test]
    fn a_url_is_one_of_a_key_vault() {
        for (text, expected) in [
            ("https://v.vault.azure.net/secrets/a-1", true),
            ("https://v.vault.azure.cn/secrets/a/0123456789abcdef", true),
            ("http://127.0.0.1:8080/secrets/a", true),
            ("http://v.vault.azure.net/secrets/a", false),
            ("https://v.vault.azure.net/", false),
            ("https://v.vault.azure.net/secrets", false),
            ("https://v.vault.azure.net/secrets/", false),
            ("https://v.vault.azure.net/secrets/a_b", false),
            ("https://v.vault.azure.net/keys/a", false),
            ("https://v.vault.azure.net/secrets/a/v/more", false),
            ("https://v.vault.azure.net/secrets/a?x=1", false),
            ("https://v.vault.azure.net/secrets/a#x", false),
            ("https://user:password@v.vault.azure.net/secrets/a", false),
        ] {
            let source = text.parse::<Source>();
            assert_eq!(source.is_ok(), expected, "{text}");
            match source {
                Ok(source) => assert_eq!(source.to_string(), text),
                Err(error) => assert!(!error.to_string().contains("password")),
            }
        }
    }
}
