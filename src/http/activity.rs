//! Notes what providers ask, and how it went: `/health` tells of it, whichever process is asked.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::Method,
    middleware::Next,
    response::Response,
};

use super::{BULK, Gate, provider};
use crate::{account, bridge::Bridge, metrics::AccountCalls};

/// A provider's request, answered.
#[derive(Clone, Debug)]
pub struct Served {
    /// The label of the token that it came with.
    pub label: String,
    /// Which provider it is from, if it tells.
    pub kind: Option<&'static str>,
    /// Whether it was for a change, and the change was made or held already.
    pub wrote: bool,
    /// Whether the account let the bridge in; `None` if the request does not tell.
    pub account: Option<Result<(), account::Error>>,
}

/// Tells the gate of the request before the answer is on its way: a function may stand still after
/// that.
pub async fn note(
    State(gate): State<Arc<dyn Gate>>,
    Extension(bridge): Extension<Bridge>,
    request: Request,
    next: Next,
) -> Response {
    if provider::is_doctor(request.headers()) {
        return next.run(request).await;
    }
    let kind = provider::of(request.headers());
    let path = request.uri().path();
    let bulk = path == BULK;
    let changes = match *request.method() {
        Method::POST => !path.ends_with("/.search"),
        Method::PUT | Method::PATCH | Method::DELETE => true,
        _ => false,
    };
    let mut response = next.run(request).await;
    let status = response.status();
    let asked = AccountCalls::current().so_far() > 0;
    let account = match response.extensions_mut().remove::<account::Error>() {
        Some(outage) => Some(Err(outage)),
        // Of its operations each has an outcome of its own.
        None if bulk || !asked || status.is_server_error() => None,
        None => Some(Ok(())),
    };
    let served = Served {
        label: bridge.actor().to_owned(),
        kind,
        wrote: changes && status.is_success(),
        account,
    };
    gate.served(served).await;
    response
}
