//! AWS Secrets Manager, by AWS's own client over the process's one HTTP client.

use std::{
    collections::{HashMap, hash_map::Entry},
    error::Error as StdError,
    fmt,
    str::FromStr,
};

use aws_sdk_secretsmanager::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::{NotASource, Problem, Stored, not_a_source};
use crate::outbound::aws::{Aws, Cause, cause, is_identity, is_passing};

/// The service's name in `AWS_ENDPOINT_URL_…`.
const SERVICE: &str = "SECRETS_MANAGER";

/// The ARN of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretArn {
    text: String,
    region: String,
}

impl SecretArn {
    /// The region that it names.
    pub fn region(&self) -> &str {
        &self.region
    }
}

impl FromStr for SecretArn {
    type Err = NotASource;

    fn from_str(text: &str) -> Result<Self, NotASource> {
        let mut parts = text.splitn(7, ':');
        let mut next = || parts.next().unwrap_or_default();
        let [_, partition, service, region, account, kind, name] = std::array::from_fn(|_| next());
        if service != "secretsmanager" || kind != "secret" {
            return Err(not_a_source(
                "the ARN is not one of Secrets Manager: it has to be like \
                 arn:aws:secretsmanager:eu-west-1:123456789012:secret:NAME",
            ));
        }
        let of = |text: &str, also: &[u8]| {
            !text.is_empty()
                && (text.bytes()).all(|byte| byte.is_ascii_alphanumeric() || also.contains(&byte))
        };
        // The region becomes part of a host's name.
        let whole = (partition == "aws" || partition.starts_with("aws-"))
            && of(partition, b"-")
            && of(region, b"-")
            && account.len() == 12
            && account.bytes().all(|byte| byte.is_ascii_digit())
            && of(name, b"/_+=.@-");
        if !whole {
            return Err(not_a_source(
                "the ARN is not complete: it has to be like \
                 arn:aws:secretsmanager:eu-west-1:123456789012:secret:NAME",
            ));
        }
        Ok(Self {
            text: text.to_owned(),
            region: region.to_owned(),
        })
    }
}

impl fmt::Display for SecretArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The service, in every region that is asked for.
pub(super) struct SecretsManager {
    aws: Aws,
    clients: Mutex<HashMap<String, Client>>,
}

impl SecretsManager {
    pub(super) fn new(http: reqwest::Client, lookup: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            aws: Aws::new(http, lookup, &[SERVICE]),
            clients: Mutex::default(),
        }
    }

    pub(super) async fn read(&self, arn: &SecretArn) -> Result<Stored, Problem> {
        let client = self.client(arn).await?;
        let answer = client.get_secret_value().secret_id(&arn.text).send().await;
        let answer = answer.map_err(|error| problem(&error))?;
        let unusable = |reason: &str| Problem::Unusable(reason.to_owned());
        let text = match (answer.secret_string, answer.secret_binary) {
            (Some(text), _) => text,
            (None, Some(binary)) => String::from_utf8(binary.into_inner())
                .map_err(|_| unusable("the secret is binary and not text: write it again"))?,
            (None, None) => return Err(unusable("the secret is empty: write it")),
        };
        let version = answer.version_id;
        Ok(Stored {
            text: Zeroizing::new(text),
            version: version.ok_or_else(|| unusable("the answer names no version"))?,
        })
    }

    pub(super) async fn write(&self, arn: &SecretArn, text: &str) -> Result<String, Problem> {
        let client = self.client(arn).await?;
        let request = client.put_secret_value().secret_id(&arn.text);
        let answer = request.secret_string(text).send().await;
        let version = answer.map_err(|error| problem(&error))?.version_id;
        version.ok_or_else(|| Problem::Unusable("the answer names no version".to_owned()))
    }

    async fn client(&self, arn: &SecretArn) -> Result<Client, Problem> {
        match self.clients.lock().await.entry(arn.region.clone()) {
            Entry::Occupied(known) => Ok(known.get().clone()),
            Entry::Vacant(place) => {
                let config = self.aws.config(SERVICE, &arn.region).await;
                let config = config.map_err(|reason| Problem::Denied(reason.to_owned()))?;
                Ok(place.insert(Client::new(&config)).clone())
            }
        }
    }
}

/// What went wrong on the way to the service, or there.
fn problem<E>(error: &SdkError<E, HttpResponse>) -> Problem
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    match cause(error) {
        Cause::NoCredentials(reason) => Problem::Denied(reason),
        Cause::Refused {
            status,
            code,
            message,
        } => refusal(status, &code, &message),
        Cause::Unreachable(reason) => Problem::Unreachable(reason),
        Cause::Unsendable(reason) => Problem::Unusable(reason),
        Cause::Strange(status) => Problem::Unusable(format!(
            "it answers {status}, and not as Secrets Manager does: check AWS_ENDPOINT_URL"
        )),
    }
}

/// What a refusal of the service means. Only refusals of access are quoted: other texts may repeat
/// what was sent.
fn refusal(status: u16, code: &str, message: &str) -> Problem {
    match (code, status) {
        ("ResourceNotFoundException", _) => Problem::Missing(
            "the secret does not exist or has no value yet: check the ARN, make the secret, write \
             a value"
                .to_owned(),
        ),
        ("InvalidRequestException", _) if message.contains("delet") => Problem::Missing(
            "the secret is scheduled for deletion: restore it with aws secretsmanager \
             restore-secret"
                .to_owned(),
        ),
        ("DecryptionFailure" | "EncryptionFailure", _) => Problem::Denied(format!(
            "{code}: the secret's KMS key cannot be used: allow kms:Decrypt and \
             kms:GenerateDataKey, and see that the key is enabled"
        )),
        ("AccessDeniedException", _) => Problem::Denied(format!("{code}: {message}")),
        _ if is_passing(status, code) => Problem::Unreachable(format!("it answers {code}")),
        _ if is_identity(status, code) => Problem::Denied(format!(
            "it answers {code}: check the AWS credentials and this machine's clock"
        )),
        _ => Problem::Unusable(format!(
            "it answers {code}: check the ARN; a secret has at most 64 KiB"
        )),
    }
}
