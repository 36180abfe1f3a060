//! What the handler says of itself.

use serde_json::{Value, json};

use crate::{
    app::App,
    cloud::Cloud,
    handover,
    host::Level,
    support::{Provider, World, user},
};

#[tokio::test]
async fn a_line_a_request_says_who_asked_for_what_and_what_it_cost() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let app = App::start(&world, &cloud, &[]).await;
    app.find("/Users", r#"userName eq "ann@example.com""#).await;
    let line = app.line(|line| line["message"] == "answered").await;
    assert_eq!(line["method"], "GET");
    assert_eq!(line["path"], "/Users");
    assert_eq!(line["status"], 200);
    assert!(line["ms"].is_u64());
    assert_eq!(line["account_calls"], world.requests());
    let id = app.host.last_invocation();
    let request = json!({ "id": id, "trace": handover::trace(&id), "actor": "test",
        "name": "request" });
    assert_eq!(line["span"], request);
    app.invite("ann@example.com").await;
    let metrics = app.line(|line| line.get("metrics").is_some()).await;
    assert_eq!(metrics["metrics"], json!({ "Requests": 1 }));
    assert!(!app.log().contains("ann@"), "{}", app.log());
}

#[tokio::test]
async fn warnings_and_errors_are_what_the_host_takes_for_such() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    cloud.azure.delete("sweep-key");
    let app = App::start(&world, &cloud, &[]).await;
    app.post("/Users", user("ann@example.com")).await.created();
    app.swept().await;
    app.line(|line| line["message"] == "no sweep").await;
    let mut levels = Vec::new();
    for line in app.host.lines() {
        let object: Value = serde_json::from_str(&line.text).unwrap();
        let expected = match object["level"].as_str() {
            Some("ERROR") => Level::Error,
            Some("WARN") => Level::Warning,
            _ => Level::Information,
        };
        assert_eq!(line.level, expected, "{}", line.text);
        levels.push(line.level);
    }
    assert!(levels.contains(&Level::Warning) && levels.contains(&Level::Information));
}
