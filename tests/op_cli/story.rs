//! A provider, a real bridge process, and the stand-in.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use libtest_mimic::Trial;
use reqwest::{Method, StatusCode};
use scim_bridge::{
    credentials::{BearerToken, Connector, Credentials, Holder, NewRecipient, SweepKey},
    outbound,
};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    op::{PASSWORD, SECRET_KEY, What},
    support::{World, sign_in, trial, until},
};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_person_comes_works_leaves_and_returns", a_life),
        trial("requests_begin_no_sweep", no_sweep_beside),
        trial("a_new_key_holds_a_confirmation_up", a_new_key),
        trial("a_new_address_is_passed_over_or_refused", a_new_address),
        trial("an_observing_bridge_changes_nothing", observing),
        trial("what_requests_cost", costs),
        trial("the_command_line_signs_in_too", the_command_line),
    ]
}

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// A bridge process, and a provider that calls it. Ended when dropped.
struct Bridge {
    process: Child,
    client: reqwest::Client,
    tenant: String,
    token: String,
    log: Arc<Mutex<String>>,
}

impl Bridge {
    async fn start(world: &World, settings: &[(&str, &str)]) -> Self {
        let (token, key) = (
            BearerToken::generate().unwrap(),
            SweepKey::generate().unwrap(),
        );
        let recipients = [
            NewRecipient::lasting(Holder::Provider(&token), "test"),
            NewRecipient::lasting(Holder::Sweep(&key), "sweep"),
        ];
        let file = Credentials::from(Connector::OpCli(sign_in()))
            .seal(&recipients, OffsetDateTime::now_utc())
            .unwrap();
        let file = file.to_json().unwrap();
        assert!(!file.contains(PASSWORD) && !file.contains(SECRET_KEY));
        std::fs::write(world.dir.path().join("scimsession"), file).unwrap();
        let mut process = command(world, "serve")
            .env("SCIM_BRIDGE_PORT", "0")
            .env("SCIM_BRIDGE_SWEEP_KEY", &*key.expose())
            .env("SCIM_BRIDGE_LOG", "scim_bridge=trace,info")
            .env("SCIM_BRIDGE_CONFIRMATION_DELAY", "1")
            .env("SCIM_BRIDGE_CONFIRMATION_INTERVAL", "1")
            .envs(settings.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let seen = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.by_ref().map_while(Result::ok) {
                seen.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        let address = until("listening", async || {
            let log = log.lock().unwrap();
            let (_, rest) = log.split_once("listening address=")?;
            rest.lines().next().map(str::to_owned)
        });
        Self {
            tenant: format!("http://{}/scim/v2", address.await),
            process,
            client: outbound::client(None).unwrap(),
            token: token.expose().to_string(),
            log,
        }
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.tenant))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/scim+json");
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        for secret in [PASSWORD, SECRET_KEY] {
            assert!(!text.contains(secret), "{text}");
        }
        (status, serde_json::from_str(&text).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(Method::GET, path, None).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    async fn create(&self, path: &str, body: Value) -> String {
        let (status, body) = self.call(Method::POST, path, Some(body)).await;
        assert_eq!(status, 201, "{body}");
        body["id"].as_str().unwrap().to_owned()
    }

    async fn patch(&self, path: &str, operations: Value) -> (StatusCode, Value) {
        let schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
        let body = json!({"schemas": [schema], "Operations": operations});
        self.call(Method::PATCH, path, Some(body)).await
    }

    async fn find(&self, endpoint: &str, filter: &str) -> Vec<Value> {
        let filter: String = filter.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let body = self.get(&format!("{endpoint}?filter={filter}")).await;
        body["Resources"].as_array().cloned().unwrap_or_default()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            return;
        }
        let log = self.log.lock().unwrap();
        for secret in [PASSWORD, SECRET_KEY, "-of-the-bridge"] {
            assert!(!log.contains(secret), "a secret in {log}");
        }
    }
}

/// The program on this world's scimsession and state.
pub fn command(world: &World, name: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scim-bridge"));
    let dir = world.dir.path();
    command
        .args(name.split(' '))
        .env("SCIM_BRIDGE_SCIMSESSION", dir.join("scimsession"))
        .env("SCIM_BRIDGE_STATE", dir.join("state.db"))
        .env("SCIM_BRIDGE_OP", world.op.program())
        // What is killed removes nothing.
        .env("TMPDIR", dir);
    command
}

fn user(email: &str, name: &str) -> Value {
    json!({"schemas": [USER], "externalId": email, "userName": email, "active": true,
        "displayName": name, "emails": [{"type": "work", "value": email, "primary": true}]})
}

fn group(name: &str) -> Value {
    json!({"schemas": [GROUP], "externalId": name, "displayName": name, "members": []})
}

/// How many of the private directories for `op` there are.
fn homes(world: &World) -> usize {
    let entries = std::fs::read_dir(world.dir.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    names
        .filter(|name| name.to_string_lossy().starts_with("scim-bridge-op-"))
        .count()
}

fn state(world: &World, email: &str) -> String {
    world.op.with(|it| it.person(email).unwrap().state.clone())
}

async fn until_state(world: &World, email: &str, wanted: &str) {
    until(wanted, async || {
        (state(world, email) == wanted).then_some(())
    })
    .await;
}

/// What Entra ID sends in the life of a person, and the confirmation in it.
async fn a_life() {
    let world = World::new();
    let bridge = Bridge::start(&world, &[]).await;
    let email = "ann@example.com";
    assert!(
        bridge
            .find("/Users", &format!("userName eq {email:?}"))
            .await
            .is_empty()
    );
    let id = bridge.create("/Users", user(email, "Ann Example")).await;
    let path = format!("/Users/{id}");
    let (status, body) = bridge
        .call(Method::POST, "/Users", Some(user(email, "Ann")))
        .await;
    assert_eq!(
        (status.as_u16(), &body["scimType"]),
        (409, &json!("uniqueness"))
    );
    for filter in [
        format!("userName eq {email:?}"),
        format!("externalId eq {email:?}"),
    ] {
        assert_eq!(
            bridge.find("/Users", &filter).await[0]["id"],
            *id,
            "{filter}"
        );
    }
    let finance = bridge.create("/Groups", group("Finance")).await;
    let of_finance = format!("/Groups/{finance}");
    let add = json!([{"op": "Add", "path": "members", "value": [{"value": id}]}]);
    for _ in 0..2 {
        let (status, body) = bridge.patch(&of_finance, add.clone()).await;
        assert!(status.is_success(), "{body}");
    }
    assert_eq!(bridge.get(&of_finance).await["members"][0]["value"], *id);
    assert_eq!(bridge.get(&path).await["groups"][0]["value"], *finance);
    let members = format!("id eq {finance:?} and members eq {id:?}");
    assert_eq!(bridge.find("/Groups", &members).await.len(), 1);

    world.op.with(|it| it.sign_up(email, "ann's key"));
    until_state(&world, email, "ACTIVE").await;
    assert_eq!(world.op.with(|it| it.count("user confirm")), 1);

    let version = bridge.get(&path).await["meta"]["version"].clone();
    let active = |value: bool| json!([{"op": "Replace", "path": "active", "value": value}]);
    let (_, body) = bridge.patch(&path, active(false)).await;
    assert_eq!(
        (&body["active"], &*state(&world, email)),
        (&json!(false), "SUSPENDED")
    );
    assert_ne!(body["meta"]["version"], version);
    let (_, body) = bridge.patch(&path, active(true)).await;
    assert_eq!(
        (&body["active"], &*state(&world, email)),
        (&json!(true), "ACTIVE")
    );

    let rename = json!([
        {"op": "replace", "path": "displayName", "value": "Anna"},
        {"op": "replace", "path": "preferredLanguage", "value": "fr"},
    ]);
    let (status, body) = bridge.patch(&path, rename).await;
    assert_eq!(
        (status.as_u16(), &body["displayName"]),
        (200, &json!("Anna"))
    );
    assert_eq!(body["preferredLanguage"], "fr");
    assert_eq!(
        world.op.with(|it| it.person(email).unwrap().name.clone()),
        "Anna"
    );

    let remove = json!([{"op": "Remove", "path": "members", "value": [{"value": id}]}]);
    let (status, _) = bridge.patch(&of_finance, remove).await;
    assert!(status.is_success());
    assert!(bridge.get(&of_finance).await.get("members").is_none());
    for _ in 0..2 {
        let (status, _) = bridge.call(Method::DELETE, &path, None).await;
        assert_eq!(
            (status.as_u16(), &*state(&world, email)),
            (204, "SUSPENDED")
        );
    }
    let (status, _) = bridge.call(Method::DELETE, &of_finance, None).await;
    assert_eq!(status, 204);
    assert!(world.op.with(|it| it.group("Finance").is_none()));

    // Whom no provider may touch, and what it may not have.
    let owner = world
        .op
        .with(|it| it.person("owner@example.com").unwrap().id.clone());
    let (status, _) = bridge
        .patch(&format!("/Users/{owner}"), active(false))
        .await;
    assert_eq!(status, 403);
    let (status, _) = bridge
        .call(Method::POST, "/Groups", Some(group("owners")))
        .await;
    assert_eq!(status, 409);
    // Trouble in the account is said as such.
    let says = What::Says("[ERROR] 2026/01/02 (429) Too Many Requests".to_owned(), 1);
    world.op.with(|it| it.trouble("user get", &id, 1, says));
    let (status, _) = bridge.call(Method::GET, &path, None).await;
    assert_eq!(status, 429);
}

/// They would be cut off before they are through, and hold up whom they were at.
async fn no_sweep_beside() {
    let world = World::new();
    // The timer's first is before any secret has come.
    let settings = [
        ("SCIM_BRIDGE_SWEEP_KEY", ""),
        ("SCIM_BRIDGE_CONFIRMATION_INTERVAL", "3600"),
    ];
    let bridge = Bridge::start(&world, &settings).await;
    world.op.with(|it| it.pace = 100);
    for _ in 0..10 {
        bridge
            .find("/Users", r#"userName eq "a@example.com""#)
            .await;
    }
    assert_eq!(world.op.with(|it| it.count("user list")), 0);
}

async fn a_new_key() {
    let world = World::new();
    let bridge = Bridge::start(&world, &[("SCIM_BRIDGE_CONFIRMATION_DELAY", "600")]).await;
    let email = "ann@example.com";
    bridge.create("/Users", user(email, "Ann")).await;
    world.op.with(|it| it.sign_up(email, "first"));
    let listed = async |what: &str| {
        let run = command(&world, "confirmations list --json")
            .env("SCIM_BRIDGE_TOKEN", &bridge.token)
            .output()
            .unwrap();
        let text = String::from_utf8(run.stdout).unwrap();
        text.contains(what).then_some(())
    };
    until("seen", async || listed(email).await).await;
    world.op.with(|it| it.sign_up(email, "second"));
    until("held", async || listed("key_changed").await).await;
    assert_eq!(state(&world, email), "TRANSFER_ACCEPTED");
    assert_eq!(world.op.with(|it| it.count("user confirm")), 0);
}

async fn a_new_address() {
    for (setting, expected) in [("ignore", 200), ("refuse", 400)] {
        let world = World::new();
        let settings = [
            ("SCIM_BRIDGE_EMAIL_CHANGE", setting),
            ("SCIM_BRIDGE_ALLOWED_DOMAINS", "example.com"),
        ];
        let bridge = Bridge::start(&world, &settings).await;
        let id = bridge
            .create("/Users", user("ann@example.com", "Ann"))
            .await;
        let path = format!("/Users/{id}");
        // The second is in a domain that is of no use here.
        for address in ["anna@example.com", "anna@elsewhere.example"] {
            let change = json!([
                {"op": "Replace", "path": "userName", "value": address},
                {"op": "Replace", "path": "displayName", "value": "Anna"},
            ]);
            let (status, body) = bridge.patch(&path, change).await;
            assert_eq!(status, expected, "{body}");
            if expected == 400 {
                assert_eq!(body["scimType"], "mutability");
                assert!(body["detail"].as_str().unwrap().contains("1Password.com"));
            }
        }
        let shown = bridge.get(&path).await;
        assert_eq!(shown["userName"], "ann@example.com");
        let name = if expected == 200 { "Anna" } else { "Ann" };
        assert_eq!(shown["displayName"], name);
    }
}

async fn observing() {
    let world = World::new();
    let bridge = Bridge::start(&world, &[("SCIM_BRIDGE_MODE", "observe")]).await;
    let id = bridge
        .create("/Users", user("ann@example.com", "Ann"))
        .await;
    let group = bridge.create("/Groups", group("Finance")).await;
    let add = json!([{"op": "add", "path": "members", "value": [{"value": id}]}]);
    let (status, body) = bridge.patch(&format!("/Groups/{group}"), add).await;
    assert!(status.is_success(), "{body}");
    let shown = bridge.get(&format!("/Users/{id}")).await;
    assert_eq!(shown["groups"][0]["display"], "Finance");
    let (status, _) = bridge
        .call(Method::DELETE, &format!("/Users/{id}"), None)
        .await;
    assert_eq!(status, 204);
    world.op.with(|it| {
        assert!(it.person("ann@example.com").is_none() && it.group("Finance").is_none());
        let reads = [
            "user get",
            "user list",
            "group get",
            "group list",
            "group user list",
        ];
        let first = ["--version", "account", "signin"];
        for call in &it.calls {
            let known = reads.iter().chain(&first).any(|read| call.is(read));
            assert!(known, "{:?}", call.arguments);
        }
    });
}

/// What `docs/connectors.md` says that requests cost.
async fn costs() {
    let world = World::new();
    // No sweep comes between.
    let bridge = Bridge::start(&world, &[("SCIM_BRIDGE_CONFIRMATION_INTERVAL", "3600")]).await;
    until("swept", async || {
        world
            .op
            .with(|it| (it.count("user list") > 0).then_some(()))
    })
    .await;
    let email = "ann@example.com";
    let told = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/connectors.md"));
    let told = told.unwrap();
    let before = Mutex::new(world.calls());
    let missing = Mutex::new(Vec::new());
    let cost = |what: &str| {
        let (now, mut before) = (world.calls(), before.lock().unwrap());
        let cost = now - std::mem::replace(&mut *before, now);
        let line = format!("| {what} | {cost} |");
        if !told.contains(&line) {
            missing.lock().unwrap().push(line);
        }
    };
    bridge
        .find("/Users", &format!("userName eq {email:?}"))
        .await;
    cost("look a person up by `userName`");
    let id = bridge.create("/Users", user(email, "Ann")).await;
    cost("invite a person");
    let path = format!("/Users/{id}");
    bridge.get(&path).await;
    cost("read a person with their groups");
    bridge.get("/Users").await;
    cost("list people");
    let rename = json!([{"op": "replace", "path": "displayName", "value": "Anna"}]);
    bridge.patch(&path, rename).await;
    cost("rename a person");
    bridge.call(Method::DELETE, &path, None).await;
    cost("suspend a person by `DELETE`");
    let active = json!([{"op": "replace", "path": "active", "value": true}]);
    bridge.patch(&path, active).await;
    cost("take a person back");
    let group = bridge.create("/Groups", group("Finance")).await;
    cost("create a group");
    bridge.find("/Groups", r#"displayName eq "Finance""#).await;
    cost("look a group up by `displayName`");
    let of_group = format!("/Groups/{group}");
    let add = json!([{"op": "add", "path": "members", "value": [{"value": id}]}]);
    bridge.patch(&of_group, add).await;
    cost("put one person into a group");
    bridge.get(&of_group).await;
    cost("read a group with its members");
    bridge
        .get(&format!("{of_group}?excludedAttributes=members"))
        .await;
    cost("read a group without them");
    let remove = json!([{"op": "remove", "path": "members", "value": [{"value": id}]}]);
    bridge.patch(&of_group, remove).await;
    cost("take the last person out of a group");
    bridge.call(Method::DELETE, &of_group, None).await;
    cost("delete a group");
    let missing = missing.into_inner().unwrap().join("\n");
    assert!(missing.is_empty(), "docs/connectors.md lacks\n{missing}");
}

async fn the_command_line() {
    let world = World::new();
    let bridge = Bridge::start(&world, &[]).await;
    world.op.with(|it| {
        it.add_group("Adopted");
    });
    let run = |name: &str, more: &str| {
        let run = command(&world, name)
            .args(Some(more).filter(|more| !more.is_empty()))
            .env("SCIM_BRIDGE_TOKEN", &bridge.token)
            .output()
            .unwrap();
        let text = [run.stdout, run.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        assert!(
            !text.contains(PASSWORD) && !text.contains(SECRET_KEY),
            "{text}"
        );
        (run.status.code().unwrap(), text)
    };
    let (status, text) = run("credentials check", "");
    assert!(
        status == 0 && text.contains("lets bridge@example.com in"),
        "{text}"
    );
    // Nobody made the bridge a manager there.
    let (status, text) = run("groups manage", "Adopted");
    assert!(
        status != 0 && text.contains("make bridge@example.com a manager"),
        "{text}"
    );
    world.op.with(|it| {
        let own = it.person("bridge@example.com").unwrap().id.clone();
        let group = it.group("Adopted").unwrap();
        group.members.insert(own, "MANAGER".to_owned());
    });
    let (status, text) = run("groups manage", "Adopted");
    assert_eq!(status, 0, "{text}");
    let (_, text) = run("groups list", "");
    assert!(text.contains("Adopted") && text.contains("never"), "{text}");
    // The bridge's own is there as long as it runs.
    bridge.get("/Groups").await;
    assert_eq!(homes(&world), 1);
    let mut bridge = bridge;
    let stop = format!("kill {}", bridge.process.id());
    let stopped = Command::new("sh").args(["-c", &stop]).status();
    assert!(stopped.unwrap().success());
    bridge.process.wait().unwrap();
    assert_eq!(homes(&world), 0);
}
