//! What each operation asks of the account and of the store: counted at both, over HTTP, against the
//! table in `docs/requests.md`.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
};

use reqwest::Method;
use scim_bridge::{
    config::Config, http, outbound, service::Service, state::StateStore, state::sqlite::SqliteStore,
};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    support::{Answer, Call, GROUP, Provider, World, user},
    tap::{Tap, TappedStore},
};

const DOCUMENT: &str = "docs/requests.md";

/// A bridge in this process, behind a port, whose calls on its store are counted.
struct Counted {
    service: Arc<Service>,
    store: Arc<Tap>,
    door: JoinHandle<()>,
    address: SocketAddr,
    client: reqwest::Client,
    token: String,
}

impl Counted {
    async fn start(world: &World) -> Self {
        let file = world.dir.path().join("scimsession");
        let config = Config::read(|name| match name {
            "SCIM_BRIDGE_SCIMSESSION" => file.to_str().map(str::to_owned),
            "SCIM_BRIDGE_SWEEP_KEY" => Some(world.sweep_key.clone()),
            "SCIM_BRIDGE_CONFIRMATION_DELAY" | "SCIM_BRIDGE_RATE_LIMIT" => Some("0".to_owned()),
            _ => None,
        });
        let config = config.unwrap();
        let tap = Tap::counting();
        let sqlite = SqliteStore::open(&world.dir.path().join("state.db")).unwrap();
        let store: Arc<dyn StateStore> = Arc::new(TappedStore(Arc::new(sqlite), Arc::clone(&tap)));
        let client = outbound::client(None).unwrap();
        let service = Service::new(config.secrets, store, client, config.op, config.bridge);
        // Nothing comes between: sweeps are run by hand, and what was noted holds for long.
        let hour = std::time::Duration::from_secs(3600);
        let service = Arc::new(service.with_a_schedule().swept_every(hour));
        let gate: Arc<dyn http::Gate> = Arc::<Service>::clone(&service);
        let door = http::service(gate, config.door);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self {
            service,
            store: tap,
            door: tokio::spawn(async move { http::serve(listener, door).await.unwrap() }),
            address,
            client: world.client.clone(),
            token: world.token.clone(),
        }
    }

    async fn sweep(&self) -> usize {
        let now = OffsetDateTime::now_utc();
        self.service.sweep(now).await.unwrap().confirmed
    }
}

impl Provider for Counted {
    fn token(&self) -> &str {
        &self.token
    }

    async fn send(&self, call: Call<'_>) -> Answer {
        let url = format!("http://{}/scim/v2{}", self.address, call.path);
        call.at(&self.client, url).await
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.door.abort();
    }
}

/// Requests to the account, and to the store.
type Cost = (usize, usize);

/// What was counted, by what was asked for.
struct Meter<'a> {
    world: &'a World,
    bridge: &'a Counted,
    counted: Mutex<BTreeMap<String, Cost>>,
}

impl Meter<'_> {
    fn now(&self) -> Cost {
        (self.world.asked_about("").len(), self.bridge.store.calls())
    }

    /// Notes what something costs, each time that it is done the same.
    async fn cost<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        let before = self.now();
        let done = work.await;
        let after = self.now();
        let cost = (after.0 - before.0, after.1 - before.1);
        let known = self.counted.lock().unwrap().insert(what.to_owned(), cost);
        assert!(
            known.is_none_or(|known| known == cost),
            "{what}: {known:?} {cost:?}"
        );
        done
    }
}

/// The rows of the table: what, and its cost.
fn table() -> BTreeMap<String, Cost> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT);
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [what, account, store, ..] = cells[..] else {
            return None;
        };
        Some((
            what.to_owned(),
            (account.parse().ok()?, store.parse().ok()?),
        ))
    });
    rows.collect()
}

fn members(op: &str, ids: &[&str]) -> Value {
    let value: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
    json!([{ "op": op, "path": "members", "value": value }])
}

fn group(name: &str, people: &[&str]) -> Value {
    let members: Vec<Value> = people.iter().map(|id| json!({ "value": id })).collect();
    json!({ "schemas": [GROUP], "displayName": name, "externalId": name, "members": members })
}

fn active(is: bool) -> Value {
    json!([{ "op": "replace", "path": "active", "value": is }])
}

/// So many people, as if they had been invited.
fn crowd(world: &World, number: usize) -> Vec<String> {
    let mut db = rusqlite::Connection::open(world.dir.path().join("account.db")).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    let all = db.transaction().unwrap();
    let ids: Vec<String> = (0..number)
        .map(|n| {
            let digits: String = format!("{n:04}")
                .bytes()
                .map(|b| char::from(b - b'0' + b'A'))
                .collect();
            let (id, email) = (
                format!("CROWD{digits:X<21}"),
                format!("crowd{n}@example.com"),
            );
            all.prepare_cached(
                "INSERT INTO members (uuid, email, name, language, state, created_at, updated_at)
                 VALUES (?1, ?2, ?2, 'en', 'TRANSFER_STARTED', '2020-01-01T00:00:00Z',
                 '2020-01-01T00:00:00Z')",
            )
            .unwrap()
            .execute([&id, &email])
            .unwrap();
            id
        })
        .collect();
    all.commit().unwrap();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_costs_what_the_table_says() {
    let world = World::new().await;
    let bridge = Counted::start(&world).await;
    let meter = Meter {
        world: &world,
        bridge: &bridge,
        counted: Mutex::default(),
    };
    let crowd = crowd(&world, 1000);
    // Signed in, and noted that a provider has been here and has changed something.
    let ann = bridge.invite("ann@example.com").await;
    bridge.sweep().await;

    let what = "`POST /Groups` without members, the first of a process";
    let first = bridge.post("/Groups", group("Finance", &[]));
    let finance = meter.cost(what, first).await.created();

    without_the_account(&meter).await;
    people(&meter, &ann).await;
    meter
        .cost("a sweep with nobody waiting", bridge.sweep())
        .await;
    world.sign_up("ann@example.com").await;
    let swept = meter.cost("a sweep that confirms one person", bridge.sweep());
    assert_eq!(swept.await, 1);
    groups(&meter, &finance, &ann, &crowd).await;

    let counted = meter.counted.into_inner().unwrap();
    let told = table();
    if counted != told {
        let rows = counted
            .iter()
            .filter(|(what, cost)| told.get(*what) != Some(*cost));
        let rows = rows.map(|(what, (account, store))| format!("| {what} | {account} | {store} |"));
        let rows: Vec<String> = rows.collect();
        let more = told.keys().filter(|what| !counted.contains_key(*what));
        let more: Vec<&String> = more.collect();
        panic!(
            "{DOCUMENT} should say\n{}\nand not {more:#?}",
            rows.join("\n")
        );
    }
}

async fn without_the_account(meter: &Meter<'_>) {
    let bridge = meter.bridge;
    for path in ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas"] {
        let what = "`/ServiceProviderConfig`, `/ResourceTypes`, `/Schemas`";
        meter.cost(what, bridge.get(path)).await.ok();
    }
    let call = |method: Method, path: &'static str, token: Option<&'static str>| {
        bridge.send(Call {
            method,
            path,
            token,
            headers: &[("content-type", "application/scim+json")],
            body: Some("{".to_owned()),
        })
    };
    for token in [None, Some("nonsense")] {
        let refused = call(Method::POST, "/Users", token);
        let refused = meter.cost("a request without a valid token", refused).await;
        refused.error(401, None);
    }
    let what = "a `GET` that cannot be understood";
    let broken = meter
        .cost(what, bridge.get("/Users?filter=userName+eq"))
        .await;
    broken.error(400, Some("invalidFilter"));
    let what = "a change that cannot be understood";
    let broken = bridge.post("/Users", json!([]));
    meter
        .cost(what, broken)
        .await
        .error(400, Some("invalidSyntax"));
    for path in ["/health", "/metrics"] {
        let shown = meter
            .cost("`GET /health`, `GET /metrics`", bridge.get(path))
            .await;
        assert_eq!(shown.status, 200);
    }
}

async fn people(meter: &Meter<'_>, ann: &str) {
    let bridge = meter.bridge;
    let path = format!("/Users/{ann}");
    let find = |filter: &str, more: &str| {
        let filter: String = filter.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let path = format!("/Users?filter={filter}{more}");
        async move { assert_eq!(bridge.get(&path).await.ok()["totalResults"], 1) }
    };
    let body = |name: &str| {
        let mut body = user("bob@example.com");
        body["externalId"] = "bob".into();
        body["displayName"] = name.into();
        body
    };
    let bob = meter
        .cost("`POST /Users`", bridge.post("/Users", body("Bob")))
        .await;
    let bob = bob.created();
    let taken = bridge.post("/Users", user("bob@example.com"));
    let taken = meter
        .cost("`POST /Users` of somebody who is there: `409`", taken)
        .await;
    taken.error(409, Some("uniqueness"));

    let by_name = "userName eq \"ann@example.com\"";
    meter
        .cost("`GET /Users?filter=userName eq …`", find(by_name, ""))
        .await;
    let groups = "&attributes=userName,groups";
    let what = "`GET /Users?filter=userName eq …&attributes=userName,groups`";
    meter.cost(what, find(by_name, groups)).await;
    let what = "`GET /Users?filter=externalId eq …`";
    meter.cost(what, find("externalId eq \"bob\"", "")).await;
    let what = "`GET /Users?filter=id eq …`";
    meter
        .cost(what, find(&format!("id eq \"{ann}\""), ""))
        .await;
    let page = meter.cost("a page of `GET /Users`", bridge.get("/Users?count=1000"));
    assert!(page.await.ok()["itemsPerPage"].as_u64().unwrap() >= 1000);
    let what = "a page of `GET /Users?attributes=groups`";
    meter
        .cost(what, bridge.get("/Users?attributes=groups&count=100"))
        .await
        .ok();
    meter
        .cost(
            "`GET /Users/{id}` of somebody in no group",
            bridge.get(&path),
        )
        .await
        .ok();
    let less = format!("{path}?excludedAttributes=groups");
    meter
        .cost(
            "`GET /Users/{id}?excludedAttributes=groups`",
            bridge.get(&less),
        )
        .await
        .ok();

    let of_bob = format!("/Users/{bob}");
    let what = "`PUT /Users/{id}` that changes nothing";
    meter
        .cost(what, bridge.put(&of_bob, body("Bob")))
        .await
        .ok();
    let what = "`PUT /Users/{id}` with another name";
    meter
        .cost(what, bridge.put(&of_bob, body("Bobby")))
        .await
        .ok();
    let rename = |name: &str| json!([{ "op": "replace", "path": "displayName", "value": name }]);
    let what = "`PATCH /Users/{id}` of the name";
    meter
        .cost(what, bridge.patch(&of_bob, rename("Bert")))
        .await
        .ok();
    let what = "`PATCH /Users/{id}` that changes nothing";
    meter
        .cost(what, bridge.patch(&of_bob, rename("Bert")))
        .await
        .ok();
    let version = bridge.get(&of_bob).await;
    let version = version.body["meta"]["version"].as_str().unwrap().to_owned();
    let schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
    let body = json!({ "schemas": [schema], "Operations": rename("Rob") }).to_string();
    let headers = [
        ("content-type", "application/scim+json"),
        ("if-match", &version),
    ];
    let conditional = bridge.send(Call {
        method: Method::PATCH,
        path: &of_bob,
        token: Some(bridge.token()),
        headers: &headers,
        body: Some(body),
    });
    let what = "`PATCH /Users/{id}` of the name with `If-Match`";
    meter.cost(what, conditional).await.ok();
    for (is, what) in [
        (false, "`PATCH /Users/{id}` of `active` to false"),
        (true, "`PATCH /Users/{id}` of `active` to true"),
    ] {
        meter
            .cost(what, bridge.patch(&of_bob, active(is)))
            .await
            .ok();
    }
    let schema = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
    let invite = |n: usize| {
        let data = user(&format!("bulk{n}@example.com"));
        json!({ "method": "POST", "path": "/Users", "bulkId": n.to_string(), "data": data })
    };
    let operations: Vec<Value> = (0..3).map(invite).collect();
    let bulk = json!({ "schemas": [schema], "Operations": operations });
    let done = meter.cost(
        "`POST /Bulk` of three `POST /Users`",
        bridge.post("/Bulk", bulk),
    );
    assert_eq!(done.await.ok()["Operations"][2]["status"], "201");
    // Somebody whose removal does not count yet.
    let of_carl = format!("/Users/{}", bridge.invite("carl@example.com").await);
    meter
        .cost("`DELETE /Users/{id}`", bridge.delete(&of_carl))
        .await
        .done();
    let what = "`DELETE /Users/{id}`, again";
    meter.cost(what, bridge.delete(&of_carl)).await.done();
}

/// `ann` is confirmed, and nobody of the crowd is.
async fn groups(meter: &Meter<'_>, finance: &str, ann: &str, crowd: &[String]) {
    let bridge = meter.bridge;
    let crowd: Vec<&str> = crowd.iter().map(String::as_str).collect();
    let find = |filter: &str, more: &str| {
        let filter: String = filter.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let path = format!("/Groups?filter={filter}{more}");
        async move { assert_eq!(bridge.get(&path).await.ok()["totalResults"], 1) }
    };
    let post = |name: &str, people: &[&str]| {
        let body = group(name, people);
        async move { bridge.post("/Groups", body).await.created() }
    };
    meter
        .cost("`POST /Groups` without members", post("Empty", &[]))
        .await;
    let three = meter
        .cost("`POST /Groups` with 3 members", post("Three", &crowd[..3]))
        .await;
    let all = meter
        .cost("`POST /Groups` with 1,000 members", post("All", &crowd))
        .await;

    for path in [finance, &three, &all].map(|id| format!("/Groups/{id}")) {
        let what = "`GET /Groups/{id}`, up to 1,000 members";
        meter.cost(what, bridge.get(&path)).await.ok();
        let what = "`GET /Groups/{id}?excludedAttributes=members`";
        meter
            .cost(
                what,
                bridge.get(&format!("{path}?excludedAttributes=members")),
            )
            .await
            .ok();
    }
    for (filter, what) in [
        (
            "displayName eq \"Three\"",
            "`GET /Groups?filter=displayName eq …`",
        ),
        (
            "externalId eq \"Three\"",
            "`GET /Groups?filter=externalId eq …`",
        ),
    ] {
        meter.cost(what, find(filter, "")).await;
        let what = format!("{what} with `excludedAttributes=members`");
        meter
            .cost(&what, find(filter, "&excludedAttributes=members"))
            .await;
    }
    let is_in = format!("id eq \"{all}\" and members.value eq \"{}\"", crowd[0]);
    let what = "`GET /Groups?filter=id eq … and members.value eq …`";
    meter.cost(what, find(&is_in, "")).await;
    let theirs = format!("members.value eq \"{}\"", crowd[999]);
    let what = "`GET /Groups?filter=members.value eq …`";
    meter.cost(what, find(&theirs, "")).await;
    let what = "a page of `GET /Groups?excludedAttributes=members`";
    let without = bridge.get("/Groups?excludedAttributes=members");
    assert_eq!(meter.cost(what, without).await.ok()["totalResults"], 4);
    let what = "a page of `GET /Groups` in which one group has 1 to 100 members";
    meter.cost(what, bridge.get("/Groups")).await.ok();

    let of_finance = format!("/Groups/{finance}");
    let patch = |path: &str, operations: Value| {
        let path = path.to_owned();
        async move {
            let answer = bridge.patch(&path, operations).await;
            assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
        }
    };
    // However many are in it already.
    for (path, person) in [(&of_finance, crowd[0]), (&format!("/Groups/{all}"), ann)] {
        let confirmed = person == ann;
        let what = match confirmed {
            true => "`PATCH /Groups/{id}` that adds a confirmed person, the first to this group",
            false => "`PATCH /Groups/{id}` that adds somebody who has no key yet",
        };
        meter
            .cost(what, patch(path, members("add", &[person])))
            .await;
        let what = "`PATCH /Groups/{id}` that adds somebody who is in it";
        meter
            .cost(what, patch(path, members("add", &[person])))
            .await;
        let what = "`PATCH /Groups/{id}` that removes somebody";
        meter
            .cost(what, patch(path, members("remove", &[person])))
            .await;
        let what = "`PATCH /Groups/{id}` that removes somebody who is not in it";
        meter
            .cost(what, patch(path, members("remove", &[person])))
            .await;
        if confirmed {
            let what = "`PATCH /Groups/{id}` that adds a confirmed person";
            meter
                .cost(what, patch(path, members("add", &[person])))
                .await;
            let of_ann = format!("/Users/{ann}");
            let shown = meter.cost("`GET /Users/{id}`", bridge.get(&of_ann)).await;
            assert_eq!(shown.ok()["groups"].as_array().unwrap().len(), 1);
        }
    }
    let rename = |name: &str| json!([{ "op": "replace", "path": "displayName", "value": name }]);
    let what = "`PATCH /Groups/{id}` of the name";
    meter.cost(what, patch(&of_finance, rename("Money"))).await;
    let what = "`PATCH /Groups/{id}` that changes nothing";
    meter.cost(what, patch(&of_finance, rename("Money"))).await;
    let of_three = format!("/Groups/{three}");
    let what = "`PATCH /Groups/{id}` that replaces 3 members by 3 others";
    meter
        .cost(what, patch(&of_three, members("replace", &crowd[3..6])))
        .await;
    let what = "`PUT /Groups/{id}` that replaces 3 members by 3 others";
    let put = bridge.put(&of_three, group("Three", &crowd[6..9]));
    let shown = meter.cost(what, put).await.ok();
    assert_eq!(shown["members"].as_array().unwrap().len(), 3);
    let what = "`DELETE /Groups/{id}`";
    meter.cost(what, bridge.delete(&of_finance)).await.done();
}
