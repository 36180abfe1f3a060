//! Managed groups: who chooses them, what guards them, what a change costs, and what the audit says.

use reqwest::Method;
use scim_bridge::{
    account::{Account, Attempt, GroupId},
    sandbox::person,
    state::{
        AuditOutcome, Guard, ManagedGroup, Person, Removal, StateStore, Versioned,
        sqlite::SqliteStore,
    },
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::support::{Answer, Bridge, GROUP, Provider, Run, USER, World};

impl World {
    fn store(&self) -> SqliteStore {
        SqliteStore::open(&self.dir.path().join("state.db")).unwrap()
    }

    /// What the audit says of something: action, outcome, detail.
    async fn audit_of(&self, target: &str) -> Vec<(String, AuditOutcome, String)> {
        let (lines, next) = self
            .store()
            .audit(OffsetDateTime::UNIX_EPOCH, None, 1000)
            .await
            .unwrap();
        assert_eq!(next, None);
        let of = lines.into_iter().filter(|line| line.target == target);
        of.map(|line| {
            let detail = line.detail.unwrap_or_default();
            (line.action, line.outcome, detail)
        })
        .collect()
    }

    /// Actions that the audit says were refused, in their order.
    async fn refusals_of(&self, target: &str) -> Vec<String> {
        let lines = self.audit_of(target).await.into_iter();
        let refused = lines.filter(|(_, outcome, _)| *outcome == AuditOutcome::Refused);
        refused.map(|(action, ..)| action).collect()
    }

    /// A group that the owner made: its key is out of the bridge's reach.
    async fn owners_group(&self, name: &str) -> String {
        let (client, origin) = (&self.client, self.origin());
        let made = person::make_group(client, &origin, &self.owner, name).await;
        made.unwrap().to_string()
    }

    /// `scim-bridge groups manage`, with the owner's secrets at hand.
    async fn manage_as_owner(&self, name: &str) -> Run {
        let settings = [
            ("SCIM_BRIDGE_ADMIN_SECRET_KEY", &*self.owner.secret_key),
            ("SCIM_BRIDGE_ADMIN_PASSWORD", &*self.owner.password),
            ("SCIM_BRIDGE_ADMIN_EMAIL", &self.owner.email),
        ];
        self.run(&["groups", "manage", name, "--json"], &settings)
            .await
    }

    /// How much the account was asked by now, by anybody.
    fn so_far(&self) -> usize {
        self.asked_about("").len()
    }

    /// What it was asked to change since `before` requests.
    fn writes_since(&self, before: usize) -> Vec<String> {
        let reads = ["/query", "/by-ids", "/by-name", "/by-email", "/with-groups"];
        self.asked_about("")
            .into_iter()
            .skip(before)
            .filter(|line| line.contains("/x-bridge/") && !line.starts_with("GET "))
            .filter(|line| !reads.iter().any(|end| line.ends_with(end)))
            .collect()
    }
}

impl Bridge {
    async fn group_of(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
        let body = json!({ "schemas": [GROUP], "displayName": name, "members": members });
        self.post("/Groups", body).await.created()
    }

    async fn people(&self, names: &[&str]) -> Vec<String> {
        let mut ids = Vec::new();
        for name in names {
            ids.push(self.invite(&format!("{name}@example.com")).await);
        }
        ids
    }

    async fn members_of(&self, group: &str) -> Vec<String> {
        let shown = self.get(&format!("/Groups/{group}")).await.ok();
        let members = shown["members"].as_array().cloned().unwrap_or_default();
        let ids = members.iter().map(|member| member["value"].as_str());
        let mut ids: Vec<String> = ids.map(|id| id.unwrap().to_owned()).collect();
        ids.sort();
        ids
    }
}

/// The record of a managed group.
fn managed(name: &str) -> ManagedGroup {
    ManagedGroup {
        display_name: name.to_owned(),
        account_name: name.to_owned(),
        external_id: None,
        updated_at: OffsetDateTime::now_utc(),
    }
}

fn id(text: &str) -> GroupId {
    text.parse().unwrap()
}

fn add(people: &[&str]) -> Value {
    let people: Vec<Value> = people.iter().map(|id| json!({ "value": id })).collect();
    json!([{ "op": "add", "path": "members", "value": people }])
}

fn remove(people: &[&str]) -> Value {
    let people: Vec<Value> = people.iter().map(|id| json!({ "value": id })).collect();
    json!([{ "op": "remove", "path": "members", "value": people }])
}

fn replace(people: &[&str]) -> Value {
    let mut operations = add(people);
    operations[0]["op"] = "replace".into();
    operations
}

fn rename(name: &str) -> Value {
    json!([{ "op": "replace", "path": "displayName", "value": name }])
}

fn line(action: &str, outcome: AuditOutcome, detail: &str) -> (String, AuditOutcome, String) {
    (action.to_owned(), outcome, detail.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_changes_nothing_costs_no_write() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let people = bridge.people(&["ann", "bob", "carl"]).await;
    let [ann, bob, carl] = &people[..] else {
        panic!("three")
    };
    bridge.delete(&format!("/Users/{carl}")).await.done();
    let group = bridge.group_of("Finance", &[ann]).await;
    let at = format!("/Groups/{group}");
    let (ann_at, carl_at) = (format!("/Users/{ann}"), format!("/Users/{carl}"));
    let whole = bridge.get(&at).await.ok();
    let whole_ann = bridge.get(&ann_at).await.ok();
    let audited = world.audit_of(&group).await;
    let active = |value: bool| json!([{ "op": "replace", "path": "active", "value": value }]);
    let name = json!([{ "op": "replace", "path": "displayName", "value": "ann@example.com" }]);
    let before = world.so_far();

    for (path, nothing) in [
        (&at, rename("Finance")),
        (&at, add(&[ann])),
        (&at, remove(&[bob])),
        (&at, remove(&["nobody"])),
        (&at, replace(&[ann])),
        (&ann_at, name),
        (&ann_at, active(true)),
        (&carl_at, active(false)),
    ] {
        bridge.patch(path, nothing.clone()).await.done();
        let writes = world.writes_since(before);
        assert!(writes.is_empty(), "{nothing}: {writes:?}");
    }
    bridge.put(&at, whole.clone()).await.ok();
    bridge.put(&ann_at, whole_ann.clone()).await.ok();
    bridge.delete(&carl_at).await.done();
    let writes = world.writes_since(before);
    assert!(writes.is_empty(), "{writes:?}");
    assert_eq!(bridge.get(&at).await.ok(), whole);
    assert_eq!(bridge.get(&ann_at).await.ok(), whole_ann);
    assert_eq!(world.audit_of(&group).await, audited);

    // What changes something is one write about those whom it changes, and lists nobody.
    let listed = || world.asked_about(&format!("/groups/{group}/members/query"));
    let lists = listed().len();
    for (change, write) in [
        (add(&[ann, bob]), "grants"),
        (remove(&[bob, carl]), "revocations"),
    ] {
        let before = world.so_far();
        let lean = format!("{at}?excludedAttributes=members");
        bridge.patch(&lean, change).await.done();
        let write = format!("POST /api/x-bridge/v1/groups/{group}/{write}");
        assert_eq!(world.writes_since(before), [write]);
    }
    assert_eq!(listed().len(), lists);
    // Another spelling is another name.
    bridge.patch(&at, rename("finance")).await.done();
    assert_eq!(bridge.get(&at).await.ok()["displayName"], "finance");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_chooses_the_groups_that_show() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let finance = world.owners_group("Finance").await;
    let at = format!("/Groups/{finance}");
    let listed = async |id: &str| -> Value {
        let list = world.run(&["groups", "list", "--json"], &[]).await.json();
        let groups = list["groups"].as_array().cloned().unwrap();
        groups.into_iter().find(|one| one["id"] == id).unwrap()
    };
    let mut expected = json!({ "id": finance, "name": "Finance", "members": 0, "managed": false });
    assert_eq!(listed(&finance).await, expected);

    // Until then every answer says what to do.
    let command = r#"scim-bridge groups manage "Finance""#;
    let taken = json!({ "schemas": [GROUP], "displayName": "fiNANce" });
    let detail = bridge.post("/Groups", taken).await;
    let detail = detail.error(409, Some("uniqueness"));
    assert!(detail.contains(command), "{detail}");
    bridge.get(&at).await.error(404, None);
    let ann = bridge.invite("ann@example.com").await;
    for refused in [
        bridge.patch(&at, add(&[&ann])).await,
        bridge.delete(&at).await,
    ] {
        let detail = refused.error(403, None);
        assert!(detail.contains(command), "{detail}");
    }
    let refused = ["group.members", "group.delete"];
    assert_eq!(world.refusals_of(&finance).await, refused);

    // The key is the owner's: they have to hand it over.
    let told = world.run(&["groups", "manage", "FINANCE"], &[]).await;
    assert_eq!(told.status, 2, "{}", told.stderr);
    for name in [
        r#"the key of the group "Finance""#,
        "SCIM_BRIDGE_ADMIN_EMAIL",
        "SCIM_BRIDGE_ADMIN_SECRET_KEY",
        "SCIM_BRIDGE_ADMIN_PASSWORD",
    ] {
        assert!(told.stderr.contains(name), "{name}: {}", told.stderr);
    }
    assert_eq!(listed(&finance).await, expected);
    expected["managed"] = true.into();
    let managed = world.manage_as_owner("FINANCE").await.json();
    assert_eq!(managed["groups"], json!([expected]));
    // It is managed now, by name or id, and the key is at hand.
    let twice = ["groups", "manage", "Finance", &finance];
    let again = world.run(&twice, &[]).await;
    assert!(again.done().stdout.contains("already"), "{}", again.stdout);
    assert_eq!(listed(&finance).await, expected);

    let found = bridge.find("/Groups", r#"displayName eq "finance""#).await;
    assert_eq!(found[0]["id"], *finance);
    bridge.patch(&at, add(&[&ann])).await.done();
    let kit = world.sign_up("ann@example.com").await;
    world.until_opened(&kit, "Finance").await;

    // A new name is the account's business; so are the members afterwards.
    let account = world.provision_manager();
    account.rename_group(&id(&finance), "Money").await.unwrap();
    assert_eq!(bridge.get(&at).await.ok()["displayName"], "Money");
    let unmanage = world.run(&["groups", "unmanage", "money"], &[]).await;
    unmanage.done();
    let again = world.run(&["groups", "unmanage", &finance], &[]).await;
    assert!(again.done().stdout.contains("was not managed"));
    bridge.get(&at).await.error(404, None);
    let group = account.group(&id(&finance)).await.unwrap().unwrap();
    assert_eq!((group.name.as_str(), group.member_count), ("Money", 1));

    let lines = world.audit_of(&finance).await;
    let by_hand: Vec<_> = lines
        .into_iter()
        .filter(|(action, ..)| action.ends_with("manage"))
        .collect();
    let done = AuditOutcome::Done;
    let expected = [
        line("group.manage", done, "Finance"),
        line("group.unmanage", done, "Money"),
    ];
    assert_eq!(by_hand, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_managed_group_whose_key_is_out_of_reach_is_managed_once_more() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let ann = bridge.invite("ann@example.com").await;
    let kit = world.sign_up("ann@example.com").await;
    world.until_opened(&kit, "Team Members").await;
    let finance = world.owners_group("Finance").await;
    let record = managed("Finance");
    let store = world.store();
    store.put_managed_group(&finance, &record, 0).await.unwrap();
    let at = format!("/Groups/{finance}");
    let refused = bridge.patch(&at, add(&[&ann])).await.error(403, None);
    assert!(refused.contains("scim-bridge groups manage"), "{refused}");
    assert_eq!(world.refusals_of(&finance).await, ["group.members"]);
    world.manage_as_owner(&finance).await.done();
    bridge.patch(&at, add(&[&ann])).await.done();
    world.until_opened(&kit, "Finance").await;
    let kept = store.managed_group(&finance).await.unwrap().unwrap();
    assert_eq!(kept.version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_groups_all_are_managed_or_none() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let account = world.provision_manager();
    let mut ids = Vec::new();
    for name in ["One", "Two"] {
        let attempt = Attempt::new(name);
        let made = account.create_group(name, &attempt).await.unwrap();
        ids.push(made.id.to_string());
    }
    let owners = account.group_by_name("Owners").await.unwrap().unwrap().id;
    for (other, status, says) in [
        ("Three", 4, "scim-bridge groups list"),
        ("Owners", 1, "power over the whole account"),
        (owners.as_str(), 1, "power over the whole account"),
        ("Tw", 4, r#""Tw""#),
    ] {
        let run = world.run(&["groups", "manage", "One", other], &[]).await;
        assert_eq!(run.status, status, "{other}: {}", run.stderr);
        assert!(run.stderr.contains(says), "{other}: {}", run.stderr);
    }
    assert_eq!(bridge.get("/Groups").await.ok()["totalResults"], 0);
    let refused = ["group.manage", "group.manage"];
    assert_eq!(world.refusals_of(owners.as_str()).await, refused);
    // What a program of ours made needs nobody's help.
    let both = world.run(&["groups", "manage", "one", &ids[1]], &[]).await;
    both.done();
    assert_eq!(bridge.get("/Groups").await.ok()["totalResults"], 2);
    let table = world.run(&["groups", "list"], &[]).await;
    for (name, managed) in [("One", "yes"), ("Owners", "never")] {
        let mut rows = table.done().stdout.lines();
        let row = rows.find(|row| row.starts_with(name)).unwrap();
        assert!(row.contains(managed), "{row}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_came_to_power_shows_and_does_not_change() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let account = world.provision_manager();
    let name = "Provision Managers";
    let powerful = account.group_by_name(name).await.unwrap().unwrap();
    assert!(!powerful.built_in);
    let group = powerful.id.as_str();
    let store = world.store();
    let record = managed(name);
    store.put_managed_group(group, &record, 0).await.unwrap();
    let at = format!("/Groups/{group}");
    let whole = bridge.get(&at).await.ok();
    assert_eq!(whole["displayName"], name);
    let ann = bridge.invite("ann@example.com").await;
    let before = world.so_far();
    for refused in [
        bridge.patch(&at, add(&[&ann])).await,
        bridge.patch(&at, rename("Mine")).await,
        bridge.put(&at, whole).await,
        bridge.delete(&at).await,
    ] {
        assert!(refused.error(403, None).contains("power"));
    }
    let taken = json!({ "schemas": [GROUP], "displayName": "owners" });
    let taken = bridge.post("/Groups", taken).await;
    assert!(taken.error(409, Some("uniqueness")).contains("power"));
    let writes = world.writes_since(before);
    let tried = writes
        .iter()
        .all(|line| line == "POST /api/x-bridge/v1/groups");
    assert!(tried, "{writes:?}");
    let refused = [
        "group.members",
        "group.rename",
        "group.change",
        "group.delete",
    ];
    assert_eq!(world.refusals_of(group).await, refused);
    let shown = world.run(&["groups", "list", "--json"], &[]).await.json();
    let shown = shown["groups"].as_array().cloned().unwrap();
    let shown = shown.iter().find(|one| one["id"] == *group).unwrap();
    assert_eq!(shown["managed"], true);
    assert!(shown["unmanageable"].is_string());
}

/// One request at a group, of all the ways to empty it.
async fn emptying(bridge: &Bridge, group: &str, way: &str, people: &[&str]) -> Answer {
    let at = format!("/Groups/{group}");
    let bulk = async |mut operation: Value| {
        operation["path"] = at.clone().into();
        let schema = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
        let body = json!({ "schemas": [schema], "Operations": [operation] });
        bridge.call(Method::POST, "/Bulk", Some(&body)).await
    };
    match way {
        "names them all" => bridge.patch(&at, remove(people)).await,
        "removes members" => {
            let all = json!([{ "op": "remove", "path": "members" }]);
            bridge.patch(&at, all).await
        }
        "replaces by nobody" => bridge.patch(&at, replace(&[])).await,
        "puts nobody" => {
            let empty = json!({ "schemas": [GROUP], "displayName": "Finance", "members": [] });
            bridge.put(&at, empty).await
        }
        "deletes" => bridge.delete(&at).await,
        "deletes in bulk" => bulk(json!({ "method": "DELETE" })).await,
        _ => {
            let data = json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": remove(people),
            });
            bulk(json!({ "method": "PATCH", "data": data })).await
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_empties_a_large_group_unless_the_guard_is_lifted() {
    let world = World::new().await;
    let limit = [("SCIM_BRIDGE_GUARD_EMPTY_GROUP", "2")];
    let bridge = world.bridge(&limit).await;
    let people = bridge.people(&["ann", "bob", "carl", "dora"]).await;
    let [ann, bob, carl, dora] = &people[..] else {
        panic!("four")
    };
    let all = [ann.as_str(), bob, carl];
    let group = bridge.group_of("Finance", &all).await;
    let at = format!("/Groups/{group}");
    let before = world.so_far();
    let mut expected = Vec::new();
    for (way, action) in [
        ("names them all", "group.members"),
        ("removes members", "group.members"),
        ("replaces by nobody", "group.members"),
        ("puts nobody", "group.members"),
        ("deletes", "group.delete"),
        ("deletes in bulk", "group.delete"),
        ("names them all in bulk", "group.members"),
    ] {
        let refused = emptying(&bridge, &group, way, &all).await;
        let detail = match way.ends_with("bulk") {
            true => refused.ok()["Operations"][0]["response"]["detail"].to_string(),
            false => refused.error(403, None),
        };
        for says in ["all 3 members", "scim-bridge guard lift"] {
            assert!(detail.contains(says), "{way}: {detail}");
        }
        expected.push(action);
    }
    assert_eq!(world.writes_since(before), [""; 0]);
    assert_eq!(world.refusals_of(&group).await, expected);

    // As many names as members, but not theirs; and another one beside one of them.
    let others = remove(&[ann, dora, "nobody", "AAAAAAAAAAAAAAAAAAAAAAAAAA"]);
    bridge.patch(&at, others).await.done();
    assert_eq!(bridge.members_of(&group).await.len(), 2);
    bridge.patch(&at, add(&[ann])).await.done();
    // A stranger in the place of all is as good as nobody.
    bridge.patch(&at, replace(&[dora])).await.error(403, None);
    bridge.patch(&at, replace(&[ann, dora])).await.done();
    bridge.patch(&at, replace(&[dora])).await.done();
    assert_eq!(bridge.members_of(&group).await, [dora.as_str()]);
    // A small group may go.
    bridge.patch(&at, remove(&[dora])).await.done();
    assert!(bridge.members_of(&group).await.is_empty());

    bridge.patch(&at, add(&all)).await.done();
    let store = world.store();
    for (minutes, passes) in [(-1, false), (30, true)] {
        let known = store.guard().await.unwrap();
        let guard = Guard {
            lifted_until: Some(OffsetDateTime::now_utc() + Duration::minutes(minutes)),
            ..known.value
        };
        store.put_guard(&guard, known.version).await.unwrap();
        let answer = emptying(&bridge, &group, "names them all", &all).await;
        match passes {
            true => answer.done(),
            false => drop(answer.error(403, None)),
        }
    }
    assert!(bridge.members_of(&group).await.is_empty());
    bridge.patch(&at, add(&all)).await.done();
    assert_eq!(bridge.delete(&at).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_no_member_of_a_group() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let inner = bridge.group_of("Inner", &[]).await;
    let outer = bridge.group_of("Outer", &[]).await;
    let at = format!("/Groups/{outer}");
    let body =
        json!({ "schemas": [GROUP], "displayName": "Other", "members": [{ "value": inner }] });
    for refused in [
        bridge.patch(&at, add(&[&inner])).await,
        bridge.patch(&at, replace(&[&inner])).await,
        bridge.put(&at, body.clone()).await,
        bridge.post("/Groups", body).await,
    ] {
        let detail = refused.error(400, Some("invalidValue"));
        assert!(detail.contains("groups in groups"), "{detail}");
        assert!(detail.contains(&inner), "{detail}");
    }
    bridge.patch(&at, remove(&[&inner])).await.done();
    assert_eq!(bridge.get("/Groups").await.ok()["totalResults"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_leaves_its_line_in_the_audit() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let people = bridge.people(&["ann", "bob"]).await;
    let [ann, bob] = &people[..] else {
        panic!("two")
    };
    let group = bridge.group_of("Finance", &[ann]).await;
    let at = format!("/Groups/{group}");
    let mut several = rename("Money");
    for operation in add(&[bob]).as_array().unwrap() {
        several.as_array_mut().unwrap().push(operation.clone());
    }
    bridge.patch(&at, several).await.done();
    bridge.patch(&at, replace(&[bob])).await.done();
    let external = json!([{ "op": "add", "path": "externalId", "value": "x-1" }]);
    bridge.patch(&at, external).await.done();
    // Nothing is done that somebody refuses: not even half of it.
    let mut refused = rename("Gold");
    let nobody = add(&["AAAAAAAAAAAAAAAAAAAAAAAAAA"]);
    refused.as_array_mut().unwrap().push(nobody[0].clone());
    bridge
        .patch(&at, refused)
        .await
        .error(400, Some("invalidValue"));
    bridge.delete(&at).await.done();
    let done = AuditOutcome::Done;
    let lines = world.audit_of(&group).await;
    let expected = [
        line("group.create", done, "Finance"),
        line("group.members", done, "Finance: +1 -0"),
        line("group.rename", done, "Finance → Money"),
        line("group.members", done, "Finance: +1 -0"),
        line("group.members", done, "Money: +0 -1"),
        line("group.external-id", done, "x-1"),
        line(
            "group.change",
            AuditOutcome::Refused,
            "400: the account has no member AAAAAAAAAAAAAAAAAAAAAAAAAA",
        ),
        line("group.delete", done, "Money"),
    ];
    assert_eq!(lines, expected);
    let store = world.store();
    let all = store.audit(OffsetDateTime::UNIX_EPOCH, None, 1000).await;
    let (all, _) = all.unwrap();
    let ours = all.iter().filter(|line| line.target == group);
    assert!(
        ours.map(|line| line.actor.as_str())
            .all(|who| who == "test")
    );
}

/// Writes down that somebody is to be put back into these groups when they return.
async fn set_aside(store: &SqliteStore, person: &str, groups: &[&str]) {
    let Versioned { value, version } = store.person(person).await.unwrap().unwrap();
    let now = OffsetDateTime::now_utc();
    let removal = Removal {
        since: now,
        admitted_at: Some(now),
        groups: groups.iter().map(ToString::to_string).collect(),
    };
    let person_out = Person {
        removal: Some(removal),
        ..value
    };
    store
        .put_person(person, &person_out, version)
        .await
        .unwrap();
}

/// The groups that somebody is to be put back into.
async fn places(store: &SqliteStore, person: &str) -> Vec<String> {
    let person = store.person(person).await.unwrap().unwrap();
    person.value.removal.unwrap().groups
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_taken_out_while_away_is_not_put_back() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let people = bridge.people(&["ann", "bob", "carl"]).await;
    let [ann, bob, carl] = &people[..] else {
        panic!("three")
    };
    let one = bridge.group_of("One", &[ann]).await;
    let two = bridge.group_of("Two", &[]).await;
    let store = world.store();
    let at = format!("/Groups/{one}");
    let nobody_in = json!({ "schemas": [GROUP], "displayName": "One", "members": [] });
    let patch = async |change| bridge.patch(&at, change).await;
    for (change, bobs, carls) in [
        (remove(&[bob]), false, true),
        (remove(&[ann, bob]), false, true),
        (add(&[ann]), true, true),
        (replace(&[ann, carl]), false, true),
        (replace(&[ann]), false, false),
        (Value::Null, false, false),
    ] {
        for person in [bob, carl] {
            set_aside(&store, person, &[&one, &two]).await;
        }
        let answer = match change.is_null() {
            true => bridge.put(&at, nobody_in.clone()).await,
            false => patch(change.clone()).await,
        };
        answer.done();
        for (person, stays) in [(bob, bobs), (carl, carls)] {
            let expected = match stays {
                true => vec![one.as_str(), &two],
                false => vec![two.as_str()],
            };
            assert_eq!(places(&store, person).await, expected, "{change}");
        }
    }
    bridge.delete(&format!("/Groups/{two}")).await.done();
    assert!(places(&store, bob).await.is_empty());
    // Their other attributes are untouched.
    let shown = bridge.get(&format!("/Users/{bob}")).await.ok();
    assert_eq!(shown["schemas"], json!([USER]));
    assert_eq!(shown["displayName"], "bob@example.com");
}
