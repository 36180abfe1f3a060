//! One bridge, every spelling of its paths; and what it says of itself.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Call, Provider, USER, World};

#[tokio::test(flavor = "multi_thread")]
async fn every_base_path_is_the_same_place() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let origin = bridge.tenant.trim_end_matches("/scim/v2").to_owned();
    let id = bridge.invite("ann@example.com").await;
    for base in [
        "",
        "/scim",
        "/scim/v2",
        "/",
        "/scim/",
        "/scim/v2/",
        "//scim//v2//",
    ] {
        for path in ["/Users", "/Users/"] {
            let url = format!("{origin}{base}{path}?filter=userName%20eq%20%22ann@example.com%22");
            let list = bridge.get(&url).await.ok();
            assert_eq!(list["Resources"][0]["id"], *id, "{url}");
        }
        let url = format!("{origin}{base}/Users/{id}/");
        let user = bridge.get(&url).await.ok();
        let tidy = base.trim_matches('/').replace("//", "/");
        let tidy = if tidy.is_empty() {
            tidy
        } else {
            format!("/{tidy}")
        };
        assert_eq!(
            user["meta"]["location"],
            format!("{origin}{tidy}/Users/{id}")
        );
    }
    let ping = Call {
        method: Method::GET,
        path: &format!("{origin}/ping"),
        token: None,
        headers: &[],
        body: None,
    };
    assert_eq!(bridge.send(ping).await.status, 200);

    // Behind a gateway: the address that the client used.
    let user = bridge
        .send(Call {
            method: Method::GET,
            path: &format!("/Users/{id}"),
            token: Some(&bridge.token),
            headers: &[("x-forwarded-proto", "https"), ("host", "scim.example.com")],
            body: None,
        })
        .await
        .ok();
    let location = format!("https://scim.example.com/scim/v2/Users/{id}");
    assert_eq!(user["meta"]["location"], location);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_json_media_types_and_any_case_of_names_are_taken() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    for (number, media_type) in [
        "application/json",
        "application/scim+json",
        "application/json; charset=utf-8",
        "Application/SCIM+JSON;charset=UTF-8",
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({"schemas": [USER], "UserName": format!("u{number}@example.com"),
            "Emails": [{"Value": "x@example.com", "Primary": true}], "unknown": [1]});
        let answer = bridge
            .send(Call {
                method: Method::POST,
                path: "/Users",
                token: Some(&bridge.token),
                headers: &[("content-type", media_type)],
                body: Some(body.to_string()),
            })
            .await;
        answer.created();
        assert_eq!(
            answer.body["emails"],
            json!([{"value": "x@example.com", "primary": true}])
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_can_be_chosen() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let id = bridge.invite("ann@example.com").await;
    let names = |value: &Value| {
        let object = value.as_object().unwrap();
        object.keys().cloned().collect::<Vec<_>>()
    };
    let user = bridge
        .get(&format!("/Users/{id}?attributes=userName,emails"))
        .await
        .ok();
    assert_eq!(names(&user), ["emails", "id", "schemas", "userName"]);
    let user = bridge
        .get(&format!("/Users/{id}?excludedAttributes=emails,id"))
        .await
        .ok();
    assert!(user.get("emails").is_none() && user.get("id").is_some());
    let bob = json!({"schemas": [USER], "userName": "bob@example.com", "externalId": ""});
    let bob = bridge.post("/Users?attributes=userName", bob).await;
    assert_eq!((bob.status.as_u16(), names(&bob.body).len()), (201, 3));
    let place = format!(
        "{}/Users/{}",
        bridge.tenant,
        bob.body["id"].as_str().unwrap()
    );
    assert_eq!(bob.headers["location"], place);
    // An empty externalId is none: two people may have it.
    let eve = json!({"schemas": [USER], "userName": "e+v@example.com", "externalId": ""});
    bridge.post("/Users", eve).await.created();
    let literal = "/Users?filter=userName%20eq%20%22e+v@example.com%22";
    assert_eq!(bridge.get(literal).await.ok()["totalResults"], 1);
    let list = bridge.get("/Users?attributes=userName&count=1").await.ok();
    assert_eq!(names(&list["Resources"][0]), ["id", "schemas", "userName"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_is_truthful() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let config = bridge.get("/ServiceProviderConfig").await.ok();
    assert_eq!(config["patch"]["supported"], true);
    assert_eq!(
        config["filter"],
        json!({"supported": true, "maxResults": 1000})
    );
    for (feature, supported) in [
        ("bulk", true),
        ("sort", true),
        ("etag", true),
        ("changePassword", false),
    ] {
        assert_eq!(config[feature]["supported"], supported, "{feature}");
    }
    assert_eq!(
        config["authenticationSchemes"][0]["type"],
        "oauthbearertoken"
    );
    assert_eq!(config["meta"]["resourceType"], "ServiceProviderConfig");

    let types = bridge.get("/ResourceTypes").await.ok();
    let endpoints: Vec<_> = types["Resources"].as_array().unwrap().iter().collect();
    assert_eq!(endpoints[0]["endpoint"], "/Users");
    assert_eq!(endpoints[1]["endpoint"], "/Groups");
    assert_eq!(
        (&types["totalResults"], &types["startIndex"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(bridge.get("/ResourceTypes/User").await.ok(), *endpoints[0]);
    bridge.get("/ResourceTypes/Car").await.error(404, None);

    let schemas = bridge.get("/Schemas").await.ok();
    assert_eq!(schemas["Resources"][0]["id"], USER);
    let user = bridge.get(&format!("/Schemas/{USER}")).await.ok();
    let attributes: Vec<_> = user["attributes"].as_array().unwrap().iter().collect();
    let has = |name: &str| attributes.iter().any(|attribute| attribute["name"] == name);
    for name in [
        "userName",
        "displayName",
        "name",
        "active",
        "emails",
        "groups",
    ] {
        assert!(has(name), "{name}");
    }
    assert!(!has("title") && !has("password"));
    bridge.get("/Schemas/urn:x").await.error(404, None);
}
