//! A client of generation 1, written from the public descriptions alone, and forged requests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use reqwest::{Client, Method, StatusCode};
use scim_bridge::{
    onepassword::{
        derivation::{self, Parameters},
        keyset::open_tree,
        messages::sign_in::{Keysets, StartAnswer},
        secret_key::SecretKey,
        secret_text::SecretText,
        session::Session,
        sign_in_credentials::{SignInCredentials, UnlockParameters},
        srp::{self, ClientEphemeral, Generation, PublicValue, Verifier},
    },
    sandbox::person::Kit,
};
use serde_json::{Value, json};

use super::Server;

const DEVICE: &str = "abcdefghijklmnopqrstuvwxyz";

async fn start(origin: &str, http: &Client, kit: &Kit) -> StartAnswer {
    let key = SecretKey::parse(&kit.secret_key).unwrap();
    let url = format!(
        "{origin}/api/v2/auth/{}/A3/{}/{DEVICE}",
        kit.email,
        key.id()
    );
    let text = http.get(url).send().await.unwrap().bytes().await.unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// What a program would hold of a person. The unlock key is of no use here.
pub async fn derive(origin: String, http: &Client, kit: &Kit) -> SignInCredentials {
    let auth = start(&origin, http, kit).await.user_auth.unwrap();
    let unlock = UnlockParameters::generate(10).unwrap();
    let key = SecretKey::parse(&kit.secret_key).unwrap();
    SignInCredentials::derive(origin, &kit.email, &kit.password, &key, auth, &unlock).unwrap()
}

async fn post(http: &Client, url: String, session: &str, body: Value) -> (StatusCode, Value) {
    let answer = http
        .post(url)
        .header("X-AgileBits-Session-ID", session)
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    let status = answer.status();
    let text = answer.bytes().await.unwrap();
    (status, serde_json::from_slice(&text).unwrap_or_default())
}

pub async fn send(
    http: &Client,
    origin: &str,
    session: &Session,
    method: Method,
    path: &str,
    mac: &str,
    body: Option<Vec<u8>>,
) -> (StatusCode, Vec<u8>) {
    let mut request = http
        .request(method, format!("{origin}{path}"))
        .header("X-AgileBits-Session-ID", session.id())
        .header("X-AgileBits-MAC", mac);
    if let Some(body) = body {
        request = request.body(body);
    }
    let answer = request.send().await.unwrap();
    (answer.status(), answer.bytes().await.unwrap().to_vec())
}

/// Signs in by generation 1.
pub async fn sign_in(origin: &str, http: &Client, kit: &Kit) -> Session {
    let first = start(origin, http, kit).await;
    assert_eq!(first.status, "device-not-registered");
    let (status, answer) = post(
        http,
        format!("{origin}/api/v1/device"),
        &first.session_id,
        json!({"uuid": DEVICE, "clientName": "test"}),
    )
    .await;
    assert_eq!((status, answer), (StatusCode::OK, json!({"success": 1})));
    let started = start(origin, http, kit).await;
    assert_eq!(started.status, "ok");
    let id = started.session_id;
    let auth = started.user_auth.unwrap();
    let secret_key = SecretKey::parse(&kit.secret_key).unwrap();
    let x = derivation::derive(
        &Parameters {
            method: &auth.method,
            algorithm: &auth.alg,
            iterations: auth.iterations,
            salt: &auth.salt().unwrap(),
        },
        &kit.email,
        &kit.password,
        &secret_key,
    )
    .unwrap();
    let client = ClientEphemeral::generate().unwrap();
    let (status, answer) = post(
        http,
        format!("{origin}/api/v1/auth"),
        &id,
        json!({"sessionID": id, "userA": client.public().to_hex()}),
    )
    .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["sessionID"], *id);
    let b = PublicValue::parse(answer["userB"].as_str().unwrap()).unwrap();
    let key = client
        .session_key(Generation::One, &id, &x, &Verifier::from_x(&x), &b)
        .unwrap();
    let session = Session::new(&id, &key);
    let hash = srp::first_client_hash(secret_key.id(), &id);
    let body = session
        .seal(&json!({"sessionID": id, "clientVerifyHash": hash, "client": "test/1", "device": {"uuid": DEVICE}}))
        .unwrap();
    let path = "/api/v2/auth/verify";
    let mac = session.sign("POST", "127.0.0.1", path);
    let (status, answer) = send(http, origin, &session, Method::POST, path, &mac, Some(body)).await;
    assert_eq!(status, StatusCode::OK);
    let answer: Value = session.open(&answer).unwrap();
    assert_eq!(
        answer["serverVerifyHash"],
        srp::first_server_hash(&id, &hash)
    );
    assert_eq!(answer["mfa"], Value::Null);
    session
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_generation_1_signs_in_and_opens_its_keysets() {
    let server = Server::start().await;
    let kit = server.login(&server.demo.owner);
    let session = sign_in(&server.origin, &server.http, &kit).await;
    for path in ["/api/v1/account/keysets", "/api/v2/account/keysets?x=a%2Cb"] {
        let mac = session.sign("GET", "127.0.0.1", path);
        let (status, answer) = send(
            &server.http,
            &server.origin,
            &session,
            Method::GET,
            path,
            &mac,
            None,
        )
        .await;
        assert_eq!(status, StatusCode::OK);
        let keysets: Keysets = session.open(&answer).unwrap();
        let own = scim_bridge::onepassword::keyset::primary(&keysets.keysets).unwrap();
        let unlock = own
            .unlock_parameters()
            .unwrap()
            .unlock_key(
                &kit.email,
                &kit.password,
                &SecretKey::parse(&kit.secret_key).unwrap(),
            )
            .unwrap();
        // Its own, and all five groups: Provision Managers through Administrators.
        assert_eq!(open_tree(&keysets.keysets, &unlock).unwrap().len(), 6);
    }
    let path = "/api/v1/account?attrs=me";
    let mac = session.sign("GET", "127.0.0.1", path);
    let (_, answer) = send(
        &server.http,
        &server.origin,
        &session,
        Method::GET,
        path,
        &mac,
        None,
    )
    .await;
    let account: Value = session.open(&answer).unwrap();
    assert_eq!(account["me"]["email"], *kit.email);
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_replayed_and_late_requests_are_refused() {
    let server = Server::start().await;
    let kit = server.login(&server.demo.owner);
    let session = sign_in(&server.origin, &server.http, &kit).await;
    let touch = "/api/v1/session/touch";
    let put = async |mac: &str, path: &str| {
        send(
            &server.http,
            &server.origin,
            &session,
            Method::PUT,
            path,
            mac,
            None,
        )
        .await
        .0
    };
    let refused = StatusCode::UNAUTHORIZED;
    let first = session.sign("PUT", "127.0.0.1", touch);
    let second = session.sign("PUT", "127.0.0.1", touch);
    // Out of order is no replay.
    assert_eq!(put(&second, touch).await, StatusCode::OK);
    assert_eq!(put(&first, touch).await, StatusCode::OK);
    assert_eq!(put(&first, touch).await, refused);
    let mac = session.sign("PUT", "127.0.0.1", touch);
    assert_eq!(put(&mac, "/api/v1/session/signout").await, refused);
    let mac = session.sign("PUT", "elsewhere.example", touch);
    assert_eq!(put(&mac, touch).await, refused);
    let mac = session.sign("PUT", "127.0.0.1", touch).replace('|', "!");
    assert_eq!(put(&mac, touch).await, refused);
    let mac = session.sign("PUT", "127.0.0.1", "/api/v1/session/signout");
    assert_eq!(put(&mac, "/api/v1/session/signout").await, StatusCode::OK);
    let mac = session.sign("PUT", "127.0.0.1", touch);
    let (status, answer) = send(
        &server.http,
        &server.origin,
        &session,
        Method::PUT,
        touch,
        &mac,
        None,
    )
    .await;
    assert_eq!(status, refused);
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["errorCode"], 102);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_said_within_the_session_only() {
    let server = Server::start().await;
    let session = sign_in(
        &server.origin,
        &server.http,
        &server.login(&server.demo.owner),
    )
    .await;
    let path = "/api/x-bridge/v1/no/such/thing";
    let mac = session.sign("GET", "127.0.0.1", path);
    let get = async |mac: &str| {
        let (origin, http) = (&server.origin, &server.http);
        send(http, origin, &session, Method::GET, path, mac, None).await
    };
    let (status, answer) = get(&mac).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let answer: Value = session.open(&answer).unwrap();
    assert_eq!(answer["errorCode"], 117);
    assert_eq!(get(&mac).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_learn_nothing() {
    let server = Server::start().await;
    let (origin, http) = (&server.origin, &server.http);
    let ask = async |path: &str, body: Value| post(http, format!("{origin}{path}"), "", body).await;
    let methods = "/api/v2/auth/methods";
    assert_eq!(
        ask(methods, json!({"email": "owner@example.com"})).await,
        ask(methods, json!({"email": "nobody@example.com"})).await
    );
    assert_eq!(
        ask(methods, json!({"email": "nobody"})).await.0,
        StatusCode::BAD_REQUEST
    );
    let start = |email: &str, format: &str| json!({"email": email, "skFormat": format, "skid": "AAAAAA", "deviceUuid": DEVICE});
    let path = "/api/v3/auth/start";
    let bad = StatusCode::BAD_REQUEST;
    assert_eq!(
        ask(path, start("nobody@example.com", "A3")).await,
        (bad, json!({}))
    );
    assert_eq!(
        ask(path, start("owner@example.com", "A3")).await,
        (bad, json!({}))
    );
    assert_eq!(
        ask(path, start("owner@example.com", "A9")).await,
        (bad, json!({"reason": "invalid_sk_prefix_format"}))
    );
    let kit = Kit {
        password: SecretText::new("wrong".to_owned()),
        ..server.login(&server.demo.owner)
    };
    let started = self::start(origin, http, &kit).await;
    let zero = json!({"userA": "0"});
    let exchange = format!("{origin}/api/v2/auth");
    assert_eq!(
        post(http, exchange.clone(), &started.session_id, zero)
            .await
            .0,
        bad
    );
    let a = ClientEphemeral::generate().unwrap().public().to_hex();
    let (status, _) = post(http, exchange, &started.session_id, json!({"userA": a})).await;
    assert_eq!(status, StatusCode::OK);
    let confirm = format!("{origin}/api/v2/auth/confirm-key");
    let guess = json!({"clientVerifyHash": "A".repeat(43)});
    for _ in 0..2 {
        assert_eq!(
            post(http, confirm.clone(), &started.session_id, guess.clone()).await,
            (StatusCode::UNAUTHORIZED, json!({}))
        );
    }
    let (status, answer) = post(
        http,
        format!("{origin}/api/x-bridge/v1/members/query"),
        "",
        json!({}),
    )
    .await;
    assert_eq!(
        (status, &answer["errorCode"]),
        (StatusCode::UNAUTHORIZED, &json!(102))
    );
}
