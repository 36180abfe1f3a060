//! What Entra ID sends, with and without its flag for SCIM's compliance.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    any::{add, call, remove},
    book::{Case, case},
    places::{Places, id, path, plain, rows},
    support::{GROUP, Provider, USER},
};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const ADSCIM: &str = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";

pub fn cases() -> Vec<Case> {
    vec![
        case!(e01, "test of the connection: nobody has a random name"),
        case!(e02, "the same for groups, without members"),
        case!(e03, "the same with a wrong token: 401"),
        case!(e04, "the flag `aadOptscim062020` in the URL"),
        case!(e05, "a filter's value without quotes"),
        case!(e06, "matching by the work address"),
        case!(
            e07,
            "a whole person, with nulls, empty lists and the enterprise extension"
        ),
        case!(e08, "booleans as text"),
        case!(e09, "a disabled person is not created")
            .decided("400: nobody is invited who may not come in"),
        case!(
            e10,
            "the same POST after a time-out: 409, and the filter finds the person"
        ),
        case!(e11, "disabled by `Replace active \"False\"`"),
        case!(e12, "disabled by `replace active false`"),
        case!(e13, "disabled without a path"),
        case!(e14, "enabled again, groups as before"),
        case!(e15, "a disabled person is found, by id and by filter"),
        case!(e16, "a new display name leaves the other names alone"),
        case!(e17, "given and family name in one request"),
        case!(e18, "dotted names without a path"),
        case!(e19, "a path with the core schema's URN"),
        case!(
            e20,
            "adding the value of a work address that is not there makes one"
        ),
        case!(
            e21,
            "value, primary and type of the work address: still one address"
        ),
        case!(e22, "a new `userName` shows at once and on"),
        case!(e23, "removing the work address leaves the account's"),
        case!(e24, "a manager in any shape is passed over"),
        case!(e25, "roles are passed over"),
        case!(e26, "reference check of a manager: an empty list"),
        case!(e27, "DELETE suspends"),
        case!(e28, "a group with Microsoft's own schema"),
        case!(
            e29,
            "a group's name that is taken: 409; one that is not managed: the text says so"
        ),
        case!(e30, "a group without members"),
        case!(e31, "`Add members` with `$ref: null`"),
        case!(e32, "`Add members` with bare ids"),
        case!(
            e33,
            "`Remove members` with a list removes those listed only"
        )
        .decided("by the letter of the RFC it would empty the group"),
        case!(e34, "`remove members[value eq …]` removes one"),
        case!(e35, "`remove members` with nothing more empties the group")
            .decided("as the RFC says, for a group of up to as many members as the guard allows"),
        case!(e36, "500 members in several operations"),
        case!(
            e37,
            "everybody who is left added again: nothing changes in the account"
        ),
        case!(e38, "reference check of a member"),
        case!(e39, "a group is renamed; 409 if the name is taken"),
        case!(
            e40,
            "`externalId` of a person and of a group changes, and is found"
        ),
        case!(e41, "DELETE of a group"),
        case!(e42, "a group created elsewhere is not matched")
            .decided("only managed groups show through SCIM; POST says 409 and why"),
        case!(e43, "one person who fails does not disturb others"),
        case!(
            e44,
            "a guest's principal name: by the rule for domains; the refusal names the mapping"
        ),
        case!(e45, "`GET /Schemas` when the settings are saved"),
        case!(
            e46,
            "odd blanks in a name come back, so that nothing is sent again"
        ),
    ]
}

fn jane(email: &str) -> Value {
    json!({
        "schemas": [USER, ENTERPRISE], "externalId": email, "userName": email, "active": true,
        "addresses": null, "displayName": "Jane Doe", "roles": [],
        "emails": [{"type": "work", "value": email, "primary": true}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "Jane Doe", "givenName": "Jane", "familyName": "Doe"},
        ENTERPRISE: {"employeeNumber": null, "department": "Finance"}
    })
}

/// Somebody as Entra ID makes them; the path.
async fn join(places: &Places, email: &str) -> String {
    let at = places.open().await;
    path(
        "/Users",
        &at.bridge.post("/Users", jane(email)).await.created(),
    )
}

const GUID: &str = "0b1e9f0c-3f24-4a3a-9d4a-6c9be4e1a001";

async fn e01(places: Arc<Places>) {
    let at = places.open().await;
    let probe = format!("/Users?filter=userName+eq+%22{GUID}%22");
    let list = at.read(&probe).await;
    assert_eq!(list["totalResults"], 0);
    assert!(rows(at.bridge.get(&probe).await).is_empty());
}

async fn e02(places: Arc<Places>) {
    let at = places.open().await;
    let probe = format!("/Groups?excludedAttributes=members&filter=displayName+eq+%22{GUID}%22");
    assert_eq!(at.read(&probe).await["totalResults"], 0);
}

async fn e03(places: Arc<Places>) {
    let at = places.shut().await;
    let probe = format!("/Users?filter=userName+eq+%22{GUID}%22");
    let call = call(reqwest::Method::GET, &probe, Some("wrong"));
    at.bridge.send(call).await.error(401, None);
}

async fn e04(places: Arc<Places>) {
    let at = places.open().await;
    let person = join(&places, "e04@example.com").await;
    for flag in [
        "?aadOptscim062020",
        "?aadOptscim062020=",
        "?AadOptscim062020&x=1",
    ] {
        at.read(&format!("{person}{flag}")).await;
    }
    let change = json!([{"op": "replace", "path": "active", "value": false}]);
    let answer = at
        .bridge
        .patch(&format!("{person}?aadOptscim062020"), change)
        .await;
    assert_eq!(answer.ok()["active"], false);
}

async fn e05(places: Arc<Places>) {
    let at = places.open().await;
    let mut sent = jane("e05@example.com");
    sent["externalId"] = json!("e05jyoung");
    let person = at.bridge.post("/Users", sent).await.created();
    let found = rows(
        at.bridge
            .get("/Users?filter=externalId%20eq%20e05jyoung")
            .await,
    );
    assert_eq!(found[0]["id"], *person);
}

async fn e06(places: Arc<Places>) {
    let at = places.open().await;
    let person = join(&places, "e06@example.com").await;
    let filter = r#"emails[type eq "work"].value eq "E06@example.com""#;
    assert_eq!(at.bridge.find("/Users", filter).await[0]["id"], id(&person));
}

async fn e07(places: Arc<Places>) {
    let at = places.open().await;
    let person = join(&places, "e07@example.com").await;
    let user = at.read(&person).await;
    assert_eq!(user["name"], jane("")["name"]);
    assert!(user.get(ENTERPRISE).is_none() && user.get("addresses").is_none());
}

async fn e08(places: Arc<Places>) {
    let at = places.open().await;
    let mut sent = jane("e08@example.com");
    sent["active"] = json!("True");
    sent["emails"][0]["primary"] = json!("True");
    let made = at.bridge.post("/Users", sent).await;
    made.created();
    assert_eq!(
        (&made.body["active"], &made.body["emails"][0]["primary"]),
        (&json!(true), &json!(true))
    );
}

async fn e09(places: Arc<Places>) {
    let at = places.open().await;
    for active in [json!(false), json!("False")] {
        let mut sent = jane("e09@example.com");
        sent["active"] = active;
        let detail = at
            .bridge
            .post("/Users", sent)
            .await
            .error(400, Some("invalidValue"));
        assert!(detail.contains("not active"), "{detail}");
    }
    assert_eq!(at.invitations("e09@example.com").await, 0);
}

async fn e10(places: Arc<Places>) {
    let at = places.open().await;
    let person = join(&places, "e10@example.com").await;
    let again = at.bridge.post("/Users", jane("e10@example.com")).await;
    again.error(409, Some("uniqueness"));
    let found = at
        .bridge
        .find("/Users", r#"userName eq "e10@example.com""#)
        .await;
    assert_eq!(found[0]["id"], id(&person));
    assert_eq!(at.invitations("e10@example.com").await, 1);
}

/// Disables somebody by these operations.
async fn disable(places: &Places, email: &str, operations: Value) {
    let at = places.open().await;
    let person = join(places, email).await;
    assert_eq!(at.patched(&person, operations).await["active"], false);
    assert_eq!(at.happened("suspended", &person).await, 1);
}

async fn e11(places: Arc<Places>) {
    let change = json!([{"op": "Replace", "path": "active", "value": "False"}]);
    disable(&places, "e11@example.com", change).await;
}

async fn e12(places: Arc<Places>) {
    let change = json!([{"op": "replace", "path": "active", "value": false}]);
    disable(&places, "e12@example.com", change).await;
}

async fn e13(places: Arc<Places>) {
    let change = json!([{"op": "Replace", "value": {"active": "False"}}]);
    disable(&places, "e13@example.com", change).await;
}

async fn e14(places: Arc<Places>) {
    let at = places.open().await;
    let person = join(&places, "e14@example.com").await;
    let group = at.group("E14", &[&person]).await;
    let set = |active: &str| json!([{"op": "Replace", "path": "active", "value": active}]);
    at.patched(&person, set("False")).await;
    let user = at.patched(&person, set("True")).await;
    assert_eq!(user["active"], true);
    assert_eq!(user["groups"][0]["value"], id(&group));
}

async fn e15(places: Arc<Places>) {
    let at = places.open().await;
    let person = join(&places, "e15@example.com").await;
    at.bridge.delete(&person).await;
    assert_eq!(at.read(&person).await["active"], false);
    let found = at
        .bridge
        .find("/Users", r#"userName eq "e15@example.com""#)
        .await;
    assert_eq!(found[0]["active"], false);
}

async fn e16(places: Arc<Places>) {
    let at = places.open().await;
    let person = join(&places, "e16@example.com").await;
    let change = json!([{"op": "Replace", "path": "displayName", "value": "X Y Z"}]);
    let user = at.patched(&person, change).await;
    assert_eq!(
        (&user["displayName"], &user["name"]),
        (&json!("X Y Z"), &jane("")["name"])
    );
    assert_eq!(at.in_account(&person).await.name, "X Y Z");
}

async fn e17(places: Arc<Places>) {
    let at = places.open().await;
    let person = join(&places, "e17@example.com").await;
    let change = json!([
        {"op": "Add", "path": "name.givenName", "value": "Janet"},
        {"op": "Replace", "path": "name.familyName", "value": "Dow"},
    ]);
    let user = at.patched(&person, change).await;
    let name = json!({"formatted": "Jane Doe", "givenName": "Janet", "familyName": "Dow"});
    assert_eq!(user["name"], name);
}

async fn e18(places: Arc<Places>) {
    let at = places.open().await;
    let person = join(&places, "e18@example.com").await;
    let change = json!([{"op": "replace", "value": {
        "displayName": "J. Doe", "name.givenName": "J.",
        "emails[type eq \"work\"].value": "j@example.com",
        format!("{ENTERPRISE}:department"): "Sales",
    }}]);
    let user = at.patched(&person, change).await;
    assert_eq!(user["displayName"], "J. Doe");
    assert_eq!(user["name"]["givenName"], "J.");
    assert_eq!(user["emails"][0]["value"], "j@example.com");
}

async fn e19(places: Arc<Places>) {
    let at = places.open().await;
    let person = join(&places, "e19@example.com").await;
    for (path, value) in [("displayName", "New"), ("name.givenName", "N")] {
        let change = json!([{"op": "Replace", "path": format!("{USER}:{path}"), "value": value}]);
        at.bridge.patch(&person, change).await.ok();
    }
    let user = at.read(&person).await;
    assert_eq!(
        (&user["displayName"], &user["name"]["givenName"]),
        (&json!("New"), &json!("N"))
    );
}

async fn e20(places: Arc<Places>) {
    let at = places.open().await;
    let mut sent = jane("e20@example.com");
    sent["emails"] = json!([{"type": "home", "value": "h@example.com"}]);
    let person = path("/Users", &at.bridge.post("/Users", sent).await.created());
    let change =
        json!([{"op": "Add", "path": "emails[type eq \"work\"].value", "value": "w@example.com"}]);
    let user = at.patched(&person, change).await;
    let both = json!([{"type": "home", "value": "h@example.com"},
        {"type": "work", "value": "w@example.com"}]);
    assert_eq!(user["emails"], both);
}

async fn e21(places: Arc<Places>) {
    let at = places.open().await;
    let person = join(&places, "e21@example.com").await;
    let change = json!([
        {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "w@example.com"},
        {"op": "Replace", "path": "emails[type eq \"work\"].primary", "value": "True"},
        {"op": "Replace", "path": "emails[type eq \"work\"].type", "value": "work"},
    ]);
    let user = at.patched(&person, change).await;
    let one = json!([{"type": "work", "value": "w@example.com", "primary": true}]);
    assert_eq!(user["emails"], one);
}

async fn e22(places: Arc<Places>) {
    let at = places.open().await;
    let person = join(&places, "e22@example.com").await;
    at.world.sign_up("e22@example.com").await;
    let change = json!([{"op": "Replace", "path": "userName", "value": "e22-new@example.com"}]);
    for _ in 0..2 {
        let user = at.patched(&person, change.clone()).await;
        assert_eq!(user["userName"], "e22-new@example.com");
    }
    let member = at.in_account(&person).await;
    assert_eq!(member.pending_email.as_deref(), Some("e22-new@example.com"));
    let found = at
        .bridge
        .find("/Users", r#"userName eq "e22-new@example.com""#)
        .await;
    assert_eq!(found[0]["id"], id(&person));
}

async fn e23(places: Arc<Places>) {
    let at = places.open().await;
    let person = join(&places, "e23@example.com").await;
    let change = json!([{"op": "Remove", "path": "emails[type eq \"work\"].value",
        "value": "e23@example.com"}]);
    let user = at.patched(&person, change).await;
    assert_eq!(user["userName"], "e23@example.com");
    assert_eq!(at.in_account(&person).await.email, "e23@example.com");
}

async fn e24(places: Arc<Places>) {
    let at = places.open().await;
    let person = join(&places, "e24@example.com").await;
    let before = at.read(&person).await;
    for (path, value) in [
        (format!("{ENTERPRISE}:manager"), json!("M")),
        (format!("{ENTERPRISE}:manager"), json!({"value": "M"})),
        (
            format!("{ENTERPRISE}:manager"),
            json!([{"$ref": "M", "value": "M"}]),
        ),
        (format!("{ENTERPRISE}.manager"), json!("M")),
        (format!("{ENTERPRISE}:manager"), json!("")),
    ] {
        let change = json!([{"op": "Add", "path": path, "value": value}]);
        assert_eq!(
            at.patched(&person, change.clone()).await,
            before,
            "{change}"
        );
    }
    let change = json!([{"op": "Remove", "path": format!("{ENTERPRISE}:manager")}]);
    assert_eq!(at.patched(&person, change).await, before);
}

async fn e25(places: Arc<Places>) {
    let at = places.open().await;
    let person = join(&places, "e25@example.com").await;
    let before = at.read(&person).await;
    for change in [
        json!([{"op": "Replace", "path": "roles", "value": []}]),
        json!([{"op": "Replace", "path": "roles", "value": [{"value": "Admin", "primary": "True"}]}]),
        json!([{"op": "Add", "path": "roles[primary eq \"True\"].value", "value": "Admin"}]),
    ] {
        assert_eq!(
            at.patched(&person, change.clone()).await,
            before,
            "{change}"
        );
    }
}

async fn e26(places: Arc<Places>) {
    let at = places.open().await;
    let person = join(&places, "e26@example.com").await;
    let filter = format!("id eq \"{}\" and manager eq \"M\"", id(&person));
    assert!(at.bridge.find("/Users", &filter).await.is_empty());
}

async fn e27(places: Arc<Places>) {
    let at = places.open().await;
    let person = join(&places, "e27@example.com").await;
    assert_eq!(at.bridge.delete(&person).await.status, 204);
    assert_eq!(at.happened("suspended", &person).await, 1);
}

fn team(name: &str) -> Value {
    json!({
        "schemas": [GROUP, ADSCIM], "externalId": format!("id of {name}"), "displayName": name,
        "members": [], "meta": {"resourceType": "Group"}
    })
}

async fn e28(places: Arc<Places>) {
    let at = places.open().await;
    let made = at.bridge.post("/Groups", team("E28")).await;
    made.created();
    assert_eq!(made.body["externalId"], "id of E28");
}

async fn e29(places: Arc<Places>) {
    let at = places.open().await;
    at.group("E29", &[]).await;
    at.bridge
        .post("/Groups", team("e29"))
        .await
        .error(409, Some("uniqueness"));
    at.unmanaged_group("E29 elsewhere").await;
    let answer = at.bridge.post("/Groups", team("E29 elsewhere")).await;
    let detail = answer.error(409, Some("uniqueness"));
    assert!(
        detail.contains(r#"groups manage "E29 elsewhere""#),
        "{detail}"
    );
}

async fn e30(places: Arc<Places>) {
    let at = places.open().await;
    let person = join(&places, "e30@example.com").await;
    let group = at.group("E30", &[&person]).await;
    let shown = at
        .read(&format!("{group}?excludedAttributes=members"))
        .await;
    assert_eq!(shown["displayName"], "E30");
    assert!(shown.get("members").is_none());
}

async fn e31(places: Arc<Places>) {
    let at = places.open().await;
    let person = join(&places, "e31@example.com").await;
    let group = at.group("E31", &[]).await;
    let value = json!([{"$ref": null, "value": id(&person)}]);
    let change = json!([{"op": "Add", "path": "members", "value": value}]);
    at.bridge.patch(&group, change).await.done();
    at.assert_members(&at.members(&group).await, &[&person]);
}

async fn e32(places: Arc<Places>) {
    let at = places.open().await;
    let (a, b) = (
        join(&places, "e32a@example.com").await,
        join(&places, "e32b@example.com").await,
    );
    let group = at.group("E32", &[]).await;
    for value in [json!(id(&a)), json!([id(&b)])] {
        let change = json!([{"op": "Add", "path": "members", "value": value}]);
        at.bridge.patch(&group, change).await.done();
    }
    at.assert_members(&at.members(&group).await, &[&a, &b]);
}

async fn e33(places: Arc<Places>) {
    let at = places.open().await;
    let (a, b) = (
        join(&places, "e33a@example.com").await,
        join(&places, "e33b@example.com").await,
    );
    let group = at.group("E33", &[&a, &b]).await;
    let value = json!([{"$ref": null, "value": id(&a)}]);
    let change = json!([{"op": "Remove", "path": "members", "value": value}]);
    at.bridge.patch(&group, change).await.done();
    at.assert_members(&at.members(&group).await, &[&b]);
}

async fn e34(places: Arc<Places>) {
    let at = places.open().await;
    let (a, b) = (
        join(&places, "e34a@example.com").await,
        join(&places, "e34b@example.com").await,
    );
    let group = at.group("E34", &[&a, &b]).await;
    at.bridge.patch(&group, remove(&a)).await.done();
    at.assert_members(&at.members(&group).await, &[&b]);
}

async fn e35(places: Arc<Places>) {
    let at = places.open().await;
    let person = join(&places, "e35@example.com").await;
    let group = at.group("E35", &[&person]).await;
    at.bridge
        .patch(&group, json!([{"op": "Remove", "path": "members"}]))
        .await
        .done();
    assert!(at.members(&group).await.is_empty());
}

async fn e36(places: Arc<Places>) {
    let (at, people) = places.crowd().await;
    let group = at.group("E36", &[]).await;
    let operations: Vec<Value> = people[..500]
        .chunks(50)
        .map(|people| {
            let value: Vec<Value> = people
                .iter()
                .map(|id| json!({"$ref": null, "value": id}))
                .collect();
            json!({"op": "Add", "path": "members", "value": value})
        })
        .collect();
    at.bridge.patch(&group, json!(operations)).await.done();
    assert_eq!(at.members(&group).await.len(), 500);
    let grants = at
        .world
        .asked_about(&format!("/groups/{}/grants", id(&group)));
    assert_eq!(grants.len(), 1, "the account is asked once");
}

async fn e37(places: Arc<Places>) {
    let at = places.open().await;
    let mut people = Vec::new();
    for number in 0..5 {
        people.push(join(&places, &format!("e37-{number}@example.com")).await);
    }
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let group = at.group("E37", &people).await;
    at.bridge.patch(&group, remove(people[0])).await.done();
    at.bridge.patch(&group, add(&people[1..])).await.done();
    at.assert_members(&at.members(&group).await, &people[1..]);
    assert_eq!(at.happened("granted", &group).await, people.len());
}

async fn e38(places: Arc<Places>) {
    let at = places.open().await;
    let (a, b) = (
        join(&places, "e38a@example.com").await,
        join(&places, "e38b@example.com").await,
    );
    let group = at.group("E38", &[&a]).await;
    for (person, found) in [(&a, 1), (&b, 0)] {
        let filter = format!("id eq \"{}\" and members eq \"{}\"", id(&group), id(person));
        assert_eq!(at.bridge.find("/Groups", &filter).await.len(), found);
    }
}

async fn e39(places: Arc<Places>) {
    let at = places.open().await;
    let group = at.group("E39", &[]).await;
    at.group("E39 taken", &[]).await;
    let rename = |name: &str| json!([{"op": "Replace", "path": "displayName", "value": name}]);
    assert_eq!(
        at.patched(&group, rename("E39 new")).await["displayName"],
        "E39 new"
    );
    assert_eq!(at.name_in_account(&group).await, "E39 new");
    let answer = at.bridge.patch(&group, rename("E39 Taken")).await;
    answer.error(409, Some("uniqueness"));
}

async fn e40(places: Arc<Places>) {
    let at = places.open().await;
    let person = join(&places, "e40@example.com").await;
    let group = path(
        "/Groups",
        &at.bridge.post("/Groups", team("E40")).await.created(),
    );
    for (endpoint, path) in [("/Users", &person), ("/Groups", &group)] {
        let new = format!("new {path}");
        let change = json!([{"op": "Replace", "path": "externalId", "value": new}]);
        assert_eq!(at.patched(path, change).await["externalId"], *new);
        let found = at
            .bridge
            .find(endpoint, &format!("externalId eq \"{new}\""))
            .await;
        assert_eq!(found[0]["id"], id(path));
    }
    assert!(
        at.bridge
            .find("/Users", r#"externalId eq "e40@example.com""#)
            .await
            .is_empty()
    );
}

async fn e41(places: Arc<Places>) {
    let at = places.open().await;
    let group = at.group("E41", &[]).await;
    assert_eq!(at.bridge.delete(&group).await.status, 204);
    assert_eq!(at.happened("group_deleted", &group).await, 1);
}

async fn e42(places: Arc<Places>) {
    let at = places.open().await;
    let group = at.unmanaged_group("E42").await;
    assert!(
        at.bridge
            .find("/Groups", r#"displayName eq "E42""#)
            .await
            .is_empty()
    );
    at.bridge.get(&group).await.error(404, None);
    let detail = at
        .bridge
        .post("/Groups", team("E42"))
        .await
        .error(409, Some("uniqueness"));
    assert!(detail.contains("does not manage"), "{detail}");
}

async fn e43(places: Arc<Places>) {
    let at = places.limited().await;
    let emails = [
        "e43a@example.com",
        "e43@other.example",
        "no address",
        "e43b@example.com",
    ];
    let mut answers = Vec::new();
    for email in emails {
        answers.push(at.bridge.post("/Users", plain(email)).await);
    }
    answers[0].created();
    answers[3].created();
    let domain = answers[1].error(400, Some("invalidValue"));
    let address = answers[2].error(400, Some("invalidValue"));
    assert!(domain.contains("other.example") && address.contains("no address"));
}

async fn e44(places: Arc<Places>) {
    let guest = "jane_ex.com#EXT#@t.onmicrosoft.com";
    let at = places.open().await;
    at.bridge.post("/Users", plain(guest)).await.created();
    let at = places.limited().await;
    let detail = at
        .bridge
        .post("/Users", plain(guest))
        .await
        .error(400, Some("invalidValue"));
    assert!(detail.contains("mail attribute to userName"), "{detail}");
}

async fn e45(places: Arc<Places>) {
    let at = places.open().await;
    let schemas = rows(at.bridge.get("/Schemas").await);
    let ids: Vec<_> = schemas.iter().map(|schema| &schema["id"]).collect();
    assert!(ids.contains(&&json!(USER)) && ids.contains(&&json!(GROUP)));
}

async fn e46(places: Arc<Places>) {
    let at = places.open().await;
    let person = join(&places, "e46@example.com").await;
    let odd = " Jane   Doe  ";
    let change = json!([{"op": "Replace", "path": "displayName", "value": odd}]);
    assert_eq!(at.patched(&person, change).await["displayName"], odd);
}
