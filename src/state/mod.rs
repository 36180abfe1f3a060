//! What the bridge remembers between requests, and only because the account cannot hold it.
//!
//! Losing a store loses no person: names as the provider sent them, its external ids, the list of
//! managed groups, whom the bridge invited and whom the provider wants out, the clocks of running
//! confirmations and of the removal guard, what the bridge's parts last noted of themselves, and the
//! audit, nothing else; an account session that bridges share is sealed, and made anew. Until they
//! are known again people are held rather than let in. Records carry a version, and every write is
//! conditional on it, so that any number of bridges may share one store; only heartbeats are written
//! over whatever is there.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

#[cfg(feature = "aws")]
pub mod dynamodb;
mod heartbeats;
pub mod overlay;
mod place;
#[cfg(any(feature = "aws", feature = "azure"))]
mod records;
#[cfg(feature = "local")]
pub mod sqlite;
#[cfg(feature = "azure")]
pub mod table_storage;

pub use heartbeats::{
    AccountHeartbeat, AccountTrouble, Heartbeat, Heartbeats, ProviderHeartbeat, SweepHeartbeat,
    SweepOutcome, believed, pace,
};
pub use place::{NotAPlace, Place};

/// A place for the bridge's records. Ids are the account's, as text.
#[async_trait]
pub trait StateStore: Send + Sync {
    /// What is remembered of one person.
    async fn person(&self, id: &str) -> Result<Option<Versioned<Person>>>;

    /// The same for a page of people; the answer has one place for each id, in their order.
    async fn people(&self, ids: &[&str]) -> Result<Vec<Option<Versioned<Person>>>>;

    /// The person to whom the provider gave this external id (compared with case).
    async fn person_by_external_id(&self, external_id: &str) -> Result<Option<String>>;

    /// The people who were sent with this address among their `emails` (compared without case),
    /// at most 100.
    async fn people_by_email(&self, email: &str) -> Result<Vec<String>>;

    /// Writes a person if the stored version is still `version` (0: there is none yet).
    async fn put_person(&self, id: &str, person: &Person, version: u64) -> Result<()>;

    /// Forgets a person who has left the account; it is no error if there is none.
    async fn remove_person(&self, id: &str) -> Result<()>;

    /// The people who are to be put back into this group ([`Removal::groups`]), in the order of
    /// their ids, after `after`.
    async fn people_out_of(
        &self,
        group: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>>;

    /// The people whose removal the guard let pass and who were removed ([`Removal::since`]) no
    /// later than `until`, the longest first.
    async fn people_removed(&self, until: Timestamp, limit: usize) -> Result<Vec<String>>;

    /// One managed group.
    async fn managed_group(&self, id: &str) -> Result<Option<Versioned<ManagedGroup>>>;

    /// Those of `ids` that are managed; the answer has one place for each id, in their order.
    async fn managed_groups_by_id(
        &self,
        ids: &[&str],
    ) -> Result<Vec<Option<Versioned<ManagedGroup>>>>;

    /// The group to which the provider gave this external id (compared with case).
    async fn managed_group_by_external_id(&self, external_id: &str) -> Result<Option<String>>;

    /// A page of the managed groups in the order of their ids, and how many there are in all.
    async fn managed_groups(&self, offset: u64, limit: usize) -> Result<(Vec<String>, u64)>;

    /// Writes a managed group if the stored version is still `version` (0: there is none yet).
    async fn put_managed_group(&self, id: &str, group: &ManagedGroup, version: u64) -> Result<()>;

    /// Forgets a managed group; it is no error if there is none.
    async fn remove_managed_group(&self, id: &str) -> Result<()>;

    /// How far a person's confirmation has come.
    async fn confirmation(&self, id: &str) -> Result<Option<Versioned<Confirmation>>>;

    /// The same for a page of people; the answer has one place for each id, in their order.
    async fn confirmations(&self, ids: &[&str]) -> Result<Vec<Option<Versioned<Confirmation>>>>;

    /// A page of the confirmations that are not over, in the order of their ids, after `after`.
    async fn open_confirmations(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Versioned<Confirmation>)>>;

    /// Writes a confirmation if the stored version is still `version` (0: there is none yet).
    async fn put_confirmation(
        &self,
        id: &str,
        confirmation: &Confirmation,
        version: u64,
    ) -> Result<()>;

    /// Claims the creation of the resource with this key until `until`, under the name `attempt`.
    ///
    /// The account and this store cannot be written in one transaction. Whoever takes over a
    /// claim that was cut off gets the first attempt's name with it, under which the account
    /// answers a repeat with what that attempt created.
    async fn claim_creation(
        &self,
        key: &CreationKey,
        attempt: &str,
        now: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Result<Claim>;

    /// Ends a claim. `Interrupted` leaves it to be taken over at once, `Done` forgets it.
    async fn end_creation(&self, key: &CreationKey, end: CreationEnd) -> Result<()>;

    /// Takes part in the account session that bridges share under `key`, or in making it. One that
    /// is over by `now`, or has no lane left, is as none.
    ///
    /// Who is to begin it has until `until` to [share](StateStore::share_session) it; then somebody
    /// else may.
    async fn join_session(
        &self,
        key: &str,
        attempt: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<SessionTurn>;

    /// Shares the session that `attempt` was to begin, whose lane 0 is the caller's.
    /// [`Error::Conflict`] if somebody else began one since.
    async fn share_session(&self, key: &str, attempt: &str, session: &SharedSession) -> Result<()>;

    /// Forgets what is known under `key` if it is what `end` says; whether it was.
    async fn end_session(&self, key: &str, end: SessionEnd<'_>) -> Result<bool>;

    /// What the guard remembers; nothing yet is version 0.
    async fn guard(&self) -> Result<Versioned<Guard>>;

    /// Writes the guard's memory if the stored version is still `version`.
    async fn put_guard(&self, guard: &Guard, version: u64) -> Result<()>;

    /// What the parts of the bridge last noted of themselves, in one read.
    async fn heartbeats(&self) -> Result<Heartbeats>;

    /// Notes what one of them says now; the last writer wins.
    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> Result<()>;

    /// Adds a line to the audit. Those from before `keep_from` are dropped, now or later.
    async fn append_audit(&self, entry: &AuditEntry, keep_from: Timestamp) -> Result<()>;

    /// The audit's first lines from `since` on, in the order of time (those of one millisecond in
    /// any), and where to go on: `None`
    /// after the last. `after` is where the page before left off.
    async fn audit(
        &self,
        since: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<AuditEntry>, Option<String>)>;
}

/// The answer of a store.
pub type Result<T> = std::result::Result<T, Error>;

/// A record with the version that a later write has to name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The record.
    pub value: T,
    /// Counts its writes, from 1.
    pub version: u64,
}

/// A person's attributes as the provider sent them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The provider's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// `userName` in the spelling that was sent.
    pub user_name: String,
    /// `displayName`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// `name.formatted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formatted: Option<String>,
    /// `name.givenName`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// `name.familyName`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    /// `emails`, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<Email>,
    /// `preferredLanguage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_language: Option<String>,
    /// The one name that the account was given; if the account has another one by now, the
    /// account is right and the names above are history.
    pub account_name: String,
    /// Whether this bridge invited the person.
    #[serde(default)]
    pub invited: bool,
    /// That the provider does not want the person in, and what came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removal: Option<Removal>,
    /// When any of this last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: Timestamp,
}

/// A provider's word that somebody is to be out. It is written down before the account is told, so
/// that nobody confirms the person meanwhile, and forgotten when the provider wants them in again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// When it was first said or, once the guard has let it pass, when that was.
    #[serde(with = "time::serde::rfc3339")]
    pub since: Timestamp,
    /// When the removal guard let it pass; `None` as long as it refuses.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub admitted_at: Option<Timestamp>,
    /// Ids of the groups that the person was taken out of with it, to be put back if they return.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

/// One of a person's addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    /// The address.
    pub value: String,
    /// `work`, `home` or another word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Whether it is the first choice, if the provider said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<bool>,
    /// A label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
}

/// A group that shows through SCIM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedGroup {
    /// `displayName` in the spelling that was sent.
    pub display_name: String,
    /// The name that the account made of it; if it has another one by now, the account is right.
    pub account_name: String,
    /// The provider's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// When any of this last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: Timestamp,
}

/// How far the confirmation of a person has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// When a sweep first saw the person waiting with this key: the delay counts from here.
    #[serde(with = "time::serde::rfc3339")]
    pub since: Timestamp,
    /// Fingerprint of the public key that was seen then.
    pub fingerprint: String,
    /// The address that they had then, for people to read.
    #[serde(default)]
    pub email: String,
    /// Fingerprint of the key with which an administrator lets the person in, whatever the checks
    /// say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<String>,
    /// Where it stands.
    pub status: ConfirmationStatus,
}

/// Where a confirmation stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum ConfirmationStatus {
    /// The delay runs, or the last try failed.
    Waiting {
        /// How often it failed.
        #[serde(default)]
        failures: u32,
        /// Not to be tried before this moment.
        #[serde(default, with = "time::serde::rfc3339::option")]
        not_before: Option<Timestamp>,
        /// Why the last try failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_error: Option<String>,
    },
    /// A sweep is at it.
    Confirming {
        /// How often it failed before.
        #[serde(default)]
        failures: u32,
        /// If it is not through by then, it was cut off, and the next one may try.
        #[serde(with = "time::serde::rfc3339")]
        until: Timestamp,
    },
    /// A check said no; nothing happens until its cause is gone or an administrator releases them.
    Held {
        /// What the check found.
        reason: HoldReason,
        /// Fingerprint of the public key that the person had then.
        key: String,
    },
    /// An administrator said no.
    Rejected,
    /// The person is in, or no longer waits.
    Over,
}

impl ConfirmationStatus {
    /// The word that stands for it in a record.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Confirming { .. } => "confirming",
            Self::Held { .. } => "held",
            Self::Rejected => "rejected",
            Self::Over => "over",
        }
    }

    /// Waiting, never tried.
    pub fn waiting() -> Self {
        Self::Waiting {
            failures: 0,
            not_before: None,
            last_error: None,
        }
    }
}

/// Why somebody who has signed up is not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// Perhaps the same person after a mishap, perhaps somebody else.
    #[error("the public key is not the one that was first seen")]
    KeyChanged,
    /// See the allowed domains among the settings.
    #[error("the address is not in one of the allowed domains")]
    DomainNotAllowed,
    /// Somebody else put them into the account.
    #[error("the person was not invited by this bridge")]
    NotInvited,
    /// Or somebody in the account has.
    #[error("the provider has suspended the person")]
    Suspended,
    /// The removal guard held it up, or somebody in the account has taken it back.
    #[error("the provider wants the person suspended")]
    Unwanted,
    /// They belong to a group with power over the account.
    #[error("the person has power over the account: only an administrator confirms such people")]
    Protected,
}

/// What a creation is known by before it has an id: kind and unique name, the latter compared
/// without case. A conditional change is claimed in the same way, so that one goes after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreationKey {
    /// A person, by e-mail address.
    Person(String),
    /// A group, by name.
    Group(String),
    /// A conditional change of what has this id already.
    Change(String),
    /// The return or the final deletion of the person with this id, who is suspended.
    Return(String),
}

impl CreationKey {
    /// The key as one text, for a store's index.
    pub fn to_text(&self) -> String {
        match self {
            Self::Person(email) => format!("person:{}", email.to_lowercase()),
            Self::Group(name) => format!("group:{}", name.to_lowercase()),
            Self::Change(id) => format!("change:{id}"),
            Self::Return(id) => format!("return:{id}"),
        }
    }
}

/// The answer to [`StateStore::claim_creation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is ours, under this name: the one we gave, or that of an attempt that was cut off.
    Ours(String),
    /// Somebody is at it now.
    Held,
}

/// How a claimed creation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreationEnd {
    /// Created, or refused for good.
    Done,
    /// It is not known how far it came.
    Interrupted,
}

/// An account session that bridges share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedSession {
    /// Names it.
    pub id: String,
    /// Whatever it takes to use it, for those who can open it.
    pub sealed: String,
    /// When it is over at the latest.
    pub until: Timestamp,
}

/// How many processes may use one session, its beginner counted.
pub const SESSION_LANES: u32 = 1 << 16;

/// The answer to [`StateStore::join_session`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionTurn {
    /// There is one, and this lane of it is the caller's alone. Lanes are given in their order;
    /// one whose answer was lost is nobody's.
    Join {
        /// The session.
        session: SharedSession,
        /// From 1.
        lane: u16,
    },
    /// There is none: the caller is to begin one.
    Begin,
    /// Somebody is beginning one now.
    Wait,
}

/// Why a session is to be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEnd<'a> {
    /// This attempt to begin one failed: the next may try at once.
    Failed(&'a str),
    /// The session with this id is over.
    Over(&'a str),
    /// Who began the session with this id leaves, and nobody else has joined.
    Alone(&'a str),
}

/// What the guard against a provider that removes too many people remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// An administrator has lifted it until then.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub lifted_until: Option<Timestamp>,
    /// Who was suspended or deleted in which minute, in the order of time.
    #[serde(default)]
    pub removals: Vec<RemovalsInMinute>,
    /// When it last refused something.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub refused_at: Option<Timestamp>,
}

/// The removals of one minute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovalsInMinute {
    /// Minutes since 1970.
    pub minute: i64,
    /// Ids of the people, each once in all minutes.
    pub people: Vec<String>,
}

/// One line of the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: Timestamp,
    /// Who: the label of the token or key that was used, or `administrator`.
    pub actor: String,
    /// What was asked for, such as `user.suspend`.
    pub action: String,
    /// The id of whom or what it was about, or their name if there is no id.
    pub target: String,
    /// What came of it.
    pub outcome: AuditOutcome,
    /// More, for people: a name, a reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What changed, or would have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<AuditChange>,
    /// The kind of provider that asked, such as `Okta`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The request that it came of, as the answer and the log name it.
    #[serde(default, rename = "requestId", skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// One attribute that changed. Never a secret: the bridge keeps none of those that providers send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditChange {
    /// Its name, a SCIM path such as `name.givenName` where there is one.
    pub attribute: String,
    /// What it was; of `members` and `groups` only those that left. `None` if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it is now; of `members` and `groups` only those that came. `None` if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// What came of something that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// It was done.
    Done,
    /// A rule forbids it, or it was asked for in a way that cannot be obeyed.
    Refused,
    /// The bridge could not do it: the same request may succeed later.
    Failed,
    /// It would have been done, but the bridge only observes.
    Observed,
}

impl AuditOutcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Done, Self::Refused, Self::Failed, Self::Observed];

    /// The word that stands for it in records and in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Observed => "observed",
        }
    }
}

/// A moment, in UTC.
pub type Timestamp = OffsetDateTime;

/// Why a store did not do as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The record was written by somebody else meanwhile: read it again.
    #[error("the record was changed at the same time")]
    Conflict,
    /// Another resource of the same kind has this external id.
    #[error("another resource has this externalId")]
    ExternalIdTaken,
    /// The store could not be reached, or did not answer in time.
    #[error("the state store cannot be reached: {0}")]
    Unavailable(String),
    /// The store is not there, or does not let the bridge in: an administrator has to see to it.
    #[error("the state store cannot be used: {0}")]
    Refused(String),
    /// The store holds something that this version cannot read.
    #[error("the state store holds a record that cannot be read: {0}")]
    Corrupt(String),
}

impl Error {
    /// The same, which happened to this record.
    #[must_use]
    fn at(self, record: &str) -> Self {
        match self {
            Self::Corrupt(reason) => Self::Corrupt(format!("{record}: {reason}")),
            other => other,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_an_earlier_release_is_read_and_outcomes_are_called_as_in_records() {
        let old = r#"{"at":"1970-01-01T00:00:00Z","actor":"okta","action":"user.suspend",
            "target":"A","outcome":"done"}"#;
        let line: AuditEntry = serde_json::from_str(old).unwrap();
        assert_eq!((line.changes.len(), line.request_id), (0, None));
        for outcome in AuditOutcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
        }
    }
}
