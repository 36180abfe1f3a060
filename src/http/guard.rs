//! Around every request: a time limit, an answer instead of a panic, an id, one line of log.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use axum::{
    extract::{Request, State},
    http::HeaderValue,
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use tracing::Instrument;

use crate::{bridge, scim};

const REQUEST_ID: &str = "x-request-id";

/// Runs the rest of the router under guard.
pub async fn guard(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    let id = request_id();
    let span = tracing::info_span!("request", id);
    let started = Instant::now();
    let method = request.method().clone();
    // The query stays out of the log: filters carry people's addresses.
    let path = request.uri().path().to_owned();
    async move {
        let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
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
        let status = response.status().as_u16();
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(%method, path, status, ms, "answered");
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }
    .instrument(span)
    .await
}

/// 16 random hexadecimal digits: enough to find a line in a log.
fn request_id() -> String {
    let mut bytes = [0u8; 8];
    // Without random numbers nothing else works either; an id of zeros harms nobody.
    let _ = getrandom::fill(&mut bytes);
    data_encoding::HEXLOWER.encode(&bytes)
}
