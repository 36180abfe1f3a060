//! The store of a bridge on one machine: one SQLite file, which several processes may share.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Row, ToSql, Transaction,
    TransactionBehavior, params,
};
use serde::de::DeserializeOwned;

use super::{
    AuditEntry, Claim, Confirmation, ConfirmationStatus, CreationEnd, CreationKey, Error, Guard,
    Heartbeat, Heartbeats, ManagedGroup, Person, Removal, Result, SESSION_LANES, SessionEnd,
    SessionTurn, SharedSession, StateStore, Timestamp, Versioned,
    records::{decode_heartbeats, encode, encode_heartbeat, from_json, moment_of},
};
use crate::private_file;

/// Another process may hold the file's write lock for this long before we give up.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// How many statements stay prepared; there are fewer.
const STATEMENTS: usize = 64;
/// How many connections to read with are kept.
const READERS: usize = 8;
/// So many records are read without leaving the thread: it takes less time than the way to another.
const FEW: usize = 16;

/// Records are JSON; what is looked up stands beside them in columns of its own.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS person (
    id TEXT PRIMARY KEY,
    external_id TEXT UNIQUE,
    record TEXT NOT NULL,
    version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS person_email (
    email TEXT NOT NULL,
    id TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    PRIMARY KEY (email, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS person_email_by_id ON person_email (id);
CREATE TABLE IF NOT EXISTS person_removed (
    id TEXT PRIMARY KEY REFERENCES person (id) ON DELETE CASCADE,
    since INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS person_removed_by_time ON person_removed (since);
CREATE TABLE IF NOT EXISTS person_out_of_group (
    grp TEXT NOT NULL,
    id TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    PRIMARY KEY (grp, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS person_out_of_group_by_id ON person_out_of_group (id);
CREATE TABLE IF NOT EXISTS managed_group (
    id TEXT PRIMARY KEY,
    external_id TEXT UNIQUE,
    record TEXT NOT NULL,
    version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS confirmation (
    id TEXT PRIMARY KEY,
    open INTEGER NOT NULL,
    record TEXT NOT NULL,
    version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS open_confirmation ON confirmation (id) WHERE open;
CREATE TABLE IF NOT EXISTS creation (
    key TEXT PRIMARY KEY,
    attempt TEXT NOT NULL,
    until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session_lease (
    key TEXT PRIMARY KEY,
    attempt TEXT NOT NULL,
    until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shared_session (
    key TEXT PRIMARY KEY,
    id TEXT NOT NULL,
    sealed TEXT NOT NULL,
    until INTEGER NOT NULL,
    lanes INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS guard (
    id TEXT PRIMARY KEY,
    record TEXT NOT NULL,
    version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS heartbeat (
    source TEXT PRIMARY KEY,
    record TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audit (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    record TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS audit_by_time ON audit (at);
";

/// The guard is one record.
const GUARD: &str = "guard";

/// A [`StateStore`] in one SQLite file.
#[derive(Clone)]
pub struct SqliteStore(Arc<Inner>);

struct Inner {
    path: PathBuf,
    writer: Mutex<Connection>,
    /// Those that nobody reads with at present. Readers wait for no writer.
    readers: Mutex<Vec<Connection>>,
}

impl SqliteStore {
    /// Opens the file, and makes it if there is none.
    pub fn open(path: &Path) -> Result<Self> {
        // It holds people's names and addresses.
        private_file::ensure(path).map_err(|error| Error::Unavailable(error.to_string()))?;
        let writer = Connection::open(path)?;
        settle(&writer)?;
        writer.pragma_update(None, "journal_mode", "WAL")?;
        writer.pragma_update(None, "synchronous", "NORMAL")?;
        writer.pragma_update(None, "foreign_keys", true)?;
        writer.execute_batch(SCHEMA)?;
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            writer: Mutex::new(writer),
            readers: Mutex::default(),
        })))
    }

    /// Reads something small, found by its key, on this thread.
    fn look_up<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let kept = lock(&self.0.readers).pop();
        let reader = match kept {
            Some(reader) => reader,
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let reader = Connection::open_with_flags(&self.0.path, flags)?;
                settle(&reader)?;
                reader
            }
        };
        let result = work(&reader);
        let mut readers = lock(&self.0.readers);
        if readers.len() < READERS {
            readers.push(reader);
        }
        result
    }

    /// Reads what may be long, off the async threads.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = self.clone();
        apart(move || store.look_up(work)).await
    }

    /// Runs `work` in a transaction that holds the write lock from its start, so that what it
    /// reads cannot change before it writes.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = self.clone();
        apart(move || {
            let mut writer = lock(&store.0.writer);
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let answer = work(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        })
        .await
    }

    fn record<T: DeserializeOwned>(&self, table: Table, id: &str) -> Result<Option<Versioned<T>>> {
        self.look_up(|connection| read(connection, table, id))
    }

    async fn records<T: DeserializeOwned + Send + 'static>(
        &self,
        table: Table,
        ids: &[&str],
    ) -> Result<Vec<Option<Versioned<T>>>> {
        if ids.len() <= FEW {
            return ids.iter().map(|id| self.record(table, id)).collect();
        }
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        self.read(move |connection| ids.iter().map(|id| read(connection, table, id)).collect())
            .await
    }

    fn id_where(&self, sql: &str, value: &str) -> Result<Option<String>> {
        self.look_up(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_row([value], |row| row.get(0)).optional()?)
        })
    }
}

#[async_trait]
impl StateStore for SqliteStore {
    async fn person(&self, id: &str) -> Result<Option<Versioned<Person>>> {
        self.record(Table::Person, id)
    }

    async fn people(&self, ids: &[&str]) -> Result<Vec<Option<Versioned<Person>>>> {
        self.records(Table::Person, ids).await
    }

    async fn person_by_external_id(&self, external_id: &str) -> Result<Option<String>> {
        self.id_where("SELECT id FROM person WHERE external_id = ?1", external_id)
    }

    async fn people_by_email(&self, email: &str) -> Result<Vec<String>> {
        let email = email.to_lowercase();
        self.read(move |connection| {
            let mut statement = connection
                .prepare_cached("SELECT id FROM person_email WHERE email = ?1 LIMIT 100")?;
            let ids = statement.query_map([email], |row| row.get(0))?;
            Ok(ids.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    async fn put_person(&self, id: &str, person: &Person, version: u64) -> Result<()> {
        let (id, record) = (id.to_owned(), encode(person)?);
        let (external_id, removal) = (person.external_id.clone(), person.removal.clone());
        let emails: Vec<String> = person
            .emails
            .iter()
            .map(|email| email.value.to_lowercase())
            .collect();
        self.write(move |transaction| {
            put(
                transaction,
                Table::Person,
                &id,
                &external_id,
                &record,
                version,
            )?;
            transaction
                .prepare_cached("DELETE FROM person_email WHERE id = ?1")?
                .execute([&id])?;
            let mut insert = transaction
                .prepare_cached("INSERT OR IGNORE INTO person_email (email, id) VALUES (?1, ?2)")?;
            for email in emails {
                insert.execute([&email, &id])?;
            }
            note_removal(transaction, &id, removal.as_ref())
        })
        .await
    }

    async fn remove_person(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.write(move |transaction| {
            transaction.execute("DELETE FROM person WHERE id = ?1", [id])?;
            Ok(())
        })
        .await
    }

    async fn people_out_of(
        &self,
        group: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>> {
        let (group, after) = (group.to_owned(), after.unwrap_or_default().to_owned());
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id FROM person_out_of_group WHERE grp = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
            )?;
            let ids = statement.query_map(params![group, after, limit], |row| row.get(0))?;
            Ok(ids.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    async fn people_removed(&self, until: Timestamp, limit: usize) -> Result<Vec<String>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id FROM person_removed WHERE since <= ?1 ORDER BY since LIMIT ?2",
            )?;
            let until = milliseconds(until);
            let ids = statement.query_map(params![until, limit], |row| row.get(0))?;
            Ok(ids.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    async fn managed_group(&self, id: &str) -> Result<Option<Versioned<ManagedGroup>>> {
        self.record(Table::ManagedGroup, id)
    }

    async fn managed_groups_by_id(
        &self,
        ids: &[&str],
    ) -> Result<Vec<Option<Versioned<ManagedGroup>>>> {
        self.records(Table::ManagedGroup, ids).await
    }

    async fn managed_group_by_external_id(&self, external_id: &str) -> Result<Option<String>> {
        let sql = "SELECT id FROM managed_group WHERE external_id = ?1";
        self.id_where(sql, external_id)
    }

    async fn managed_groups(&self, offset: u64, limit: usize) -> Result<(Vec<String>, u64)> {
        self.read(move |connection| {
            let total = connection
                .prepare_cached("SELECT count(*) FROM managed_group")?
                .query_row([], |row| row.get(0))?;
            let mut statement = connection
                .prepare_cached("SELECT id FROM managed_group ORDER BY id LIMIT ?1 OFFSET ?2")?;
            let ids = statement.query_map(params![limit, offset], |row| row.get(0))?;
            Ok((ids.collect::<rusqlite::Result<_>>()?, total))
        })
        .await
    }

    async fn put_managed_group(&self, id: &str, group: &ManagedGroup, version: u64) -> Result<()> {
        let (id, record) = (id.to_owned(), encode(group)?);
        let external_id = group.external_id.clone();
        self.write(move |transaction| {
            let table = Table::ManagedGroup;
            put(transaction, table, &id, &external_id, &record, version)
        })
        .await
    }

    async fn remove_managed_group(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.write(move |transaction| {
            transaction.execute("DELETE FROM managed_group WHERE id = ?1", [id])?;
            Ok(())
        })
        .await
    }

    async fn confirmation(&self, id: &str) -> Result<Option<Versioned<Confirmation>>> {
        self.record(Table::Confirmation, id)
    }

    async fn confirmations(&self, ids: &[&str]) -> Result<Vec<Option<Versioned<Confirmation>>>> {
        self.records(Table::Confirmation, ids).await
    }

    async fn open_confirmations(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Versioned<Confirmation>)>> {
        let after = after.unwrap_or_default().to_owned();
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT record, version, id FROM confirmation
                 WHERE open AND id > ?1 ORDER BY id LIMIT ?2",
            )?;
            let mut rows = statement.query(params![after, limit])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let id: String = row.get(2)?;
                let record =
                    decode(row).map_err(|error| error.at(&format!("Confirmation {id}")))?;
                found.push((id, record));
            }
            Ok(found)
        })
        .await
    }

    async fn put_confirmation(
        &self,
        id: &str,
        confirmation: &Confirmation,
        version: u64,
    ) -> Result<()> {
        let (id, record) = (id.to_owned(), encode(confirmation)?);
        let open = confirmation.status != ConfirmationStatus::Over;
        self.write(move |transaction| {
            put(
                transaction,
                Table::Confirmation,
                &id,
                &open,
                &record,
                version,
            )
        })
        .await
    }

    async fn claim_creation(
        &self,
        key: &CreationKey,
        attempt: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Claim> {
        let (key, attempt) = (key.to_text(), attempt.to_owned());
        let (now, until) = (now.unix_timestamp(), until.unix_timestamp());
        self.write(move |transaction| {
            let known: Option<(String, i64)> = transaction
                .prepare_cached("SELECT attempt, until FROM creation WHERE key = ?1")?
                .query_row([&key], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let attempt = match known {
                Some((_, held_until)) if held_until > now => return Ok(Claim::Held),
                Some((cut_off, _)) => cut_off,
                None => attempt,
            };
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO creation (key, attempt, until) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![key, attempt, until])?;
            Ok(Claim::Ours(attempt))
        })
        .await
    }

    async fn end_creation(&self, key: &CreationKey, end: CreationEnd) -> Result<()> {
        let key = key.to_text();
        self.write(move |transaction| {
            transaction
                .prepare_cached(match end {
                    CreationEnd::Done => "DELETE FROM creation WHERE key = ?1",
                    CreationEnd::Interrupted => "UPDATE creation SET until = 0 WHERE key = ?1",
                })?
                .execute([key])?;
            Ok(())
        })
        .await
    }

    async fn join_session(
        &self,
        key: &str,
        attempt: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<SessionTurn> {
        let (key, attempt) = (key.to_owned(), attempt.to_owned());
        let (now, until) = (milliseconds(now), milliseconds(until));
        self.write(move |transaction| {
            let joined = transaction
                .prepare_cached(
                    "UPDATE shared_session SET lanes = lanes + 1
                     WHERE key = ?1 AND until > ?2 AND lanes < ?3
                     RETURNING id, sealed, until, lanes - 1",
                )?
                .query_row(params![key, now, SESSION_LANES], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })
                .optional()?;
            if let Some((id, sealed, until, lane)) = joined {
                let until = moment_of(until)?;
                let session = SharedSession { id, sealed, until };
                return Ok(SessionTurn::Join { session, lane });
            }
            let taken = transaction
                .prepare_cached(
                    "INSERT INTO session_lease (key, attempt, until) VALUES (?1, ?2, ?3)
                     ON CONFLICT (key) DO UPDATE SET attempt = ?2, until = ?3 WHERE until <= ?4",
                )?
                .execute(params![key, attempt, until, now])?;
            if taken == 0 {
                return Ok(SessionTurn::Wait);
            }
            // Of credentials that were replaced, nobody asks any more.
            for expired in [
                "DELETE FROM shared_session WHERE until <= ?1",
                "DELETE FROM session_lease WHERE until <= ?1",
            ] {
                transaction.prepare_cached(expired)?.execute([now])?;
            }
            Ok(SessionTurn::Begin)
        })
        .await
    }

    async fn share_session(&self, key: &str, attempt: &str, session: &SharedSession) -> Result<()> {
        let (key, attempt, session) = (key.to_owned(), attempt.to_owned(), session.clone());
        self.write(move |transaction| {
            end_lease(transaction, &key, &attempt)?
                .then_some(())
                .ok_or(Error::Conflict)?;
            let until = milliseconds(session.until);
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO shared_session (key, id, sealed, until, lanes)
                     VALUES (?1, ?2, ?3, ?4, 1)",
                )?
                .execute(params![key, session.id, session.sealed, until])?;
            Ok(())
        })
        .await
    }

    async fn end_session(&self, key: &str, end: SessionEnd<'_>) -> Result<bool> {
        let key = key.to_owned();
        let (sql, name) = match end {
            SessionEnd::Failed(attempt) => {
                let attempt = attempt.to_owned();
                return self
                    .write(move |transaction| end_lease(transaction, &key, &attempt))
                    .await;
            }
            SessionEnd::Over(id) => ("DELETE FROM shared_session WHERE key = ?1 AND id = ?2", id),
            SessionEnd::Alone(id) => (
                "DELETE FROM shared_session WHERE key = ?1 AND id = ?2 AND lanes = 1",
                id,
            ),
        };
        let name = name.to_owned();
        self.write(move |transaction| {
            let ended = transaction.prepare_cached(sql)?.execute([key, name])?;
            Ok(ended == 1)
        })
        .await
    }

    async fn guard(&self) -> Result<Versioned<Guard>> {
        let known = self.record(Table::Guard, GUARD)?;
        Ok(known.unwrap_or(Versioned {
            value: Guard::default(),
            version: 0,
        }))
    }

    async fn put_guard(&self, guard: &Guard, version: u64) -> Result<()> {
        let record = encode(guard)?;
        self.write(move |transaction| {
            put(
                transaction,
                Table::Guard,
                GUARD,
                &rusqlite::types::Null,
                &record,
                version,
            )
        })
        .await
    }

    async fn heartbeats(&self) -> Result<Heartbeats> {
        self.read(move |connection| {
            let mut statement =
                connection.prepare_cached("SELECT source, record FROM heartbeat")?;
            let rows = statement.query_map([], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, None))
            })?;
            Ok(decode_heartbeats(
                rows.collect::<rusqlite::Result<Vec<_>>>()?,
            ))
        })
        .await
    }

    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> Result<()> {
        let (source, record) = encode_heartbeat(heartbeat)?;
        self.write(move |transaction| {
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO heartbeat (source, record) VALUES (?1, ?2)",
                )?
                .execute([source, &record])?;
            Ok(())
        })
        .await
    }

    async fn append_audit(&self, entry: &AuditEntry, keep_from: Timestamp) -> Result<()> {
        let (at, record) = (milliseconds(entry.at), encode(entry)?);
        self.write(move |transaction| {
            transaction
                .prepare_cached("DELETE FROM audit WHERE at < ?1")?
                .execute([milliseconds(keep_from)])?;
            transaction
                .prepare_cached("INSERT INTO audit (at, record) VALUES (?1, ?2)")?
                .execute(params![at, record])?;
            Ok(())
        })
        .await
    }

    async fn audit(
        &self,
        since: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<AuditEntry>, Option<String>)> {
        let (mut at, mut seq) = (milliseconds(since), -1);
        if let Some((moment, number)) = after.and_then(|after| after.split_once('.')) {
            let number_of = |text: &str| text.parse::<i64>().unwrap_or(i64::MAX);
            (at, seq) = (number_of(moment), number_of(number));
        }
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT record, at, seq FROM audit WHERE (at, seq) > (?1, ?2)
                 ORDER BY at, seq LIMIT ?3",
            )?;
            let mut rows = statement.query(params![at, seq, limit])?;
            let (mut entries, mut last) = (Vec::new(), None);
            while let Some(row) = rows.next()? {
                entries.push(from_json(&row.get::<_, String>(0)?)?);
                last = Some(format!(
                    "{}.{}",
                    row.get::<_, i64>(1)?,
                    row.get::<_, i64>(2)?
                ));
            }
            let full = entries.len() == limit;
            Ok((entries, last.filter(|_| full)))
        })
        .await
    }
}

/// Ends the lease of a session that is being begun; whether it was this attempt's.
fn end_lease(transaction: &Transaction<'_>, key: &str, attempt: &str) -> Result<bool> {
    let ended = transaction
        .prepare_cached("DELETE FROM session_lease WHERE key = ?1 AND attempt = ?2")?
        .execute([key, attempt])?;
    Ok(ended == 1)
}

/// Keeps the columns that a person with this removal is found by.
fn note_removal(transaction: &Transaction<'_>, id: &str, removal: Option<&Removal>) -> Result<()> {
    for clear in [
        "DELETE FROM person_removed WHERE id = ?1",
        "DELETE FROM person_out_of_group WHERE id = ?1",
    ] {
        transaction.prepare_cached(clear)?.execute([id])?;
    }
    let Some(removal) = removal else {
        return Ok(());
    };
    if removal.admitted_at.is_some() {
        transaction
            .prepare_cached("INSERT INTO person_removed (id, since) VALUES (?1, ?2)")?
            .execute(params![id, milliseconds(removal.since)])?;
    }
    let mut insert = transaction
        .prepare_cached("INSERT OR IGNORE INTO person_out_of_group (grp, id) VALUES (?1, ?2)")?;
    for group in &removal.groups {
        insert.execute([group.as_str(), id])?;
    }
    Ok(())
}

/// A moment as a column, in milliseconds since 1970.
fn milliseconds(at: Timestamp) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// The tables of versioned records.
#[derive(Clone, Copy, Debug)]
enum Table {
    Person,
    ManagedGroup,
    Confirmation,
    Guard,
}

impl Table {
    fn select(self) -> &'static str {
        match self {
            Self::Person => "SELECT record, version FROM person WHERE id = ?1",
            Self::ManagedGroup => "SELECT record, version FROM managed_group WHERE id = ?1",
            Self::Confirmation => "SELECT record, version FROM confirmation WHERE id = ?1",
            Self::Guard => "SELECT record, version FROM guard WHERE id = ?1",
        }
    }

    /// Parameters: id, the indexed column (which a guard has none of), record.
    fn insert(self) -> &'static str {
        match self {
            Self::Person => {
                "INSERT INTO person (id, external_id, record, version) VALUES (?1, ?2, ?3, 1)"
            }
            Self::ManagedGroup => {
                "INSERT INTO managed_group (id, external_id, record, version)
                 VALUES (?1, ?2, ?3, 1)"
            }
            Self::Confirmation => {
                "INSERT INTO confirmation (id, open, record, version) VALUES (?1, ?2, ?3, 1)"
            }
            Self::Guard => "INSERT INTO guard (id, record, version) VALUES (?1, ?3, 1)",
        }
    }

    /// Parameters: id, the indexed column, record, the version that must still stand.
    fn update(self) -> &'static str {
        match self {
            Self::Person => {
                "UPDATE person SET external_id = ?2, record = ?3, version = version + 1
                 WHERE id = ?1 AND version = ?4"
            }
            Self::ManagedGroup => {
                "UPDATE managed_group SET external_id = ?2, record = ?3, version = version + 1
                 WHERE id = ?1 AND version = ?4"
            }
            Self::Confirmation => {
                "UPDATE confirmation SET open = ?2, record = ?3, version = version + 1
                 WHERE id = ?1 AND version = ?4"
            }
            Self::Guard => {
                "UPDATE guard SET record = ?3, version = version + 1 WHERE id = ?1 AND version = ?4"
            }
        }
    }
}

/// What every connection needs.
fn settle(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(LOCK_PATIENCE)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs work that waits for files, off the async threads.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::Unavailable(error.to_string()))?
}

fn read<T: DeserializeOwned>(
    connection: &Connection,
    table: Table,
    id: &str,
) -> Result<Option<Versioned<T>>> {
    let mut statement = connection.prepare_cached(table.select())?;
    let mut rows = statement.query([id])?;
    let record = rows.next()?.map(decode).transpose();
    record.map_err(|error: Error| error.at(&format!("{table:?} {id}")))
}

fn put(
    transaction: &Transaction<'_>,
    table: Table,
    id: &str,
    indexed: &dyn ToSql,
    record: &str,
    version: u64,
) -> Result<()> {
    let written = if version == 0 {
        transaction
            .prepare_cached(table.insert())?
            .execute(params![id, indexed, record])
            .map_err(|error| match Error::from(error) {
                // The new id is taken, not the external one, if the row is there.
                Error::ExternalIdTaken if exists(transaction, table, id) => Error::Conflict,
                other => other,
            })?
    } else {
        transaction
            .prepare_cached(table.update())?
            .execute(params![id, indexed, record, version])?
    };
    (written == 1).then_some(()).ok_or(Error::Conflict)
}

fn exists(transaction: &Transaction<'_>, table: Table, id: &str) -> bool {
    transaction
        .prepare_cached(table.select())
        .and_then(|mut statement| statement.exists([id]))
        .unwrap_or(false)
}

/// Reads the columns `record, version`.
fn decode<T: DeserializeOwned>(row: &Row<'_>) -> Result<Versioned<T>> {
    Ok(Versioned {
        value: from_json(&row.get::<_, String>(0)?)?,
        version: row.get(1)?,
    })
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match &error {
            rusqlite::Error::SqliteFailure(failure, _)
                if failure.code == ErrorCode::ConstraintViolation =>
            {
                Self::ExternalIdTaken
            }
            _ => Self::Unavailable(error.to_string()),
        }
    }
}
