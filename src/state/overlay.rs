//! A store that remembers without writing: what a bridge that only observes works on.
//!
//! What is written stays in memory, over a store that is only read. Three things go through: the
//! audit, which is there to say what would have been done; heartbeats, and the account session that
//! bridges share, as they are true of a bridge that observes as of any other. Memory grows with the
//! number of records that were written, and is gone with the process.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use super::{
    AuditEntry, Claim, Confirmation, ConfirmationStatus, CreationEnd, CreationKey, Error, Guard,
    Heartbeat, Heartbeats, ManagedGroup, Person, Result, SessionEnd, SessionTurn, SharedSession,
    StateStore, Timestamp, Versioned,
};

/// How many people [`StateStore::people_by_email`] finds at most.
const MOST_BY_EMAIL: usize = 100;

/// A [`StateStore`] over another one, which stays as it is.
pub struct Overlay {
    inner: Arc<dyn StateStore>,
    written: Mutex<Written>,
}

/// What was written.
#[derive(Default)]
struct Written {
    people: Layer<Person>,
    groups: Layer<ManagedGroup>,
    confirmations: Layer<Confirmation>,
    guard: Option<OwnGuard>,
    /// By key: the attempt, and until when it holds.
    claims: HashMap<String, (String, Timestamp)>,
}

/// The guard as it was written here.
struct OwnGuard {
    /// The version beneath it then.
    over: u64,
    guard: Versioned<Guard>,
}

/// The records of one kind that were written or removed, by id.
struct Layer<T>(BTreeMap<String, Record<T>>);

struct Record<T> {
    /// `None`: it was removed.
    now: Option<Versioned<T>>,
    /// Whether the inner store has one under this id, which does not count any more.
    hides: bool,
}

impl<T> Default for Layer<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Clone> Layer<T> {
    /// The record, given what the inner store has under this id.
    fn over(&self, id: &str, inner: Option<Versioned<T>>) -> Option<Versioned<T>> {
        match self.0.get(id) {
            Some(record) => record.now.clone(),
            None => inner,
        }
    }

    /// The same for a page.
    fn all_over(
        &self,
        ids: &[&str],
        inner: Vec<Option<Versioned<T>>>,
    ) -> Vec<Option<Versioned<T>>> {
        let page = ids.iter().zip(inner);
        page.map(|(id, inner)| self.over(id, inner)).collect()
    }

    /// The records that were written and are there.
    fn present(&self) -> impl Iterator<Item = (&String, &Versioned<T>)> {
        let records = self.0.iter();
        records.filter_map(|(id, record)| Some((id, record.now.as_ref()?)))
    }

    /// The ids of the inner store's records that do not count any more.
    fn hidden(&self) -> impl Iterator<Item = &String> {
        let records = self.0.iter();
        records.filter(|(_, record)| record.hides).map(|(id, _)| id)
    }

    /// Which record this is true of: one that was written or, if it still counts, what the inner
    /// store found.
    fn find(&self, is_it: impl Fn(&T) -> bool, inner: Option<String>) -> Option<String> {
        let mut written = self.present();
        let own = written.find(|(_, record)| is_it(&record.value));
        let own = own.map(|(id, _)| id.clone());
        own.or_else(|| inner.filter(|id| !self.0.contains_key(id)))
    }

    /// Writes a record if `version` is the one that stands, given what the inner store has.
    fn put(
        &mut self,
        id: &str,
        value: &T,
        version: u64,
        inner: Option<Versioned<T>>,
        is_allowed: impl FnOnce(&Self) -> Result<()>,
    ) -> Result<()> {
        let hides = self.0.get(id).map_or(inner.is_some(), |old| old.hides);
        if self.over(id, inner).map_or(0, |now| now.version) != version {
            return Err(Error::Conflict);
        }
        is_allowed(self)?;
        let now = Some(Versioned {
            value: value.clone(),
            version: version + 1,
        });
        self.0.insert(id.to_owned(), Record { now, hides });
        Ok(())
    }

    fn remove(&mut self, id: &str, inner: Option<Versioned<T>>) {
        let hides = self.0.get(id).map_or(inner.is_some(), |old| old.hides);
        if hides {
            self.0.insert(id.to_owned(), Record { now: None, hides });
        } else {
            self.0.remove(id);
        }
    }
}

/// The external id is nobody's, or this one's own.
fn free_for(id: &str, holder: Option<String>) -> Result<()> {
    match holder.is_none_or(|holder| holder == id) {
        true => Ok(()),
        false => Err(Error::ExternalIdTaken),
    }
}

impl Overlay {
    /// Over this store.
    pub fn new(inner: Arc<dyn StateStore>) -> Self {
        Self {
            inner,
            written: Mutex::default(),
        }
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl StateStore for Overlay {
    async fn person(&self, id: &str) -> Result<Option<Versioned<Person>>> {
        let inner = self.inner.person(id).await?;
        Ok(self.written().people.over(id, inner))
    }

    async fn people(&self, ids: &[&str]) -> Result<Vec<Option<Versioned<Person>>>> {
        let inner = self.inner.people(ids).await?;
        Ok(self.written().people.all_over(ids, inner))
    }

    async fn person_by_external_id(&self, external_id: &str) -> Result<Option<String>> {
        let inner = self.inner.person_by_external_id(external_id).await?;
        let is_it = |person: &Person| person.external_id.as_deref() == Some(external_id);
        Ok(self.written().people.find(is_it, inner))
    }

    async fn people_by_email(&self, email: &str) -> Result<Vec<String>> {
        let mut ids = self.inner.people_by_email(email).await?;
        let email = email.to_lowercase();
        let has_it = |person: &Person| {
            let mut emails = person.emails.iter();
            emails.any(|known| known.value.to_lowercase() == email)
        };
        let written = self.written();
        ids.retain(|id| !written.people.0.contains_key(id));
        let own = written.people.present();
        let own = own.filter(|(_, person)| has_it(&person.value));
        ids.extend(own.map(|(id, _)| id.clone()));
        ids.truncate(MOST_BY_EMAIL);
        Ok(ids)
    }

    async fn put_person(&self, id: &str, person: &Person, version: u64) -> Result<()> {
        let inner = self.inner.person(id).await?;
        let wanted = person.external_id.as_deref();
        let holder = match wanted {
            Some(external_id) => self.inner.person_by_external_id(external_id).await?,
            None => None,
        };
        let is_allowed = |people: &Layer<Person>| match wanted {
            None => Ok(()),
            Some(_) => {
                let has_it = |other: &Person| other.external_id.as_deref() == wanted;
                free_for(id, people.find(has_it, holder))
            }
        };
        let mut written = self.written();
        written.people.put(id, person, version, inner, is_allowed)
    }

    async fn remove_person(&self, id: &str) -> Result<()> {
        let inner = self.inner.person(id).await?;
        self.written().people.remove(id, inner);
        Ok(())
    }

    async fn people_out_of(
        &self,
        group: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>> {
        let hidden = self.written().people.hidden().count();
        let limit_beneath = limit.saturating_add(hidden);
        let beneath = self.inner.people_out_of(group, after, limit_beneath);
        let mut ids = beneath.await?;
        let written = self.written();
        ids.retain(|id| !written.people.0.contains_key(id));
        let own = written.people.present().filter(|(id, person)| {
            let removal = person.value.removal.as_ref();
            after.is_none_or(|after| id.as_str() > after)
                && removal.is_some_and(|removal| removal.groups.iter().any(|id| id == group))
        });
        ids.extend(own.map(|(id, _)| id.clone()));
        ids.sort_unstable();
        ids.truncate(limit);
        Ok(ids)
    }

    /// Asks the inner store twice: where its people come among ours, it says only with their
    /// records.
    async fn people_removed(&self, until: Timestamp, limit: usize) -> Result<Vec<String>> {
        let hidden = self.written().people.hidden().count();
        let limit_beneath = limit.saturating_add(hidden);
        let ids = self.inner.people_removed(until, limit_beneath).await?;
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let records = self.inner.people(&ids).await?;
        let written = self.written();
        let since = |person: &Versioned<Person>| {
            let removal = person.value.removal.as_ref()?;
            removal.admitted_at.map(|_| removal.since)
        };
        let beneath = ids.iter().zip(&records).filter_map(|(id, record)| {
            let counts = !written.people.0.contains_key(*id);
            Some((
                since(record.as_ref().filter(|_| counts)?)?,
                (*id).to_owned(),
            ))
        });
        let own = written.people.present().filter_map(|(id, person)| {
            Some((since(person).filter(|since| *since <= until)?, id.clone()))
        });
        let mut removed: Vec<(Timestamp, String)> = beneath.chain(own).collect();
        removed.sort_unstable();
        removed.truncate(limit);
        Ok(removed.into_iter().map(|(_, id)| id).collect())
    }

    async fn managed_group(&self, id: &str) -> Result<Option<Versioned<ManagedGroup>>> {
        let inner = self.inner.managed_group(id).await?;
        Ok(self.written().groups.over(id, inner))
    }

    async fn managed_groups_by_id(
        &self,
        ids: &[&str],
    ) -> Result<Vec<Option<Versioned<ManagedGroup>>>> {
        let inner = self.inner.managed_groups_by_id(ids).await?;
        Ok(self.written().groups.all_over(ids, inner))
    }

    async fn managed_group_by_external_id(&self, external_id: &str) -> Result<Option<String>> {
        let inner = self.inner.managed_group_by_external_id(external_id).await?;
        let is_it = |group: &ManagedGroup| group.external_id.as_deref() == Some(external_id);
        Ok(self.written().groups.find(is_it, inner))
    }

    /// Our rows stand among those of the inner store, and push them on; those that do not count
    /// any more let others come up. So a row can be as many places away from where the inner store
    /// has it, and that much more of it is read.
    async fn managed_groups(&self, offset: u64, limit: usize) -> Result<(Vec<String>, u64)> {
        let (own, hidden) = {
            let groups = &self.written().groups;
            (groups.present().count(), groups.hidden().count())
        };
        let first = offset.saturating_sub(own as u64);
        let reach = match limit {
            0 => 0,
            _ => limit.saturating_add(own).saturating_add(hidden),
        };
        let (rows, total) = self.inner.managed_groups(first, reach).await?;
        let written = self.written();
        let groups = &written.groups;
        let total = (total + own as u64).saturating_sub(hidden as u64);
        // Whose place is before that of the first row that was read stands before it here too.
        let begin = match rows.first() {
            Some(first_row) if first > 0 => first_row.as_str(),
            None if first > 0 => return Ok((Vec::new(), total)),
            _ => "",
        };
        let is_before = |id: &&String| id.as_str() < begin;
        let own_before = groups.present().filter(|(id, _)| is_before(id)).count() as u64;
        let hidden_before = groups.hidden().filter(is_before).count() as u64;
        let place = (first + own_before).saturating_sub(hidden_before);
        let mut ids: Vec<String> = rows
            .iter()
            .filter(|id| !groups.0.contains_key(*id))
            .chain(groups.present().map(|(id, _)| id))
            .filter(|id| !is_before(id))
            .cloned()
            .collect();
        ids.sort_unstable();
        let skipped = usize::try_from(offset.saturating_sub(place)).unwrap_or(usize::MAX);
        Ok((ids.into_iter().skip(skipped).take(limit).collect(), total))
    }

    async fn put_managed_group(&self, id: &str, group: &ManagedGroup, version: u64) -> Result<()> {
        let inner = self.inner.managed_group(id).await?;
        let wanted = group.external_id.as_deref();
        let holder = match wanted {
            Some(external_id) => self.inner.managed_group_by_external_id(external_id).await?,
            None => None,
        };
        let is_allowed = |groups: &Layer<ManagedGroup>| match wanted {
            None => Ok(()),
            Some(_) => {
                let has_it = |other: &ManagedGroup| other.external_id.as_deref() == wanted;
                free_for(id, groups.find(has_it, holder))
            }
        };
        let mut written = self.written();
        written.groups.put(id, group, version, inner, is_allowed)
    }

    async fn remove_managed_group(&self, id: &str) -> Result<()> {
        let inner = self.inner.managed_group(id).await?;
        self.written().groups.remove(id, inner);
        Ok(())
    }

    async fn confirmation(&self, id: &str) -> Result<Option<Versioned<Confirmation>>> {
        let inner = self.inner.confirmation(id).await?;
        Ok(self.written().confirmations.over(id, inner))
    }

    async fn confirmations(&self, ids: &[&str]) -> Result<Vec<Option<Versioned<Confirmation>>>> {
        let inner = self.inner.confirmations(ids).await?;
        Ok(self.written().confirmations.all_over(ids, inner))
    }

    async fn open_confirmations(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Versioned<Confirmation>)>> {
        let hidden = self.written().confirmations.hidden().count();
        let limit_beneath = limit.saturating_add(hidden);
        let mut rows = self.inner.open_confirmations(after, limit_beneath).await?;
        let written = self.written();
        rows.retain(|(id, _)| !written.confirmations.0.contains_key(id));
        let own = written.confirmations.present().filter(|(id, record)| {
            record.value.status != ConfirmationStatus::Over
                && after.is_none_or(|after| id.as_str() > after)
        });
        rows.extend(own.map(|(id, record)| (id.clone(), record.clone())));
        rows.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        rows.truncate(limit);
        Ok(rows)
    }

    async fn put_confirmation(
        &self,
        id: &str,
        confirmation: &Confirmation,
        version: u64,
    ) -> Result<()> {
        let inner = self.inner.confirmation(id).await?;
        let mut written = self.written();
        let confirmations = &mut written.confirmations;
        confirmations.put(id, confirmation, version, inner, |_| Ok(()))
    }

    async fn claim_creation(
        &self,
        key: &CreationKey,
        attempt: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Claim> {
        let mut written = self.written();
        let claims = &mut written.claims;
        let (held, end) = claims
            .entry(key.to_text())
            .or_insert_with(|| (attempt.to_owned(), now));
        if *end > now {
            return Ok(Claim::Held);
        }
        *end = until;
        Ok(Claim::Ours(held.clone()))
    }

    async fn end_creation(&self, key: &CreationKey, end: CreationEnd) -> Result<()> {
        let mut written = self.written();
        let key = key.to_text();
        match end {
            CreationEnd::Done => drop(written.claims.remove(&key)),
            CreationEnd::Interrupted => {
                if let Some((_, until)) = written.claims.get_mut(&key) {
                    *until = Timestamp::UNIX_EPOCH;
                }
            }
        }
        Ok(())
    }

    async fn join_session(
        &self,
        key: &str,
        attempt: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<SessionTurn> {
        self.inner.join_session(key, attempt, now, until).await
    }

    async fn share_session(&self, key: &str, attempt: &str, session: &SharedSession) -> Result<()> {
        self.inner.share_session(key, attempt, session).await
    }

    async fn end_session(&self, key: &str, end: SessionEnd<'_>) -> Result<bool> {
        self.inner.end_session(key, end).await
    }

    async fn guard(&self) -> Result<Versioned<Guard>> {
        let inner = self.inner.guard().await?;
        let written = self.written();
        // Lifted beneath since: that is the later word.
        let own = written
            .guard
            .as_ref()
            .filter(|own| own.over == inner.version);
        Ok(own.map_or(inner, |own| own.guard.clone()))
    }

    async fn put_guard(&self, guard: &Guard, version: u64) -> Result<()> {
        let inner = self.inner.guard().await?;
        let mut written = self.written();
        let own = written
            .guard
            .as_ref()
            .filter(|own| own.over == inner.version);
        if own.map_or(inner.version, |own| own.guard.version) != version {
            return Err(Error::Conflict);
        }
        written.guard = Some(OwnGuard {
            over: inner.version,
            guard: Versioned {
                value: guard.clone(),
                version: version + 1,
            },
        });
        Ok(())
    }

    async fn heartbeats(&self) -> Result<Heartbeats> {
        self.inner.heartbeats().await
    }

    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> Result<()> {
        self.inner.put_heartbeat(heartbeat).await
    }

    async fn append_audit(&self, entry: &AuditEntry, keep_from: Timestamp) -> Result<()> {
        self.inner.append_audit(entry, keep_from).await
    }

    async fn audit(
        &self,
        since: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<AuditEntry>, Option<String>)> {
        self.inner.audit(since, after, limit).await
    }
}
