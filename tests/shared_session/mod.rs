//! One account session for many processes: who signs in, who joins, and what becomes of it when
//! something goes wrong.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::future::join_all;
use scim_bridge::{
    account::{
        Account,
        native::{
            NativeAccount,
            shared::{End, NotShared, Sealed, SessionShare, Turn},
        },
    },
    outbound,
    session_share::InStore,
    state::sqlite::SqliteStore,
};
use time::OffsetDateTime;

use super::{Fault, Service, service};

/// A store that processes share.
struct Place {
    _dir: tempfile::TempDir,
    file: PathBuf,
    store: SqliteStore,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state.db");
        let store = SqliteStore::open(&file).unwrap();
        Self {
            _dir: dir,
            file,
            store,
        }
    }

    /// A process that has just started.
    fn instance(&self, service: &Service) -> NativeAccount {
        let store = Arc::new(self.store.clone());
        let account =
            NativeAccount::new(service.credentials.clone(), outbound::client(None).unwrap());
        account.sharing(Arc::new(InStore(store)))
    }

    /// What somebody does who writes to the store without the credentials.
    fn change(&self, sql: &str) {
        let db = rusqlite::Connection::open(&self.file).unwrap();
        db.busy_timeout(Duration::from_secs(5)).unwrap();
        db.execute_batch(sql).unwrap();
    }

    fn count(&self, table: &str) -> usize {
        let db = rusqlite::Connection::open(&self.file).unwrap();
        let sql = format!("SELECT count(*) FROM {table}");
        db.query_row(&sql, [], |row| row.get(0)).unwrap()
    }
}

impl Service {
    /// How many sign-ins the account has seen through.
    fn sign_ins(&self) -> usize {
        self.faults.seen("/v2/auth/complete")
    }
}

/// All of them ask at the same time, and are answered.
async fn all_ask(instances: &[NativeAccount]) {
    for answer in join_all(instances.iter().map(Account::identity)).await {
        answer.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_cold_instances_sign_in_once() {
    let (service, place) = (service().await, Place::new());
    let instances: Vec<_> = (0..100).map(|_| place.instance(&service)).collect();
    all_ask(&instances).await;
    assert_eq!(service.sign_ins(), 1);
    assert_eq!(service.faults.seen("/self"), 100);
    let own: u64 = instances.iter().map(NativeAccount::sign_ins).sum();
    assert_eq!(own, 1);
    // And go on side by side.
    all_ask(&instances).await;
    assert_eq!((service.sign_ins(), service.faults.seen("/self")), (1, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_asks_the_account_only_what_it_wants_to_know() {
    let (service, place) = (service().await, Place::new());
    place.instance(&service).identity().await.unwrap();
    let before = service.faults.seen("");
    let cold = place.instance(&service);
    assert_eq!(cold.member_by_email("nobody@example.com").await, Ok(None));
    assert_eq!(service.faults.seen(""), before + 1);
    assert_eq!(cold.sign_ins(), 0);
    // Warm, it asks nobody else: the place may be gone.
    place.change("DROP TABLE shared_session; DROP TABLE session_lease");
    cold.identity().await.unwrap();
    assert_eq!(service.faults.seen(""), before + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_the_account_ends_is_replaced_once_for_all() {
    let (service, place) = (service().await, Place::new());
    let mut instances: Vec<_> = (0..5).map(|_| place.instance(&service)).collect();
    all_ask(&instances).await;
    for round in 2..4 {
        service.sandbox.end_sessions();
        // Those that come fresh do not know of it either.
        instances.push(place.instance(&service));
        all_ask(&instances).await;
        assert_eq!(service.sign_ins(), round);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_session_that_is_over_may_find_another_that_is_over_too() {
    let (service, place) = (service().await, Place::new());
    let (one, other) = (place.instance(&service), place.instance(&service));
    one.identity().await.unwrap();
    // As after its 24 hours, and of credentials that nobody has any more.
    place.change("UPDATE shared_session SET key = 'replaced', until = 0");
    other.identity().await.unwrap();
    assert_eq!(place.count("shared_session"), 1);
    assert_eq!(service.sign_ins(), 2);
    service.sandbox.end_sessions();
    one.identity().await.unwrap();
    assert_eq!(service.sign_ins(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_dies_at_the_sign_in_is_followed_by_one_other() {
    let (service, place) = (service().await, Place::new());
    place.instance(&service).identity().await.unwrap();
    let until = OffsetDateTime::now_utc() + Duration::from_secs(1);
    let until = until.unix_timestamp_nanos() / 1_000_000;
    place.change(&format!(
        "INSERT INTO session_lease SELECT key, 'dead', {until} FROM shared_session;
         DELETE FROM shared_session",
    ));
    let instances: Vec<_> = (0..5).map(|_| place.instance(&service)).collect();
    all_ask(&instances).await;
    assert!(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000 >= until);
    assert_eq!(service.sign_ins(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_fails_holds_nobody_up() {
    let (service, place) = (service().await, Place::new());
    let (one, other) = (place.instance(&service), place.instance(&service));
    let faults = [Fault::Before(429, Some(30))];
    service.faults.plan("/auth/start", &faults);
    one.identity().await.unwrap_err();
    assert_eq!(place.count("session_lease"), 0);
    other.identity().await.unwrap();
    // The one keeps the pause that it was asked for, and the other's session is there after it.
    one.identity().await.unwrap_err();
    assert_eq!(service.sign_ins(), 1);
}

/// A place out of reach.
struct Nowhere;

#[async_trait]
impl SessionShare for Nowhere {
    async fn join(&self, _: &str, _: &str, _: Duration) -> Result<Turn, NotShared> {
        Err(NotShared("out of reach".to_owned()))
    }

    async fn share(&self, _: &str, _: &str, _: &Sealed, _: Duration) -> Result<bool, NotShared> {
        Err(NotShared("out of reach".to_owned()))
    }

    async fn end(&self, _: &str, _: End<'_>) -> Result<bool, NotShared> {
        Err(NotShared("out of reach".to_owned()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_place_each_signs_in_for_itself() {
    let service = service().await;
    let instance = || {
        let http = outbound::client(None).unwrap();
        NativeAccount::new(service.credentials.clone(), http).sharing(Arc::new(Nowhere))
    };
    let instances = [instance(), instance()];
    all_ask(&instances).await;
    assert_eq!(service.sign_ins(), 2);
    service.sandbox.end_sessions();
    all_ask(&instances).await;
    assert_eq!(service.sign_ins(), 4);
    // A session of its own is its own to end.
    instances[0].sign_out().await;
    assert_eq!(service.faults.seen("/signout"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_open_is_as_if_there_were_none() {
    let (service, place) = (service().await, Place::new());
    place.instance(&service).identity().await.unwrap();
    for (sign_ins, sql) in [
        (2, "UPDATE shared_session SET sealed = 'nonsense'"),
        (
            3,
            "UPDATE shared_session SET sealed = replace(sealed, '\"data\":\"', '\"data\":\"A')",
        ),
        (4, "UPDATE shared_session SET id = 'another'"),
        // So many have joined.
        (5, "UPDATE shared_session SET lanes = 65536"),
    ] {
        place.change(sql);
        let instances = [place.instance(&service), place.instance(&service)];
        all_ask(&instances).await;
        assert_eq!(service.sign_ins(), sign_ins, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_was_given_twice_costs_a_sign_in() {
    let (service, place) = (service().await, Place::new());
    let one = place.instance(&service);
    one.identity().await.unwrap();
    place.instance(&service).identity().await.unwrap();
    place.change("UPDATE shared_session SET lanes = 1");
    place.instance(&service).identity().await.unwrap();
    assert_eq!(service.sign_ins(), 2);
    one.identity().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn other_credentials_share_nothing() {
    let (one, other, place) = (service().await, service().await, Place::new());
    for service in [&one, &other, &one, &other] {
        place.instance(service).identity().await.unwrap();
        assert_eq!(service.sign_ins(), 1);
    }
    assert_eq!(place.count("shared_session"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_alone_signs_out_and_who_leaves_others_does_not() {
    let (service, place) = (service().await, Place::new());
    let alone = place.instance(&service);
    alone.identity().await.unwrap();
    alone.sign_out().await;
    assert_eq!(service.faults.seen("/signout"), 1);
    assert_eq!(place.count("shared_session"), 0);

    let (first, second) = (place.instance(&service), place.instance(&service));
    first.identity().await.unwrap();
    second.identity().await.unwrap();
    first.sign_out().await;
    second.sign_out().await;
    assert_eq!(service.faults.seen("/signout"), 1);
    place.instance(&service).identity().await.unwrap();
    assert_eq!(service.sign_ins(), 2);
    // Nobody knows whether somebody else is there.
    place.change("DELETE FROM shared_session");
    let last = place.instance(&service);
    last.identity().await.unwrap();
    place.change("DROP TABLE shared_session");
    last.sign_out().await;
    assert_eq!(service.faults.seen("/signout"), 1);
}
