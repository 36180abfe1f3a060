//! What the functions say of themselves.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    cloud::Cloud,
    function::{Function, Handler},
    runtime::Outcome,
    secrets,
    support::{Call, Provider, World, until, user},
};

#[tokio::test]
async fn a_line_a_request_says_who_asked_for_what_and_what_it_cost() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let scim = Function::start(&world, &cloud, Handler::Scim, &[]).await;
    let call = Call {
        method: Method::GET,
        path: "/Users?filter=userName%20eq%20%22ann%40example.com%22",
        token: Some(&scim.token),
        headers: &[],
        body: None,
    };
    let event = scim.front.event(&call);
    let (id, trace, outcome) = scim.invoke(event, Duration::from_secs(29)).await;
    assert!(matches!(outcome, Outcome::Answered(_)));
    let line = scim.line(|line| line["message"] == "answered").await;
    assert_eq!(line["method"], "GET");
    assert_eq!(line["path"], "/Users");
    assert_eq!(line["status"], 200);
    assert!(line["ms"].is_u64());
    assert_eq!(line["account_calls"], world.requests());
    assert!(world.requests() > world.sign_ins());
    let request = &line["span"];
    assert_eq!(
        (&request["id"], &request["trace"]),
        (&json!(id), &json!(trace))
    );
    assert_eq!(request["actor"], "test");
    assert!(!scim.log().contains("ann@"), "{}", scim.log());
    // AWS is told which trace its part belongs to.
    let header = format!("Root={trace};Parent=af9d5aa4a685e2ad;Sampled=1");
    assert_eq!(cloud.traces(), [Some(header)].into());

    let metrics = scim.line(|line| line.get("_aws").is_some()).await;
    assert_eq!(metrics["Requests"], 1);
    assert_eq!(metrics["FunctionName"], "scim-bridge-scim");
    let directive = &metrics["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(directive["Namespace"], "ScimBridge");
    assert_eq!(directive["Dimensions"], json!([["FunctionName"]]));
    assert_eq!(
        directive["Metrics"],
        json!([{ "Name": "Requests", "Unit": "Count" }])
    );

    // Whoever has no token is nobody.
    let stranger = scim
        .send(Call {
            token: None,
            ..call
        })
        .await;
    stranger.error(401, None);
    let line = scim.line(|line| line["status"] == 401).await;
    assert_eq!(line["span"].get("actor"), None);
    assert_eq!(line["account_calls"], 0);
}

#[tokio::test]
async fn a_sweep_counts_what_alarms_look_at() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let settings = [("SCIM_BRIDGE_CONFIRMATION_DELAY", "0")];
    let scim = Function::start(&world, &cloud, Handler::Scim, &settings).await;
    let sweep = Function::start(&world, &cloud, Handler::Sweep, &settings).await;
    scim.post("/Users", user("ann@example.com")).await.created();
    world.sign_up("ann@example.com").await;
    assert_eq!(sweep.swept().await["confirmed"], 1);
    // The other function tells of it, as would one that was started a moment ago.
    let health = Function::start(&world, &cloud, Handler::Scim, &settings).await;
    let health = health.get("//health").await;
    assert_eq!(health.status, 200, "{}", health.text);
    let told = &health.body["activity"];
    assert_eq!(told["sweep"]["confirmed"], 1, "{told}");
    assert_eq!(told["sweep"]["everySeconds"], 60);
    assert!(told["provider"]["lastWrite"].is_string(), "{told}");
    assert_eq!(health.body["state"], "healthy", "{}", health.text);
    let prometheus = scim.get("//metrics").await.text;
    assert!(prometheus.contains("scim_bridge_last_sweep_timestamp_seconds"));
    // What one of many processes has counted is no answer.
    assert!(!prometheus.contains("_total"), "{prometheus}");
    let metrics = sweep.line(|line| line.get("_aws").is_some()).await;
    assert_eq!(
        (&metrics["Sweeps"], &metrics["Confirmed"]),
        (&json!(1), &json!(1))
    );
    // A token that lasts for ever has no day to alarm before.
    assert_eq!(metrics.get("DaysToTokenExpiry"), None);
    let line = sweep.line(|line| line["message"] == "swept").await;
    // Who waits, its own keys, what she lacks, her confirmation; the session was the other's.
    assert_eq!(line["account_calls"], 4, "{line}");
    assert!(line["span"]["id"].is_string());

    let rotate = [
        "token",
        "rotate",
        "test",
        "--grace",
        "1d",
        "--expires",
        "10d",
        "--json",
    ];
    let rotated = cloud.run(&world, &rotate).await.json();
    secrets::remember(rotated["token"].as_str().unwrap());
    let days = until(async || {
        sweep.swept().await;
        let lines = sweep.objects();
        let days = lines.iter().find_map(|line| line.get("DaysToTokenExpiry"));
        days.and_then(Value::as_f64)
    });
    let days = days.await;
    assert!(9.9 < days && days < 10.0, "{days}");
}
