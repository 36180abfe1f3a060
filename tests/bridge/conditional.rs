//! Requests that depend on the version of a resource.

use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};

use crate::support::{Answer, Bridge, Call, GROUP, Provider, USER, World};

const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

async fn send(
    bridge: &Bridge,
    method: Method,
    path: &str,
    condition: (&str, &str),
    body: Option<Value>,
) -> Answer {
    let call = Call {
        method,
        path,
        token: Some(&bridge.token),
        headers: &[("content-type", "application/scim+json"), condition],
        body: body.map(|body| body.to_string()),
    };
    bridge.send(call).await
}

fn tag(headers: &HeaderMap) -> String {
    let tag = headers["etag"].to_str().unwrap();
    assert!(tag.starts_with("W/\""), "{tag}");
    tag.to_owned()
}

fn rename(name: &str) -> Option<Value> {
    let operation = json!({"op": "replace", "path": "displayName", "value": name});
    Some(json!({"schemas": [PATCH], "Operations": [operation]}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_goes_through_only_from_the_version_that_was_seen() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let ann = json!({"schemas": [USER], "userName": "ann@example.com", "displayName": "Ann"});
    let finance = json!({"schemas": [GROUP], "displayName": "Finance"});
    for (endpoint, body) in [("/Users", ann), ("/Groups", finance)] {
        let created = bridge.post(endpoint, body.clone()).await;
        let path = format!("{endpoint}/{}", created.created());
        let first = tag(&created.headers);
        assert_eq!(created.body["meta"]["version"], first);
        let read = bridge.get(&path).await;
        assert_eq!(tag(&read.headers), first);
        let list = bridge.get(endpoint).await.ok();
        let rows = list["Resources"].as_array().unwrap();
        let listed = rows.iter().find(|row| row["id"] == created.body["id"]);
        assert_eq!(listed.unwrap()["meta"]["version"], first);

        // One change with the right version, and none with the old one, in any way.
        let changed = send(
            &bridge,
            Method::PATCH,
            &path,
            ("if-match", &first),
            rename("New"),
        )
        .await;
        let second = tag(&changed.headers);
        changed.done();
        let read = bridge.get(&path).await.ok();
        assert_eq!(read["meta"]["version"], second);
        assert_ne!(first, second);
        let mut put = body.clone();
        put["displayName"] = json!("Newer");
        for (method, body) in [
            (Method::PATCH, rename("Newer")),
            (Method::PUT, Some(put.clone())),
            (Method::DELETE, None),
        ] {
            let stale = send(
                &bridge,
                method.clone(),
                &path,
                ("if-match", &first),
                body.clone(),
            );
            stale.await.error(412, None);
            let any = send(&bridge, method, &path, ("if-none-match", "*"), body);
            any.await.error(412, None);
        }
        assert_eq!(bridge.get(&path).await.ok()["displayName"], "New");
        // What changes nothing changes no version.
        let same = send(
            &bridge,
            Method::PATCH,
            &path,
            ("if-match", &second),
            rename("New"),
        )
        .await;
        assert_eq!(tag(&same.headers), second);
        // Several lines and the star are other ways to say it.
        let listed = format!("\"x\", {second}");
        let put = send(
            &bridge,
            Method::PUT,
            &path,
            ("if-match", &listed),
            Some(put),
        )
        .await;
        let third = tag(&put.headers);
        assert_eq!(put.ok()["displayName"], "Newer");

        let known = send(&bridge, Method::GET, &path, ("if-none-match", &third), None).await;
        assert_eq!((known.status.as_u16(), known.text.as_str()), (304, ""));
        assert_eq!(tag(&known.headers), third);
        let star = send(&bridge, Method::GET, &path, ("if-none-match", "*"), None).await;
        assert_eq!(star.status, 304);
        let new = send(
            &bridge,
            Method::GET,
            &path,
            ("if-none-match", &second),
            None,
        )
        .await;
        assert_eq!(new.ok()["meta"]["version"], third);
        let stale = send(&bridge, Method::GET, &path, ("if-match", &second), None).await;
        stale.error(412, None);

        let gone = send(&bridge, Method::DELETE, &path, ("if-match", &third), None).await;
        assert_eq!(gone.status, 204);
        let nowhere = format!("{endpoint}/unknown");
        let nobody = send(
            &bridge,
            Method::PATCH,
            &nowhere,
            ("if-match", "*"),
            rename("x"),
        );
        nobody.await.error(404, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_follow_members_states_and_groups() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let ann = bridge.invite("ann@example.com").await;
    let user = format!("/Users/{ann}");
    let body = json!({"schemas": [GROUP], "displayName": "Finance"});
    let group = format!("/Groups/{}", bridge.post("/Groups", body).await.created());
    let version = async |path: &str| tag(&bridge.get(path).await.headers);
    let (user_before, group_before) = (version(&user).await, version(&group).await);

    let add = json!([{"op": "add", "path": "members", "value": [{"value": ann}]}]);
    let added = bridge.patch(&group, add).await;
    assert_ne!(version(&group).await, group_before);
    assert_eq!(tag(&added.headers), version(&group).await);
    // Her groups are part of what is shown: a cached answer is stale. She herself did not change.
    let with_group = version(&user).await;
    assert_ne!(with_group, user_before);
    let stale = send(
        &bridge,
        Method::GET,
        &user,
        ("if-none-match", &user_before),
        None,
    )
    .await;
    assert_eq!(stale.status, 200);
    let renamed = send(
        &bridge,
        Method::PATCH,
        &user,
        ("if-match", &user_before),
        rename("Ann"),
    )
    .await;
    renamed.done();

    let before = version(&user).await;
    let off = json!([{"op": "replace", "path": "active", "value": false}]);
    bridge.patch(&user, off).await.done();
    assert_ne!(version(&user).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_saw_the_same_version_one_comes_too_late() {
    let world = World::new().await;
    let bridges = [world.bridge(&[]).await, world.bridge(&[]).await];
    let ann = bridges[0].invite("ann@example.com").await;
    let path = format!("/Users/{ann}");
    let version = tag(&bridges[0].get(&path).await.headers);
    let condition = ("if-match", version.as_str());
    let names = ["A", "B", "C", "D", "E", "F"];
    let patches = names.iter().enumerate().map(|(number, name)| {
        let bridge = &bridges[number % 2];
        send(bridge, Method::PATCH, &path, condition, rename(name))
    });
    let answers = futures_util::future::join_all(patches).await;
    let mut statuses: Vec<_> = answers
        .iter()
        .map(|answer| answer.status.as_u16())
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412]);
}
