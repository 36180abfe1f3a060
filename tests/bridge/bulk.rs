//! Many operations in one request.

use serde_json::{Value, json};

use crate::support::{Answer, Bridge, ERROR, GROUP, Provider, USER, World};

const REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

async fn send(bridge: &Bridge, mut body: Value) -> Answer {
    body["schemas"] = json!([REQUEST]);
    bridge.post("/Bulk", body).await
}

async fn bulk(bridge: &Bridge, operations: Value) -> Vec<Value> {
    let answer = send(bridge, json!({"Operations": operations})).await.ok();
    assert_eq!(answer["schemas"], json!([RESPONSE]));
    answer["Operations"].as_array().unwrap().clone()
}

fn statuses(operations: &[Value]) -> Vec<&str> {
    operations
        .iter()
        .map(|operation| operation["status"].as_str().unwrap())
        .collect()
}

fn person(name: &str) -> Value {
    json!({"method": "POST", "path": "/Users", "bulkId": name,
        "data": {"schemas": [USER], "userName": format!("{name}@example.com"), "password": "x"}})
}

fn group(name: &str, members: &[&str]) -> Value {
    let members: Vec<_> = members.iter().map(|id| json!({"value": id})).collect();
    json!({"method": "POST", "path": "/Groups", "bulkId": name,
        "data": {"schemas": [GROUP], "displayName": name, "members": members}})
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_refer_to_what_others_create_wherever_they_stand() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let done = bulk(
        &bridge,
        json!([
            group("finance", &["bulkId:ann", "bulkId:bob"]),
            person("ann"),
            person("bob"),
            {"method": "PATCH", "path": "/Groups/bulkId:finance", "data": [
                {"op": "remove", "path": "members[value eq \"bulkId:bob\"]"}]},
            {"method": "put", "path": "/Users/bulkId:bob",
                "data": {"schemas": [USER], "userName": "bob@example.com", "displayName": "Bob"}},
            {"method": "DELETE", "path": "/Users/bulkId:bob"},
        ]),
    )
    .await;
    assert_eq!(statuses(&done), ["201", "201", "201", "200", "200", "204"]);
    assert_eq!(done[0]["bulkId"], "finance");
    assert_eq!(done[4]["method"], "PUT");
    assert!(
        done.iter()
            .all(|operation| operation.get("response").is_none())
    );

    let at = |index: usize| done[index]["location"].as_str().unwrap();
    let shown = bridge.get(at(0)).await.ok();
    assert_eq!(shown["displayName"], "finance");
    let members = shown["members"].as_array().unwrap();
    assert_eq!(members.len(), 1);
    assert!(at(1).ends_with(members[0]["value"].as_str().unwrap()));
    let bob = bridge.get(at(2)).await.ok();
    assert_eq!(
        (&bob["active"], &bob["displayName"]),
        (&json!(false), &json!("Bob"))
    );
    assert_eq!((at(4), at(5)), (at(2), at(2)));
    // The version is one that a condition takes.
    assert_eq!(
        bridge.get(at(0)).await.ok()["meta"]["version"],
        done[3]["version"]
    );
    let operation = |version: &Value| {
        json!([{"method": "DELETE", "path": at(0).split("/v2").nth(1),
        "version": version}])
    };
    let stale = bulk(&bridge, operation(&done[0]["version"])).await;
    assert_eq!(statuses(&stale), ["412"]);
    let fresh = bulk(&bridge, operation(&done[3]["version"])).await;
    assert_eq!(statuses(&fresh), ["204"]);
    bridge.get(at(0)).await.error(404, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_operation_fails_by_itself() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let operations = json!([
        person("ann"),
        person("ann2"),
        {"method": "POST", "path": "/Users", "bulkId": "again",
            "data": {"schemas": [USER], "userName": "ANN@example.com"}},
        {"method": "PATCH", "path": "/Users/nobody", "data": []},
        group("stranded", &["bulkId:again"]),
        group("a", &["bulkId:b"]),
        group("b", &["bulkId:a"]),
        group("lonely", &["bulkId:nobody"]),
        {"method": "GET", "path": "/Users/x"},
        person("eve"),
    ]);
    let done = bulk(&bridge, operations).await;
    assert_eq!(
        statuses(&done),
        [
            "201", "201", "409", "400", "409", "409", "409", "400", "400", "201"
        ]
    );
    let taken = &done[2];
    assert_eq!(taken["response"]["schemas"], json!([ERROR]));
    assert_eq!(taken["response"]["scimType"], "uniqueness");
    assert_eq!(taken["response"]["status"], "409");
    assert!(taken.get("location").is_none());
    assert!(
        done[3]["location"]
            .as_str()
            .unwrap()
            .ends_with("/Users/nobody")
    );
    assert_eq!(bridge.get("/Groups").await.ok()["totalResults"], 0);
    assert_eq!(world.count("invited").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn enough_errors_end_it() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let wrong = |name: &str| json!({"method": "POST", "path": "/Users", "bulkId": name, "data": {"schemas": [USER], "userName": "x"}});
    let operations = json!([wrong("a"), person("ann"), wrong("b"), person("bob")]);
    let body = json!({"failOnErrors": 2, "Operations": operations});
    let answer = send(&bridge, body).await.ok();
    let done = answer["Operations"].as_array().unwrap();
    assert_eq!(statuses(done), ["400", "201", "400"]);
    assert_eq!(world.count("invited").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_announced_and_kept() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let bulk = &bridge.get("/ServiceProviderConfig").await.ok()["bulk"];
    assert_eq!(bulk["supported"], true);
    let operations = bulk["maxOperations"].as_u64().unwrap();
    let bytes = bulk["maxPayloadSize"].as_u64().unwrap();

    let many: Vec<_> = (0..=operations).map(|_| json!({})).collect();
    let detail = send(&bridge, json!({"Operations": many}))
        .await
        .error(413, None);
    assert!(detail.contains(&operations.to_string()), "{detail}");
    let large = "x".repeat(usize::try_from(bytes).unwrap());
    let detail = send(&bridge, json!({"Operations": [large]}))
        .await
        .error(413, None);
    assert!(detail.contains(&bytes.to_string()), "{detail}");

    bridge
        .post("/Bulk", json!({"Operations": []}))
        .await
        .error(400, Some("invalidSyntax"));
    let twice = json!({"Operations": [person("a"), person("a")]});
    send(&bridge, twice).await.error(400, Some("invalidValue"));
    let get = bridge.get("/Bulk").await;
    get.error(405, None);
    assert_eq!(get.headers["allow"], "POST");
    assert_eq!(world.count("invited").await, 0);
}
