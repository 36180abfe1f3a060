//! People whom the provider does not want any more: the guard against too many of them, what the
//! policy takes from them, and what they get back.

use scim_bridge::{
    account::{Account, MemberState},
    state::{AuditEntry, AuditOutcome, StateStore, sqlite::SqliteStore},
};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::support::{Bridge, GROUP, Provider, World, until};

fn active(value: bool) -> Value {
    json!([{"op": "replace", "path": "active", "value": value}])
}

async fn invite_many(bridge: &Bridge, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(bridge.invite(&format!("p{number}@example.com")).await);
    }
    ids
}

async fn audit(world: &World) -> Vec<AuditEntry> {
    let store = SqliteStore::open(&world.dir.path().join("state.db")).unwrap();
    let since = OffsetDateTime::UNIX_EPOCH;
    store.audit(since, None, 1000).await.unwrap().0
}

/// Runs the command line on the state that the world's bridges share.
async fn guard(world: &World, arguments: &[&str]) -> Value {
    let state = world.dir.path().join("state.db").display().to_string();
    let arguments = [&["guard"], arguments, &["--json"]].concat();
    let limits = [
        ("SCIM_BRIDGE_STATE", state.as_str()),
        ("SCIM_BRIDGE_GUARD_PEOPLE", "2"),
        ("SCIM_BRIDGE_GUARD_PERCENT", "0"),
    ];
    world.run(&arguments, &limits).await.json()
}

const TWO: [(&str, &str); 2] = [
    ("SCIM_BRIDGE_GUARD_PEOPLE", "2"),
    ("SCIM_BRIDGE_GUARD_PERCENT", "0"),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_guard_stops_removals_through_all_bridges_and_nothing_else() {
    let world = World::new().await;
    let (one, two) = (world.bridge(&TWO).await, world.bridge(&TWO).await);
    let ids = invite_many(&one, 5).await;
    let path = |number: usize| format!("/Users/{}", ids[number]);
    one.patch(&path(0), active(false)).await.ok();
    assert_eq!(two.delete(&path(1)).await.status, 204);
    // Repeats take nobody else out.
    one.patch(&path(0), active(false)).await.ok();
    assert_eq!(one.delete(&path(1)).await.status, 204);

    for bridge in [&one, &two] {
        let refused = bridge.patch(&path(2), active(false)).await;
        let detail = refused.error(503, None);
        assert!(detail.contains("scim-bridge guard lift"), "{detail}");
        let seconds = refused.headers["retry-after"].to_str().unwrap();
        assert!((3000..=3660).contains(&seconds.parse::<u64>().unwrap()));
        bridge.delete(&path(3)).await.error(503, None);
    }
    assert_eq!(world.count("suspended").await, 2);

    // Everything else works.
    let name = json!([{"op": "replace", "path": "displayName", "value": "Two"}]);
    assert_eq!(one.patch(&path(2), name).await.ok()["active"], true);
    one.invite("new@example.com").await;
    assert_eq!(two.patch(&path(0), active(true)).await.ok()["active"], true);

    let status = guard(&world, &["status"]).await;
    assert_eq!(
        (&status["removed"], &status["limit"]),
        (&json!(2), &json!(2))
    );
    assert!(status["refusedAt"].is_string() && status["liftedUntil"].is_null());
    assert!(guard(&world, &["lift", "--for", "10m"]).await["liftedUntil"].is_string());
    for number in [2, 3, 4] {
        assert_eq!(two.delete(&path(number)).await.status, 204);
    }

    // Up again, it counts anew.
    guard(&world, &["lift", "--for", "0s"]).await;
    let status = guard(&world, &["status"]).await;
    assert_eq!(
        (&status["removed"], &status["refusedAt"]),
        (&json!(0), &Value::Null)
    );

    let audit = audit(&world).await;
    let refused = |entry: &&AuditEntry| entry.outcome == AuditOutcome::Refused;
    assert_eq!(audit.iter().filter(refused).count(), 4);
    assert!(audit.iter().any(|line| line.action == "guard.lift"));
    assert!(
        audit
            .iter()
            .any(|line| line.actor == "test" && line.target == ids[4])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_the_people_may_go_if_that_is_more() {
    let world = World::new().await;
    let bridge = world
        .bridge(&[
            ("SCIM_BRIDGE_GUARD_PEOPLE", "1"),
            ("SCIM_BRIDGE_GUARD_PERCENT", "25"),
        ])
        .await;
    // With the owner and the Provision Manager there are twelve.
    let ids = invite_many(&bridge, 10).await;
    let operations: Vec<Value> = ids
        .iter()
        .take(5)
        .map(|id| json!({"method": "DELETE", "path": format!("/Users/{id}")}))
        .collect();
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": operations,
    });
    let answer = bridge.post("/Bulk", body).await.ok();
    let statuses: Vec<&str> = answer["Operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|operation| operation["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["204", "204", "204", "503", "503"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_removals_at_once_no_more_pass_than_may() {
    let world = World::new().await;
    let (one, two) = (world.bridge(&TWO).await, world.bridge(&TWO).await);
    let ids = invite_many(&one, 8).await;
    let removals = ids.iter().enumerate().map(|(number, id)| {
        let bridge = [&one, &two][number % 2];
        async move { bridge.delete(&format!("/Users/{id}")).await.status.as_u16() }
    });
    let statuses = futures_util::future::join_all(removals).await;
    let done = statuses.iter().filter(|status| **status == 204).count();
    assert_eq!(done, 2, "{statuses:?}");
    assert_eq!(world.count("suspended").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_guard_keeps_in_is_not_confirmed_until_the_provider_wants_them() {
    let world = World::new().await;
    let bridge = world
        .bridge(&[
            ("SCIM_BRIDGE_GUARD_PEOPLE", "0"),
            ("SCIM_BRIDGE_GUARD_PERCENT", "0"),
        ])
        .await;
    let id = bridge.invite("ann@example.com").await;
    let path = format!("/Users/{id}");
    bridge.patch(&path, active(false)).await.error(503, None);
    // What says nothing of the state does not take it back.
    let name = json!([{"op": "replace", "path": "displayName", "value": "Ann"}]);
    bridge.patch(&path, name).await.ok();
    world.sign_up("ann@example.com").await;
    let held = async || {
        bridge
            .log
            .lock()
            .unwrap()
            .contains("user.confirm")
            .then_some(())
    };
    until(held).await;
    assert_eq!(world.count("confirmed").await, 0);
    bridge.patch(&path, active(true)).await.ok();
    until(async || (world.count("confirmed").await == 1).then_some(())).await;
}

async fn group(bridge: &Bridge, name: &str, members: &[&str]) -> String {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    let body = json!({"schemas": [GROUP], "displayName": name, "members": members});
    bridge.post("/Groups", body).await.created()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_the_groups_finds_them_again() {
    let world = World::new().await;
    let bridge = world
        .bridge(&[
            ("SCIM_BRIDGE_DEPROVISION", "leave-groups"),
            ("SCIM_BRIDGE_CONFIRMATION_DELAY", "0"),
        ])
        .await;
    let id = bridge.invite("ann@example.com").await;
    let stays = bridge.invite("bob@example.com").await;
    let finance = group(&bridge, "Finance", &[&id, &stays]).await;
    let legal = group(&bridge, "Legal", &[&id]).await;
    let sales = group(&bridge, "Sales", &[&id]).await;
    let kit = world.sign_up("ann@example.com").await;
    world.until_opened(&kit, "Finance").await;

    let path = format!("/Users/{id}");
    let shown = bridge.patch(&path, active(false)).await.ok();
    assert!(shown.get("groups").is_none(), "{shown}");
    let account = world.provision_manager();
    let groups = account.groups_of(&id.parse().unwrap()).await.unwrap();
    let ids: Vec<_> = groups.into_iter().map(|group| group.id).collect();
    let groups = account.groups_by_id(&ids).await.unwrap();
    assert!(groups.iter().all(|group| group.built_in), "{groups:?}");
    let members = bridge.get(&format!("/Groups/{finance}")).await.ok()["members"].clone();
    assert_eq!(members.as_array().unwrap().len(), 1);

    // The provider takes her out of one group for good, and another one is no more.
    let out = json!([{"op": "remove", "path": format!("members[value eq \"{id}\"]")}]);
    bridge.patch(&format!("/Groups/{legal}"), out).await.done();
    assert_eq!(bridge.delete(&format!("/Groups/{sales}")).await.status, 204);

    bridge.patch(&path, active(true)).await.ok();
    let report = world.until_opened(&kit, "Finance").await;
    assert!(report.groups.iter().all(|group| group.opened));
    assert!(report.groups.iter().all(|group| group.name != "Legal"));
    // What was given back is not given again.
    let out = json!([{"op": "remove", "path": format!("members[value eq \"{id}\"]")}]);
    bridge
        .patch(&format!("/Groups/{finance}"), out)
        .await
        .done();
    let shown = bridge.patch(&path, active(true)).await.ok();
    assert!(shown.get("groups").is_none(), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_out_for_long_enough_is_deleted() {
    let world = World::new().await;
    let bridge = world
        .bridge(&[("SCIM_BRIDGE_DEPROVISION", "delete-after-0d")])
        .await;
    let gone = bridge.invite("ann@example.com").await;
    let stays = bridge.invite("bob@example.com").await;
    assert_eq!(bridge.delete(&format!("/Users/{gone}")).await.status, 204);
    until(async || (world.count("deleted").await == 1).then_some(())).await;
    bridge.get(&format!("/Users/{gone}")).await.error(404, None);
    assert_eq!(
        bridge.get(&format!("/Users/{stays}")).await.ok()["active"],
        true
    );
    // A new start.
    assert_ne!(bridge.invite("ann@example.com").await, gone);

    let later = world
        .bridge(&[("SCIM_BRIDGE_DEPROVISION", "delete-after-1d")])
        .await;
    bridge.kill();
    assert_eq!(later.delete(&format!("/Users/{stays}")).await.status, 204);
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    assert_eq!(
        later.get(&format!("/Users/{stays}")).await.ok()["active"],
        false
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_with_power_is_removed_and_the_try_is_noted() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let people = bridge
        .find("/Users", r#"userName eq "owner@example.com""#)
        .await;
    let manager = bridge
        .find("/Users", r#"userName eq "bridge@example.com""#)
        .await;
    for person in [&people[0], &manager[0]] {
        let id = person["id"].as_str().unwrap();
        let path = format!("/Users/{id}");
        bridge.patch(&path, active(false)).await.error(403, None);
        bridge.delete(&path).await.error(403, None);
        let audit = audit(&world).await;
        let lines: Vec<_> = audit.iter().filter(|line| line.target == id).collect();
        assert_eq!(lines.len(), 2);
        assert!(
            lines
                .iter()
                .all(|line| line.outcome == AuditOutcome::Refused)
        );
        let member = world
            .provision_manager()
            .member(&id.parse().unwrap())
            .await
            .unwrap();
        assert_eq!(member.unwrap().state, MemberState::Active);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_leave_the_guard_s_places_to_the_provider() {
    let world = World::new().await;
    let limit = [
        ("SCIM_BRIDGE_GUARD_PEOPLE", "6"),
        ("SCIM_BRIDGE_GUARD_PERCENT", "0"),
    ];
    let bridge = world.bridge(&limit).await;
    let ids = invite_many(&bridge, 7).await;
    for id in &ids[..5] {
        assert_eq!(bridge.delete(&format!("/Users/{id}")).await.status, 204);
    }
    guard(&world, &["lift"]).await;
    guard(&world, &["lift", "--for", "0s"]).await;
    bridge.kill();
    // Whoever changes the policy deletes at most half of the places an hour.
    let deleting = [
        limit[0],
        limit[1],
        ("SCIM_BRIDGE_DEPROVISION", "delete-after-0d"),
    ];
    let bridge = world.bridge(&deleting).await;
    until(async || (world.count("deleted").await == 3).then_some(())).await;
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    assert_eq!(world.count("deleted").await, 3);
    for id in &ids[5..] {
        assert_eq!(bridge.delete(&format!("/Users/{id}")).await.status, 204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gained_power_is_not_deleted_and_holds_up_nobody() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let ids = invite_many(&bridge, 2).await;
    for id in &ids {
        assert_eq!(bridge.delete(&format!("/Users/{id}")).await.status, 204);
    }
    bridge.kill();
    world.empower(&ids[0]).await;
    let bridge = world
        .bridge(&[("SCIM_BRIDGE_DEPROVISION", "delete-after-0d")])
        .await;
    until(async || (world.count("deleted").await == 1).then_some(())).await;
    assert_eq!(
        bridge.get(&format!("/Users/{}", ids[0])).await.ok()["active"],
        false
    );
    bridge
        .get(&format!("/Users/{}", ids[1]))
        .await
        .error(404, None);
    // Nor does a provider reach them, suspended as they are.
    bridge
        .delete(&format!("/Users/{}", ids[0]))
        .await
        .error(403, None);
}
