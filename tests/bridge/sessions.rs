//! Bridges that share an account session through their state.
#![cfg(unix)]

use super::support::{Provider, World};

#[tokio::test]
async fn bridges_share_a_session_and_the_only_one_ends_it_when_it_stops() {
    let world = World::new().await;
    let first = world.bridge(&[]).await;
    first.get("/Users?count=0").await.ok();
    let sign_ins = world.sign_ins();
    let second = world.bridge(&[]).await;
    second.get("/Users?count=0").await.ok();
    let observer = world.bridge(&[("SCIM_BRIDGE_MODE", "observe")]).await;
    observer.get("/Users?count=0").await.ok();
    assert_eq!(world.sign_ins(), sign_ins);
    // Who began it stops, and the others go on.
    first.stop().await;
    assert_eq!(world.asked_about("/session/signout").len(), 0);
    second.get("/Users?count=0").await.ok();
    assert_eq!(world.sign_ins(), sign_ins);

    let world = World::new().await;
    let alone = world.bridge(&[]).await;
    alone.get("/Users?count=0").await.ok();
    alone.stop().await;
    assert_eq!(world.asked_about("/session/signout").len(), 1);
}
