//! The status page: what it asks for, over HTTP, and the page itself in a browser.

use reqwest::Method;
use scim_bridge::account::{Account, Attempt, Invitation};
use serde_json::{Value, json};

use crate::{
    browser::Browser,
    secrets,
    support::{Answer, Bridge, Call, GROUP, Provider, World},
};

/// No sweep but those that are asked for, after the one at the start.
const QUIET: (&str, &str) = ("SCIM_BRIDGE_CONFIRMATION_INTERVAL", "3600");
const AT_ONCE: (&str, &str) = ("SCIM_BRIDGE_CONFIRMATION_DELAY", "0");
/// What a provider's token alone may do.
const ACTIONS: [&str; 5] = ["self-test", "sweep", "release", "groups", "guard"];

impl World {
    /// A new token of this scope.
    async fn token_for(&self, scope: &str) -> String {
        let command = ["token", "add", "--label", scope, "--scope", scope, "--json"];
        let added = self.run(&command, &[]).await.json();
        let token = added["token"].as_str().unwrap().to_owned();
        secrets::remember(&token);
        token
    }

    /// Somebody who has signed up, and whom no provider has invited.
    async fn stranger(&self, email: &str) {
        let invitation = Invitation {
            email: email.to_owned(),
            name: email.to_owned(),
            language: None,
        };
        let attempt = Attempt::new(email);
        let invited = self.provision_manager().invite(&invitation, &attempt).await;
        invited.unwrap();
        self.sign_up(email).await;
    }
}

impl Bridge {
    fn root(&self) -> &str {
        self.tenant.trim_end_matches("/scim/v2")
    }

    async fn app(&self, method: Method, path: &str, token: Option<&str>, body: &str) -> Answer {
        self.send(Call {
            method,
            path: &format!("{}/app/{path}", self.root()),
            token,
            headers: &[("content-type", "application/json")],
            body: Some(body.to_owned()).filter(|body| !body.is_empty()),
        })
        .await
    }

    async fn status(&self, token: &str) -> Value {
        let answer = self.app(Method::GET, "status", Some(token), "").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        answer.body
    }

    async fn order(&self, path: &str, order: Value) -> Answer {
        let body = order.to_string();
        self.app(Method::POST, path, Some(&self.token), &body).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_for_everybody_and_tells_nothing() {
    let world = World::new().await;
    // A bridge that nobody has unlocked has no reason to ask the account anything.
    let bridge = world.bridge(&[("SCIM_BRIDGE_SWEEP_KEY", "")]).await;
    let get = async |method, path: &str| {
        let path = &format!("{}{path}", bridge.root());
        let call = Call {
            method,
            path,
            token: None,
            headers: &[],
            body: None,
        };
        bridge.send(call).await
    };
    let page = get(Method::GET, "/").await;
    for path in [
        "",
        "/app",
        "/app/",
        "/scim",
        "/scim/",
        "/scim/app",
        "/scim/v2",
        "/scim/v2/app",
    ] {
        let answer = get(Method::GET, path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.text, page.text, "{path}");
        for (name, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.headers[name], value, "{path}");
        }
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        for part in ["default-src 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
    }
    get(Method::POST, "/app").await.error(405, None);
    assert_eq!(world.requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_is_told_the_health_and_does_nothing() {
    let world = World::new().await;
    let monitor = world.token_for("monitor").await;
    let bridge = world.bridge(&[]).await;
    bridge.invite("ann@example.com").await;
    world.sign_up("ann@example.com").await;
    let status = bridge.status(&monitor).await;
    assert_eq!(status["scope"], "monitor");
    assert_eq!(status["health"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(!status.to_string().contains("ann@example.com"));
    for name in ["people", "confirmations", "groups", "guard", "activity"] {
        assert_eq!(status.get(name), None, "{name}");
    }
    let asked = world.asked_about("").len();
    for action in ACTIONS {
        for (token, status) in [(Some(&*monitor), 403), (None, 401)] {
            let answer = bridge.app(Method::POST, action, token, "{}").await;
            answer.error(status, None);
        }
    }
    let groups = bridge.app(Method::GET, "groups", Some(&monitor), "").await;
    groups.error(403, None);
    let by_others = world.asked_about("/v1/members").len();
    assert!(world.asked_about("").len() - asked <= by_others);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_s_token_decides_nothing() {
    let world = World::new().await;
    let bridge = world.bridge(&[QUIET]).await;
    assert_eq!(bridge.status(&bridge.token).await["scope"], "scim");
    for (path, order) in [
        ("release", json!({ "person": "ann@example.com" })),
        ("groups", json!({ "group": "Finance" })),
        ("guard", json!({ "seconds": 60 })),
    ] {
        let refused = bridge.order(path, order).await.error(403, None);
        assert!(refused.contains("--scope admin"), "{refused}");
    }
    let groups = bridge.app(Method::GET, "groups", Some(&bridge.token), "");
    groups.await.error(403, None);
    for path in ["self-test", "sweep"] {
        assert_eq!(bridge.order(path, json!({})).await.status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_small_and_say_what_is_wanted() {
    let world = World::new().await;
    let admin = world.token_for("admin").await;
    let mut bridge = world.bridge(&[QUIET]).await;
    bridge.token = admin;
    let large = json!({ "person": "x".repeat(5000) });
    for (path, order, status) in [
        ("release", large.clone(), 413),
        ("groups", large.clone(), 413),
        ("guard", large, 413),
        ("release", json!({}), 400),
        ("release", json!({ "person": 1 }), 400),
        ("release", json!({ "person": "x", "more": 1 }), 400),
        ("groups", json!(["Finance"]), 400),
        ("guard", json!({ "seconds": -1 }), 400),
        ("guard", json!({ "seconds": 90_000 }), 400),
        ("release", json!({ "person": "nobody@example.com" }), 404),
        ("groups", json!({ "group": "Nothing" }), 404),
        ("groups", json!({ "group": "Owners" }), 403),
    ] {
        let answer = bridge.order(path, order.clone()).await;
        assert_eq!(answer.status, status, "{path} {order}: {}", answer.text);
        assert!(answer.body["detail"].is_string(), "{}", answer.text);
    }
    let text = Call {
        method: Method::POST,
        path: &format!("{}/app/guard", bridge.root()),
        token: Some(&bridge.token),
        headers: &[("content-type", "text/plain")],
        body: Some("{\"seconds\": 1}".to_owned()),
    };
    bridge.send(text).await.error(415, None);
    assert_eq!(
        bridge.status(&bridge.token).await["guard"]["liftedUntil"],
        Value::Null
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_costs_the_same_in_a_large_directory() {
    let world = World::new().await;
    let bridge = world.bridge(&[QUIET]).await;
    let look = async || {
        let before = world.asked_about("").len();
        let status = bridge.status(&bridge.token).await;
        let asked = world.asked_about("").len() - before;
        (asked, status)
    };
    let group = json!({"schemas": [GROUP], "displayName": "Finance"});
    bridge.post("/Groups", group).await.created();
    bridge.until_health(&bridge.token, "healthy").await;
    let (small, status) = look().await;
    assert_eq!(status["verdict"], "healthy", "{status}");
    assert_eq!(status["people"]["invited"], 0);
    for number in 0..20 {
        bridge.invite(&format!("p{number}@example.com")).await;
        let group = json!({"schemas": [GROUP], "displayName": format!("Group {number}")});
        bridge.post("/Groups", group).await.created();
    }
    let (large, status) = look().await;
    assert_eq!(status["people"]["invited"], 20);
    assert_eq!(status["groups"]["total"], 21);
    assert_eq!((small, large), (6, 6));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_away_leaves_the_rest() {
    let mut world = World::new().await;
    let bridge = world.bridge(&[QUIET]).await;
    bridge.invite("ann@example.com").await;
    world.stop_account().await;
    let status = bridge.status(&bridge.token).await;
    assert_eq!(status["verdict"], "down");
    assert_eq!(status["matters"][0]["source"], "AccountService");
    for name in ["people", "guard"] {
        let error = status[name]["error"].as_str().unwrap();
        assert!(error.contains("cannot be reached"), "{error}");
    }
    let lines = status["activity"]["lines"].as_array().unwrap();
    assert_eq!(lines[0]["action"], "user.invite");
    assert_eq!(lines[0]["actor"], "test");
    assert_eq!(status["confirmations"]["open"], json!([]));
    let tested = bridge.order("self-test", json!({})).await;
    let works: Vec<_> = tested.body["checks"].as_array().unwrap().iter().collect();
    let works: Vec<bool> = works.iter().map(|one| one["ok"] == true).collect();
    assert_eq!(works[..2], [false, true], "{}", tested.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_how_the_bridge_is_doing() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let world = World::new().await;
    let bridge = world.bridge(&[QUIET, AT_ONCE]).await;
    // A name that would be markup if the page made any of it.
    let name = "<img src=x onerror=alert(1)><b>Finance</b>";
    let group = json!({"schemas": [GROUP], "displayName": name});
    bridge.post("/Groups", group).await.created();
    bridge.invite("ann@example.com").await;

    let url = format!("{}/scim/app", bridge.root());
    browser.open(&url);
    assert_eq!(browser.focus(), "token");
    assert_eq!(browser.step("axe", json!({})), json!([]));
    for (text, complaint) in [
        ("", "Enter a token first"),
        ("a b", "no token"),
        ("scimbridge_wrong", "not valid"),
    ] {
        browser.step("fill", json!({ "at": "#token", "text": text }));
        browser.press("Enter");
        browser.until("#token-problem", complaint);
        assert_eq!(browser.focus(), "token");
        assert!(!browser.shows("#status"));
    }

    bridge.until_health(&bridge.token, "healthy").await;
    browser.step("fill", json!({ "at": "#token", "text": bridge.token }));
    browser.press("Enter");
    browser.until("#verdict", "Healthy");
    assert_eq!(browser.focus(), "verdict");
    assert_eq!(
        browser.step("keeps", json!({ "text": bridge.token })),
        json!([])
    );
    let people = browser.until("#people", "Invited");
    let people: Vec<&str> = people.split_whitespace().collect();
    assert_eq!(people[..4], ["Active", "2", "Invited", "1"], "{people:?}");
    browser.until("#groups", name);
    browser.until("#activity", "Invite a person · ann@example.com");
    browser.until("#confirmation", "Nobody waits to be confirmed");
    browser.until("#credentials", "test provisioning");
    assert_eq!(browser.step("axe", json!({})), json!([]));

    // Everything with the keyboard alone: to the first action, into its question, and out.
    for place in ["sweep", "test"] {
        browser.press("Tab");
        assert_eq!(browser.focus(), place);
    }
    // What guards against a provider is not a provider's to decide.
    for place in ["#lift", "#manage"] {
        assert!(!browser.shows(place), "{place}");
    }
    browser.press("Enter");
    browser.until("#dialog-title", "Run the self-test?");
    assert_eq!(browser.focus(), "dialog-cancel");
    assert_eq!(browser.step("axe", json!({})), json!([]));
    browser.press("Escape");
    assert_eq!(browser.focus(), "test");
    browser.press("Enter");
    browser.press("Tab");
    assert_eq!(browser.focus(), "dialog-go");
    browser.press("Enter");
    browser.until("#dialog-outcome", "All works");
    assert_eq!(browser.focus(), "dialog-cancel");
    browser.press("Enter");
    assert_eq!(browser.focus(), "test");
    browser.until("#checks", "Entra ID's Test Connection");

    // Dark, on a phone, and below a part of the path that is the gateway's.
    let behind = json!({ "url": format!("{}/prod", bridge.root()), "mount": "/prod", "dark": true,
        "width": 360 });
    browser.step("open", behind);
    browser.step("fill", json!({ "at": "#token", "text": bridge.token }));
    browser.press("Enter");
    browser.until("#verdict", "Healthy");
    assert_eq!(browser.step("axe", json!({})), json!([]));
    assert_eq!(browser.step("overflows", json!({})), false);
    browser.click("#forget");
    assert_eq!(browser.focus(), "token");
    assert!(!browser.shows("#status"));
    browser.was_content();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_acts_on_the_page() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let world = World::new().await;
    let admin = world.token_for("admin").await;
    let mut bridge = world
        .bridge(&[
            QUIET,
            AT_ONCE,
            ("SCIM_BRIDGE_GUARD_PEOPLE", "1"),
            ("SCIM_BRIDGE_GUARD_PERCENT", "0"),
        ])
        .await;
    bridge.token = admin;
    let group = json!({"schemas": [GROUP], "displayName": "Finance"});
    bridge.post("/Groups", group).await.created();
    let unmanaged = world.run(&["groups", "unmanage", "Finance"], &[]);
    unmanaged.await.done();
    world.stranger("carol@example.com").await;

    bridge.until_health(&bridge.token, "healthy").await;
    browser.open(bridge.root());
    browser.step("fill", json!({ "at": "#token", "text": bridge.token }));
    browser.click("#enter");
    browser.until("#verdict", "Healthy");

    // Asked, and taken back: nothing happens.
    browser.click("#sweep");
    browser.click("#dialog-cancel");
    browser.click("#sweep");
    browser.click("#dialog-go");
    browser.until("#dialog-outcome", "People: 1 held.");
    browser.click("#dialog-cancel");
    browser.until("#verdict", "Degraded");
    browser.until("#matters", "One person has signed up and is held");
    browser.until("#confirmation", "The person was not invited by this bridge");
    assert_eq!(world.count("confirmed").await, 0);

    browser.click("text=Release…");
    browser.until("#dialog-title", "Release carol@example.com?");
    browser.click("#dialog-go");
    browser.until("#dialog-outcome", "is released");
    browser.click("#dialog-cancel");
    browser.until("#verdict", "Healthy");
    browser.click("#sweep");
    browser.click("#dialog-go");
    browser.until("#dialog-outcome", "1 confirmed");
    browser.click("#dialog-cancel");
    assert_eq!(world.count("confirmed").await, 1);

    browser.click("#manage");
    browser.press("Enter");
    browser.until("#dialog-outcome", "Enter the group’s name first");
    browser.step("type", json!({ "text": "Owners" }));
    browser.press("Enter");
    browser.until("#dialog-outcome", "Not done");
    browser.step("fill", json!({ "at": "#group-name", "text": "finance" }));
    browser.press("Enter");
    browser.until("#dialog-outcome", "is managed from now on");
    browser.click("#dialog-cancel");
    browser.until("#groups", "Finance");

    for (email, status) in [("one@example.com", 204), ("two@example.com", 503)] {
        let id = bridge.invite(email).await;
        let removed = bridge.delete(&format!("/Users/{id}")).await;
        assert_eq!(removed.status, status);
    }
    browser.click("#refresh");
    browser.until("#verdict", "Degraded");
    browser.until("#matters", "The guard refused");
    browser.until("#guard", "1 of 1 removals");
    assert_eq!(browser.step("axe", json!({})), json!([]));
    browser.click("#lift");
    assert_eq!(browser.focus(), "lift-for");
    browser.click("#dialog-go");
    browser.until("#dialog-outcome", "lifted until");
    browser.click("#dialog-cancel");
    browser.until("#verdict", "Healthy");
    browser.until("#guard", "Everything passes");
    browser.click("#lift");
    browser.until("#dialog-title", "Put the guard up again?");
    browser.click("#dialog-go");
    browser.until("#dialog-outcome", "The guard stands");
    browser.click("#dialog-cancel");

    // Who did it stands in the audit.
    let status = bridge.status(&bridge.token).await;
    for action in [
        "sweep.run",
        "confirmation.release",
        "user.confirm",
        "group.manage",
        "guard.lift",
    ] {
        let lines = status["activity"]["lines"].as_array().unwrap();
        let line = lines.iter().find(|line| line["action"] == action);
        let line = line.unwrap_or_else(|| panic!("{action}: {status}"));
        assert_eq!(line["actor"], "admin", "{action}");
    }
    browser.was_content();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_lives_through_trouble() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let mut world = World::new().await;
    let monitor = world.token_for("monitor").await;
    // Nobody has unlocked it yet, and a monitor cannot.
    let bridge = world.bridge(&[QUIET, ("SCIM_BRIDGE_SWEEP_KEY", "")]).await;
    let enter = |browser: &mut Browser, token: &str| {
        browser.step("fill", json!({ "at": "#token", "text": token }));
        browser.press("Enter");
    };
    browser.open(bridge.root());
    enter(&mut browser, &monitor);
    browser.until("#verdict", "Locked");
    for hidden in [
        "#people",
        "#sweep",
        "#lift",
        "#manage",
        "#test",
        "#activity",
    ] {
        assert!(!browser.shows(hidden), "{hidden}");
    }
    browser.until("#credentials", "for monitoring only");
    assert_eq!(browser.step("axe", json!({})), json!([]));
    browser.click("#forget");

    let answered = |status: u16, detail: &str| {
        json!({ "answer": { "status": status, "contentType": "application/json",
            "headers": { "retry-after": "61" }, "body": json!({ "detail": detail }).to_string() } })
    };
    // Before anything was seen, the token stays for the next try.
    browser.step("answer", answered(429, "too fast"));
    enter(&mut browser, &bridge.token);
    browser.until("#token-problem", "Too fast. Try again in 61 s.");
    browser.step("answer", answered(503, "no credentials are installed"));
    browser.press("Enter");
    browser.until("#verdict", "Down");
    browser.until("#matters", "No credentials are installed.");
    browser.step("answer", json!({ "answer": null }));
    bridge.until_health(&bridge.token, "healthy").await;
    browser.click("#refresh");
    browser.until("#verdict", "Healthy");

    // Afterwards what was seen stays.
    browser.step("answer", answered(429, "too fast"));
    browser.click("#refresh");
    browser.until("#trouble", "Too fast. What you see is from");
    browser.click("#sweep");
    browser.click("#dialog-go");
    browser.until("#dialog-outcome", "Not done Too fast. Try again in 61 s.");
    browser.click("#dialog-cancel");
    browser.step("answer", json!({ "answer": null }));
    browser.click("#refresh");

    world.stop_account().await;
    browser.click("#refresh");
    browser.until("#matters", "The account service cannot be reached");
    browser.until("#people", "Not known The account service cannot be reached");
    browser.until("#activity", "Nothing was changed");
    bridge.kill();
    browser.click("#refresh");
    browser.until("#trouble", "The bridge cannot be reached.");
    assert!(browser.shows("#people"));
    // A token that ends meanwhile leads back to the door.
    browser.step("answer", answered(401, "not valid"));
    browser.click("#refresh");
    browser.until("#token-problem", "This token is not valid");
    assert_eq!(browser.focus(), "token");
    assert!(!browser.shows("#status"));
    browser.was_content();
}
