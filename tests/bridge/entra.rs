//! The whole story in Entra ID's dialect.

use serde_json::{Value, json};

use crate::support::{Provider, World, until};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn ann() -> Value {
    json!({
        "schemas": [crate::support::USER, ENTERPRISE],
        "externalId": "ann", "userName": "Ann@Example.com", "active": "True", "addresses": null,
        "displayName": "Ann  Example ",
        "emails": [{"type": "work", "value": "Ann@Example.com", "primary": "True"}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "Ann Example", "givenName": "Ann", "familyName": "Example"},
        "roles": [],
        ENTERPRISE: {"department": "Finance", "manager": "x"}
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_comes_works_leaves_and_returns() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;

    // Test Connection, with the flag that Entra's admins add to the URL.
    let probe = "/Users?aadOptscim062020&filter=userName+eq+%223f2504e0-4f89%22";
    let empty = bridge.get(probe).await.ok();
    assert_eq!(
        (&empty["totalResults"], &empty["startIndex"]),
        (&json!(0), &json!(1))
    );
    assert!(
        bridge
            .find("/Groups", r#"displayName eq "Finance""#)
            .await
            .is_empty()
    );

    // Ann and Finance are created; what was sent comes back.
    let answer = bridge.post("/Users", ann()).await;
    let id = answer.created();
    let user = bridge.get(&format!("/Users/{id}")).await.ok();
    assert_eq!(user["userName"], "Ann@Example.com");
    assert_eq!(user["displayName"], "Ann  Example ");
    assert_eq!(user["externalId"], "ann");
    assert_eq!(user["name"], ann()["name"]);
    assert_eq!(user["active"], true);
    let emails = json!([{"type": "work", "value": "Ann@Example.com", "primary": true}]);
    assert_eq!(user["emails"], emails);
    assert!(user.get("roles").is_none() && user.get(ENTERPRISE).is_none());

    let finance = json!({
        "schemas": [crate::support::GROUP,
            "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
        "externalId": "8aa1a0c0", "displayName": "Finance", "members": [],
        "meta": {"resourceType": "Group"}
    });
    let answer = bridge.post("/Groups", finance.clone()).await;
    let group = answer.created();
    let again = bridge.post("/Groups", finance).await;
    again.error(409, Some("uniqueness"));

    // The same POST after a time-out: refused, and found by the filters that follow.
    bridge
        .post("/Users", ann())
        .await
        .error(409, Some("uniqueness"));
    for filter in [
        r#"userName eq "ann@EXAMPLE.com""#,
        r#"externalId eq "ann""#,
        "externalId eq ann",
        r#"emails[type eq "work"].value eq "ann@example.com""#,
        r#"emails.value eq "ann@example.com""#,
        &format!(r#"id eq "{id}""#),
    ] {
        let found = bridge.find("/Users", filter).await;
        assert_eq!(found.len(), 1, "{filter}");
        assert_eq!(found[0]["id"], *id, "{filter}");
    }
    assert!(
        bridge
            .find("/Users", r#"externalId eq "ANN""#)
            .await
            .is_empty()
    );
    let reference = format!(r#"id eq "{id}" and manager eq "M""#);
    assert!(bridge.find("/Users", &reference).await.is_empty());

    // Membership before she has any key.
    let add = json!([{"op": "Add", "path": "members", "value": [{"$ref": null, "value": id}]}]);
    bridge
        .patch(&format!("/Groups/{group}"), add.clone())
        .await
        .done();
    bridge.patch(&format!("/Groups/{group}"), add).await.done();
    let of_ann = format!(r#"id eq "{group}" and members eq "{id}""#);
    assert_eq!(bridge.find("/Groups", &of_ann).await.len(), 1);
    let of_nobody = format!(r#"id eq "{group}" and members eq "{group}""#);
    assert!(bridge.find("/Groups", &of_nobody).await.is_empty());
    let shown = bridge.get(&format!("/Groups/{group}")).await.ok();
    assert_eq!(shown["members"][0]["value"], *id);
    let path = format!("/Groups/{group}?excludedAttributes=members");
    assert!(bridge.get(&path).await.ok().get("members").is_none());
    let user = bridge.get(&format!("/Users/{id}")).await.ok();
    assert_eq!(user["groups"][0]["value"], *group);

    // She signs up, is confirmed, and Finance's key opens for her.
    let kit = world.sign_up("ann@example.com").await;
    world.until_opened(&kit, "Finance").await;
    assert_eq!(world.count("confirmed").await, 1);

    // Disabled: her sign-in is refused; still found, inactive.
    let disable = json!([{"op": "Replace", "path": "active", "value": "False"}]);
    let user = bridge.patch(&format!("/Users/{id}"), disable).await.ok();
    assert_eq!(user["active"], false);
    assert!(world.sign_in(&kit).await.is_err());
    let found = bridge
        .find("/Users", r#"userName eq "ann@example.com""#)
        .await;
    assert_eq!(found[0]["active"], false);

    // Enabled, in the dialect of the flag.
    let enable = json!([{"op": "replace", "path": "active", "value": true}]);
    bridge.patch(&format!("/Users/{id}"), enable).await.ok();
    world.until_opened(&kit, "Finance").await;

    // A new name, in both of Entra's ways.
    let rename = json!([
        {"op": "Add", "path": "name.givenName", "value": "Anna"},
        {"op": "replace", "value": {"displayName": "Anna Example", "name.familyName": "Ex"}},
    ]);
    let user = bridge.patch(&format!("/Users/{id}"), rename).await.ok();
    let name = json!({"formatted": "Ann Example", "givenName": "Anna", "familyName": "Ex"});
    assert_eq!(
        (&user["displayName"], &user["name"]),
        (&json!("Anna Example"), &name)
    );

    // Only she leaves the group, by the dialect in which the RFC would empty it.
    let bob = bridge.invite("bob@example.com").await;
    let add = json!([{"op": "Add", "path": "members", "value": [{"value": bob}]}]);
    bridge.patch(&format!("/Groups/{group}"), add).await.done();
    let remove =
        json!([{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": id}]}]);
    bridge
        .patch(&format!("/Groups/{group}"), remove)
        .await
        .done();
    let shown = bridge.get(&format!("/Groups/{group}")).await.ok();
    let members = shown["members"].as_array().unwrap();
    assert_eq!(
        members.iter().map(|m| &m["value"]).collect::<Vec<_>>(),
        [&json!(bob)]
    );
    let report = world.sign_in(&kit).await.unwrap();
    assert!(report.groups.iter().all(|group| group.name != "Finance"));

    // Deleted: suspended, and nothing left to do the second time.
    for _ in 0..2 {
        assert_eq!(bridge.delete(&format!("/Users/{id}")).await.status, 204);
    }
    let user = bridge.get(&format!("/Users/{id}")).await.ok();
    assert_eq!(user["active"], false);
    assert_eq!(bridge.delete(&format!("/Groups/{group}")).await.status, 204);
    bridge
        .get(&format!("/Groups/{group}"))
        .await
        .error(404, None);
    bridge
        .delete(&format!("/Groups/{group}"))
        .await
        .error(404, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_address_waits_for_consent_and_shows_at_once() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let id = bridge.post("/Users", ann()).await.created();
    let kit = world.sign_up("ann@example.com").await;
    until(async || (world.count("confirmed").await == 1).then_some(())).await;

    let operations = json!([{"op": "Replace", "path": "userName", "value": "anna@example.com"}]);
    let path = format!("/Users/{id}");
    let user = bridge.patch(&path, operations.clone()).await.ok();
    assert_eq!(user["userName"], "anna@example.com");
    assert_eq!(bridge.get(&path).await.ok()["userName"], "anna@example.com");
    let found = bridge
        .find("/Users", r#"userName eq "anna@example.com""#)
        .await;
    assert_eq!(found[0]["id"], *id);
    assert!(
        bridge
            .find("/Users", r#"userName eq "ann@example.com""#)
            .await
            .is_empty()
    );

    // She signs in as before until she consents; then as the new one, and her keys still open.
    world.sign_in(&kit).await.unwrap();
    let kit = scim_bridge::sandbox::person::accept_email(&world.client, &world.origin(), &kit)
        .await
        .unwrap();
    assert_eq!(kit.email, "anna@example.com");
    assert!(
        world
            .sign_in(&kit)
            .await
            .unwrap()
            .groups
            .iter()
            .all(|group| group.opened)
    );
    assert_eq!(
        bridge.patch(&path, operations).await.ok()["userName"],
        "anna@example.com"
    );

    // Nobody else's address.
    bridge.invite("bob@example.com").await;
    let taken = json!([{"op": "Replace", "path": "userName", "value": "BOB@example.com"}]);
    bridge
        .patch(&path, taken)
        .await
        .error(409, Some("uniqueness"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_entra_sends_beside_is_harmless() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let id = bridge.post("/Users", ann()).await.created();
    let path = format!("/Users/{id}");
    for operations in [
        json!([{"op": "Replace", "value": {"active": "True"}}]),
        json!([{"op": "Replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:displayName",
            "value": "Ann  Example "}]),
        json!([{"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "a@x.example"},
            {"op": "Replace", "path": "emails[type eq \"work\"].primary", "value": "True"}]),
        json!([{"op": "Remove", "path": "emails[type eq \"work\"].value", "value": "a@x.example"}]),
        json!([{"op": "Add", "path": "emails[type eq \"work\"].value", "value": "n@x.example"}]),
        json!([{"op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": "M"}]),
        json!([{"op": "Replace", "path": "externalId", "value": "ann2"}]),
    ] {
        let answer = bridge.patch(&path, operations.clone()).await;
        assert_eq!(answer.status, 200, "{operations}: {}", answer.text);
    }
    let user = bridge.get(&path).await.ok();
    assert_eq!(user["emails"].as_array().unwrap().len(), 1);
    assert_eq!(user["emails"][0]["value"], "n@x.example");
    assert_eq!(user["userName"], "Ann@Example.com");
    assert_eq!(
        bridge.find("/Users", r#"externalId eq "ann2""#).await.len(),
        1
    );
    assert!(
        bridge
            .find("/Users", r#"externalId eq "ann""#)
            .await
            .is_empty()
    );

    // One bad operation, and nothing is applied.
    let operations = json!([
        {"op": "Replace", "path": "displayName", "value": "Other"},
        {"op": "Replace", "path": "active", "value": "maybe"},
    ]);
    bridge
        .patch(&path, operations)
        .await
        .error(400, Some("invalidValue"));
    assert_eq!(bridge.get(&path).await.ok()["displayName"], "Ann  Example ");

    // A disabled person is not invited.
    let mut disabled = ann();
    disabled["userName"] = json!("off@example.com");
    disabled["externalId"] = json!("off");
    disabled["active"] = json!(false);
    bridge
        .post("/Users", disabled)
        .await
        .error(400, Some("invalidValue"));
    assert_eq!(world.count("invited").await, 1);
}
