//! Around every request: a time limit, an answer instead of a panic or of one that is too large, an
//! id, one line of log.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use axum::{
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderValue, Method, header::CONTENT_ENCODING},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use tracing::{Instrument, field::Empty};

use super::{Carrier, body::ReadBy, limits};
use crate::{
    bridge::{self, Bridge, asked},
    metrics::{self, AccountCalls},
    scim::{self, schema::Kind},
};

const REQUEST_ID: &str = "x-request-id";

/// What the platform that runs the bridge says of a request. Given as an extension of the request.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The platform's own id for it.
    pub id: String,
    /// The trace that it belongs to.
    pub trace: Option<String>,
    /// When the platform will end it, whatever has become of it.
    pub ends: Instant,
}

/// How long before the end the answer is on its way.
const MARGIN: Duration = Duration::from_secs(1);

/// How long a body may take to arrive, of the time that there is for the whole.
const BODY_TIME: Duration = Duration::from_secs(15);

/// How long an answer waits for the audit.
const AUDIT_TIME: Duration = Duration::from_millis(500);

/// Somebody who asks for something, as far as that is known by now: an id for the request, and as
/// soon as the token has opened one, their bridge. An extension of the request.
pub struct Asking {
    id: String,
    bridge: OnceLock<Bridge>,
}

impl Asking {
    /// This bridge, at work on this request.
    pub fn of(&self, bridge: &Bridge, provider: Option<&'static str>) -> Bridge {
        let made = || bridge.for_request(&self.id, provider);
        self.bridge.get_or_init(made).clone()
    }

    /// Leaves a line in the audit if a change that was asked for came to nothing.
    async fn note(&self, method: &Method, path: &str, error: &scim::Error) {
        if let Some(bridge) = self.bridge.get()
            && let Some((action, target)) = change(method, path)
        {
            let noted = bridge.not_done(action, target, error);
            if tokio::time::timeout(AUDIT_TIME, noted).await.is_err() {
                tracing::warn!("the state store is slow: a line of the audit is in the log only");
            }
        }
    }
}

/// What a request changes, in the audit's words: the action, and an id or at least a path. `None` if
/// it changes nothing.
fn change<'a>(method: &Method, path: &'a str) -> Option<(&'static str, &'a str)> {
    let changing = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    if !changing.contains(method) || path.ends_with("/.search") {
        return None;
    }
    let kind = Kind::ALL.into_iter().find_map(|kind| {
        let rest = path.strip_prefix(kind.schema().endpoint)?;
        (rest.is_empty() || rest.starts_with('/')).then_some((kind, rest))
    });
    Some(match kind {
        Some((kind, rest)) => match rest.strip_prefix('/') {
            Some(id) => (asked(method.as_str(), kind), id),
            None => (asked(method.as_str(), kind), path),
        },
        None if path == "/Bulk" => ("bulk", path),
        None => ("request", path),
    })
}

/// What an answer may take.
#[derive(Clone)]
pub struct Limits {
    pub time: Duration,
    pub carrier: Option<Carrier>,
}

/// Runs the rest of the router under guard.
pub async fn guard(State(limits): State<Limits>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let invocation = request.extensions_mut().remove::<Invocation>();
    let left = invocation.as_ref().map(|invocation| {
        let left = invocation.ends.saturating_duration_since(started);
        left.saturating_sub(MARGIN)
    });
    let limit = left.map_or(limits.time, |left| left.min(limits.time));
    let (id, trace) = match invocation {
        Some(invocation) => (invocation.id, invocation.trace),
        None => (request_id(), None),
    };
    // Whoever knows whose token it is adds the actor.
    let span = tracing::info_span!("request", id, trace, actor = Empty);
    let method = request.method().clone();
    // The query stays out of the log: filters carry people's addresses.
    let path = request.uri().path().to_owned();
    let calls = AccountCalls::default();
    let asking = Arc::new(Asking {
        id: id.clone(),
        bridge: OnceLock::new(),
    });
    request.extensions_mut().insert(Arc::clone(&asking));
    let read_by = ReadBy((started + limit.min(BODY_TIME)).into());
    request.extensions_mut().insert(read_by);
    async move {
        let answer = async {
            if let Err(error) = limits::check_size(&request) {
                return error.into_response();
            }
            let response = next.run(request).await;
            match limits.carrier {
                Some(carrier) => carried(response, carrier).await,
                None => response,
            }
        };
        let answer = AssertUnwindSafe(calls.count(answer)).catch_unwind();
        let mut response = match tokio::time::timeout(limit, answer).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => scim::Error::internal(format!(
                "the bridge failed on this request: see its log for request {id}"
            ))
            .into_response(),
            Err(_) => bridge::Error::unavailable(
                "the bridge could not finish this request in time: send it again",
                "time limit reached",
            )
            .into_response(),
        };
        if let Some(error) = response.extensions_mut().remove::<scim::Error>() {
            asking.note(&method, &path, &error).await;
        }
        let status = response.status().as_u16();
        metrics::REQUESTS.add(1);
        metrics::ERRORS.add(usize::from(response.status().is_server_error()));
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let account_calls = calls.so_far();
        tracing::info!(%method, path, status, ms, account_calls, "answered");
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }
    .instrument(span)
    .await
}

/// The same answer, made as a whole, or one instead of it that the carrier takes.
async fn carried(response: Response, carrier: Carrier) -> Response {
    let packed = response.headers().contains_key(CONTENT_ENCODING);
    let (parts, body) = response.into_parts();
    match to_bytes(body, usize::MAX).await {
        Ok(bytes) if (carrier.carries)(&bytes, packed) => Response::from_parts(parts, bytes.into()),
        Ok(_) => scim::Error::too_many(format!(
            "the answer is larger than {} carries: {}ask for fewer resources at once, or without \
             members (excludedAttributes=members)",
            carrier.name,
            if packed { "" } else { "accept gzip, " },
        ))
        .into_response(),
        Err(_) => scim::Error::internal("the answer could not be made").into_response(),
    }
}

/// 16 random hexadecimal digits: enough to find a line in a log.
fn request_id() -> String {
    let mut bytes = [0u8; 8];
    // Without random numbers nothing else works either; an id of zeros harms nobody.
    let _ = getrandom::fill(&mut bytes);
    data_encoding::HEXLOWER.encode(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_would_change_has_a_name() {
        for (method, path, named) in [
            (Method::POST, "/Users", Some(("user.invite", "/Users"))),
            (Method::PUT, "/Users/A", Some(("user.change", "A"))),
            (Method::DELETE, "/Users/A", Some(("user.delete", "A"))),
            (Method::POST, "/Groups", Some(("group.create", "/Groups"))),
            (Method::PATCH, "/Groups/a", Some(("group.change", "a"))),
            (Method::DELETE, "/Groups/a", Some(("group.delete", "a"))),
            (Method::POST, "/Bulk", Some(("bulk", "/Bulk"))),
            (Method::POST, "/Usersx", Some(("request", "/Usersx"))),
            (Method::POST, "/Users/.search", None),
            (Method::POST, "/.search", None),
            (Method::GET, "/Users/A", None),
        ] {
            assert_eq!(change(&method, path), named, "{method} {path}");
        }
    }
}
