//! A bridge that only observes: it answers as one that acts, and nothing has happened.

use reqwest::StatusCode;
use scim_bridge::{
    account::{Account, Attempt, Invitation, Member, MemberState, Page},
    state::{AuditEntry, AuditOutcome, StateStore, sqlite::SqliteStore},
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::support::{Answer, Bridge, GROUP, Provider, USER, World, until};

const SETTINGS: [(&str, &str); 2] = [
    ("SCIM_BRIDGE_MODE", "observe"),
    // Nobody is confirmed while answers are compared.
    ("SCIM_BRIDGE_CONFIRMATION_DELAY", "3600"),
];

/// What a provider was answered, without what differs between two bridges.
struct Answers<'a> {
    bridge: &'a Bridge,
    /// Ids, and what stands for them.
    ids: Vec<(String, String)>,
    all: Vec<(StatusCode, Value)>,
}

impl Answers<'_> {
    fn note(&mut self, answer: Answer) {
        let mut text = answer.text.replace(&self.bridge.tenant, "");
        for (id, name) in &self.ids {
            text = text.replace(id, name);
        }
        let mut body = serde_json::from_str(&text).unwrap_or_default();
        forget_times_and_order(&mut body);
        self.all.push((answer.status, body));
    }

    /// Notes what was created, and its id under this name.
    fn created(&mut self, answer: Answer, name: &str) -> String {
        let id = answer.created();
        self.ids.push((id.clone(), name.to_owned()));
        self.note(answer);
        id
    }

    async fn get(&mut self, path: &str) {
        let answer = self.bridge.get(path).await;
        self.note(answer);
    }

    async fn find(&mut self, endpoint: &str, filter: &str) {
        let found = self.bridge.find(endpoint, filter).await;
        let text = Value::from(found).to_string();
        self.note(Answer {
            status: StatusCode::OK,
            headers: Default::default(),
            body: Value::Null,
            text,
        });
    }

    async fn patch(&mut self, path: &str, operations: Value) {
        let answer = self.bridge.patch(path, operations).await;
        self.note(answer);
    }

    async fn delete(&mut self, path: &str) {
        let answer = self.bridge.delete(path).await;
        self.note(answer);
    }
}

/// Members are in an order that stays the same, whichever that is. What a version says of groups
/// depends on their ids.
fn forget_times_and_order(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.remove("created");
            object.remove("lastModified");
            if let Some(Value::String(version)) = object.get_mut("version") {
                *version = version.split('-').next().unwrap().to_owned();
            }
            if let Some(Value::Array(members)) = object.get_mut("members") {
                members.sort_by_key(|member| member["value"].to_string());
            }
            object.values_mut().for_each(forget_times_and_order);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_times_and_order),
        _ => {}
    }
}

/// Entra's first cycle and what may follow, in an account that has Carol already.
async fn cycle(bridge: &Bridge, carol: &str) -> Vec<(StatusCode, Value)> {
    let mut answers = Answers {
        bridge,
        ids: Vec::new(),
        all: Vec::new(),
    };
    let user = |name: &str| {
        json!({
            "schemas": [USER], "userName": format!("{name}@example.com"), "externalId": name,
            "displayName": name, "active": true,
            "emails": [{"type": "work", "value": format!("{name}@example.com"), "primary": true}],
        })
    };
    for name in ["ann", "bob"] {
        let filter = format!(r#"userName eq "{name}@example.com""#);
        answers.find("/Users", &filter).await;
        let answer = bridge.post("/Users", user(name)).await;
        answers.created(answer, name);
        answers.find("/Users", &filter).await;
        let again = bridge.post("/Users", user(name)).await;
        again.error(409, Some("uniqueness"));
        answers.note(again);
    }
    let ann = answers.ids[0].0.clone();
    let bob = answers.ids[1].0.clone();
    answers.find("/Groups", r#"displayName eq "Finance""#).await;
    let finance = json!({"schemas": [GROUP], "displayName": "Finance", "externalId": "finance"});
    let answer = bridge.post("/Groups", finance.clone()).await;
    let group = answers.created(answer, "finance");
    let again = bridge.post("/Groups", finance).await;
    again.error(409, Some("uniqueness"));
    answers.note(again);
    let path = format!("/Groups/{group}");
    for id in [&ann, &bob, carol, &ann] {
        let add = json!([{"op": "Add", "path": "members", "value": [{"value": id}]}]);
        answers.patch(&path, add).await;
        let is_member = format!(r#"id eq "{group}" and members eq "{id}""#);
        answers.find("/Groups", &is_member).await;
    }
    let nobody = "ZZZZZZZZZZZZZZZZZZZZZZZZZZ";
    let add = json!([{"op": "Add", "path": "members", "value": [{"value": nobody}]}]);
    answers.patch(&path, add).await;
    answers.get(&path).await;
    for id in [&ann, carol] {
        answers.get(&format!("/Users/{id}")).await;
    }
    for id in [&bob, carol] {
        let path = format!("/Users/{id}");
        for active in ["False", "False", "True", "False"] {
            let operations = json!([{"op": "Replace", "path": "active", "value": active}]);
            answers.patch(&path, operations).await;
        }
        answers.get(&path).await;
    }
    for (id, address) in [
        (ann.as_str(), "anna@example.com"),
        (carol, "carola@example.com"),
    ] {
        let operations = json!([
            {"op": "Replace", "path": "displayName", "value": "Another Name"},
            {"op": "Replace", "path": "userName", "value": address},
        ]);
        answers.patch(&format!("/Users/{id}"), operations).await;
        let filter = format!(r#"userName eq "{address}""#);
        answers.find("/Users", &filter).await;
    }
    let operations = json!([{"op": "Replace", "path": "userName", "value": "owner@example.com"}]);
    answers.patch(&format!("/Users/{ann}"), operations).await;
    let rename = json!([{"op": "Replace", "path": "displayName", "value": "Money"}]);
    answers.patch(&path, rename).await;
    answers.find("/Groups", r#"displayName eq "Finance""#).await;
    answers.find("/Groups", r#"displayName eq "money""#).await;
    for id in [&ann, carol] {
        let remove = json!([{"op": "Remove", "path": "members", "value": [{"value": id}]}]);
        answers.patch(&path, remove).await;
    }
    for page in [
        "/Users",
        "/Users?startIndex=4&count=1",
        "/Users?count=0",
        "/Users?sortBy=userName",
        "/Groups",
        &path,
    ] {
        answers.get(page).await;
    }
    answers.find("/Users", r#"externalId eq "ann""#).await;
    answers.delete(&format!("/Users/{ann}")).await;
    answers.get(&format!("/Users/{ann}")).await;
    answers.delete(&path).await;
    answers.get(&path).await;
    answers.get("/Groups").await;
    answers.all
}

/// Everybody and every group, as the account itself has them.
async fn account(world: &World) -> (Vec<Member>, Vec<scim_bridge::account::Group>) {
    let account = world.provision_manager();
    let everything = Page::first(1000);
    let members = account.members(&[], &everything).await.unwrap();
    let groups = account.groups(&everything).await.unwrap();
    (members.items, groups.items)
}

/// Somebody whom the account has without the bridge, and who has signed up.
async fn carol(world: &World) -> Member {
    let carol = Invitation {
        email: "carol@example.com".to_owned(),
        name: "Carol".to_owned(),
        language: None,
    };
    let attempt = Attempt::new("carol");
    let carol = world.provision_manager().invite(&carol, &attempt).await;
    world.sign_up("carol@example.com").await;
    carol.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_cycle_is_answered_as_if_and_changes_nothing() {
    let world = World::new().await;
    let carol = carol(&world).await;
    let before = account(&world).await;
    let events = world.sandbox.events().unwrap();

    let bridge = world.bridge(&SETTINGS).await;
    let observed = cycle(&bridge, carol.id.as_str()).await;
    assert!(bridge.log.lock().unwrap().contains("observing only"));
    assert_eq!(world.sandbox.events().unwrap(), events);
    assert_eq!(account(&world).await, before);
    let mail = world.sandbox.mail("ann@example.com").unwrap();
    assert!(mail.is_empty());
    let state = SqliteStore::open(&world.dir.path().join("state.db")).unwrap();
    assert_eq!(state.managed_groups(0, 9).await, Ok((Vec::new(), 0)));
    for external_id in ["ann", "bob"] {
        assert_eq!(state.person_by_external_id(external_id).await, Ok(None));
    }
    assert_eq!(state.person(carol.id.as_str()).await, Ok(None));
    bridge.kill();

    // The same for real: the same answers, and it has happened.
    let bridge = world.bridge(&SETTINGS[1..]).await;
    let acted = cycle(&bridge, carol.id.as_str()).await;
    for (number, (observed, acted)) in observed.iter().zip(&acted).enumerate() {
        assert_eq!(observed, acted, "answer {number}");
    }
    assert_eq!(observed.len(), acted.len());
    assert_eq!(world.count("invited").await, 3);
    assert_eq!(world.count("group_deleted").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_lets_nobody_in() {
    let world = World::new().await;
    let carol = carol(&world).await;
    let settings = [
        ("SCIM_BRIDGE_MODE", "observe"),
        ("SCIM_BRIDGE_CONFIRM", "anybody"),
        ("SCIM_BRIDGE_CONFIRMATION_DELAY", "0"),
    ];
    let bridge = world.bridge(&settings).await;
    let swept = || bridge.log.lock().unwrap().contains("confirmed: 1");
    until(async || swept().then_some(())).await;
    assert_eq!(world.count("confirmed").await, 0);
    let waiting = world.provision_manager().member(&carol.id).await.unwrap();
    assert_eq!(waiting.unwrap().state, MemberState::TransferAccepted);
    let state = SqliteStore::open(&world.dir.path().join("state.db")).unwrap();
    assert_eq!(state.confirmation(carol.id.as_str()).await, Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preview_shows_what_would_have_been_done() {
    let world = World::new().await;
    let path = world.dir.path().join("state.db");
    let state = [("SCIM_BRIDGE_STATE", path.to_str().unwrap())];
    let run = world.run(&["preview"], &state).await;
    assert_eq!(run.status, 4, "{}", run.stderr);

    let store = SqliteStore::open(&path).unwrap();
    let nothing = world.run(&["preview"], &state).await;
    assert!(nothing.done().stdout.contains("SCIM_BRIDGE_MODE=observe"));

    let now = OffsetDateTime::now_utc();
    for (hours, action, target, outcome) in [
        (50, "user.suspend", "OLD", AuditOutcome::Observed),
        (4, "user.invite", "ANN", AuditOutcome::Observed),
        (3, "user.invite", "BOB", AuditOutcome::Observed),
        (2, "user.invite", "CAROL", AuditOutcome::Done),
        (1, "user.suspend", "DAVE", AuditOutcome::Refused),
    ] {
        let line = AuditEntry {
            at: now - Duration::hours(hours),
            actor: "okta".into(),
            action: action.into(),
            target: target.into(),
            outcome,
            detail: Some(format!("about {target}")),
            changes: Vec::new(),
            provider: None,
            request_id: None,
        };
        store
            .append_audit(&line, OffsetDateTime::UNIX_EPOCH)
            .await
            .unwrap();
    }
    let all = world.run(&["preview"], &state).await;
    let lines: Vec<&str> = all.done().stdout.lines().collect();
    let [heading, old, ann, bob, dave, "", would, refused] = lines[..] else {
        panic!("{}", all.stdout);
    };
    for (line, words) in [
        (
            old,
            ["okta", "observed", "user.suspend", "OLD", "about OLD"],
        ),
        (ann, ["okta", "observed", "user.invite", "ANN", "about ANN"]),
        (bob, ["okta", "observed", "user.invite", "BOB", "about BOB"]),
        (
            dave,
            ["okta", "refused", "user.suspend", "DAVE", "about DAVE"],
        ),
    ] {
        let headings = ["WHO", "OUTCOME", "ACTION", "TARGET", "DETAIL"];
        for (name, word) in headings.into_iter().zip(words) {
            let column = heading.find(name).unwrap();
            assert!(line[column..].starts_with(word), "{}", all.stdout);
        }
    }
    assert_eq!(would, "Would be done: user.invite 2, user.suspend 1");
    assert_eq!(refused, "Refused by a rule: user.suspend 1");

    let arguments = ["preview", "--since", "24h", "--json"];
    let recent = world.run(&arguments, &state).await.json();
    assert_eq!(recent["wouldBeDone"], json!({"user.invite": 2}));
    assert_eq!(recent["refused"], json!({"user.suspend": 1}));
    let lines = recent["lines"].as_array().unwrap();
    let targets: Vec<_> = lines.iter().map(|line| &line["target"]).collect();
    assert_eq!(targets, ["ANN", "BOB", "DAVE"]);
    assert_eq!(lines[0]["outcome"], "observed");
    // Who shows no secret sees nothing.
    let stranger = [state[0], ("SCIM_BRIDGE_SWEEP_KEY", "")];
    let refused = world.run(&["preview"], &stranger).await;
    assert_ne!(refused.status, 0);
    assert!(refused.stdout.is_empty());
}
