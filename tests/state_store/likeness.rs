//! An overlay answers as the store would, had it been written to.

use std::sync::Arc;

use proptest::prelude::*;
use scim_bridge::state::{
    Confirmation, ConfirmationStatus, ManagedGroup, Person, Removal, StateStore, Timestamp,
    sqlite::SqliteStore,
};
use time::Duration;

use crate::halfway::Halfway;

/// Something to write about the record of this number, whatever its version is.
#[derive(Clone, Debug)]
enum Write {
    /// Somebody who was removed so many seconds after the beginning, from these groups; or nobody.
    Person(Option<(i64, Vec<u8>)>),
    RemovePerson,
    Group,
    RemoveGroup,
    /// Whether it is over.
    Confirmation(bool),
}

fn writes() -> impl Strategy<Value = Vec<(u8, Write)>> {
    let groups = prop::collection::vec(0..2u8, 0..2);
    let write = prop_oneof![
        prop::option::of((0..9i64, groups)).prop_map(Write::Person),
        Just(Write::RemovePerson),
        Just(Write::Group),
        Just(Write::Group),
        Just(Write::RemoveGroup),
        any::<bool>().prop_map(Write::Confirmation),
    ];
    prop::collection::vec((0..9u8, write), 0..40)
}

async fn write(store: &dyn StateStore, number: u8, write: &Write) {
    let id = format!("{number}");
    match write {
        Write::Person(removal) => {
            let version = store.person(&id).await.unwrap().map_or(0, |it| it.version);
            let removal = removal.as_ref().map(|(seconds, groups)| Removal {
                // Nobody at the same time as somebody else: their order is nobody's promise.
                since: Timestamp::UNIX_EPOCH + Duration::seconds(seconds * 10 + i64::from(number)),
                admitted_at: None,
                groups: groups.iter().map(ToString::to_string).collect(),
            });
            let person = person(removal);
            store.put_person(&id, &person, version).await.unwrap();
        }
        Write::RemovePerson => store.remove_person(&id).await.unwrap(),
        Write::Group => {
            let known = store.managed_group(&id).await.unwrap();
            let version = known.map_or(0, |it| it.version);
            let group = ManagedGroup {
                display_name: id.clone(),
                account_name: id.clone(),
                external_id: Some(id.clone()),
                updated_at: Timestamp::UNIX_EPOCH,
            };
            store.put_managed_group(&id, &group, version).await.unwrap();
        }
        Write::RemoveGroup => store.remove_managed_group(&id).await.unwrap(),
        Write::Confirmation(over) => {
            let known = store.confirmation(&id).await.unwrap();
            let version = known.map_or(0, |it| it.version);
            let confirmation = Confirmation {
                since: Timestamp::UNIX_EPOCH,
                fingerprint: "f".into(),
                email: String::new(),
                released: None,
                status: match over {
                    true => ConfirmationStatus::Over,
                    false => ConfirmationStatus::waiting(),
                },
            };
            let put = store.put_confirmation(&id, &confirmation, version);
            put.await.unwrap();
        }
    }
}

fn person(removal: Option<Removal>) -> Person {
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
        removal,
        updated_at: Timestamp::UNIX_EPOCH,
    }
}

async fn assert_alike(left: &dyn StateStore, right: &dyn StateStore) {
    for limit in [0, 1, 3, 20] {
        for offset in 0..11 {
            assert_eq!(
                left.managed_groups(offset, limit).await,
                right.managed_groups(offset, limit).await,
                "{limit} groups from {offset}"
            );
        }
        for after in [None, Some("3"), Some("8")] {
            assert_eq!(
                left.open_confirmations(after, limit).await,
                right.open_confirmations(after, limit).await
            );
            assert_eq!(
                left.people_out_of("1", after, limit).await,
                right.people_out_of("1", after, limit).await
            );
        }
        for until in [0, 45, 99] {
            let until = Timestamp::UNIX_EPOCH + Duration::seconds(until);
            assert_eq!(
                left.people_removed(until, limit).await,
                right.people_removed(until, limit).await
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn pages_are_the_same(writes in writes(), before in 0..30usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let open = |name| SqliteStore::open(&dir.path().join(name)).unwrap();
            let (written, observed) = (open("written.db"), Arc::new(open("observed.db")));
            let overlay = Halfway::new(observed, before);
            for (number, what) in &writes {
                write(&written, *number, what).await;
                write(&overlay, *number, what).await;
            }
            assert_alike(&overlay, &written).await;
        });
    }
}
