//! The rules between the two worlds: which member a SCIM User is, which group a SCIM Group is,
//! who may be touched, and when somebody is let in.
//!
//! The account is the truth. The bridge reads it fresh for every request, keeps nothing in the
//! process, and asks the state store only for what the account cannot hold.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use time::Duration;

use crate::{
    account::{Account, overlay::Overlay as AccountOverlay},
    scim::{
        list::ListQuery,
        meta::Meta,
        policy::Policy,
        version::{Conditions, Version},
    },
    state::{StateStore, overlay::Overlay as StateOverlay},
};

mod audit;
mod bulk;
mod confirmation;
mod creation;
mod error;
mod groups;
mod guard;
mod list;
mod overview;
mod users;

pub use audit::asked;
pub use bulk::MAX_BULK_OPERATIONS;
pub use confirmation::{NotDecided, OpenConfirmation, Sweep, SweepError};
pub use error::Error;
pub use groups::{AccountGroup, Adoption};
pub use guard::GuardStatus;
pub use list::{Key, List, Place, Position};
pub use overview::{Check, People, Recent};

/// The most resources in one page of a list: what `ServiceProviderConfig` announces.
pub const MAX_RESULTS: u64 = 1000;

/// What providers really send is understood.
const POLICY: Policy = Policy::compatible();

/// How often a change starts over when others change the same thing at the same time.
const ATTEMPTS: u32 = 8;

/// A bridge to one account. Cheap to clone and to share.
#[derive(Clone)]
pub struct Bridge {
    account: Arc<dyn Account>,
    store: Arc<dyn StateStore>,
    settings: Arc<Settings>,
    /// On whose behalf it works, for the audit.
    actor: Arc<str>,
    /// The request that it works on, for the audit.
    request: Option<Arc<audit::Request>>,
    /// How many lines about what was not done the audit's store has taken.
    refusals: Arc<audit::Refusals>,
}

/// What an administrator decides.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether anything is changed at all.
    pub mode: Mode,
    /// Domains that people may have their address in; empty leaves it to the account.
    pub allowed_domains: Vec<String>,
    /// Who is confirmed, and when.
    pub confirmation: Confirmations,
    /// What a provider is not obeyed in without a question.
    pub guards: Guards,
    /// What becomes of people whom the provider does not want any more.
    pub deprovisioning: Deprovisioning,
    /// What becomes of a new address where the account's connector cannot change it.
    pub email_change: EmailChange,
    /// How long lines of the audit are kept.
    pub audit_kept: Duration,
}

/// Whether the bridge acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It does what it is asked.
    #[default]
    Act,
    /// It answers as if, changes nothing, and notes in the audit what it would have done.
    Observe,
}

/// The settings of the confirmation.
#[derive(Clone, Debug)]
pub struct Confirmations {
    /// How long after a person signed up they are confirmed; zero means at once.
    pub delay: Duration,
    /// Whether those are confirmed, too, whom this bridge did not invite.
    pub anybody: bool,
    /// How many people a sweep holds in memory at once, 1 to 1000.
    pub batch: usize,
    /// How many people a sweep confirms at the same time, at least 1.
    pub concurrency: usize,
    /// How long a sweep may take before it leaves the rest to the next one.
    pub budget: Duration,
}

/// The limits above which removals wait for an administrator.
#[derive(Clone, Copy, Debug)]
pub struct Guards {
    /// How many people may be suspended or deleted in an hour; the larger of this and
    /// `removals_percent` counts.
    pub removals: u32,
    /// The same in percent of the account's people.
    pub removals_percent: u32,
    /// One request may empty or delete a group of this many members, and no larger one.
    pub empty_group: u64,
}

/// What becomes of people whom the provider does not want any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deprovisioning {
    /// They are suspended, and keep everything for their return.
    #[default]
    Suspend,
    /// They are taken out of the managed groups too; if they return they are put back.
    LeaveGroups,
    /// They are suspended, and after this time deleted for good.
    DeleteAfter(Duration),
}

/// What becomes of a new address where the account's connector cannot change it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmailChange {
    /// It is passed over: the rest of the request is done, and the answer shows the old address.
    #[default]
    Ignore,
    /// The request is refused.
    Refuse,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::Act,
            allowed_domains: Vec::new(),
            confirmation: Confirmations {
                delay: Duration::minutes(5),
                anybody: false,
                batch: 200,
                concurrency: 8,
                budget: Duration::seconds(45),
            },
            guards: Guards {
                removals: 10,
                removals_percent: 10,
                empty_group: 10,
            },
            deprovisioning: Deprovisioning::Suspend,
            email_change: EmailChange::Ignore,
            audit_kept: Duration::days(90),
        }
    }
}

impl Settings {
    /// Whether people at this address may be invited and confirmed.
    fn allows_domain_of(&self, email: &str) -> bool {
        let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
        self.allowed_domains.is_empty()
            || self
                .allowed_domains
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(domain))
    }
}

impl Bridge {
    /// A bridge between this account and whoever asks.
    ///
    /// One that observes works on overlays of both, for as long as it lives: what it was asked for
    /// it goes on to know, so that a provider gets answers that fit one another. Its memory grows
    /// with what is changed.
    pub fn new(account: Arc<dyn Account>, store: Arc<dyn StateStore>, settings: Settings) -> Self {
        let (account, store) = match settings.mode {
            Mode::Act => (account, store),
            Mode::Observe => (
                Arc::new(AccountOverlay::new(account)) as Arc<dyn Account>,
                Arc::new(StateOverlay::new(store)) as Arc<dyn StateStore>,
            ),
        };
        Self {
            account,
            store,
            settings: Arc::new(settings),
            actor: "bridge".into(),
            request: None,
            refusals: Arc::default(),
        }
    }

    /// The same bridge, at work on behalf of somebody: the label of a token or key.
    #[must_use]
    pub fn on_behalf_of(&self, actor: &str) -> Self {
        Self {
            actor: actor.into(),
            ..self.clone()
        }
    }

    /// The same bridge for one request: what its parts read may be shared among them.
    #[must_use]
    pub fn for_one_request(self) -> Self {
        match self.account.for_one_request() {
            Some(account) => Self { account, ..self },
            None => self,
        }
    }

    /// On whose behalf it works: the label of a token or key.
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// Signs out of the account; for a process that stops.
    pub async fn sign_out(&self) {
        self.account.sign_out().await;
    }
}

/// What a request brings besides its target and its body.
#[derive(Clone, Debug)]
pub struct Context {
    /// The URL in front of `/Users` as the client knows it, for `meta.location`.
    pub base: String,
    /// Which attributes, and of a list which part, the client wants.
    pub query: ListQuery,
    /// What it makes depend on the resource's version.
    pub conditions: Conditions,
}

/// A resource as an answer.
#[derive(Debug)]
pub struct Resource {
    /// With the attributes that the client wants; `None` if it is too large to be sent unasked.
    pub value: Option<Value>,
    /// Its URL.
    pub location: String,
    /// Its version, also where `value` is without `meta`.
    pub version: Version,
}

/// Waits for all of these, a few at a time, in their order.
async fn in_parallel<T>(
    tasks: Vec<impl Future<Output = Result<T, Error>>>,
) -> Result<Vec<T>, Error> {
    stream::iter(tasks).buffered(8).try_collect().await
}

/// What a client sent, as far as an error's text needs it.
fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Gives a resource what only the server says: its id and `meta`.
fn identify(resource: &mut Value, id: &str, meta: &Meta) {
    if let Some(object) = resource.as_object_mut() {
        object.insert("id".to_owned(), id.into());
        object.insert("meta".to_owned(), meta.to_value());
    }
}
