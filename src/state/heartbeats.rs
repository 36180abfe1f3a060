//! What the parts of a bridge last noted of themselves: a monitor is told this, whichever process it
//! asks. Each part has one record, and the last writer wins.

use serde::{Deserialize, Serialize};
use time::Duration;

use super::Timestamp;

/// What was noted last, as far as anything was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heartbeats {
    /// The provider's requests.
    pub provider: Option<ProviderHeartbeat>,
    /// The sweeps.
    pub sweep: Option<SweepHeartbeat>,
    /// Whether the account lets the bridge in.
    pub account: Option<AccountHeartbeat>,
}

/// What one part notes of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heartbeat {
    /// The provider's requests.
    Provider(ProviderHeartbeat),
    /// The sweeps.
    Sweep(SweepHeartbeat),
    /// Whether the account lets the bridge in.
    Account(AccountHeartbeat),
}

/// When the provider last called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderHeartbeat {
    /// The label of the token that it showed.
    pub label: String,
    /// Which provider it is, if it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// When it last asked for something.
    #[serde(with = "time::serde::rfc3339")]
    pub last_request: Timestamp,
    /// When it last asked for a change that was made, or held already.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub last_write: Option<Timestamp>,
}

/// How the last sweep went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepHeartbeat {
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub at: Timestamp,
    /// When this ceases to be believed unless a later one is noted.
    #[serde(with = "time::serde::rfc3339")]
    pub until: Timestamp,
    /// How often one is to come.
    pub every_seconds: u64,
    /// What came of it.
    pub outcome: SweepOutcome,
    /// When a sweep last let somebody in.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub last_confirmed: Option<Timestamp>,
}

/// What came of a sweep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SweepOutcome {
    /// It got through; of so many people each.
    Done {
        /// They are in now.
        confirmed: usize,
        /// They wait.
        waiting: usize,
        /// A check or an administrator keeps them out.
        held: usize,
        /// They are tried again.
        failed: usize,
    },
    /// It waits for a token: there is no key for it, and is not to be.
    Locked {
        /// In words.
        reason: String,
    },
    /// It could not open the credentials.
    Unopened {
        /// In words.
        reason: String,
    },
    /// The account or the store stopped it.
    Stopped {
        /// In words.
        reason: String,
    },
}

/// Whether the account lets the bridge in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountHeartbeat {
    /// When it was last asked for something.
    #[serde(with = "time::serde::rfc3339")]
    pub at: Timestamp,
    /// When this ceases to be believed unless a later one is noted.
    #[serde(with = "time::serde::rfc3339")]
    pub until: Timestamp,
    /// When it last let the bridge in.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub last_signed_in: Option<Timestamp>,
    /// Why it does not now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<AccountTrouble>,
}

/// Why the account does not let the bridge in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountTrouble {
    /// When that was first seen.
    #[serde(with = "time::serde::rfc3339")]
    pub since: Timestamp,
    /// What was last seen of it, in words.
    pub reason: String,
    /// Whether it refuses the credentials, which does not pass by itself.
    pub refused: bool,
}

/// How seldom a process notes what stays the same, given how often it sweeps.
pub fn pace(every: Duration) -> Duration {
    Duration::MINUTE.max(every * 4)
}

/// For how long what was noted is believed: two notes may be lost or late.
pub fn believed(every: Duration) -> Duration {
    pace(every) * 3
}
