//! Confirmation, seen from outside: when, once, and only whom it should.

use std::time::{Duration, Instant};

use scim_bridge::account::{Account, Attempt, Invitation};
use serde_json::json;

use crate::support::{GROUP, Provider, World, until};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_in_before_the_delay_has_passed() {
    let world = World::new().await;
    let bridge = world
        .bridge(&[("SCIM_BRIDGE_CONFIRMATION_DELAY", "3")])
        .await;
    bridge.invite("ann@example.com").await;
    let signed_up = Instant::now();
    world.sign_up("ann@example.com").await;
    until(async || (world.count("confirmed").await == 1).then_some(())).await;
    assert!(signed_up.elapsed() >= Duration::from_secs(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_of_zero_means_at_once() {
    let world = World::new().await;
    let bridge = world
        .bridge(&[("SCIM_BRIDGE_CONFIRMATION_DELAY", "0")])
        .await;
    bridge.invite("ann@example.com").await;
    let kit = world.sign_up("ann@example.com").await;
    until(async || (world.count("confirmed").await == 1).then_some(())).await;
    assert!(
        world
            .sign_in(&kit)
            .await
            .unwrap()
            .groups
            .iter()
            .all(|group| group.opened)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_killed_between_invitation_and_confirmation_still_confirms_once() {
    let world = World::new().await;
    let bridge = world
        .bridge(&[("SCIM_BRIDGE_CONFIRMATION_DELAY", "4")])
        .await;
    let id = bridge.invite("ann@example.com").await;
    let body = json!({"schemas": [GROUP], "displayName": "Finance", "members": [{"value": id}]});
    let group = bridge.post("/Groups", body).await.created();
    bridge.kill();

    let kit = world.sign_up("ann@example.com").await;
    let second = world
        .bridge(&[("SCIM_BRIDGE_CONFIRMATION_DELAY", "4")])
        .await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    second.kill();
    assert_eq!(world.count("confirmed").await, 0);

    let third = world
        .bridge(&[("SCIM_BRIDGE_CONFIRMATION_DELAY", "4")])
        .await;
    world.until_opened(&kit, "Finance").await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(world.count("confirmed").await, 1);
    assert_eq!(
        third.get(&format!("/Groups/{group}")).await.ok()["displayName"],
        "Finance"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_bridges_on_one_state_file_confirm_each_person_once() {
    let world = World::new().await;
    let settings = [("SCIM_BRIDGE_CONFIRMATION_DELAY", "1")];
    let (one, two) = (world.bridge(&settings).await, world.bridge(&settings).await);
    let people: Vec<String> = (0..8).map(|n| format!("p{n}@example.com")).collect();
    for (number, email) in people.iter().enumerate() {
        [&one, &two][number % 2].invite(email).await;
    }
    for email in &people {
        world.sign_up(email).await;
    }
    until(async || (world.count("confirmed").await >= people.len()).then_some(())).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(world.count("confirmed").await, people.len());
    // Either bridge sees what the other did.
    assert_eq!(
        two.find("/Users", r#"userName eq "p0@example.com""#)
            .await
            .len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_provider_suspends_meanwhile_stays_out_until_it_wants_them_again() {
    let world = World::new().await;
    let bridge = world
        .bridge(&[("SCIM_BRIDGE_CONFIRMATION_DELAY", "6")])
        .await;
    let id = bridge.invite("ann@example.com").await;
    let body = json!({"schemas": [GROUP], "displayName": "Finance", "members": [{"value": id}]});
    let group = bridge.post("/Groups", body).await.created();
    let body = json!({"schemas": [GROUP], "displayName": "Lost", "members": [{"value": id}]});
    let lost = bridge.post("/Groups", body).await.created();
    let kit = world.sign_up("ann@example.com").await;
    world.until_listed("ann@example.com", "due").await;
    let path = format!("/Users/{id}");
    let active = |value: bool| json!([{"op": "replace", "path": "active", "value": value}]);
    assert_eq!(
        bridge.patch(&path, active(false)).await.ok()["active"],
        false
    );
    assert_eq!(world.until_held("ann@example.com").await, "suspended");
    assert_eq!(world.count("confirmed").await, 0);
    assert!(world.sign_in(&kit).await.is_err());
    let refused = world.confirmations(&["release", "ann@example.com"]).await;
    assert_eq!(refused.status, 1, "{}", refused.stderr);
    assert!(
        refused
            .stderr
            .contains("the provider has suspended the person")
    );

    // Out of one group while she has no key yet; then wanted again.
    let out = json!([{"op": "remove", "path": format!("members[value eq \"{id}\"]")}]);
    bridge.patch(&format!("/Groups/{lost}"), out).await.done();
    assert_eq!(bridge.patch(&path, active(true)).await.ok()["active"], true);
    let report = world.until_opened(&kit, "Finance").await;
    assert!(report.groups.iter().all(|known| known.name != "Lost"));
    assert_eq!(
        bridge.get(&format!("/Groups/{group}")).await.ok()["members"][0]["value"],
        *id
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_sweep_key_the_sweep_waits_for_a_providers_call() {
    let world = World::new().await;
    let first = world.bridge(&[]).await;
    first.invite("ann@example.com").await;
    first.kill();
    world.sign_up("ann@example.com").await;
    let strict = [
        ("SCIM_BRIDGE_SWEEP_KEY", ""),
        ("SCIM_BRIDGE_CONFIRMATION_DELAY", "0"),
    ];
    let bridge = world.bridge(&strict).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(world.count("confirmed").await, 0);
    assert!(bridge.log.lock().unwrap().contains("locked"));
    bridge.get("/Users").await.ok();
    until(async || (world.count("confirmed").await == 1).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_is_no_longer_allowed_is_held_until_it_is() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    bridge.invite("ann@example.com").await;
    bridge.kill();
    world.sign_up("ann@example.com").await;
    let held = [("SCIM_BRIDGE_ALLOWED_DOMAINS", "other.example")];
    let bridge = world.bridge(&held).await;
    assert_eq!(
        world.until_held("ann@example.com").await,
        "domain_not_allowed"
    );
    assert_eq!(world.count("confirmed").await, 0);
    bridge.kill();
    let _bridge = world
        .bridge(&[("SCIM_BRIDGE_ALLOWED_DOMAINS", "other.example,example.com")])
        .await;
    until(async || (world.count("confirmed").await == 1).then_some(())).await;
}

/// Somebody whom an administrator invites, without a bridge.
async fn invited_by_hand(world: &World, email: &str) {
    let invitation = Invitation {
        email: email.to_owned(),
        name: "Somebody".to_owned(),
        language: None,
    };
    let attempt = Attempt::new("by-hand");
    let account = world.provision_manager();
    account.invite(&invitation, &attempt).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_this_bridge_did_not_invite_waits_for_an_administrator() {
    let world = World::new().await;
    let at_once = [("SCIM_BRIDGE_CONFIRMATION_DELAY", "0")];
    let _bridge = world.bridge(&at_once).await;
    invited_by_hand(&world, "ann@example.com").await;
    let kit = world.sign_up("ann@example.com").await;
    assert_eq!(world.until_held("ann@example.com").await, "not_invited");
    assert_eq!(world.count("confirmed").await, 0);

    let table = world.confirmations(&["list"]).await;
    let table = &table.done().stdout;
    for part in [
        "ann@example.com",
        "held: the person was not invited by this bridge",
        "→ release or reject",
    ] {
        assert!(table.contains(part), "{table}");
    }
    let nobody = world.confirmations(&["release", "bob@example.com"]).await;
    assert_eq!(nobody.status, 4, "{}", nobody.stderr);
    let secret = world.confirmations(&["release", &world.token]).await;
    assert_eq!(secret.status, 2, "{}", secret.stderr);

    let released = world
        .confirmations(&["release", "ann@example.com", "--json"])
        .await
        .json();
    assert_eq!(released["state"], "waiting");
    world.until_confirmed().await;
    world.sign_in(&kit).await.unwrap();
    let over = until(async || {
        let listed = world.confirmations(&["list"]).await;
        listed.done().stdout.contains("Nobody waits").then_some(())
    });
    over.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_is_confirmed_where_an_administrator_wants_it_so() {
    let world = World::new().await;
    let settings = [
        ("SCIM_BRIDGE_CONFIRMATION_DELAY", "0"),
        ("SCIM_BRIDGE_CONFIRM", "anybody"),
    ];
    let _bridge = world.bridge(&settings).await;
    invited_by_hand(&world, "ann@example.com").await;
    world.sign_up("ann@example.com").await;
    world.until_confirmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_with_another_key_waits_for_an_administrator() {
    let world = World::new().await;
    // A release does not wait for the delay.
    let settings = [("SCIM_BRIDGE_CONFIRMATION_DELAY", "3600")];
    let bridge = world.bridge(&settings).await;
    let id = bridge.invite("ann@example.com").await;
    let body = json!({"schemas": [GROUP], "displayName": "Finance", "members": [{"value": id}]});
    bridge.post("/Groups", body).await.created();
    world.sign_up("ann@example.com").await;
    world.until_listed("ann@example.com", "due").await;
    let kit = world.sign_up_anew("ann@example.com").await;
    assert_eq!(world.until_held("ann@example.com").await, "key_changed");
    assert_eq!(world.count("confirmed").await, 0);

    // Rejected, she stays out whatever else changes; released, it is the first key that counts.
    let rejected = world.confirmations(&["reject", &id, "--json"]).await.json();
    assert_eq!(rejected["state"], "rejected");
    let released = world.confirmations(&["release", "ann@example.com"]).await;
    released.done();
    assert_eq!(world.until_held("ann@example.com").await, "key_changed");
    assert_eq!(world.count("confirmed").await, 0);
    world.confirmations(&["release", &id]).await.done();
    let report = world.until_opened(&kit, "Finance").await;
    assert!(report.groups.iter().all(|group| group.opened));
    assert_eq!(world.count("confirmed").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_providers_call_confirms_who_is_due_without_a_timer() {
    let world = World::new().await;
    let first = world
        .bridge(&[("SCIM_BRIDGE_CONFIRMATION_DELAY", "0")])
        .await;
    first.invite("ann@example.com").await;
    first.kill();
    world.sign_up("ann@example.com").await;
    // The timer's only tick finds the bridge locked.
    let settings = [
        ("SCIM_BRIDGE_SWEEP_KEY", ""),
        ("SCIM_BRIDGE_CONFIRMATION_DELAY", "0"),
        ("SCIM_BRIDGE_CONFIRMATION_INTERVAL", "9999"),
    ];
    let bridge = world.bridge(&settings).await;
    until(async || bridge.log.lock().unwrap().contains("locked").then_some(())).await;
    assert_eq!(world.count("confirmed").await, 0);
    bridge.get("/Users").await.ok();
    world.until_confirmed().await;
}
