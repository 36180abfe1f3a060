//! A person's whole life with the bridge, through events.

use std::collections::BTreeMap;

use crate::{
    cloud::{Actions, Cloud},
    function::{Function, Handler},
    functions,
    gateway::Front,
    support::{Provider, World, user},
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

    let tenant = scim.front.tenant();
    functions::a_life(&world, &scim, &tenant, async || sweep.swept().await).await;
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

#[tokio::test]
async fn a_cold_function_goes_on_with_the_session_of_another() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let first = Function::start(&world, &cloud, Handler::Scim, &[]).await;
    first.get("/Users?count=0").await.ok();
    let (sign_ins, requests) = (world.sign_ins(), world.requests());
    let second = Function::start(&world, &cloud, Handler::Scim, &[]).await;
    let updates = cloud.requests("DynamoDB_20120810.UpdateItem");
    let name = r#"userName eq "ann@example.com""#;
    assert_eq!(second.find("/Users", name).await.len(), 0);
    // One request to the table for the session, and of the account only what was asked for.
    let joined = cloud.requests("DynamoDB_20120810.UpdateItem");
    assert_eq!(joined, updates + 1);
    assert_eq!(world.requests(), requests + 1);
    // Warm, it needs nothing more, and the sweep has a lane too.
    second.get("/Users?count=0").await.ok();
    assert_eq!(cloud.requests("DynamoDB_20120810.UpdateItem"), joined);
    let sweep = Function::start(&world, &cloud, Handler::Sweep, &[]).await;
    assert_eq!(sweep.swept().await["confirmed"], 0);
    first.get("/Users?count=0").await.ok();
    assert_eq!(world.sign_ins(), sign_ins);
}
