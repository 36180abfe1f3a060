//! The handler's process: how it starts, ends, and starts again.

use std::{
    fs::File,
    net::TcpListener,
    process::{Command, Output, Stdio},
};

use crate::{
    app::App,
    cloud::Cloud,
    host::{Handler, program},
    support::{Provider, World, until},
};

const TABLE: &str = "https://account.table.core.windows.net/state";

#[tokio::test]
async fn a_handler_that_dies_is_missed_by_nobody() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let app = App::start(&world, &cloud, &[]).await;
    let ann = app.invite("ann@example.com").await;
    let path = format!("/Users/{ann}");
    app.host.kill().await;
    app.get(&path).await.ok();
    app.host.kill().await;
    app.get(&path).await.ok();
    // The host has its limit.
    app.host.kill().await;
    assert_eq!(app.host.handler().await, Handler::GivenUp);
    assert_eq!(app.get(&path).await.status, 503);
}

#[tokio::test]
async fn a_handler_that_is_told_to_stop_leaves_its_session_to_the_next() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let app = App::start(&world, &cloud, &[]).await;
    app.get("/Users?count=0").await.ok();
    app.host.signal("TERM").await;
    until(async || (app.host.handler().await == Handler::Ended).then_some(())).await;
    assert_eq!(world.asked_about("/session/signout").len(), 0);
    // Which starts cold, and asks the account only what it wants to know.
    let (sign_ins, requests) = (world.sign_ins(), world.requests());
    let next = App::start(&world, &cloud, &[]).await;
    next.get("/Users?filter=userName%20eq%20%22a%40example.com%22")
        .await
        .ok();
    assert_eq!(
        (world.sign_ins(), world.requests()),
        (sign_ins, requests + 1)
    );
}

/// A platform that takes no more lines is no reason to lose what was done.
#[tokio::test]
async fn a_request_is_answered_although_nothing_can_be_written() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let full = || File::create("/dev/full").unwrap();
    let mut process = Command::new(program())
        .env_clear()
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
        .env("SCIM_BRIDGE_STATE", TABLE)
        .stdin(Stdio::null())
        .stdout(full())
        .stderr(full())
        .spawn()
        .unwrap();
    let client = scim_bridge::outbound::client(None).unwrap();
    let url = format!("http://127.0.0.1:{port}/Users");
    let answer = until(async || client.get(&url).send().await.ok()).await;
    assert_eq!(answer.status(), 401);
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
fn what_cannot_start_says_why() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().port().to_string();
    let port = ("FUNCTIONS_CUSTOMHANDLER_PORT", "9");
    for (variables, told) in [
        (&[][..], "started by the Azure Functions host"),
        (
            &[("FUNCTIONS_CUSTOMHANDLER_PORT", "high")],
            "FUNCTIONS_CUSTOMHANDLER_PORT",
        ),
        (&[("FUNCTIONS_CUSTOMHANDLER_PORT", &*taken)], &*taken),
        (&[port, ("SCIM_BRIDGE_MODE", "dry")], "SCIM_BRIDGE_MODE"),
        (
            &[port, ("SCIM_BRIDGE_SCIMSESSION", "https://example.com/x")],
            "SCIM_BRIDGE_SCIMSESSION",
        ),
        (
            &[port, ("SCIM_BRIDGE_ROOT_CERTIFICATES", "/dev/null")],
            "root certificates",
        ),
        (
            &[port, ("SCIM_BRIDGE_ROOT_CERTIFICATES", "/nowhere/ca.pem")],
            "/nowhere/ca.pem",
        ),
    ] {
        let Output {
            status,
            stdout,
            stderr,
        } = Command::new(program())
            .env_clear()
            .env("SCIM_BRIDGE_STATE", TABLE)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(!status.success());
        let log = String::from_utf8(stderr).unwrap();
        assert!(log.contains("cannot start") && log.contains(told), "{log}");
        assert_eq!(stdout, b"");
    }
}
