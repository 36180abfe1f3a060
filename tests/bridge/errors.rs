//! What goes wrong, and what the provider is told.

use reqwest::Method;
use scim_bridge::account::{Account, Attempt, Invitation};
use serde_json::json;

use crate::support::{Call, GROUP, Provider, USER, World, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_reaches_nothing() {
    let world = World::new().await;
    let bridge = world.bridge(&[("SCIM_BRIDGE_SWEEP_KEY", "")]).await;
    let stranger = scim_bridge::credentials::BearerToken::generate().unwrap();
    let stranger = stranger.expose();
    let mistyped = format!("{}x", world.token);
    for token in [
        None,
        Some("x"),
        Some(stranger.as_str()),
        Some(mistyped.as_str()),
    ] {
        for path in [
            "/Users",
            "/Groups/x",
            "/ServiceProviderConfig",
            "/nothing",
            "/app/status",
        ] {
            let answer = bridge.send(call(Method::GET, path, token)).await;
            let detail = answer.error(401, None);
            assert!(
                answer.headers["www-authenticate"]
                    .to_str()
                    .unwrap()
                    .starts_with("Bearer")
            );
            assert!(!detail.contains("typed"), "no hint what is wrong: {detail}");
        }
    }
    assert_eq!(world.requests(), 0, "the account was not even asked");
    // The same bridge works for who has the token, in whatever case the scheme is written.
    let headers = [("authorization", format!("bearer {}", world.token))];
    let headers = [(headers[0].0, headers[0].1.as_str())];
    let answer = bridge.send(Call {
        headers: &headers,
        ..call(Method::GET, "/Users", None)
    });
    assert_eq!(answer.await.status, 200);
    assert!(world.requests() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_say_what_is_wrong() {
    let world = World::new().await;
    let bridge = world
        .bridge(&[("SCIM_BRIDGE_ALLOWED_DOMAINS", "example.com")])
        .await;
    let ann = json!({"schemas": [USER], "userName": "ann@example.com", "externalId": "x"});
    let id = bridge.post("/Users", ann.clone()).await.created();
    let group = json!({"schemas": [GROUP], "displayName": "Finance"});
    let group = bridge.post("/Groups", group).await.created();
    let nobody = "AAAAAAAAAAAAAAAAAAAAAAAAAA";

    // Unknown ids, whatever they look like.
    for path in [
        "/Users/unknown",
        "/Groups/unknown",
        "/Users/%ff",
        &format!("/Users/{nobody}"),
    ] {
        bridge.get(path).await.error(404, None);
        bridge.delete(path).await.error(404, None);
    }
    let off = json!([{"op": "replace", "path": "active", "value": false}]);
    bridge
        .patch(&format!("/Users/{nobody}"), off)
        .await
        .error(404, None);

    // Duplicates, in any spelling; an externalId has one owner.
    let mut shouted = ann.clone();
    shouted["userName"] = json!("ANN@EXAMPLE.COM");
    bridge
        .post("/Users", shouted)
        .await
        .error(409, Some("uniqueness"));
    let mut other = ann.clone();
    other["userName"] = json!("bob@example.com");
    bridge
        .post("/Users", other.clone())
        .await
        .error(409, Some("uniqueness"));
    assert!(
        bridge
            .find("/Users", r#"userName eq "bob@example.com""#)
            .await
            .is_empty()
    );

    // Values that cannot be taken.
    other["externalId"] = json!("y");
    for (name, word) in [
        ("bob", "e-mail"),
        ("bob@other.example", "SCIM_BRIDGE_ALLOWED_DOMAINS"),
    ] {
        other["userName"] = json!(name);
        let detail = bridge
            .post("/Users", other.clone())
            .await
            .error(400, Some("invalidValue"));
        assert!(detail.contains(word), "{detail}");
    }
    bridge
        .post("/Users", json!({"schemas": [USER]}))
        .await
        .error(400, Some("invalidValue"));
    let old = json!({"schemas": ["urn:scim:schemas:core:1.0"], "userName": "c@example.com"});
    let detail = bridge
        .post("/Users", old)
        .await
        .error(400, Some("invalidVers"));
    assert!(detail.contains("2.0"), "{detail}");

    // Members that are nobody, or groups: refused whole.
    let add =
        json!([{"op": "add", "path": "members", "value": [{"value": id}, {"value": nobody}]}]);
    let path = format!("/Groups/{group}");
    let detail = bridge
        .patch(&path, add)
        .await
        .error(400, Some("invalidValue"));
    assert!(detail.contains(nobody), "{detail}");
    let nested =
        json!([{"op": "add", "path": "members", "value": [{"value": group, "type": "Group"}]}]);
    bridge
        .patch(&path, nested)
        .await
        .error(400, Some("invalidValue"));
    assert!(bridge.get(&path).await.ok().get("members").is_none());
    let filled = json!({"schemas": [GROUP], "displayName": "G", "members": [{"value": nobody}]});
    bridge
        .post("/Groups", filled)
        .await
        .error(400, Some("invalidValue"));
    assert!(
        bridge
            .find("/Groups", r#"displayName eq "G""#)
            .await
            .is_empty()
    );
    for odd in [
        json!([{"id": id}]),
        json!([{}]),
        json!([null]),
        json!({}),
        json!([{"value": ""}]),
    ] {
        let body = json!({"schemas": [GROUP], "displayName": "Finance", "members": odd});
        bridge
            .put(&path, body)
            .await
            .error(400, Some("invalidValue"));
        for op in ["add", "replace"] {
            let operation = json!([{"op": op, "path": "members", "value": odd}]);
            bridge
                .patch(&path, operation)
                .await
                .error(400, Some("invalidValue"));
        }
    }
    let gone = json!([{"op": "remove", "path": format!("members[value eq \"{nobody}\"]")}]);
    bridge.patch(&path, gone).await.done();

    // Without bound nothing is kept or repeated.
    let many: Vec<_> = (0..101)
        .map(|n| json!({"value": format!("{n}@example.com")}))
        .collect();
    let long = "x".repeat(2000);
    for (attribute, value) in [
        ("emails", json!(many)),
        ("externalId", json!(long)),
        ("userName", json!(long)),
    ] {
        let mut user = json!({"schemas": [USER], "userName": "long@example.com"});
        user[attribute] = value;
        let answer = bridge.post("/Users", user).await;
        answer.error(400, Some("invalidValue"));
        assert!(answer.text.len() < 1000, "{}", answer.text.len());
    }

    // JSON, media type, size, method.
    let raw = async |body: &str, media_type: &str| {
        let request = Call {
            headers: &[("content-type", media_type)],
            body: Some(body.to_owned()),
            ..call(Method::POST, "/Users", Some(&bridge.token))
        };
        bridge.send(request).await
    };
    raw(r#"{"userName":"#, "application/scim+json")
        .await
        .error(400, Some("invalidSyntax"));
    raw("[]", "application/json")
        .await
        .error(400, Some("invalidSyntax"));
    raw("", "application/json")
        .await
        .error(400, Some("invalidSyntax"));
    raw("{}", "text/xml").await.error(415, None);
    let huge = format!(r#"{{"x":"{}"}}"#, "x".repeat(1024 * 1024));
    let detail = raw(&huge, "application/json").await.error(413, None);
    assert!(detail.contains("1048576"), "{detail}");
    let answer = bridge.put("/Users", ann).await;
    answer.error(405, None);
    assert!(answer.headers["allow"].to_str().unwrap().contains("POST"));
    bridge.post("/Me", json!({})).await.error(501, None);
    bridge.get("/nothing").await.error(404, None);
    let ping = bridge.tenant.replace("/scim/v2", "/ping");
    bridge.post(&ping, json!({})).await.error(405, None);

    // Filters: what cannot be judged is refused, never answered with everybody.
    for (endpoint, filter) in [
        ("/Users", "title co %22x%22"),
        ("/Users", "userName eq"),
        ("/Groups", "displayName xx %22y%22"),
    ] {
        let answer = bridge
            .get(&format!("{endpoint}?filter={}", filter.replace(' ', "%20")))
            .await;
        answer.error(400, Some("invalidFilter"));
    }
    bridge
        .get("/Users?count=x")
        .await
        .error(400, Some("invalidValue"));
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_the_bridge_itself_and_powerful_groups_are_out_of_reach() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let filter = format!(r#"userName eq "{}""#, world.owner.email);
    let owner = bridge.find("/Users", &filter).await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/Users/{owner}");
    for operation in [
        json!([{"op": "replace", "path": "active", "value": false}]),
        json!([{"op": "replace", "path": "displayName", "value": "Nobody"}]),
    ] {
        bridge.patch(&path, operation).await.error(403, None);
    }
    // What the account would never hear of is no less theirs.
    let bare = json!({"schemas": [USER], "userName": world.owner.email});
    bridge.put(&path, bare).await.error(403, None);
    let other = json!([{"op": "replace", "path": "emails", "value": [{"value": "e@x.example"}]}]);
    bridge.patch(&path, other).await.error(403, None);
    bridge.delete(&path).await.error(403, None);
    // What changes nothing is no harm: a provider may match the owner, and note its own id.
    let note = json!([{"op": "replace", "path": "externalId", "value": "o"},
        {"op": "replace", "path": "active", "value": true}]);
    bridge.patch(&path, note).await.ok();

    for name in ["Owners", "administrators", "Provision Managers"] {
        let body = json!({"schemas": [GROUP], "displayName": name});
        let detail = bridge
            .post("/Groups", body)
            .await
            .error(409, Some("uniqueness"));
        assert!(detail.contains("whole account"), "{detail}");
    }
    assert_eq!(bridge.get("/Groups").await.ok()["totalResults"], 0);
    world.sign_in(&world.owner).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_away_is_a_503_and_the_same_request_works_later() {
    let mut world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let ann = json!({"schemas": [USER], "userName": "ann@example.com"});
    let body = json!({"schemas": [GROUP], "displayName": "Finance"});
    let group = bridge.post("/Groups", body).await.created();
    world.stop_account().await;
    let answer = bridge.post("/Users", ann.clone()).await;
    let detail = answer.error(503, None);
    assert!(detail.contains("1Password"), "{detail}");
    let wait: u64 = answer.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=300).contains(&wait));
    bridge
        .get(&format!("/Groups/{group}"))
        .await
        .error(503, None);
    // What needs no account goes on.
    bridge.get("/ServiceProviderConfig").await.ok();

    world.start_account().await;
    let id = bridge.post("/Users", ann).await.created();
    let add = json!([{"op": "add", "path": "members", "value": [{"value": id}]}]);
    bridge.patch(&format!("/Groups/{group}"), add).await.done();
    let kit = world.sign_up("ann@example.com").await;
    world.until_opened(&kit, "Finance").await;
    assert_eq!(world.count("invited").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_creation_never_takes_what_is_not_its_own() {
    let mut world = World::new().await;
    let admin = world.provision_manager();
    let sales = admin
        .create_group("Sales", &Attempt::new("elsewhere"))
        .await
        .unwrap();
    let dan = Invitation {
        email: "dan@example.com".into(),
        name: "Dan".into(),
        language: None,
    };
    admin
        .invite(&dan, &Attempt::new("elsewhere too"))
        .await
        .unwrap();
    let bridge = world.bridge(&[]).await;
    let nobody = "AAAAAAAAAAAAAAAAAAAAAAAAAA";
    let posts = [
        (
            "/Groups",
            json!({"schemas": [GROUP], "displayName": "Sales"}),
        ),
        (
            "/Groups",
            json!({"schemas": [GROUP], "displayName": "Sales", "members": [{"value": nobody}]}),
        ),
        (
            "/Users",
            json!({"schemas": [USER], "userName": "dan@example.com"}),
        ),
        (
            "/Users",
            json!({"schemas": [USER], "userName": world.owner.email}),
        ),
    ];
    world.stop_account().await;
    for (path, body) in &posts {
        bridge.post(path, body.clone()).await.error(503, None);
    }
    world.start_account().await;
    for (path, body) in &posts {
        bridge
            .post(path, body.clone())
            .await
            .error(409, Some("uniqueness"));
    }
    assert!(admin.group(&sales.id).await.unwrap().is_some());
    assert_eq!(bridge.get("/Groups").await.ok()["totalResults"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_cut_off_after_the_account_did_it_is_finished_by_its_repeat() {
    let mut world = World::new().await;
    // The store is gone when the account has answered: what a crash between the two leaves.
    let bridge = world.bridge(&[]).await;
    let finance = json!({"schemas": [GROUP], "displayName": "Finance", "externalId": "f"});
    let ann = json!({"schemas": [USER], "userName": "ann@example.com", "externalId": "a"});
    world.lose_answers_to("/api/x-bridge/v1/groups");
    bridge
        .post("/Groups", finance.clone())
        .await
        .error(503, None);
    world.lose_answers_to("/api/x-bridge/v1/members");
    bridge.post("/Users", ann.clone()).await.error(503, None);
    world.lose_nothing();
    assert_eq!(
        (
            world.count("group_created").await,
            world.count("invited").await
        ),
        (1, 1)
    );
    bridge.kill();

    let bridge = world.bridge(&[]).await;
    let group = bridge.post("/Groups", finance.clone()).await.created();
    let id = bridge.post("/Users", ann.clone()).await.created();
    assert_eq!(
        (
            world.count("group_created").await,
            world.count("invited").await
        ),
        (1, 1)
    );
    bridge
        .post("/Groups", finance)
        .await
        .error(409, Some("uniqueness"));
    bridge
        .post("/Users", ann)
        .await
        .error(409, Some("uniqueness"));
    let add = json!([{"op": "add", "path": "members", "value": [{"value": id}]}]);
    bridge.patch(&format!("/Groups/{group}"), add).await.done();
    let kit = world.sign_up("ann@example.com").await;
    world.until_opened(&kit, "Finance").await;
    world.stop_account().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_creation_or_change_leaves_nothing_behind() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    // One externalId, many names, at the same moment: one group, and the others can be had later.
    let group =
        |name: &str, id: &str| json!({"schemas": [GROUP], "displayName": name, "externalId": id});
    let names = ["G1", "G2", "G3", "G4", "G5"];
    let posts = names.map(|name| bridge.post("/Groups", group(name, "same")));
    let answers = futures_util::future::join_all(posts).await;
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 201).count(),
        1
    );
    for (name, answer) in names.iter().zip(&answers) {
        if answer.status != 201 {
            answer.error(409, Some("uniqueness"));
            bridge.post("/Groups", group(name, name)).await.created();
        }
    }
    assert_eq!(bridge.get("/Groups").await.ok()["totalResults"], 5);

    // A name that the account refuses takes the membership with it, and the other way round.
    let path = answers[0].body["meta"]["location"]
        .as_str()
        .map(str::to_owned);
    let path = path.unwrap_or(format!(
        "/Groups/{}",
        bridge.find("/Groups", "displayName eq \"G1\"").await[0]["id"]
            .as_str()
            .unwrap()
    ));
    let ann = bridge.invite("ann@example.com").await;
    let add = json!({"op": "add", "path": "members", "value": [{"value": ann}]});
    let long = json!({"op": "replace", "path": "displayName", "value": "x".repeat(300)});
    bridge
        .patch(&path, json!([add, long]))
        .await
        .error(400, Some("invalidValue"));
    let nobody = json!({"op": "add", "path": "members", "value": [{"value": "A".repeat(26)}]});
    let rename = json!({"op": "replace", "path": "displayName", "value": "Other"});
    bridge
        .patch(&path, json!([nobody, rename]))
        .await
        .error(400, Some("invalidValue"));
    let taken = json!({"op": "replace", "path": "displayName", "value": "g2"});
    bridge
        .patch(&path, json!([add, taken]))
        .await
        .error(409, Some("uniqueness"));
    let shown = bridge.get(&path).await.ok();
    assert_eq!(shown["displayName"], "G1");
    assert!(shown.get("members").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_deleted_in_the_account_leave_the_list_and_no_gap() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let mut ids = Vec::new();
    for number in 0..6 {
        let body = json!({"schemas": [GROUP], "displayName": format!("G{number}")});
        ids.push(bridge.post("/Groups", body).await.created());
    }
    ids.sort();
    let admin = world.provision_manager();
    for place in [0, 3] {
        admin
            .delete_group(&ids[place].parse().unwrap())
            .await
            .unwrap();
    }
    bridge
        .get(&format!("/Groups/{}", ids[0]))
        .await
        .error(404, None);
    let mut walked = Vec::new();
    for start in [1, 3, 5] {
        let page = bridge
            .get(&format!("/Groups?startIndex={start}&count=2"))
            .await
            .ok();
        let rows = page["Resources"].as_array().cloned().unwrap_or_default();
        walked.extend(
            rows.iter()
                .map(|row| row["id"].as_str().unwrap().to_owned()),
        );
    }
    let living: Vec<_> = [1, 2, 4, 5].map(|place| ids[place].clone()).into();
    assert_eq!(walked, living);
    assert_eq!(bridge.get("/Groups").await.ok()["totalResults"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn values_come_back_as_sent_and_match_as_sent() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let body = json!({"schemas": [GROUP], "displayName": " Finance "});
    let id = bridge.post("/Groups", body.clone()).await.created();
    let found = bridge
        .find("/Groups", r#"displayName eq " finance ""#)
        .await;
    assert_eq!(found[0]["displayName"], " Finance ");
    bridge
        .post("/Groups", body)
        .await
        .error(409, Some("uniqueness"));
    let same = json!([{"op": "replace", "value": {"id": id, "displayName": " Finance "}}]);
    bridge.patch(&format!("/Groups/{id}"), same).await.done();
    assert_eq!(world.count("group_renamed").await, 0);

    let ann = json!({"schemas": [USER], "userName": "Ann@example.com", "displayName": "Ann Example",
        "preferredLanguage": "da, en-gb;q=0.8"});
    let id = bridge.post("/Users", ann).await.created();
    let user = format!("/Users/{id}");
    assert_eq!(
        bridge.get(&user).await.ok()["preferredLanguage"],
        "da, en-gb;q=0.8"
    );
    // A name like the address is a name too.
    let rename = json!([{"op": "replace", "path": "displayName", "value": "ann"}]);
    assert_eq!(bridge.patch(&user, rename).await.ok()["displayName"], "ann");
    let admin = world.provision_manager();
    let member = admin.member(&id.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(
        (member.name.as_str(), member.language.as_deref()),
        ("ann", Some("da"))
    );
    let none = json!([{"op": "replace", "path": "preferredLanguage", "value": ""}]);
    bridge.patch(&user, none).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn large_groups_are_sent_whole_only_to_who_asks() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let mut members = Vec::new();
    for number in 0..101 {
        let id = bridge.invite(&format!("p{number}@example.com")).await;
        members.push(json!({"value": id}));
    }
    let last = members.pop().unwrap();
    let body = json!({"schemas": [GROUP], "displayName": "All", "members": members});
    let path = format!("/Groups/{}", bridge.post("/Groups", body).await.created());
    let count = |group: &serde_json::Value| group["members"].as_array().map_or(0, Vec::len);
    assert_eq!(
        count(&bridge.get("/Groups").await.ok()["Resources"][0]),
        100
    );
    let add = json!([{"op": "add", "path": "members", "value": [last]}]);
    assert_eq!(bridge.patch(&path, add.clone()).await.status, 204);
    assert_eq!(count(&bridge.get("/Groups").await.ok()["Resources"][0]), 0);
    let named = bridge.get("/Groups?attributes=members").await.ok();
    assert_eq!(count(&named["Resources"][0]), 101);
    assert_eq!(count(&bridge.get(&path).await.ok()), 101);
    let chosen = bridge
        .patch(&format!("{path}?attributes=displayName"), add)
        .await
        .ok();
    assert_eq!(chosen["displayName"], "All");
    let put = json!({"schemas": [GROUP], "displayName": "Everybody"});
    let put = bridge.put(&path, put).await.ok();
    assert_eq!((&put["displayName"], count(&put)), (&json!("Everybody"), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_identical_posts_make_one_person() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let ann = json!({"schemas": [USER], "userName": "ann@example.com"});
    let posts = [0; 8].map(|_| bridge.post("/Users", ann.clone()));
    let mut statuses = Vec::new();
    for answer in futures_util::future::join_all(posts).await {
        statuses.push(answer.status.as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
    assert_eq!(world.count("invited").await, 1);

    let finance = json!({"schemas": [GROUP], "displayName": "Finance"});
    let posts = [0; 4].map(|_| bridge.post("/Groups", finance.clone()));
    let answers = futures_util::future::join_all(posts).await;
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 201).count(),
        1
    );
    assert_eq!(
        bridge
            .find("/Groups", r#"displayName eq "finance""#)
            .await
            .len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_changes_of_one_group_and_one_person_all_take_effect() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let body = json!({"schemas": [GROUP], "displayName": "Finance"});
    let group = bridge.post("/Groups", body).await.created();
    let people: [_; 6] = std::array::from_fn(|n| format!("p{n}@example.com"));
    let ids = futures_util::future::join_all(people.iter().map(|email| bridge.invite(email))).await;
    let path = format!("/Groups/{group}");
    let adds = ids.iter().map(|id| {
        let add = json!([{"op": "add", "path": "members", "value": [{"value": id}]}]);
        bridge.patch(&path, add)
    });
    for answer in futures_util::future::join_all(adds).await {
        answer.done();
    }
    let members = bridge.get(&path).await.ok()["members"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(members, ids.len());

    let user = format!("/Users/{}", ids[0]);
    let changes = [
        "externalId",
        "preferredLanguage",
        "name.givenName",
        "name.familyName",
    ];
    let patches = changes.map(|attribute| {
        let user = &user;
        let bridge = &bridge;
        async move {
            let operation = json!([{"op": "replace", "path": attribute, "value": "de"}]);
            bridge.patch(user, operation).await.done();
        }
    });
    futures_util::future::join_all(patches).await;
    let shown = bridge.get(&user).await.ok();
    assert_eq!(shown["externalId"], "de");
    assert_eq!(shown["preferredLanguage"], "de");
    assert_eq!(
        (&shown["name"]["givenName"], &shown["name"]["familyName"]),
        (&json!("de"), &json!("de"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_stay_out_of_the_log() {
    let world = World::new().await;
    let bridge = world.bridge(&[("SCIM_BRIDGE_LOG", "trace")]).await;
    let secret = "S3cret-pushed-by-the-provider";
    let ann = json!({"schemas": [USER], "userName": "ann@example.com", "password": secret});
    let id = bridge.post("/Users", ann).await.created();
    bridge
        .find("/Users", r#"userName eq "ann@example.com""#)
        .await;
    let password = json!([{"op": "replace", "value": {"password": secret}}]);
    bridge.patch(&format!("/Users/{id}"), password).await.done();
    let kit = world.sign_up("ann@example.com").await;
    until(async || {
        world
            .sign_in(&kit)
            .await
            .ok()
            .filter(|r| !r.groups.is_empty())
    })
    .await;
    let stranger = scim_bridge::credentials::BearerToken::generate().unwrap();
    bridge
        .send(call(Method::GET, "/Users", Some(&stranger.expose())))
        .await
        .error(401, None);
    let log = bridge.log.lock().unwrap().clone();
    assert!(log.contains("answered"), "{log}");
    let scimsession = std::fs::read_to_string(world.dir.path().join("scimsession")).unwrap();
    let sealed: serde_json::Value = serde_json::from_str(&scimsession).unwrap();
    for secret in [
        secret,
        &world.token,
        &stranger.expose(),
        &kit.password,
        &kit.secret_key,
        sealed["sealed"]["data"].as_str().unwrap(),
        "ann%40example.com",
        "ann@example.com",
        "%6E%6E%40",
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

fn call<'a>(method: Method, path: &'a str, token: Option<&'a str>) -> Call<'a> {
    Call {
        method,
        path,
        token,
        headers: &[],
        body: None,
    }
}
