//! Confirmation, seen from outside: when, once, and only whom it should.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{GROUP, World, until};

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
        .bridge(&[("SCIM_BRIDGE_CONFIRMATION_DELAY", "3")])
        .await;
    let id = bridge.invite("ann@example.com").await;
    let body = json!({"schemas": [GROUP], "displayName": "Finance", "members": [{"value": id}]});
    let group = bridge.post("/Groups", body).await.created();
    let body = json!({"schemas": [GROUP], "displayName": "Lost", "members": [{"value": id}]});
    let lost = bridge.post("/Groups", body).await.created();
    let kit = world.sign_up("ann@example.com").await;
    let path = format!("/Users/{id}");
    let active = |value: bool| json!([{"op": "replace", "path": "active", "value": value}]);
    assert_eq!(
        bridge.patch(&path, active(false)).await.ok()["active"],
        false
    );
    tokio::time::sleep(Duration::from_millis(5000)).await;
    assert_eq!(world.count("confirmed").await, 0);
    assert!(world.sign_in(&kit).await.is_err());

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
    until(async || bridge.log.lock().unwrap().contains("held").then_some(())).await;
    assert_eq!(world.count("confirmed").await, 0);
    bridge.kill();
    let _bridge = world
        .bridge(&[("SCIM_BRIDGE_ALLOWED_DOMAINS", "other.example,example.com")])
        .await;
    until(async || (world.count("confirmed").await == 1).then_some(())).await;
}
