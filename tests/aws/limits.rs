//! What fits through Lambda.

use reqwest::Method;
use serde_json::json;

use crate::{
    cloud::Cloud,
    function::{Function, Handler},
    gateway::Front,
    support::{Call, GROUP, Provider, World, user},
};

#[tokio::test]
async fn large_requests_are_taken_and_too_large_ones_refused() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let mut scim = Function::start(&world, &cloud, Handler::Scim, &[]).await;
    for (number, front) in [Front::HttpApi, Front::RestApi].into_iter().enumerate() {
        scim.front = front;
        let mut large = user(&format!("p{number}@example.com"));
        large["urn:example:else"] = json!({ "note": "x\u{e9}\"".repeat(200_000) });
        scim.post("/Users", large.clone()).await.created();
        large["urn:example:else"] = json!({ "note": "x".repeat(3_000_000) });
        scim.post("/Users", large).await.error(413, None);
    }
}

#[tokio::test]
async fn an_answer_that_lambda_does_not_carry_is_one_that_says_so() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let scim = Function::start(&world, &cloud, Handler::Scim, &[]).await;
    let group = json!({ "schemas": [GROUP], "displayName": "Everybody" });
    let group = scim.post("/Groups", group).await.created();
    add_members(&world, &group, 50_000);
    let path = format!("/Groups/{group}");
    let ask = async |path: &str, headers: &[(&str, &str)]| {
        let call = Call {
            method: Method::GET,
            path,
            token: Some(&scim.token),
            headers,
            body: None,
        };
        scim.send(call).await
    };
    let plain = ask(&path, &[]).await;
    let detail = plain.error(400, Some("tooMany"));
    assert!(detail.contains("accept gzip"), "{detail}");
    assert!(detail.contains("excludedAttributes=members"), "{detail}");
    let whole = ask(&path, &[("accept-encoding", "gzip")]).await.ok();
    assert_eq!(whole["members"].as_array().unwrap().len(), 50_000);
    let without = format!("{path}?excludedAttributes=members");
    ask(&without, &[]).await.ok();
}

/// Puts people into the account who have only an address, and into the group.
fn add_members(world: &World, group: &str, people: usize) {
    let mut db = rusqlite::Connection::open(world.dir.path().join("account.db")).unwrap();
    let all = db.transaction().unwrap();
    for number in 0..people {
        let uuid = scim_bridge::onepassword::identifier::upper().unwrap();
        let email = format!("person.number.{number}@department.example.com");
        all.execute(
            "INSERT INTO members (uuid, email, name, language, state, created_at, updated_at)
             VALUES (?1, ?2, ?3, 'en', 'ACTIVE', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z')",
            [&uuid, &email, &format!("Person Number {number}")],
        )
        .unwrap();
        all.execute(
            "INSERT INTO memberships SELECT seq, ?1 FROM groups WHERE uuid = ?2",
            rusqlite::params![all.last_insert_rowid(), group],
        )
        .unwrap();
    }
    all.commit().unwrap();
}
