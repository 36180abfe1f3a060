//! What the bridge asks of a 1Password account, whichever connector answers.
//!
//! The trait speaks of people and groups, never of wire formats: keys, sessions and wrapped blobs
//! stay inside a connector. Reads of one thing cost one look-up, or few; lists are pages by ordered
//! key. `docs/connectors.md` tells administrators what differs between connectors.

use std::{collections::HashSet, fmt, str::FromStr, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use time::OffsetDateTime;

use crate::onepassword::{messages::administration::Awaiting, rsa::PublicKey};

pub mod native;
pub mod op_cli;
pub mod overlay;
pub mod users_api;

/// The administration of one account, as its Provision Manager may do it.
///
/// Every write is safe to repeat: what already holds is not an error and changes nothing, unless
/// the method says otherwise. Calls return well under 25 seconds, so that a gateway's limit is
/// never the first to speak.
#[async_trait]
pub trait Account: Send + Sync {
    /// Who the bridge is in this account. Signs in if need be.
    async fn identity(&self) -> Result<Identity>;

    /// Ends what sign-in began, as far as there is anything to end. The next call signs in again.
    async fn sign_out(&self);

    /// Provisions a person: the account sends an invitation.
    ///
    /// Repeatable under the same `attempt` only, which then answers with the person whom it
    /// invited; otherwise an e-mail address in use is [`Error::EmailTaken`]. Where the account does
    /// not know attempts by name, a repeat takes somebody for its own who has the same address and
    /// name, and has not signed up.
    async fn invite(&self, person: &Invitation, attempt: &Attempt) -> Result<Member>;

    /// One person by id; `None` if the account has none, or deleted it.
    async fn member(&self, id: &MemberId) -> Result<Option<Member>>;

    /// One person by id, with the groups that they belong to.
    async fn member_with_groups(&self, id: &MemberId) -> Result<Option<(Member, Vec<GroupName>)>> {
        let Some(member) = self.member(id).await? else {
            return Ok(None);
        };
        // Deleted in between, they are not there.
        let groups = found(self.groups_of(id).await)?;
        Ok(groups.map(|groups| (member, groups)))
    }

    /// Those of up to [`MAX_BATCH`] people that exist, in the order asked.
    async fn members_by_id(&self, ids: &[MemberId]) -> Result<Vec<Member>>;

    /// One person by e-mail address, without regard to case. A change of address that waits for
    /// the member's consent is found under both the new and the old one.
    async fn member_by_email(&self, email: &str) -> Result<Option<Member>>;

    /// A page of the people in one of `states` (all but the deleted if empty), in stable order.
    /// Guests are not among them. A page may have fewer rows than asked for: `next` says whether
    /// more follow.
    async fn members(&self, states: &[MemberState], page: &Page) -> Result<Listing<Member>>;

    /// The same account for one request of a provider, whose parts may share what is listed for
    /// them: no longer than the request lasts, nor beyond a change. `None` if that makes no
    /// difference.
    fn for_one_request(&self) -> Option<Arc<dyn Account>> {
        None
    }

    /// What [`Account::edit_member`] can change here besides the name.
    fn editable(&self) -> Editable {
        Editable {
            language: true,
            email: true,
        }
    }

    /// Changes name, language or e-mail address. A new address of somebody who has signed up
    /// waits for that member's consent ([`Member::pending_email`]). What is not [`editable`] is
    /// [`Error::Unsupported`].
    ///
    /// [`editable`]: Self::editable
    async fn edit_member(&self, id: &MemberId, edit: &MemberEdit) -> Result<Member>;

    /// Lets a person who has signed up into the account, wrapping for them the key of every group
    /// they belong to.
    ///
    /// Not repeatable: a person who does not wait is [`Error::WrongState`]; one whose public key
    /// is not the one with this `fingerprint` is [`Error::KeyChanged`], and nothing happens.
    async fn confirm(&self, id: &MemberId, fingerprint: &KeyFingerprint) -> Result<Member>;

    /// One person, and what it takes to confirm them, in one look; `None` if the account has none,
    /// or deleted them.
    async fn waiting(&self, id: &MemberId) -> Result<Option<Waiting>> {
        let member = self.member(id).await?;
        Ok(member.map(|member| Waiting {
            member,
            awaiting: None,
        }))
    }

    /// Confirms a person after that look, as [`confirm`](Self::confirm) does after none.
    async fn let_in(&self, person: &Waiting, fingerprint: &KeyFingerprint) -> Result<Member> {
        self.confirm(&person.member.id, fingerprint).await
    }

    /// Suspends a person: signed out at once, nothing lost.
    async fn suspend(&self, id: &MemberId) -> Result<Member>;

    /// Takes a suspension back; the person returns to the state they had before it.
    async fn reactivate(&self, id: &MemberId) -> Result<Member>;

    /// Removes a person for good.
    async fn delete_member(&self, id: &MemberId) -> Result<()>;

    /// The groups that a person belongs to.
    async fn groups_of(&self, id: &MemberId) -> Result<Vec<GroupName>>;

    /// The same for up to [`MAX_BATCH`] people; the answer has one place for each id, in their
    /// order. Who does not exist belongs to none.
    async fn groups_of_each(&self, ids: &[MemberId]) -> Result<Vec<Vec<GroupName>>> {
        let look_ups: Vec<_> = ids.iter().map(|id| self.groups_of(id)).collect();
        let groups = stream::iter(look_ups).buffered(LOOK_UPS);
        groups
            .map(|groups| Ok(found(groups)?.unwrap_or_default()))
            .try_collect()
            .await
    }

    /// Creates a group together with its keys.
    ///
    /// Repeatable under the same `attempt` only, which then answers with the group that it
    /// created; otherwise a name in use is [`Error::GroupNameTaken`].
    async fn create_group(&self, name: &str, attempt: &Attempt) -> Result<Group>;

    /// One group by id.
    async fn group(&self, id: &GroupId) -> Result<Option<Group>>;

    /// Those of up to [`MAX_BATCH`] groups that exist, in the order asked.
    async fn groups_by_id(&self, ids: &[GroupId]) -> Result<Vec<Group>>;

    /// One group by name, without regard to case.
    async fn group_by_name(&self, name: &str) -> Result<Option<Group>>;

    /// A page of all groups of the account, in stable order.
    async fn groups(&self, page: &Page) -> Result<Listing<Group>>;

    /// Renames a group; a name that another group has is [`Error::GroupNameTaken`].
    async fn rename_group(&self, id: &GroupId, name: &str) -> Result<Group>;

    /// Deletes a group; its members stay in the account.
    async fn delete_group(&self, id: &GroupId) -> Result<()>;

    /// A page of a group's members (without its key managers), in stable order.
    async fn group_members(&self, id: &GroupId, page: &Page) -> Result<Listing<Member>>;

    /// A group, and a page of its members as of [`group_members`](Self::group_members).
    async fn group_with_members(
        &self,
        id: &GroupId,
        page: &Page,
    ) -> Result<Option<(Group, Listing<Member>)>> {
        let Some(group) = self.group(id).await? else {
            return Ok(None);
        };
        // Deleted in between, it is not there.
        let members = found(self.group_members(id, page).await)?;
        Ok(members.map(|members| (group, members)))
    }

    /// A group, and how these people stand to it: what has to be known before they are put in or
    /// taken out. The cost does not grow with the group.
    async fn standing(
        &self,
        group: &GroupId,
        members: &[MemberId],
    ) -> Result<Option<GroupStanding>>;

    /// Whether a person belongs to a group.
    async fn is_member(&self, group: &GroupId, member: &MemberId) -> Result<bool> {
        let standing = self.standing(group, std::slice::from_ref(member)).await?;
        let mut people = standing.into_iter().flat_map(|standing| standing.people);
        Ok(people.any(|one| one.belongs))
    }

    /// Whether the bridge reaches a group's key, without which it lets nobody into the group who
    /// is confirmed already.
    async fn reaches_key(&self, group: &GroupId) -> Result<bool>;

    /// Puts those of `members` into a group who were not in it by its `standing`, in which all of
    /// them were asked about. If that is nobody, nothing is written. The cost does not grow with
    /// the group.
    ///
    /// Up to [`MAX_BATCH`] people are let in all at once or not at all; more go in batches, of
    /// which the first may hold when a later one fails. Where the account lets in one person at a
    /// time, those before a failure stay in, and a repeat goes on behind them. The count is for
    /// information: somebody whom two callers let in at once may be counted by both.
    ///
    /// People without a key yet are granted membership at once and the group's key at their
    /// confirmation. Ids that the account does not know are [`Error::UnknownMembers`].
    async fn put_in(&self, standing: &GroupStanding, members: &[MemberId]) -> Result<Changed>;

    /// Takes those of `members` out of a group who were in it by its `standing`. Ids that are not
    /// in the group, or not in the account, are passed over. Cost, batches and the count are as
    /// with [`put_in`].
    ///
    /// [`put_in`]: Self::put_in
    async fn take_out(&self, standing: &GroupStanding, members: &[MemberId]) -> Result<Changed>;

    /// Puts people into a group, wherever they stand: [`standing`](Self::standing), then
    /// [`put_in`](Self::put_in). Returns how many were not in it before.
    async fn grant(&self, group: &GroupId, members: &[MemberId]) -> Result<usize> {
        let standing = self.standing(group, members).await?;
        let standing = standing.ok_or(Error::NotFound("group"))?;
        Ok(self.put_in(&standing, members).await?.count)
    }

    /// Takes people out of a group, wherever they stand. Returns how many were in it.
    async fn revoke(&self, group: &GroupId, members: &[MemberId]) -> Result<usize> {
        let standing = self.standing(group, members).await?;
        let standing = standing.ok_or(Error::NotFound("group"))?;
        Ok(self.take_out(&standing, members).await?.count)
    }
}

/// The most ids that [`Account::members_by_id`] and [`Account::groups_by_id`] take at once, and the
/// most rows of a [`Page`].
pub const MAX_BATCH: usize = 1000;

/// Nothing there is an answer too.
fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// How many look-ups of one call are under way at the same time, where each is a request.
const LOOK_UPS: usize = 8;

/// The answer of a connector.
pub type Result<T> = std::result::Result<T, Error>;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $alphabet:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> std::result::Result<Self, NotAnId> {
                let known = text.len() == 26 && text.bytes().all(|b| $alphabet.contains(&b));
                known.then(|| Self(text.to_owned())).ok_or(NotAnId)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

identifier! {
    /// A person's id: 26 upper-case base32 characters, stable for life.
    MemberId, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
}
identifier! {
    /// A group's id: 26 lower-case base32 characters, stable for life.
    GroupId, b"abcdefghijklmnopqrstuvwxyz234567"
}

/// The text cannot be an id of this account, so nothing has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of a 1Password account")]
pub struct NotAnId;

/// Names one attempt to create something, however often it has to be repeated: what tells a repeat
/// that was lost on the way from a second request for a name that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    name: String,
    is_repeat: bool,
}

impl Attempt {
    /// One that begins now. Takes the text form: random, 1 to 64 characters.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            is_repeat: false,
        }
    }

    /// One that was cut off, made again.
    pub fn again(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            is_repeat: true,
        }
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// Whether it may have succeeded before.
    pub fn is_repeat(&self) -> bool {
        self.is_repeat
    }
}

/// Who the bridge is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its own id in the account; never to be suspended, changed or deleted by a provider.
    pub member: MemberId,
    /// The account's name.
    pub account_name: String,
    /// Domains that invitations are limited to; empty means any.
    pub allowed_domains: Vec<String>,
}

/// A person in the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Stable id.
    pub id: MemberId,
    /// The address that the person signs in with.
    pub email: String,
    /// An address that replaces it once the person has consented.
    pub pending_email: Option<String>,
    /// The name shown.
    pub name: String,
    /// Language of mails and pages, such as `en`, if the connector can tell.
    pub language: Option<String>,
    /// Where the person is on the way into the account, or out of it.
    pub state: MemberState,
    /// Member or guest.
    pub kind: MemberKind,
    /// Owners, administrators and the bridge itself: a provider may not touch them. Who was found
    /// by address or among all people may be one although it says no.
    pub protected: bool,
    /// Fingerprint of the person's public key. Whoever waits to be confirmed has one where they
    /// were asked for by id or by that state; elsewhere a connector may leave it out.
    pub key_fingerprint: Option<KeyFingerprint>,
    /// When the person was invited; a list may leave it out.
    pub created_at: Option<OffsetDateTime>,
    /// When name, address or state last changed; a list may leave it out.
    pub updated_at: Option<OffsetDateTime>,
    /// Another one after each change of name, address or state.
    pub version: u64,
}

/// Somebody who may wait to be confirmed, as they were looked at last.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The person, as if asked for by id.
    pub member: Member,
    /// What a connector goes by that confirms with keys of its own.
    pub(in crate::account) awaiting: Option<Awaiting>,
}

impl Member {
    /// Whether the person has accepted the invitation, and so has keys.
    pub fn has_signed_up(&self) -> bool {
        use MemberState::{TransferPending, TransferStarted, TransferSuspended};
        self.key_fingerprint.is_some()
            || !matches!(
                self.state,
                TransferStarted | TransferPending | TransferSuspended
            )
    }

    /// The address as the provider should see it: the one it asked for last.
    pub fn requested_email(&self) -> &str {
        self.pending_email.as_deref().unwrap_or(&self.email)
    }
}

/// Member states under the names that 1Password's command line publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemberState {
    /// Invited, has not signed up.
    TransferStarted,
    /// Between invitation and acceptance.
    TransferPending,
    /// Has signed up and waits to be confirmed.
    TransferAccepted,
    /// Suspended before joining.
    TransferSuspended,
    /// Joined by invitation link and waits to be confirmed; not by provisioning.
    Pending,
    /// Can sign in.
    Active,
    /// Cannot sign in.
    Suspended,
    /// Gone.
    Deleted,
    /// An account recovery has begun.
    RecoveryStarted,
    /// An account recovery waits for its completion.
    RecoveryAccepted,
    /// A state that this version has no name for.
    Unknown,
}

impl MemberState {
    const NAMES: [(Self, &'static str); 10] = [
        (Self::TransferStarted, "TRANSFER_STARTED"),
        (Self::TransferPending, "TRANSFER_PENDING"),
        (Self::TransferAccepted, "TRANSFER_ACCEPTED"),
        (Self::TransferSuspended, "TRANSFER_SUSPENDED"),
        (Self::Pending, "PENDING"),
        (Self::Active, "ACTIVE"),
        (Self::Suspended, "SUSPENDED"),
        (Self::Deleted, "DELETED"),
        (Self::RecoveryStarted, "RECOVERY_STARTED"),
        (Self::RecoveryAccepted, "RECOVERY_ACCEPTED"),
    ];

    /// The published name.
    pub fn name(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(state, _)| *state == self)
            .map_or("UNKNOWN", |(_, name)| name)
    }

    /// The state of this published name; [`MemberState::Unknown`] for any other text.
    pub fn from_name(name: &str) -> Self {
        Self::NAMES
            .iter()
            .find(|(_, known)| *known == name)
            .map_or(Self::Unknown, |(state, _)| *state)
    }

    /// Suspended, before or after joining, or gone.
    pub fn is_inactive(self) -> bool {
        matches!(
            self,
            Self::Suspended | Self::TransferSuspended | Self::Deleted
        )
    }
}

/// What sort of member a person is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKind {
    /// A regular member of the account.
    Member,
    /// A guest: never managed by a bridge.
    Guest,
}

/// SHA-256 of a public key, in the connector's own canonical form. Compared, never parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFingerprint(String);

impl KeyFingerprint {
    /// Takes the text form.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A person to provision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Where the invitation goes.
    pub email: String,
    /// The name shown.
    pub name: String,
    /// Language of the invitation; the account's own if `None`.
    pub language: Option<String>,
}

/// What of a person, besides the name, can be changed after the invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Editable {
    /// Language of mails and pages.
    pub language: bool,
    /// The address to sign in with.
    pub email: bool,
}

/// What to change about a person; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberEdit {
    /// The name shown.
    pub name: Option<String>,
    /// Language of mails and pages.
    pub language: Option<String>,
    /// The address to sign in with.
    pub email: Option<String>,
}

impl MemberEdit {
    /// Whether nothing is to change.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A group of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Stable id.
    pub id: GroupId,
    /// Unique in the account, without regard to case.
    pub name: String,
    /// Rights over the account that membership brings, under the published names.
    pub permissions: Vec<String>,
    /// Owners, Administrators, Recovery and the like: made by the account itself.
    pub built_in: bool,
    /// How many members it has, key managers not counted.
    pub member_count: u64,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When its name or its members last changed.
    pub updated_at: OffsetDateTime,
    /// Another one after each change of name or members.
    pub version: u64,
}

/// A group as a person's list of groups names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupName {
    /// Stable id.
    pub id: GroupId,
    /// Unique in the account, without regard to case.
    pub name: String,
}

impl From<Group> for GroupName {
    fn from(group: Group) -> Self {
        Self {
            id: group.id,
            name: group.name,
        }
    }
}

/// A group, and how some people stand to it, as seen in one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupStanding {
    /// The group.
    pub group: Group,
    /// Those of the people who exist, each once.
    pub people: Vec<Belonging>,
}

/// How one person stands to a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Belonging {
    /// The person. Whether they are protected need not show.
    pub member: Member,
    /// Whether they belong to the group.
    pub belongs: bool,
    /// What a connector wraps the group's key to, where it does that and the person has a key.
    pub(in crate::account) key: Option<PublicKey>,
}

impl GroupStanding {
    /// Of people who belong to a group.
    pub fn of_members(group: Group, members: Vec<Member>) -> Self {
        let people = members.into_iter().map(|member| Belonging {
            member,
            belongs: true,
            key: None,
        });
        Self {
            group,
            people: people.collect(),
        }
    }

    /// Those of `members` who belong to the group, or do not, each once.
    pub fn among(&self, members: &[MemberId], belong: bool) -> Vec<&Belonging> {
        let wanted: HashSet<&MemberId> = members.iter().collect();
        let people = self.people.iter();
        people
            .filter(|one| one.belongs == belong && wanted.contains(&one.member.id))
            .collect()
    }

    /// Refuses ids of which nobody was found.
    fn check_known(&self, members: &[MemberId]) -> Result<()> {
        let known: HashSet<&MemberId> = self.people.iter().map(|one| &one.member.id).collect();
        let unknown = members.iter().filter(|id| !known.contains(id));
        let unknown: Vec<MemberId> = unknown.cloned().collect();
        match unknown.is_empty() {
            true => Ok(()),
            false => Err(Error::UnknownMembers(unknown)),
        }
    }

    /// What came of a wish that these people hold already.
    fn unchanged(&self) -> Changed {
        Changed {
            count: 0,
            group: Some(self.group.clone()),
        }
    }
}

/// What a change of a group's members came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// How many memberships were not there before, or are no more.
    pub count: usize,
    /// The group as it is afterwards, if the account's answer says so; as it was seen before, if
    /// nothing changed.
    pub group: Option<Group>,
}

/// Rights that reach the whole account: a group that has one can never be managed by a provider.
const ACCOUNT_WIDE_RIGHTS: [&str; 15] = [
    "ADD_PERSON",
    "CHANGE_PERSON_NAME",
    "CHANGE_TEAM_ATTRIBUTES",
    "CHANGE_TEAM_DOMAIN",
    "CHANGE_TEAM_SETTINGS",
    "DELETE_TEAM",
    "MANAGE_BILLING",
    "MANAGE_GROUPS",
    "MANAGE_SETTINGS",
    "MANAGE_VAULTS",
    "PROVISION_PEOPLE",
    "RECOVER_ACCOUNTS",
    "SUSPEND_PERSON",
    "SUSPEND_TEAM",
    "DELETE_PERSON",
];

impl Group {
    /// Whether membership gives power over the whole account, or the account made the group.
    pub fn has_account_wide_power(&self) -> bool {
        self.built_in
            || self
                .permissions
                .iter()
                .any(|right| ACCOUNT_WIDE_RIGHTS.contains(&right.as_str()))
    }
}

/// Which part of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where it begins.
    pub start: Start,
    /// The most rows, at most [`MAX_BATCH`]; 0 asks for the total only.
    pub limit: usize,
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// After this many rows.
    Offset(u64),
    /// After the row with this key: the `next` of the page before.
    After(String),
}

impl Page {
    /// The first `limit` rows.
    pub fn first(limit: usize) -> Self {
        Self {
            start: Start::Offset(0),
            limit,
        }
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<T> {
    /// The rows, in stable order.
    pub items: Vec<T>,
    /// How many rows the whole list has.
    pub total: u64,
    /// Key of the last row, if more rows follow.
    pub next: Option<String>,
}

/// Why an account did not do as asked.
///
/// The text is for an administrator: cause and remedy, no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The person or group does not exist (any more).
    #[error("the account has no such {0}")]
    NotFound(&'static str),
    /// Somebody in the account has this address.
    #[error("somebody in the account already has this e-mail address")]
    EmailTaken,
    /// Another group has this name.
    #[error("another group of the account already has this name")]
    GroupNameTaken,
    /// The account invites only people of certain domains.
    #[error(
        "the account does not invite people at {domain}: add the domain to its allowed domains"
    )]
    DomainNotAllowed {
        /// The domain that was refused.
        domain: String,
    },
    /// A value that the account does not take.
    #[error("{0}")]
    InvalidValue(String),
    /// An owner, the bridge itself, or a group with power over the whole account.
    #[error("{0}")]
    Protected(String),
    /// The step does not fit the state that the person is in.
    #[error("the person's state is {}", .0.name())]
    WrongState(MemberState),
    /// The person's public key is not the one that was seen before.
    #[error("the person's public key has changed")]
    KeyChanged,
    /// These ids are nobody's.
    #[error("the account has no member {}", list(.0))]
    UnknownMembers(Vec<MemberId>),
    /// The person or the group was changed by others in each of many rounds.
    #[error("the person or the group is being changed by others at this moment")]
    Changing,
    /// The Provision Manager lacks a right, or the group's key.
    #[error("{0}")]
    NotPermitted(String),
    /// The connector cannot do this at all.
    #[error("{0}")]
    Unsupported(String),
    /// The account refuses our credentials: they have to be made anew.
    #[error("the account refuses the bridge's credentials: {0}")]
    CredentialsRefused(String),
    /// The account asks for a slower pace.
    #[error("the account service is busy")]
    Busy {
        /// When to come again.
        retry_after: Duration,
    },
    /// The account could not be reached, or did not answer in time.
    #[error("the account service cannot be reached: {reason}")]
    Unavailable {
        /// What was seen.
        reason: String,
    },
    /// The service answered something that the protocol does not allow.
    #[error("the account service gave an answer that was not understood: {0}")]
    Protocol(String),
}

impl Error {
    /// Whether the account lets nobody in now, whatever is asked: it refuses the credentials, or is
    /// out of reach.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::CredentialsRefused(_) | Self::Unavailable { .. })
    }
}

fn list(ids: &[MemberId]) -> String {
    let ids: Vec<_> = ids.iter().map(MemberId::as_str).collect();
    ids.join(", ")
}
