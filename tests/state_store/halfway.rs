//! A store whose first records were written before somebody began to observe it.

use std::sync::Arc;

use async_trait::async_trait;
use scim_bridge::state::{
    AuditEntry, Claim, Confirmation, CreationEnd, CreationKey, Guard, Heartbeat, Heartbeats,
    ManagedGroup, Person, Result, SessionEnd, SessionTurn, SharedSession, StateStore, Timestamp,
    Versioned, overlay::Overlay,
};
use tokio::sync::{Mutex, MutexGuard};

/// Sends so many writes of records to a store, and all that follows to an overlay over it.
pub struct Halfway {
    before: Arc<dyn StateStore>,
    now: Overlay,
    left: Mutex<usize>,
}

/// Where a record is to be written. One at a time: the store is not written to once the overlay is.
struct Turn<'a> {
    store: &'a dyn StateStore,
    _left: MutexGuard<'a, usize>,
}

impl Halfway {
    pub fn new(store: Arc<dyn StateStore>, writes: usize) -> Self {
        Self {
            now: Overlay::new(Arc::clone(&store)),
            before: store,
            left: Mutex::new(writes),
        }
    }

    async fn turn(&self) -> Turn<'_> {
        let mut left = self.left.lock().await;
        let store: &dyn StateStore = match *left {
            0 => &self.now,
            _ => &*self.before,
        };
        *left = left.saturating_sub(1);
        Turn { store, _left: left }
    }
}

#[async_trait]
impl StateStore for Halfway {
    async fn person(&self, id: &str) -> Result<Option<Versioned<Person>>> {
        self.now.person(id).await
    }

    async fn people(&self, ids: &[&str]) -> Result<Vec<Option<Versioned<Person>>>> {
        self.now.people(ids).await
    }

    async fn person_by_external_id(&self, external_id: &str) -> Result<Option<String>> {
        self.now.person_by_external_id(external_id).await
    }

    async fn people_by_email(&self, email: &str) -> Result<Vec<String>> {
        self.now.people_by_email(email).await
    }

    async fn put_person(&self, id: &str, person: &Person, version: u64) -> Result<()> {
        let turn = self.turn().await;
        turn.store.put_person(id, person, version).await
    }

    async fn remove_person(&self, id: &str) -> Result<()> {
        let turn = self.turn().await;
        turn.store.remove_person(id).await
    }

    async fn people_out_of(
        &self,
        group: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>> {
        self.now.people_out_of(group, after, limit).await
    }

    async fn people_removed(&self, until: Timestamp, limit: usize) -> Result<Vec<String>> {
        self.now.people_removed(until, limit).await
    }

    async fn managed_group(&self, id: &str) -> Result<Option<Versioned<ManagedGroup>>> {
        self.now.managed_group(id).await
    }

    async fn managed_groups_by_id(
        &self,
        ids: &[&str],
    ) -> Result<Vec<Option<Versioned<ManagedGroup>>>> {
        self.now.managed_groups_by_id(ids).await
    }

    async fn managed_group_by_external_id(&self, external_id: &str) -> Result<Option<String>> {
        self.now.managed_group_by_external_id(external_id).await
    }

    async fn managed_groups(&self, offset: u64, limit: usize) -> Result<(Vec<String>, u64)> {
        self.now.managed_groups(offset, limit).await
    }

    async fn put_managed_group(&self, id: &str, group: &ManagedGroup, version: u64) -> Result<()> {
        let turn = self.turn().await;
        turn.store.put_managed_group(id, group, version).await
    }

    async fn remove_managed_group(&self, id: &str) -> Result<()> {
        let turn = self.turn().await;
        turn.store.remove_managed_group(id).await
    }

    async fn confirmation(&self, id: &str) -> Result<Option<Versioned<Confirmation>>> {
        self.now.confirmation(id).await
    }

    async fn confirmations(&self, ids: &[&str]) -> Result<Vec<Option<Versioned<Confirmation>>>> {
        self.now.confirmations(ids).await
    }

    async fn open_confirmations(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Versioned<Confirmation>)>> {
        self.now.open_confirmations(after, limit).await
    }

    async fn put_confirmation(
        &self,
        id: &str,
        confirmation: &Confirmation,
        version: u64,
    ) -> Result<()> {
        let turn = self.turn().await;
        let store = turn.store;
        store.put_confirmation(id, confirmation, version).await
    }

    async fn claim_creation(
        &self,
        key: &CreationKey,
        attempt: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Claim> {
        self.now.claim_creation(key, attempt, now, until).await
    }

    async fn end_creation(&self, key: &CreationKey, end: CreationEnd) -> Result<()> {
        self.now.end_creation(key, end).await
    }

    async fn join_session(
        &self,
        key: &str,
        attempt: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<SessionTurn> {
        self.now.join_session(key, attempt, now, until).await
    }

    async fn share_session(&self, key: &str, attempt: &str, session: &SharedSession) -> Result<()> {
        self.now.share_session(key, attempt, session).await
    }

    async fn end_session(&self, key: &str, end: SessionEnd<'_>) -> Result<bool> {
        self.now.end_session(key, end).await
    }

    async fn guard(&self) -> Result<Versioned<Guard>> {
        self.now.guard().await
    }

    async fn put_guard(&self, guard: &Guard, version: u64) -> Result<()> {
        let turn = self.turn().await;
        turn.store.put_guard(guard, version).await
    }

    async fn heartbeats(&self) -> Result<Heartbeats> {
        self.now.heartbeats().await
    }

    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> Result<()> {
        self.now.put_heartbeat(heartbeat).await
    }

    async fn append_audit(&self, entry: &AuditEntry, keep_from: Timestamp) -> Result<()> {
        self.now.append_audit(entry, keep_from).await
    }

    async fn audit(
        &self,
        since: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<AuditEntry>, Option<String>)> {
        self.now.audit(since, after, limit).await
    }
}
