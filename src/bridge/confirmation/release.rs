//! What an administrator says of those whom the rule holds back.

use time::OffsetDateTime;

use super::{Bridge, rule::due};
use crate::{
    account::MemberId,
    bridge::{
        ATTEMPTS,
        audit::{Line, change},
    },
    state::{self, Confirmation, ConfirmationStatus, HoldReason, Person, Versioned},
};

/// How many records are read at once.
const PAGE: usize = 1000;

/// Somebody whose confirmation is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenConfirmation {
    /// Their id.
    pub id: String,
    /// Where it stands.
    pub record: Confirmation,
    /// When they are to be confirmed, if nothing but time stands against it.
    pub due: Option<OffsetDateTime>,
}

impl OpenConfirmation {
    /// Where it stands, in one word.
    pub fn state(&self) -> &'static str {
        self.record.status.as_str()
    }

    /// What stands against it, if anything but time does.
    pub fn why(&self) -> Option<String> {
        match &self.record.status {
            ConfirmationStatus::Waiting {
                failures,
                last_error: Some(error),
                ..
            } => Some(format!("failed {failures} times, last: {error}")),
            ConfirmationStatus::Held { reason, .. } => Some(reason.to_string()),
            _ => None,
        }
    }

    /// What an administrator may do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        match &self.record.status {
            ConfirmationStatus::Held { reason, .. } => Some(match reason {
                HoldReason::KeyChanged => {
                    "ask the person whether they signed up a second time, then release or reject"
                }
                HoldReason::DomainNotAllowed => {
                    "release or reject, or add the domain to SCIM_BRIDGE_ALLOWED_DOMAINS"
                }
                HoldReason::NotInvited => {
                    "release or reject, or let the bridge confirm anybody \
                     (SCIM_BRIDGE_CONFIRM=anybody)"
                }
                HoldReason::Protected => "confirm the person in 1Password, as an administrator",
                HoldReason::Suspended => {
                    "activate the person at the provider, if they are to come in"
                }
                HoldReason::Unwanted => {
                    "activate the person at the provider, or release; or lift the removal guard to \
                     let the suspension through"
                }
            }),
            ConfirmationStatus::Rejected => Some("release, if they are to come in after all"),
            ConfirmationStatus::Waiting {
                last_error: Some(_),
                ..
            } => Some("nothing, if it passes by itself: it is tried again when due"),
            _ => None,
        }
    }

    /// Whether [`Bridge::release`] may help.
    pub fn is_releasable(&self) -> bool {
        match &self.record.status {
            ConfirmationStatus::Held { reason, .. } => reason.is_releasable(),
            ConfirmationStatus::Rejected => true,
            _ => false,
        }
    }
}

impl HoldReason {
    /// Whether an administrator's word is enough.
    fn is_releasable(self) -> bool {
        !matches!(self, Self::Suspended | Self::Protected)
    }
}

/// Why an administrator's word was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotDecided {
    /// Nobody of this name has a confirmation that is not over.
    #[error("nobody called {0:?} waits to be confirmed: see scim-bridge confirmations list")]
    Nobody(String),
    /// More than one.
    #[error(
        "{0:?} means more than one person: give the id that scim-bridge confirmations list shows"
    )]
    Ambiguous(String),
    /// There is nothing to release.
    #[error("{0} is not held: there is nothing to release")]
    NotHeld(String),
    /// A release cannot help.
    #[error("{email} cannot be released: {reason}")]
    OutOfReach {
        /// Whom.
        email: String,
        /// What the check found.
        reason: HoldReason,
    },
    /// A sweep is at this person, or others decide at the same time.
    #[error("{0} is being confirmed at this moment: try again in a minute")]
    UnderWay(String),
    /// The store did not answer.
    #[error(transparent)]
    State(#[from] state::Error),
}

impl Bridge {
    /// Those whose confirmation is not over, in the order of their ids, after `after`.
    ///
    /// # Errors
    /// If the store is out of reach.
    pub async fn confirmations(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<OpenConfirmation>, state::Error> {
        let open = self.store.open_confirmations(after, limit).await?;
        Ok(open
            .into_iter()
            .map(|(id, record)| self.listed(id, record.value))
            .collect())
    }

    /// Lets somebody in whom a check holds back or an administrator has rejected: the next sweep
    /// confirms them, if they still have the key that was seen. That the provider wants them out,
    /// and the removal guard held it up, is forgotten until the provider says it again. `who` is an
    /// id or an e-mail address. Repeatable.
    ///
    /// # Errors
    /// If there is nothing to release, or a release cannot help.
    pub async fn release(&self, who: &str) -> Result<OpenConfirmation, NotDecided> {
        let id = self.id_of(who).await?;
        let held = self.store.confirmation(&id).await?;
        if let Some(ConfirmationStatus::Held {
            reason: HoldReason::Unwanted,
            ..
        }) = held.map(|held| held.value.status)
        {
            self.forget_removal(&id).await?;
        }
        self.decide(who, id, "confirmation.release", |record, _| {
            let key = match &record.status {
                ConfirmationStatus::Held { reason, .. } if !reason.is_releasable() => {
                    return Err(NotDecided::OutOfReach {
                        email: record.email.clone(),
                        reason: *reason,
                    });
                }
                ConfirmationStatus::Held { key, .. } => key.clone(),
                // What was judged is the key first seen.
                ConfirmationStatus::Rejected => record.fingerprint.clone(),
                _ if record.released.is_some() => return Ok(None),
                _ => return Err(NotDecided::NotHeld(record.email.clone())),
            };
            Ok(Some(Confirmation {
                released: Some(key),
                status: ConfirmationStatus::waiting(),
                ..record.clone()
            }))
        })
        .await
    }

    /// Keeps somebody out until they are released. `who` is an id or an e-mail address.
    /// Repeatable.
    ///
    /// # Errors
    /// If nobody of that name waits.
    pub async fn reject(&self, who: &str) -> Result<OpenConfirmation, NotDecided> {
        let id = self.id_of(who).await?;
        self.decide(who, id, "confirmation.reject", |record, now| {
            match &record.status {
                ConfirmationStatus::Rejected => return Ok(None),
                ConfirmationStatus::Confirming { until, .. } if now < *until => {
                    return Err(NotDecided::UnderWay(record.email.clone()));
                }
                _ => {}
            }
            Ok(Some(Confirmation {
                released: None,
                status: ConfirmationStatus::Rejected,
                ..record.clone()
            }))
        })
        .await
    }

    /// Forgets that the provider does not want this person, if the guard has held that up.
    async fn forget_removal(&self, id: &str) -> Result<(), NotDecided> {
        for _ in 0..ATTEMPTS {
            let Some(known) = self.store.person(id).await? else {
                return Ok(());
            };
            let removal = known.value.removal.as_ref();
            if removal.is_some_and(|removal| removal.admitted_at.is_some()) {
                return Err(NotDecided::OutOfReach {
                    email: known.value.user_name,
                    reason: HoldReason::Unwanted,
                });
            }
            let wanted = Person {
                removal: None,
                ..known.value
            };
            match self.store.put_person(id, &wanted, known.version).await {
                Err(state::Error::Conflict) => {}
                written => return Ok(written?),
            }
        }
        Err(NotDecided::UnderWay(id.to_owned()))
    }

    /// Writes what `decision` makes of a record; it is asked again if the record changes meanwhile.
    async fn decide(
        &self,
        who: &str,
        id: String,
        action: &str,
        decision: impl Fn(&Confirmation, OffsetDateTime) -> Result<Option<Confirmation>, NotDecided>,
    ) -> Result<OpenConfirmation, NotDecided> {
        for _ in 0..ATTEMPTS {
            let known = self.store.confirmation(&id).await?;
            let Versioned { value, version } = known
                .filter(|known| known.value.status != ConfirmationStatus::Over)
                .ok_or_else(|| NotDecided::Nobody(who.to_owned()))?;
            let Some(next) = decision(&value, OffsetDateTime::now_utc())? else {
                return Ok(self.listed(id, value));
            };
            match self.store.put_confirmation(&id, &next, version).await {
                Ok(()) => {
                    let (before, after) = (value.status.as_str(), next.status.as_str());
                    self.done(Line {
                        action,
                        target: &id,
                        detail: next.email.clone(),
                        changes: vec![change("confirmation", Some(before), Some(after))],
                    })
                    .await;
                    return Ok(self.listed(id, next));
                }
                Err(state::Error::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(NotDecided::UnderWay(who.to_owned()))
    }

    /// The id of somebody who is called by it, or by the address that the list shows.
    async fn id_of(&self, who: &str) -> Result<String, NotDecided> {
        if who.parse::<MemberId>().is_ok() {
            return Ok(who.to_owned());
        }
        let email = who.trim().to_lowercase();
        let (mut found, mut after) = (None, None);
        loop {
            let open = self.store.open_confirmations(after.as_deref(), PAGE);
            let open = open.await?;
            let last = open.last().map(|(id, _)| id.clone());
            for (id, record) in open {
                if record.value.email.to_lowercase() == email && found.replace(id).is_some() {
                    return Err(NotDecided::Ambiguous(who.to_owned()));
                }
            }
            match last {
                Some(_) => after = last,
                None => return found.ok_or_else(|| NotDecided::Nobody(who.to_owned())),
            }
        }
    }

    fn listed(&self, id: String, record: Confirmation) -> OpenConfirmation {
        let due = due(&record, record.released.is_some(), &self.settings);
        OpenConfirmation { id, record, due }
    }
}
