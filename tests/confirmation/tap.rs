//! Account and store with a tap on every call.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use scim_bridge::{
    account::{
        self, Account, Attempt, Changed, Group, GroupId, GroupName, GroupStanding, Identity,
        Invitation, KeyFingerprint, Listing, Member, MemberEdit, MemberId, MemberState, Page,
        Waiting,
    },
    state::{
        self, AuditEntry, Claim, Confirmation, CreationEnd, CreationKey, Guard, Heartbeat,
        Heartbeats, ManagedGroup, Person, SessionEnd, SessionTurn, SharedSession, StateStore,
        Timestamp, Versioned,
    },
};
use tokio::sync::Notify;

/// Which call does not come back, unless it is told to: the process was killed there, or is slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    Never,
    /// Before the call with this number had any effect.
    Before(usize),
    /// After all its effects.
    After(usize),
}

/// Counts calls, from 1.
pub struct Tap {
    calls: AtomicUsize,
    cut: Cut,
    pause: Duration,
    reached: Notify,
    let_go: Notify,
}

impl Tap {
    pub fn new(cut: Cut, pause: Duration) -> Arc<Self> {
        Arc::new(Self {
            calls: AtomicUsize::new(0),
            cut,
            pause,
            reached: Notify::new(),
            let_go: Notify::new(),
        })
    }

    /// Only counts.
    pub fn counting() -> Arc<Self> {
        Self::new(Cut::Never, Duration::ZERO)
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Resolves when the call that is cut off has been reached.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }

    async fn around<T>(&self, call: impl Future<Output = T>) -> T {
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        if self.cut == Cut::Before(number) {
            self.hang().await;
        }
        if !self.pause.is_zero() {
            tokio::time::sleep(self.pause).await;
        }
        let answer = call.await;
        if self.cut == Cut::After(number) {
            self.hang().await;
        }
        answer
    }

    async fn hang(&self) {
        self.reached.notify_one();
        self.let_go.notified().await;
    }

    /// The call that was cut off goes on.
    pub fn let_go(&self) {
        self.let_go.notify_one();
    }
}

pub struct TappedAccount(pub Arc<dyn Account>, pub Arc<Tap>);
pub struct TappedStore(pub Arc<dyn StateStore>, pub Arc<Tap>);

macro_rules! tapped {
    ($trait:ident for $name:ident { $(fn $method:ident($($arg:ident: $type:ty),*) -> $out:ty;)* }) => {
        #[async_trait]
        impl $trait for $name {
            $(async fn $method(&self, $($arg: $type),*) -> $out {
                self.1.around(self.0.$method($($arg),*)).await
            })*
        }
    };
}

tapped! {
    Account for TappedAccount {
        fn identity() -> account::Result<Identity>;
        fn sign_out() -> ();
        fn invite(person: &Invitation, attempt: &Attempt) -> account::Result<Member>;
        fn member(id: &MemberId) -> account::Result<Option<Member>>;
        fn member_with_groups(id: &MemberId) -> account::Result<Option<(Member, Vec<GroupName>)>>;
        fn members_by_id(ids: &[MemberId]) -> account::Result<Vec<Member>>;
        fn member_by_email(email: &str) -> account::Result<Option<Member>>;
        fn members(states: &[MemberState], page: &Page) -> account::Result<Listing<Member>>;
        fn edit_member(id: &MemberId, edit: &MemberEdit) -> account::Result<Member>;
        fn confirm(id: &MemberId, fingerprint: &KeyFingerprint) -> account::Result<Member>;
        fn waiting(id: &MemberId) -> account::Result<Option<Waiting>>;
        fn let_in(person: &Waiting, fingerprint: &KeyFingerprint) -> account::Result<Member>;
        fn suspend(id: &MemberId) -> account::Result<Member>;
        fn reactivate(id: &MemberId) -> account::Result<Member>;
        fn delete_member(id: &MemberId) -> account::Result<()>;
        fn groups_of(id: &MemberId) -> account::Result<Vec<GroupName>>;
        fn groups_of_each(ids: &[MemberId]) -> account::Result<Vec<Vec<GroupName>>>;
        fn create_group(name: &str, attempt: &Attempt) -> account::Result<Group>;
        fn group(id: &GroupId) -> account::Result<Option<Group>>;
        fn groups_by_id(ids: &[GroupId]) -> account::Result<Vec<Group>>;
        fn group_by_name(name: &str) -> account::Result<Option<Group>>;
        fn groups(page: &Page) -> account::Result<Listing<Group>>;
        fn rename_group(id: &GroupId, name: &str) -> account::Result<Group>;
        fn delete_group(id: &GroupId) -> account::Result<()>;
        fn group_members(id: &GroupId, page: &Page) -> account::Result<Listing<Member>>;
        fn group_with_members(id: &GroupId, page: &Page) -> account::Result<Option<(Group, Listing<Member>)>>;
        fn standing(group: &GroupId, members: &[MemberId]) -> account::Result<Option<GroupStanding>>;
        fn reaches_key(group: &GroupId) -> account::Result<bool>;
        fn put_in(standing: &GroupStanding, members: &[MemberId]) -> account::Result<Changed>;
        fn take_out(standing: &GroupStanding, members: &[MemberId]) -> account::Result<Changed>;
    }
}

type Known<T> = state::Result<Option<Versioned<T>>>;
type KnownOfMany<T> = state::Result<Vec<Option<Versioned<T>>>>;

tapped! {
    StateStore for TappedStore {
        fn person(id: &str) -> Known<Person>;
        fn people(ids: &[&str]) -> KnownOfMany<Person>;
        fn person_by_external_id(external_id: &str) -> state::Result<Option<String>>;
        fn people_by_email(email: &str) -> state::Result<Vec<String>>;
        fn put_person(id: &str, person: &Person, version: u64) -> state::Result<()>;
        fn remove_person(id: &str) -> state::Result<()>;
        fn people_out_of(group: &str, after: Option<&str>, limit: usize) -> state::Result<Vec<String>>;
        fn people_removed(until: Timestamp, limit: usize) -> state::Result<Vec<String>>;
        fn managed_group(id: &str) -> Known<ManagedGroup>;
        fn managed_groups_by_id(ids: &[&str]) -> KnownOfMany<ManagedGroup>;
        fn managed_group_by_external_id(external_id: &str) -> state::Result<Option<String>>;
        fn managed_groups(offset: u64, limit: usize) -> state::Result<(Vec<String>, u64)>;
        fn put_managed_group(id: &str, group: &ManagedGroup, version: u64) -> state::Result<()>;
        fn remove_managed_group(id: &str) -> state::Result<()>;
        fn confirmation(id: &str) -> Known<Confirmation>;
        fn confirmations(ids: &[&str]) -> KnownOfMany<Confirmation>;
        fn open_confirmations(after: Option<&str>, limit: usize) -> state::Result<Vec<(String, Versioned<Confirmation>)>>;
        fn put_confirmation(id: &str, confirmation: &Confirmation, version: u64) -> state::Result<()>;
        fn claim_creation(key: &CreationKey, attempt: &str, now: Timestamp, until: Timestamp) -> state::Result<Claim>;
        fn end_creation(key: &CreationKey, end: CreationEnd) -> state::Result<()>;
        fn join_session(key: &str, attempt: &str, now: Timestamp, until: Timestamp) -> state::Result<SessionTurn>;
        fn share_session(key: &str, attempt: &str, session: &SharedSession) -> state::Result<()>;
        fn end_session(key: &str, end: SessionEnd<'_>) -> state::Result<bool>;
        fn guard() -> state::Result<Versioned<Guard>>;
        fn put_guard(guard: &Guard, version: u64) -> state::Result<()>;
        fn heartbeats() -> state::Result<Heartbeats>;
        fn put_heartbeat(heartbeat: &Heartbeat) -> state::Result<()>;
        fn append_audit(entry: &AuditEntry, keep_from: Timestamp) -> state::Result<()>;
        fn audit(since: Timestamp, after: Option<&str>, limit: usize) -> state::Result<(Vec<AuditEntry>, Option<String>)>;
    }
}
