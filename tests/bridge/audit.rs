//! The audit: which requests leave which lines, in the store and in the log, and how they are read.

use reqwest::Method;
use scim_bridge::state::{AuditEntry, AuditOutcome, StateStore, sqlite::SqliteStore};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::support::{Answer, Bridge, Call, GROUP, Provider, USER, World, until, user};

const NOBODY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAA";

async fn lines(world: &World) -> Vec<AuditEntry> {
    let store = SqliteStore::open(&world.dir.path().join("state.db")).unwrap();
    let since = OffsetDateTime::UNIX_EPOCH;
    store.audit(since, None, 1000).await.unwrap().0
}

/// Outcome, action, target, and the attributes that changed.
fn short(line: &AuditEntry) -> String {
    let attributes = line.changes.iter().map(|one| one.attribute.as_str());
    let text = [
        line.outcome.as_str(),
        &line.action,
        &line.target,
        &attributes.collect::<Vec<_>>().join("+"),
    ];
    text.join(" ").trim_end().to_owned()
}

/// The lines of the bridge's log that are the audit's.
fn logged(bridge: &Bridge) -> Vec<String> {
    let log = bridge.log.lock().unwrap();
    let ours = log.lines().filter(|line| line.contains("audit actor="));
    ours.map(str::to_owned).collect()
}

async fn ask(bridge: &Bridge, method: &str, path: &str, body: Option<Value>) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    bridge.call(method, path, body.as_ref()).await
}

fn patch(operations: Value) -> Value {
    let schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
    json!({ "schemas": [schema], "Operations": operations })
}

fn set(path: &str, value: impl Into<Value>) -> Value {
    json!({ "op": "replace", "path": path, "value": value.into() })
}

fn bulk(operations: Value) -> Value {
    let schema = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
    json!({ "schemas": [schema], "Operations": operations })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_leaves_exactly_its_lines() {
    let mut world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let ann = bridge.invite("ann@example.com").await;
    let group = json!({ "schemas": [GROUP], "displayName": "Finance", "externalId": "f",
        "members": [{ "value": ann }] });
    let group = bridge.post("/Groups", group).await.created();
    let owner = bridge
        .find("/Users", r#"userName eq "owner@example.com""#)
        .await;
    let owner = owner[0]["id"].as_str().unwrap().to_owned();
    let first: Vec<String> = lines(&world).await.iter().map(short).collect();
    let expected = [
        format!("done user.invite {ann} userName+displayName+emails"),
        format!("done group.create {group} displayName+externalId"),
        format!("done group.members {group} members"),
    ];
    assert_eq!(first, expected);

    let at = |id: &str| format!("/Users/{id}");
    let finance = format!("/Groups/{group}");
    let member = |id: &str| json!({ "op": "add", "path": "members", "value": [{ "value": id }] });
    let search = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "filter": "userName eq" });
    let off = patch(json!([set("active", false), set("name.givenName", "Ann")]));
    let both = bulk(json!([
        { "method": "DELETE", "path": at(NOBODY) },
        { "method": "PATCH", "path": at(&ann), "data": patch(json!([set("externalId", "b")])) },
        { "method": "POST", "path": "/Users", "bulkId": "x", "data": user("ann@example.com") },
    ]));
    let rename = patch(json!([set("displayName", "Ann")]));
    let renamed = |to: &str| patch(json!([set("displayName", to), member(&ann)]));
    let cases: Vec<(&str, String, Option<Value>, &[&str])> = vec![
        (
            "PATCH",
            at(&ann),
            Some(rename.clone()),
            &["done user.change ANN displayName"],
        ),
        ("PATCH", at(&ann), Some(rename), &[]),
        (
            "PATCH",
            at(&ann),
            Some(patch(json!([set("externalId", "a")]))),
            &["done user.change ANN externalId"],
        ),
        (
            "PATCH",
            at(&ann),
            Some(off),
            &[
                "done user.suspend ANN active",
                "done user.change ANN name.givenName",
            ],
        ),
        ("DELETE", at(&ann), None, &[]),
        (
            "PATCH",
            at(&ann),
            Some(patch(json!([set("active", true)]))),
            &["done user.reactivate ANN active"],
        ),
        (
            "POST",
            "/Users".to_owned(),
            Some(user("ann@example.com")),
            &["refused user.invite ann@example.com"],
        ),
        (
            "POST",
            "/Users".to_owned(),
            Some(json!({ "schemas": [USER] })),
            &["refused user.invite /Users"],
        ),
        (
            "PUT",
            at(&owner),
            Some(user("owner@example.com")),
            &["refused user.change OWNER"],
        ),
        ("DELETE", at(&owner), None, &["refused user.delete OWNER"]),
        (
            "PATCH",
            at(NOBODY),
            Some(patch(json!([set("active", true)]))),
            &["refused user.change NOBODY"],
        ),
        ("DELETE", at(NOBODY), None, &["refused user.delete NOBODY"]),
        (
            "PATCH",
            finance.clone(),
            Some(renamed("Money")),
            &["done group.rename GROUP displayName"],
        ),
        (
            "PATCH",
            finance.clone(),
            Some(patch(json!([set("externalId", "g")]))),
            &["done group.external-id GROUP externalId"],
        ),
        (
            "PATCH",
            finance.clone(),
            Some(patch(json!([member(NOBODY)]))),
            &["refused group.change GROUP"],
        ),
        (
            "POST",
            "/Groups".to_owned(),
            Some(json!({ "schemas": [GROUP], "displayName": "Owners" })),
            &["refused group.create Owners"],
        ),
        (
            "POST",
            "/Bulk".to_owned(),
            Some(both),
            &[
                "refused user.delete NOBODY",
                "done user.change ANN externalId",
                "refused user.invite ann@example.com",
            ],
        ),
        (
            "POST",
            "/Bulk".to_owned(),
            Some(bulk(json!("no list"))),
            &["refused bulk /Bulk"],
        ),
        (
            "DELETE",
            finance,
            None,
            &["done group.delete GROUP displayName"],
        ),
        (
            "POST",
            "/Me".to_owned(),
            Some(json!({})),
            &["failed request /Me"],
        ),
        (
            "PUT",
            "/Users".to_owned(),
            Some(json!({})),
            &["refused user.change /Users"],
        ),
        ("POST", "/.search".to_owned(), Some(search), &[]),
        ("GET", at(NOBODY), None, &[]),
    ];
    for (method, path, body, expected) in cases {
        let before = lines(&world).await.len();
        let answer = ask(&bridge, method, &path, body).await;
        let new = lines(&world).await.split_off(before);
        let named = |line: &AuditEntry| {
            let ids = [
                (&*ann, "ANN"),
                (&owner, "OWNER"),
                (&group, "GROUP"),
                (NOBODY, "NOBODY"),
            ];
            ids.iter()
                .fold(short(line), |text, (id, name)| text.replace(id, name))
        };
        let told: Vec<String> = new.iter().map(named).collect();
        assert_eq!(told, expected, "{method} {path}: {}", answer.text);
        let id = answer.headers["x-request-id"].to_str().unwrap();
        for line in new {
            assert_eq!(line.request_id.as_deref(), Some(id));
            assert_eq!(line.actor, "test");
        }
    }

    // Nobody's request leaves none; one that fails says so, and so does the log of each.
    let call = Call {
        method: Method::DELETE,
        path: &at(&ann),
        token: Some("nobody's"),
        headers: &[],
        body: None,
    };
    let before = lines(&world).await.len();
    bridge.send(call).await.error(401, None);
    world.stop_account().await;
    bridge
        .post("/Users", user("bob@example.com"))
        .await
        .error(503, None);
    let all = lines(&world).await;
    let told: Vec<String> = all[before..].iter().map(short).collect();
    assert_eq!(told, ["failed user.invite bob@example.com"]);
    let log = until(async || Some(logged(&bridge)).filter(|log| log.len() >= all.len())).await;
    assert_eq!(log.len(), all.len());
    for (logged, line) in log.iter().zip(&all) {
        let outcome = format!("outcome=\"{}\"", line.outcome.as_str());
        let id = format!("request_id=\"{}\"", line.request_id.as_ref().unwrap());
        assert!(
            logged.contains(&outcome) && logged.contains(&id),
            "{logged}"
        );
        assert!(!logged.contains('@'), "{logged}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_says_what_was_before_and_who_asked() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let body = json!({ "schemas": [USER], "userName": "ann@example.com", "displayName": "Ann",
        "password": "never-kept" });
    let ann = bridge.post("/Users", body).await.created();
    let body = patch(json!([set("displayName", "Anna"), set("externalId", "x")]));
    let call = Call {
        method: Method::PATCH,
        path: &format!("/Users/{ann}"),
        token: Some(&bridge.token),
        headers: &[
            ("content-type", "application/scim+json"),
            ("user-agent", "Okta SCIM Client 1.0.0"),
        ],
        body: Some(body.to_string()),
    };
    bridge.send(call).await.done();
    let line = lines(&world).await.pop().unwrap();
    assert_eq!(line.provider.as_deref(), Some("Okta"));
    let changes = serde_json::to_value(&line.changes).unwrap();
    let expected = json!([
        { "attribute": "externalId", "after": "x" },
        { "attribute": "displayName", "before": "Ann", "after": "Anna" },
    ]);
    assert_eq!(changes, expected);

    // The command line reads the same, the newest last.
    let json = world.run(&["audit", "--json"], &[]).await;
    let read: Vec<AuditEntry> = json
        .done()
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(read, lines(&world).await);
    assert!(!json.stdout.contains("never-kept"));
    bridge
        .delete(&format!("/Users/{NOBODY}"))
        .await
        .error(404, None);
    let refused = ["audit", "--since", "1h", "--outcome", "refused"];
    let refused = world.run(&refused, &[]).await.done().stdout.clone();
    assert_eq!(refused.lines().count(), 1, "{refused}");
    assert!(
        refused.contains(&format!("refused   user.delete  {NOBODY}  by test")),
        "{refused}"
    );
    let about = world
        .run(&["audit", "--target", "ann@example.com"], &[])
        .await;
    assert!(
        about.done().stdout.contains("user.invite"),
        "{}",
        about.stdout
    );
    for wrong in [["--since", "yesterday"], ["--outcome", "lost"]] {
        let arguments = [&["audit"][..], &wrong].concat();
        assert_eq!(world.run(&arguments, &[]).await.status, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_and_sweeps_leave_lines_too() {
    let world = World::new().await;
    let bridge = world
        .bridge(&[("SCIM_BRIDGE_DEPROVISION", "delete-after-0d")])
        .await;
    let id = bridge
        .post(
            "/Groups",
            json!({ "schemas": [GROUP], "displayName": "Sales" }),
        )
        .await;
    let id = id.created();
    world
        .run(&["groups", "unmanage", "Sales"], &[])
        .await
        .done();
    world.run(&["groups", "manage", "Sales"], &[]).await.done();
    world.run(&["guard", "lift"], &[]).await.done();
    let ann = bridge.invite("ann@example.com").await;
    world.sign_up("ann@example.com").await;
    let told = async |wanted: &str| {
        until(async || {
            lines(&world)
                .await
                .into_iter()
                .find(|line| short(line) == wanted)
        })
        .await
    };
    let line = told(&format!("done user.confirm {ann} confirmed")).await;
    assert_eq!((&*line.actor, line.request_id), ("sweep", None));
    bridge.delete(&format!("/Users/{ann}")).await.done();
    told(&format!("done user.delete {ann} userName")).await;
    for (action, change) in [("group.unmanage", "managed"), ("group.manage", "managed")] {
        let line = told(&format!("done {action} {id} {change}")).await;
        assert_eq!((&*line.actor, line.request_id), ("administrator", None));
    }
    told("done guard.lift guard liftedUntil").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_does_not_fill_the_store_and_old_lines_leave_it() {
    let world = World::new().await;
    let bridge = world.bridge(&[("SCIM_BRIDGE_AUDIT_DAYS", "1")]).await;
    let store = SqliteStore::open(&world.dir.path().join("state.db")).unwrap();
    let old = AuditEntry {
        at: OffsetDateTime::now_utc() - Duration::days(2),
        actor: "test".into(),
        action: "user.suspend".into(),
        target: "OLD".into(),
        outcome: AuditOutcome::Done,
        detail: None,
        changes: Vec::new(),
        provider: None,
        request_id: None,
    };
    let keep_all = OffsetDateTime::UNIX_EPOCH;
    store.append_audit(&old, keep_all).await.unwrap();
    // More than two minutes have room for, should one end meanwhile.
    let flood = 210;
    for _ in 0..flood {
        bridge.post("/Me", json!({})).await.error(501, None);
    }
    let stored = lines(&world).await;
    assert!(stored.len() <= 202, "{}", stored.len());
    assert!(stored.iter().any(|line| line.action == "audit.full"));
    assert!(stored.iter().all(|line| line.target != "OLD"));
    until(async || (logged(&bridge).len() == flood).then_some(())).await;
}
