//! A person's whole life with the bridge, through events.

use std::collections::BTreeMap;

use serde_json::json;

use crate::{
    cloud::{Actions, Cloud},
    function::{Function, Handler},
    gateway::Front,
    support::{GROUP, Provider, World, until, user},
    tools,
};

#[tokio::test]
async fn from_the_invitation_to_the_end() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let settings = [("SCIM_BRIDGE_DEPROVISION", "delete-after-0d")];
    let scim = Function::start(&world, &cloud, Handler::Scim, &settings).await;
    let sweep = Function::start(&world, &cloud, Handler::Sweep, &settings).await;

    let filter = "/Users?filter=userName%20eq%20%22ann%40example.com%22";
    assert_eq!(scim.get(filter).await.ok()["totalResults"], 0);
    let sign_ins = world.sign_ins();
    let invited = scim.post("/Users", {
        let mut ann = user("ann@example.com");
        ann["externalId"] = "00u1".into();
        ann
    });
    let invited = invited.await;
    let ann = invited.created();
    let location = format!("{}/Users/{ann}", scim.front.tenant());
    assert_eq!(invited.body["meta"]["location"], location);
    assert_eq!(scim.get(filter).await.ok()["totalResults"], 1);
    let external = "/Users?filter=externalId%20eq%20%2200u1%22";
    assert_eq!(scim.get(external).await.ok()["totalResults"], 1);
    let group = json!({ "schemas": [GROUP], "displayName": "Finance", "externalId": "00g1",
        "members": [{ "value": ann }] });
    let group = scim.post("/Groups", group).await.created();
    assert_eq!(scim.get("/Groups").await.ok()["totalResults"], 1);
    let members = format!("/Groups/{group}");
    assert_eq!(
        scim.get(&members).await.ok()["members"][0]["value"],
        ann.as_str()
    );

    assert_eq!(world.sign_ins(), sign_ins, "one session for all requests");

    // Nobody is in before she has signed up, nor before her delay is over.
    assert_eq!(sweep.swept().await["confirmed"], 0);
    let kit = world.sign_up("ann@example.com").await;
    let first = sweep.swept().await;
    assert_eq!(
        (&first["confirmed"], &first["waiting"]),
        (&json!(0), &json!(1))
    );
    until(async || (sweep.swept().await["confirmed"] == 1).then_some(())).await;
    world.until_opened(&kit, "Finance").await;
    assert_eq!(world.count("confirmed").await, 1);
    let shown = scim.get(&format!("/Users/{ann}")).await.ok();
    assert_eq!(
        (&shown["active"], &shown["externalId"]),
        (&json!(true), &json!("00u1"))
    );

    let ann_is = async |operations| {
        scim.patch(&format!("/Users/{ann}"), operations)
            .await
            .done()
    };
    ann_is(json!([{ "op": "replace", "path": "displayName", "value": "Ann Archer" }])).await;
    ann_is(json!([{ "op": "replace", "path": "externalId", "value": "00u2" }])).await;
    ann_is(json!([{ "op": "replace", "value": { "active": false } }])).await;
    assert!(world.sign_in(&kit).await.is_err());
    ann_is(json!([{ "op": "replace", "value": { "active": true } }])).await;
    world.until_opened(&kit, "Finance").await;
    let gone = json!([{ "op": "remove", "path": format!("members[value eq \"{ann}\"]") }]);
    scim.patch(&members, gone).await.done();
    scim.put(
        &members,
        json!({ "schemas": [GROUP], "displayName": "Money" }),
    )
    .await
    .ok();
    scim.delete(&members).await.done();
    scim.delete(&format!("/Users/{ann}")).await.done();
    assert_eq!(sweep.swept().await["deleted"], 1);
    assert_eq!(world.count("deleted").await, 1);
    let actions = |handler: Handler| (handler.name().to_owned(), cloud.actions(handler.key_id()));
    let used = BTreeMap::from([actions(Handler::Scim), actions(Handler::Sweep)]);
    let file = std::fs::read_to_string(tools::root().join("tests/data/aws-actions.json")).unwrap();
    let known: BTreeMap<String, Actions> = serde_json::from_str(&file).unwrap();
    assert_eq!(
        used,
        known,
        "{}",
        serde_json::to_string_pretty(&used).unwrap()
    );
}

#[tokio::test]
async fn every_gateway_gets_answers_of_its_own() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let mut scim = Function::start(&world, &cloud, Handler::Scim, &[]).await;
    for (number, front) in [Front::HttpApi, Front::RestApi, Front::FunctionUrl]
        .into_iter()
        .enumerate()
    {
        scim.front = front;
        assert_eq!(scim.get("//ping").await.text, "pong", "{front:?}");
        let email = format!("p{number}+x@example.com");
        let invited = scim.post("/Users", user(&email)).await;
        let location = format!("{}/Users/{}", front.tenant(), invited.created());
        assert_eq!(invited.body["meta"]["location"], location);
        let filter = format!("/Users?filter=userName%20eq%20%22p{number}%2Bx%40example.com%22");
        let found = scim.get(&filter).await.ok();
        assert_eq!(found["totalResults"], 1, "{front:?}");
        // What is no path to API Gateway either is nobody here.
        let odd = "/Users/a%20b%25%C3%A4%22%5B";
        scim.get(odd).await.error(404, None);
        let stranger = scim.get("//elsewhere").await;
        stranger.error(404, None);
    }
}
