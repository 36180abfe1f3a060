//! `scim-bridge doctor`: at real bridges, behind what breaks them, and at what is no bridge.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use futures_util::future::join_all;
use scim_bridge::credentials::BearerToken;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

use crate::{
    secrets,
    support::{Provider, Run, World},
    tools,
};

/// Where there is no scimsession at hand.
const AFAR: (&str, &str) = ("SCIM_BRIDGE_SCIMSESSION", "");

/// Runs it with a token, and asserts that nothing shows it.
async fn doctor(world: &World, token: &str, arguments: &[&str], more: &[(&str, &str)]) -> Run {
    let settings = [&[("SCIM_BRIDGE_TOKEN", token), AFAR], more].concat();
    let run = world
        .run(&[&["doctor"], arguments].concat(), &settings)
        .await;
    for text in [&run.stdout, &run.stderr] {
        assert!(!text.contains(token), "shows the token:\n{text}");
        assert!(!text.contains('\u{1b}'), "commands a terminal:\n{text}");
    }
    run
}

fn report(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr))
}

#[track_caller]
fn check<'a>(report: &'a Value, id: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["id"] == id);
    found.unwrap_or_else(|| panic!("no check {id}: {report:#}"))
}

/// The checks that are in this state.
fn those(report: &Value, state: &str) -> Vec<String> {
    let checks = report["checks"].as_array().unwrap().iter();
    let those = checks.filter(|check| check["state"] == state);
    those
        .map(|check| check["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Serves on a port of its own, for as long as the test runs.
async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

type Change = fn(&str, &mut Response<Body>);

/// Stands in front of a bridge and hands everything on, but changes answers by their path.
async fn front(world: &World, bridge: &str, change: Change) -> String {
    let origin = Arc::new(bridge.replace("/scim/v2", ""));
    let client = world.client.clone();
    let hand_on = move |request: Request| {
        let (client, origin) = (client.clone(), Arc::clone(&origin));
        async move {
            let (parts, body) = request.into_parts();
            let path = parts.uri.path_and_query().unwrap().as_str();
            let answer = client
                .request(parts.method, format!("{origin}{path}"))
                .headers(parts.headers)
                .body(to_bytes(body, usize::MAX).await.unwrap())
                .send()
                .await
                .unwrap();
            let mut changed = Response::new(Body::empty());
            *changed.status_mut() = answer.status();
            *changed.headers_mut() = answer.headers().clone();
            *changed.body_mut() = Body::from(answer.bytes().await.unwrap());
            changed.headers_mut().remove(header::TRANSFER_ENCODING);
            change(path, &mut changed);
            changed
        }
    };
    serve(Router::new().fallback(hand_on)).await + "/scim/v2"
}

/// Replaces an answer's body.
fn say(answer: &mut Response<Body>, status: u16, media_type: &'static str, body: &'static str) {
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    *answer.body_mut() = Body::from(body);
    answer.headers_mut().remove(header::CONTENT_LENGTH);
    let media_type = HeaderValue::from_static(media_type);
    answer
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_bridge_passes_and_nothing_is_changed() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    bridge.until_health(&bridge.token, "healthy").await;
    bridge.invite("ann@example.com").await;
    let events = world.sandbox.events().unwrap();
    let run = doctor(&world, &world.token, &[&bridge.tenant, "--json"], &[]).await;
    assert_eq!(run.status, 0, "{}{}", run.stdout, run.stderr);
    let all = report(&run);
    assert_eq!(world.sandbox.events().unwrap(), events);
    assert_eq!(those(&all, "failed"), [""; 0]);
    assert_eq!(those(&all, "warning"), [""; 0], "{all:#}");
    // This machine's address, in plain HTTP.
    let skipped = ["dns", "tls", "certificate", "plain-http"];
    assert_eq!(those(&all, "skipped"), skipped);
    // The shape that scripts read.
    let mut members: Vec<_> = all.as_object().unwrap().keys().collect();
    members.sort();
    let expected = ["checks", "counts", "left", "result", "url", "version"];
    assert_eq!(members, expected);
    assert_eq!(all["result"], "ok");
    assert_eq!(all["url"], bridge.tenant);
    assert_eq!(
        all["counts"],
        json!({"ok": 29, "warning": 0, "failed": 0, "skipped": 4})
    );
    for check in all["checks"].as_array().unwrap() {
        let mut members: Vec<_> = check.as_object().unwrap().keys().collect();
        members.sort();
        assert_eq!(members, ["fix", "id", "seen", "state"]);
    }

    // For a person, one provider, and with the scimsession at hand.
    let (dir, tenant) = (world.dir.path().join("scimsession"), &bridge.tenant);
    let settings = [("SCIM_BRIDGE_SCIMSESSION", dir.to_str().unwrap())];
    let okta = [tenant.as_str(), "--provider", "okta"];
    let run = doctor(&world, &world.token, &okta, &settings).await;
    let text = &run.done().stdout;
    for part in [
        "ok       okta-users ",
        "ok       credentials ",
        " 0 failed, ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("entra-"), "{text}");
    // The scimsession alone.
    let run = doctor(&world, &world.token, &["--json"], &settings).await;
    let alone = run.json();
    assert_eq!(those(&alone, "ok"), ["credentials"]);
    assert_eq!(alone["url"], Value::Null);
}

/// What stands in front of the bridge, the check that tells, its state, what it has seen, its
/// remedy, and the exit status.
type Front = (
    Change,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    i32,
);

const LOGIN: &str = "<html><form>Sign in</form></html>";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_front_of_a_bridge_may_break_it() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let fronts: [Front; 12] = [
        (
            |_, answer| say(answer, 200, "text/html; charset=utf-8", LOGIN),
            "ping",
            "failed",
            "HTML page",
            "login page",
            1,
        ),
        (
            |_, answer| say(answer, 502, "text/html", "<h1>Bad Gateway</h1>"),
            "ping",
            "failed",
            "502 with an HTML page",
            "bridge's log",
            5,
        ),
        (
            |_, answer| {
                say(answer, 301, "text/plain", "");
                let to = HeaderValue::from_static("https://elsewhere.example/scim/v2/ping");
                answer.headers_mut().insert(header::LOCATION, to);
            },
            "ping",
            "failed",
            "https://elsewhere.example",
            "providers follow none",
            1,
        ),
        (
            |_, answer| {
                let long_ago = HeaderValue::from_static("Sun, 22 Nov 2020 10:00:00 GMT");
                answer.headers_mut().insert(header::DATE, long_ago);
            },
            "clock",
            "failed",
            "seconds behind",
            "clock",
            1,
        ),
        (
            |path, answer| {
                if path.ends_with("/Schemas") {
                    say(answer, 404, "text/html", "<h1>Not Found</h1>");
                }
            },
            "discovery",
            "failed",
            "404 with an HTML page",
            "Something else answers",
            1,
        ),
        (
            |path, answer| {
                if path.ends_with("/ResourceTypes") {
                    let list = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
                        "totalResults":0,"Resources":[]}"#;
                    say(answer, 200, "application/scim+json", list);
                }
            },
            "discovery",
            "failed",
            "lacks User",
            "Upgrade",
            1,
        ),
        (
            |_, answer| {
                if answer.status() == 404 {
                    say(
                        answer,
                        404,
                        "application/json",
                        r#"{"message":"Not Found"}"#,
                    );
                }
            },
            "errors",
            "failed",
            "no SCIM error",
            "gateway",
            1,
        ),
        (
            |_, answer| {
                if answer.status() == 401 {
                    say(
                        answer,
                        401,
                        "application/json",
                        r#"{"message":"Unauthorized"}"#,
                    );
                }
            },
            "shut-door",
            "warning",
            "no SCIM error",
            "gateway",
            0,
        ),
        (
            // It lets everybody in.
            |_, answer| {
                if answer.status() == 401 {
                    say(answer, 200, "application/scim+json", "{}");
                }
            },
            "shut-door",
            "failed",
            "let in",
            "adds a token",
            1,
        ),
        (
            |path, answer| {
                if path.ends_with("//ServiceProviderConfig") {
                    say(answer, 308, "text/plain", "");
                }
            },
            "paths",
            "warning",
            "308",
            "every path",
            0,
        ),
        (
            |path, answer| {
                if path.contains("count=2") {
                    say(answer, 200, "application/scim+json", r#"{"Resources":[]}"#);
                }
            },
            "okta-users",
            "failed",
            "no SCIM list",
            "log",
            1,
        ),
        (
            |path, answer| {
                if path.ends_with("/health") {
                    let report = r#"{"state":"degraded","version":"9","reports":[{"source":"StateStore",
                        "state":"degraded","reason":"it is \u001b[31mslow","remedy":"wait"}],
                        "activity":{"provider":{"kind":"Okta","lastRequest":"2026-01-01T00:00:00Z"}}}"#;
                    say(answer, 200, "application/json", report);
                }
            },
            "health",
            "warning",
            "StateStore is degraded: it is \u{fffd}[31mslow",
            "wait",
            0,
        ),
    ];
    let runs = fronts.map(|(change, id, state, seen, fix, status)| {
        let (world, tenant) = (&world, &bridge.tenant);
        async move {
            let url = front(world, tenant, change).await;
            let run = doctor(world, &world.token, &[&url, "--json"], &[]).await;
            let all = report(&run);
            assert_eq!(run.status, status, "{seen}: {all:#}");
            let told = check(&all, id);
            assert_eq!(told["state"], state, "{seen}: {told:#}");
            for (name, part) in [("seen", seen), ("fix", fix)] {
                assert!(told[name].as_str().unwrap().contains(part), "{told:#}");
            }
            assert_eq!(run.stderr.contains("checks failed"), status != 0);
        }
    });
    join_all(runs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_looked_at_and_goes_to_bridges_only() {
    let world = World::new().await;
    let monitor = [
        "token", "add", "--label", "watch", "--scope", "monitor", "--json",
    ];
    let monitor = world.run(&monitor, &[]).await.json();
    let monitor = monitor["token"].as_str().unwrap().to_owned();
    let bridge = world.bridge(&[]).await;
    let stranger = BearerToken::generate().unwrap().expose().to_string();
    let mistyped = format!("{}x", &world.token[..world.token.len() - 1]);
    for secret in [&monitor, &stranger, &mistyped] {
        secrets::remember(secret);
    }
    for (token, id, seen, fix) in [
        (
            &mistyped,
            "token-text",
            "not a complete token",
            "Copy the whole",
        ),
        (&world.sweep_key, "token-text", "sweep key", "scimbridge_"),
        (&stranger, "token", "answered 401", "scim-bridge token add"),
        (&monitor, "token", "answered 403", "for a monitor"),
    ] {
        let run = doctor(&world, token, &[&bridge.tenant, "--json"], &[]).await;
        assert_eq!(run.status, 3, "{}", run.stderr);
        let all = report(&run);
        assert_eq!(those(&all, "failed"), [id]);
        for (name, part) in [("seen", seen), ("fix", fix)] {
            let told = check(&all, id);
            assert!(told[name].as_str().unwrap().contains(part), "{told:#}");
        }
        assert_eq!(check(&all, "entra-users")["state"], "skipped");
    }
    // A monitor sees the health all the same.
    bridge.until_health(&bridge.token, "healthy").await;
    let run = doctor(&world, &monitor, &[&bridge.tenant, "--json"], &[]).await;
    assert_eq!(check(&report(&run), "health")["state"], "ok");

    // What is no bridge never sees the token; what repeats it to us is not repeated.
    let trap = |request: Request| async move {
        let token = request.headers().get(header::AUTHORIZATION);
        assert!(token.is_none(), "the token came to a stranger");
        StatusCode::NOT_FOUND
    };
    let url = serve(Router::new().fallback(trap)).await;
    let run = doctor(&world, &world.token, &[&url, "--json"], &[]).await;
    assert_eq!(
        (run.status, check(&report(&run), "ping")["state"].clone()),
        (1, json!("failed"))
    );
    let echo = |request: Request| async move {
        match request.headers().get(header::AUTHORIZATION).cloned() {
            Some(token) => {
                let detail = format!("\u{1b}[2J {}", token.to_str().unwrap());
                let error = json!({"schemas": [], "detail": detail});
                (StatusCode::BAD_REQUEST, error.to_string()).into_response()
            }
            None => StatusCode::UNAUTHORIZED.into_response(),
        }
    };
    let pong = get(|| async { "pong" });
    let url = serve(Router::new().route("/ping", pong).fallback(echo)).await;
    let run = doctor(&world, &world.token, &[&url], &[]).await;
    assert_eq!(run.status, 1, "{}", run.stdout);
    // Not in plain HTTP either to what is not certainly this machine.
    let somewhere = bridge.tenant.replace("127.0.0.1", "0.0.0.0");
    let run = doctor(&world, &world.token, &[&somewhere, "--json"], &[]).await;
    let all = report(&run);
    assert_eq!(those(&all, "failed"), ["tls"], "{all:#}");
    assert_eq!(check(&all, "ping")["state"], "skipped");

    for (arguments, says) in [
        (vec!["scim.example.com/scim/v2"], "all of it"),
        (vec!["ftp://scim.example.com"], "all of it"),
        (vec!["https://user@scim.example.com"], "without a user"),
        (vec!["--deep", "a@example.com"], "<URL>"),
    ] {
        let run = doctor(&world, &world.token, &arguments, &[]).await;
        assert_eq!(run.status, 2, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(says), "{}", run.stderr);
    }
    let in_url = format!("https://scim.example.com/?token={}", world.token);
    let run = doctor(&world, &world.token, &[&in_url], &[]).await;
    assert_eq!(run.status, 2, "{}", run.stderr);
}

/// Nobody, a wrong name, silence, and another place.
#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_is_out_of_reach_is_told_from_one_that_is_elsewhere() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/scim/v2", closed.local_addr().unwrap());
    drop(closed);
    // A label of a name has at most 63 characters (RFC 1035, section 2.3.4).
    let no_name = format!("https://{}.invalid/scim/v2", "x".repeat(64));
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silence = format!("http://{}/scim/v2", silent.local_addr().unwrap());
    let elsewhere = bridge.tenant.replace("/scim/v2", "/scim/v3");
    let endpoint = format!("{}/Users", bridge.tenant);
    let right = format!("Enter {}: a bridge answers there", bridge.tenant);
    for (url, id, status, fix) in [
        (&nobody, "connection", 5, "firewall"),
        (&no_name, "dns", 5, "DNS record"),
        (&silence, "ping", 5, "See that the bridge runs"),
        (&elsewhere, "url", 1, "/scim/v2"),
        (&elsewhere, "ping", 1, &right),
        (&endpoint, "ping", 1, &right),
    ] {
        let arguments = [url.as_str(), "--json", "--timeout", "1"];
        let run = doctor(&world, &world.token, &arguments, &[]).await;
        assert_eq!(run.status, status, "{url}: {}", run.stderr);
        let told = report(&run);
        let told = check(&told, id);
        assert_eq!(told["state"], "failed", "{url}: {told:#}");
        assert!(told["fix"].as_str().unwrap().contains(fix), "{told:#}");
    }
}

/// Terminates TLS with a certificate of the test data, and hands on what comes to `origin`.
async fn behind_tls(certificate: &str, origin: &str) -> String {
    let data = tools::root().join("tests/data/tls");
    let pem = |end| data.join(format!("{certificate}.{end}"));
    let chain = vec![CertificateDer::from_pem_file(pem("pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(pem("key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let to = origin.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let (acceptor, to) = (acceptor.clone(), to.clone());
            tokio::spawn(async move {
                // A client that does not trust the certificate goes away here.
                if let Ok(mut socket) = acceptor.accept(socket).await {
                    let mut bridge = TcpStream::connect(to).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut socket, &mut bridge).await;
                }
            });
        }
    });
    format!("https://127.0.0.1:{port}/scim/v2")
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_looked_at() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let origin = bridge.tenant.replace("/scim/v2", "");
    let lasting = behind_tls("lasting", &origin).await;
    let ended = behind_tls("ended", &origin).await;
    let other_name = lasting.replace("127.0.0.1", "localhost");
    let no_tls = bridge.tenant.replace("http://", "https://");
    let data = tools::root().join("tests/data/tls");
    let trusting = |name: &str| data.join(name).to_str().unwrap().to_owned();
    for (url, roots, seen, fix) in [
        (&lasting, "", "no known authority", "public authority"),
        (&ended, &*trusting("ended.pem"), "expired", "Renew"),
        (
            &other_name,
            &trusting("lasting.pem"),
            "not valid for name",
            "name",
        ),
        (&no_tls, "", "", "no plain HTTP"),
    ] {
        let settings = [("SCIM_BRIDGE_ROOT_CERTIFICATES", roots)];
        let run = doctor(&world, &world.token, &[url, "--json"], &settings).await;
        let all = report(&run);
        assert_eq!(
            (run.status, those(&all, "failed")),
            (1, vec!["tls".to_owned()]),
            "{all:#}"
        );
        for (name, part) in [("seen", seen), ("fix", fix)] {
            let told = check(&all, "tls");
            assert!(told[name].as_str().unwrap().contains(part), "{told:#}");
        }
        assert_eq!(check(&all, "ping")["state"], "skipped");
    }
    let roots = trusting("lasting.pem");
    let settings = [("SCIM_BRIDGE_ROOT_CERTIFICATES", roots.as_str())];
    let run = doctor(&world, &world.token, &[&lasting, "--json"], &settings).await;
    let all = report(&run);
    assert_eq!(check(&all, "tls")["state"], "ok", "{all:#}");
    let certificate = check(&all, "certificate");
    assert!(certificate["seen"].as_str().unwrap().contains("2120-01-01"));
    // The bridge was not told that clients see https.
    let location = check(&all, "location");
    assert_eq!(location["state"], "warning");
    let fix = location["fix"].as_str().unwrap();
    assert!(fix.contains(&lasting.replace("/scim/v2", ",")), "{fix}");
    assert_eq!(run.status, 0, "{all:#}");
}

const DOCTOR: &str = "doctor@example.com";

#[tokio::test(flavor = "multi_thread")]
async fn a_deep_look_leaves_a_suspended_person_and_says_so() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let deep = [bridge.tenant.as_str(), "--deep", DOCTOR, "--json"];
    for (run, seen) in [(1, "is invited"), (2, "is active again")] {
        let report = doctor(&world, &world.token, &deep, &[]).await.json();
        assert_eq!(those(&report, "failed"), [""; 0]);
        let told = check(&report, "test-user")["seen"].as_str().unwrap();
        assert!(told.contains(seen), "run {run}: {told}");
        let left = report["left"].as_array().unwrap();
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(
            left[0]
                .as_str()
                .unwrap()
                .starts_with("doctor@example.com, suspended")
        );
        let person = bridge
            .find("/Users", &format!("userName eq \"{DOCTOR}\""))
            .await;
        assert_eq!(person[0]["active"], false);
        assert!(
            bridge
                .find("/Groups", "displayName sw \"scim-bridge\"")
                .await
                .is_empty()
        );
    }
    assert_eq!(world.count("invited").await, 1);
    // Who is there already is left alone.
    let ann = bridge.invite("ann@example.com").await;
    let theirs = [&deep[..2], &["ann@example.com", "--json"]].concat();
    let run = doctor(&world, &world.token, &theirs, &[]).await;
    let all = report(&run);
    assert_eq!(
        (run.status, those(&all, "failed")),
        (1, vec!["test-user".to_owned()])
    );
    assert_eq!(all["left"], json!([]));
    let ann = bridge.get(&format!("/Users/{ann}")).await.ok();
    assert_eq!(ann["active"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_deep_look_made_is_removed_after_a_failure_too() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    // Done, and the answer lost; and a change refused half-way.
    let fronts: [(Change, &[&str]); 3] = [
        (
            |_, answer| {
                if answer.status() == 201 {
                    say(answer, 504, "text/html", "<h1>Gateway Timeout</h1>");
                }
            },
            &["test-user"],
        ),
        (
            |path, answer| {
                if path.contains("/Groups") && answer.status() == 201 {
                    say(answer, 504, "text/html", "<h1>Gateway Timeout</h1>");
                }
            },
            &["test-group"],
        ),
        (
            |path, answer| {
                if path.contains("members") && !path.contains("excluded") {
                    say(answer, 500, "text/plain", "");
                }
            },
            &["entra-members", "test-group"],
        ),
    ];
    for (number, (change, failed)) in fronts.into_iter().enumerate() {
        let url = front(&world, &bridge.tenant, change).await;
        let email = format!("doctor{number}@example.com");
        let deep = [url.as_str(), "--deep", &email, "--json"];
        let run = doctor(&world, &world.token, &deep, &[]).await;
        let all = report(&run);
        assert_eq!(those(&all, "failed"), failed, "{all:#}");
        assert_ne!(run.status, 0);
        let person = bridge
            .find("/Users", &format!("userName eq \"{email}\""))
            .await;
        assert_eq!(person[0]["active"], false, "{all:#}");
        assert!(
            bridge
                .find("/Groups", "displayName sw \"scim-bridge\"")
                .await
                .is_empty()
        );
        assert!(all["left"][0].as_str().unwrap().contains("suspended"));
    }
    // What cannot be removed is named: here the guard is in the way.
    let guarded = [
        ("SCIM_BRIDGE_GUARD_PEOPLE", "0"),
        ("SCIM_BRIDGE_GUARD_PERCENT", "0"),
    ];
    let guarded = world.bridge(&guarded).await;
    let deep = [guarded.tenant.as_str(), "--deep", "stays@example.com"];
    let run = doctor(&world, &world.token, &deep, &[]).await;
    assert_eq!(run.status, 5, "{}", run.stdout);
    for part in [
        "FAILED   test-user-removed ",
        "guard",
        "Left in the account: perhaps stays@example.com, active",
        "by hand",
    ] {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }
}
