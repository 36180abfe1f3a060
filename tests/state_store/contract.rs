//! The promises of [`StateStore`], each as one function over a store that is empty.

use std::{any::Any, sync::Arc};

use scim_bridge::state::{
    AccountHeartbeat, AccountTrouble, AuditChange, AuditEntry, AuditOutcome, Claim, Confirmation,
    ConfirmationStatus, CreationEnd, CreationKey, Email, Error, Guard, Heartbeat, Heartbeats,
    HoldReason, ManagedGroup, Person, ProviderHeartbeat, Removal, RemovalsInMinute, SessionEnd,
    SessionTurn, SharedSession, StateStore, SweepHeartbeat, SweepOutcome, Timestamp, Versioned,
};
use time::Duration;

/// One store, as two bridges see it.
pub struct Stores {
    pub one: Arc<dyn StateStore>,
    pub other: Arc<dyn StateStore>,
    /// What has to live as long.
    #[allow(dead_code, reason = "held until the test is over")]
    pub place: Box<dyn Any + Send + Sync>,
}

/// Makes a test of each promise, for the store that `open` opens. It may say that the machine has
/// not what the store needs.
macro_rules! promises {
    ($open:ident) => {
        promises! { $open:
            a_write_names_the_version_it_replaces,
            a_group_s_write_names_the_version_it_replaces,
            a_confirmation_s_write_names_the_version_it_replaces,
            of_writes_at_the_same_time_one_wins,
            a_person_comes_back_as_written,
            a_page_of_records_has_a_place_for_each_id,
            an_external_id_belongs_to_one_person,
            an_external_id_belongs_to_one_group,
            of_people_at_the_same_time_one_gets_the_external_id,
            people_are_found_by_address_without_case_until_they_lose_it,
            at_most_a_hundred_people_are_found_by_address,
            who_is_out_of_a_group_is_listed_in_pages,
            who_is_out_of_a_group_follows_the_record,
            the_removed_are_listed_the_longest_first,
            the_removed_follow_the_record,
            a_person_may_have_more_than_a_transaction_takes,
            what_is_removed_is_forgotten,
            managed_groups_are_paged_in_order_with_their_number,
            only_open_confirmations_are_listed,
            every_status_of_a_confirmation_comes_back,
            a_claim_is_held_then_taken_over_then_forgotten,
            claims_of_different_things_are_different,
            of_claims_at_the_same_time_one_gets_it,
            a_claim_that_was_cut_off_is_taken_over_once,
            a_session_is_begun_by_one_and_joined_by_the_others,
            of_many_one_begins_a_session,
            of_many_each_gets_a_lane_of_its_own,
            a_session_that_nobody_finishes_is_begun_by_the_next,
            a_session_is_over_in_its_time,
            a_session_is_ended_by_its_name,
            who_leaves_learns_whether_they_were_alone,
            the_guard_begins_empty,
            the_guard_remembers_many_people,
            nobody_s_heart_beats_at_first,
            the_last_heartbeat_of_each_part_counts,
            every_outcome_of_a_sweep_comes_back,
            the_audit_is_in_the_order_of_time,
            the_audit_is_read_in_pages,
            unusual_texts_are_keys_like_others,
        }
    };
    ($open:ident: $($promise:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                if let Some(stores) = $open().await {
                    $crate::contract::$promise(&stores).await;
                }
            }
        )*
    };
}

pub const START: Timestamp = Timestamp::UNIX_EPOCH;

pub fn after(seconds: i64) -> Timestamp {
    START + Duration::seconds(seconds)
}

/// Somebody of whom nothing special is known.
pub fn person() -> Person {
    Person {
        external_id: None,
        user_name: "ann@example.com".into(),
        display_name: None,
        formatted: None,
        given_name: None,
        family_name: None,
        emails: Vec::new(),
        preferred_language: None,
        account_name: "Ann".into(),
        invited: true,
        removal: None,
        updated_at: START,
    }
}

pub fn known_as(external_id: &str) -> Person {
    Person {
        external_id: Some(external_id.into()),
        ..person()
    }
}

fn with_addresses(addresses: &[&str]) -> Person {
    let email = |address: &&str| Email {
        value: (*address).into(),
        kind: None,
        primary: None,
        display: None,
    };
    Person {
        emails: addresses.iter().map(email).collect(),
        ..person()
    }
}

fn removed(since: Timestamp, groups: &[&str]) -> Person {
    Person {
        removal: Some(Removal {
            since,
            admitted_at: Some(since),
            groups: groups.iter().map(ToString::to_string).collect(),
        }),
        ..person()
    }
}

fn group(name: &str) -> ManagedGroup {
    ManagedGroup {
        display_name: name.into(),
        account_name: name.into(),
        external_id: None,
        updated_at: START,
    }
}

pub fn group_known_as(external_id: &str) -> ManagedGroup {
    ManagedGroup {
        external_id: Some(external_id.into()),
        ..group("Finance")
    }
}

pub fn confirmation(status: ConfirmationStatus) -> Confirmation {
    Confirmation {
        since: START,
        fingerprint: "f".into(),
        email: "ann@example.com".into(),
        released: None,
        status,
    }
}

pub fn entry(at: Timestamp, target: &str) -> AuditEntry {
    AuditEntry {
        at,
        actor: "okta".into(),
        action: "user.suspend".into(),
        target: target.into(),
        outcome: AuditOutcome::Done,
        detail: None,
        changes: Vec::new(),
        provider: None,
        request_id: None,
    }
}

const CONFLICT: Result<(), Error> = Err(Error::Conflict);
const TAKEN: Result<(), Error> = Err(Error::ExternalIdTaken);

/// Runs `write` eight times at the same time, half of them through each bridge, and asserts that
/// `wins` holds for one of the answers.
async fn one_of_many<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    stores: &Stores,
    write: impl Fn(Arc<dyn StateStore>, usize) -> F,
    wins: impl Fn(&T) -> bool,
) -> Vec<T> {
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let store = match number % 2 {
                0 => Arc::clone(&stores.one),
                _ => Arc::clone(&stores.other),
            };
            tokio::spawn(write(store, number))
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    assert_eq!(answers.iter().filter(|answer| wins(answer)).count(), 1);
    answers
}

pub async fn a_write_names_the_version_it_replaces(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    assert_eq!(one.person("A").await, Ok(None));
    assert_eq!(one.put_person("A", &person(), 1).await, CONFLICT);
    one.put_person("A", &person(), 0).await.unwrap();
    assert_eq!(other.put_person("A", &known_as("x"), 0).await, CONFLICT);
    other.put_person("A", &known_as("y"), 1).await.unwrap();
    assert_eq!(one.put_person("A", &known_as("z"), 1).await, CONFLICT);
    assert_eq!(one.put_person("A", &known_as("z"), 3).await, CONFLICT);
    let written = Versioned {
        value: known_as("y"),
        version: 2,
    };
    assert_eq!(one.person("A").await, Ok(Some(written)));
    // A write that came too late has left nothing behind.
    assert_eq!(one.person_by_external_id("z").await, Ok(None));
}

pub async fn a_group_s_write_names_the_version_it_replaces(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    assert_eq!(one.managed_group("a").await, Ok(None));
    assert_eq!(
        one.put_managed_group("a", &group("Finance"), 1).await,
        CONFLICT
    );
    one.put_managed_group("a", &group("Finance"), 0)
        .await
        .unwrap();
    assert_eq!(
        other.put_managed_group("a", &group("Sales"), 0).await,
        CONFLICT
    );
    other
        .put_managed_group("a", &group("Sales"), 1)
        .await
        .unwrap();
    assert_eq!(
        one.put_managed_group("a", &group("Legal"), 1).await,
        CONFLICT
    );
    let written = Versioned {
        value: group("Sales"),
        version: 2,
    };
    assert_eq!(one.managed_group("a").await, Ok(Some(written)));
}

pub async fn a_confirmation_s_write_names_the_version_it_replaces(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    let (waiting, over) = (
        confirmation(ConfirmationStatus::waiting()),
        confirmation(ConfirmationStatus::Over),
    );
    assert_eq!(one.confirmation("A").await, Ok(None));
    assert_eq!(one.put_confirmation("A", &waiting, 1).await, CONFLICT);
    one.put_confirmation("A", &waiting, 0).await.unwrap();
    assert_eq!(other.put_confirmation("A", &over, 0).await, CONFLICT);
    other.put_confirmation("A", &over, 1).await.unwrap();
    assert_eq!(one.put_confirmation("A", &waiting, 1).await, CONFLICT);
    let written = Versioned {
        value: over,
        version: 2,
    };
    assert_eq!(one.confirmation("A").await, Ok(Some(written)));
}

pub async fn of_writes_at_the_same_time_one_wins(stores: &Stores) {
    for version in [0, 1] {
        let won = |answer: &Result<(), Error>| answer.is_ok();
        let mut all = one_of_many(
            stores,
            move |store, number| async move {
                let person = known_as(&number.to_string());
                store.put_person("A", &person, version).await
            },
            won,
        )
        .await;
        all.extend(
            one_of_many(
                stores,
                move |store, number| async move {
                    let group = group_known_as(&number.to_string());
                    store.put_managed_group("a", &group, version).await
                },
                won,
            )
            .await,
        );
        all.extend(
            one_of_many(
                stores,
                move |store, _| async move {
                    let confirmation = confirmation(ConfirmationStatus::waiting());
                    store.put_confirmation("A", &confirmation, version).await
                },
                won,
            )
            .await,
        );
        all.extend(
            one_of_many(
                stores,
                move |store, _| async move { store.put_guard(&Guard::default(), version).await },
                won,
            )
            .await,
        );
        let lost = |answer: &Result<(), Error>| answer.is_ok() || *answer == CONFLICT;
        assert!(all.iter().all(lost), "{all:?}");
    }
    assert_eq!(stores.one.guard().await.unwrap().version, 2);
}

pub async fn a_person_comes_back_as_written(stores: &Stores) {
    let full = Person {
        external_id: Some("x".into()),
        user_name: "Ann@Example.com".into(),
        display_name: Some("Ann  Example ".into()),
        formatted: Some("Ann Example".into()),
        given_name: Some("Ann".into()),
        family_name: Some("Example".into()),
        emails: vec![
            Email {
                value: "Ann@Example.com".into(),
                kind: Some("work".into()),
                primary: Some(true),
                display: Some("at work".into()),
            },
            Email {
                value: "ann@home.example".into(),
                kind: None,
                primary: Some(false),
                display: None,
            },
        ],
        preferred_language: Some("de-CH".into()),
        account_name: "Ann Example".into(),
        invited: false,
        removal: Some(Removal {
            since: after(1) + Duration::nanoseconds(7),
            admitted_at: Some(after(2)),
            groups: vec!["b".into(), "a".into()],
        }),
        updated_at: after(3),
    };
    stores.one.put_person("A", &full, 0).await.unwrap();
    stores.one.put_person("B", &person(), 0).await.unwrap();
    for (id, value) in [("A", full), ("B", person())] {
        let read = stores.other.person(id).await;
        assert_eq!(read, Ok(Some(Versioned { value, version: 1 })));
    }
}

pub async fn a_page_of_records_has_a_place_for_each_id(stores: &Stores) {
    let store = &stores.one;
    let waiting = confirmation(ConfirmationStatus::waiting());
    for id in ["A", "B", "C"] {
        store.put_person(id, &known_as(id), 0).await.unwrap();
        store
            .put_managed_group(id, &group_known_as(id), 0)
            .await
            .unwrap();
        store.put_confirmation(id, &waiting, 0).await.unwrap();
    }
    let asked = ["C", "nobody", "A", "C"];
    let expected = [Some("C"), None, Some("A"), Some("C")];
    let people = stores.other.people(&asked).await.unwrap();
    let people: Vec<_> = people
        .iter()
        .map(|person| person.as_ref()?.value.external_id.as_deref())
        .collect();
    assert_eq!(people, expected);
    let groups = stores.other.managed_groups_by_id(&asked).await.unwrap();
    let groups: Vec<_> = groups
        .iter()
        .map(|group| group.as_ref()?.value.external_id.as_deref())
        .collect();
    assert_eq!(groups, expected);
    let confirmations = stores.other.confirmations(&asked).await.unwrap();
    let there: Vec<_> = confirmations.iter().map(Option::is_some).collect();
    assert_eq!(there, expected.map(|id| id.is_some()));
    assert_eq!(store.people(&[]).await, Ok(Vec::new()));
}

pub async fn an_external_id_belongs_to_one_person(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    one.put_person("A", &known_as("x"), 0).await.unwrap();
    one.put_person("B", &person(), 0).await.unwrap();
    assert_eq!(other.put_person("B", &known_as("x"), 1).await, TAKEN);
    assert_eq!(other.put_person("C", &known_as("x"), 0).await, TAKEN);
    assert_eq!(one.person("C").await, Ok(None));
    assert_eq!(one.person("B").await.unwrap().unwrap().version, 1);
    assert_eq!(other.person_by_external_id("x").await, Ok(Some("A".into())));
    // With case, and people and groups each have their own.
    assert_eq!(one.person_by_external_id("X").await, Ok(None));
    one.put_person("C", &known_as("X"), 0).await.unwrap();
    one.put_managed_group("a", &group_known_as("x"), 0)
        .await
        .unwrap();
    // Its owner may write it again; whoever loses it sets it free.
    one.put_person("A", &known_as("x"), 1).await.unwrap();
    one.put_person("A", &known_as("y"), 2).await.unwrap();
    assert_eq!(one.person_by_external_id("x").await, Ok(None));
    one.put_person("B", &known_as("x"), 1).await.unwrap();
    one.remove_person("B").await.unwrap();
    assert_eq!(one.person_by_external_id("x").await, Ok(None));
    one.put_person("A", &known_as("x"), 3).await.unwrap();
    assert_eq!(other.person_by_external_id("x").await, Ok(Some("A".into())));
    // Without one, nobody is in anybody's way.
    one.put_person("D", &person(), 0).await.unwrap();
    one.put_person("E", &person(), 0).await.unwrap();
}

pub async fn an_external_id_belongs_to_one_group(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    let known_as = group_known_as;
    one.put_managed_group("a", &known_as("x"), 0).await.unwrap();
    assert_eq!(other.put_managed_group("b", &known_as("x"), 0).await, TAKEN);
    let found = other.managed_group_by_external_id("x").await;
    assert_eq!(found, Ok(Some("a".into())));
    assert_eq!(one.managed_group_by_external_id("X").await, Ok(None));
    one.put_managed_group("a", &known_as("y"), 1).await.unwrap();
    one.put_managed_group("b", &known_as("x"), 0).await.unwrap();
    assert_eq!(one.put_managed_group("a", &known_as("x"), 2).await, TAKEN);
    one.remove_managed_group("b").await.unwrap();
    assert_eq!(one.managed_group_by_external_id("x").await, Ok(None));
    one.put_managed_group("a", &known_as("x"), 2).await.unwrap();
}

pub async fn of_people_at_the_same_time_one_gets_the_external_id(stores: &Stores) {
    let answers = one_of_many(
        stores,
        |store, number| async move {
            let id = format!("P{number}");
            store.put_person(&id, &known_as("x"), 0).await
        },
        Result::is_ok,
    )
    .await;
    assert!(answers.iter().all(|it| it.is_ok() || *it == TAKEN));
    let holder = stores.one.person_by_external_id("x").await.unwrap();
    let holder = stores.one.person(&holder.unwrap()).await.unwrap().unwrap();
    assert_eq!(holder.value, known_as("x"));
}

pub async fn people_are_found_by_address_without_case_until_they_lose_it(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    let found = async |address: &str| {
        let mut ids = other.people_by_email(address).await.unwrap();
        ids.sort();
        ids
    };
    let ann = with_addresses(&["Ann@Example.com", "ANN@example.COM", "änn@example.com"]);
    one.put_person("A", &ann, 0).await.unwrap();
    let both = with_addresses(&["ann@example.com"]);
    one.put_person("B", &both, 0).await.unwrap();
    assert_eq!(found("aNN@example.COM").await, ["A", "B"]);
    assert_eq!(found("ÄNN@example.com").await, ["A"]);
    assert!(found("bob@example.com").await.is_empty());
    let ann = with_addresses(&["anna@example.com"]);
    one.put_person("A", &ann, 1).await.unwrap();
    assert_eq!(found("ann@example.com").await, ["B"]);
    assert_eq!(found("anna@example.com").await, ["A"]);
    one.remove_person("B").await.unwrap();
    assert!(found("ann@example.com").await.is_empty());
}

pub async fn at_most_a_hundred_people_are_found_by_address(stores: &Stores) {
    let ann = with_addresses(&["ann@example.com"]);
    for number in 0..101 {
        let id = format!("P{number}");
        stores.one.put_person(&id, &ann, 0).await.unwrap();
    }
    let found = stores.one.people_by_email("ann@example.com").await.unwrap();
    assert_eq!(found.len(), 100);
}

pub async fn who_is_out_of_a_group_is_listed_in_pages(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    for (id, groups) in [
        ("D", &["g"][..]),
        ("A", &["g", "h", "g"]),
        ("C", &["h"]),
        ("B", &["h", "g"]),
    ] {
        let out = removed(START, groups);
        one.put_person(id, &out, 0).await.unwrap();
    }
    for (group, after, limit, expected) in [
        ("g", None, 9, &["A", "B", "D"][..]),
        ("g", None, 2, &["A", "B"]),
        ("g", Some("A"), 2, &["B", "D"]),
        ("g", Some("AA"), 1, &["B"]),
        ("g", Some("D"), 9, &[]),
        ("h", None, 9, &["A", "B", "C"]),
        ("i", None, 9, &[]),
    ] {
        let found = other.people_out_of(group, after, limit).await.unwrap();
        assert_eq!(found, expected, "{group} after {after:?}");
    }
}

pub async fn who_is_out_of_a_group_follows_the_record(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    for id in ["A", "B", "C"] {
        let out = removed(START, &["g"]);
        one.put_person(id, &out, 0).await.unwrap();
    }
    let out = removed(START, &["h"]);
    one.put_person("A", &out, 1).await.unwrap();
    one.put_person("B", &person(), 1).await.unwrap();
    let out_of = async |group: &str| other.people_out_of(group, None, 9).await.unwrap();
    assert_eq!(out_of("g").await, ["C"]);
    assert_eq!(out_of("h").await, ["A"]);
    one.remove_person("C").await.unwrap();
    assert!(out_of("g").await.is_empty());
}

pub async fn the_removed_are_listed_the_longest_first(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    for (id, since) in [("A", 30), ("B", 10), ("C", 20), ("D", 40)] {
        let out = removed(after(since), &[]);
        one.put_person(id, &out, 0).await.unwrap();
    }
    one.put_person("E", &person(), 0).await.unwrap();
    for (until, limit, expected) in [
        (99, 9, &["B", "C", "A", "D"][..]),
        (99, 2, &["B", "C"]),
        (30, 9, &["B", "C", "A"]),
        (29, 9, &["B", "C"]),
        (9, 9, &[]),
    ] {
        let found = other.people_removed(after(until), limit).await.unwrap();
        assert_eq!(found, expected, "until {until}");
    }
}

pub async fn the_removed_follow_the_record(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    for id in ["A", "B", "C"] {
        let out = removed(after(10), &[]);
        one.put_person(id, &out, 0).await.unwrap();
    }
    let out = removed(after(50), &[]);
    one.put_person("A", &out, 1).await.unwrap();
    one.put_person("B", &person(), 1).await.unwrap();
    let until = async |seconds| other.people_removed(after(seconds), 9).await.unwrap();
    assert_eq!(until(49).await, ["C"]);
    assert_eq!(until(50).await, ["C", "A"]);
    one.remove_person("C").await.unwrap();
    assert_eq!(until(50).await, ["A"]);
}

pub async fn a_person_may_have_more_than_a_transaction_takes(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    let groups: Vec<String> = (0..30).map(|number| format!("g{number}")).collect();
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    let with = |prefix: &str| {
        let addresses = (0..110).map(|number| format!("{prefix}{number}@example.com"));
        let addresses: Vec<String> = addresses.collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        Person {
            external_id: Some(prefix.into()),
            emails: with_addresses(&addresses).emails,
            ..removed(START, &groups)
        }
    };
    let found = async || {
        let mut found = Vec::new();
        for address in ["a0", "a109", "b0", "b109"] {
            let address = format!("{address}@example.com");
            found.push(other.people_by_email(&address).await.unwrap().len());
        }
        for group in ["g0", "g29"] {
            found.push(other.people_out_of(group, None, 9).await.unwrap().len());
        }
        found.push(other.people_removed(START, 9).await.unwrap().len());
        found
    };
    one.put_person("A", &with("a"), 0).await.unwrap();
    assert_eq!(found().await, [1, 1, 0, 0, 1, 1, 1]);
    one.put_person("A", &with("b"), 1).await.unwrap();
    assert_eq!(found().await, [0, 0, 1, 1, 1, 1, 1]);
    one.remove_person("A").await.unwrap();
    assert_eq!(found().await, [0; 7]);
}

pub async fn what_is_removed_is_forgotten(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    one.remove_person("A").await.unwrap();
    one.remove_managed_group("a").await.unwrap();
    for _ in 0..2 {
        one.put_person("A", &person(), 0).await.unwrap();
        one.put_managed_group("a", &group("Finance"), 0)
            .await
            .unwrap();
        other.remove_person("A").await.unwrap();
        other.remove_managed_group("a").await.unwrap();
        assert_eq!(one.person("A").await, Ok(None));
        assert_eq!(one.managed_group("a").await, Ok(None));
        assert_eq!(one.put_person("A", &person(), 1).await, CONFLICT);
    }
}

pub async fn managed_groups_are_paged_in_order_with_their_number(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    for id in ["c", "a", "e", "b", "d"] {
        one.put_managed_group(id, &group(id), 0).await.unwrap();
    }
    for (offset, limit, expected) in [
        (0, 9, &["a", "b", "c", "d", "e"][..]),
        (0, 2, &["a", "b"]),
        (2, 2, &["c", "d"]),
        (4, 2, &["e"]),
        (5, 2, &[]),
        (9, 2, &[]),
        (0, 0, &[]),
    ] {
        let (ids, total) = other.managed_groups(offset, limit).await.unwrap();
        assert_eq!((ids, total), (to_texts(expected), 5), "from {offset}");
    }
    one.put_managed_group("c", &group("C"), 1).await.unwrap();
    one.remove_managed_group("b").await.unwrap();
    let page = other.managed_groups(1, 2).await.unwrap();
    assert_eq!(page, (to_texts(&["c", "d"]), 4));
}

fn to_texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

pub async fn only_open_confirmations_are_listed(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    for (id, status) in [
        ("D", ConfirmationStatus::Rejected),
        ("A", ConfirmationStatus::waiting()),
        ("B", ConfirmationStatus::waiting()),
        ("C", ConfirmationStatus::waiting()),
        ("E", ConfirmationStatus::Over),
    ] {
        one.put_confirmation(id, &confirmation(status), 0)
            .await
            .unwrap();
    }
    let over = confirmation(ConfirmationStatus::Over);
    one.put_confirmation("B", &over, 1).await.unwrap();
    for (after, limit, expected) in [
        (None, 9, &["A", "C", "D"][..]),
        (None, 2, &["A", "C"]),
        (Some("A"), 9, &["C", "D"]),
        (Some("B"), 1, &["C"]),
        (Some("D"), 9, &[]),
    ] {
        let open = other.open_confirmations(after, limit).await.unwrap();
        let ids: Vec<_> = open.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, expected, "after {after:?}");
    }
    let waiting = confirmation(ConfirmationStatus::waiting());
    one.put_confirmation("B", &waiting, 2).await.unwrap();
    let open = other.open_confirmations(Some("A"), 1).await.unwrap();
    let again = Versioned {
        value: waiting,
        version: 3,
    };
    assert_eq!(open, [("B".to_owned(), again)]);
}

pub async fn every_status_of_a_confirmation_comes_back(stores: &Stores) {
    for (number, status) in [
        ConfirmationStatus::waiting(),
        ConfirmationStatus::Waiting {
            failures: 3,
            not_before: Some(after(9)),
            last_error: Some("busy".into()),
        },
        ConfirmationStatus::Confirming {
            failures: 2,
            until: after(8),
        },
        ConfirmationStatus::Held {
            reason: HoldReason::NotInvited,
            key: "k".into(),
        },
        ConfirmationStatus::Rejected,
        ConfirmationStatus::Over,
    ]
    .into_iter()
    .enumerate()
    {
        let id = number.to_string();
        let value = Confirmation {
            released: Some("f".into()),
            ..confirmation(status)
        };
        stores.one.put_confirmation(&id, &value, 0).await.unwrap();
        let read = stores.other.confirmation(&id).await;
        assert_eq!(read, Ok(Some(Versioned { value, version: 1 })));
    }
}

fn ours(attempt: &str) -> Result<Claim, Error> {
    Ok(Claim::Ours(attempt.to_owned()))
}

pub async fn a_claim_is_held_then_taken_over_then_forgotten(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    let key = CreationKey::Person("Ann@example.com".into());
    let same = CreationKey::Person("ann@EXAMPLE.com".into());
    let until = after(30);
    let claim = async |store: &Arc<dyn StateStore>, key, attempt, now| {
        store.claim_creation(key, attempt, now, until).await
    };
    assert_eq!(claim(one, &key, "one", START).await, ours("one"));
    assert_eq!(claim(other, &same, "two", START).await, Ok(Claim::Held));
    assert_eq!(claim(one, &key, "one", after(29)).await, Ok(Claim::Held));
    // Cut off: whoever comes next goes on under the first one's name, for as long as they say.
    let longer = other.claim_creation(&same, "two", until, after(60)).await;
    assert_eq!(longer, ours("one"));
    assert_eq!(claim(one, &key, "two", after(59)).await, Ok(Claim::Held));
    let (interrupted, done) = (CreationEnd::Interrupted, CreationEnd::Done);
    one.end_creation(&same, interrupted).await.unwrap();
    assert_eq!(claim(other, &key, "three", START).await, ours("one"));
    other.end_creation(&key, done).await.unwrap();
    assert_eq!(claim(one, &key, "four", START).await, ours("four"));
    // What nobody claims can be ended.
    let nobody = CreationKey::Person("nobody@example.com".into());
    for end in [interrupted, done] {
        one.end_creation(&nobody, end).await.unwrap();
    }
    assert_eq!(claim(one, &nobody, "five", START).await, ours("five"));
}

pub async fn claims_of_different_things_are_different(stores: &Stores) {
    let store = &stores.one;
    for key in [
        CreationKey::Person("finance".into()),
        CreationKey::Group("Finance".into()),
        CreationKey::Group("Finance ".into()),
        CreationKey::Change("finance".into()),
        CreationKey::Change("FINANCE".into()),
    ] {
        let claim = store.claim_creation(&key, "one", START, after(30)).await;
        assert_eq!(claim, ours("one"), "{key:?}");
    }
}

async fn claim(store: Arc<dyn StateStore>, number: usize) -> Claim {
    let key = CreationKey::Group("Finance".into());
    let attempt = number.to_string();
    let claim = store.claim_creation(&key, &attempt, after(30), after(60));
    claim.await.unwrap()
}

pub async fn of_claims_at_the_same_time_one_gets_it(stores: &Stores) {
    let answers = one_of_many(stores, claim, |answer| *answer != Claim::Held).await;
    let winner = answers.iter().position(|answer| *answer != Claim::Held);
    let winner = winner.unwrap();
    assert_eq!(answers[winner], Claim::Ours(winner.to_string()));
}

pub async fn a_claim_that_was_cut_off_is_taken_over_once(stores: &Stores) {
    let key = CreationKey::Group("finance".into());
    let first = stores.one.claim_creation(&key, "first", START, after(30));
    assert_eq!(first.await, ours("first"));
    let taken_over = Claim::Ours("first".into());
    one_of_many(stores, claim, |answer| *answer == taken_over).await;
}

fn session(id: &str) -> SharedSession {
    SharedSession {
        id: id.into(),
        sealed: format!("sealed {id}"),
        until: after(1000),
    }
}

fn joined(id: &str, lane: u16) -> Result<SessionTurn, Error> {
    let session = session(id);
    Ok(SessionTurn::Join { session, lane })
}

/// Who asks at this moment, and will be done with a session of their own ten seconds later.
async fn join(
    store: &Arc<dyn StateStore>,
    attempt: &str,
    now: Timestamp,
) -> Result<SessionTurn, Error> {
    let until = now + Duration::seconds(10);
    store.join_session("ann", attempt, now, until).await
}

const BEGIN: Result<SessionTurn, Error> = Ok(SessionTurn::Begin);
const WAIT: Result<SessionTurn, Error> = Ok(SessionTurn::Wait);

pub async fn a_session_is_begun_by_one_and_joined_by_the_others(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    assert_eq!(join(one, "one", START).await, BEGIN);
    assert_eq!(join(other, "two", after(9)).await, WAIT);
    one.share_session("ann", "one", &session("A"))
        .await
        .unwrap();
    assert_eq!(join(other, "two", after(9)).await, joined("A", 1));
    assert_eq!(join(one, "three", after(9)).await, joined("A", 2));
    // Other credentials, another session.
    let bob = other.join_session("bob", "two", after(9), after(19)).await;
    assert_eq!(bob, BEGIN);
    // A failed attempt holds nobody up.
    let failed = SessionEnd::Failed;
    assert_eq!(other.end_session("bob", failed("one")).await, Ok(false));
    assert_eq!(other.end_session("bob", failed("two")).await, Ok(true));
    let bob = one.join_session("bob", "one", after(9), after(19)).await;
    assert_eq!(bob, BEGIN);
    // Nor does it end what others share.
    assert_eq!(one.end_session("ann", failed("one")).await, Ok(false));
    assert_eq!(join(one, "four", after(9)).await, joined("A", 3));
}

async fn turn(store: Arc<dyn StateStore>, number: usize) -> SessionTurn {
    join(&store, &number.to_string(), START).await.unwrap()
}

pub async fn of_many_one_begins_a_session(stores: &Stores) {
    let begins = |turn: &SessionTurn| *turn == SessionTurn::Begin;
    let turns = one_of_many(stores, turn, begins).await;
    let waiting = turns.iter().filter(|turn| **turn == SessionTurn::Wait);
    assert_eq!(waiting.count(), turns.len() - 1);
    // And takes over from who was cut off.
    let later = |store, number: usize| async move {
        let store: Arc<dyn StateStore> = store;
        join(&store, &format!("later {number}"), after(10)).await
    };
    one_of_many(stores, later, |turn| *turn == BEGIN).await;
}

pub async fn of_many_each_gets_a_lane_of_its_own(stores: &Stores) {
    assert_eq!(join(&stores.one, "one", START).await, BEGIN);
    stores
        .one
        .share_session("ann", "one", &session("A"))
        .await
        .unwrap();
    let is_first = |turn: &SessionTurn| matches!(turn, SessionTurn::Join { lane: 1, .. });
    let turns = one_of_many(stores, turn, is_first).await;
    let lane = |turn: &SessionTurn| match turn {
        SessionTurn::Join { session, lane } if session.id == "A" => *lane,
        other => panic!("{other:?}"),
    };
    let mut lanes: Vec<u16> = turns.iter().map(lane).collect();
    lanes.sort_unstable();
    assert_eq!(lanes, [1, 2, 3, 4, 5, 6, 7, 8]);
}

pub async fn a_session_that_nobody_finishes_is_begun_by_the_next(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    assert_eq!(join(one, "one", START).await, BEGIN);
    assert_eq!(join(other, "two", after(10)).await, BEGIN);
    // Who comes back too late shares nothing, and holds nobody up.
    let late = one.share_session("ann", "one", &session("A")).await;
    assert_eq!(late, CONFLICT);
    let failed = one.end_session("ann", SessionEnd::Failed("one")).await;
    assert_eq!(failed, Ok(false));
    assert_eq!(join(one, "three", after(11)).await, WAIT);
    other
        .share_session("ann", "two", &session("B"))
        .await
        .unwrap();
    let late = one.share_session("ann", "one", &session("A")).await;
    assert_eq!(late, CONFLICT);
    assert_eq!(join(one, "three", after(11)).await, joined("B", 1));
    // Nor does somebody share who never was to begin one.
    let nobody = one.share_session("bob", "one", &session("A")).await;
    assert_eq!(nobody, CONFLICT);
    // Late, but nobody has minded.
    assert_eq!(one.join_session("eve", "one", START, after(1)).await, BEGIN);
    one.share_session("eve", "one", &session("E"))
        .await
        .unwrap();
    let eve = one.join_session("eve", "two", after(60), after(70)).await;
    assert_eq!(eve, joined("E", 1));
}

pub async fn a_session_is_over_in_its_time(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    assert_eq!(join(one, "one", START).await, BEGIN);
    one.share_session("ann", "one", &session("A"))
        .await
        .unwrap();
    assert_eq!(join(other, "two", after(999)).await, joined("A", 1));
    assert_eq!(join(other, "two", after(1000)).await, BEGIN);
    assert_eq!(join(one, "three", after(1000)).await, WAIT);
    let next = SharedSession {
        until: after(2000),
        ..session("B")
    };
    other.share_session("ann", "two", &next).await.unwrap();
    let turn = join(one, "three", after(1000)).await;
    assert_eq!(
        turn,
        Ok(SessionTurn::Join {
            session: next,
            lane: 1
        })
    );
}

pub async fn a_session_is_ended_by_its_name(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    let over = SessionEnd::Over;
    assert_eq!(one.end_session("ann", over("A")).await, Ok(false));
    assert_eq!(join(one, "one", START).await, BEGIN);
    assert_eq!(one.end_session("ann", over("A")).await, Ok(false));
    one.share_session("ann", "one", &session("A"))
        .await
        .unwrap();
    assert_eq!(other.end_session("ann", over("B")).await, Ok(false));
    assert_eq!(other.end_session("bob", over("A")).await, Ok(false));
    assert_eq!(join(other, "two", START).await, joined("A", 1));
    assert_eq!(other.end_session("ann", over("A")).await, Ok(true));
    assert_eq!(one.end_session("ann", over("A")).await, Ok(false));
    assert_eq!(join(one, "three", START).await, BEGIN);
    assert_eq!(join(other, "two", START).await, WAIT);
}

pub async fn who_leaves_learns_whether_they_were_alone(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    let alone = SessionEnd::Alone;
    assert_eq!(join(one, "one", START).await, BEGIN);
    one.share_session("ann", "one", &session("A"))
        .await
        .unwrap();
    assert_eq!(one.end_session("ann", alone("B")).await, Ok(false));
    assert_eq!(one.end_session("ann", alone("A")).await, Ok(true));
    assert_eq!(join(other, "two", START).await, BEGIN);
    other
        .share_session("ann", "two", &session("B"))
        .await
        .unwrap();
    assert_eq!(join(one, "three", START).await, joined("B", 1));
    assert_eq!(other.end_session("ann", alone("B")).await, Ok(false));
    assert_eq!(join(one, "four", START).await, joined("B", 2));
}

pub async fn the_guard_begins_empty(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    let nothing = Versioned {
        value: Guard::default(),
        version: 0,
    };
    assert_eq!(one.guard().await, Ok(nothing));
    let guard = Guard {
        lifted_until: Some(after(9)),
        removals: vec![RemovalsInMinute {
            minute: 7,
            people: vec!["A".into()],
        }],
        refused_at: None,
    };
    assert_eq!(one.put_guard(&guard, 1).await, CONFLICT);
    one.put_guard(&guard, 0).await.unwrap();
    assert_eq!(other.put_guard(&Guard::default(), 0).await, CONFLICT);
    let written = Versioned {
        value: guard,
        version: 1,
    };
    assert_eq!(other.guard().await, Ok(written));
    other.put_guard(&Guard::default(), 1).await.unwrap();
    assert_eq!(one.put_guard(&Guard::default(), 1).await, CONFLICT);
    assert_eq!(one.guard().await.unwrap().version, 2);
}

pub async fn the_guard_remembers_many_people(stores: &Stores) {
    let minute = |minute: i64| RemovalsInMinute {
        minute,
        people: (0..1000)
            .map(|number| format!("{minute:02}{number:024}"))
            .collect(),
    };
    let guard = Guard {
        removals: (0..8).map(minute).collect(),
        ..Guard::default()
    };
    stores.one.put_guard(&guard, 0).await.unwrap();
    let written = Versioned {
        value: guard,
        version: 1,
    };
    assert_eq!(stores.other.guard().await, Ok(written));
    let none = Guard::default();
    stores.other.put_guard(&none, 1).await.unwrap();
    assert_eq!(stores.one.guard().await.unwrap().value, none);
}

/// What lines are about, read page by page.
async fn targets(store: &Arc<dyn StateStore>, since: Timestamp, limit: usize) -> Vec<String> {
    let (mut targets, mut after) = (Vec::new(), None);
    loop {
        let (lines, next) = store.audit(since, after.as_deref(), limit).await.unwrap();
        assert!(lines.len() <= limit);
        assert!(next.is_none() || lines.len() == limit);
        targets.extend(lines.into_iter().map(|line| line.target));
        after = next;
        if after.is_none() {
            return targets;
        }
    }
}

fn sweep(at: Timestamp, outcome: SweepOutcome) -> SweepHeartbeat {
    SweepHeartbeat {
        at,
        until: at + Duration::HOUR,
        every_seconds: 60,
        outcome,
        last_confirmed: None,
    }
}

pub async fn nobody_s_heart_beats_at_first(stores: &Stores) {
    assert_eq!(stores.one.heartbeats().await, Ok(Heartbeats::default()));
}

pub async fn the_last_heartbeat_of_each_part_counts(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    let provider = |label: &str, last_write| ProviderHeartbeat {
        label: label.into(),
        kind: Some("Okta".into()),
        last_request: after(7),
        last_write,
    };
    let first = provider("first \u{f6}'\"", None);
    one.put_heartbeat(&Heartbeat::Provider(first.clone()))
        .await
        .unwrap();
    let mut all = Heartbeats {
        provider: Some(first),
        ..Heartbeats::default()
    };
    assert_eq!(other.heartbeats().await, Ok(all.clone()));

    let refused = AccountHeartbeat {
        at: after(8),
        until: after(600),
        last_signed_in: Some(after(3)),
        trouble: Some(AccountTrouble {
            since: after(5),
            reason: "the password was changed".into(),
            refused: true,
        }),
    };
    let locked = sweep(
        after(9),
        SweepOutcome::Locked {
            reason: "locked".into(),
        },
    );
    let again = provider("second", Some(after(6)));
    for heartbeat in [
        Heartbeat::Account(refused.clone()),
        Heartbeat::Sweep(locked.clone()),
        Heartbeat::Provider(again.clone()),
    ] {
        other.put_heartbeat(&heartbeat).await.unwrap();
    }
    all = Heartbeats {
        provider: Some(again),
        sweep: Some(locked),
        account: Some(refused),
    };
    assert_eq!(one.heartbeats().await, Ok(all));
}

pub async fn every_outcome_of_a_sweep_comes_back(stores: &Stores) {
    let reason = || "because".to_owned();
    for outcome in [
        SweepOutcome::Done {
            confirmed: 1,
            waiting: 2,
            held: 3,
            failed: 4,
        },
        SweepOutcome::Locked { reason: reason() },
        SweepOutcome::Unopened { reason: reason() },
        SweepOutcome::Stopped { reason: reason() },
    ] {
        let heartbeat = SweepHeartbeat {
            last_confirmed: Some(after(1)),
            ..sweep(after(2), outcome)
        };
        let note = Heartbeat::Sweep(heartbeat.clone());
        stores.one.put_heartbeat(&note).await.unwrap();
        let noted = stores.other.heartbeats().await.unwrap();
        assert_eq!(noted.sweep, Some(heartbeat));
    }
}

pub async fn the_audit_is_in_the_order_of_time(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    assert_eq!(one.audit(START, None, 9).await, Ok((Vec::new(), None)));
    let second = AuditEntry {
        outcome: AuditOutcome::Refused,
        detail: Some("the guard \u{1f6d1}".into()),
        ..entry(after(20), "B")
    };
    one.append_audit(&second, START).await.unwrap();
    let first = entry(after(10), "A");
    other.append_audit(&first, START).await.unwrap();
    let change = |before: Option<&str>, after: Option<&str>| AuditChange {
        attribute: "displayName".into(),
        before: before.map(Into::into),
        after: after.map(Into::into),
    };
    let third = AuditEntry {
        outcome: AuditOutcome::Failed,
        changes: vec![change(None, Some("Ann")), change(Some("Ann"), None)],
        provider: Some("Okta".into()),
        request_id: Some("f00".into()),
        ..entry(after(30), "C")
    };
    one.append_audit(&third, START).await.unwrap();
    let all = vec![first, second.clone(), third.clone()];
    assert_eq!(other.audit(START, None, 9).await, Ok((all, None)));
    let rest = vec![second, third];
    assert_eq!(other.audit(after(11), None, 9).await, Ok((rest, None)));
    assert_eq!(targets(one, after(20), 9).await, ["B", "C"]);
    let from_then = after(20) + Duration::milliseconds(1);
    assert_eq!(targets(one, from_then, 9).await, ["C"]);
}

pub async fn the_audit_is_read_in_pages(stores: &Stores) {
    // Three in each millisecond, so that pages end in the midst of one.
    let at = |number: i64| START + Duration::milliseconds(number / 3);
    let all: Vec<String> = (0..20).map(|number| format!("{number}")).collect();
    for (number, target) in (0..).zip(&all) {
        let line = entry(at(number), target);
        let store = match number % 2 {
            0 => &stores.one,
            _ => &stores.other,
        };
        store.append_audit(&line, START).await.unwrap();
    }
    for limit in [1, 2, 3, 7, 10, 20, 99] {
        let mut read = targets(&stores.one, START, limit).await;
        read.sort_by_key(|target| target.parse::<u32>().unwrap());
        assert_eq!(read, all, "{limit} at once");
    }
    assert_eq!(targets(&stores.one, at(6), 4).await.len(), 14);
    // A line that comes while somebody reads is read too.
    let (_, next) = stores.one.audit(at(18), None, 1).await.unwrap();
    let late = entry(at(30), "late");
    stores.one.append_audit(&late, START).await.unwrap();
    let next = next.as_deref();
    let (rest, _) = stores.one.audit(at(18), next, 9).await.unwrap();
    assert_eq!(rest.last().unwrap().target, "late");
}

pub async fn the_audit_drops_what_is_old(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    for (seconds, target) in [(10, "A"), (20, "B"), (30, "C")] {
        let line = entry(after(seconds), target);
        one.append_audit(&line, START).await.unwrap();
    }
    let line = entry(after(40), "D");
    other.append_audit(&line, after(20)).await.unwrap();
    assert_eq!(targets(one, START, 9).await, ["B", "C", "D"]);
}

pub async fn unusual_texts_are_keys_like_others(stores: &Stores) {
    let Stores { one, other, .. } = stores;
    let long = "ö".repeat(2000);
    let texts = [
        "'; DROP TABLE person; --",
        "\"quoted\"",
        "a\\b",
        "%",
        "_",
        "a#b",
        "a/b?c",
        "person:x",
        " ",
        "\t\n",
        "\u{1f469}\u{200d}\u{1f4bb}",
        "e\u{301}",
        "\u{e9}",
        long.as_str(),
    ];
    for (number, text) in texts.into_iter().enumerate() {
        let id = format!("P{number}");
        let known = Person {
            external_id: Some(text.into()),
            user_name: text.into(),
            ..with_addresses(&[&format!("{text}@example.com")])
        };
        one.put_person(&id, &known, 0).await.unwrap();
        let named = ManagedGroup {
            display_name: text.into(),
            ..group_known_as(text)
        };
        one.put_managed_group(&id, &named, 0).await.unwrap();
    }
    for (number, text) in texts.into_iter().enumerate() {
        let id = format!("P{number}");
        let holder = other.person_by_external_id(text).await;
        assert_eq!(holder, Ok(Some(id.clone())), "{text:?}");
        let holder = other.managed_group_by_external_id(text).await;
        assert_eq!(holder, Ok(Some(id.clone())), "{text:?}");
        let address = format!("{text}@example.com");
        let found = other.people_by_email(&address).await;
        assert_eq!(found, Ok(vec![id.clone()]), "{text:?}");
        let read = other.person(&id).await.unwrap().unwrap();
        assert_eq!(read.value.user_name, text);
        let key = CreationKey::Group(text.into());
        let claim = one.claim_creation(&key, "one", START, after(30)).await;
        assert_eq!(claim, ours("one"), "{text:?}");
        let claim = other.claim_creation(&key, "two", START, after(30)).await;
        assert_eq!(claim, Ok(Claim::Held), "{text:?}");
    }
}
