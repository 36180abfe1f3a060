//! What the bridge takes on, and how it says no: pace, places, and sizes.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use reqwest::Method;
use scim_bridge::credentials::BearerToken;
use serde_json::json;

use crate::support::{Answer, Bridge, Call, Provider, World, until, user};

fn get<'a>(path: &'a str, token: Option<&'a str>) -> Call<'a> {
    Call {
        method: Method::GET,
        path,
        token,
        headers: &[],
        body: None,
    }
}

/// Those whose pace is too fast are told so, as SCIM says it, and when to come again.
fn too_fast(answers: &[Answer]) -> usize {
    let fast = answers.iter().filter(|answer| answer.status == 429);
    for answer in fast.clone() {
        assert!(answer.error(429, None).contains("SCIM_BRIDGE_RATE_LIMIT"));
        assert_eq!(answer.headers["retry-after"], "1");
    }
    fast.count()
}

/// Who watches is let in however much there is to do.
async fn may_look(bridge: &Bridge, token: &str) {
    assert_eq!(
        bridge
            .send(get(&door(bridge, "/health"), Some(token)))
            .await
            .status,
        200
    );
    assert_eq!(
        bridge.send(get(&door(bridge, "/ping"), None)).await.text,
        "pong"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_token_has_its_pace_and_strangers_hold_nobody_up() {
    let world = World::new().await;
    let bridge = world.bridge(&[("SCIM_BRIDGE_RATE_LIMIT", "1")]).await;
    bridge.get("/Users").await.ok();
    let calls = world.requests();
    // More than the bridge could have taken meanwhile, however slow this machine is.
    let stranger = BearerToken::generate().unwrap().expose().to_string();
    for token in [None, Some("x"), Some(&*stranger)] {
        until(async || {
            let answers = [0; 12].map(|_| bridge.send(get("/Users", token)));
            let answers = futures_util::future::join_all(answers).await;
            assert!(
                answers
                    .iter()
                    .all(|answer| [401, 429].contains(&answer.status.as_u16()))
            );
            (too_fast(&answers) > 0).then_some(())
        })
        .await;
    }
    assert_eq!(world.requests(), calls);
    bridge.get("/Users").await.ok();

    // Who may not ask may still look.
    until(async || {
        let answers = [0; 12].map(|_| bridge.post("/Users", json!({})));
        let answers = futures_util::future::join_all(answers).await;
        (too_fast(&answers) > 0).then_some(())
    })
    .await;
    may_look(&bridge, &world.token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_no_place_is_told_at_once() {
    let world = World::new().await;
    let bridge = world.bridge(&[("SCIM_BRIDGE_CONCURRENCY", "1")]).await;
    // Somebody whose body is slow to come has the only place.
    let body = user("ann@example.com").to_string();
    let address = bridge.tenant.split('/').nth(2).unwrap();
    let mut slow = TcpStream::connect(address).unwrap();
    let (length, token) = (body.len(), &world.token);
    write!(
        slow,
        "POST /Users HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/scim+json\r\ncontent-length: {length}\r\n\
         expect: 100-continue\r\n\r\n"
    )
    .unwrap();
    // The bridge says so when it begins to wait for the body.
    let mut go_on = [0; 25];
    slow.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    let refused = bridge.get("/Users").await;
    refused.error(503, None);
    assert_eq!(refused.headers["retry-after"], "1");
    bridge
        .post("/Users", user("bob@example.com"))
        .await
        .error(503, None);
    may_look(&bridge, &world.token).await;
    slow.write_all(body.as_bytes()).unwrap();
    until(async || (world.count("invited").await == 1).then_some(())).await;
    until(async || (bridge.get("/Users").await.status == 200).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_urls_and_large_headers_get_an_answer_of_scim() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let long = format!("/Users?filter={}", "x".repeat(9_000));
    let detail = bridge.get(&long).await.error(414, None);
    assert!(detail.contains("/.search"), "{detail}");
    let large = "x".repeat(20_000);
    let call = Call {
        headers: &[("x-note", &large)],
        ..get("/Users", Some(&bridge.token))
    };
    bridge.send(call).await.error(431, None);
    let fits = format!("/Users?attributes={}", "x".repeat(7_000));
    bridge.get(&fits).await.ok();
}

fn door(bridge: &Bridge, path: &str) -> String {
    bridge.tenant.replace("/scim/v2", path)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_with_an_unread_body_is_said_to_end() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let address = bridge.tenant.split('/').nth(2).unwrap();
    // Whoever is not let in is told so before the body; with a body that is there, and one that
    // is too large but ends, the next request may follow.
    for (token, length, sent, ends) in [
        ("x", 100, 0, true),
        (&*world.token, 2, 2, false),
        (&*world.token, 2_000_000, 2_000_000, false),
    ] {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "POST /Users HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/scim+json\r\ncontent-length: {length}\r\n\r\n"
        )
        .unwrap();
        stream.write_all(&vec![b' '; sent]).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        assert_eq!(head.contains("connection: close"), ends, "{length}: {head}");
    }
}
