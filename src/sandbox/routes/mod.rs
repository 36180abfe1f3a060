//! What the server answers.

mod administration;
mod mailbox;
mod sealed;
mod sign_in;

use axum::{
    Router,
    extract::FromRequest,
    http::StatusCode,
    middleware,
    routing::{any, delete, get, patch, post, put},
};
use serde::de::DeserializeOwned;

use super::{Sandbox, refusal::Refusal};

pub(super) use mailbox::{Acceptance, Offer};

/// The most bytes of a body.
const BODY: usize = 8 * 1024 * 1024;

/// A JSON body; what is not one is refused in the server's own words.
pub(super) struct Body<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: axum::extract::Request, _: &S) -> Result<Self, Refusal> {
        let bytes = axum::body::to_bytes(request.into_body(), BODY)
            .await
            .map_err(|_| Refusal::invalid("the body is too long"))?;
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| Refusal::invalid(format!("unexpected body: {error}")))
    }
}

/// All routes.
pub(super) fn router(sandbox: Sandbox) -> Router {
    let within = Router::new()
        .route("/api/v2/auth/complete", post(sign_in::complete))
        .route("/api/v1/auth/verify", post(sign_in::verify))
        .route("/api/v2/auth/verify", post(sign_in::verify))
        .route("/api/v1/session/touch", put(sign_in::touch))
        .route("/api/v1/session/signout", put(sign_in::sign_out))
        .route("/api/v1/account", get(administration::account))
        .route("/api/v1/account/keysets", get(administration::keysets))
        .route("/api/v2/account/keysets", get(administration::keysets))
        .merge(ours())
        .layer(middleware::from_fn_with_state(
            sandbox.clone(),
            sealed::sealed,
        ));
    Router::new()
        .route("/api/v2/auth/methods", post(sign_in::methods))
        .route("/api/v3/auth/start", post(sign_in::start))
        .route(
            "/api/v2/auth/{email}/{format}/{id}/{device}",
            get(sign_in::start_first),
        )
        .route(
            "/api/v2/auth/{email}/{format}/{id}/{device}/{user}",
            get(sign_in::start_first_of),
        )
        .route("/api/v1/auth", post(sign_in::exchange_first))
        .route("/api/v2/auth", post(sign_in::exchange))
        .route("/api/v2/auth/confirm-key", post(sign_in::confirm_key))
        .route("/api/v1/device", post(sign_in::register))
        .route(
            "/api/v1/device/{device}/reauthorize",
            put(sign_in::reauthorize),
        )
        .merge(within)
        .merge(mailbox::router())
        .fallback(|| async { Refusal::unauthenticated_stranger() })
        .with_state(sandbox)
}

/// The administration of our own design.
fn ours() -> Router<Sandbox> {
    use administration as a;
    let at = |path: &str| {
        format!(
            "{}{path}",
            crate::onepassword::messages::administration::PREFIX
        )
    };
    Router::new()
        .route(&at("/self"), get(a::myself))
        .route(&at("/self/email"), put(a::accept_email))
        .route(&at("/self/password"), put(a::change_password))
        .route(&at("/self/groups"), get(a::own_groups))
        .route(&at("/members"), post(a::invite))
        .route(&at("/members/query"), post(a::list_members))
        .route(&at("/members/by-email"), post(a::member_by_email))
        .route(&at("/members/by-ids"), post(a::members_by_ids))
        .route(&at("/members/with-groups"), post(a::members_with_groups))
        .route(&at("/members/{id}"), get(a::member))
        .route(&at("/members/{id}"), patch(a::edit_member))
        .route(&at("/members/{id}"), delete(a::delete_member))
        .route(&at("/members/{id}/groups"), get(a::groups_of))
        .route(&at("/members/{id}/keys"), get(a::keys_of))
        .route(&at("/members/{id}/confirmation"), get(a::awaiting))
        .route(&at("/members/{id}/confirmation"), post(a::confirm))
        .route(&at("/members/{id}/suspension"), put(a::suspend))
        .route(&at("/members/{id}/suspension"), delete(a::reactivate))
        .route(&at("/groups"), post(a::create_group))
        .route(&at("/groups/query"), post(a::list_groups))
        .route(&at("/groups/by-name"), post(a::group_by_name))
        .route(&at("/groups/by-ids"), post(a::groups_by_ids))
        .route(&at("/groups/{id}"), get(a::group))
        .route(&at("/groups/{id}"), patch(a::rename_group))
        .route(&at("/groups/{id}"), delete(a::delete_group))
        .route(&at("/groups/{id}/keyset"), get(a::group_keyset))
        .route(&at("/groups/{id}/keys"), post(a::give_key))
        .route(&at("/groups/{id}/members/query"), post(a::group_members))
        .route(&at("/groups/{id}/members/by-ids"), post(a::standing))
        .route(&at("/groups/{id}/grants"), post(a::grant))
        .route(&at("/groups/{id}/revocations"), post(a::revoke))
        // Within a session it is no secret what does not exist.
        .route(
            &at("/{*rest}"),
            any(|| async { Refusal::not_found("no_such_path") }),
        )
}

impl Refusal {
    /// Without a session everything else is the same nothing.
    fn unauthenticated_stranger() -> Self {
        Self::bare(StatusCode::UNAUTHORIZED)
    }
}
