//! The store of a bridge on Azure: one table of a storage account, shared by all functions.
//!
//! Records are JSON; what they are looked up by stands in entities of its own, in the same
//! partition, so that one transaction writes them all. `docs/state.md` lists the entities. What a
//! request of ours did although its answer was lost is recognised by the name that it left in the
//! record.

mod batch;
mod key;
mod table;
mod url;

use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    AuditEntry, Claim, Confirmation, ConfirmationStatus, CreationEnd, CreationKey, Error, Guard,
    Heartbeat, Heartbeats, ManagedGroup, Person, Result, SESSION_LANES, SessionEnd, SessionTurn,
    SharedSession, StateStore, Timestamp, Versioned,
    records::{
        ATTEMPTS, BY_EMAIL, CLAIM_KEPT, FORMAT, TRANSACTION, decode, decode_heartbeats,
        decode_line, encode, encode_heartbeat, fit, milliseconds, moment_of, pause, random,
    },
};
use batch::{Kind, Properties, Write};
use key::{end_of, row, start_of};
use table::{Query, Table, Written};

pub use url::{NotATable, TableUrl};

/// The partitions: what is written together stands in one.
const PEOPLE: &str = "people";
const GROUPS: &str = "groups";
const CONFIRMATIONS: &str = "confirmations";
const GUARD: &str = "guard";
const SESSIONS: &str = "sessions";
const CLAIMS: &str = "claims";
const HEARTBEATS: &str = "heartbeats";
const AUDIT: &str = "audit";

/// What row keys begin with: the records, and what they are found by.
const RECORD: &str = "record";
const EXTERNAL_ID: &str = "external-id";
const EMAIL: &str = "email";
const OUT_OF: &str = "out-of";
const REMOVED: &str = "removed";
const OPEN: &str = "open";
const CLAIM: &str = "claim";
const SESSION: &str = "session";

/// What the guard's only record is known by.
const REMOVALS: &str = "removals";

/// How long what is too old is looked for, beside something else.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// How often a session that many join at once is tried. Each time somebody gets a lane.
const SESSION_ATTEMPTS: u32 = 6;

/// How many records are read at the same time, where there are many: no request reads more than
/// one by its key.
const AT_ONCE: usize = 16;

/// The longest text of one property, in UTF-16 code units, and how many of them an entity of 1 MiB
/// holds.
const PART: usize = 32 * 1024;
const PARTS: usize = 15;

/// The row keys by which a record is found.
type Links = super::records::Links<String>;

/// A [`StateStore`] in one table of Azure Table Storage.
pub struct TableStore {
    table: Table,
}

/// A record that is there.
struct Known<T> {
    record: Versioned<T>,
    etag: String,
}

/// A record that is to be written.
struct Record {
    partition: &'static str,
    row: String,
    properties: Properties,
    /// Names this write, so that it is recognised if its answer is lost.
    name: String,
}

impl TableStore {
    /// A store in this table, spoken to with `http` as whoever the environment says; `lookup` is
    /// given a variable's name. Asks nobody before it is used.
    pub fn new(
        url: TableUrl,
        http: reqwest::Client,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Self {
        Self {
            table: Table::new(url, http, lookup),
        }
    }

    async fn known<T: DeserializeOwned>(
        &self,
        partition: &str,
        id: &str,
    ) -> Result<Option<Known<T>>> {
        let there = self.table.get(partition, &row(RECORD, &[id])).await?;
        let known = |there: &Properties| {
            Ok(Known {
                record: record_of(there)?,
                etag: etag(there)?,
            })
        };
        there.as_ref().map(known).transpose()
    }

    async fn record<T: DeserializeOwned>(
        &self,
        partition: &str,
        id: &str,
    ) -> Result<Option<Versioned<T>>> {
        let known = self.known(partition, id).await?;
        Ok(known.map(|known| known.record))
    }

    async fn records<T: DeserializeOwned>(
        &self,
        partition: &str,
        ids: &[&str],
    ) -> Result<Vec<Option<Versioned<T>>>> {
        let reads: Vec<_> = ids.iter().map(|id| self.record(partition, id)).collect();
        stream::iter(reads).buffered(AT_ONCE).try_collect().await
    }

    /// Whose external id this is.
    async fn owner(&self, partition: &str, external_id: &str) -> Result<Option<String>> {
        let row = row(EXTERNAL_ID, &[external_id]);
        let there = self.table.get(partition, &row).await?;
        Ok(there.and_then(|there| text(&there, "id").map(str::to_owned)))
    }

    /// The ids that rows between two others are about.
    async fn ids(
        &self,
        partition: &str,
        after: &str,
        before: &str,
        limit: usize,
    ) -> Result<Vec<String>> {
        let query = Query {
            partition,
            conditions: &[("RowKey", "gt", after), ("RowKey", "lt", before)],
            select: Some("id"),
            limit,
        };
        let found = self.table.query(&query).await?;
        let ids = found.iter().filter_map(|there| text(there, "id"));
        Ok(ids.map(str::to_owned).collect())
    }

    /// What a write of this version replaces: nothing, for 0.
    async fn replaced<T: DeserializeOwned>(
        &self,
        partition: &str,
        id: &str,
        version: u64,
    ) -> Result<Option<Known<T>>> {
        if version == 0 {
            return Ok(None);
        }
        let known = self.known(partition, id).await?;
        match known.filter(|known| known.record.version == version) {
            None => Err(Error::Conflict),
            known => Ok(known),
        }
    }

    /// Writes a record together with the rows by which it is found.
    async fn put<T: Serialize + DeserializeOwned>(
        &self,
        partition: &'static str,
        id: &str,
        value: &T,
        version: u64,
        links: impl Fn(&T) -> Links,
    ) -> Result<()> {
        let replaced = self.replaced::<T>(partition, id, version).await?;
        let before = replaced.as_ref().map(|known| links(&known.record.value));
        let (before, after) = (before.unwrap_or_default(), links(value));
        let (mut gone, mut come) = (before.without(&after), after.without(&before));
        let (early, late) = fit(&mut come, &mut gone);

        let record = Record::new(partition, id, value, version)?;
        let entry = Properties::from_iter([("id".to_owned(), id.into())]);
        let put = |row: String| Write::new(row, Kind::Put(entry.clone()));
        let take = |row: String| Write::new(row, Kind::Insert(entry.clone()));
        self.write_apart(partition, early, put).await?;
        let mut writes = vec![record.write(replaced.as_ref())];
        // Refused in this place if somebody else has it.
        writes.extend(come.external_id.map(take));
        writes.extend(come.plain.into_iter().map(put));
        writes.extend(gone.external_id.into_iter().chain(gone.plain).map(delete));
        self.write(&record, writes).await?;
        self.write_apart(partition, late, delete).await
    }

    /// Makes the writes of which the first is the record's and the second may be to take an
    /// external id.
    async fn write(&self, record: &Record, writes: Vec<Write>) -> Result<()> {
        let takes = |write: &Write| matches!(write.kind, Kind::Insert(_));
        let takes_external_id = writes.get(1).is_some_and(takes);
        let Written::Refused(place) = self.table.write(record.partition, writes).await? else {
            return Ok(());
        };
        let there = self.table.get(record.partition, &record.row).await?;
        if there.is_some_and(|there| text(&there, "name") == Some(&record.name)) {
            return Ok(());
        }
        match place {
            Some(1) if takes_external_id => Err(Error::ExternalIdTaken),
            _ => Err(Error::Conflict),
        }
    }

    /// Makes writes that belong to no record's transaction, as many at once as one takes.
    async fn write_apart(
        &self,
        partition: &str,
        rows: Vec<String>,
        write: impl Fn(String) -> Write,
    ) -> Result<()> {
        for rows in rows.chunks(TRANSACTION) {
            let writes = rows.iter().cloned().map(&write).collect();
            self.table.write(partition, writes).await?;
        }
        Ok(())
    }

    /// Removes a record together with the rows by which it is found.
    async fn remove<T: DeserializeOwned>(
        &self,
        partition: &str,
        id: &str,
        links: impl Fn(&T) -> Links,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let Some(known) = self.known::<T>(partition, id).await? else {
                return Ok(());
            };
            let mut gone = links(&known.record.value);
            let (_, late) = fit(&mut Links::default(), &mut gone);
            let mut writes = vec![Write::new(row(RECORD, &[id]), Kind::DeleteIf(known.etag))];
            writes.extend(gone.external_id.into_iter().chain(gone.plain).map(delete));
            // Before the record: nobody would look for them after it.
            self.write_apart(partition, late, delete).await?;
            if let Written::Done = self.table.write(partition, writes).await? {
                return Ok(());
            }
        }
        Err(Error::Conflict)
    }

    /// Deletes what is too old, as much as one transaction takes. What fails, or was written or
    /// deleted meanwhile, is left to the next time.
    async fn drop_old(&self, partition: &str, property: &str, before: &str) {
        let query = Query {
            partition,
            conditions: &[(property, "lt", before)],
            select: None,
            limit: TRANSACTION,
        };
        let delete = |there: &Properties| {
            let etag = etag(there).ok()?;
            Some(Write::new(text(there, "RowKey")?, Kind::DeleteIf(etag)))
        };
        let work = async {
            let found = self.table.query(&query).await.unwrap_or_default();
            let writes = found.iter().filter_map(delete).collect();
            let _ = self.table.write(partition, writes).await;
        };
        // Somebody waits, who has other things to do.
        let _ = tokio::time::timeout(HOUSEKEEPING, work).await;
    }
}

#[async_trait]
impl StateStore for TableStore {
    async fn person(&self, id: &str) -> Result<Option<Versioned<Person>>> {
        self.record(PEOPLE, id).await
    }

    async fn people(&self, ids: &[&str]) -> Result<Vec<Option<Versioned<Person>>>> {
        self.records(PEOPLE, ids).await
    }

    async fn person_by_external_id(&self, external_id: &str) -> Result<Option<String>> {
        self.owner(PEOPLE, external_id).await
    }

    async fn people_by_email(&self, email: &str) -> Result<Vec<String>> {
        let rows = row(EMAIL, &[&email.to_lowercase()]);
        let (start, end) = (start_of(&rows), end_of(&rows));
        self.ids(PEOPLE, &start, &end, BY_EMAIL).await
    }

    async fn put_person(&self, id: &str, person: &Person, version: u64) -> Result<()> {
        let links = |person: &Person| links_of_person(id, person);
        self.put(PEOPLE, id, person, version, links).await
    }

    async fn remove_person(&self, id: &str) -> Result<()> {
        self.remove(PEOPLE, id, |person| links_of_person(id, person))
            .await
    }

    async fn people_out_of(
        &self,
        group: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>> {
        let rows = row(OUT_OF, &[group]);
        let after = after.map_or_else(|| start_of(&rows), |after| row(OUT_OF, &[group, after]));
        self.ids(PEOPLE, &after, &end_of(&rows), limit).await
    }

    async fn people_removed(&self, until: Timestamp, limit: usize) -> Result<Vec<String>> {
        let until = row(REMOVED, &[&milliseconds(until)]);
        self.ids(PEOPLE, &start_of(REMOVED), &end_of(&until), limit)
            .await
    }

    async fn managed_group(&self, id: &str) -> Result<Option<Versioned<ManagedGroup>>> {
        self.record(GROUPS, id).await
    }

    async fn managed_groups_by_id(
        &self,
        ids: &[&str],
    ) -> Result<Vec<Option<Versioned<ManagedGroup>>>> {
        self.records(GROUPS, ids).await
    }

    async fn managed_group_by_external_id(&self, external_id: &str) -> Result<Option<String>> {
        self.owner(GROUPS, external_id).await
    }

    async fn managed_groups(&self, offset: u64, limit: usize) -> Result<(Vec<String>, u64)> {
        // An id is all that is read of a group: 1,000 of them are one request.
        let (start, end) = (start_of(RECORD), end_of(RECORD));
        let ids = self.ids(GROUPS, &start, &end, usize::MAX).await?;
        let total = ids.len() as u64;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        Ok((ids.into_iter().skip(offset).take(limit).collect(), total))
    }

    async fn put_managed_group(&self, id: &str, group: &ManagedGroup, version: u64) -> Result<()> {
        self.put(GROUPS, id, group, version, links_of_group).await
    }

    async fn remove_managed_group(&self, id: &str) -> Result<()> {
        self.remove(GROUPS, id, links_of_group).await
    }

    async fn confirmation(&self, id: &str) -> Result<Option<Versioned<Confirmation>>> {
        self.record(CONFIRMATIONS, id).await
    }

    async fn confirmations(&self, ids: &[&str]) -> Result<Vec<Option<Versioned<Confirmation>>>> {
        self.records(CONFIRMATIONS, ids).await
    }

    async fn open_confirmations(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Versioned<Confirmation>)>> {
        let after = after.map_or_else(|| start_of(OPEN), |after| row(OPEN, &[after]));
        let query = Query {
            partition: CONFIRMATIONS,
            conditions: &[("RowKey", "gt", &after), ("RowKey", "lt", &end_of(OPEN))],
            select: None,
            limit,
        };
        let found = self.table.query(&query).await?;
        let open = found.iter().map(|there| {
            let id = text(there, "id").unwrap_or_default();
            Ok((id.to_owned(), record_of(there)?))
        });
        open.collect()
    }

    async fn put_confirmation(
        &self,
        id: &str,
        confirmation: &Confirmation,
        version: u64,
    ) -> Result<()> {
        let is_open = |it: &Confirmation| it.status != ConfirmationStatus::Over;
        let replaced = self.replaced(CONFIRMATIONS, id, version).await?;
        let record = Record::new(CONFIRMATIONS, id, confirmation, version)?;
        let mut writes = vec![record.write(replaced.as_ref())];
        // The list holds the records themselves: one request reads a page of them.
        let listed = row(OPEN, &[id]);
        if is_open(confirmation) {
            writes.push(Write::new(listed, Kind::Put(record.properties.clone())));
        } else if replaced.is_some_and(|known| is_open(&known.record.value)) {
            writes.push(delete(listed));
        }
        self.write(&record, writes).await
    }

    async fn claim_creation(
        &self,
        key: &CreationKey,
        attempt: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Claim> {
        let now = milliseconds(now);
        let claim = self.claim(key, attempt, &now, until);
        let (claimed, ()) = tokio::join!(claim, self.drop_old(CLAIMS, "expires", &now));
        claimed
    }

    async fn end_creation(&self, key: &CreationKey, end: CreationEnd) -> Result<()> {
        let row = claim_row(key);
        let write = match end {
            CreationEnd::Done => delete(row),
            CreationEnd::Interrupted => Write::new(
                row,
                Kind::Merge(texts([
                    ("held_until", milliseconds(Timestamp::UNIX_EPOCH)),
                    ("holder", "-".to_owned()),
                ])),
            ),
        };
        // Refused if there is no claim to be ended.
        self.table.write(CLAIMS, vec![write]).await.map(drop)
    }

    async fn join_session(
        &self,
        key: &str,
        attempt: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<SessionTurn> {
        let now = milliseconds(now);
        let lease = texts([
            ("attempt", attempt.to_owned()),
            ("held_until", milliseconds(until)),
            ("expires", milliseconds(until)),
        ]);
        let turn = self.change_session(key, |there| {
            let Some(there) = there else {
                return Ok(Change::Write(
                    Kind::Insert(lease.clone()),
                    SessionTurn::Begin,
                ));
            };
            let of = |name| text(there, name).unwrap_or_default();
            let lanes = lanes(there);
            if *of("session_until") > *now && lanes < SESSION_LANES {
                let session = shared_session(there)?;
                let taken = session_properties(&session, lanes + 1);
                let lane = u16::try_from(lanes).unwrap_or(u16::MAX);
                let joined = SessionTurn::Join { session, lane };
                return Ok(Change::Write(Kind::Replace(taken, etag(there)?), joined));
            }
            Ok(match *of("held_until") > *now {
                // By a request whose answer was lost.
                true if of("attempt") == attempt => Change::Leave(SessionTurn::Begin),
                true => Change::Leave(SessionTurn::Wait),
                false => {
                    let lease = Kind::Replace(lease.clone(), etag(there)?);
                    Change::Write(lease, SessionTurn::Begin)
                }
            })
        });
        let turn = turn.await?;
        // What other credentials left behind; to begin a session is seldom.
        if turn == SessionTurn::Begin {
            self.drop_old(SESSIONS, "expires", &now).await;
        }
        Ok(turn)
    }

    async fn share_session(&self, key: &str, attempt: &str, session: &SharedSession) -> Result<()> {
        let shared = session_properties(session, 1);
        self.change_session(key, |there| {
            let of = |name| there.and_then(|there| text(there, name));
            match there {
                // By a request whose answer was lost.
                Some(_) if of("session_id") == Some(&session.id) => Ok(Change::Leave(())),
                Some(there) if of("attempt") == Some(attempt) => {
                    let shared = Kind::Replace(shared.clone(), etag(there)?);
                    Ok(Change::Write(shared, ()))
                }
                _ => Err(Error::Conflict),
            }
        })
        .await
    }

    async fn end_session(&self, key: &str, end: SessionEnd<'_>) -> Result<bool> {
        self.change_session(key, |there| {
            let of = |name| there.and_then(|there| text(there, name));
            let is_so = match end {
                SessionEnd::Failed(attempt) => of("attempt") == Some(attempt),
                SessionEnd::Over(id) => of("session_id") == Some(id),
                SessionEnd::Alone(id) => {
                    of("session_id") == Some(id) && there.is_some_and(|there| lanes(there) == 1)
                }
            };
            Ok(match there.filter(|_| is_so) {
                None => Change::Leave(false),
                Some(there) => Change::Write(Kind::DeleteIf(etag(there)?), true),
            })
        })
        .await
    }

    async fn guard(&self) -> Result<Versioned<Guard>> {
        let known = self.record(GUARD, REMOVALS).await?;
        Ok(known.unwrap_or(Versioned {
            value: Guard::default(),
            version: 0,
        }))
    }

    async fn put_guard(&self, guard: &Guard, version: u64) -> Result<()> {
        self.put(GUARD, REMOVALS, guard, version, |_| Links::default())
            .await
    }

    async fn heartbeats(&self) -> Result<Heartbeats> {
        let query = Query {
            partition: HEARTBEATS,
            conditions: &[
                ("RowKey", "gt", &start_of(RECORD)),
                ("RowKey", "lt", &end_of(RECORD)),
            ],
            select: None,
            limit: TRANSACTION,
        };
        let found = self.table.query(&query).await?;
        let known = found.iter().map(|there| {
            let name = text(there, "id").unwrap_or_default().to_owned();
            let format = there.get("format").and_then(Value::as_i64);
            (name, gather(there), format)
        });
        Ok(decode_heartbeats(known))
    }

    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> Result<()> {
        let (name, record) = encode_heartbeat(heartbeat)?;
        let mut properties = spread(&record)?;
        properties.insert("id".to_owned(), name.into());
        properties.insert("format".to_owned(), FORMAT.into());
        let write = Write::new(row(RECORD, &[name]), Kind::Put(properties));
        self.table.write(HEARTBEATS, vec![write]).await.map(drop)
    }

    async fn append_audit(&self, entry: &AuditEntry, keep_from: Timestamp) -> Result<()> {
        let place = row(&milliseconds(entry.at), &[&random()?]);
        let mut line = spread(&encode(entry)?)?;
        line.insert("format".to_owned(), FORMAT.into());
        let line = vec![Write::new(place, Kind::Insert(line))];
        let keep_from = milliseconds(keep_from);
        let (written, ()) = tokio::join!(
            self.table.write(AUDIT, line),
            self.drop_old(AUDIT, "RowKey", &keep_from),
        );
        // Its key is random: what refuses it is the line itself, of which the answer was lost.
        written.map(drop)
    }

    async fn audit(
        &self,
        since: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<AuditEntry>, Option<String>)> {
        // A cursor is the row key of the last line, which begins with its moment.
        let since = milliseconds(since);
        let query = Query {
            partition: AUDIT,
            conditions: &[("RowKey", "gt", after.unwrap_or(&since))],
            select: None,
            limit,
        };
        let found = self.table.query(&query).await?;
        let entries = found.iter().map(|there| {
            let format = there.get("format").and_then(Value::as_i64);
            decode_line(&gather(there), format)
        });
        let last = found.last().filter(|_| found.len() == limit);
        let next = last.and_then(|there| text(there, "RowKey"));
        Ok((entries.collect::<Result<_>>()?, next.map(str::to_owned)))
    }
}

/// What becomes of a session's entity, and what is answered then.
enum Change<T> {
    Leave(T),
    Write(Kind, T),
}

impl TableStore {
    /// Reads the session under `key` and does with it what `decide` says; again, after a pause, if
    /// somebody else wrote it meanwhile.
    async fn change_session<T>(
        &self,
        key: &str,
        decide: impl Fn(Option<&Properties>) -> Result<Change<T>> + Send + Sync,
    ) -> Result<T> {
        let row = row(SESSION, &[key]);
        for attempt in 0..SESSION_ATTEMPTS {
            let there = self.table.get(SESSIONS, &row).await?;
            let (kind, answer) = match decide(there.as_ref())? {
                Change::Leave(answer) => return Ok(answer),
                Change::Write(kind, answer) => (kind, answer),
            };
            let write = vec![Write::new(&*row, kind)];
            if let Written::Done = self.table.write(SESSIONS, write).await? {
                return Ok(answer);
            }
            pause(attempt).await;
        }
        Err(Error::Conflict)
    }

    async fn claim(
        &self,
        key: &CreationKey,
        attempt: &str,
        now: &str,
        until: Timestamp,
    ) -> Result<Claim> {
        let row = claim_row(key);
        let holder = random()?;
        let claim = |attempt: &str| {
            texts([
                ("attempt", attempt.to_owned()),
                ("holder", holder.clone()),
                ("held_until", milliseconds(until)),
                ("expires", milliseconds(until + CLAIM_KEPT)),
            ])
        };
        let write = async |kind| {
            self.table
                .write(CLAIMS, vec![Write::new(&*row, kind)])
                .await
        };
        for _ in 0..ATTEMPTS {
            if let Written::Done = write(Kind::Insert(claim(attempt))).await? {
                return Ok(Claim::Ours(attempt.to_owned()));
            }
            let Some(there) = self.table.get(CLAIMS, &row).await? else {
                continue;
            };
            let of = |name| text(&there, name).unwrap_or_default();
            let first = of("attempt").to_owned();
            // Ours, by a request whose answer was lost.
            if of("holder") == holder {
                return Ok(Claim::Ours(first));
            }
            if of("held_until") > now {
                return Ok(Claim::Held);
            }
            let taken_over = Kind::Replace(claim(&first), etag(&there)?);
            if let Written::Done = write(taken_over).await? {
                return Ok(Claim::Ours(first));
            }
        }
        Err(Error::Conflict)
    }
}

impl Record {
    /// `replaces` is the version that must still stand; 0 for none.
    fn new<T: Serialize>(
        partition: &'static str,
        id: &str,
        value: &T,
        replaces: u64,
    ) -> Result<Self> {
        let name = random()?;
        let mut properties = spread(&encode(value)?)?;
        properties.extend([
            ("id".to_owned(), id.into()),
            ("version".to_owned(), (replaces + 1).into()),
            ("format".to_owned(), FORMAT.into()),
            ("name".to_owned(), name.as_str().into()),
        ]);
        Ok(Self {
            partition,
            row: row(RECORD, &[id]),
            properties,
            name,
        })
    }

    fn write<T>(&self, replaced: Option<&Known<T>>) -> Write {
        let properties = self.properties.clone();
        let kind = match replaced {
            None => Kind::Insert(properties),
            Some(known) => Kind::Replace(properties, known.etag.clone()),
        };
        Write::new(self.row.as_str(), kind)
    }
}

fn lanes(there: &Properties) -> u32 {
    let lanes = there.get("lanes").and_then(Value::as_u64);
    lanes
        .and_then(|lanes| u32::try_from(lanes).ok())
        .unwrap_or(SESSION_LANES)
}

fn session_properties(session: &SharedSession, lanes: u32) -> Properties {
    let mut properties = texts([
        ("session_id", session.id.clone()),
        ("sealed", session.sealed.clone()),
        ("session_until", milliseconds(session.until)),
        ("expires", milliseconds(session.until)),
    ]);
    properties.insert("lanes".to_owned(), lanes.into());
    properties
}

fn shared_session(there: &Properties) -> Result<SharedSession> {
    let incomplete = || Error::Corrupt("an incomplete session".to_owned());
    let of = |name| text(there, name).map(str::to_owned).ok_or_else(incomplete);
    let until: i64 = of("session_until")?.parse().map_err(|_| incomplete())?;
    Ok(SharedSession {
        id: of("session_id")?,
        sealed: of("sealed")?,
        until: moment_of(until)?,
    })
}

fn claim_row(key: &CreationKey) -> String {
    row(CLAIM, &[&key.to_text()])
}

fn delete(row: String) -> Write {
    Write::new(row, Kind::Delete)
}

fn links_of_person(id: &str, person: &Person) -> Links {
    let external_id = |external_id: &str| row(EXTERNAL_ID, &[external_id]);
    let email = |email: &str| row(EMAIL, &[email, id]);
    let out_of = |group: &str| row(OUT_OF, &[group, id]);
    let mut links = Links::of_person(person, external_id, email, out_of);
    let removal = person.removal.as_ref();
    let removed = removal.filter(|removal| removal.admitted_at.is_some());
    // First, so that it is always written together with the record.
    let removed = removed.map(|removal| row(REMOVED, &[&milliseconds(removal.since), id]));
    links.plain.splice(0..0, removed);
    links
}

fn links_of_group(group: &ManagedGroup) -> Links {
    let external_id = group.external_id.as_ref();
    Links {
        external_id: external_id.map(|external_id| row(EXTERNAL_ID, &[external_id])),
        plain: Vec::new(),
    }
}

fn texts<const N: usize>(all: [(&str, String); N]) -> Properties {
    let all = all.map(|(name, text)| (name.to_owned(), text.into()));
    Properties::from_iter(all)
}

fn text<'a>(there: &'a Properties, name: &str) -> Option<&'a str> {
    there.get(name)?.as_str()
}

fn etag(there: &Properties) -> Result<String> {
    let etag = text(there, "odata.etag").map(str::to_owned);
    etag.ok_or_else(|| Error::Corrupt("an entity without its ETag".to_owned()))
}

fn record_of<T: DeserializeOwned>(there: &Properties) -> Result<Versioned<T>> {
    let number = |name| there.get(name).and_then(Value::as_i64);
    let decoded = decode(Some(&gather(there)), number("version"), number("format"));
    let key = |name| text(there, name).unwrap_or_default();
    decoded.map_err(|error| error.at(&format!("{} {}", key("PartitionKey"), key("RowKey"))))
}

/// The name of a record's part.
fn part(number: usize) -> String {
    match number {
        0 => "record".to_owned(),
        number => format!("record{number}"),
    }
}

/// A record's JSON as properties, each as long as one may be.
fn spread(json: &str) -> Result<Properties> {
    let mut properties = Properties::new();
    let (mut rest, mut number) = (json, 0);
    while !rest.is_empty() {
        let mut units = 0;
        let end = rest.char_indices().find(|(_, character)| {
            units += character.len_utf16();
            units > PART
        });
        let (head, tail) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
        properties.insert(part(number), head.into());
        (rest, number) = (tail, number + 1);
    }
    match number {
        0..=PARTS => Ok(properties),
        _ => Err(Error::Unavailable(format!(
            "a record of {} characters does not fit into an entity of the table: it holds {}",
            json.chars().count(),
            PARTS * PART,
        ))),
    }
}

/// The opposite of [`spread`].
fn gather(there: &Properties) -> String {
    let parts = (0..PARTS).map_while(|number| text(there, &part(number)));
    parts.collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_long_record_is_spread_over_properties() {
        for (json, parts) in [
            ("a".to_owned(), 1),
            ("a".repeat(PART), 1),
            ("a".repeat(PART + 1), 2),
            ("\u{f6}".repeat(PART), 1),
            // Two code units each, of which a property holds both or none.
            (format!("a{}", "\u{1f469}".repeat(PART / 2)), 2),
            ("a".repeat(PART * PARTS), PARTS),
        ] {
            let properties = spread(&json).unwrap();
            assert_eq!(properties.len(), parts);
            let units = |text: &Value| text.as_str().unwrap().encode_utf16().count();
            assert!(properties.values().all(|text| units(text) <= PART));
            assert_eq!(gather(&properties), json);
        }
        let error = spread(&"a".repeat(PART * PARTS + 1)).unwrap_err();
        assert!(error.to_string().contains("it holds 491520"), "{error}");
    }
}
