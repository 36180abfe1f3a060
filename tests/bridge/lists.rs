//! Lists by index and by cursor, in order, and searches.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Bridge, GROUP, Provider, USER, World};

const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// A bridge that asks the account nothing of its own accord.
const QUIET: [(&str, &str); 2] = [
    ("SCIM_BRIDGE_SWEEP_KEY", ""),
    ("SCIM_BRIDGE_CONFIRMATION_INTERVAL", "3600"),
];

/// Some text of every resource in a list.
fn column(list: &Value, name: &str) -> Vec<String> {
    let rows = list["Resources"].as_array().unwrap();
    assert_eq!(list["itemsPerPage"], rows.len());
    rows.iter()
        .map(|row| row[name].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// Walks a list by cursor, in pages of changing size, and returns all ids.
async fn walk(bridge: &Bridge, path: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut cursor = String::new();
    for count in [1, 2, 3].into_iter().cycle() {
        let path = format!("{path}&count={count}&cursor={cursor}");
        let page = bridge.get(&path).await.ok();
        assert!(page.get("startIndex").is_none());
        let rows = column(&page, "id");
        assert!(rows.len() <= count);
        ids.extend(rows);
        match page["nextCursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => {
                assert_eq!(page["totalResults"], ids.len(), "{path}");
                break;
            }
        }
    }
    ids
}

async fn group(bridge: &Bridge, name: &str, members: &[&str]) -> String {
    let members: Vec<_> = members.iter().map(|id| json!({"value": id})).collect();
    let body = json!({"schemas": [GROUP], "displayName": name, "members": members});
    bridge.post("/Groups", body).await.created()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_by_cursor_meets_everything_once() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    for number in 0..7 {
        bridge.invite(&format!("p{number}@example.com")).await;
        group(&bridge, &format!("G{number}"), &[]).await;
    }
    for path in [
        "/Users?x",
        "/Groups?x",
        "/Users?filter=userName+co+%22p%22",
        "/Users?sortBy=userName&sortOrder=descending",
        "/Groups?filter=displayName+sw+%22g%22&sortBy=displayName",
    ] {
        let walked = walk(&bridge, path).await;
        let unique: BTreeSet<_> = walked.iter().cloned().collect();
        assert_eq!(unique.len(), walked.len(), "{path}");
        let whole = bridge.get(path).await.ok();
        let mut listed = column(&whole, "id");
        if path.contains("sortBy") {
            assert_eq!(walked, listed, "{path}");
        }
        listed.sort();
        assert_eq!(unique.into_iter().collect::<Vec<_>>(), listed, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_goes_on_while_rows_come_and_go_and_at_any_bridge() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let mut groups = Vec::new();
    for number in 0..5 {
        groups.push(group(&bridge, &format!("G{number}"), &[]).await);
    }
    groups.sort();
    let page = bridge.get("/Groups?count=2&cursor=").await.ok();
    assert_eq!(column(&page, "id"), groups[..2]);
    let next = page["nextCursor"].as_str().unwrap().to_owned();
    // By index the third would be passed over.
    bridge
        .delete(&format!("/Groups/{}", groups[1]))
        .await
        .done();
    let other = world.bridge(&[]).await;
    let page = other.get(&format!("/Groups?cursor={next}")).await.ok();
    assert_eq!(column(&page, "id"), groups[2..]);
    assert!(page.get("nextCursor").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_is_not_ours_is_refused() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    bridge.invite("ann@example.com").await;
    let page = bridge.get("/Users?count=1&cursor").await.ok();
    let cursor = page["nextCursor"].as_str().unwrap().to_owned();
    let mut forged = cursor.clone();
    let last = if forged.pop() == Some('A') { 'Q' } else { 'A' };
    forged.push(last);
    for path in [
        format!("/Users?cursor={forged}"),
        "/Users?cursor=1".to_owned(),
        format!("/Groups?cursor={cursor}"),
        format!("/Users?cursor={cursor}&filter=userName+pr"),
        format!("/Users?cursor={cursor}&sortBy=userName"),
    ] {
        bridge.get(&path).await.error(400, Some("invalidCursor"));
    }
    bridge
        .get("/Users?cursor&count=0")
        .await
        .error(400, Some("invalidCount"));
    let path = format!("/Users?cursor={cursor}&count=5&attributes=userName");
    let rest = bridge.get(&path).await.ok();
    let rows = rest["Resources"].as_array().unwrap();
    assert!(rows.iter().all(|row| row.get("meta").is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn results_come_in_the_order_asked_for() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    for (name, family) in [("cy", "Ash"), ("Bo", "elm"), ("al", "Oak"), ("Di", "Elm")] {
        let body = json!({"schemas": [USER], "userName": format!("{name}@example.com"),
            "name": {"familyName": family}});
        bridge.post("/Users", body).await.created();
    }
    let names = async |query: &str| {
        let path =
            format!("/Users?filter=name.familyName+pr+and+userName+ew+%22example.com%22&{query}");
        let list = bridge.get(&path).await.ok();
        let mut names = column(&list, "userName");
        // The account's own people are there too.
        names.retain(|name| !["owner@example.com", "bridge@example.com"].contains(&name.as_str()));
        names
    };
    let four = [
        "al@example.com",
        "Bo@example.com",
        "cy@example.com",
        "Di@example.com",
    ];
    assert_eq!(names("sortBy=userName").await, four);
    let mut reversed = four;
    reversed.reverse();
    assert_eq!(
        names("sortBy=username&sortOrder=descending").await,
        reversed
    );
    let by_family = names("sortBy=name.familyName").await;
    assert_eq!(by_family[0], "cy@example.com");
    assert_eq!(by_family[3], "al@example.com");
    let all = bridge.get("/Users?sortBy=userName").await.ok();
    let part = bridge
        .get("/Users?sortBy=userName&startIndex=3&count=2")
        .await
        .ok();
    assert_eq!(column(&part, "id"), column(&all, "id")[2..4]);
    assert_eq!(
        (&part["startIndex"], &part["totalResults"]),
        (&json!(3), &all["totalResults"])
    );

    for (query, scim_type) in [
        ("sortBy=noSuch", "invalidValue"),
        ("sortBy=name", "invalidValue"),
        ("sortBy=userName&sortOrder=up", "invalidValue"),
        ("sortBy=userName&startIndex=1000000", "tooMany"),
    ] {
        let answer = bridge.get(&format!("/Users?{query}")).await;
        answer.error(400, Some(scim_type));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn common_filters_are_one_look_up_whatever_the_size() {
    let world = World::new().await;
    let bridge = world.bridge(&QUIET).await;
    let ann = bridge.invite("ann@example.com").await;
    let body = json!({"schemas": [GROUP], "displayName": "Finance", "externalId": "f",
        "members": [{"value": ann}]});
    let finance = bridge.post("/Groups", body).await.created();
    let cost = async |endpoint: &str, filter: &str| {
        let before = world.requests();
        let found = bridge.find(endpoint, filter).await;
        assert_eq!(found.len(), 1, "{filter}");
        world.requests() - before
    };
    // Without a timer that asks in between, and signed in already.
    bridge.get("/Users?count=0").await.ok();
    for filter in [
        format!("id eq \"{ann}\""),
        "userName eq \"ann@example.com\"".to_owned(),
        "emails.value eq \"ann@example.com\" and active eq true".to_owned(),
    ] {
        assert_eq!(cost("/Users", &filter).await, 1, "{filter}");
    }
    // Names and people lead to the group, and its one member is shown.
    for (filter, requests) in [
        (format!("id eq \"{finance}\""), 2),
        ("externalId eq \"f\"".to_owned(), 2),
        ("displayName eq \"Finance\"".to_owned(), 2),
    ] {
        assert_eq!(cost("/Groups", &filter).await, requests, "{filter}");
    }
    // However many groups a person is in: who it is and which groups, and what they are.
    let of_ann = format!("members.value eq \"{ann}\"");
    assert_eq!(cost("/Groups", &of_ann).await, 2);
    group(&bridge, "Sales", &[&ann]).await;
    let before = world.requests();
    assert_eq!(bridge.find("/Groups", &of_ann).await.len(), 2);
    assert_eq!(world.requests() - before, 2);
    let in_finance = format!("groups.value eq \"{finance}\"");
    assert_eq!(bridge.find("/Users", &in_finance).await[0]["id"], *ann);
    assert!(
        bridge
            .find("/Users", "groups.value eq \"x\"")
            .await
            .is_empty()
    );
    // Two conditions on members may be met by two members.
    let bob = bridge.invite("bob@example.com").await;
    let add = json!([{"op": "add", "path": "members", "value": [{"value": bob}]}]);
    bridge
        .patch(&format!("/Groups/{finance}"), add)
        .await
        .done();
    let both = format!("members.value eq \"{ann}\" and members.value eq \"{bob}\"");
    assert_eq!(bridge.find("/Groups", &both).await.len(), 1);
    let one = format!("members[value eq \"{ann}\" and display eq \"bob@example.com\"]");
    assert!(bridge.find("/Groups", &one).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_is_a_list_that_is_asked_for_in_a_body() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let ann = bridge.invite("smith@example.com").await;
    let smiths = group(&bridge, "Smiths", &[&ann]).await;
    group(&bridge, "Others", &[]).await;
    let search = async |path: &str, mut body: Value| {
        body["schemas"] = json!([SEARCH]);
        bridge.post(path, body).await
    };
    let filter = json!({"filter": "displayName sw \"smith\"", "attributes": ["displayName"]});
    let both = search("/.search", filter.clone()).await.ok();
    assert_eq!(column(&both, "id"), [ann.clone(), smiths.clone()]);
    assert!(both["Resources"][0].get("userName").is_none());
    for (path, id) in [("/Users/.search", &ann), ("/Groups/.search/", &smiths)] {
        let one = search(path, filter.clone()).await.ok();
        assert_eq!(column(&one, "id"), *std::slice::from_ref(id), "{path}");
    }
    // What only one kind has says nothing about the other.
    for (filter, ids) in [
        (format!("members.value eq \"{ann}\""), vec![&smiths]),
        ("userName eq \"smith@example.com\"".to_owned(), vec![&ann]),
        (
            format!("{USER}:userName sw \"smith\" or displayName eq \"smiths\""),
            vec![&ann, &smiths],
        ),
        (
            "meta.resourceType eq \"Group\" and not (displayName eq \"others\")".to_owned(),
            vec![&smiths],
        ),
    ] {
        let found = search("/.search", json!({"filter": filter})).await.ok();
        assert_eq!(
            column(&found, "id").iter().collect::<Vec<_>>(),
            ids,
            "{filter}"
        );
    }
    let sorted =
        json!({"sortBy": "displayName", "filter": "displayName pr and displayName ne \"others\""});
    let names = column(&search("/.search", sorted).await.ok(), "displayName");
    assert!(
        names.is_sorted_by_key(|name| name.to_lowercase()),
        "{names:?}"
    );

    // Everything, by index and by cursor, across the border between the kinds.
    let all = search("/.search", json!({})).await.ok();
    let ids = column(&all, "id");
    assert_eq!(all["totalResults"], ids.len());
    let users = bridge.get("/Users?count=0").await.ok()["totalResults"]
        .as_u64()
        .unwrap();
    let groups = bridge.get("/Groups?count=0").await.ok()["totalResults"]
        .as_u64()
        .unwrap();
    assert_eq!(ids.len() as u64, users + groups);
    for start in 1..=ids.len() {
        let page = search("/.search", json!({"startIndex": start, "count": 2}))
            .await
            .ok();
        let end = ids.len().min(start + 1);
        assert_eq!(column(&page, "id"), ids[start - 1..end]);
        assert_eq!(page["totalResults"], ids.len());
    }
    let (mut walked, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = search("/.search", json!({"cursor": cursor, "count": 2}))
            .await
            .ok();
        walked.extend(column(&page, "id"));
        assert_eq!(page["totalResults"], ids.len());
        match page["nextCursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(walked, ids);

    search("/.search", json!({"filter": "noSuch pr"}))
        .await
        .error(400, Some("invalidFilter"));
    bridge
        .post("/Users/.search", json!({"filter": "userName pr"}))
        .await
        .error(400, Some("invalidSyntax"));
    let get = bridge.get("/.search").await;
    get.error(405, None);
    assert_eq!(get.headers["allow"], "POST");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_are_not_wanted_are_not_fetched() {
    let world = World::new().await;
    let bridge = world.bridge(&QUIET).await;
    let ann = bridge.invite("ann@example.com").await;
    let finance = group(&bridge, "Finance", &[&ann]).await;
    let path = format!("/Groups/{finance}");
    let lists = async |path: &str| {
        let listed = || {
            world
                .asked_about(&format!("/{finance}/members/query"))
                .len()
        };
        let before = listed();
        let shown = bridge.get(path).await.ok();
        (listed() - before, shown.get("members").is_some())
    };
    assert_eq!(lists(&path).await, (1, true));
    let less = format!("{path}?excludedAttributes=members");
    assert_eq!(lists(&less).await, (0, false));
}
