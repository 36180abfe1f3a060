//! The bridge's only door: one router, the same behind API Gateway, the Functions host and the
//! local server.
//!
//! A request is tidied (`/scim/v2//Users/` is `/Users`), admitted by its bearer token, and handed
//! to a handler of a few lines. Every answer that is not a resource is a SCIM error, also for
//! panics, time-outs and paths that do not exist.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{
    Router,
    http::Method,
    middleware,
    routing::{any, get},
};
use tower::{Layer, util::MapRequestLayer};

use crate::{bridge::Bridge, scim};

mod admission;
mod answer;
mod base;
mod body;
mod discovery;
mod groups;
mod guard;
mod id;
mod query;
mod users;

/// Who lets requests in, and to which bridge.
#[async_trait]
pub trait Gate: Send + Sync {
    /// The bridge that this bearer token opens.
    async fn admit(&self, token: &str) -> Result<Bridge, Refusal>;
}

/// Why a request is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The token opens nothing. What exactly is wrong with it is nobody's business.
    Unauthorized,
    /// The bridge itself is not ready; the text says what an administrator has to do.
    NotReady(&'static str),
}

/// How the door behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// The URL that clients see, such as `https://scim.example.com`; if `None` it is taken from
    /// each request's `Host` and `X-Forwarded-Proto`.
    pub public_url: Option<String>,
    /// When a request is given up; below what the gateway in front allows.
    pub time_limit: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            public_url: None,
            time_limit: Duration::from_secs(25),
        }
    }
}

/// A tower service that answers every request.
pub type Service = tower::util::BoxCloneSyncService<
    axum::extract::Request,
    axum::response::Response,
    std::convert::Infallible,
>;

/// The whole door.
pub fn service(gate: Arc<dyn Gate>, options: Options) -> Service {
    let resources = Router::new()
        .route("/Users", get(users::list).post(users::create))
        .route(
            "/Users/{id}",
            get(users::get)
                .put(users::replace)
                .patch(users::patch)
                .delete(users::delete),
        )
        .route("/Groups", get(groups::list).post(groups::create))
        .route(
            "/Groups/{id}",
            get(groups::get)
                .put(groups::replace)
                .patch(groups::patch)
                .delete(groups::delete),
        )
        .route("/ServiceProviderConfig", get(discovery::config))
        .route("/ResourceTypes", get(discovery::resource_types))
        .route("/ResourceTypes/{id}", get(discovery::resource_type))
        .route("/Schemas", get(discovery::schemas))
        .route("/Schemas/{urn}", get(discovery::schema))
        .route("/Me", any(not_offered))
        .route("/Bulk", any(not_offered))
        .route("/.search", any(not_offered))
        .route("/Users/.search", any(not_offered))
        .route("/Groups/.search", any(not_offered))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(gate, admission::admit));
    let router = Router::new()
        .route("/ping", get(|| async { "pong" }))
        .method_not_allowed_fallback(wrong_method)
        .fallback_service(resources)
        .layer(middleware::from_fn_with_state(
            options.time_limit,
            guard::guard,
        ));
    let public_url = options.public_url.map(Arc::from);
    // Around the router, not in it: the path must be tidy before a route is looked for.
    let tidy = MapRequestLayer::new(move |request| base::tidy(request, public_url.clone()));
    Service::new(tidy.layer(router))
}

async fn not_offered() -> scim::Error {
    scim::Error::not_implemented("this endpoint is not offered; see /ServiceProviderConfig")
}

async fn nothing_here() -> scim::Error {
    scim::Error::not_found("there is nothing at this path; the resources are /Users and /Groups")
}

async fn wrong_method(method: Method) -> scim::Error {
    scim::Error::method_not_allowed(format!("{method} is not possible here"))
}
