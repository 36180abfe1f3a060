//! What OneLogin sends, whose templates anybody may edit.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    any::{add, remove},
    book::{Case, case},
    places::{Places, id, path, rows},
    support::{Call, Provider, USER},
};

pub fn cases() -> Vec<Case> {
    vec![
        case!(l01, "test of the connection: nobody has the name"),
        case!(l02, "`active` as text, `id: null`, plain JSON"),
        case!(l03, "a manager as `managerId` is passed over"),
        case!(l04, "PUT of the whole person"),
        case!(l05, "PUT with `active` as text suspends"),
        case!(
            l06,
            "refresh of entitlements: all managed groups with their names"
        ),
        case!(l07, "a group is made, filled and emptied"),
        case!(l08, "DELETE suspends"),
        case!(
            l09,
            "a macro that was not filled in: passed over, but refused as `userName`"
        ),
        case!(l10, "a base URL with a slash at its end"),
    ]
}

fn joe(email: &str) -> Value {
    json!({
        "schemas": [USER], "userName": email, "active": "true", "id": null,
        "name": {"givenName": "Joe", "familyName": "Poe", "formatted": "Joe Poe"},
        "emails": [{"value": email, "type": "work", "primary": true}], "displayName": "Joe Poe"
    })
}

async fn l01(places: Arc<Places>) {
    let at = places.open().await;
    assert!(
        at.bridge
            .find("/Users", r#"userName eq "l01-nobody""#)
            .await
            .is_empty()
    );
}

async fn l02(places: Arc<Places>) {
    let at = places.open().await;
    let post = Call {
        method: reqwest::Method::POST,
        path: "/Users",
        token: Some(&at.bridge.token),
        headers: &[("content-type", "application/json")],
        body: Some(joe("l02@example.com").to_string()),
    };
    let made = at.bridge.send(post).await;
    made.created();
    assert_eq!(made.body["active"], true);
}

async fn l03(places: Arc<Places>) {
    let at = places.open().await;
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let mut sent = joe("l03@example.com");
    sent[enterprise] = json!({"manager": {"managerId": "1"}});
    let made = at.bridge.post("/Users", sent).await;
    made.created();
    assert!(made.body.get(enterprise).is_none());
}

async fn l04(places: Arc<Places>) {
    let at = places.open().await;
    let person = path(
        "/Users",
        &at.bridge
            .post("/Users", joe("l04@example.com"))
            .await
            .created(),
    );
    let mut sent = joe("l04@example.com");
    sent["displayName"] = json!("Joseph Poe");
    let user = at.bridge.put(&person, sent).await.ok();
    assert_eq!(
        (&user["displayName"], &user["id"]),
        (&json!("Joseph Poe"), &json!(id(&person)))
    );
}

async fn l05(places: Arc<Places>) {
    let at = places.open().await;
    let person = path(
        "/Users",
        &at.bridge
            .post("/Users", joe("l05@example.com"))
            .await
            .created(),
    );
    let mut sent = joe("l05@example.com");
    sent["active"] = json!("false");
    assert_eq!(at.bridge.put(&person, sent).await.ok()["active"], false);
    assert_eq!(at.happened("suspended", &person).await, 1);
}

async fn l06(places: Arc<Places>) {
    let at = places.open().await;
    let (one, two) = (
        at.group("L06 one", &[]).await,
        at.group("L06 two", &[]).await,
    );
    let listed = rows(at.bridge.get("/Groups").await);
    for (group, name) in [(one, "L06 one"), (two, "L06 two")] {
        let row = listed.iter().find(|row| row["id"] == id(&group)).unwrap();
        assert_eq!(row["displayName"], name);
    }
}

async fn l07(places: Arc<Places>) {
    let at = places.open().await;
    let person = at.person("l07@example.com").await;
    let group = at.group("L07", &[]).await;
    at.bridge.patch(&group, add(&[&person])).await.done();
    at.assert_members(&at.members(&group).await, &[&person]);
    at.bridge.patch(&group, remove(&person)).await.done();
    assert!(at.members(&group).await.is_empty());
}

async fn l08(places: Arc<Places>) {
    let at = places.open().await;
    let person = at.person("l08@example.com").await;
    assert_eq!(at.bridge.delete(&person).await.status, 204);
    assert_eq!(at.happened("suspended", &person).await, 1);
}

async fn l09(places: Arc<Places>) {
    let at = places.open().await;
    let mut sent = joe("l09@example.com");
    sent["title"] = json!("{$user.title}");
    at.bridge.post("/Users", sent).await.created();
    let refused = at.bridge.post("/Users", joe("{$user.email}")).await;
    let detail = refused.error(400, Some("invalidValue"));
    assert!(detail.contains("{$user.email}"), "{detail}");
}

async fn l10(places: Arc<Places>) {
    let at = places.open().await;
    let person = at.person("l10@example.com").await;
    let user = at.read(&format!("{}/{person}", at.bridge.tenant)).await;
    assert_eq!(user["id"], id(&person));
}
