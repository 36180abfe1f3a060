//! What the timer's host is answered.

use serde_json::{Value, json};

use crate::{
    app::App,
    cloud::Cloud,
    support::{Provider, World},
};

#[tokio::test]
async fn a_tick_is_answered_with_what_was_done() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let settings = [("SCIM_BRIDGE_CONFIRMATION_DELAY", "0")];
    let app = App::start(&world, &cloud, &settings).await;
    app.invite("ann@example.com").await;
    world.sign_up("ann@example.com").await;
    let swept = app.swept().await;
    let expected = json!({ "confirmed": 1, "waiting": 0, "held": 0, "failed": 0, "deleted": 0,
        "left": false });
    assert_eq!(swept, expected);
    let line = app.line(|line| line["message"] == "swept").await;
    assert_eq!(line["span"]["id"], app.host.last_invocation());
}

#[tokio::test]
async fn without_its_key_it_says_so_with_every_tick_and_is_no_failure() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    cloud.azure.delete("sweep-key");
    let app = App::start(&world, &cloud, &[]).await;
    let swept = app.swept().await;
    let problem = swept["problem"].as_str().unwrap();
    assert!(problem.contains("sweep-key"), "{problem}");
    // Requests bring a key of their own.
    app.get("/Users?count=0").await.ok();
}

#[tokio::test]
async fn what_is_no_tick_fails_and_sweeps_nothing() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let app = App::start(&world, &cloud, &[]).await;
    app.host.handler().await;
    for body in [
        String::new(),
        "{}".to_owned(),
        json!({ "Metadata": { "sys": { "MethodName": "other" } } }).to_string(),
        format!("[{}", "1,".repeat(100_000)),
    ] {
        let request = (world.client)
            .post(format!("http://{}/confirm", app.host.behind()))
            .header("x-azure-functions-invocationid", "5f0b1c3e-6a55-4c0e")
            .body(body);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 400);
        let text = answer.bytes().await.unwrap();
        let answer: Value = serde_json::from_slice(&text).unwrap();
        let problem = answer["ReturnValue"]["problem"].as_str().unwrap();
        assert!(problem.contains("not a tick"), "{problem}");
    }
    assert_eq!(world.requests(), 0);
}
