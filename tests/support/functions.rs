//! What is the same of the bridge as functions, in whichever cloud.

use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Call, GROUP, Provider, World, until, user};

/// A person's whole life with the bridge, whose provider knows it at `tenant`; `swept` is what a
/// sweep comes to. The bridge has to delete those whom the provider removes at once.
pub async fn a_life(
    world: &World,
    provider: &impl Provider,
    tenant: &str,
    swept: impl AsyncFn() -> Value,
) {
    let name = r#"userName eq "ann@example.com""#;
    assert_eq!(provider.find("/Users", name).await.len(), 0);
    let sign_ins = world.sign_ins();
    let mut ann = user("ann@example.com");
    ann["externalId"] = "00u1".into();
    let invited = provider.post("/Users", ann).await;
    let ann = invited.created();
    let path = format!("/Users/{ann}");
    assert_eq!(invited.body["meta"]["location"], format!("{tenant}{path}"));
    for filter in [name, r#"externalId eq "00u1""#] {
        assert_eq!(provider.find("/Users", filter).await.len(), 1);
    }
    let group = json!({ "schemas": [GROUP], "displayName": "Finance", "externalId": "00g1",
        "members": [{ "value": ann }] });
    let group = provider.post("/Groups", group).await.created();
    assert_eq!(provider.get("/Groups").await.ok()["totalResults"], 1);
    let members = format!("/Groups/{group}");
    let shown = provider.get(&members).await.ok();
    assert_eq!(shown["members"][0]["value"], ann.as_str());

    assert_eq!(world.sign_ins(), sign_ins, "one session for all requests");

    // Nobody is in before she has signed up, nor before her delay is over.
    assert_eq!(swept().await["confirmed"], 0);
    let kit = world.sign_up("ann@example.com").await;
    let first = swept().await;
    assert_eq!(
        (&first["confirmed"], &first["waiting"]),
        (&json!(0), &json!(1))
    );
    until(async || (swept().await["confirmed"] == 1).then_some(())).await;
    world.until_opened(&kit, "Finance").await;
    assert_eq!(world.count("confirmed").await, 1);
    let shown = provider.get(&path).await.ok();
    assert_eq!(
        (&shown["active"], &shown["externalId"]),
        (&json!(true), &json!("00u1"))
    );

    let ann_is = async |operations| provider.patch(&path, operations).await.done();
    ann_is(json!([{ "op": "replace", "path": "displayName", "value": "Ann Archer" }])).await;
    ann_is(json!([{ "op": "replace", "path": "externalId", "value": "00u2" }])).await;
    ann_is(json!([{ "op": "replace", "value": { "active": false } }])).await;
    assert!(world.sign_in(&kit).await.is_err());
    ann_is(json!([{ "op": "replace", "value": { "active": true } }])).await;
    world.until_opened(&kit, "Finance").await;
    let gone = json!([{ "op": "remove", "path": format!("members[value eq \"{ann}\"]") }]);
    provider.patch(&members, gone).await.done();
    let renamed = json!({ "schemas": [GROUP], "displayName": "Money" });
    provider.put(&members, renamed).await.ok();
    provider.delete(&members).await.done();
    provider.delete(&path).await.done();
    assert_eq!(swept().await["deleted"], 1);
    assert_eq!(world.count("deleted").await, 1);
}

/// Two instances that get the same requests at once make one person of one user, and lose nothing.
pub async fn race(world: &World, one: &impl Provider, other: &impl Provider, rounds: usize) {
    tokio::join!(one.get("/Users?count=0"), other.get("/Users?count=0"));
    for round in 0..rounds {
        let email = format!("p{round}@example.com");
        let (first, second) = tokio::join!(
            one.post("/Users", user(&email)),
            other.post("/Users", user(&email))
        );
        let (made, refused) = match first.status == 201 {
            true => (first, second),
            false => (second, first),
        };
        let id = made.created();
        // Told apart from a mishap: the provider looks for the one who is there, or comes again.
        assert!(
            refused.status == 409 || refused.status == 503,
            "{}",
            refused.text
        );

        // Both write her record; neither write is lost.
        let path = format!("/Users/{id}");
        let name = json!([{ "op": "replace", "path": "displayName", "value": "Ann" }]);
        let external = json!([{ "op": "replace", "path": "externalId", "value": email }]);
        let (first, second) = tokio::join!(one.patch(&path, name), other.patch(&path, external));
        first.done();
        second.done();
        let ann = one.get(&path).await.ok();
        assert_eq!(
            (&ann["displayName"], &ann["externalId"]),
            (&json!("Ann"), &json!(email))
        );
    }
    assert_eq!(world.count("invited").await, rounds);
}

/// A line of a function's log, which is an object.
pub fn object(line: &str) -> Value {
    match serde_json::from_str(line) {
        Ok(object @ Value::Object(_)) => object,
        _ => panic!("not an object: {line}"),
    }
}

/// Prints what cold starts take, the median of twenty for each of two requests. `started` begins a
/// process, sends it the call, and says how much memory it has had when it has answered.
pub async fn cold_starts(world: &World, started: impl AsyncFn(Call<'_>) -> String) {
    for path in [
        "//ping",
        "/Users?filter=userName%20eq%20%22a%40example.com%22",
    ] {
        let mut runs = Vec::new();
        for _ in 0..20 {
            let call = Call {
                method: Method::GET,
                path,
                token: Some(&world.token),
                headers: &[("accept-encoding", "gzip")],
                body: None,
            };
            let begun = Instant::now();
            let memory = started(call).await;
            runs.push((begun.elapsed(), memory));
        }
        runs.sort();
        let (time, memory) = &runs[runs.len() / 2];
        println!("{path}: {time:.1?}, {memory}");
    }
}
