//! What Rippling sends, by its switches with PATCH for groups or without.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    any::remove,
    book::{Case, case},
    places::{Places, id, member, path, rows},
    support::{GROUP, Provider, USER},
};

pub fn cases() -> Vec<Case> {
    vec![
        case!(r01, "test of the connection by `ServiceProviderConfig`"),
        case!(r02, "groups, page by page")
            .decided("those that the bridge manages; the account's others do not show"),
        case!(r03, "a person with an employee number"),
        case!(r04, "the same POST again: 409, no second invitation"),
        case!(r05, "PATCH of members in both dialects"),
        case!(r06, "PUT of a group: exactly these members"),
        case!(r07, "an end and a new beginning: suspended, reactivated"),
        case!(r08, "a new name reaches the account"),
    ]
}

fn ripley(email: &str) -> Value {
    json!({
        "schemas": [USER, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
        "externalId": email, "userName": email, "active": true,
        "emails": [{"value": email, "primary": true}],
        "name": {"givenName": "Ellen", "familyName": "Ripley"},
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"employeeNumber": "42"}
    })
}

async fn hire(places: &Places, email: &str) -> String {
    let at = places.open().await;
    path(
        "/Users",
        &at.bridge.post("/Users", ripley(email)).await.created(),
    )
}

async fn r01(places: Arc<Places>) {
    let at = places.open().await;
    assert_eq!(
        at.read("/ServiceProviderConfig").await["patch"]["supported"],
        true
    );
}

async fn r02(places: Arc<Places>) {
    let at = places.limited().await;
    let mut made = Vec::new();
    for number in 0..5 {
        made.push(at.group(&format!("R02 {number}"), &[]).await);
    }
    at.unmanaged_group("R02 elsewhere").await;
    let mut walked = Vec::new();
    loop {
        let page = format!("/Groups?startIndex={}&count=2", walked.len() + 1);
        let page = rows(at.bridge.get(&page).await);
        if page.is_empty() {
            break;
        }
        walked.extend(
            page.iter()
                .map(|row| path("/Groups", row["id"].as_str().unwrap())),
        );
    }
    walked.sort();
    made.sort();
    assert_eq!(walked, made);
}

async fn r03(places: Arc<Places>) {
    let at = places.open().await;
    let person = hire(&places, "r03@example.com").await;
    let user = at.read(&person).await;
    assert_eq!(user["externalId"], "r03@example.com");
    assert_eq!(at.in_account(&person).await.name, "Ellen Ripley");
}

async fn r04(places: Arc<Places>) {
    let at = places.open().await;
    hire(&places, "r04@example.com").await;
    let again = at.bridge.post("/Users", ripley("r04@example.com")).await;
    again.error(409, Some("uniqueness"));
    assert_eq!(at.invitations("r04@example.com").await, 1);
}

async fn r05(places: Arc<Places>) {
    let at = places.open().await;
    let (a, b) = (
        hire(&places, "r05a@example.com").await,
        hire(&places, "r05b@example.com").await,
    );
    let group = at.group("R05", &[]).await;
    for change in [
        json!([{"op": "add", "path": "members", "value": [member(&a)]}]),
        json!([{"op": "add", "value": {"members": [member(&b)]}}]),
    ] {
        at.bridge.patch(&group, change).await.done();
    }
    at.assert_members(&at.members(&group).await, &[&a, &b]);
    let listed = json!([{"op": "remove", "path": "members", "value": [member(&a)]}]);
    for change in [listed, remove(&b)] {
        at.bridge.patch(&group, change).await.done();
    }
    assert!(at.members(&group).await.is_empty());
}

async fn r06(places: Arc<Places>) {
    let at = places.open().await;
    let (a, b) = (
        hire(&places, "r06a@example.com").await,
        hire(&places, "r06b@example.com").await,
    );
    let group = at.group("R06", &[&a]).await;
    let body = json!({"schemas": [GROUP], "displayName": "R06", "members": [member(&b)]});
    at.bridge.put(&group, body).await.ok();
    at.assert_members(&at.members(&group).await, &[&b]);
}

async fn r07(places: Arc<Places>) {
    let at = places.open().await;
    let person = hire(&places, "r07@example.com").await;
    let set = |active: bool| json!([{"op": "replace", "path": "active", "value": active}]);
    assert_eq!(at.patched(&person, set(false)).await["active"], false);
    assert_eq!(at.patched(&person, set(true)).await["active"], true);
    assert_eq!(at.bridge.delete(&person).await.status, 204);
    let mut back = ripley("r07@example.com");
    back["id"] = json!(id(&person));
    assert_eq!(at.bridge.put(&person, back).await.ok()["active"], true);
    assert_eq!(at.happened("reactivated", &person).await, 2);
}

async fn r08(places: Arc<Places>) {
    let at = places.open().await;
    let person = hire(&places, "r08@example.com").await;
    let change = json!([{"op": "replace", "path": "name.familyName", "value": "Dallas"}]);
    assert_eq!(
        at.patched(&person, change).await["name"]["familyName"],
        "Dallas"
    );
    assert_eq!(at.in_account(&person).await.name, "Ellen Dallas");
}
