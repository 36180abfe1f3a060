//! The account client against a service that has bad days.
#![cfg(feature = "local")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use scim_bridge::{
    account::{Account, Attempt, Error, Invitation, MemberState, Page, native::NativeAccount},
    onepassword::{identifier, secret_text::SecretText, sign_in_credentials::SignInCredentials},
    outbound,
    sandbox::{NewAccount, NewPerson, Options, Sandbox, person},
};

mod shared_session;
mod users_api;

/// What happens to a request before, or after, the service has seen it.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// An answer of this status in place of the service, with so many seconds of Retry-After.
    Before(u16, Option<u64>),
    /// The service does as asked, and then the answer gets lost behind this status.
    After(u16),
    /// The service takes this long.
    Slow(Duration),
    /// An answer of this status and text in place of the service.
    Says(u16, &'static str),
    /// The service answers in plain JSON, and this member of it is replaced.
    Forges(&'static str, Forged),
}

/// The member's name and its new value from the old one.
type Forged = fn(serde_json::Value) -> serde_json::Value;

/// Faults for the requests whose path ends so, one each.
#[derive(Clone, Default)]
struct Faults(
    Arc<Mutex<VecDeque<(&'static str, Fault)>>>,
    Arc<Mutex<Vec<String>>>,
);

impl Faults {
    fn plan(&self, path: &'static str, faults: &[Fault]) {
        let mut plan = self.0.lock().unwrap();
        plan.extend(faults.iter().map(|fault| (path, *fault)));
    }

    fn next(&self, path: &str) -> Option<Fault> {
        let mut plan = self.0.lock().unwrap();
        let place = plan.iter().position(|(end, _)| path.ends_with(end))?;
        plan.remove(place).map(|(_, fault)| fault)
    }

    /// How often a path that ends so was asked for.
    fn seen(&self, path: &str) -> usize {
        let seen = self.1.lock().unwrap();
        seen.iter().filter(|one| one.ends_with(path)).count()
    }

    fn left(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

async fn disturb(State(faults): State<Faults>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    faults.1.lock().unwrap().push(path.clone());
    match faults.next(&path) {
        Some(Fault::Says(status, text)) => {
            (StatusCode::from_u16(status).unwrap(), text).into_response()
        }
        Some(Fault::Forges(member, forge)) => {
            let answer = next.run(request).await.into_body();
            let text = axum::body::to_bytes(answer, usize::MAX).await.unwrap();
            let mut json: serde_json::Value = serde_json::from_slice(&text).unwrap();
            json[member] = forge(json[member].take());
            json.to_string().into_response()
        }
        None => next.run(request).await,
        Some(Fault::Slow(pause)) => {
            tokio::time::sleep(pause).await;
            next.run(request).await
        }
        Some(Fault::After(status)) => {
            next.run(request).await;
            StatusCode::from_u16(status).unwrap().into_response()
        }
        Some(Fault::Before(status, pause)) => {
            let mut answer = StatusCode::from_u16(status).unwrap().into_response();
            if let Some(pause) = pause {
                answer
                    .headers_mut()
                    .insert("retry-after", HeaderValue::from(pause));
            }
            answer
        }
    }
}

struct Service {
    _folder: tempfile::TempDir,
    sandbox: Sandbox,
    origin: String,
    account: NativeAccount,
    credentials: SignInCredentials,
    faults: Faults,
}

async fn service() -> Service {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        kdf_iterations: 10_000,
        ..Options::default()
    };
    let sandbox = Sandbox::open(&folder.path().join("account.db"), options).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let new = NewAccount {
        name: "Example".to_owned(),
        domains: Vec::new(),
        owner: NewPerson {
            email: "owner@example.com".to_owned(),
            password: SecretText::new("one".to_owned()),
        },
        sign_in_address: format!("http://{}", listener.local_addr().unwrap()),
    };
    let manager = NewPerson {
        email: "bridge@example.com".to_owned(),
        password: SecretText::new("two".to_owned()),
    };
    let making = sandbox.clone();
    let demo = tokio::task::spawn_blocking(move || making.create_demo_account(&new, &manager))
        .await
        .unwrap()
        .unwrap();
    let faults = Faults::default();
    let router = sandbox
        .router()
        .layer(middleware::from_fn_with_state(faults.clone(), disturb));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let http = outbound::client(None).unwrap();
    Service {
        _folder: folder,
        sandbox,
        origin: demo.credentials.origin(),
        account: NativeAccount::new(demo.credentials.clone(), http),
        credentials: demo.credentials,
        faults,
    }
}

fn ann() -> Invitation {
    Invitation {
        email: "ann@example.com".to_owned(),
        name: "Ann".to_owned(),
        language: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_waited_for() {
    let service = service().await;
    let faults = [
        Fault::Before(502, None),
        Fault::Before(503, None),
        Fault::Before(504, None),
    ];
    service.faults.plan("/self", &faults);
    service.account.identity().await.unwrap();
    assert_eq!((service.faults.left(), service.account.sign_ins()), (0, 1));
    // During sign-in too.
    service.account.sign_out().await;
    for step in ["/auth/start", "/v2/auth", "/confirm-key", "/complete"] {
        service.faults.plan(step, &[Fault::Before(503, None)]);
    }
    service.account.identity().await.unwrap();
    assert_eq!((service.faults.left(), service.account.sign_ins()), (0, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_pause_is_the_callers_to_wait() {
    let service = service().await;
    service.account.identity().await.unwrap();
    service
        .faults
        .plan("/self", &[Fault::Before(429, Some(30))]);
    let begun = Instant::now();
    let retry_after = Duration::from_secs(30);
    assert_eq!(
        service.account.identity().await,
        Err(Error::Busy { retry_after })
    );
    assert!(begun.elapsed() < Duration::from_secs(2));
    service
        .faults
        .plan("/self", &[Fault::Slow(Duration::from_secs(5))]);
    let account = service.account.with_deadline(Duration::from_millis(300));
    assert!(matches!(
        account.identity().await,
        Err(Error::Unavailable { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_behind_a_lost_answer_is_not_done_twice() {
    let service = service().await;
    service.faults.plan("/members", &[Fault::After(502)]);
    let invited = service.account.invite(&ann(), &attempt()).await.unwrap();
    service.faults.plan("/groups", &[Fault::After(504)]);
    let group = service
        .account
        .create_group("Finance", &attempt())
        .await
        .unwrap();
    service.faults.plan("/grants", &[Fault::After(502)]);
    service
        .account
        .grant(&group.id, std::slice::from_ref(&invited.id))
        .await
        .unwrap();
    let events = service.sandbox.events().unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["invited", "group_created", "granted"]);
    assert_eq!(
        service.account.invite(&ann(), &attempt()).await,
        Err(Error::EmailTaken)
    );
    let origin = service.origin.as_str();
    let http = outbound::client(None).unwrap();
    let password = SecretText::new("three".to_owned());
    person::sign_up(&http, origin, "ann@example.com", password)
        .await
        .unwrap();
    let waiting = service.account.member(&invited.id).await.unwrap().unwrap();
    // The first is lost on the way to look, the second on the way to confirm.
    let faults = [Fault::After(502), Fault::After(502)];
    service.faults.plan("/confirmation", &faults);
    let confirmed = service
        .account
        .confirm(&invited.id, &waiting.key_fingerprint.unwrap())
        .await
        .unwrap();
    assert_eq!(confirmed.state, MemberState::Active);
    service.faults.plan("suspension", &[Fault::After(502)]);
    service.account.suspend(&invited.id).await.unwrap();
    assert_eq!(
        service
            .sandbox
            .count_events("suspended", invited.id.as_str())
            .unwrap(),
        1
    );
    assert_eq!(
        service
            .sandbox
            .count_events("confirmed", invited.id.as_str())
            .unwrap(),
        1
    );
    let owner_and_bridge_and_ann = service.account.members(&[], &Page::first(10)).await;
    assert_eq!(owner_and_bridge_and_ann.unwrap().total, 3);
    assert_eq!(service.faults.left(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_the_service_asks_for_is_kept() {
    let service = service().await;
    service.faults.plan("/self", &[Fault::Before(429, Some(2))]);
    let begun = Instant::now();
    service.account.identity().await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_is_held_back_is_held_back_for_all() {
    let service = service().await;
    let faults = [Fault::Before(429, Some(30))];
    service.faults.plan("/auth/start", &faults);
    let calls = (0..5).map(|_| service.account.identity());
    for outcome in futures_util::future::join_all(calls).await {
        let Err(Error::Busy { retry_after }) = outcome else {
            panic!("{outcome:?}");
        };
        assert!(retry_after > Duration::from_secs(25), "{retry_after:?}");
    }
    assert!(matches!(
        service.account.identity().await,
        Err(Error::Busy { .. })
    ));
    assert_eq!(service.faults.seen("/auth/start"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_outlives_the_caller_that_began_it() {
    let service = service().await;
    let slow = [Fault::Slow(Duration::from_millis(500))];
    service.faults.plan("/auth/start", &slow);
    let hasty = tokio::time::timeout(Duration::from_millis(100), service.account.identity());
    assert!(hasty.await.is_err());
    service.account.identity().await.unwrap();
    assert_eq!(service.account.sign_ins(), 1);
    assert_eq!(
        service.faults.seen("/auth/start"),
        2,
        "the device, then the sign-in"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_breaks_off_begins_anew() {
    let service = service().await;
    let over = Fault::Says(401, r#"{"errorCode": 102}"#);
    service.faults.plan("/v2/auth", &[Fault::Says(401, "{}")]);
    service.faults.plan("/confirm-key", &[over]);
    service.faults.plan("/complete", &[over]);
    service.account.identity().await.unwrap();
    assert_eq!((service.faults.left(), service.account.sign_ins()), (0, 1));
    // A gateway that forbids says nothing of the credentials.
    service.account.sign_out().await;
    service
        .faults
        .plan("/auth/start", &[Fault::Says(403, "no")]);
    assert!(matches!(
        service.account.identity().await,
        Err(Error::Unavailable { .. })
    ));
    service.account.identity().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impostor_gets_no_further_than_its_proof() {
    let service = service().await;
    let swapped = |_| "c3dhcHBlZC1zd2FwcGVkLXN3YXBwZWQtc3dhcHBlZC0".into();
    let faults = [Fault::Forges("serverVerifyHash", swapped)];
    service.faults.plan("/confirm-key", &faults);
    assert!(matches!(
        service.account.identity().await,
        Err(Error::Protocol(_))
    ));
    assert_eq!(service.faults.seen("/complete"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_changed_or_are_weak_are_not_followed() {
    let service = service().await;
    let salt = |mut auth: serde_json::Value| {
        auth["salt"] = "AAAAAAAAAAAAAAAAAAAAAA".into();
        auth
    };
    service
        .faults
        .plan("/auth/start", &[Fault::Forges("status", |status| status)]);
    service
        .faults
        .plan("/auth/start", &[Fault::Forges("userAuth", salt)]);
    assert!(matches!(
        service.account.identity().await,
        Err(Error::CredentialsRefused(_))
    ));
    let mut weak = service.credentials.clone();
    weak.user_auth.iterations = 9_999;
    let weak = NativeAccount::new(weak, outbound::client(None).unwrap());
    let rounds = |mut auth: serde_json::Value| {
        auth["iterations"] = 9_999.into();
        auth
    };
    let faults = [Fault::Forges("userAuth", rounds); 2];
    service.faults.plan("/auth/start", &faults);
    let Err(Error::Protocol(why)) = weak.identity().await else {
        panic!("taken");
    };
    assert!(why.contains("9999 rounds"), "{why}");
    assert_eq!(service.faults.seen("/v2/auth"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_does_not_make_people_vanish() {
    let service = service().await;
    let ann = service.account.invite(&ann(), &attempt()).await.unwrap();
    let gone = Fault::Says(404, r#"{"errorCode": 117, "reason": "no_such_member"}"#);
    service
        .faults
        .plan(ann.id.as_str().to_owned().leak(), &[gone]);
    assert!(matches!(
        service.account.member(&ann.id).await,
        Err(Error::Unavailable { .. })
    ));
    assert!(service.account.member(&ann.id).await.unwrap().is_some());
    service.account.delete_member(&ann.id).await.unwrap();
    assert_eq!(service.account.member(&ann.id).await, Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_is_known_by_what_it_is_about() {
    let service = service().await;
    let (account, first) = (&service.account, attempt());
    let invited = account.invite(&ann(), &first).await.unwrap();
    let renamed = Invitation {
        email: "ANN@example.com".to_owned(),
        name: "Ann Again".to_owned(),
        language: None,
    };
    assert_eq!(account.invite(&renamed, &first).await, Ok(invited.clone()));
    let bob = Invitation {
        email: "bob@example.com".to_owned(),
        ..ann()
    };
    assert!(matches!(
        account.invite(&bob, &first).await,
        Err(Error::InvalidValue(_))
    ));
    assert!(matches!(
        account.create_group("ann@example.com", &first).await,
        Err(Error::InvalidValue(_))
    ));
    // The second comes with another keyset.
    let second = attempt();
    let group = account.create_group("Finance", &second).await.unwrap();
    assert_eq!(account.create_group(" finance", &second).await, Ok(group));
    account.delete_member(&invited.id).await.unwrap();
    let anew = account.invite(&ann(), &first).await.unwrap();
    assert_ne!(anew.id, invited.id);
}

/// A new attempt to create something.
fn attempt() -> Attempt {
    Attempt::new(identifier::upper().unwrap())
}
