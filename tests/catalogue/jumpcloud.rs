//! What JumpCloud sends, which tries a real person and a real group when it is connected.

use std::sync::Arc;

use serde_json::json;

use super::{
    any::walk,
    book::{Case, case},
    places::{CROWD, Places, id, member, path, plain, rows},
    support::{Provider, USER},
};

pub fn cases() -> Vec<Case> {
    vec![
        case!(
            j01,
            "activation: a person is made, read, changed and deleted"
        )
        .decided("the person is invited like everybody else, and suspended in the end"),
        case!(j02, "activation: a group is made and deleted, and is gone"),
        case!(
            j03,
            "activation with an address outside the allowed domains: 400 that says so"
        ),
        case!(j04, "a filter with paging"),
        case!(
            j05,
            "`Add` and `Remove` with a list change those listed only"
        ),
        case!(j06, "who is unbound is suspended, by `active` or by DELETE"),
        case!(j07, "the last member goes, the group stays"),
        case!(j08, "an import reads everybody"),
        case!(j09, "SCIM 1.1: 400 that says so").decided("with `invalidVers` (RFC 7644 table 9)"),
    ]
}

async fn j01(places: Arc<Places>) {
    let at = places.open().await;
    let made = at.bridge.post("/Users", plain("j01@example.com")).await;
    let person = path("/Users", &made.created());
    at.read(&person).await;
    let change = json!([{"op": "replace", "path": "displayName", "value": "Test"}]);
    assert_eq!(at.patched(&person, change).await["displayName"], "Test");
    at.bridge.put(&person, plain("j01@example.com")).await.ok();
    assert_eq!(at.bridge.delete(&person).await.status, 204);
    assert_eq!(at.read(&person).await["active"], false);
}

async fn j02(places: Arc<Places>) {
    let at = places.open().await;
    let group = at.group("J02", &[]).await;
    assert_eq!(at.bridge.delete(&group).await.status, 204);
    at.bridge.get(&group).await.error(404, None);
    assert!(
        at.bridge
            .find("/Groups", r#"displayName eq "J02""#)
            .await
            .is_empty()
    );
    assert_eq!(at.happened("group_deleted", &group).await, 1);
}

async fn j03(places: Arc<Places>) {
    let at = places.limited().await;
    let answer = at
        .bridge
        .post("/Users", plain("test@jumpcloud.example"))
        .await;
    let detail = answer.error(400, Some("invalidValue"));
    assert!(detail.contains("jumpcloud.example"), "{detail}");
}

async fn j04(places: Arc<Places>) {
    let (at, people) = places.crowd().await;
    let filter = "/Users?filter=userName%20eq%20%22person7@crowd.example%22&startIndex=1&count=100";
    assert_eq!(rows(at.bridge.get(filter).await)[0]["id"], *people[7]);
}

async fn j05(places: Arc<Places>) {
    let at = places.open().await;
    let (a, b) = (
        at.person("j05a@example.com").await,
        at.person("j05b@example.com").await,
    );
    let c = at.person("j05c@example.com").await;
    let group = at.group("J05", &[&a, &b]).await;
    let change = json!([{"op": "Add", "path": "members", "value": [member(&c)]}]);
    at.bridge.patch(&group, change).await.done();
    at.assert_members(&at.members(&group).await, &[&a, &b, &c]);
    let change = json!([{"op": "Remove", "path": "members", "value": [member(&a), member(&c)]}]);
    at.bridge.patch(&group, change).await.done();
    at.assert_members(&at.members(&group).await, &[&b]);
}

async fn j06(places: Arc<Places>) {
    let at = places.open().await;
    let (a, b) = (
        at.person("j06a@example.com").await,
        at.person("j06b@example.com").await,
    );
    let change = json!([{"op": "replace", "path": "active", "value": false}]);
    assert_eq!(at.patched(&a, change).await["active"], false);
    at.bridge.delete(&b).await;
    for person in [a, b] {
        assert_eq!(at.happened("suspended", &person).await, 1);
    }
}

async fn j07(places: Arc<Places>) {
    let at = places.open().await;
    let person = at.person("j07@example.com").await;
    let group = at.group("J07", &[&person]).await;
    let change = json!([{"op": "Remove", "path": "members", "value": [member(&person)]}]);
    at.bridge.patch(&group, change).await.done();
    assert!(at.members(&group).await.is_empty());
    assert_eq!(at.read(&group).await["id"], id(&group));
}

async fn j08(places: Arc<Places>) {
    let (at, people) = places.crowd().await;
    let walked = walk(at, 500).await;
    assert_eq!(walked.len(), CROWD + 2);
    assert!(people.iter().all(|person| walked.contains(person)));
}

async fn j09(places: Arc<Places>) {
    let at = places.open().await;
    let mut sent = plain("j09@example.com");
    for schemas in [
        json!(["urn:scim:schemas:core:1.0"]),
        json!([USER, "urn:scim:schemas:core:1.0"]),
    ] {
        sent["schemas"] = schemas;
        let detail = at
            .bridge
            .post("/Users", sent.clone())
            .await
            .error(400, Some("invalidVers"));
        assert!(detail.contains("SCIM 2.0 only"), "{detail}");
    }
}
