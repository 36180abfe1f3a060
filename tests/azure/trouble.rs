//! What Azure does to the app, and what it makes of it.

use crate::{
    app::App,
    azure_stand_in::Service,
    cloud::Cloud,
    functions,
    host::Outcome,
    moto, secrets,
    support::{Provider, World, until},
};

#[tokio::test]
async fn a_secret_that_is_rotated_holds_without_a_new_start() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let mut app = App::start(&world, &cloud, &[]).await;
    app.get("/Users?count=0").await.ok();
    let sign_ins = world.sign_ins();
    let rotate = ["token", "rotate", "test", "--grace", "1s", "--json"];
    let rotated = cloud.run(&world, &rotate).await.json();
    let new = rotated["token"].as_str().unwrap();
    secrets::remember(new);
    until(async || (app.get("/Users?count=0").await.status == 401).then_some(())).await;
    app.token = new.to_owned();
    app.get("/Users?count=0").await.ok();
    // The credentials inside are the same, and so is the session.
    assert_eq!(world.sign_ins(), sign_ins);
}

#[tokio::test]
async fn secrets_out_of_reach_at_the_start_are_read_when_they_are_back() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    for (service, failure) in [
        (Service::Vault, (429, Some(30))),
        (Service::ManagedIdentity, (500, None)),
    ] {
        let app = App::start(&world, &cloud, &[]).await;
        cloud.azure.fail(service, &[failure; 1000]);
        let (refused, missed) = tokio::join!(app.get("/Users?count=0"), app.tick());
        let detail = refused.error(503, None);
        assert!(detail.contains("cannot be reached"), "{detail}");
        assert!(refused.headers.contains_key("retry-after"));
        // The next tick may go better, and so this one has failed.
        let Outcome::Failed(text) = missed else {
            panic!("{missed:?}");
        };
        assert!(text.contains("is out of reach"), "{text}");
        assert_eq!(app.get("//ping").await.text, "pong");
        cloud.azure.fail(service, &[]);
        until(async || (app.get("/Users?count=0").await.status == 200).then_some(())).await;
        until(async || matches!(app.tick().await, Outcome::Succeeded { .. }).then_some(())).await;
    }
}

#[tokio::test]
async fn a_table_that_is_too_busy_is_waited_for_and_not_for_ever() {
    let world = World::new().await;
    let Some((cloud, way)) = Cloud::with_a_way(&world).await else {
        return;
    };
    let settings = [("SCIM_BRIDGE_CONFIRMATION_DELAY", "0")];
    let app = App::start(&world, &cloud, &settings).await;
    app.invite("ann@example.com").await;
    world.sign_up("ann@example.com").await;
    for status in [429, 500, 503] {
        way.refuse(status, 2);
        app.invite(&format!("p{status}@example.com")).await;
    }
    way.refuse(503, usize::MAX);
    let (refused, missed) = tokio::join!(app.get("/Groups"), app.tick());
    refused.error(503, None);
    assert!(refused.headers.contains_key("retry-after"));
    assert!(matches!(missed, Outcome::Failed(_)), "{missed:?}");
    // Nothing is lost for it.
    way.refuse(503, 0);
    app.get("/Groups").await.ok();
    until(async || (app.swept().await["confirmed"] == 1).then_some(())).await;
}

#[tokio::test]
async fn two_handlers_that_race_make_one_person_of_one_user() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let one = App::start(&world, &cloud, &[]).await;
    let other = App::start(&world, &cloud, &[]).await;
    functions::race(&world, &one, &other, 3).await;
}

#[tokio::test]
async fn the_state_may_be_in_another_cloud() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let Some(moto) = moto::url() else {
        return;
    };
    let table = moto::table(moto, "azure").await;
    let settings = [
        ("SCIM_BRIDGE_STATE", &*table),
        ("AWS_ENDPOINT_URL", moto),
        ("AWS_ACCESS_KEY_ID", "AKIAFUNCTIONSAPP0000"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("SCIM_BRIDGE_CONFIRMATION_DELAY", "0"),
    ];
    let app = App::start(&world, &cloud, &settings).await;
    app.invite("ann@example.com").await;
    world.sign_up("ann@example.com").await;
    assert_eq!(app.swept().await["confirmed"], 1);
}
