//! The one HTTP client under the AWS SDK: its own would bring a second TLS stack and read the
//! machine's certificates at every start.

use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
            http_client_fn,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;

/// What the SDK's clients are given. It carries whole bodies only, no streams.
pub fn http_client(client: reqwest::Client) -> SharedHttpClient {
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
