//! What every store promises, kept by each of them.
//!
//! A further store is one more module here: a function that opens it, empty and as two bridges see
//! it, and one line.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

#[macro_use]
mod contract;

mod dynamodb;
mod halfway;
mod likeness;
mod table_storage;
mod table_trouble;

#[allow(dead_code, reason = "another test binary uses the rest")]
#[path = "../support/azure.rs"]
mod azure_stand_in;
#[path = "../support/azurite.rs"]
mod azurite;
#[path = "../support/moto.rs"]
mod moto;
#[path = "../support/tools.rs"]
mod tools;

mod sqlite {
    use std::sync::Arc;

    use scim_bridge::state::sqlite::SqliteStore;

    use crate::contract::Stores;

    async fn open() -> Option<Stores> {
        let dir = tempfile::tempdir().unwrap();
        let handle = || Arc::new(SqliteStore::open(&dir.path().join("state.db")).unwrap());
        Some(Stores {
            one: handle(),
            other: handle(),
            place: Box::new(dir),
        })
    }

    promises!(open);
    // A table on AWS does so later, by itself.
    promises!(open: the_audit_drops_what_is_old);
}

/// In one process: who observes shares what was made up with nobody.
mod overlay {
    use std::sync::Arc;

    use scim_bridge::state::{StateStore, overlay::Overlay, sqlite::SqliteStore};

    use crate::{contract::Stores, halfway::Halfway};

    fn over_a_file(overlay: impl FnOnce(Arc<SqliteStore>) -> Arc<dyn StateStore>) -> Stores {
        let dir = tempfile::tempdir().unwrap();
        let file = SqliteStore::open(&dir.path().join("state.db")).unwrap();
        let overlay = overlay(Arc::new(file));
        Stores {
            one: Arc::clone(&overlay),
            other: overlay,
            place: Box::new(dir),
        }
    }

    mod over_an_empty_store {
        use super::*;

        async fn open() -> Option<Stores> {
            Some(over_a_file(|file| Arc::new(Overlay::new(file))))
        }

        promises!(open);
        promises!(open: the_audit_drops_what_is_old);
    }

    mod over_a_store_with_one_write {
        use super::*;

        async fn open() -> Option<Stores> {
            Some(over_a_file(|file| Arc::new(Halfway::new(file, 1))))
        }

        promises!(open);
        promises!(open: the_audit_drops_what_is_old);
    }

    mod over_a_store_with_three_writes {
        use super::*;

        async fn open() -> Option<Stores> {
            Some(over_a_file(|file| Arc::new(Halfway::new(file, 3))))
        }

        promises!(open);
        promises!(open: the_audit_drops_what_is_old);
    }
}
