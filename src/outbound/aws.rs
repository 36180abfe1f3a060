//! What the AWS SDK's clients share: who signs, how often is tried, what an error means, and the
//! one HTTP client under them. The SDK's own would bring a second TLS stack and read the machine's
//! certificates at every start.

use std::{error::Error as StdError, time::Duration};

use aws_credential_types::{
    Credentials,
    provider::{SharedCredentialsProvider, error::CredentialsError},
};
use aws_smithy_runtime_api::{
    client::{
        behavior_version::BehaviorVersion,
        http::{
            HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
            http_client_fn,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::{ConnectorError, SdkError},
    },
    http::StatusCode,
};
use aws_smithy_types::{
    body::SdkBody, error::metadata::ProvideErrorMetadata, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_types::{SdkConfig, region::Region};

/// How long one try may take.
const TRY_LIMIT: Duration = Duration::from_secs(2);
const TRIES: u32 = 3;

/// AWS, as whoever the environment says.
pub struct Aws {
    http: reqwest::Client,
    /// The environment's own, as Lambda sets them.
    credentials: Option<Credentials>,
    /// Another place than AWS, for a service by its name in the variable.
    endpoints: Vec<(&'static str, String)>,
    endpoint: Option<String>,
}

impl Aws {
    /// `lookup` is given a variable's name; `services` are named as in `AWS_ENDPOINT_URL_…`. Asks
    /// nobody.
    pub fn new(
        http: reqwest::Client,
        lookup: impl Fn(&str) -> Option<String>,
        services: &[&'static str],
    ) -> Self {
        let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let keys = lookup("AWS_ACCESS_KEY_ID").zip(lookup("AWS_SECRET_ACCESS_KEY"));
        let own = |service: &&'static str| {
            let url = lookup(&format!("AWS_ENDPOINT_URL_{service}"))?;
            Some((*service, url))
        };
        Self {
            http,
            credentials: keys.map(|(id, key)| {
                Credentials::new(id, key, lookup("AWS_SESSION_TOKEN"), None, "environment")
            }),
            endpoints: services.iter().filter_map(own).collect(),
            endpoint: lookup("AWS_ENDPOINT_URL"),
        }
    }

    /// What a client of this service in this region is made with.
    ///
    /// # Errors
    /// If there are no credentials, with what to do.
    pub async fn config(
        &self,
        service: &'static str,
        region: &str,
    ) -> Result<SdkConfig, &'static str> {
        let region = Region::new(region.to_owned());
        let http = http_client(self.http.clone());
        let credentials = match &self.credentials {
            Some(credentials) => SharedCredentialsProvider::new(credentials.clone()),
            None => configured(&region, &http).await?,
        };
        let own = self.endpoints.iter().find(|(name, _)| *name == service);
        let endpoint = own.map(|(_, url)| url).or(self.endpoint.as_ref());
        let mut config = SdkConfig::builder()
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
        config.set_endpoint_url(endpoint.cloned());
        Ok(config.build())
    }
}

/// Credentials from the machine: profiles, SSO, web identity, container or instance.
#[cfg(feature = "local")]
async fn configured(
    region: &Region,
    http: &SharedHttpClient,
) -> Result<SharedCredentialsProvider, &'static str> {
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
    _: &SharedHttpClient,
) -> Result<SharedCredentialsProvider, &'static str> {
    Err(NO_CREDENTIALS)
}

const NO_CREDENTIALS: &str = if cfg!(feature = "local") {
    "there are no AWS credentials: run aws sso login, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and \
     AWS_SECRET_ACCESS_KEY"
} else {
    "there are no AWS credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY have to be set, as \
     Lambda does"
};

/// What went wrong on the way to a service, or there.
pub enum Cause {
    /// Nobody to sign as, with what to do.
    NoCredentials(String),
    /// The service's own word.
    Refused {
        /// The HTTP status.
        status: u16,
        /// Such as `AccessDeniedException`.
        code: String,
        /// Its text; may repeat what was sent.
        message: String,
    },
    /// Nobody knows for now.
    Unreachable(String),
    /// The request could not be made, or not be sent as it is.
    Unsendable(String),
    /// An answer with this status that no AWS service gives.
    Strange(u16),
}

/// What an error of a client means.
pub fn cause<E>(error: &SdkError<E, HttpResponse>) -> Cause
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    if let Some(error) = credentials_error(error) {
        return match error {
            CredentialsError::CredentialsNotLoaded(_) => {
                Cause::NoCredentials(NO_CREDENTIALS.to_owned())
            }
            CredentialsError::InvalidConfiguration(_) => Cause::NoCredentials(super::causes(error)),
            error => Cause::Unreachable(format!("no credentials: {}", super::causes(error))),
        };
    }
    let status = error.raw_response().map(|answer| answer.status().as_u16());
    let status = status.unwrap_or_default();
    if let SdkError::ServiceError(refused) = error
        && let Some(code) = refused.err().code()
    {
        return Cause::Refused {
            status,
            code: code.to_owned(),
            message: refused.err().message().unwrap_or_default().to_owned(),
        };
    }
    let late = || Cause::Unreachable("no answer in time".to_owned());
    match error {
        SdkError::ConstructionFailure(_) => Cause::Unsendable(super::causes(error)),
        SdkError::TimeoutError(_) => late(),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => late(),
        SdkError::DispatchFailure(failure) if failure.is_user() => {
            Cause::Unsendable(super::causes(error))
        }
        SdkError::DispatchFailure(failure) => {
            let cause = failure.as_connector_error().and_then(StdError::source);
            Cause::Unreachable(super::causes(cause.unwrap_or(error)))
        }
        _ if status == 429 || status >= 500 => Cause::Unreachable(format!("it answers {status}")),
        _ => Cause::Strange(status),
    }
}

fn credentials_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a CredentialsError> {
    std::iter::successors(Some(error), |&error| error.source())
        .find_map(|error| error.downcast_ref())
}

/// Whether this code of a service says that nobody knows for now.
pub fn is_passing(status: u16, code: &str) -> bool {
    status == 429
        || status >= 500
        || matches!(
            code,
            "ThrottlingException"
                | "Throttling"
                | "TooManyRequestsException"
                | "RequestLimitExceeded"
                | "ProvisionedThroughputExceededException"
                | "InternalServiceError"
                | "InternalServerError"
                | "RequestTimeout"
        )
}

/// Whether this code of a service says that it does not believe who we are.
pub fn is_identity(status: u16, code: &str) -> bool {
    status == 401
        || status == 403
        || matches!(
            code,
            "UnrecognizedClientException"
                | "InvalidClientTokenId"
                | "InvalidSignatureException"
                | "IncompleteSignature"
                | "MissingAuthenticationToken"
                | "ExpiredTokenException"
                | "ExpiredToken"
                | "OptInRequired"
        )
}

/// What the SDK's clients are given. It carries whole bodies only, no streams.
fn http_client(client: reqwest::Client) -> SharedHttpClient {
    http_client_fn(move |settings, _| {
        SharedHttpConnector::new(Connector {
            client: client.clone(),
            limit: settings.read_timeout().unwrap_or(super::TIMEOUT),
        })
    })
}

#[derive(Debug)]
struct Connector {
    client: reqwest::Client,
    /// How long one exchange may take.
    limit: std::time::Duration,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (client, limit) = (self.client.clone(), self.limit);
        HttpConnectorFuture::new(async move {
            let mut request = convert(request)?;
            *request.timeout_mut() = Some(limit);
            let answer = client.execute(request).await.map_err(failure)?;
            let status = StatusCode::try_from(answer.status().as_u16());
            let headers = answer.headers().clone();
            let body = answer.bytes().await.map_err(failure)?;
            let mut response = HttpResponse::new(
                status.map_err(|error| ConnectorError::other(error.into(), None))?,
                SdkBody::from(body),
            );
            for (name, value) in &headers {
                let added = response.headers_mut().try_append(
                    name.as_str().to_owned(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                );
                added.map_err(|error| ConnectorError::other(error.into(), None))?;
            }
            Ok(response)
        })
    }
}

fn convert(request: HttpRequest) -> Result<reqwest::Request, ConnectorError> {
    let request = request
        .try_into_http1x()
        .map_err(|error| ConnectorError::user(error.into()))?
        .map(|body| body.bytes().map(<[u8]>::to_vec));
    let (parts, body) = request.into_parts();
    let body = body.ok_or_else(|| ConnectorError::user("the body is a stream".into()))?;
    let request = reqwest::Request::try_from(axum::http::Request::from_parts(parts, body));
    request.map_err(|error| ConnectorError::user(error.into()))
}

fn failure(error: reqwest::Error) -> ConnectorError {
    if error.is_timeout() {
        ConnectorError::timeout(error.into())
    } else if error.is_builder() {
        ConnectorError::user(error.into())
    } else {
        ConnectorError::io(error.without_url().into())
    }
}
