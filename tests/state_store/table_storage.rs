//! The store of a bridge on Azure, in tables of the stand-in's: over http with the published key,
//! and over https with tokens of a managed identity.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use scim_bridge::{
    outbound,
    state::{Guard, StateStore, table_storage::TableStore},
};

use crate::{azure_stand_in::Azure, azurite, contract::Stores};

/// A name that no other test has.
pub fn name() -> String {
    static TABLES: AtomicUsize = AtomicUsize::new(0);
    format!("contract{}", TABLES.fetch_add(1, Ordering::Relaxed))
}

mod with_the_published_key {
    use super::*;

    async fn open() -> Option<Stores> {
        azurite::url()?;
        let table = azurite::table(&name()).await;
        let store = || {
            let http = outbound::client(None).unwrap();
            Arc::new(TableStore::new(table.parse().unwrap(), http, |_| None))
        };
        Some(Stores {
            one: store(),
            other: store(),
            place: Box::new(()),
        })
    }

    promises!(open);
    promises!(open: the_audit_drops_what_is_old);
}

#[tokio::test]
async fn a_table_that_is_not_there_is_an_error_with_its_remedy() {
    let Some(account) = azurite::url() else {
        return;
    };
    let table = format!("{account}/{}", name()).parse().unwrap();
    let store = TableStore::new(table, outbound::client(None).unwrap(), |_| None);
    let errors = [
        store.person("A").await.map(drop),
        store.people_by_email("a@b.example").await.map(drop),
        store.put_guard(&Guard::default(), 0).await,
    ];
    for error in errors {
        let error = error.unwrap_err().to_string();
        assert!(error.contains("or make the table"), "{error}");
    }
}

mod with_a_managed_identity {
    use super::*;

    async fn open() -> Option<Stores> {
        let roots = std::fs::read_to_string(azurite::roots()?).unwrap();
        let table = azurite::secure_table(&name()).await;
        let azure = Azure::start().await;
        let environment = azure.managed_identity();
        let lookup = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let store = || {
            let http = outbound::client(Some(&roots)).unwrap();
            Arc::new(TableStore::new(table.parse().unwrap(), http, lookup))
        };
        Some(Stores {
            one: store(),
            other: store(),
            place: Box::new(azure),
        })
    }

    promises!(open);
    promises!(open: the_audit_drops_what_is_old);
}
