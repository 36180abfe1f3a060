//! The database: one writer, a few readers, none of them on a thread that serves requests.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::refusal::Refusal;
use crate::private_file;

const SCHEMA: &str = include_str!("schema.sql");
const STATEMENTS: usize = 128;

/// Handles to one database file.
#[derive(Clone)]
pub(super) struct Store(Arc<Inner>);

struct Inner {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl Store {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        private_file::ensure(path).map_err(|_| {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
            let message = format!("{} cannot be written", path.display());
            rusqlite::Error::SqliteFailure(code, Some(message))
        })?;
        let writer = Connection::open(path)?;
        writer.pragma_update(None, "journal_mode", "WAL")?;
        settle(&writer)?;
        writer.execute_batch(SCHEMA)?;
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            writer: Mutex::new(writer),
            readers: Mutex::default(),
        })))
    }

    /// Runs a transaction that may write; nothing of it stays if it is refused.
    pub(super) fn write_now<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }

    /// Runs a transaction that only reads.
    pub(super) fn read_now<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let kept = self.readers().pop();
        let mut reader = match kept {
            Some(reader) => reader,
            None => {
                let reader = Connection::open_with_flags(
                    &self.0.path,
                    OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
                )?;
                settle(&reader)?;
                reader
            }
        };
        let result = reader
            .transaction()
            .map_err(Refusal::from)
            .and_then(|transaction| work(&transaction));
        self.readers().push(reader);
        result
    }

    fn readers(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.0
            .readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let store = self.clone();
        blocking(move || store.write_now(work)).await
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let store = self.clone();
        blocking(move || store.read_now(work)).await
    }
}

/// Runs work that blocks or computes for long.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Refusal::internal("a task was lost")))
}

fn settle(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

/// The time, as it is stored.
pub(super) fn now() -> String {
    OffsetDateTime::now_utc()
        .format(&Rfc3339)
        .unwrap_or_default()
}

/// A stored value as JSON text.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, Refusal> {
    serde_json::to_string(value).map_err(|_| Refusal::internal("a value is no JSON"))
}

/// JSON text as a value.
pub(super) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Refusal> {
    serde_json::from_str(text).map_err(|_| Refusal::internal("a stored value is broken"))
}

/// A column that counts; never negative.
pub(super) fn count(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get(column)
        .map(|count: i64| u64::try_from(count).unwrap_or(0))
}
