//! Bearer authentication (RFC 6750): before anything else is looked at.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{
        HeaderMap, HeaderValue,
        header::{AUTHORIZATION, WWW_AUTHENTICATE},
        request::Parts,
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    Admission, FOR_MONITORS, Gate, Refusal,
    cursor::Cursors,
    guard::Asking,
    limits::{Caller, Load},
    provider,
};
use crate::{bridge, scim};

/// Says of a request that an administrator sends it.
#[derive(Clone, Copy, Debug)]
pub struct Administrator;

impl<S: Send + Sync> FromRequestParts<S> for Administrator {
    type Rejection = scim::Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, scim::Error> {
        parts.extensions.get().copied().ok_or_else(|| {
            scim::Error::forbidden(
                "a provider's token cannot decide what guards against a provider: enter a token \
                 for administrators, which scim-bridge token add --scope admin makes, or use the \
                 command line",
            )
        })
    }
}

/// Lets a request on, with its bridge, if it brings a token that opens one, and there is room.
pub async fn admit(
    State((gate, load)): State<(Arc<dyn Gate>, Arc<Load>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(token) = bearer_token(request.headers()) else {
        return stranger(&load, "this request carries no bearer token");
    };
    let watches = FOR_MONITORS.contains(&request.uri().path());
    match gate.admit(token).await {
        Ok(Admission::Monitor) if !watches => scim::Error::forbidden(
            "this token is for monitoring only: it opens /health, /metrics and the status page, and \
             changes nothing",
        )
        .into_response(),
        Ok(admission) => {
            let caller = match watches {
                true => Caller::watching(token),
                false => Caller::asking(token),
            };
            if let Err(error) = load.take(caller, Instant::now()) {
                return error.into_response();
            }
            // Whoever looks at an overloaded bridge is not turned away.
            let place = match watches {
                true => None,
                false => match load.place() {
                    Ok(place) => Some(place),
                    Err(error) => return error.into_response(),
                },
            };
            let cursors = Cursors::of(token);
            if matches!(admission, Admission::Administrator(_)) {
                request.extensions_mut().insert(Administrator);
            }
            if let Admission::Provider(bridge) | Admission::Administrator(bridge) = admission {
                let asking = request.extensions().get::<Arc<Asking>>();
                let kind = provider::of(request.headers());
                let bridge = asking.map_or(bridge.clone(), |asking| asking.of(&bridge, kind));
                request.extensions_mut().insert(cursors);
                request.extensions_mut().insert(bridge);
            }
            let response = next.run(request).await;
            drop(place);
            response
        }
        Err(Refusal::Unauthorized) => stranger(&load, "the bearer token is not valid"),
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

/// Whoever shows no valid token shares one pace with all who do not. Nobody with a valid token is
/// held up by them: what tells them apart is a hash, of no more cost than the answer.
fn stranger(load: &Load, detail: &str) -> Response {
    match load.take(Caller::Stranger, Instant::now()) {
        Ok(()) => unauthorized(detail),
        Err(error) => error.into_response(),
    }
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
