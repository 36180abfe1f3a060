//! Tokens and the scimsession in a running bridge: added, revoked, rotated, broken, gone, and
//! never an outage that nobody asked for.

use reqwest::{Method, StatusCode};
use scim_bridge::{onepassword::secret_text::SecretText, sandbox::person};
use serde_json::Value;

use super::{
    secrets,
    support::{self, Answer, Bridge, Call, Provider, World, until},
};

/// A bridge that looks at its credentials every second.
async fn attentive(world: &World) -> Bridge {
    world
        .bridge(&[("SCIM_BRIDGE_CREDENTIALS_REFRESH", "1")])
        .await
}

impl Bridge {
    async fn get_with(&self, token: &str, path: &str) -> Answer {
        self.send(Call {
            method: Method::GET,
            path,
            token: Some(token),
            headers: &[],
            body: None,
        })
        .await
    }

    async fn until_status(&self, token: &str, path: &str, status: u16) -> Answer {
        until(async || {
            let answer = self.get_with(token, path).await;
            (answer.status == status).then_some(answer)
        })
        .await
    }

    fn health_url(&self) -> String {
        self.tenant.replace("/scim/v2", "/health")
    }

    async fn health(&self, token: &str) -> (StatusCode, Value) {
        let answer = self.get_with(token, &self.health_url()).await;
        (answer.status, answer.body)
    }

    /// What `/health` says as soon as its verdict is this one: the first sweep may be to come.
    pub async fn until_health(&self, token: &str, verdict: &str) -> Value {
        until(async || {
            let (status, health) = self.health(token).await;
            assert_eq!(status, 200, "{health}");
            (health["state"] == verdict).then_some(health)
        })
        .await
    }
}

/// What a report of `/health` says.
#[track_caller]
fn report<'a>(health: &'a Value, source: &str) -> &'a Value {
    let reports = health["reports"].as_array().unwrap();
    reports
        .iter()
        .find(|report| report["source"] == source)
        .unwrap()
}

impl World {
    /// Issues a token with the command line.
    async fn add_token(&self, arguments: &[&str]) -> String {
        let added = self
            .run(&[&["token", "add", "--json"], arguments].concat(), &[])
            .await;
        let token = added.json()["token"].as_str().unwrap().to_owned();
        secrets::remember(&token);
        token
    }
}

const USERS: &str = "/Users?count=0";

#[tokio::test]
async fn a_token_works_while_another_is_added_and_is_refused_once_revoked() {
    let world = World::new().await;
    let mut bridge = attentive(&world).await;
    bridge.get(USERS).await.ok();
    let second = world.add_token(&["--label", "second"]).await;
    bridge.until_status(&second, USERS, 200).await;
    bridge.get(USERS).await.ok();
    let sign_ins = world.sign_ins();
    world.run(&["token", "revoke", "test"], &[]).await.done();
    bridge.until_status(&world.token, USERS, 401).await;
    bridge.get_with(&second, USERS).await.ok();
    // Other recipients are no reason to sign in anew.
    assert_eq!(world.sign_ins(), sign_ins);
    // The sweep's key is untouched: newcomers are confirmed as before.
    bridge.token = second;
    bridge.invite("ann@example.com").await;
    world.sign_up("ann@example.com").await;
    until(async || (world.count("confirmed").await == 1).then_some(())).await;
}

#[tokio::test]
async fn a_rotation_has_no_gap_and_ends_by_itself() {
    let world = World::new().await;
    let bridge = attentive(&world).await;
    let rotated = world
        .run(&["token", "rotate", "test", "--grace", "4s", "--json"], &[])
        .await;
    let new = rotated.json()["token"].as_str().unwrap().to_owned();
    secrets::remember(&new);
    bridge.until_status(&new, USERS, 200).await;
    // Nothing is done to the file any more: the old one ends by the clock.
    bridge.until_status(&world.token, USERS, 401).await;
    bridge.get_with(&new, USERS).await.ok();
    // Rotated again, the label means the one that stays.
    let again = world
        .run(&["token", "rotate", "test", "--grace", "1h", "--json"], &[])
        .await;
    let newest = again.json();
    secrets::remember(newest["token"].as_str().unwrap());
    assert_ne!(
        newest["replaces"]["keyId"],
        rotated.json()["replaces"]["keyId"]
    );
}

#[tokio::test]
async fn a_token_ends_with_its_expiry() {
    let world = World::new().await;
    let token = world
        .add_token(&["--label", "short", "--expires", "4s"])
        .await;
    let bridge = attentive(&world).await;
    bridge.until_status(&token, USERS, 401).await;
    let opened = world
        .run(&["credentials", "check"], &[("SCIM_BRIDGE_TOKEN", &token)])
        .await;
    assert_eq!(opened.status, 3);
    assert!(opened.stderr.contains("expired"), "{}", opened.stderr);
}

#[tokio::test]
async fn a_monitor_sees_the_health_and_nothing_else() {
    let world = World::new().await;
    let monitor = world
        .add_token(&["--label", "watch", "--scope", "monitor"])
        .await;
    let bridge = attentive(&world).await;
    let health = bridge.until_health(&monitor, "healthy").await;
    let labels: Vec<_> = health["credentials"]["recipients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["label"].clone())
        .collect();
    assert_eq!(labels, ["test", "sweep", "watch"]);
    let metrics = bridge
        .get_with(&monitor, &bridge.tenant.replace("/scim/v2", "/metrics"))
        .await;
    assert_eq!(metrics.status, 200);
    assert!(
        metrics
            .text
            .contains("scim_bridge_healthy{source=\"SCIMServer\"} 1\n")
    );
    for path in [
        "/Users",
        "/Groups",
        "/Schemas",
        "/ServiceProviderConfig",
        "/nothing",
        "/app/groups",
    ] {
        bridge.get_with(&monitor, path).await.error(403, None);
    }
    // It opens no credentials, on the command line neither.
    let tried = world
        .run(
            &["token", "add", "--label", "x"],
            &[("SCIM_BRIDGE_TOKEN", &monitor)],
        )
        .await;
    assert_eq!(tried.status, 3, "{}", tried.stderr);
    bridge
        .get_with("scimbridge_nobody", &bridge.health_url())
        .await
        .error(401, None);
}

#[tokio::test]
async fn without_credentials_the_bridge_says_what_to_do_and_begins_when_they_come() {
    let world = World::new().await;
    let path = world.dir.path().join("scimsession");
    let file = std::fs::read_to_string(&path).unwrap();
    for content in [None, Some("{ broken")] {
        match content {
            None => std::fs::remove_file(&path).unwrap(),
            Some(text) => std::fs::write(&path, text).unwrap(),
        }
        let bridge = attentive(&world).await;
        let ping = bridge.tenant.replace("/scim/v2", "/ping");
        assert_eq!(bridge.get_with("none", &ping).await.status, 200);
        let answer = bridge.get(USERS).await;
        let detail = answer.error(503, None);
        assert!(
            detail.contains("an administrator has to install"),
            "{detail}"
        );
        assert!(answer.headers.contains_key("retry-after"));
        std::fs::write(&path, &file).unwrap();
        bridge.until_status(&world.token, USERS, 200).await;
    }
}

#[tokio::test]
async fn a_broken_version_is_reported_and_the_old_one_serves_on() {
    let world = World::new().await;
    let bridge = attentive(&world).await;
    bridge.get(USERS).await.ok();
    let path = world.dir.path().join("scimsession");
    let file = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, "{ broken").unwrap();
    until(async || {
        let (status, health) = bridge.health(&world.token).await;
        assert_eq!(status, 200, "{health}");
        (report(&health, "SCIMServer")["state"] == "degraded").then(|| {
            let remedy = report(&health, "SCIMServer")["remedy"].as_str().unwrap();
            assert!(remedy.contains("install the scimsession again"), "{remedy}");
        })
    })
    .await;
    bridge.get(USERS).await.ok();
    std::fs::write(&path, file).unwrap();
    bridge.until_health(&world.token, "healthy").await;
}

/// It still reads, and opens for nobody: the version before it is used.
#[tokio::test]
async fn a_changed_version_is_reported_and_the_old_one_serves_on() {
    let world = World::new().await;
    let monitor = world
        .add_token(&["--label", "watch", "--scope", "monitor"])
        .await;
    let bridge = attentive(&world).await;
    bridge.get(USERS).await.ok();
    let path = world.dir.path().join("scimsession");
    let file = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, file.replace("\"watch\"", "\"match\"")).unwrap();
    for token in [&monitor, &world.token] {
        until(async || {
            let (status, health) = bridge.health(token).await;
            assert_eq!(status, 200, "{health}");
            let reason = &report(&health, "SCIMServer")["reason"];
            reason
                .as_str()
                .is_some_and(|reason| reason.contains("damaged"))
                .then_some(())
        })
        .await;
        bridge.get(USERS).await.ok();
    }
    // A process that has seen nothing better says what to do.
    let fresh = attentive(&world).await;
    fresh.get(USERS).await.error(503, None);
}

/// Commands on the same file wait for each other: none undoes what another has done.
#[tokio::test]
async fn parallel_commands_lose_nothing() {
    let world = World::new().await;
    world.add_token(&["--label", "first"]).await;
    let add = async |label| {
        world
            .run(&["token", "add", "--json", "--label", label], &[])
            .await
    };
    let (a, b, c, d, revoked) = tokio::join!(
        add("a"),
        add("b"),
        add("c"),
        add("d"),
        world.run(&["token", "revoke", "first"], &[])
    );
    for added in [a, b, c, d] {
        secrets::remember(added.json()["token"].as_str().unwrap());
    }
    revoked.done();
    let list = world.run(&["token", "list", "--json"], &[]).await.json();
    let labels: std::collections::BTreeSet<_> = list["recipients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["label"].as_str().unwrap())
        .collect();
    assert_eq!(labels, ["a", "b", "c", "d", "sweep", "test"].into());
}

#[tokio::test]
async fn a_push_does_not_bring_old_tokens_back() {
    let world = World::new().await;
    let target = world.dir.path().join("pushed");
    let target = target.to_str().unwrap();
    let push = ["credentials", "push", "file", "--to", target];
    world.run(&push, &[]).await.done();
    world.run(&push, &[]).await.done();
    let there = ["--scimsession", target];
    let revoke = [&["token", "revoke", "test"][..], &there].concat();
    world.run(&revoke, &[]).await.done();
    let refused = world.run(&push, &[]).await;
    assert_eq!(refused.status, 1);
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    let forced = [&push[..], &["--force"]].concat();
    world.run(&forced, &[]).await.done();
}

#[tokio::test]
async fn taking_the_credentials_away_shuts_the_bridge() {
    let world = World::new().await;
    let bridge = attentive(&world).await;
    bridge.get(USERS).await.ok();
    std::fs::remove_file(world.dir.path().join("scimsession")).unwrap();
    let answer = bridge.until_status(&world.token, USERS, 503).await;
    answer.error(503, None);
}

#[tokio::test]
async fn in_strict_mode_the_bridge_is_locked_until_a_provider_calls() {
    let world = World::new().await;
    let monitor = world
        .add_token(&["--label", "watch", "--scope", "monitor"])
        .await;
    world.run(&["token", "revoke", "sweep"], &[]).await.done();
    let bridge = world.bridge(&[("SCIM_BRIDGE_SWEEP_KEY", "")]).await;
    let (status, health) = bridge.health(&monitor).await;
    assert_eq!(
        (status.as_u16(), &health["state"]),
        (200, &"locked".into()),
        "{health}"
    );
    assert_eq!(report(&health, "ConfirmationWatcher")["state"], "locked");
    bridge.get(USERS).await.ok();
    let health = bridge.until_health(&monitor, "healthy").await;
    assert_eq!(report(&health, "AccountService")["state"], "healthy");
}

#[tokio::test]
async fn what_is_said_of_the_bridge_outlives_the_process() {
    let world = World::new().await;
    let monitor = world
        .add_token(&["--label", "watch", "--scope", "monitor"])
        .await;
    let bridge = attentive(&world).await;
    let call = |method, path, body| Call {
        method,
        path,
        token: Some(&world.token),
        headers: &[
            ("content-type", "application/scim+json"),
            ("user-agent", "Okta SCIM Client 1.0.0"),
        ],
        body,
    };
    let ann = support::user("ann@example.com").to_string();
    bridge.send(call(Method::GET, USERS, None)).await.ok();
    let (_, health) = bridge.health(&monitor).await;
    assert_eq!(health["activity"]["provider"].get("lastWrite"), None);
    let invited = bridge.send(call(Method::POST, "/Users", Some(ann))).await;
    invited.created();
    let before = bridge.until_health(&monitor, "healthy").await;
    let provider = before["activity"]["provider"].clone();
    assert_eq!(provider["kind"], "Okta");
    assert_eq!(provider["label"], "test");
    for time in ["lastRequest", "lastWrite"] {
        assert!(provider[time].is_string(), "{provider}");
    }
    let sweep = &before["activity"]["sweep"];
    assert_eq!(
        (&sweep["outcome"], &sweep["everySeconds"]),
        (&"ok".into(), &1.into())
    );
    bridge.kill();

    // One that can open nothing, and is asked by somebody who can open nothing either.
    let other = world.bridge(&[("SCIM_BRIDGE_SWEEP_KEY", "")]).await;
    let health = other.until_health(&monitor, "locked").await;
    for source in ["provider", "account"] {
        assert_eq!(health["activity"][source], before["activity"][source]);
    }
    assert_eq!(report(&health, "AccountService")["state"], "healthy");
    assert_eq!(report(&health, "ConfirmationWatcher")["state"], "locked");
    let metrics = other.tenant.replace("/scim/v2", "/metrics");
    let metrics = other.get_with(&monitor, &metrics).await.text;
    for name in [
        "scim_bridge_last_write_timestamp_seconds ",
        "scim_bridge_last_sweep_timestamp_seconds ",
        "scim_bridge_guard_used 0\n",
        // It answers all requests, so what it counts belongs here.
        "# TYPE scim_bridge_requests_total counter\n",
    ] {
        assert!(metrics.contains(name), "{name}: {metrics}");
    }
}

/// The process has noted its sweep a moment ago, and goes by the store all the same.
#[tokio::test]
async fn a_schedule_that_stands_still_is_reported() {
    let world = World::new().await;
    let bridge = attentive(&world).await;
    bridge.until_health(&world.token, "healthy").await;
    let db = rusqlite::Connection::open(world.dir.path().join("state.db")).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    let noted: String = db
        .query_row(
            "SELECT record FROM heartbeat WHERE source = 'sweep'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let mut noted: Value = serde_json::from_str(&noted).unwrap();
    noted["at"] = "2020-01-01T00:00:00Z".into();
    noted["until"] = "2020-01-01T00:03:00Z".into();
    let changed = db.execute(
        "UPDATE heartbeat SET record = ?1 WHERE source = 'sweep'",
        [noted.to_string()],
    );
    assert_eq!(changed, Ok(1));
    let health = bridge.until_health(&world.token, "degraded").await;
    for source in ["ConfirmationWatcher", "StartProvisionWatcher"] {
        let report = report(&health, source);
        let reason = report["reason"].as_str().unwrap();
        assert!(reason.ends_with("since 2020-01-01T00:00:00Z"), "{reason}");
        assert!(report["remedy"].as_str().unwrap().contains("schedule"));
    }
}

#[tokio::test]
async fn a_changed_password_of_the_provision_manager_is_said_everywhere() {
    let world = World::new().await;
    let bridge = attentive(&world).await;
    bridge.get(USERS).await.ok();
    let password = SecretText::new("another horse, another battery".to_owned());
    person::change_password(&world.client, &world.origin(), world.manager(), password)
        .await
        .unwrap();
    let answer = bridge.until_status(&world.token, USERS, 503).await;
    let detail = answer.error(503, None);
    assert!(
        detail.contains("refuses the bridge's credentials"),
        "{detail}"
    );
    assert!(detail.contains("set-up"), "{detail}");
    let (_, health) = until(async || {
        let (status, health) = bridge.health(&world.token).await;
        (status == 503).then_some((status, health))
    })
    .await;
    let account = report(&health, "AccountService");
    assert_eq!(account["state"], "down");
    let reason = account["reason"].as_str().unwrap();
    assert!(reason.contains("Provision Manager changed"), "{reason}");
    assert!(
        account["remedy"]
            .as_str()
            .unwrap()
            .contains("setup --replace")
    );
    let check = world.run(&["credentials", "check"], &[]).await;
    assert_eq!(check.status, 3);
    assert!(
        check.stderr.contains("Provision Manager changed"),
        "{}",
        check.stderr
    );
}

/// On the command line a typing mistake is told from a wrong token; over HTTP nothing is.
#[tokio::test]
async fn a_mistyped_token_is_told_from_an_unknown_one_on_the_command_line_only() {
    let world = World::new().await;
    let unknown = scim_bridge::credentials::BearerToken::generate()
        .unwrap()
        .expose();
    let (rest, last) = world.token.split_at(world.token.len() - 1);
    let mistyped = format!("{rest}{}", if last == "x" { "y" } else { "x" });
    let bridge = world.bridge(&[]).await;
    let mut said = Vec::new();
    let mut answers = Vec::new();
    for token in [unknown.as_str(), mistyped.as_str()] {
        let check = world
            .run(&["credentials", "check"], &[("SCIM_BRIDGE_TOKEN", token)])
            .await;
        assert_eq!(check.status, 3);
        said.push(check.stderr);
        answers.push(bridge.get_with(token, USERS).await);
    }
    assert!(
        said[0].contains("not one of this scimsession's"),
        "{}",
        said[0]
    );
    assert!(said[1].contains("mistyped"), "{}", said[1]);
    assert_eq!(answers[0].error(401, None), answers[1].error(401, None));
}

#[tokio::test]
async fn the_command_line_says_what_it_cannot_do() {
    let world = World::new().await;
    for (arguments, status, says) in [
        (&["token", "revoke", "nobody"][..], 4, "token list"),
        (&["token", "revoke", &world.token], 2, "secret itself"),
        (
            &["token", "list", "--scimsession", &world.token],
            2,
            "secret itself",
        ),
        (
            &["token", "rotate", "test", "--grace", "9000y"],
            2,
            "too long",
        ),
        (&["token", "add", "--label", ""], 1, "label"),
        (
            &["token", "add", "--label", "x", "--expires", "soon"],
            2,
            "24h",
        ),
        (
            &["token", "add", "--label", "x", "--expires", "2020-01-01"],
            2,
            "past",
        ),
        (
            &["token", "list", "--scimsession", "/nowhere/scimsession"],
            4,
            "/nowhere",
        ),
        (&["token", "list", "--scimsession", "gopher://x"], 2, "ARN"),
        (&["credentials", "push", "aws", "--to", "./file"], 2, "ARN"),
        (
            &[
                "credentials",
                "push",
                "file",
                "--to",
                "https://v.vault.azure.net/secrets/x",
            ],
            2,
            "path",
        ),
    ] {
        let run = world.run(arguments, &[]).await;
        assert_eq!(run.status, status, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(says), "{arguments:?}: {}", run.stderr);
        assert!(run.stdout.is_empty(), "{arguments:?}: {}", run.stdout);
    }
    // Without a secret at hand it asks, and says so where there is nobody to ask.
    let path = world.dir.path().join("scimsession");
    let asked = world
        .run(
            &["token", "add", "--label", "x"],
            &[
                ("SCIM_BRIDGE_SWEEP_KEY", ""),
                ("SCIM_BRIDGE_SCIMSESSION", path.to_str().unwrap()),
            ],
        )
        .await;
    assert_eq!(asked.status, 2);
    assert!(
        asked.stderr.contains("SCIM_BRIDGE_TOKEN"),
        "{}",
        asked.stderr
    );
}

#[tokio::test]
async fn what_is_pushed_to_a_file_is_what_a_bridge_reads() {
    let world = World::new().await;
    let key = world.dir.path().join("given-key");
    std::fs::write(&key, &world.sweep_key).unwrap();
    let (to, key_to) = (
        world.dir.path().join("pushed"),
        world.dir.path().join("pushed-key"),
    );
    let [key, to, key_to] = [&key, &to, &key_to].map(|path| path.to_str().unwrap());
    let pushed = world
        .run(
            &[
                "credentials",
                "push",
                "file",
                "--to",
                to,
                "--sweep-key-to",
                key_to,
                "--sweep-key",
                key,
            ],
            &[],
        )
        .await;
    pushed.done();
    let inspected = world
        .run(
            &["credentials", "inspect", "--scimsession", to, "--json"],
            &[],
        )
        .await;
    let inspected = inspected.json();
    assert_eq!(inspected["signInAddress"], world.origin());
    assert_eq!(inspected["recipients"][0]["label"], "test");
    #[cfg(unix)]
    for path in [to, key_to] {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{path}");
    }
    let bridge = world
        .bridge(&[
            ("SCIM_BRIDGE_SCIMSESSION", to),
            ("SCIM_BRIDGE_SWEEP_KEY", key_to),
        ])
        .await;
    bridge.invite("ann@example.com").await;
    world.sign_up("ann@example.com").await;
    until(async || (world.count("confirmed").await == 1).then_some(())).await;
}

const CLIENT_SECRET: &str = "a-client-secret-that-nobody-is-shown";

/// Where an OAuth application gets its tokens, and nothing else of the Users API.
async fn token_server() -> String {
    use axum::{Json, Router, http::HeaderMap, routing::post};
    let give = async |headers: HeaderMap| {
        let basic = data_encoding::BASE64.encode(format!("client:{CLIENT_SECRET}").as_bytes());
        match headers.get("authorization") {
            Some(given) if *given == format!("Basic {basic}") => Ok(Json(
                serde_json::json!({ "access_token": "token", "expires_in": 900 }),
            )),
            _ => Err(StatusCode::UNAUTHORIZED),
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/v1beta1/users/oauth2/token", post(give));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

/// The command that puts an application at this server in.
fn set(server: &str) -> [&str; 8] {
    [
        "credentials",
        "users-api",
        "set",
        "--json",
        "--account-id=ACCOUNT",
        "--client-id=client",
        "--server",
        server,
    ]
}

#[tokio::test]
async fn the_users_api_is_put_in_and_taken_out_in_place() {
    let world = World::new().await;
    secrets::remember(CLIENT_SECRET);
    let bridge = attentive(&world).await;
    bridge.get(USERS).await.ok();
    let server = token_server().await;
    let secret = |value| [("SCIM_BRIDGE_USERS_API_SECRET", value)];
    let path = world.dir.path().join("scimsession");
    let before = std::fs::read_to_string(&path).unwrap();
    // What is not taken is not kept.
    for (server, value, status, says) in [
        (&*server, "wrong", 3, "does not take the credentials"),
        (&*server, "", 2, "SCIM_BRIDGE_USERS_API_SECRET"),
        ("http://127.0.0.1:1", CLIENT_SECRET, 5, "cannot be reached"),
        (
            "https://api.example.com",
            CLIENT_SECRET,
            2,
            "api.1password.eu",
        ),
    ] {
        let run = world.run(&set(server), &secret(value)).await;
        assert_eq!(run.status, status, "{server}: {}", run.stderr);
        assert!(run.stderr.contains(says), "{server}: {}", run.stderr);
    }
    let remove = ["credentials", "users-api", "remove"];
    assert_eq!(world.run(&remove, &[]).await.status, 4);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);

    let done = world.run(&set(&server), &secret(CLIENT_SECRET)).await;
    let done = done.json();
    assert_eq!(done["server"], server);
    let inspect = ["credentials", "inspect", "--json"];
    let inside = world.run(&inspect, &[]).await.json();
    assert_eq!(
        (&inside["connector"], &inside["usersApi"]["clientId"]),
        (&"native".into(), &"client".into())
    );
    // Nobody sees it who cannot open it.
    let closed = [("SCIM_BRIDGE_SWEEP_KEY", "")];
    let outside = world.run(&inspect, &closed).await.json();
    assert_eq!(outside.get("usersApi"), None);
    let check = world.run(&["credentials", "check", "--json"], &[]).await;
    assert_eq!(check.json()["usersApi"]["server"], server);
    // The tokens are as they were, and so is the bridge.
    bridge.get(USERS).await.ok();
    world.run(&remove, &[]).await.done();
    let inside = world.run(&inspect, &[]).await.json();
    assert_eq!(inside["usersApi"], Value::Null);
    bridge.get(USERS).await.ok();
}
