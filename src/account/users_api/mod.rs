//! 1Password's Users API beside a connector: suspending and reactivating by one request, where a
//! connector may have to start a program.
//!
//! The API knows of a person an address, a name and whether they are suspended: not whether they
//! are a guest, have power over the account, wait to be confirmed or by which key. That is not
//! enough for any read of [`Account`], so all of them are the connector's; the API is only told to
//! suspend whom the connector calls an ordinary, active member, and to reactivate whom it calls an
//! ordinary, suspended one. Everybody else, and all people while the API is of no help, the
//! connector suspends and reactivates itself: what the API adds is speed, never a way to fail.

mod client;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;

use self::client::{Action, Client, Failure};
use super::{
    Account, Attempt, Changed, Editable, Error, Group, GroupId, GroupName, GroupStanding, Identity,
    Invitation, KeyFingerprint, Listing, Member, MemberEdit, MemberId, MemberKind, MemberState,
    Page, Result, Waiting,
};
use crate::onepassword::users_api::ClientCredentials;

/// How long a suspension or reactivation may take in all.
const DEADLINE: Duration = Duration::from_secs(20);
/// How much of that is the API's, token and repetitions included.
const LIMIT: Duration = Duration::from_secs(5);
/// How long the API is left alone after it was of no help.
const PAUSE: Duration = Duration::from_secs(60);
/// How long it is remembered what a person was seen as: whoever changes a person reads them first.
const MEMORY: Duration = Duration::from_secs(10);

/// Why the Users API gives nothing for some credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// It does not take them.
    #[error("1Password's Users API does not take the credentials: {0}")]
    Refused(String),
    /// It could not be asked.
    #[error("1Password's Users API cannot be reached: {0}")]
    OutOfReach(String),
}

/// Whether the Users API gives a token for these credentials; changes nothing. That the account id
/// is right, and the application has the scopes, shows only when somebody is suspended.
///
/// # Errors
/// [`NotTaken`].
pub async fn check(
    credentials: ClientCredentials,
    http: reqwest::Client,
) -> std::result::Result<(), NotTaken> {
    let client = Client::new(credentials, http);
    client.check().await.map_err(|failure| match failure {
        Failure::OutOfReach(reason) => NotTaken::OutOfReach(reason),
        Failure::NoHelp(reason) => NotTaken::Refused(reason),
        Failure::Refused(error) => NotTaken::Refused(error.to_string()),
    })
}

/// An [`Account`] over another one, which suspends and reactivates by the Users API.
#[derive(Clone)]
pub struct UsersApi {
    inner: Arc<dyn Account>,
    client: Arc<Client>,
    pause: Duration,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// When the API is asked again, if it was of no help.
    resting_until: Option<Instant>,
    /// The ordinary members among those who were read of late.
    seen: HashMap<MemberId, (Instant, MemberState)>,
}

impl UsersApi {
    /// Over this account, which has to be the one of the credentials.
    pub fn new(
        credentials: ClientCredentials,
        http: reqwest::Client,
        inner: Arc<dyn Account>,
    ) -> Self {
        Self {
            inner,
            client: Arc::new(Client::new(credentials, http)),
            pause: PAUSE,
            state: Arc::default(),
        }
    }

    /// With another pause after trouble.
    pub fn with_pause(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn set(&self, action: Action, id: &MemberId) -> Result<Member> {
        let change = async {
            if self.is_for_the_api(action, id).await?
                && self.ask(action, id).await?
                && let Some(member) = self.member(id).await?
                && member.state == action.after()
            {
                return Ok(member);
            }
            let member = match action {
                Action::Suspend => self.inner.suspend(id).await?,
                Action::Reactivate => self.inner.reactivate(id).await?,
            };
            // Who changes a person does not look whether they are an ordinary one.
            self.remember(id, None);
            Ok(member)
        };
        tokio::time::timeout(DEADLINE, change)
            .await
            .unwrap_or_else(|_| {
                Err(Error::Unavailable {
                    reason: format!("no answer within {} s", DEADLINE.as_secs()),
                })
            })
    }

    /// Whether the API does with this person what the connector would.
    async fn is_for_the_api(&self, action: Action, id: &MemberId) -> Result<bool> {
        let now = Instant::now();
        let seen = {
            let state = self.state();
            if state.resting_until.is_some_and(|until| now < until) {
                return Ok(false);
            }
            let seen = state.seen.get(id);
            seen.filter(|(at, _)| now.duration_since(*at) < MEMORY)
                .map(|(_, seen)| *seen)
        };
        let seen = match seen {
            Some(seen) => Some(seen),
            None => self.member(id).await?.as_ref().and_then(ordinary),
        };
        Ok(seen == Some(action.before()))
    }

    /// Whether the API has done it. If it is of no help, it is left alone for a while.
    async fn ask(&self, action: Action, id: &MemberId) -> Result<bool> {
        let asked = tokio::time::timeout(LIMIT, self.client.act(action, id)).await;
        let reason = match asked {
            Ok(Ok(())) => return Ok(true),
            Ok(Err(Failure::Refused(error))) => return Err(error),
            Ok(Err(Failure::NoHelp(reason) | Failure::OutOfReach(reason))) => reason,
            Err(_) => format!("no answer within {} s", LIMIT.as_secs()),
        };
        let now = Instant::now();
        let mut state = self.state();
        let is_known = state.resting_until.is_some_and(|until| now < until);
        if !is_known {
            state.resting_until = Some(now + self.pause);
            tracing::warn!(
                reason,
                "1Password's Users API is of no help: for {} s people are suspended and \
                 reactivated without it",
                self.pause.as_secs()
            );
        }
        Ok(false)
    }

    fn remember(&self, id: &MemberId, member: Option<&Member>) {
        let now = Instant::now();
        let mut state = self.state();
        state
            .seen
            .retain(|_, (at, _)| now.duration_since(*at) < MEMORY);
        match member.and_then(ordinary) {
            Some(seen) => state.seen.insert(id.clone(), (now, seen)),
            None => state.seen.remove(id),
        };
    }
}

/// The state of a member whom a provider may touch.
fn ordinary(member: &Member) -> Option<MemberState> {
    let is_ordinary = member.kind == MemberKind::Member && !member.protected;
    is_ordinary.then_some(member.state)
}

#[async_trait]
impl Account for UsersApi {
    async fn identity(&self) -> Result<Identity> {
        self.inner.identity().await
    }

    fn for_one_request(&self) -> Option<Arc<dyn Account>> {
        let inner = self.inner.for_one_request()?;
        Some(Arc::new(Self {
            inner,
            ..self.clone()
        }))
    }

    fn editable(&self) -> Editable {
        self.inner.editable()
    }

    async fn sign_out(&self) {
        self.inner.sign_out().await;
    }

    async fn invite(&self, person: &Invitation, attempt: &Attempt) -> Result<Member> {
        self.inner.invite(person, attempt).await
    }

    async fn member(&self, id: &MemberId) -> Result<Option<Member>> {
        let member = self.inner.member(id).await?;
        self.remember(id, member.as_ref());
        Ok(member)
    }

    async fn member_with_groups(&self, id: &MemberId) -> Result<Option<(Member, Vec<GroupName>)>> {
        let found = self.inner.member_with_groups(id).await?;
        self.remember(id, found.as_ref().map(|(member, _)| member));
        Ok(found)
    }

    async fn members_by_id(&self, ids: &[MemberId]) -> Result<Vec<Member>> {
        self.inner.members_by_id(ids).await
    }

    async fn member_by_email(&self, email: &str) -> Result<Option<Member>> {
        self.inner.member_by_email(email).await
    }

    async fn members(&self, states: &[MemberState], page: &Page) -> Result<Listing<Member>> {
        self.inner.members(states, page).await
    }

    async fn edit_member(&self, id: &MemberId, edit: &MemberEdit) -> Result<Member> {
        self.inner.edit_member(id, edit).await
    }

    async fn confirm(&self, id: &MemberId, fingerprint: &KeyFingerprint) -> Result<Member> {
        self.inner.confirm(id, fingerprint).await
    }

    async fn waiting(&self, id: &MemberId) -> Result<Option<Waiting>> {
        self.inner.waiting(id).await
    }

    async fn let_in(&self, person: &Waiting, fingerprint: &KeyFingerprint) -> Result<Member> {
        self.inner.let_in(person, fingerprint).await
    }

    async fn suspend(&self, id: &MemberId) -> Result<Member> {
        self.set(Action::Suspend, id).await
    }

    async fn reactivate(&self, id: &MemberId) -> Result<Member> {
        self.set(Action::Reactivate, id).await
    }

    async fn delete_member(&self, id: &MemberId) -> Result<()> {
        self.remember(id, None);
        self.inner.delete_member(id).await
    }

    async fn groups_of(&self, id: &MemberId) -> Result<Vec<GroupName>> {
        self.inner.groups_of(id).await
    }

    async fn groups_of_each(&self, ids: &[MemberId]) -> Result<Vec<Vec<GroupName>>> {
        self.inner.groups_of_each(ids).await
    }

    async fn create_group(&self, name: &str, attempt: &Attempt) -> Result<Group> {
        self.inner.create_group(name, attempt).await
    }

    async fn group(&self, id: &GroupId) -> Result<Option<Group>> {
        self.inner.group(id).await
    }

    async fn groups_by_id(&self, ids: &[GroupId]) -> Result<Vec<Group>> {
        self.inner.groups_by_id(ids).await
    }

    async fn group_by_name(&self, name: &str) -> Result<Option<Group>> {
        self.inner.group_by_name(name).await
    }

    async fn groups(&self, page: &Page) -> Result<Listing<Group>> {
        self.inner.groups(page).await
    }

    async fn rename_group(&self, id: &GroupId, name: &str) -> Result<Group> {
        self.inner.rename_group(id, name).await
    }

    async fn delete_group(&self, id: &GroupId) -> Result<()> {
        self.inner.delete_group(id).await
    }

    async fn group_members(&self, id: &GroupId, page: &Page) -> Result<Listing<Member>> {
        self.inner.group_members(id, page).await
    }

    async fn group_with_members(
        &self,
        id: &GroupId,
        page: &Page,
    ) -> Result<Option<(Group, Listing<Member>)>> {
        self.inner.group_with_members(id, page).await
    }

    async fn standing(
        &self,
        group: &GroupId,
        members: &[MemberId],
    ) -> Result<Option<GroupStanding>> {
        self.inner.standing(group, members).await
    }

    async fn reaches_key(&self, group: &GroupId) -> Result<bool> {
        self.inner.reaches_key(group).await
    }

    async fn put_in(&self, standing: &GroupStanding, members: &[MemberId]) -> Result<Changed> {
        self.inner.put_in(standing, members).await
    }

    async fn take_out(&self, standing: &GroupStanding, members: &[MemberId]) -> Result<Changed> {
        self.inner.take_out(standing, members).await
    }
}
