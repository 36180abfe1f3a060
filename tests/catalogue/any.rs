//! What any provider may send.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    book::{Case, case},
    places::{CROWD, Place, Places, id, member, path, plain, rows},
    secrets,
    support::{Answer, Bridge, Call, GROUP, Provider, USER},
};

pub fn cases() -> Vec<Case> {
    vec![
        case!(g01, "no token: 401 with a challenge; the account is not asked"),
        case!(g02, "a wrong token: 401 without a hint; the account is not asked"),
        case!(g03, "`bearer` in lower case"),
        case!(g04, "the root, `/scim` and `/scim/v2` are one place"),
        case!(g05, "double and trailing slashes: the same answer, no redirect"),
        case!(g06, "JSON as `application/json` or `application/scim+json`, with or without charset; else 415"),
        case!(g07, "every error is a SCIM error in SCIM's media type")
            .decided("what a gateway answers by itself is set where the gateway is"),
        case!(g08, "broken JSON: 400 `invalidSyntax`"),
        case!(g09, "an unknown id: 404 that can be read"),
        case!(g10, "`/Bulk` and `/.search` are offered, `/Me` is 501"),
        case!(g11, "names of attributes in any case"),
        case!(g12, "null and empty attributes are no attributes"),
        case!(g13, "unknown attributes and schemas are passed over"),
        case!(g14, "a password is neither kept, shown nor logged"),
        case!(g15, "a huge `count` is capped"),
        case!(g16, "`count=0`: only the total"),
        case!(g17, "`startIndex` below 1 is 1"),
        case!(g18, "a page behind the end is empty and knows the total"),
        case!(g19, "pages of any size: one order, nothing twice, nothing missing"),
        case!(g20, "a list's numbers are numbers, and true"),
        case!(g21, "a filter in any encoding, case and spacing"),
        case!(g22, "quotes, plus, apostrophe and accents in a filter's value"),
        case!(g23, "`userName` is compared without case"),
        case!(g24, "filters by `id`, `externalId` and addresses"),
        case!(g25, "a filter that cannot be judged: 400 `invalidFilter`, never everybody"),
        case!(g26, "`attributes`: those, `id` and `schemas`"),
        case!(g27, "`excludedAttributes=members`: not even read from the account"),
        case!(g28, "POST of somebody who exists: 409, and they stay as they were"),
        case!(g29, "two equal POSTs at once: one 201, one 409, one mail"),
        case!(g30, "a new `userName` with a known `externalId`: 409"),
        case!(g31, "PUT without `active` keeps the state")
            .decided("Okta leaves it out when it means no change"),
        case!(g32, "read-only attributes")
            .decided("passed over in PUT and in a PATCH without path; with a path that would change one, `mutability` (RFC 7644 3.5.2)"),
        case!(g33, "one bad operation: nothing is applied"),
        case!(g34, "`op` in any case"),
        case!(g35, "`active` as boolean or as text; anything else 400 `invalidValue`"),
        case!(g36, "adding a member twice changes nothing in the account"),
        case!(g37, "removing who is no member is done"),
        case!(g38, "an unknown member: 400 that names the id, nobody added"),
        case!(g39, "members without `type`, with `$ref: null` or `display`"),
        case!(g40, "a group as a member: 400 that says so"),
        case!(g41, "DELETE of a person suspends; again is 204 again"),
        case!(g42, "DELETE of a group; then 404"),
        case!(g43, "groups that are not managed or have power: 403 that says so"),
        case!(g44, "suspending an owner or the bridge itself: 403"),
        case!(g45, "a domain that is not allowed: 400 that names the setting"),
        case!(g46, "the account asks for a slower pace: 429 with `Retry-After`"),
        case!(g47, "the account is away: 503 with `Retry-After`, nothing half done"),
        case!(g48, "provisioning is switched off in 1Password", elsewhere: "the account's protocol has no such switch"),
        case!(g49, "a firewall refuses the bridge: 503")
            .decided("the bridge cannot know its own outward address, so the answer does not name it"),
        case!(g50, "a body in base64 from a gateway", elsewhere: "the entry point for that gateway"),
        case!(g51, "PATCH with 2,000 members"),
        case!(g52, "a body above the limit: 413 that names it"),
        case!(g53, "two PATCHes of one group at once: both count"),
        case!(g54, "`If-Match` with an old version: 412"),
        case!(g55, "`ServiceProviderConfig` says what is true"),
        case!(g56, "`ResourceTypes` and `Schemas`, whole and one by one"),
        case!(g57, "201 with `Location` under the caller's own base"),
        case!(g58, "values come back exactly as sent"),
        case!(g59, "methods that are not possible: 405 with `Allow`")
            .decided("HEAD answers as GET does without a body (RFC 9110 9.3.2); OPTIONS tells the methods"),
        case!(g60, "200 probes at once: none fails"),
    ]
}

/// A request with everything about it.
pub fn call<'a>(method: Method, path: &'a str, token: Option<&'a str>) -> Call<'a> {
    Call {
        method,
        path,
        token,
        headers: &[],
        body: None,
    }
}

/// A POST of this text as this media type.
async fn raw(bridge: &Bridge, path: &str, media_type: &str, body: &str) -> Answer {
    let call = Call {
        headers: &[("content-type", media_type)],
        body: Some(body.to_owned()),
        ..call(Method::POST, path, Some(&bridge.token))
    };
    bridge.send(call).await
}

async fn g01(places: Arc<Places>) {
    let at = places.shut().await;
    for path in ["/Users", "/Groups", "/ServiceProviderConfig", "/nothing"] {
        let answer = at.bridge.send(call(Method::GET, path, None)).await;
        answer.error(401, None);
        let challenge = answer.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("Bearer"));
    }
    assert_eq!(at.world.requests(), 0);
}

async fn g02(places: Arc<Places>) {
    let at = places.shut().await;
    let mistyped = format!("{}x", at.world.token);
    let mut told = BTreeSet::new();
    for token in ["x", &mistyped] {
        let answer = at.bridge.send(call(Method::GET, "/Users", Some(token)));
        told.insert(answer.await.error(401, None));
    }
    assert_eq!(told.len(), 1, "no hint what is wrong: {told:?}");
    assert_eq!(at.world.requests(), 0);
}

async fn g03(places: Arc<Places>) {
    let at = places.open().await;
    let value = format!("bearer {}", at.bridge.token);
    let headers = [("authorization", value.as_str())];
    let call = Call {
        headers: &headers,
        ..call(Method::GET, "/Users?count=1", None)
    };
    at.bridge.send(call).await.ok();
}

async fn g04(places: Arc<Places>) {
    let at = places.open().await;
    let person = at.person("g04@example.com").await;
    let mut answers = BTreeSet::new();
    for base in ["", "/scim", "/scim/v2"] {
        let base = format!("{}{base}", at.origin());
        let user = at.read(&format!("{base}{person}")).await;
        answers.insert(user.to_string().replace(&format!("{base}/"), "/"));
    }
    assert_eq!(answers.len(), 1, "{answers:#?}");
}

async fn g05(places: Arc<Places>) {
    let at = places.open().await;
    let person = at.person("g05@example.com").await;
    let clean = at.read(&person).await;
    for spelt in ["/scim/v2//Users/", "//scim/v2/Users//", "/scim//v2/Users/"] {
        let url = format!("{}{spelt}{}/", at.origin(), id(&person));
        // The client follows no redirect, so this is the answer itself.
        assert_eq!(at.read(&url).await, clean, "{spelt}");
    }
}

async fn g06(places: Arc<Places>) {
    let at = places.open().await;
    let types = ["application/json", "application/scim+json"];
    for (number, media_type) in types.iter().enumerate() {
        for charset in ["", "; charset=utf-8", ";charset=UTF-8"] {
            let email = format!("g06-{number}-{}@example.com", charset.len());
            let media_type = format!("{media_type}{charset}");
            let body = plain(&email).to_string();
            raw(&at.bridge, "/Users", &media_type, &body)
                .await
                .created();
        }
    }
    for other in [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
    ] {
        raw(&at.bridge, "/Users", other, "{}")
            .await
            .error(415, None);
    }
}

async fn g07(places: Arc<Places>) {
    let at = places.open().await;
    let bridge = &at.bridge;
    at.person("g07@example.com").await;
    bridge
        .send(call(Method::GET, "/Users", None))
        .await
        .error(401, None);
    bridge.get("/Users/unknown").await.error(404, None);
    bridge.get("/nothing/at/all").await.error(404, None);
    bridge
        .post("/Users/unknown", json!({}))
        .await
        .error(405, None);
    bridge
        .post("/Users", plain("g07@example.com"))
        .await
        .error(409, Some("uniqueness"));
    bridge
        .post("/Users", json!({"userName": 5}))
        .await
        .error(400, Some("invalidValue"));
    bridge
        .get("/Users?filter=x")
        .await
        .error(400, Some("invalidFilter"));
    raw(bridge, "/Users", "text/plain", "x")
        .await
        .error(415, None);
    bridge.post("/Me", json!({})).await.error(501, None);
}

async fn g08(places: Arc<Places>) {
    let at = places.open().await;
    for body in [r#"{"userName":"#, "", "[]", "null", "{} {}"] {
        let answer = raw(&at.bridge, "/Users", "application/scim+json", body).await;
        answer.error(400, Some("invalidSyntax"));
    }
}

async fn g09(places: Arc<Places>) {
    let at = places.open().await;
    for path in [
        "/Users/unknown",
        "/Users/AAAAAAAAAAAAAAAAAAAAAAAAAA",
        "/Groups/unknown",
    ] {
        let detail = at.bridge.get(path).await.error(404, None);
        assert!(detail.contains(id(path)), "{detail}");
    }
}

async fn g10(places: Arc<Places>) {
    let at = places.open().await;
    at.bridge.get("/Me").await.error(501, None);
    let search = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "count": 1
    });
    rows(at.bridge.post("/.search", search).await);
    let bulk = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [{"method": "DELETE", "path": "/Users/unknown"}]
    });
    let done = at.bridge.post("/Bulk", bulk).await.ok();
    assert_eq!(done["Operations"][0]["status"], "404");
}

async fn g11(places: Arc<Places>) {
    let at = places.open().await;
    let sent = json!({
        "schemas": [USER], "UserName": "g11@example.com",
        "Emails": [{"Value": "x@example.com", "Primary": true}]
    });
    let made = at.bridge.post("/Users", sent).await;
    made.created();
    assert_eq!(made.body["userName"], "g11@example.com");
    assert_eq!(
        made.body["emails"],
        json!([{"value": "x@example.com", "primary": true}])
    );
}

async fn g12(places: Arc<Places>) {
    let at = places.open().await;
    let mut sent = plain("g12@example.com");
    for (name, value) in [
        ("roles", json!([])),
        ("groups", json!([])),
        ("emails", json!([])),
        ("addresses", Value::Null),
        ("name", Value::Null),
        ("externalId", Value::Null),
    ] {
        sent[name] = value;
    }
    let made = at.bridge.post("/Users", sent).await;
    made.created();
    for name in [
        "roles",
        "groups",
        "emails",
        "addresses",
        "name",
        "externalId",
    ] {
        assert!(made.body.get(name).is_none(), "{name}");
    }
}

async fn g13(places: Arc<Places>) {
    let at = places.open().await;
    let mut sent = plain("g13@example.com");
    sent["schemas"] = json!([USER, "urn:example:unknown:1.0:User"]);
    sent["shoeSize"] = json!(44);
    sent["urn:example:unknown:1.0:User"] = json!({"a": [1, {"b": null}]});
    let made = at.bridge.post("/Users", sent).await;
    made.created();
    assert!(made.body.get("shoeSize").is_none());
}

async fn g14(places: Arc<Places>) {
    let at = places.open().await;
    // From here on every answer and every log is searched for it.
    let password = "G14-hunter2-hunter2";
    secrets::remember(password);
    let mut sent = plain("g14@example.com");
    sent["password"] = json!(password);
    let made = at.bridge.post("/Users", sent.clone()).await;
    let person = path("/Users", &made.created());
    at.bridge.put(&person, sent).await.ok();
    let change = json!([
        {"op": "replace", "path": "password", "value": password},
        {"op": "replace", "value": {"password": password}},
    ]);
    at.bridge.patch(&person, change).await.ok();
    at.bridge
        .get(&format!("{person}?attributes=password"))
        .await
        .ok();
}

/// The owner and the Provision Manager belong to the crowd too.
const EVERYBODY: usize = CROWD + 2;

async fn g15(places: Arc<Places>) {
    let (at, _) = places.crowd().await;
    let list = at.read("/Users?count=100000").await;
    assert_eq!(list["totalResults"], EVERYBODY);
    let most = at.read("/ServiceProviderConfig").await["filter"]["maxResults"].clone();
    assert_eq!(list["itemsPerPage"], most);
}

async fn g16(places: Arc<Places>) {
    let (at, _) = places.crowd().await;
    let list = at.read("/Users?count=0").await;
    assert_eq!(list["totalResults"], EVERYBODY);
    assert!(list["Resources"].as_array().is_none_or(Vec::is_empty));
}

async fn g17(places: Arc<Places>) {
    let (at, _) = places.crowd().await;
    let first = at.read("/Users?count=3").await;
    for start in ["0", "-5"] {
        let list = at.read(&format!("/Users?startIndex={start}&count=3")).await;
        assert_eq!(list, first);
        assert_eq!(list["startIndex"], 1);
    }
}

async fn g18(places: Arc<Places>) {
    let (at, _) = places.crowd().await;
    let behind = format!("/Users?startIndex={}", EVERYBODY + 51);
    let list = at.read(&behind).await;
    assert_eq!(list["totalResults"], EVERYBODY);
    assert!(rows(at.bridge.get(&behind).await).is_empty());
}

/// The ids of all users, read in pages of this size.
pub async fn walk(at: &Place, count: usize) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let start = found.len() + 1;
        let page = format!("/Users?startIndex={start}&count={count}");
        let page = rows(at.bridge.get(&page).await);
        if page.is_empty() {
            return found;
        }
        assert!(page.len() <= count);
        let ids = page
            .iter()
            .map(|user| user["id"].as_str().unwrap().to_owned());
        found.extend(ids);
    }
}

async fn g19(places: Arc<Places>) {
    let (at, people) = places.crowd().await;
    let (small, large) = (walk(at, 73).await, walk(at, 1000).await);
    assert_eq!(small, large);
    assert_eq!(small.len(), EVERYBODY);
    let unique: BTreeSet<_> = small.iter().collect();
    assert_eq!(unique.len(), EVERYBODY);
    assert!(people.iter().all(|person| unique.contains(person)));
}

async fn g20(places: Arc<Places>) {
    let (at, _) = places.crowd().await;
    for path in [
        "/Users?startIndex=1&count=2",
        "/Users?startIndex=2000&count=100",
        "/Users?filter=userName%20eq%20%22person1@crowd.example%22",
        "/Groups",
    ] {
        let list = at.read(path).await;
        let rows = list["Resources"].as_array().map_or(0, Vec::len);
        for number in ["totalResults", "startIndex", "itemsPerPage"] {
            assert!(list[number].is_u64(), "{path} {number}");
        }
        assert_eq!(list["itemsPerPage"], rows, "{path}");
    }
}

async fn g21(places: Arc<Places>) {
    let at = places.open().await;
    let person = at.person("g21@example.com").await;
    for filter in [
        "userName+eq+%22g21@example.com%22",
        "userName%20eq%20%22g21%40example.com%22",
        "userName%20EQ%20%22g21@example.com%22",
        "USERNAME%20%20eq%20%20%22g21@example.com%22",
        "(userName%20eq%20%22g21@example.com%22)",
        "((userName+Eq+%22g21%40example.com%22)+AND+(userName+pr))",
    ] {
        let found = rows(at.bridge.get(&format!("/Users?filter={filter}")).await);
        assert_eq!(found.len(), 1, "{filter}");
        assert_eq!(found[0]["id"], id(&person));
    }
}

async fn g22(places: Arc<Places>) {
    let at = places.open().await;
    let names = ["g22 \"quoted\" \\ name", "g22 O'Neil", "g22 Zoë"];
    for (number, name) in names.iter().enumerate() {
        let mut sent = plain(&format!("g22+{number}@example.com"));
        sent["displayName"] = json!(name);
        let person = at.bridge.post("/Users", sent).await.created();
        let filter = format!("displayName eq {}", json!(name));
        let found = at.bridge.find("/Users", &filter).await;
        assert_eq!(found[0]["id"], *person, "{name}");
        let literal = format!("/Users?filter=userName%20eq%20%22g22+{number}@example.com%22");
        assert_eq!(rows(at.bridge.get(&literal).await)[0]["id"], *person);
    }
    for email in ["g22.o'neil@example.com", "g22.zoë@example.com"] {
        let person = at.bridge.invite(email).await;
        let filter = format!("userName eq \"{email}\"");
        let found = at.bridge.find("/Users", &filter).await;
        assert_eq!(found[0]["id"], *person, "{email}");
    }
}

async fn g23(places: Arc<Places>) {
    let at = places.open().await;
    let person = at.person("g23@ex.com").await;
    let found = at
        .bridge
        .find("/Users", r#"userName eq "G23@EX.COM""#)
        .await;
    assert_eq!(found[0]["id"], id(&person));
}

async fn g24(places: Arc<Places>) {
    let at = places.open().await;
    let mut sent = plain("g24@example.com");
    sent["externalId"] = json!("g24");
    sent["emails"] = json!([{"value": "g24@work.example", "type": "work", "primary": true},
        {"value": "g24@home.example", "type": "home"}]);
    let person = at.bridge.post("/Users", sent).await.created();
    for filter in [
        &format!("id eq \"{person}\""),
        r#"externalId eq "g24""#,
        r#"emails.value eq "g24@home.example""#,
        r#"emails eq "g24@home.example""#,
        r#"emails[type eq "work"].value eq "g24@work.example""#,
        r#"emails[type eq "work" and value eq "g24@work.example"]"#,
    ] {
        let found = at.bridge.find("/Users", filter).await;
        assert_eq!(found.len(), 1, "{filter}");
        assert_eq!(found[0]["id"], *person);
    }
    let other = r#"emails[type eq "home"].value eq "g24@work.example""#;
    assert!(at.bridge.find("/Users", other).await.is_empty());
}

async fn g25(places: Arc<Places>) {
    let at = places.open().await;
    for filter in [
        "title%20co%20%22x%22",
        "userName",
        "userName%20xx%20%22y%22",
        "%22",
    ] {
        let answer = at.bridge.get(&format!("/Users?filter={filter}")).await;
        answer.error(400, Some("invalidFilter"));
    }
}

/// The names of an object's members, in alphabetical order.
fn names(value: &Value) -> Vec<&str> {
    let mut names: Vec<_> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names
}

async fn g26(places: Arc<Places>) {
    let at = places.open().await;
    let mut sent = plain("g26@example.com");
    sent["emails"] = json!([{"value": "g26@example.com", "type": "work"}]);
    let person = path("/Users", &at.bridge.post("/Users", sent).await.created());
    let wanted = ["emails", "id", "schemas", "userName"];
    let user = at
        .read(&format!("{person}?attributes=userName,emails"))
        .await;
    assert_eq!(names(&user), wanted);
    let list = format!(
        "/Users?attributes=userName,emails&filter=id%20eq%20%22{}%22",
        id(&person)
    );
    assert_eq!(names(&rows(at.bridge.get(&list).await)[0]), wanted);
}

async fn g27(places: Arc<Places>) {
    let at = places.open().await;
    let person = at.person("g27@example.com").await;
    let group = at.group("G27", &[&person]).await;
    let members = format!("/groups/{}/members", id(&group));
    let before = at.world.asked_about(&members).len();
    let shown = at
        .read(&format!("{group}?excludedAttributes=members"))
        .await;
    assert!(shown.get("members").is_none());
    assert_eq!(at.world.asked_about(&members).len(), before);
    // What counts is counted: with members the account is asked for them.
    assert_eq!(at.read(&group).await["members"][0]["value"], id(&person));
    assert!(at.world.asked_about(&members).len() > before);
}

async fn g28(places: Arc<Places>) {
    let at = places.open().await;
    let person = at.person("g28@example.com").await;
    let before = at.read(&person).await;
    for email in ["g28@example.com", "G28@EXAMPLE.COM"] {
        let mut again = plain(email);
        again["displayName"] = json!("Somebody else");
        at.bridge
            .post("/Users", again)
            .await
            .error(409, Some("uniqueness"));
    }
    assert_eq!(at.read(&person).await, before);
    assert_eq!(at.invitations("g28@example.com").await, 1);
}

async fn g29(places: Arc<Places>) {
    let at = places.open().await;
    let posts = (0..2).map(|_| at.bridge.post("/Users", plain("g29@example.com")));
    let mut statuses: Vec<_> = join_all(posts).await.iter().map(|a| a.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [StatusCode::CREATED, StatusCode::CONFLICT]);
    assert_eq!(at.invitations("g29@example.com").await, 1);
}

async fn g30(places: Arc<Places>) {
    let at = places.open().await;
    let mut sent = plain("g30@example.com");
    sent["externalId"] = json!("g30");
    at.bridge.post("/Users", sent.clone()).await.created();
    sent["userName"] = json!("g30-other@example.com");
    at.bridge
        .post("/Users", sent)
        .await
        .error(409, Some("uniqueness"));
    assert_eq!(at.invitations("g30-other@example.com").await, 0);
}

async fn g31(places: Arc<Places>) {
    let at = places.open().await;
    let person = at.person("g31@example.com").await;
    let without = json!({"schemas": [USER], "userName": "g31@example.com"});
    for active in [false, true] {
        let mut with = without.clone();
        with["active"] = json!(active);
        assert_eq!(at.bridge.put(&person, with).await.ok()["active"], active);
        let kept = at.bridge.put(&person, without.clone()).await.ok();
        assert_eq!(kept["active"], active);
    }
}

async fn g32(places: Arc<Places>) {
    let at = places.open().await;
    let person = at.person("g32@example.com").await;
    let group = at.group("G32", &[&person]).await;
    let mut whole = at.read(&person).await;
    let before = whole.clone();
    whole["id"] = json!("another");
    whole["meta"] = json!({"resourceType": "Car", "location": "https://other.example"});
    whole["groups"] = json!([]);
    for name in ["id", "groups"] {
        assert_eq!(
            at.bridge.put(&person, whole.clone()).await.ok()[name],
            before[name]
        );
    }
    let harmless =
        json!([{"op": "replace", "value": {"id": id(&person), "meta": {}, "groups": []}}]);
    assert_eq!(
        at.patched(&person, harmless).await["groups"],
        before["groups"]
    );
    for (path, value) in [
        ("id", json!("another")),
        ("groups", json!([{"value": "x"}])),
    ] {
        let change = json!([{"op": "replace", "path": path, "value": value}]);
        at.bridge
            .patch(&person, change)
            .await
            .error(400, Some("mutability"));
    }
    at.assert_members(&at.members(&group).await, &[&person]);
}

async fn g33(places: Arc<Places>) {
    let at = places.open().await;
    let person = at.person("g33@example.com").await;
    let before = at.read(&person).await;
    for (bad, why) in [
        (
            json!({"op": "replace", "path": "active", "value": "maybe"}),
            "invalidValue",
        ),
        (
            json!({"op": "replace", "path": "shoeSize", "value": 1}),
            "invalidPath",
        ),
        (json!({"op": "remove"}), "noTarget"),
        (json!({"op": "move", "path": "title"}), "invalidSyntax"),
    ] {
        let good = json!({"op": "replace", "path": "displayName", "value": "Other"});
        let answer = at.bridge.patch(&person, json!([good, bad])).await;
        answer.error(400, Some(why));
        assert_eq!(at.read(&person).await, before);
    }
}

async fn g34(places: Arc<Places>) {
    let at = places.open().await;
    let person = at.person("g34@example.com").await;
    for (op, value) in [
        ("Add", "A"),
        ("REPLACE", "B"),
        ("aDD", "C"),
        ("replace", "D"),
    ] {
        let change = json!([{"op": op, "path": "displayName", "value": value}]);
        assert_eq!(at.patched(&person, change).await["displayName"], value);
    }
    let change = json!([{"op": "Remove", "path": "displayName"}]);
    assert!(
        at.patched(&person, change)
            .await
            .get("displayName")
            .is_none()
    );
}

async fn g35(places: Arc<Places>) {
    let at = places.open().await;
    let person = at.person("g35@example.com").await;
    for (value, active) in [
        (json!("False"), false),
        (json!("True"), true),
        (json!("FALSE"), false),
        (json!(true), true),
        (json!("false"), false),
    ] {
        let change = json!([{"op": "replace", "path": "active", "value": value}]);
        assert_eq!(
            at.patched(&person, change).await["active"],
            active,
            "{value}"
        );
    }
    for value in [json!("maybe"), json!(1), json!("")] {
        let change = json!([{"op": "replace", "path": "active", "value": value}]);
        at.bridge
            .patch(&person, change)
            .await
            .error(400, Some("invalidValue"));
    }
}

/// The operation that adds these people.
pub fn add(people: &[&str]) -> Value {
    let members: Vec<Value> = people.iter().map(|path| member(path)).collect();
    json!([{"op": "add", "path": "members", "value": members}])
}

/// The operation that removes somebody as the RFC has it.
pub fn remove(person: &str) -> Value {
    json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", id(person))}])
}

async fn g36(places: Arc<Places>) {
    let at = places.open().await;
    let person = at.person("g36@example.com").await;
    let group = at.group("G36", &[&person]).await;
    for _ in 0..2 {
        at.bridge
            .patch(&group, add(&[&person, &person]))
            .await
            .done();
    }
    at.assert_members(&at.members(&group).await, &[&person]);
    assert_eq!(at.happened("granted", &group).await, 1);
}

async fn g37(places: Arc<Places>) {
    let at = places.open().await;
    let (inside, outside) = (
        at.person("g37a@example.com").await,
        at.person("g37b@example.com").await,
    );
    let group = at.group("G37", &[&inside]).await;
    at.bridge.patch(&group, remove(&outside)).await.done();
    at.bridge
        .patch(&group, remove("/Users/nobody"))
        .await
        .done();
    at.assert_members(&at.members(&group).await, &[&inside]);
    assert_eq!(at.happened("revoked", &group).await, 0);
}

async fn g38(places: Arc<Places>) {
    let at = places.open().await;
    let person = at.person("g38@example.com").await;
    let group = at.group("G38", &[]).await;
    let nobody = "AAAAAAAAAAAAAAAAAAAAAAAAAA";
    let answer = at.bridge.patch(&group, add(&[&person, nobody])).await;
    let detail = answer.error(400, Some("invalidValue"));
    assert!(detail.contains(nobody), "{detail}");
    assert!(at.members(&group).await.is_empty());
}

async fn g39(places: Arc<Places>) {
    let at = places.open().await;
    let group = at.group("G39", &[]).await;
    let mut all = Vec::new();
    for (number, beside) in [
        json!({}),
        json!({"$ref": null}),
        json!({"display": "Somebody"}),
        json!({"type": null, "$ref": null, "display": null}),
        json!({"type": "User", "$ref": "../Users/x"}),
    ]
    .into_iter()
    .enumerate()
    {
        let person = at.person(&format!("g39-{number}@example.com")).await;
        let mut value = beside;
        value["value"] = json!(id(&person));
        let change = json!([{"op": "add", "path": "members", "value": [value]}]);
        at.bridge.patch(&group, change).await.done();
        all.push(person);
    }
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    at.assert_members(&at.members(&group).await, &all);
}

async fn g40(places: Arc<Places>) {
    let at = places.open().await;
    let (group, inner) = (at.group("G40", &[]).await, at.group("G40 inner", &[]).await);
    let value = json!([{"value": id(&inner), "type": "Group"}]);
    let change = json!([{"op": "add", "path": "members", "value": value}]);
    let detail = at
        .bridge
        .patch(&group, change)
        .await
        .error(400, Some("invalidValue"));
    assert!(detail.to_lowercase().contains("group"), "{detail}");
    assert!(at.members(&group).await.is_empty());
}

async fn g41(places: Arc<Places>) {
    let at = places.open().await;
    let person = at.person("g41@example.com").await;
    for _ in 0..2 {
        assert_eq!(at.bridge.delete(&person).await.status, 204);
        assert_eq!(at.read(&person).await["active"], false);
    }
    assert_eq!(at.happened("suspended", &person).await, 1);
}

async fn g42(places: Arc<Places>) {
    let at = places.open().await;
    let group = at.group("G42", &[]).await;
    assert_eq!(at.bridge.delete(&group).await.status, 204);
    at.bridge.get(&group).await.error(404, None);
    at.bridge.delete(&group).await.error(404, None);
}

async fn g43(places: Arc<Places>) {
    let at = places.open().await;
    let person = at.person("g43@example.com").await;
    let unmanaged = at.unmanaged_group("G43").await;
    let rename = json!([{"op": "replace", "path": "displayName", "value": "Taken over"}]);
    for change in [rename, add(&[&person])] {
        let detail = at.bridge.patch(&unmanaged, change).await.error(403, None);
        assert!(detail.contains("manage"), "{detail}");
    }
    at.bridge.delete(&unmanaged).await.error(403, None);
    assert_eq!(at.name_in_account(&unmanaged).await, "G43");

    use scim_bridge::account::Account;
    let account = at.world.provision_manager();
    let owners = account.group_by_name("Owners").await.unwrap().unwrap();
    let owners = path("/Groups", owners.id.as_str());
    let detail = at
        .bridge
        .patch(&owners, add(&[&person]))
        .await
        .error(403, None);
    assert!(detail.contains("power"), "{detail}");
}

async fn g44(places: Arc<Places>) {
    let at = places.open().await;
    for email in [&at.world.owner.email, &at.world.manager().email] {
        let found = at
            .bridge
            .find("/Users", &format!("userName eq \"{email}\""))
            .await;
        let person = path("/Users", found[0]["id"].as_str().unwrap());
        let off = json!([{"op": "replace", "path": "active", "value": false}]);
        at.bridge.patch(&person, off).await.error(403, None);
        at.bridge.delete(&person).await.error(403, None);
        assert_eq!(at.read(&person).await["active"], true);
    }
}

async fn g45(places: Arc<Places>) {
    let at = places.limited().await;
    let answer = at.bridge.post("/Users", plain("g45@other.example")).await;
    let detail = answer.error(400, Some("invalidValue"));
    assert!(detail.contains("other.example"), "{detail}");
    assert!(detail.contains("SCIM_BRIDGE_ALLOWED_DOMAINS"), "{detail}");
    assert_eq!(at.invitations("g45@other.example").await, 0);
}

/// When a refused request is to come again, in seconds.
#[track_caller]
fn retry_after(answer: &Answer) -> u64 {
    let wait = answer.headers["retry-after"].to_str().unwrap();
    wait.parse().unwrap()
}

async fn g46(_: Arc<Places>) {
    let at = Place::new(&[]).await;
    at.bridge.get("/Users?count=1").await.ok();
    at.world.answer_in_front(StatusCode::TOO_MANY_REQUESTS);
    let answer = at.bridge.get("/Users?count=1").await;
    answer.error(429, None);
    assert!((1..=17).contains(&retry_after(&answer)));
}

async fn g47(_: Arc<Places>) {
    let mut at = Place::new(&[]).await;
    let person = at.person("g47@example.com").await;
    at.world.stop_account().await;
    for answer in [
        at.bridge.get(&person).await,
        at.bridge
            .post("/Users", plain("g47-other@example.com"))
            .await,
    ] {
        answer.error(503, None);
        assert!(retry_after(&answer) >= 1);
    }
    at.world.start_account().await;
    at.bridge
        .post("/Users", plain("g47-other@example.com"))
        .await
        .created();
    assert_eq!(at.invitations("g47-other@example.com").await, 1);
}

async fn g49(_: Arc<Places>) {
    let at = Place::new(&[]).await;
    at.bridge.get("/Users?count=1").await.ok();
    at.world.answer_in_front(StatusCode::FORBIDDEN);
    at.bridge.get("/Users?count=1").await.error(503, None);
}

async fn g51(places: Arc<Places>) {
    let (at, people) = places.crowd().await;
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let group = at.group("G51", &[]).await;
    at.bridge.patch(&group, add(&people)).await.done();
    assert_eq!(at.members(&group).await.len(), CROWD);
}

async fn g52(places: Arc<Places>) {
    let at = places.open().await;
    let huge = format!(r#"{{"x":"{}"}}"#, "x".repeat(1024 * 1024));
    let answer = raw(&at.bridge, "/Users", "application/json", &huge).await;
    let detail = answer.error(413, None);
    assert!(detail.contains("1048576"), "{detail}");
}

async fn g53(places: Arc<Places>) {
    let at = places.open().await;
    let group = at.group("G53", &[]).await;
    let mut people = Vec::new();
    for number in 0..6 {
        people.push(at.person(&format!("g53-{number}@example.com")).await);
    }
    let changes = people.iter().map(|person| {
        let change = add(&[person]);
        at.bridge.patch(&group, change)
    });
    for answer in join_all(changes).await {
        answer.done();
    }
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    at.assert_members(&at.members(&group).await, &people);
}

async fn g54(places: Arc<Places>) {
    let at = places.open().await;
    let person = at.person("g54@example.com").await;
    let answer = at.bridge.get(&person).await;
    let version = answer.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(answer.body["meta"]["version"], *version);
    let rename = json!([{"op": "replace", "path": "displayName", "value": "New"}]);
    at.bridge.patch(&person, rename).await.ok();
    let body = plain("g54@example.com").to_string();
    let headers = [
        ("if-match", version.as_str()),
        ("content-type", "application/json"),
    ];
    let stale = Call {
        headers: &headers,
        body: Some(body),
        ..call(Method::PUT, &person, Some(&at.bridge.token))
    };
    at.bridge.send(stale).await.error(412, None);
    assert_eq!(at.read(&person).await["displayName"], "New");
}

async fn g55(places: Arc<Places>) {
    let at = places.open().await;
    let config = at.read("/ServiceProviderConfig").await;
    for (feature, supported) in [
        ("patch", true),
        ("filter", true),
        ("bulk", true),
        ("sort", true),
        ("etag", true),
        ("changePassword", false),
    ] {
        assert_eq!(config[feature]["supported"], supported, "{feature}");
    }
    assert_eq!(
        config["authenticationSchemes"][0]["type"],
        "oauthbearertoken"
    );
    assert_eq!(config["meta"]["resourceType"], "ServiceProviderConfig");
}

async fn g56(places: Arc<Places>) {
    let at = places.open().await;
    let types = rows(at.bridge.get("/ResourceTypes").await);
    let endpoints: Vec<_> = types.iter().map(|kind| &kind["endpoint"]).collect();
    assert_eq!(endpoints, ["/Users", "/Groups"]);
    assert_eq!(at.read("/ResourceTypes/User").await, types[0]);
    let schemas = rows(at.bridge.get("/Schemas").await);
    assert_eq!(at.read(&format!("/Schemas/{USER}")).await, schemas[0]);
    assert_eq!(at.read(&format!("/Schemas/{GROUP}")).await, schemas[1]);
    let attributes = schemas[0]["attributes"].as_array().unwrap();
    for name in ["userName", "active", "displayName"] {
        assert!(attributes.iter().any(|attribute| attribute["name"] == name));
    }
    at.bridge.get("/Schemas/urn:unknown").await.error(404, None);
}

async fn g57(places: Arc<Places>) {
    let at = places.open().await;
    for (number, base) in ["", "/scim", "/scim/v2"].into_iter().enumerate() {
        let base = format!("{}{base}", at.origin());
        let person = plain(&format!("g57-{number}@example.com"));
        let made = at.bridge.post(&format!("{base}/Users"), person).await;
        let place = format!("{base}/Users/{}", made.created());
        assert_eq!(made.headers["location"], *place);
        at.read(&place).await;
    }
}

async fn g58(places: Arc<Places>) {
    let at = places.open().await;
    let sent = json!({
        "schemas": [USER], "userName": "G58@Example.com", "externalId": " g58 ",
        "displayName": "  Ann   van der Example ",
        "name": {"formatted": "Example,  Ann", "givenName": " Ann", "familyName": "van der  Example"},
        "emails": [{"type": "Work", "value": "G58@Example.COM", "primary": false, "display": " a "}],
        "preferredLanguage": "en-US", "active": true
    });
    let person = path(
        "/Users",
        &at.bridge.post("/Users", sent.clone()).await.created(),
    );
    let user = at.read(&person).await;
    for (name, value) in sent.as_object().unwrap() {
        assert_eq!(user[name], *value, "{name}");
    }
    let name = "  G58   group ";
    let group = at.group(name, &[]).await;
    assert_eq!(at.read(&group).await["displayName"], name);
}

async fn g59(places: Arc<Places>) {
    let at = places.open().await;
    let person = at.person("g59@example.com").await;
    for (method, path) in [
        (Method::PUT, "/Users"),
        (Method::DELETE, "/Groups"),
        (Method::POST, &person),
        (Method::from_bytes(b"BREW").unwrap(), &person),
        (Method::POST, "/Schemas"),
    ] {
        let answer = at
            .bridge
            .send(call(method.clone(), path, Some(&at.bridge.token)))
            .await;
        answer.error(405, None);
        let allowed = answer.headers["allow"].to_str().unwrap();
        assert!(allowed.contains("GET"), "{method} {path}: {allowed}");
    }
    let options = at
        .bridge
        .send(call(Method::OPTIONS, "/Users", Some(&at.bridge.token)))
        .await;
    assert!(options.headers["allow"].to_str().unwrap().contains("POST"));
    let head = at
        .bridge
        .send(call(Method::HEAD, &person, Some(&at.bridge.token)))
        .await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
}

async fn g60(places: Arc<Places>) {
    let at = places.open().await;
    let probes = (0..200).map(|number| {
        let path = format!("/Users?filter=userName+eq+%22g60-{number}%22");
        async move { rows(at.bridge.get(&path).await) }
    });
    for found in join_all(probes).await {
        assert!(found.is_empty());
    }
}
