//! The status page, what it asks for, and what an administrator does with it.
//!
//! The page itself is the same for everybody, says nothing of the bridge, and so needs no token.
//! What it asks for needs one, in a header that its script sets. A browser adds that header to no
//! request by itself, as it would a cookie: whoever makes a browser send a request here sends it
//! without the token, so that there is nothing to forge (CSRF), and no second secret against it.

use axum::{
    Extension, Router,
    http::{
        HeaderName, HeaderValue,
        header::{CACHE_CONTROL, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
    },
    middleware,
    response::Response,
    routing::{get, post},
};
use std::sync::Arc;

use super::Gate;

mod actions;
mod page;
mod status;

pub use page::page;

/// What a monitor's token opens, too.
pub const STATUS: &str = "/app/status";

/// Where the bridge runs, for people.
#[derive(Clone)]
struct Platform(Arc<str>);

/// What the page asks for.
pub fn routes(platform: String) -> Router<Arc<dyn Gate>> {
    Router::new()
        .route(STATUS, get(status::status))
        .route("/app/self-test", post(actions::self_test))
        .route("/app/sweep", post(actions::sweep))
        .route("/app/release", post(actions::release))
        .route(
            "/app/groups",
            get(actions::groups_to_manage).post(actions::manage),
        )
        .route("/app/guard", post(actions::lift_guard))
        .layer(Extension(Platform(platform.into())))
        .layer(middleware::map_response(private))
}

/// Nothing of it is kept by browsers and what is between, or taken for something else.
async fn private(mut response: Response) -> Response {
    response.headers_mut().extend(PRIVATE);
    response
}

const PRIVATE: [(HeaderName, HeaderValue); 3] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];
