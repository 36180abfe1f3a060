//! What Okta sends: the catalogue's app, which patches states, and custom apps, which put all.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};

use super::{
    any::{add, remove, walk},
    book::{Case, case},
    places::{CROWD, Places, id, member, path, plain, rows},
    support::{GROUP, Provider, USER},
};

pub fn cases() -> Vec<Case> {
    vec![
        case!(
            k01,
            "test of the credentials: two people, and how many there are"
        ),
        case!(k02, "the same for groups"),
        case!(k03, "the same while provisioning is switched off", elsewhere: "as G48"),
        case!(
            k04,
            "nobody has the name that is to be assigned: an empty list"
        ),
        case!(k05, "somebody has: all that Okta reads is there"),
        case!(k06, "POST: 201 with the whole person"),
        case!(k07, "POST of somebody who exists: 409"),
        case!(k08, "GET before an update"),
        case!(k09, "PUT of the whole profile"),
        case!(k10, "PUT with `active: false` suspends"),
        case!(k11, "PUT without `active` changes no state").decided("as G31"),
        case!(k12, "PUT with a new `userName`"),
        case!(k13, "deactivated without a path"),
        case!(k14, "activated without a path"),
        case!(k15, "a password is passed over"),
        case!(k16, "an import walks all pages, everybody once"),
        case!(k17, "an import shows who is suspended"),
        case!(k18, "the total with a filter and without"),
        case!(k19, "a group is looked for by its name"),
        case!(k20, "POST of a group with an empty list of members"),
        case!(k21, "POST of a group with members"),
        case!(
            k22,
            "the rename that comes with each push, to the same name: nothing is written"
        ),
        case!(k23, "one out and one in, in one request"),
        case!(k24, "a removal by filter is done, not only answered"),
        case!(k25, "a member with `display` and without `type`"),
        case!(
            k26,
            "push now: exactly the list; only the difference is written"
        ),
        case!(k27, "push now of an empty list empties the group")
            .decided("as the RFC says, for a group of up to as many members as the guard allows"),
        case!(k28, "PUT of a group: new name, exactly these members"),
        case!(k29, "PUT of a group without members renames and keeps them")
            .decided("a group's members are replaced only by a list of members"),
        case!(k30, "the answer to a push")
            .decided("204, however many members; Okta takes 200 with the group too"),
        case!(k31, "DELETE of a group"),
        case!(k32, "GET of a group that was deleted: 404"),
        case!(k33, "a group whose other members are not assigned", elsewhere: "nothing of them is sent"),
        case!(
            k34,
            "the reason of a refusal can be read in Okta's list of tasks"
        ),
        case!(k35, "a display name in the core schema's namespace"),
        case!(k36, "suspended in Okta, not deactivated", elsewhere: "nothing is sent"),
        case!(k37, "Okta's own two suites, step by step"),
    ]
}

fn jane(email: &str) -> Value {
    json!({
        "schemas": [USER], "userName": email, "name": {"givenName": "Jane", "familyName": "Doe"},
        "emails": [{"primary": true, "value": email, "type": "work"}],
        "displayName": "Jane Doe", "locale": "en-US", "externalId": email,
        "groups": [], "password": "1mz050nq", "active": true
    })
}

/// Somebody as Okta makes them; the path.
async fn assign(places: &Places, email: &str) -> String {
    let at = places.open().await;
    path(
        "/Users",
        &at.bridge.post("/Users", jane(email)).await.created(),
    )
}

fn probe(email: &str) -> String {
    let email = email.replace('@', "%40");
    format!("/Users?filter=userName%20eq%20%22{email}%22&startIndex=1&count=100")
}

fn set_active(active: bool) -> Value {
    json!([{"op": "replace", "value": {"active": active}}])
}

async fn k01(places: Arc<Places>) {
    let (at, _) = places.crowd().await;
    let list = at.read("/Users?startIndex=1&count=2").await;
    assert_eq!(list["totalResults"], CROWD + 2);
    assert_eq!(
        rows(at.bridge.get("/Users?startIndex=1&count=2").await).len(),
        2
    );
}

async fn k02(places: Arc<Places>) {
    let at = places.open().await;
    let group = at.group("K02", &[]).await;
    let listed = rows(at.bridge.get("/Groups?startIndex=1&count=1000").await);
    assert!(listed.iter().any(|row| row["id"] == id(&group)));
}

async fn k04(places: Arc<Places>) {
    let at = places.open().await;
    assert_eq!(at.read(&probe("k04@ex.com")).await["totalResults"], 0);
}

async fn k05(places: Arc<Places>) {
    let at = places.open().await;
    let person = assign(&places, "k05@ex.com").await;
    let found = rows(at.bridge.get(&probe("k05@ex.com")).await);
    assert_eq!(found.len(), 1);
    let user = &found[0];
    assert_eq!(user["id"], id(&person));
    assert_eq!(
        user["name"],
        json!({"givenName": "Jane", "familyName": "Doe"})
    );
    assert_eq!(user["userName"], "k05@ex.com");
    assert_eq!(user["active"], true);
    assert_eq!(user["emails"][0]["value"], "k05@ex.com");
}

async fn k06(places: Arc<Places>) {
    let at = places.open().await;
    let made = at.bridge.post("/Users", jane("k06@ex.com")).await;
    made.created();
    for name in [
        "schemas", "id", "meta", "userName", "name", "emails", "active",
    ] {
        assert!(made.body.get(name).is_some(), "{name}");
    }
}

async fn k07(places: Arc<Places>) {
    let at = places.open().await;
    assign(&places, "k07@ex.com").await;
    let again = at.bridge.post("/Users", jane("k07@ex.com")).await;
    again.error(409, Some("uniqueness"));
}

async fn k08(places: Arc<Places>) {
    let at = places.open().await;
    let person = assign(&places, "k08@ex.com").await;
    assert_eq!(at.read(&person).await["userName"], "k08@ex.com");
}

async fn k09(places: Arc<Places>) {
    let at = places.open().await;
    let person = assign(&places, "k09@ex.com").await;
    let mut sent = jane("k09@ex.com");
    sent["name"]["givenName"] = json!("Janet");
    sent["displayName"] = json!("Janet Doe");
    let user = at.bridge.put(&person, sent.clone()).await.ok();
    assert_eq!(
        (&user["name"], &user["displayName"]),
        (&sent["name"], &sent["displayName"])
    );
    assert_eq!(at.in_account(&person).await.name, "Janet Doe");
}

async fn k10(places: Arc<Places>) {
    let at = places.open().await;
    let person = assign(&places, "k10@ex.com").await;
    let mut sent = jane("k10@ex.com");
    sent["active"] = json!(false);
    assert_eq!(at.bridge.put(&person, sent).await.ok()["active"], false);
    assert_eq!(at.happened("suspended", &person).await, 1);
}

async fn k11(places: Arc<Places>) {
    let at = places.open().await;
    let person = assign(&places, "k11@ex.com").await;
    let mut sent = jane("k11@ex.com");
    sent.as_object_mut().unwrap().remove("active");
    for active in [false, true] {
        at.patched(&person, set_active(active)).await;
        assert_eq!(
            at.bridge.put(&person, sent.clone()).await.ok()["active"],
            active
        );
    }
}

async fn k12(places: Arc<Places>) {
    let at = places.open().await;
    let person = assign(&places, "k12@ex.com").await;
    let mut sent = jane("k12@ex.com");
    sent["userName"] = json!("k12-new@ex.com");
    let user = at.bridge.put(&person, sent).await.ok();
    assert_eq!(user["userName"], "k12-new@ex.com");
    let found = rows(at.bridge.get(&probe("k12-new@ex.com")).await);
    assert_eq!(found[0]["id"], id(&person));
}

async fn k13(places: Arc<Places>) {
    let at = places.open().await;
    let person = assign(&places, "k13@ex.com").await;
    assert_eq!(
        at.patched(&person, set_active(false)).await["active"],
        false
    );
    assert_eq!(at.happened("suspended", &person).await, 1);
}

async fn k14(places: Arc<Places>) {
    let at = places.open().await;
    let person = assign(&places, "k14@ex.com").await;
    at.patched(&person, set_active(false)).await;
    assert_eq!(at.patched(&person, set_active(true)).await["active"], true);
    assert_eq!(at.happened("reactivated", &person).await, 1);
}

async fn k15(places: Arc<Places>) {
    let at = places.open().await;
    let person = assign(&places, "k15@ex.com").await;
    let change = json!([{"op": "replace", "value": {"password": "K15-correct-horse"}}]);
    super::secrets::remember("K15-correct-horse");
    assert_eq!(at.patched(&person, change).await["active"], true);
}

async fn k16(places: Arc<Places>) {
    let (at, people) = places.crowd().await;
    let walked = walk(at, 100).await;
    assert_eq!(walked.len(), CROWD + 2);
    let unique: BTreeSet<_> = walked.iter().collect();
    assert!(people.iter().all(|person| unique.contains(person)));
    assert_eq!(unique.len(), walked.len());
}

async fn k17(places: Arc<Places>) {
    let (at, people) = places.crowd().await;
    let last = people.last().unwrap();
    let page = rows(
        at.bridge
            .get(&format!("/Users?startIndex={}&count=1000", CROWD - 100))
            .await,
    );
    let gone = page.iter().find(|user| user["id"] == **last).unwrap();
    assert_eq!(gone["active"], false);
}

async fn k18(places: Arc<Places>) {
    let (at, _) = places.crowd().await;
    let total = async |query: &str| {
        at.read(&format!("/Users?count=1{query}")).await["totalResults"].clone()
    };
    assert_eq!(total("").await, CROWD + 2);
    assert_eq!(total("&filter=active+eq+false").await, 1);
    let some = "&filter=userName+sw+%22person1%22";
    assert_eq!(total(some).await, 1 + 10 + 100 + 1000);
}

async fn k19(places: Arc<Places>) {
    let at = places.open().await;
    let group = at.group("K19 group", &[]).await;
    let ask = async |name: &str| {
        let path = format!("/Groups?filter=displayName%20eq%20%22{name}%22&startIndex=1&count=100");
        rows(at.bridge.get(&path).await)
    };
    assert_eq!(ask("K19%20group").await[0]["id"], id(&group));
    assert!(ask("K19%20other").await.is_empty());
}

async fn k20(places: Arc<Places>) {
    let at = places.open().await;
    let body = json!({"schemas": [GROUP], "displayName": "K20", "members": []});
    at.bridge.post("/Groups", body).await.created();
}

async fn k21(places: Arc<Places>) {
    let at = places.open().await;
    let (a, b) = (
        assign(&places, "k21a@ex.com").await,
        assign(&places, "k21b@ex.com").await,
    );
    let group = at.group("K21", &[&a, &b]).await;
    at.assert_members(&at.members(&group).await, &[&a, &b]);
}

async fn k22(places: Arc<Places>) {
    let at = places.open().await;
    let group = at.group("K22", &[]).await;
    let same = json!([{"op": "replace", "value": {"id": id(&group), "displayName": "K22"}}]);
    at.bridge.patch(&group, same).await.done();
    let about = at.world.asked_about(&format!("/groups/{}", id(&group)));
    assert!(
        !about.iter().any(|line| line.starts_with("PATCH")),
        "{about:?}"
    );
    assert_eq!(at.happened("group_renamed", &group).await, 0);
}

async fn k23(places: Arc<Places>) {
    let at = places.open().await;
    let (a, b) = (
        assign(&places, "k23a@ex.com").await,
        assign(&places, "k23b@ex.com").await,
    );
    let group = at.group("K23", &[&a]).await;
    let change = json!([
        {"op": "replace", "value": {"id": id(&group), "displayName": "K23"}},
        remove(&a)[0],
        {"op": "add", "path": "members", "value": [{"value": id(&b), "display": "k23b@ex.com"}]},
    ]);
    at.bridge.patch(&group, change).await.done();
    at.assert_members(&at.members(&group).await, &[&b]);
}

async fn k24(places: Arc<Places>) {
    let at = places.open().await;
    let person = assign(&places, "k24@ex.com").await;
    let group = at.group("K24", &[&person]).await;
    at.bridge.patch(&group, remove(&person)).await.done();
    assert!(at.members(&group).await.is_empty());
    assert_eq!(at.happened("revoked", &group).await, 1);
}

async fn k25(places: Arc<Places>) {
    let at = places.open().await;
    let person = assign(&places, "k25@ex.com").await;
    let group = at.group("K25", &[]).await;
    let value = json!([{"value": id(&person), "display": "k25@ex.com"}]);
    at.patched(
        &group,
        json!([{"op": "add", "path": "members", "value": value}]),
    )
    .await;
    at.assert_members(&at.members(&group).await, &[&person]);
}

/// The operation of a push now.
fn push(people: &[&str]) -> Value {
    let members: Vec<Value> = people.iter().map(|path| member(path)).collect();
    json!([{"op": "replace", "path": "members", "value": members}])
}

async fn k26(places: Arc<Places>) {
    let at = places.open().await;
    let (a, b) = (
        assign(&places, "k26a@ex.com").await,
        assign(&places, "k26b@ex.com").await,
    );
    let c = assign(&places, "k26c@ex.com").await;
    let group = at.group("K26", &[&a, &b]).await;
    at.bridge.patch(&group, push(&[&b, &c])).await.done();
    at.assert_members(&at.members(&group).await, &[&b, &c]);
    assert_eq!(at.happened("granted", &group).await, 3);
    assert_eq!(at.happened("revoked", &group).await, 1);
}

async fn k27(places: Arc<Places>) {
    let at = places.open().await;
    let person = assign(&places, "k27@ex.com").await;
    let group = at.group("K27", &[&person]).await;
    at.bridge.patch(&group, push(&[])).await.done();
    assert!(at.members(&group).await.is_empty());
}

async fn k28(places: Arc<Places>) {
    let at = places.open().await;
    let (a, b) = (
        assign(&places, "k28a@ex.com").await,
        assign(&places, "k28b@ex.com").await,
    );
    let group = at.group("K28", &[&a]).await;
    let body = json!({"schemas": [GROUP], "displayName": "K28 new", "members": [member(&b)]});
    assert_eq!(
        at.bridge.put(&group, body).await.ok()["displayName"],
        "K28 new"
    );
    at.assert_members(&at.members(&group).await, &[&b]);
    let body = json!({"schemas": [GROUP], "displayName": "K28 new", "members": []});
    at.bridge.put(&group, body).await.ok();
    assert!(at.members(&group).await.is_empty());
}

async fn k29(places: Arc<Places>) {
    let at = places.open().await;
    let person = assign(&places, "k29@ex.com").await;
    let group = at.group("K29", &[&person]).await;
    let body = json!({"schemas": [GROUP], "displayName": "K29 new"});
    at.bridge.put(&group, body).await.ok();
    assert_eq!(at.name_in_account(&group).await, "K29 new");
    at.assert_members(&at.members(&group).await, &[&person]);
}

async fn k30(places: Arc<Places>) {
    let (at, people) = places.crowd().await;
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let group = at.group("K30", &[]).await;
    for some in [3, 200] {
        let answer = at.bridge.patch(&group, push(&people[..some])).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    }
}

async fn k31(places: Arc<Places>) {
    let at = places.open().await;
    let person = assign(&places, "k31@ex.com").await;
    let group = at.group("K31", &[&person]).await;
    assert_eq!(at.bridge.delete(&group).await.status, 204);
    assert_eq!(at.read(&person).await["active"], true);
}

async fn k32(places: Arc<Places>) {
    let at = places.open().await;
    let group = at.group("K32", &[]).await;
    at.bridge.delete(&group).await;
    let detail = at.bridge.get(&group).await.error(404, None);
    assert!(detail.contains(id(&group)), "{detail}");
}

async fn k34(places: Arc<Places>) {
    let at = places.limited().await;
    let answer = at.bridge.post("/Users", jane("k34@other.example")).await;
    let detail = answer.error(400, Some("invalidValue"));
    assert!(
        detail.contains("other.example") && detail.contains("add the domain"),
        "{detail}"
    );
}

async fn k35(places: Arc<Places>) {
    let at = places.open().await;
    let person = assign(&places, "k35@ex.com").await;
    let change = json!([{"op": "replace", "value": {USER: {"displayName": "J. Doe"}}}]);
    let user = at.patched(&person, change).await;
    assert_eq!(
        (&user["displayName"], &user["name"]),
        (&json!("J. Doe"), &jane("")["name"])
    );
    let change = json!([{"op": "replace", "value": {format!("{USER}:displayName"): "J. D."}}]);
    assert_eq!(at.patched(&person, change).await["displayName"], "J. D.");
}

async fn k37(places: Arc<Places>) {
    let at = places.open().await;
    // The specification: a list says what it is, and its first row can be read.
    let list = at.read("/Users?count=1&startIndex=1").await;
    assert_eq!(
        list["schemas"],
        json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"])
    );
    let first = path("/Users", list["Resources"][0]["id"].as_str().unwrap());
    assert!(at.read(&first).await["userName"].is_string());
    // Somebody who is not there.
    assert!(rows(at.bridge.get(&probe("k37-nobody@ex.com")).await).is_empty());
    let detail = at
        .bridge
        .get("/Users/010101001010101011001010101011")
        .await
        .error(404, None);
    assert!(!detail.is_empty());
    // Somebody new, once.
    let made = at.bridge.post("/Users", jane("k37@ex.com")).await;
    let person = path("/Users", &made.created());
    let user = at.read(&person).await;
    assert_eq!(user["name"]["familyName"], "Doe");
    at.bridge
        .post("/Users", jane("k37@ex.com"))
        .await
        .error(409, Some("uniqueness"));
    at.read("/Groups").await;
    // The life of somebody: found in any case, changed, off, on.
    let found = rows(at.bridge.get(&probe("K37@EX.COM")).await);
    assert_eq!(found[0]["id"], id(&person));
    let mut sent = user.clone();
    sent["name"]["givenName"] = json!("Other");
    assert_eq!(
        at.bridge.put(&person, sent).await.ok()["name"]["givenName"],
        "Other"
    );
    for active in [false, true] {
        assert_eq!(
            at.patched(&person, set_active(active)).await["active"],
            active
        );
    }
    // The life of a group.
    let group = at.group("K37", &[]).await;
    at.bridge.patch(&group, add(&[&person])).await.done();
    at.assert_members(&at.members(&group).await, &[&person]);
    assert_eq!(at.bridge.delete(&group).await.status, 204);
    at.bridge
        .post("/Users", plain("not an address"))
        .await
        .error(400, Some("invalidValue"));
}
