//! A stand-in for 1Password's Users API, as its documentation describes it, over the account of the
//! embedded server.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    middleware,
    response::{IntoResponse, Response},
};
use data_encoding::BASE64;
use scim_bridge::{
    account::{Account, Member, MemberState},
    onepassword::{identifier, secret_text::SecretText, users_api::ClientCredentials},
};
use serde_json::json;

use super::super::{Faults, disturb};

const ACCOUNT: &str = "ACCOUNTAAAAAAAAAAAAAAAAAAA";
const CLIENT: &str = "the-client";
pub const SECRET: &str = "a-client-secret-that-nothing-may-show";
pub const TOKEN: &str = "/v1beta1/users/oauth2/token";

#[derive(Clone)]
pub struct StandIn {
    account: Arc<dyn Account>,
    /// What happens to its answers.
    pub faults: Faults,
    tokens: Arc<Mutex<Vec<(String, Instant)>>>,
    life: u64,
    address: std::net::SocketAddr,
}

impl StandIn {
    /// Begins to serve people of this account, with tokens that last for so many seconds.
    pub async fn start(account: Arc<dyn Account>, life: u64) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stand_in = Self {
            account,
            faults: Faults::default(),
            tokens: Arc::default(),
            life,
            address: listener.local_addr().unwrap(),
        };
        let faults = stand_in.faults.clone();
        let router = Router::new()
            .fallback(answer)
            .with_state(stand_in.clone())
            .layer(middleware::from_fn_with_state(faults, disturb));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        stand_in
    }

    pub fn credentials(&self) -> ClientCredentials {
        ClientCredentials {
            server: format!("http://{}", self.address).parse().unwrap(),
            account_id: ACCOUNT.to_owned(),
            client_id: CLIENT.to_owned(),
            client_secret: SecretText::new(SECRET.to_owned()),
        }
    }

    /// Takes all tokens back.
    pub fn revoke(&self) {
        self.tokens.lock().unwrap().clear();
    }

    /// Every token that it ever gave.
    pub fn tokens(&self) -> Vec<String> {
        let tokens = self.tokens.lock().unwrap();
        tokens.iter().map(|(token, _)| token.clone()).collect()
    }

    fn give_token(&self, headers: &HeaderMap, body: &[u8]) -> Response {
        let basic = BASE64.encode(format!("{CLIENT}:{SECRET}").as_bytes());
        if header(headers, "authorization") != format!("Basic {basic}") {
            return refused(StatusCode::UNAUTHORIZED, 16, "invalid_client");
        }
        let form = header(headers, "content-type") == "application/x-www-form-urlencoded";
        if !form || body != b"grant_type=client_credentials" {
            return refused(StatusCode::BAD_REQUEST, 3, "invalid_request");
        }
        let token = format!("token-{}", identifier::lower().unwrap());
        let mut tokens = self.tokens.lock().unwrap();
        tokens.push((token.clone(), Instant::now()));
        let life = self.life;
        Json(json!({
            "access_token": token, "token_type": "bearer", "expires_in": life, "scope": "openid",
        }))
        .into_response()
    }

    fn knows(&self, bearer: &str) -> bool {
        let tokens = self.tokens.lock().unwrap();
        tokens.iter().any(|(token, since)| {
            bearer == format!("Bearer {token}") && since.elapsed().as_secs() < self.life
        })
    }

    async fn act(&self, person: &str) -> Response {
        let Some((id, verb)) = person.split_once(':') else {
            return refused(StatusCode::NOT_FOUND, 5, "no such method");
        };
        let id = id.parse().unwrap();
        let Some(member) = self.account.member(&id).await.unwrap() else {
            return refused(StatusCode::NOT_FOUND, 5, "no such user");
        };
        let is_known = matches!(member.state, MemberState::Active | MemberState::Suspended);
        assert!(is_known, "not documented for {:?}", member.state);
        let member = match verb {
            "suspend" => self.account.suspend(&id).await,
            "reactivate" => self.account.reactivate(&id).await,
            _ => return refused(StatusCode::NOT_FOUND, 5, "no such method"),
        };
        Json(user(&member.unwrap())).into_response()
    }
}

async fn answer(
    State(stand_in): State<StandIn>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let agent = header(&headers, "user-agent");
    if agent != format!("scim-bridge/{}", env!("CARGO_PKG_VERSION")) {
        return refused(StatusCode::BAD_REQUEST, 3, "who asks?");
    }
    if method != Method::POST || uri.query().is_some() {
        return refused(StatusCode::NOT_FOUND, 5, "no such method");
    }
    if uri.path() == TOKEN {
        return stand_in.give_token(&headers, &body);
    }
    if !stand_in.knows(header(&headers, "authorization")) {
        return refused(StatusCode::UNAUTHORIZED, 16, "unauthenticated");
    }
    let people = format!("/v1beta1/accounts/{ACCOUNT}/users/");
    match uri.path().strip_prefix(&people) {
        Some(person) if body.is_empty() => stand_in.act(person).await,
        _ => refused(StatusCode::FORBIDDEN, 7, "another account"),
    }
}

/// A person as the API shows them.
pub fn user(member: &Member) -> serde_json::Value {
    json!({
        "id": member.id.as_str(),
        "email": member.email,
        "display_name": member.name,
        "state": member.state.name(),
        "create_time": "2024-01-02T03:04:05Z",
        "path": format!("accounts/{ACCOUNT}/users/{}", member.id),
    })
}

fn refused(status: StatusCode, code: u16, message: &str) -> Response {
    let body = json!({"code": code, "message": message, "details": []});
    (status, Json(body)).into_response()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}
