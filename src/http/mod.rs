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
    http::{Method, StatusCode},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use time::OffsetDateTime;
use tower::{Layer, util::MapRequestLayer};
use tower_http::{
    compression::{CompressionLayer, predicate::SizeAbove},
    decompression::RequestDecompressionLayer,
};

use self::health::Health;
use crate::{
    account,
    bridge::{Bridge, Sweep, SweepError},
    scim,
};

mod activity;
mod admission;
mod answer;
mod app;
mod base;
mod body;
mod bulk;
mod context;
mod cursor;
mod discovery;
mod groups;
mod guard;
pub mod health;
mod id;
mod limits;
mod lists;
mod media;
pub mod provider;
#[cfg(feature = "serve")]
mod serve;
mod users;

pub use activity::Served;
pub use base::Mount;
pub use body::MayLackBody;
pub use guard::Invocation;
#[cfg(feature = "serve")]
pub use serve::{serve, told_to_stop};

/// Who lets requests in, and to which bridge.
#[async_trait]
pub trait Gate: Send + Sync {
    /// What this bearer token lets its holder do.
    async fn admit(&self, token: &str) -> Result<Admission, Refusal>;

    /// How the bridge is doing.
    async fn health(&self) -> Health;

    /// Confirms those whose time has come, because somebody wants it now: the holder of the token
    /// with this label, which has just been admitted.
    async fn sweep(
        &self,
        label: &str,
        budget: time::Duration,
        now: OffsetDateTime,
    ) -> Result<Sweep, SweepError>;

    /// Somebody has just seen whether the account lets the bridge in; as [`Gate::served`].
    async fn looked(&self, account: Result<(), account::Error>);

    /// A provider's request has its answer, which waits until this is done: it takes a moment at
    /// most, and cannot fail.
    async fn served(&self, request: Served);
}

/// What a token is good for.
pub enum Admission {
    /// Provisioning through this bridge.
    Provider(Bridge),
    /// The same, and what an administrator decides.
    Administrator(Bridge),
    /// Asking for the bridge's health, and nothing else.
    Monitor,
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
    /// What takes the answers, if it does not take any of them.
    pub carrier: Option<Carrier>,
    /// Whether this process answers all requests, so that what it counts belongs into `/metrics`.
    pub alone: bool,
    /// How many requests a second a token may make, and four times as many at once; 0 is any
    /// number.
    pub rate_limit: u32,
    /// How many requests are worked on at the same time.
    pub concurrency: usize,
    /// Where the bridge runs, for people: the cloud and its region.
    pub platform: String,
}

/// Something in front of the bridge that carries only answers of a certain size.
#[derive(Clone, Copy, Debug)]
pub struct Carrier {
    /// Its name, and what it carries, for people.
    pub name: &'static str,
    /// Whether it carries an answer with this body, packed or not.
    pub carries: fn(body: &[u8], packed: bool) -> bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            public_url: None,
            time_limit: Duration::from_secs(25),
            carrier: None,
            alone: false,
            rate_limit: 50,
            concurrency: 64,
            platform: "a process of its own".to_owned(),
        }
    }
}

/// A tower service that answers every request.
pub type Service = tower::util::BoxCloneSyncService<
    axum::extract::Request,
    axum::response::Response,
    std::convert::Infallible,
>;

const HEALTH: &str = "/health";
const METRICS: &str = "/metrics";
const BULK: &str = "/Bulk";
/// The paths that a monitor's token opens.
const FOR_MONITORS: [&str; 3] = [HEALTH, METRICS, app::STATUS];
/// Answers up to this many bytes are not worth packing.
const SMALL: u64 = 1024;

/// The whole door.
pub fn service(gate: Arc<dyn Gate>, options: Options) -> Service {
    let metrics = move |gate| health::metrics(gate, options.alone);
    let load = Arc::new(limits::Load::new(options.rate_limit, options.concurrency));
    let resources = Router::new()
        .route("/Users", get(lists::users).post(users::create))
        .route(
            "/Users/{id}",
            get(users::get)
                .put(users::replace)
                .patch(users::patch)
                .delete(users::delete),
        )
        .route("/Groups", get(lists::groups).post(groups::create))
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
        .route(BULK, post(bulk::bulk))
        .route("/.search", post(lists::search_all))
        .route("/Users/.search", post(lists::search_users))
        .route("/Groups/.search", post(lists::search_groups))
        .route_layer(middleware::from_fn_with_state(
            Arc::clone(&gate),
            activity::note,
        ))
        // What is asked here is no provider's work.
        .route(HEALTH, get(health::health))
        .route(METRICS, get(metrics))
        .merge(app::routes(options.platform))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(RequestDecompressionLayer::new().pass_through_unaccepted(true))
        .layer(middleware::from_fn_with_state(
            (Arc::clone(&gate), load),
            admission::admit,
        ))
        .with_state(gate);
    let router = Router::new()
        .route("/ping", get(|| async { "pong" }))
        .route("/", get(app::page))
        .route("/app", get(app::page))
        .method_not_allowed_fallback(wrong_method)
        .fallback_service(resources)
        .layer(CompressionLayer::new().compress_when(SizeAbove::new(SMALL)))
        .layer(middleware::from_fn(media::suit))
        .layer(middleware::from_fn_with_state(
            guard::Limits {
                time: options.time_limit,
                carrier: options.carrier,
            },
            guard::guard,
        ));
    let public_url = options.public_url.map(Arc::from);
    // Around the router, not in it: the path must be tidy before a route is looked for.
    let tidy = MapRequestLayer::new(move |request| {
        base::tidy(media::plain_codings(request), public_url.clone())
    });
    Service::new(tidy.layer(router))
}

async fn not_offered() -> scim::Error {
    scim::Error::not_implemented("this endpoint is not offered; see /ServiceProviderConfig")
}

async fn nothing_here() -> scim::Error {
    scim::Error::not_found("there is nothing at this path; the resources are /Users and /Groups")
}

/// The router adds `Allow` to it.
async fn wrong_method(method: Method) -> Response {
    match method {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        method => {
            let detail = format!("{method} is not possible here; see the header Allow");
            scim::Error::method_not_allowed(detail).into_response()
        }
    }
}
