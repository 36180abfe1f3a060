//! The store of a bridge on AWS: one DynamoDB table, shared by all functions.
//!
//! Records are JSON; what they are looked up by stands in attributes or in items of its own, which
//! are written in the same transaction. `docs/state.md` lists the items. What a request of ours did
//! although its answer was lost is recognised by the name that it left in the item.

mod table;

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    AuditEntry, Claim, Confirmation, ConfirmationStatus, CreationEnd, CreationKey, Error, Guard,
    Heartbeat, Heartbeats, ManagedGroup, Person, Result, SESSION_LANES, SessionEnd, SessionTurn,
    SharedSession, StateStore, Timestamp, Versioned,
    records::{
        ATTEMPTS, BY_EMAIL, CLAIM_KEPT, FORMAT, HEARTBEATS, TRANSACTION, decode_heartbeats,
        decode_line, digest, encode, encode_heartbeat, fit, milliseconds, milliseconds_of,
        moment_of, random,
    },
};
use table::{Condition, Item, Key, Range, Table, Written, get_number, get_text, number, text};

pub use table::{NotATable, TableArn};

/// The partition of the managed groups' ids.
const MANAGED: &str = "MANAGED";

/// The partition of the audit.
const AUDIT: &str = "AUDIT";

/// What the index `work` holds: confirmations that are not over, and people who were removed.
const OPEN: &str = "OPEN";
const REMOVED: &str = "REMOVED";

/// The items by which a record is found.
type Links = super::records::Links<Key>;

/// A [`StateStore`] in one DynamoDB table.
pub struct DynamoStore {
    table: Table,
}

/// The kinds of versioned records.
#[derive(Clone, Copy)]
enum Kind {
    Person,
    ManagedGroup,
    Confirmation,
    Guard,
}

impl Kind {
    fn key(self, id: &str) -> Key {
        let kind = match self {
            Self::Person => "PERSON",
            Self::ManagedGroup => "GROUP",
            Self::Confirmation => "CONFIRMATION",
            Self::Guard => "GUARD",
        };
        Key::new(partition(kind, id), "-")
    }

    /// The item that says whose this external id is.
    fn external_id(self, external_id: &str) -> Key {
        let kind = match self {
            Self::ManagedGroup => "GROUP",
            _ => "PERSON",
        };
        Key::new(partition(&format!("{kind}-EXTERNAL-ID"), external_id), "-")
    }
}

impl DynamoStore {
    /// A store in this table, spoken to with `http` as whoever the environment says; `lookup` is
    /// given a variable's name. Asks nobody before it is used.
    pub fn new(
        arn: TableArn,
        http: reqwest::Client,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Self {
        Self {
            table: Table::new(arn, http, lookup),
        }
    }

    async fn record<T: DeserializeOwned>(
        &self,
        kind: Kind,
        id: &str,
    ) -> Result<Option<Versioned<T>>> {
        let item = self.table.get(&kind.key(id)).await?;
        item.as_ref().map(decode).transpose()
    }

    async fn records<T: DeserializeOwned>(
        &self,
        kind: Kind,
        ids: &[&str],
    ) -> Result<Vec<Option<Versioned<T>>>> {
        let keys: Vec<Key> = ids.iter().map(|id| kind.key(id)).collect();
        let items = self.table.get_all(&keys).await?;
        let place = |key| items.get(key).map(decode).transpose();
        keys.iter().map(place).collect()
    }

    async fn owner(&self, key: &Key) -> Result<Option<String>> {
        let item = self.table.get(key).await?;
        Ok(item.and_then(|item| get_text(&item, "owner").map(str::to_owned)))
    }

    /// Writes a record that nothing else is looked up by.
    async fn put_alone(&self, new: &Record) -> Result<()> {
        match self.table.put(new.item(), Some(&new.condition())).await? {
            Written::Done(_) => Ok(()),
            Written::Refused(there) if new.is(&there) => Ok(()),
            Written::Refused(_) => Err(Error::Conflict),
        }
    }

    /// Writes a record together with the items by which it is found: `before` and `after` are
    /// those of the record that is there and of the new one.
    async fn put_with(&self, new: &Record, before: Links, after: Links) -> Result<()> {
        let (mut gone, mut come) = (before.without(&after), after.without(&before));
        let none = |links: &Links| links.external_id.is_none() && links.plain.is_empty();
        if none(&gone) && none(&come) {
            return self.put_alone(new).await;
        }
        let (early, late) = fit(&mut come, &mut gone);
        for key in &early {
            self.table.put(key.item(), None).await?;
        }

        let id = new.id.as_str();
        let table = self.table.name();
        let mut writes = vec![put(table, new.item(), Some(&new.condition()))?];
        if let Some(key) = &come.external_id {
            let mut item = key.item();
            item.insert("owner".to_owned(), text(id));
            let free = Condition::new("attribute_not_exists(pk) OR #owner = :id");
            writes.push(put(table, item, Some(&free.with(":id", text(id))))?);
        }
        if let Some(key) = &gone.external_id {
            let own = Condition::new("attribute_not_exists(pk) OR #owner = :id");
            writes.push(delete(table, key, Some(&own.with(":id", text(id))))?);
        }
        for key in &come.plain {
            writes.push(put(table, key.item(), None)?);
        }
        for key in &gone.plain {
            writes.push(delete(table, key, None)?);
        }
        match self.table.transact(writes).await? {
            None => {}
            Some(0) => {
                let there = self.table.get(&new.key).await?.unwrap_or_default();
                if !new.is(&there) {
                    return Err(Error::Conflict);
                }
            }
            Some(_) => return Err(Error::ExternalIdTaken),
        }
        for key in &late {
            self.table.delete(key).await?;
        }
        Ok(())
    }

    /// Removes a record together with the items by which it is found.
    async fn remove_with<T: DeserializeOwned>(
        &self,
        kind: Kind,
        id: &str,
        links: impl Fn(&T) -> Links,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let Some(known) = self.record::<T>(kind, id).await? else {
                return Ok(());
            };
            let mut links = links(&known.value);
            let late = links
                .plain
                .split_off((TRANSACTION - 2).min(links.plain.len()));
            let table = self.table.name();
            let same = Condition::new("attribute_not_exists(pk) OR version = :version")
                .with(":version", number(known.version));
            let mut writes = vec![delete(table, &kind.key(id), Some(&same))?];
            if let Some(key) = &links.external_id {
                let own = Condition::new("attribute_not_exists(pk) OR #owner = :id");
                writes.push(delete(table, key, Some(&own.with(":id", text(id))))?);
            }
            for key in &links.plain {
                writes.push(delete(table, key, None)?);
            }
            // Before the record: nobody would look for them after it.
            for key in &late {
                self.table.delete(key).await?;
            }
            if self.table.transact(writes).await?.is_none() {
                return Ok(());
            }
        }
        Err(Error::Conflict)
    }

    /// The ids under the keys that the index `work` holds for `what`.
    async fn work(
        &self,
        what: &str,
        after: Option<&str>,
        until: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>> {
        let range = Range {
            partition: what,
            after,
            until,
            limit,
            in_work: true,
        };
        let items = self.table.query(&range).await?;
        let id = |item: &Item| Some(get_text(item, "pk")?.split_once('#')?.1.to_owned());
        Ok(items.iter().filter_map(id).collect())
    }

    /// The sort keys of a partition.
    async fn sort_keys(
        &self,
        partition: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>> {
        let range = Range {
            partition,
            after,
            until: None,
            limit,
            in_work: false,
        };
        let items = self.table.query(&range).await?;
        let sort = |item: &Item| Some(get_text(item, "sk")?.to_owned());
        Ok(items.iter().filter_map(sort).collect())
    }
}

#[async_trait]
impl StateStore for DynamoStore {
    async fn person(&self, id: &str) -> Result<Option<Versioned<Person>>> {
        self.record(Kind::Person, id).await
    }

    async fn people(&self, ids: &[&str]) -> Result<Vec<Option<Versioned<Person>>>> {
        self.records(Kind::Person, ids).await
    }

    async fn person_by_external_id(&self, external_id: &str) -> Result<Option<String>> {
        self.owner(&Kind::Person.external_id(external_id)).await
    }

    async fn people_by_email(&self, email: &str) -> Result<Vec<String>> {
        let partition = by_email(&email.to_lowercase());
        self.sort_keys(&partition, None, BY_EMAIL).await
    }

    async fn put_person(&self, id: &str, person: &Person, version: u64) -> Result<()> {
        let mut record = Record::new(Kind::Person, id, person, version)?;
        let removal = person.removal.as_ref();
        if let Some(removal) = removal.filter(|removal| removal.admitted_at.is_some()) {
            let place = format!("{}#{id}", milliseconds(removal.since));
            record.work = Some((REMOVED, place));
        }
        let before = match version {
            0 => Links::default(),
            _ => match self.record::<Person>(Kind::Person, id).await? {
                Some(known) if known.version == version => links_of_person(id, &known.value),
                _ => return Err(Error::Conflict),
            },
        };
        self.put_with(&record, before, links_of_person(id, person))
            .await
    }

    async fn remove_person(&self, id: &str) -> Result<()> {
        self.remove_with(Kind::Person, id, |person| links_of_person(id, person))
            .await
    }

    async fn people_out_of(
        &self,
        group: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>> {
        self.sort_keys(&out_of(group), after, limit).await
    }

    async fn people_removed(&self, until: Timestamp, limit: usize) -> Result<Vec<String>> {
        // Whoever was removed in this very millisecond comes before any '~'.
        let until = format!("{}#~", milliseconds(until));
        self.work(REMOVED, None, Some(&until), limit).await
    }

    async fn managed_group(&self, id: &str) -> Result<Option<Versioned<ManagedGroup>>> {
        self.record(Kind::ManagedGroup, id).await
    }

    async fn managed_groups_by_id(
        &self,
        ids: &[&str],
    ) -> Result<Vec<Option<Versioned<ManagedGroup>>>> {
        self.records(Kind::ManagedGroup, ids).await
    }

    async fn managed_group_by_external_id(&self, external_id: &str) -> Result<Option<String>> {
        self.owner(&Kind::ManagedGroup.external_id(external_id))
            .await
    }

    async fn managed_groups(&self, offset: u64, limit: usize) -> Result<(Vec<String>, u64)> {
        // An id is all that is read of a group: 10,000 of them are one request.
        let ids = self.sort_keys(MANAGED, None, usize::MAX).await?;
        let total = ids.len() as u64;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        Ok((ids.into_iter().skip(offset).take(limit).collect(), total))
    }

    async fn put_managed_group(&self, id: &str, group: &ManagedGroup, version: u64) -> Result<()> {
        let record = Record::new(Kind::ManagedGroup, id, group, version)?;
        let before = match version {
            0 => Links::default(),
            _ => match self.record::<ManagedGroup>(Kind::ManagedGroup, id).await? {
                Some(known) if known.version == version => links_of_group(id, &known.value),
                _ => return Err(Error::Conflict),
            },
        };
        self.put_with(&record, before, links_of_group(id, group))
            .await
    }

    async fn remove_managed_group(&self, id: &str) -> Result<()> {
        self.remove_with(Kind::ManagedGroup, id, |group| links_of_group(id, group))
            .await
    }

    async fn confirmation(&self, id: &str) -> Result<Option<Versioned<Confirmation>>> {
        self.record(Kind::Confirmation, id).await
    }

    async fn confirmations(&self, ids: &[&str]) -> Result<Vec<Option<Versioned<Confirmation>>>> {
        self.records(Kind::Confirmation, ids).await
    }

    async fn open_confirmations(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Versioned<Confirmation>)>> {
        let mut after = after.map(str::to_owned);
        let mut found = Vec::new();
        // The index may still show what is over by now: a page is full all the same.
        loop {
            let wanted = limit - found.len();
            let ids = self.work(OPEN, after.as_deref(), None, wanted).await?;
            let Some(last) = ids.last().cloned() else {
                return Ok(found);
            };
            let texts: Vec<&str> = ids.iter().map(String::as_str).collect();
            let records = self.confirmations(&texts).await?;
            let read = ids.len();
            found.extend(ids.into_iter().zip(records).filter_map(|(id, record)| {
                let record = record?;
                (record.value.status != ConfirmationStatus::Over).then_some((id, record))
            }));
            if read < wanted || found.len() == limit {
                return Ok(found);
            }
            after = Some(last);
        }
    }

    async fn put_confirmation(
        &self,
        id: &str,
        confirmation: &Confirmation,
        version: u64,
    ) -> Result<()> {
        let mut record = Record::new(Kind::Confirmation, id, confirmation, version)?;
        if confirmation.status != ConfirmationStatus::Over {
            record.work = Some((OPEN, id.to_owned()));
        }
        self.put_alone(&record).await
    }

    async fn claim_creation(
        &self,
        key: &CreationKey,
        attempt: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Claim> {
        let holder = random()?;
        let claimed = self
            .table
            .update(
                &claim(key),
                "SET attempt = if_not_exists(attempt, :attempt), holder = :holder, \
                 held_until = :until, expires = :expires",
                &Condition::new("attribute_not_exists(pk) OR held_until <= :now")
                    .with(":attempt", text(attempt))
                    .with(":holder", text(&holder))
                    .with(":now", number(milliseconds_of(now)))
                    .with(":until", number(milliseconds_of(until)))
                    .with(":expires", number((until + CLAIM_KEPT).unix_timestamp())),
            )
            .await?;
        let ours = |item: &Item| {
            let attempt = get_text(item, "attempt").map(str::to_owned);
            attempt.ok_or_else(|| Error::Corrupt("a claim without its attempt".to_owned()))
        };
        match claimed {
            Written::Done(item) => Ok(Claim::Ours(ours(&item)?)),
            // Ours, by a request whose answer was lost.
            Written::Refused(item) if get_text(&item, "holder") == Some(&holder) => {
                Ok(Claim::Ours(ours(&item)?))
            }
            Written::Refused(_) => Ok(Claim::Held),
        }
    }

    async fn end_creation(&self, key: &CreationKey, end: CreationEnd) -> Result<()> {
        match end {
            CreationEnd::Done => self.table.delete(&claim(key)).await,
            CreationEnd::Interrupted => {
                let free = Condition::new("attribute_exists(pk)")
                    .with(":zero", number(0))
                    .with(":nobody", text("-"));
                let update = "SET held_until = :zero, holder = :nobody";
                self.table
                    .update(&claim(key), update, &free)
                    .await
                    .map(drop)
            }
        }
    }

    async fn join_session(
        &self,
        key: &str,
        attempt: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<SessionTurn> {
        let (key, now) = (session(key), milliseconds_of(now));
        let is_there = Condition::new("session_until > :now AND lanes < :lanes")
            .with(":now", number(now))
            .with(":lanes", number(SESSION_LANES))
            .with(":one", number(1));
        let there = match self.table.update(&key, "ADD lanes :one", &is_there).await? {
            Written::Done(item) => return joined(&item),
            Written::Refused(there) => there,
        };
        let held_until = get_number(&there, "held_until");
        if held_until.is_some_and(|until| i128::from(until) > now) {
            return Ok(SessionTurn::Wait);
        }
        let is_none = Condition::new(
            "(attribute_not_exists(held_until) OR held_until <= :now) AND \
             (attribute_not_exists(session_until) OR session_until <= :now OR lanes >= :lanes)",
        );
        let begun = self
            .table
            .update(
                &key,
                "SET attempt = :attempt, held_until = :until, expires = :expires \
                 REMOVE session_id, sealed, session_until, lanes",
                &is_none
                    .with(":now", number(now))
                    .with(":lanes", number(SESSION_LANES))
                    .with(":attempt", text(attempt))
                    .with(":until", number(milliseconds_of(until)))
                    .with(":expires", number(until.unix_timestamp())),
            )
            .await?;
        Ok(match begun {
            Written::Done(_) => SessionTurn::Begin,
            // Ours, by a request whose answer was lost.
            Written::Refused(there) if get_text(&there, "attempt") == Some(attempt) => {
                SessionTurn::Begin
            }
            Written::Refused(_) => SessionTurn::Wait,
        })
    }

    async fn share_session(&self, key: &str, attempt: &str, session: &SharedSession) -> Result<()> {
        let shared = self
            .table
            .update(
                &self::session(key),
                "SET session_id = :id, sealed = :sealed, session_until = :until, lanes = :one, \
                 expires = :expires REMOVE attempt, held_until",
                &Condition::new("attempt = :attempt")
                    .with(":attempt", text(attempt))
                    .with(":id", text(&session.id))
                    .with(":sealed", text(&session.sealed))
                    .with(":until", number(milliseconds_of(session.until)))
                    .with(":one", number(1))
                    .with(":expires", number(session.until.unix_timestamp())),
            )
            .await?;
        match shared {
            Written::Done(_) => Ok(()),
            // By a request whose answer was lost.
            Written::Refused(there) if get_text(&there, "session_id") == Some(&session.id) => {
                Ok(())
            }
            Written::Refused(_) => Err(Error::Conflict),
        }
    }

    async fn end_session(&self, key: &str, end: SessionEnd<'_>) -> Result<bool> {
        let is_so = match end {
            SessionEnd::Failed(attempt) => {
                Condition::new("attempt = :attempt").with(":attempt", text(attempt))
            }
            SessionEnd::Over(id) => Condition::new("session_id = :id").with(":id", text(id)),
            SessionEnd::Alone(id) => Condition::new("session_id = :id AND lanes = :one")
                .with(":id", text(id))
                .with(":one", number(1)),
        };
        self.table.delete_if(&session(key), &is_so).await
    }

    async fn guard(&self) -> Result<Versioned<Guard>> {
        let known = self.record(Kind::Guard, "removals").await?;
        Ok(known.unwrap_or(Versioned {
            value: Guard::default(),
            version: 0,
        }))
    }

    async fn put_guard(&self, guard: &Guard, version: u64) -> Result<()> {
        let record = Record::new(Kind::Guard, "removals", guard, version)?;
        // Two that count one more each write the same text: only a name tells them apart.
        match self
            .table
            .put(record.item(), Some(&record.condition()))
            .await?
        {
            Written::Done(_) => Ok(()),
            Written::Refused(_) => Err(Error::Conflict),
        }
    }

    async fn heartbeats(&self) -> Result<Heartbeats> {
        let keys = HEARTBEATS.map(heartbeat_of);
        let items = self.table.get_all(&keys).await?;
        let known = HEARTBEATS.iter().zip(&keys).filter_map(|(name, key)| {
            let item = items.get(key)?;
            let record = get_text(item, "record").unwrap_or_default();
            Some((*name, record, get_number(item, "format")))
        });
        Ok(decode_heartbeats(known))
    }

    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> Result<()> {
        let (name, record) = encode_heartbeat(heartbeat)?;
        let mut item = heartbeat_of(name).item();
        item.insert("record".to_owned(), text(&record));
        item.insert("format".to_owned(), number(FORMAT));
        self.table.put(item, None).await.map(drop)
    }

    async fn append_audit(&self, entry: &AuditEntry, keep_from: Timestamp) -> Result<()> {
        let place = format!("{}#{}", milliseconds(entry.at), random()?);
        let mut item = Key::new(AUDIT, place).item();
        item.insert("record".to_owned(), text(&encode(entry)?));
        item.insert("format".to_owned(), number(FORMAT));
        // The table drops it by itself when it is as old as what is dropped now.
        let expires = entry.at + (entry.at - keep_from);
        item.insert("expires".to_owned(), number(expires.unix_timestamp()));
        self.table.put(item, None).await.map(drop)
    }

    async fn audit(
        &self,
        since: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<AuditEntry>, Option<String>)> {
        // A cursor is the sort key of the last line, which begins with its moment.
        let since = milliseconds(since);
        let range = Range {
            partition: AUDIT,
            after: Some(after.unwrap_or(&since)),
            until: None,
            limit,
            in_work: false,
        };
        let items = self.table.query(&range).await?;
        let entries = items.iter().map(|item| {
            let record = get_text(item, "record").unwrap_or_default();
            decode_line(record, get_number(item, "format"))
        });
        let last = items.last().filter(|_| items.len() == limit);
        let next = last
            .and_then(|item| get_text(item, "sk"))
            .map(str::to_owned);
        Ok((entries.collect::<Result<_>>()?, next))
    }
}

/// A record that is to be written.
struct Record {
    key: Key,
    id: String,
    json: String,
    /// Names this write, so that it is recognised if its answer is lost.
    name: String,
    /// The version that must still stand; 0 for none.
    replaces: u64,
    /// Its entry in the index `work`.
    work: Option<(&'static str, String)>,
}

impl Record {
    fn new<T: Serialize>(kind: Kind, id: &str, value: &T, replaces: u64) -> Result<Self> {
        Ok(Self {
            key: kind.key(id),
            id: id.to_owned(),
            json: encode(value)?,
            name: random()?,
            replaces,
            work: None,
        })
    }

    fn item(&self) -> Item {
        let mut item = self.key.item();
        item.insert("record".to_owned(), text(&self.json));
        item.insert("version".to_owned(), number(self.replaces + 1));
        item.insert("format".to_owned(), number(FORMAT));
        item.insert("name".to_owned(), text(&self.name));
        if let Some((what, place)) = &self.work {
            item.insert("work".to_owned(), text(what));
            item.insert("place".to_owned(), text(place));
        }
        item
    }

    fn condition(&self) -> Condition {
        match self.replaces {
            0 => Condition::new("attribute_not_exists(pk)"),
            version => Condition::new("version = :version").with(":version", number(version)),
        }
    }

    /// Whether this is what stands there already: a request whose answer was lost wrote it.
    fn is(&self, there: &Item) -> bool {
        get_text(there, "name") == Some(&self.name)
    }
}

fn links_of_person(id: &str, person: &Person) -> Links {
    let external_id = |external_id: &str| Kind::Person.external_id(external_id);
    let email = |email: &str| Key::new(by_email(email), id);
    let group = |group: &str| Key::new(out_of(group), id);
    Links::of_person(person, external_id, email, group)
}

fn links_of_group(id: &str, group: &ManagedGroup) -> Links {
    let external_id = group.external_id.as_ref();
    Links {
        external_id: external_id.map(|external_id| Kind::ManagedGroup.external_id(external_id)),
        plain: vec![Key::new(MANAGED, id)],
    }
}

/// A partition key; a service's limit is 2048 bytes, a provider's text may be longer.
fn partition(kind: &str, name: &str) -> String {
    match name.len() {
        0..=1024 => format!("{kind}#{name}"),
        _ => format!("{kind}#sha256#{}", digest(name)),
    }
}

fn by_email(email: &str) -> String {
    partition("EMAIL", email)
}

fn out_of(group: &str) -> String {
    partition("OUT-OF", group)
}

fn heartbeat_of(name: &str) -> Key {
    Key::new(partition("HEARTBEAT", name), "-")
}

fn session(key: &str) -> Key {
    Key::new(partition("SESSION", key), "-")
}

/// What somebody got who has taken a lane.
fn joined(item: &Item) -> Result<SessionTurn> {
    let incomplete = || Error::Corrupt("an incomplete session".to_owned());
    let text = |name| {
        get_text(item, name)
            .map(str::to_owned)
            .ok_or_else(incomplete)
    };
    let number = |name| get_number(item, name).ok_or_else(incomplete);
    let lane = u16::try_from(number("lanes")? - 1).map_err(|_| incomplete())?;
    let session = SharedSession {
        id: text("session_id")?,
        sealed: text("sealed")?,
        until: moment_of(number("session_until")?)?,
    };
    Ok(SessionTurn::Join { session, lane })
}

fn claim(key: &CreationKey) -> Key {
    Key::new(partition("CLAIM", &key.to_text()), "-")
}

fn decode<T: DeserializeOwned>(item: &Item) -> Result<Versioned<T>> {
    let decoded = super::records::decode(
        get_text(item, "record"),
        get_number(item, "version"),
        get_number(item, "format"),
    );
    decoded.map_err(|error| error.at(get_text(item, "pk").unwrap_or_default()))
}

fn put(table: &str, item: Item, condition: Option<&Condition>) -> Result<TransactWriteItem> {
    let put = Put::builder()
        .table_name(table)
        .set_item(Some(item))
        .set_condition_expression(condition.map(|one| one.expression.to_owned()))
        .set_expression_attribute_names(names(condition))
        .set_expression_attribute_values(condition.and_then(Condition::values))
        .build()
        .map_err(|error| Error::Unavailable(error.to_string()))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

fn delete(table: &str, key: &Key, condition: Option<&Condition>) -> Result<TransactWriteItem> {
    let delete = Delete::builder()
        .table_name(table)
        .set_key(Some(key.item()))
        .set_condition_expression(condition.map(|one| one.expression.to_owned()))
        .set_expression_attribute_names(names(condition))
        .set_expression_attribute_values(condition.and_then(Condition::values))
        .build()
        .map_err(|error| Error::Unavailable(error.to_string()))?;
    Ok(TransactWriteItem::builder().delete(delete).build())
}

/// `owner` is a reserved word.
fn names(condition: Option<&Condition>) -> Option<HashMap<String, String>> {
    let named = condition.is_some_and(|condition| condition.expression.contains("#owner"));
    named.then(|| HashMap::from([("#owner".to_owned(), "owner".to_owned())]))
}
