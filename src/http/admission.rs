//! Bearer authentication (RFC 6750): before anything else is looked at.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue,
        header::{AUTHORIZATION, WWW_AUTHENTICATE},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Admission, Gate, HEALTH, METRICS, Refusal, cursor::Cursors};
use crate::{bridge, scim};

/// Lets a request on, with its bridge, if it brings a token that opens one.
pub async fn admit(
    State(gate): State<Arc<dyn Gate>>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(token) = bearer_token(request.headers()) else {
        return unauthorized("this request carries no bearer token");
    };
    match gate.admit(token).await {
        Ok(Admission::Provider(bridge)) => {
            let cursors = Cursors::of(token);
            request.extensions_mut().insert(cursors);
            request.extensions_mut().insert(bridge);
            next.run(request).await
        }
        Ok(Admission::Monitor) if [HEALTH, METRICS].contains(&request.uri().path()) => {
            next.run(request).await
        }
        Ok(Admission::Monitor) => scim::Error::forbidden(
            "this token is for monitoring only: it opens /health and /metrics",
        )
        .into_response(),
        Err(Refusal::Unauthorized) => unauthorized("the bearer token is not valid"),
        Err(Refusal::NotReady(detail)) => {
            bridge::Error::unavailable(detail, "not ready").into_response()
        }
    }
}

/// The scheme is compared without case (RFC 9110, section 11.1).
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim())
        .filter(|token| !token.is_empty())
}

fn unauthorized(detail: &str) -> Response {
    let mut response = scim::Error::unauthorized(detail).into_response();
    let challenge = HeaderValue::from_static("Bearer realm=\"scim-bridge\"");
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_what_follows_the_scheme() {
        let token = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
            bearer_token(&headers).map(str::to_owned)
        };
        assert_eq!(token("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(token("bearer  abc ").as_deref(), Some("abc"));
        assert_eq!(token("BEARER abc").as_deref(), Some("abc"));
        for wrong in ["", "Bearer", "Bearer ", "Basic abc", "abc"] {
            assert_eq!(token(wrong), None, "{wrong:?}");
        }
        assert_eq!(bearer_token(&HeaderMap::new()), None);
    }
}
