//! Credentials in a cloud's secret store: pushed there, read from there, rotated while the bridge
//! runs, and what happens when the store is away.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use serde_json::json;
use tokio::net::TcpListener;

use super::{
    azure_stand_in::{Azure, Service},
    moto, secrets,
    support::{Provider, World, until},
};

/// Two places in a cloud, and what a process needs to reach them.
struct Cloud<'a> {
    name: &'a str,
    settings: Vec<(&'a str, &'a str)>,
    scimsession: String,
    sweep_key: String,
}

/// The whole life of credentials in a store. `outage` begins and ends one; `delete` is for good.
async fn story(cloud: Cloud<'_>, outage: impl Fn(bool), delete: impl AsyncFnOnce()) {
    let world = World::new().await;
    let mut settings = cloud.settings.clone();
    settings.push(("SCIM_BRIDGE_SWEEP_KEY", ""));
    let key = world.dir.path().join("sweep-key");
    std::fs::write(&key, &world.sweep_key).unwrap();
    let pushed = world
        .run(
            &[
                "credentials",
                "push",
                cloud.name,
                "--json",
                "--to",
                &cloud.scimsession,
                "--sweep-key-to",
                &cloud.sweep_key,
            ],
            &settings,
        )
        .await
        .json();
    settings.push(("SCIM_BRIDGE_SCIMSESSION", &cloud.scimsession));
    settings.push(("SCIM_BRIDGE_SWEEP_KEY", &cloud.sweep_key));
    settings.push(("SCIM_BRIDGE_CREDENTIALS_REFRESH", "1"));
    let mut bridge = world.bridge(&settings).await;
    let version = async |bridge: &super::support::Bridge| {
        let health = bridge
            .get(&bridge.tenant.replace("/scim/v2", "/health"))
            .await;
        (
            health.body["credentials"]["version"].clone(),
            health.body["state"].clone(),
        )
    };
    let (first, _) = until(async || {
        let seen = version(&bridge).await;
        (seen.1 == "healthy").then_some(seen)
    })
    .await;
    assert_eq!(first, pushed["scimsessionVersion"]);
    // The sweep opens them with the key from its own secret, before any provider has called.
    bridge.invite("ann@example.com").await;
    world.sign_up("ann@example.com").await;
    until(async || (world.count("confirmed").await == 1).then_some(())).await;

    // Rotated in the store, by whoever holds the sweep key; the process runs on.
    let rotated = world
        .run(
            &["token", "rotate", "test", "--grace", "1s", "--json"],
            &settings,
        )
        .await
        .json();
    let new = rotated["token"].as_str().unwrap().to_owned();
    secrets::remember(&new);
    until(async || (bridge.get("/Users?count=0").await.status == 401).then_some(())).await;
    bridge.token = new;
    bridge.get("/Users?count=0").await.ok();
    assert_eq!(version(&bridge).await.0, rotated["version"]);

    outage(true);
    until(async || (version(&bridge).await.1 == "degraded").then_some(())).await;
    bridge.get("/Users?count=0").await.ok();
    outage(false);
    until(async || (version(&bridge).await.1 == "healthy").then_some(())).await;

    delete().await;
    until(async || (bridge.get("/Users?count=0").await.status == 503).then_some(())).await;
}

/// A way to a server that can be closed.
struct Gateway {
    url: String,
    open: Arc<AtomicBool>,
}

impl Gateway {
    async fn to(server: &'static str) -> Self {
        let open = Arc::new(AtomicBool::new(true));
        let passing = Arc::clone(&open);
        let client = scim_bridge::outbound::client(None).unwrap();
        let forward = move |headers: HeaderMap, body: Bytes| async move {
            if !passing.load(Ordering::Relaxed) {
                return StatusCode::SERVICE_UNAVAILABLE.into_response();
            }
            let mut request = client.post(server).body(body);
            for name in [
                "x-amz-target",
                "authorization",
                "content-type",
                "x-amz-date",
            ] {
                if let Some(value) = headers.get(name) {
                    request = request.header(name, value);
                }
            }
            let answer = request.send().await.unwrap();
            (answer.status(), answer.bytes().await.unwrap()).into_response()
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(forward);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, open }
    }
}

#[tokio::test]
async fn in_secrets_manager() {
    let Some(moto) = moto::url() else { return };
    let gateway = Gateway::to(moto).await;
    let scimsession = moto::create(moto, json!({}), "story/scimsession").await;
    let sweep_key = moto::create(moto, json!({}), "story/sweep-key").await;
    let cloud = Cloud {
        name: "aws",
        settings: vec![
            ("AWS_ENDPOINT_URL", &gateway.url),
            ("AWS_ACCESS_KEY_ID", "testing"),
            ("AWS_SECRET_ACCESS_KEY", "testing"),
        ],
        scimsession: scimsession.clone(),
        sweep_key,
    };
    let outage = |begins: bool| gateway.open.store(!begins, Ordering::Relaxed);
    let delete = async || {
        moto::administer(moto, "DeleteSecret", json!({ "SecretId": scimsession })).await;
    };
    story(cloud, outage, delete).await;
}

#[tokio::test]
async fn in_key_vault() {
    let azure = Azure::start().await;
    let cloud = Cloud {
        name: "azure",
        settings: azure.managed_identity(),
        scimsession: azure.secret("scimsession"),
        sweep_key: azure.secret("sweep-key"),
    };
    let outage = |begins: bool| match begins {
        true => azure.fail(Service::Vault, &[(429, Some(1)); 1000]),
        false => azure.fail(Service::Vault, &[]),
    };
    story(cloud, outage, async || azure.delete("scimsession")).await;
    // One way in serves all reads: only a process that starts asks for a token.
    let processes = 3;
    assert_eq!(azure.issued(), processes);
}

/// Tokens that were added there are not lost to whoever pushes an older file.
#[tokio::test]
async fn what_is_there_is_replaced_by_nobody_who_has_not_seen_it() {
    let (world, azure) = (World::new().await, Azure::start().await);
    let to = azure.secret("scimsession");
    let mut settings = azure.managed_identity();
    let push = async |more: &[&str]| {
        let arguments = ["credentials", "push", "azure", "--json", "--to", &to];
        let settings = azure.managed_identity();
        world.run(&[&arguments, more].concat(), &settings).await
    };
    assert!(push(&[]).await.stderr.contains("on this machine"));
    settings.push(("SCIM_BRIDGE_SCIMSESSION", &to));
    settings.push(("SCIM_BRIDGE_TOKEN", &world.token));
    let added = ["token", "add", "--label", "okta", "--json"];
    let added = world.run(&added, &settings).await.json();
    secrets::remember(added["token"].as_str().unwrap());

    let refused = push(&[]).await;
    assert!(
        refused.stderr.contains("other tokens"),
        "{}",
        refused.stderr
    );
    // Who may not read cannot know.
    azure.fail(Service::Vault, &[(403, None)]);
    assert_eq!(push(&[]).await.status, 3);
    let left = push(&["--unless-there"]).await.json();
    assert_eq!(left["scimsessionVersion"], added["version"]);
    assert_ne!(
        push(&["--force"]).await.json()["scimsessionVersion"],
        added["version"]
    );
}
