//! The whole story in Okta's dialect, life cycle by PATCH and profile by PUT.

use serde_json::{Value, json};

use crate::support::{GROUP, Provider, USER, World};

fn jane(active: Option<bool>) -> Value {
    let mut user = json!({
        "schemas": [USER], "userName": "jane@ex.com",
        "name": {"givenName": "Jane", "familyName": "Doe"},
        "emails": [{"primary": true, "value": "jane@ex.com", "type": "work"}],
        "displayName": "Jane Doe", "locale": "en-US", "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [], "password": "1mz050nq"
    });
    if let Some(active) = active {
        user["active"] = json!(active);
    }
    user
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_comes_works_leaves_and_returns() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;

    // Test of the credentials, then the look for somebody to be assigned.
    let users = bridge.get("/Users?startIndex=1&count=2").await.ok();
    assert!(users["totalResults"].is_u64() && users["itemsPerPage"].is_u64());
    let groups = bridge.get("/Groups?startIndex=1&count=100").await.ok();
    assert_eq!(groups["totalResults"], 0);
    let probe = "/Users?filter=userName%20eq%20%22jane%40ex.com%22&startIndex=1&count=100";
    assert_eq!(bridge.get(probe).await.ok()["totalResults"], 0);

    let created = bridge.post("/Users", jane(Some(true))).await;
    let id = created.created();
    assert_eq!(created.body["name"]["givenName"], "Jane");
    assert!(created.body.get("password").is_none());
    let found = bridge.get(probe).await.ok();
    assert_eq!(found["Resources"][0]["emails"][0]["value"], "jane@ex.com");

    // Push the group, and her into it; the rename to the same name comes along.
    let body = json!({"schemas": [GROUP], "displayName": "Finance", "members": []});
    let group = bridge.post("/Groups", body).await.created();
    let path = format!("/Groups/{group}");
    let operations = json!([
        {"op": "replace", "value": {"id": group, "displayName": "Finance"}},
        {"op": "add", "path": "members", "value": [{"value": id, "display": "jane@ex.com"}]},
    ]);
    bridge.patch(&path, operations).await.done();

    let kit = world.sign_up("jane@ex.com").await;
    world.until_opened(&kit, "Finance").await;

    // Deactivated as the catalogue's app does it; activated again.
    let user = format!("/Users/{id}");
    let off = json!([{"op": "replace", "value": {"active": false}}]);
    assert_eq!(bridge.patch(&user, off).await.ok()["active"], false);
    assert!(world.sign_in(&kit).await.is_err());
    let on = json!([{"op": "replace", "value": {"active": true}}]);
    assert_eq!(bridge.patch(&user, on).await.ok()["active"], true);
    world.until_opened(&kit, "Finance").await;

    // The custom app does the same by PUT; without `active` nothing changes.
    assert_eq!(
        bridge.put(&user, jane(Some(false))).await.ok()["active"],
        false
    );
    assert_eq!(bridge.put(&user, jane(None)).await.ok()["active"], false);
    assert!(world.sign_in(&kit).await.is_err());
    assert_eq!(
        bridge.put(&user, jane(Some(true))).await.ok()["active"],
        true
    );
    assert_eq!(bridge.put(&user, jane(None)).await.ok()["active"], true);
    world.until_opened(&kit, "Finance").await;

    // Push now: the whole list. Then one out, one in, in one request.
    let bob = bridge.invite("bob@ex.com").await;
    let all = json!([{"op": "replace", "path": "members", "value": [{"value": bob}]}]);
    bridge.patch(&path, all).await.done();
    assert_eq!(members(&bridge.get(&path).await.ok()), vec![bob.clone()]);
    let report = world.sign_in(&kit).await.unwrap();
    assert!(report.groups.iter().all(|group| group.name != "Finance"));
    let swap = json!([
        {"op": "remove", "path": format!("members[value eq \"{bob}\"]")},
        {"op": "add", "path": "members", "value": [{"value": id, "display": "jane@ex.com"}]},
    ]);
    bridge.patch(&path, swap).await.done();
    assert_eq!(members(&bridge.get(&path).await.ok()), vec![id.clone()]);
    // Granted to somebody who has her keys by now: opens without another confirmation.
    let report = world.sign_in(&kit).await.unwrap();
    assert!(
        report
            .groups
            .iter()
            .any(|group| group.name == "Finance" && group.opened)
    );

    // PUT of the group: exact members, new name; without members only the name.
    let body = json!({"schemas": [GROUP], "displayName": "Money", "members": [{"value": bob}]});
    let put = bridge.put(&path, body).await.ok();
    assert_eq!(
        (&put["displayName"], members(&put)),
        (&json!("Money"), vec![bob.clone()])
    );
    let body = json!({"schemas": [GROUP], "displayName": "Gold"});
    assert_eq!(members(&bridge.put(&path, body).await.ok()), [bob]);
    let empty = json!([{"op": "replace", "path": "members", "value": []}]);
    bridge.patch(&path, empty).await.done();
    assert!(members(&bridge.get(&path).await.ok()).is_empty());

    assert_eq!(bridge.delete(&path).await.status, 204);
    bridge.get(&path).await.error(404, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_walks_all_pages_once() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    for number in 0..25 {
        bridge.invite(&format!("user{number}@ex.com")).await;
    }
    let total = bridge.get("/Users?count=0").await.ok()["totalResults"]
        .as_u64()
        .unwrap();
    assert!(total >= 25);
    let walk = async |count: u64| {
        let mut names = Vec::new();
        let mut start = 1;
        while start <= total {
            let page = bridge
                .get(&format!("/Users?startIndex={start}&count={count}"))
                .await
                .ok();
            assert_eq!(page["totalResults"], total);
            assert_eq!(page["startIndex"], start);
            let rows = page["Resources"].as_array().unwrap();
            assert_eq!(page["itemsPerPage"], rows.len());
            names.extend(
                rows.iter()
                    .map(|row| row["userName"].as_str().unwrap().to_owned()),
            );
            start += count;
        }
        names
    };
    let (by_two, by_hundred) = (walk(2).await, walk(100).await);
    assert_eq!(by_two, by_hundred);
    assert_eq!(by_two.len() as u64, total);
    let unique: std::collections::HashSet<_> = by_two.iter().collect();
    assert_eq!(unique.len(), by_two.len());

    let beyond = bridge
        .get(&format!("/Users?startIndex={}", total + 51))
        .await
        .ok();
    assert_eq!(
        (&beyond["totalResults"], &beyond["itemsPerPage"]),
        (&json!(total), &json!(0))
    );
    let capped = bridge.get("/Users?startIndex=-3&count=100000").await.ok();
    assert_eq!(
        (&capped["startIndex"], &capped["itemsPerPage"]),
        (&json!(1), &json!(total))
    );
}

fn members(group: &Value) -> Vec<String> {
    let members = group["members"].as_array();
    members
        .into_iter()
        .flatten()
        .map(|member| member["value"].as_str().unwrap().to_owned())
        .collect()
}
