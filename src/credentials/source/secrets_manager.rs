//! AWS Secrets Manager, by AWS's own client over the process's one HTTP client.

use std::{
    collections::{HashMap, hash_map::Entry},
    error::Error as StdError,
    fmt,
    str::FromStr,
    time::Duration,
};

use aws_credential_types::{
    Credentials,
    provider::{SharedCredentialsProvider, error::CredentialsError},
};
use aws_sdk_secretsmanager::{
    Client,
    config::{BehaviorVersion, Builder, Region, retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::{NotASource, Problem, Stored, not_a_source};
use crate::outbound;

/// How long one try may take.
const TRY_LIMIT: Duration = Duration::from_secs(2);
const TRIES: u32 = 3;

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
    http: reqwest::Client,
    endpoint: Option<String>,
    /// The environment's own, as Lambda sets them.
    credentials: Option<Credentials>,
    clients: Mutex<HashMap<String, Client>>,
}

impl SecretsManager {
    pub(super) fn new(http: reqwest::Client, lookup: impl Fn(&str) -> Option<String>) -> Self {
        let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let keys = lookup("AWS_ACCESS_KEY_ID").zip(lookup("AWS_SECRET_ACCESS_KEY"));
        Self {
            http,
            endpoint: lookup("AWS_ENDPOINT_URL_SECRETS_MANAGER")
                .or_else(|| lookup("AWS_ENDPOINT_URL")),
            credentials: keys.map(|(id, key)| {
                Credentials::new(id, key, lookup("AWS_SESSION_TOKEN"), None, "environment")
            }),
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
                let region = Region::new(arn.region.clone());
                let http = outbound::aws::http_client(self.http.clone());
                let credentials = match &self.credentials {
                    Some(credentials) => SharedCredentialsProvider::new(credentials.clone()),
                    None => configured(&region, &http).await?,
                };
                let mut config = Builder::new()
                    .behavior_version(BehaviorVersion::v2026_01_12())
                    .region(region)
                    .credentials_provider(credentials)
                    .http_client(http)
                    .retry_config(
                        RetryConfig::standard()
                            .with_max_attempts(TRIES)
                            .with_initial_backoff(Duration::from_millis(200))
                            .with_max_backoff(Duration::from_secs(1)),
                    )
                    .timeout_config(TimeoutConfig::builder().read_timeout(TRY_LIMIT).build());
                config.set_endpoint_url(self.endpoint.clone());
                Ok(place.insert(Client::from_conf(config.build())).clone())
            }
        }
    }
}

/// Credentials from the machine: profiles, SSO, web identity, container or instance.
#[cfg(feature = "local")]
async fn configured(
    region: &Region,
    http: &aws_smithy_runtime_api::client::http::SharedHttpClient,
) -> Result<SharedCredentialsProvider, Problem> {
    use aws_config::{
        default_provider::credentials::DefaultCredentialsChain, provider_config::ProviderConfig,
    };

    let config = ProviderConfig::without_region()
        .with_behavior_version(Some(BehaviorVersion::v2026_01_12()))
        .with_http_client(http.clone());
    let chain = DefaultCredentialsChain::builder()
        .configure(config)
        .region(region.clone());
    Ok(SharedCredentialsProvider::new(chain.build().await))
}

#[cfg(not(feature = "local"))]
async fn configured(
    _: &Region,
    _: &aws_smithy_runtime_api::client::http::SharedHttpClient,
) -> Result<SharedCredentialsProvider, Problem> {
    Err(Problem::Denied(NO_CREDENTIALS.to_owned()))
}

const NO_CREDENTIALS: &str = if cfg!(feature = "local") {
    "there are no AWS credentials: run aws sso login, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and \
     AWS_SECRET_ACCESS_KEY"
} else {
    "there are no AWS credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY have to be set, as \
     Lambda does"
};

/// What went wrong on the way to the service, or there.
fn problem<E>(error: &SdkError<E, HttpResponse>) -> Problem
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    if let Some(error) = credentials_error(error) {
        return match error {
            CredentialsError::CredentialsNotLoaded(_) => Problem::Denied(NO_CREDENTIALS.to_owned()),
            CredentialsError::InvalidConfiguration(_) => Problem::Denied(outbound::causes(error)),
            error => Problem::Unreachable(format!("no credentials: {}", outbound::causes(error))),
        };
    }
    let status = error.raw_response().map(|answer| answer.status().as_u16());
    if let SdkError::ServiceError(refused) = error
        && let Some(code) = refused.err().code()
    {
        let message = refused.err().message().unwrap_or_default();
        return refusal(status.unwrap_or_default(), code, message);
    }
    let late = || Problem::Unreachable("no answer in time".to_owned());
    match error {
        SdkError::ConstructionFailure(_) => Problem::Unusable(outbound::causes(error)),
        SdkError::TimeoutError(_) => late(),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => late(),
        SdkError::DispatchFailure(failure) if failure.is_user() => {
            Problem::Unusable(outbound::causes(error))
        }
        SdkError::DispatchFailure(failure) => {
            let cause = failure.as_connector_error().and_then(StdError::source);
            Problem::Unreachable(outbound::causes(cause.unwrap_or(error)))
        }
        _ => match status.unwrap_or_default() {
            status @ (429 | 500..) => Problem::Unreachable(format!("it answers {status}")),
            status => Problem::Unusable(format!(
                "it answers {status}, and not as Secrets Manager does: check AWS_ENDPOINT_URL"
            )),
        },
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
        (
            "ThrottlingException"
            | "Throttling"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
            | "InternalServiceError"
            | "RequestTimeout",
            _,
        )
        | (_, 429 | 500..) => Problem::Unreachable(format!("it answers {code}")),
        (
            "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "IncompleteSignature"
            | "MissingAuthenticationToken"
            | "ExpiredTokenException"
            | "ExpiredToken"
            | "OptInRequired",
            _,
        )
        | (_, 401 | 403) => Problem::Denied(format!(
            "it answers {code}: check the AWS credentials and this machine's clock"
        )),
        _ => Problem::Unusable(format!(
            "it answers {code}: check the ARN; a secret has at most 64 KiB"
        )),
    }
}

fn credentials_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a CredentialsError> {
    std::iter::successors(Some(error), |&error| error.source())
        .find_map(|error| error.downcast_ref())
}
