//! The connector that speaks the account service's own protocol.
//!
//! * `connection`: one session for all callers, retries, deadlines.
//! * [`shared`]: the same session for other processes.
//! * `sign_in`: the exchange that begins a session.
//! * `refusals`: what the server's errors mean.
//! * `keys`: the keys that are at hand.
//! * `members`, `groups`: the operations.
//! * `login`: signing in with a password, as people do.
//! * [`setup`]: what an administrator does once, so that a bridge can sign in at all.
//!
//! Nothing is sent until the first call. Administration requests are those of
//! `docs/account-api.md`, which the embedded account server answers.

mod connection;
mod groups;
mod keys;
#[cfg(feature = "local")]
pub(crate) mod login;
mod members;
mod refusals;
#[cfg(feature = "local")]
pub mod setup;
pub mod shared;
mod sign_in;

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    Account, Attempt, Changed, Error, Group, GroupId, GroupName, GroupStanding, Identity,
    Invitation, KeyFingerprint, Listing, Member, MemberEdit, MemberId, MemberState, Page, Result,
    Start, Waiting, found,
};
use crate::onepassword::{
    messages::administration::{self as wire, PREFIX},
    sign_in_credentials::SignInCredentials,
};
use connection::Connection;
use keys::Keys;
use shared::SessionShare;

/// How long a call may take in all, sign-in and repetitions included.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// An account, administered over its own protocol.
pub struct NativeAccount {
    connection: Connection,
    keys: Keys,
    deadline: Duration,
}

impl NativeAccount {
    /// An account behind these credentials. Does nothing until it is first used; an address that
    /// is no URL shows then, as [`Error::CredentialsRefused`].
    pub fn new(credentials: SignInCredentials, http: reqwest::Client) -> Self {
        Self {
            connection: Connection::new(credentials, http),
            keys: Keys::default(),
            deadline: DEADLINE,
        }
    }

    /// With another limit for each call.
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// With a session that others with the same credentials may use too.
    pub fn sharing(self, share: Arc<dyn SessionShare>) -> Self {
        Self {
            connection: self.connection.sharing(share),
            ..self
        }
    }

    /// How often this value has signed in; for tests and metrics.
    pub fn sign_ins(&self) -> u64 {
        self.connection.sign_ins()
    }

    async fn within<T>(&self, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        tokio::time::timeout(self.deadline, call)
            .await
            .unwrap_or_else(|_| {
                Err(Error::Unavailable {
                    reason: format!("no answer within {} s", self.deadline.as_secs_f32()),
                })
            })
    }

    async fn myself(&self) -> Result<wire::Myself> {
        self.connection.get(&format!("{PREFIX}/self")).await
    }
}

#[async_trait]
impl Account for NativeAccount {
    async fn identity(&self) -> Result<Identity> {
        self.within(async {
            let myself = self.myself().await?;
            Ok(Identity {
                member: members::id(&myself.member.uuid)?,
                account_name: myself.account_name,
                allowed_domains: myself.allowed_domains,
            })
        })
        .await
    }

    async fn sign_out(&self) {
        // A session that is not signed out ends by itself.
        let _ = self.within(self.connection.sign_out()).await;
    }

    async fn invite(&self, person: &Invitation, attempt: &Attempt) -> Result<Member> {
        self.within(self.invite_member(person, attempt)).await
    }

    async fn member(&self, id: &MemberId) -> Result<Option<Member>> {
        self.within(self.find_member(id)).await
    }

    async fn member_with_groups(&self, id: &MemberId) -> Result<Option<(Member, Vec<GroupName>)>> {
        self.within(self.find_member_with_groups(id)).await
    }

    async fn members_by_id(&self, ids: &[MemberId]) -> Result<Vec<Member>> {
        self.within(self.find_members(ids)).await
    }

    async fn member_by_email(&self, email: &str) -> Result<Option<Member>> {
        self.within(self.find_member_by_email(email)).await
    }

    async fn members(&self, states: &[MemberState], page: &Page) -> Result<Listing<Member>> {
        self.within(self.list_members(states, page)).await
    }

    async fn edit_member(&self, id: &MemberId, edit: &MemberEdit) -> Result<Member> {
        self.within(self.change_member(id, edit)).await
    }

    async fn confirm(&self, id: &MemberId, fingerprint: &KeyFingerprint) -> Result<Member> {
        self.within(self.confirm_member(id, None, fingerprint))
            .await
    }

    async fn waiting(&self, id: &MemberId) -> Result<Option<Waiting>> {
        self.within(self.find_waiting(id)).await
    }

    async fn let_in(&self, person: &Waiting, fingerprint: &KeyFingerprint) -> Result<Member> {
        let seen = person.awaiting.clone();
        self.within(self.confirm_member(&person.member.id, seen, fingerprint))
            .await
    }

    async fn suspend(&self, id: &MemberId) -> Result<Member> {
        self.within(self.set_suspended(id, true)).await
    }

    async fn reactivate(&self, id: &MemberId) -> Result<Member> {
        self.within(self.set_suspended(id, false)).await
    }

    async fn delete_member(&self, id: &MemberId) -> Result<()> {
        self.within(self.remove(&format!("{PREFIX}/members/{id}")))
            .await
    }

    async fn groups_of(&self, id: &MemberId) -> Result<Vec<GroupName>> {
        self.within(self.list_groups_of(id)).await
    }

    async fn groups_of_each(&self, ids: &[MemberId]) -> Result<Vec<Vec<GroupName>>> {
        self.within(self.list_groups_of_each(ids)).await
    }

    async fn create_group(&self, name: &str, attempt: &Attempt) -> Result<Group> {
        self.within(self.make_group(name, &[], attempt)).await
    }

    async fn group(&self, id: &GroupId) -> Result<Option<Group>> {
        self.within(self.find_group(id)).await
    }

    async fn groups_by_id(&self, ids: &[GroupId]) -> Result<Vec<Group>> {
        self.within(self.find_groups(ids)).await
    }

    async fn group_by_name(&self, name: &str) -> Result<Option<Group>> {
        self.within(self.find_group_by_name(name)).await
    }

    async fn groups(&self, page: &Page) -> Result<Listing<Group>> {
        self.within(self.list_groups(page)).await
    }

    async fn rename_group(&self, id: &GroupId, name: &str) -> Result<Group> {
        self.within(self.set_group_name(id, name)).await
    }

    async fn delete_group(&self, id: &GroupId) -> Result<()> {
        self.within(async {
            self.keys.forget(id);
            self.remove(&format!("{PREFIX}/groups/{id}")).await
        })
        .await
    }

    async fn group_members(&self, id: &GroupId, page: &Page) -> Result<Listing<Member>> {
        let members = self.within(self.list_group_members(id, page)).await?;
        Ok(members.1)
    }

    async fn group_with_members(
        &self,
        id: &GroupId,
        page: &Page,
    ) -> Result<Option<(Group, Listing<Member>)>> {
        found(self.within(self.list_group_members(id, page)).await)
    }

    async fn standing(
        &self,
        group: &GroupId,
        members: &[MemberId],
    ) -> Result<Option<GroupStanding>> {
        self.within(self.find_standing(group, members)).await
    }

    async fn reaches_key(&self, group: &GroupId) -> Result<bool> {
        self.within(self.opens_group(group)).await
    }

    async fn put_in(&self, standing: &GroupStanding, members: &[MemberId]) -> Result<Changed> {
        self.within(self.grant_members(standing, members)).await
    }

    async fn take_out(&self, standing: &GroupStanding, members: &[MemberId]) -> Result<Changed> {
        self.within(self.revoke_members(standing, members)).await
    }
}

impl NativeAccount {
    /// Deletes; what is gone already is no error.
    async fn remove(&self, path: &str) -> Result<()> {
        match self.connection.delete::<serde_json::Value>(path).await {
            Ok(_) | Err(Error::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The query of a page.
fn query(states: &[MemberState], page: &Page) -> wire::Query {
    let (after, offset) = match &page.start {
        Start::Offset(rows) => (None, Some(*rows)),
        Start::After(key) => (Some(key.clone()), None),
    };
    wire::Query {
        states: states.iter().map(|state| state.name().to_owned()).collect(),
        after,
        offset,
        limit: page.limit.min(wire::MAX_BATCH),
    }
}

/// Heavy arithmetic, away from the threads that serve requests.
async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> crate::onepassword::Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(refusals::from_protocol),
        Err(_) => Err(Error::Unavailable {
            reason: "the bridge is stopping".to_owned(),
        }),
    }
}
