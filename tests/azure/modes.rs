//! What gets through the host in each of its ways to hand requests on.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use reqwest::Method;
use serde_json::json;

use crate::{
    app::App,
    cloud::Cloud,
    handover::Mode,
    support::{Call, GROUP, Provider, World, user},
};

const BOTH: [Mode; 2] = [Mode::Forwarding, Mode::Proxying];

#[tokio::test]
async fn paths_queries_and_bodies_arrive() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    for mode in BOTH {
        let app = App::in_mode(Some(mode), &world, &cloud, &[]).await;
        assert_eq!(app.get("//ping").await.text, "pong");
        let email = format!("{mode:?}+x@example.com").to_lowercase();
        let invited = app.post("/Users", user(&email)).await;
        let id = invited.created();
        let location = format!("{}/Users/{id}", App::tenant());
        assert_eq!(invited.body["meta"]["location"], location);
        // At the root, too.
        let shown = app.get(&format!("//Users/{id}")).await.ok();
        let location = location.replace("/scim/v2", "");
        assert_eq!(shown["meta"]["location"], location);

        for (active, found) in [("true", 1), ("false", 0)] {
            let filter = format!(r#"userName eq "{email}" and active eq {active}"#);
            assert_eq!(app.find("/Users", &filter).await.len(), found);
        }
        let wanted = "/Users?attributes=userName&count=1&startIndex=1";
        let page = app.get(wanted).await.ok();
        assert_eq!(page["itemsPerPage"], 1);
        // An address in a path is nobody, and no other path.
        for odd in ["/Users/a%20b%25%C3%A4%22%5B", "/Users/a%2Fb", "/Users/a+b"] {
            app.get(odd).await.error(404, None);
        }
        let head = |path| Call {
            method: Method::HEAD,
            path,
            token: Some(&app.token),
            headers: &[],
            body: None,
        };
        let found = app.send(head("/Users?count=0")).await;
        assert_eq!((found.status.as_u16(), &*found.text), (200, ""));
        assert_eq!(app.send(head("/Users/x")).await.status, 404);

        let mut large = user(&format!("large-{email}"));
        large["urn:example:else"] = json!({ "note": "x\u{e9}\"".repeat(200_000) });
        assert!(large.to_string().len() > 1_000_000);
        app.post("/Users", large.clone()).await.created();
        large["urn:example:else"] = json!({ "note": "x".repeat(1_100_000) });
        app.post("/Users", large).await.error(413, None);
    }
}

#[tokio::test]
async fn what_is_packed_arrives_where_its_coding_does() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let group = json!({ "schemas": [GROUP], "displayName": "Packed" });
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(group.to_string().as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    for mode in BOTH {
        let app = App::in_mode(Some(mode), &world, &cloud, &[]).await;
        let call = Call {
            method: Method::GET,
            path: "/Schemas",
            token: Some(&app.token),
            headers: &[("accept-encoding", "gzip")],
            body: None,
        };
        let answer = app.send(call).await;
        assert_eq!(answer.headers["content-encoding"], "gzip");
        assert!(answer.ok()["totalResults"].as_u64() > Some(1));

        let answer = app.post_packed("/Groups", packed.clone()).await;
        match mode {
            Mode::Proxying => drop(answer.created()),
            // The host has taken the header away that says what this is.
            Mode::Forwarding => assert!(answer.error(415, None).contains("did not arrive")),
        }
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_arrives_or_its_sender_is_told() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    for mode in BOTH {
        let app = App::in_mode(Some(mode), &world, &cloud, &[]).await;
        let sent = app.post_in_chunks("/Users", &user("ann@example.com")).await;
        match mode {
            Mode::Proxying => drop(sent.created()),
            // The host fails before it has sent anything.
            Mode::Forwarding => assert_eq!((sent.status.as_u16(), &*sent.text), (500, "")),
        }
        // What such a body becomes in front of a host that takes only those with a length.
        for (method, path) in [
            (Method::POST, "/Users"),
            (Method::PUT, "/Users/x"),
            (Method::PATCH, "/Users/x"),
        ] {
            let refused = app.call(method, path, None).await;
            let detail = refused.error(411, None);
            assert!(detail.contains("Content-Length"), "{detail}");
        }
        app.delete("/Users/x").await.error(404, None);
    }
}

#[tokio::test]
async fn the_hosts_word_counts_and_not_the_callers() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    for mode in BOTH {
        let app = App::in_mode(Some(mode), &world, &cloud, &[]).await;
        let call = Call {
            method: Method::POST,
            path: "/Users",
            token: Some(&app.token),
            headers: &[
                ("x-azure-functions-invocationid", "00000000-made-up"),
                ("x-ms-invocation-id", "00000000-made-up"),
                ("x-forwarded-host", "elsewhere.example"),
                ("x-forwarded-proto", "http"),
                ("traceparent", "00-secret token-made up-01"),
            ],
            body: Some(user(&format!("{mode:?}@example.com")).to_string()),
        };
        let answer = app.send(call).await;
        let location = format!("{}/Users/{}", App::tenant(), answer.created());
        assert_eq!(answer.headers["location"], location);
        let id = answer.headers["x-request-id"].to_str().unwrap();
        assert_eq!(id, app.host.last_invocation());
        let line = app.line(|line| line["message"] == "answered").await;
        assert_eq!(line["span"]["id"], id);
        assert_eq!(line["span"].get("trace"), None);
    }
}

#[tokio::test]
async fn a_host_that_wraps_requests_up_is_told_what_to_change() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let app = App::start(&world, &cloud, &[]).await;
    app.host.handler().await;
    let wrapped = (world.client)
        .post(format!("http://{}/scim", app.host.behind()))
        .header("x-azure-functions-invocationid", "5f0b1c3e-6a55-4c0e")
        .body(r#"{"Data":{"req":{}},"Metadata":{}}"#);
    assert_eq!(wrapped.send().await.unwrap().status(), 501);
    let line = app.line(|line| line["level"] == "ERROR").await;
    let said = line["message"].as_str().unwrap();
    assert!(said.contains("host.json"), "{said}");
}
