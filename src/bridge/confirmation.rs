//! Letting people in who have signed up: a delay, then a second look, then their keys.
//!
//! A person who waits is written down with the moment and the fingerprint of their public key.
//! Once the delay has passed a sweep reads them again, and confirms only what it saw the first
//! time. [`step`] is the whole rule as a pure function; the rest of this file is its effects.
//! The account refuses to confirm somebody twice, and every record is written on condition that
//! nobody else wrote it, so sweeps may overlap, and may be cut off anywhere.

use std::collections::HashSet;

use time::{Duration, OffsetDateTime};

use super::{Bridge, Settings};
use crate::{
    account::{self, KeyFingerprint, Member, MemberId, MemberKind, MemberState, Page, Start},
    state::{self, Confirmation, ConfirmationStatus, HoldReason, Versioned},
};

/// How many people a sweep holds in memory at once.
const BATCH: usize = 200;

/// The first pause after a failed confirmation; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::seconds(30);
const LONGEST_PAUSE: Duration = Duration::hours(1);

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// People who are in now.
    pub confirmed: usize,
    /// People who go on waiting, the newly seen among them.
    pub waiting: usize,
    /// People whom a check holds back.
    pub held: usize,
    /// People whose confirmation failed; they are tried again.
    pub failed: usize,
}

impl Sweep {
    /// Counts what happened to one person. A trouble that is theirs alone does not hold up the
    /// others; only one that the next person would meet too ends the sweep.
    fn take(&mut self, id: &MemberId, outcome: Result<(), SweepError>) -> Result<(), SweepError> {
        match outcome {
            Err(error) if !error.concerns_everybody() => {
                tracing::warn!(member = %id, %error, "confirmation failed");
                self.failed += 1;
                Ok(())
            }
            outcome => outcome,
        }
    }
}

/// Why a sweep ended before it was through. The next one goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The account did not answer, or refuses us.
    #[error(transparent)]
    Account(#[from] account::Error),
    /// The store did not answer.
    #[error(transparent)]
    State(#[from] state::Error),
}

impl SweepError {
    fn concerns_everybody(&self) -> bool {
        match self {
            Self::Account(error) => matches!(
                error,
                account::Error::Unavailable { .. }
                    | account::Error::Busy { .. }
                    | account::Error::CredentialsRefused(_)
            ),
            Self::State(error) => !matches!(error, state::Error::Corrupt(_)),
        }
    }
}

/// What comes next for one person.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Write down when and with which key they were first seen.
    Begin(KeyFingerprint),
    /// Nothing to do yet.
    Wait,
    /// Let them in.
    Confirm(KeyFingerprint),
    /// A check says no.
    Hold(HoldReason),
    /// The check that held them says yes by now: they go on waiting from when they began.
    Resume,
    /// They do not wait any more.
    Finish,
}

/// The rule: what comes next for a person, given what was written down and what they are now.
fn step(
    record: Option<&Confirmation>,
    member: Option<&Member>,
    settings: &Settings,
    now: OffsetDateTime,
) -> Step {
    let waiting = member.filter(|member| {
        member.state == MemberState::TransferAccepted && member.kind == MemberKind::Member
    });
    let Some((member, key)) = waiting.and_then(|m| Some((m, m.key_fingerprint.clone()?))) else {
        return Step::Finish;
    };
    if !settings.allows_domain_of(&member.email) {
        return Step::Hold(HoldReason::DomainNotAllowed);
    }
    // What is over says nothing of who waits now: the delay begins anew.
    let Some(record) = record.filter(|record| record.status != ConfirmationStatus::Over) else {
        return Step::Begin(key);
    };
    if record.fingerprint != key.as_str() {
        return Step::Hold(HoldReason::KeyChanged);
    }
    match &record.status {
        ConfirmationStatus::Over | ConfirmationStatus::Held { .. } => Step::Resume,
        ConfirmationStatus::Confirming { .. } | ConfirmationStatus::Rejected => Step::Wait,
        ConfirmationStatus::Waiting { not_before, .. } => {
            let due = record.since + settings.confirmation.delay;
            let due = not_before.map_or(due, |pause| due.max(pause));
            if now < due {
                Step::Wait
            } else {
                Step::Confirm(key)
            }
        }
    }
}

impl Bridge {
    /// Goes through everybody who waits, and confirms those whose time has come.
    ///
    /// With nobody waiting this costs one request to the account and one to the store.
    ///
    /// # Errors
    /// If the account or the store is out of reach. What was done until then stays done.
    pub async fn sweep(&self, now: OffsetDateTime) -> Result<Sweep, SweepError> {
        let mut sweep = Sweep::default();
        let mut seen = HashSet::new();
        let mut page = Page::first(BATCH);
        loop {
            let states = [MemberState::TransferAccepted];
            let waiting = self.account.members(&states, &page).await?;
            for member in waiting.items {
                seen.insert(member.id.to_string());
                let id = &member.id;
                let advanced = match self.store.confirmation(id.as_str()).await {
                    Ok(record) => {
                        self.advance(id, record, Some(&member), now, &mut sweep)
                            .await
                    }
                    Err(error) => Err(error.into()),
                };
                sweep.take(id, advanced)?;
            }
            let Some(next) = waiting.next else { break };
            page.start = Start::After(next);
        }
        self.close_records(&seen, now, &mut sweep).await?;
        Ok(sweep)
    }

    /// Ends the records of people who were confirmed, suspended or deleted meanwhile: by another
    /// sweep, by a provider, or by one of ours that was cut off before it could write it down.
    async fn close_records(
        &self,
        seen: &HashSet<String>,
        now: OffsetDateTime,
        sweep: &mut Sweep,
    ) -> Result<(), SweepError> {
        let mut after: Option<String> = None;
        loop {
            let open = self
                .store
                .open_confirmations(after.as_deref(), BATCH)
                .await?;
            let Some((last, _)) = open.last() else {
                return Ok(());
            };
            after = Some(last.clone());
            let full = open.len() == BATCH;
            for (id, record) in open {
                let Ok(id) = id.parse::<MemberId>() else {
                    continue;
                };
                if !seen.contains(id.as_str()) {
                    let advanced = match self.account.member(&id).await {
                        Ok(member) => {
                            self.advance(&id, Some(record), member.as_ref(), now, sweep)
                                .await
                        }
                        Err(error) => Err(error.into()),
                    };
                    sweep.take(&id, advanced)?;
                }
            }
            if !full {
                return Ok(());
            }
        }
    }

    /// Takes one person as far as they can go now.
    async fn advance(
        &self,
        id: &MemberId,
        mut record: Option<Versioned<Confirmation>>,
        member: Option<&Member>,
        now: OffsetDateTime,
        sweep: &mut Sweep,
    ) -> Result<(), SweepError> {
        loop {
            let known = record.as_ref().map(|record| &record.value);
            let next = match step(known, member, &self.settings, now) {
                Step::Wait => {
                    sweep.waiting += 1;
                    return Ok(());
                }
                Step::Finish => match known {
                    Some(known) if known.status != ConfirmationStatus::Over => Confirmation {
                        status: ConfirmationStatus::Over,
                        ..known.clone()
                    },
                    _ => return Ok(()),
                },
                Step::Begin(key) => Confirmation {
                    since: now,
                    fingerprint: key.as_str().to_owned(),
                    email: member.map_or_else(String::new, |member| member.email.clone()),
                    released: None,
                    status: ConfirmationStatus::waiting(),
                },
                Step::Resume => match known {
                    Some(known) => Confirmation {
                        status: ConfirmationStatus::waiting(),
                        ..known.clone()
                    },
                    None => return Ok(()),
                },
                Step::Hold(reason) => {
                    sweep.held += 1;
                    let held = hold(known, member, reason, now);
                    if known == Some(&held) {
                        return Ok(());
                    }
                    tracing::warn!(member = %id, status = ?held.status, "confirmation held");
                    held
                }
                Step::Confirm(key) => match known {
                    Some(known) => self.confirm(id, key, known, now, sweep).await?,
                    None => return Ok(()),
                },
            };
            let version = record.as_ref().map_or(0, |record| record.version);
            match self
                .store
                .put_confirmation(id.as_str(), &next, version)
                .await
            {
                Ok(()) => {}
                // Another sweep is at this person: theirs is the word that counts.
                Err(state::Error::Conflict) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            let goes_on = has_another_step(&next, now);
            record = Some(Versioned {
                value: next,
                version: version + 1,
            });
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// Looks at the person once more and confirms them. Returns what to write down.
    async fn confirm(
        &self,
        id: &MemberId,
        key: KeyFingerprint,
        known: &Confirmation,
        now: OffsetDateTime,
        sweep: &mut Sweep,
    ) -> Result<Confirmation, SweepError> {
        let with = |status| Confirmation {
            status,
            ..known.clone()
        };
        let member = self.account.member(id).await?;
        match step(Some(known), member.as_ref(), &self.settings, now) {
            Step::Confirm(_) => {}
            Step::Hold(reason) => {
                sweep.held += 1;
                return Ok(with(ConfirmationStatus::Held {
                    reason,
                    key: known.fingerprint.clone(),
                }));
            }
            _ => return Ok(with(ConfirmationStatus::Over)),
        }
        let error = match self.account.confirm(id, &key).await {
            Ok(_) => {
                tracing::info!(member = %id, "confirmed");
                sweep.confirmed += 1;
                return Ok(with(ConfirmationStatus::Over));
            }
            Err(error) => error,
        };
        match error {
            // Somebody else was quicker, or the provider suspended the person just now.
            account::Error::WrongState(_) | account::Error::NotFound(_) => {
                Ok(with(ConfirmationStatus::Over))
            }
            account::Error::KeyChanged => {
                sweep.held += 1;
                Ok(with(ConfirmationStatus::Held {
                    reason: HoldReason::KeyChanged,
                    key: String::new(),
                }))
            }
            error if SweepError::from(error.clone()).concerns_everybody() => Err(error.into()),
            error => {
                tracing::warn!(member = %id, %error, "confirmation failed");
                sweep.failed += 1;
                Ok(with(after_failure(&known.status, &error.to_string(), now)))
            }
        }
    }
}

/// The record of a person whom a check holds back.
fn hold(
    known: Option<&Confirmation>,
    member: Option<&Member>,
    reason: HoldReason,
    now: OffsetDateTime,
) -> Confirmation {
    let key = || member.and_then(|member| member.key_fingerprint.as_ref());
    Confirmation {
        since: known.map_or(now, |known| known.since),
        // The key first seen stays the measure, or a second try with the new one would pass.
        fingerprint: known.map_or_else(
            || key().map_or_else(String::new, |key| key.as_str().to_owned()),
            |known| known.fingerprint.clone(),
        ),
        email: member.map_or_else(String::new, |member| member.email.clone()),
        released: None,
        status: ConfirmationStatus::Held {
            reason,
            key: key().map_or_else(String::new, |key| key.as_str().to_owned()),
        },
    }
}

/// Whether a record just written leads to another step at once: a delay of zero, or a hold that
/// was lifted after the delay had passed.
fn has_another_step(record: &Confirmation, now: OffsetDateTime) -> bool {
    match &record.status {
        ConfirmationStatus::Waiting { not_before, .. } => {
            not_before.is_none_or(|pause| pause <= now)
        }
        _ => false,
    }
}

fn after_failure(
    status: &ConfirmationStatus,
    error: &str,
    now: OffsetDateTime,
) -> ConfirmationStatus {
    let failures = match status {
        ConfirmationStatus::Waiting { failures, .. } => failures.saturating_add(1),
        _ => 1,
    };
    let pause = FIRST_PAUSE * 2i32.saturating_pow(failures.saturating_sub(1).min(10));
    ConfirmationStatus::Waiting {
        failures,
        not_before: Some(now + pause.min(LONGEST_PAUSE)),
        last_error: Some(error.to_owned()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn after(seconds: i64) -> OffsetDateTime {
        START + Duration::seconds(seconds)
    }

    fn member(state: MemberState, key: Option<&str>) -> Member {
        Member {
            id: "AAAAAAAAAAAAAAAAAAAAAAAAAA".parse().unwrap(),
            email: "ann@example.com".into(),
            pending_email: None,
            name: "Ann".into(),
            language: "en".into(),
            state,
            kind: MemberKind::Member,
            protected: false,
            key_fingerprint: key.map(KeyFingerprint::new),
            created_at: START,
            updated_at: START,
            version: 1,
        }
    }

    fn record(status: ConfirmationStatus) -> Confirmation {
        Confirmation {
            since: START,
            fingerprint: "key".into(),
            email: String::new(),
            released: None,
            status,
        }
    }

    fn paused(until: i64) -> ConfirmationStatus {
        ConfirmationStatus::Waiting {
            failures: 1,
            not_before: Some(after(until)),
            last_error: Some("x".into()),
        }
    }

    #[test]
    fn every_transition() {
        use ConfirmationStatus::{Held, Over};
        use MemberState::{
            Active, Suspended, TransferAccepted, TransferStarted, TransferSuspended,
        };
        let settings = Settings::default();
        let waiting = ConfirmationStatus::waiting;
        let held = || Held {
            reason: HoldReason::KeyChanged,
            key: String::new(),
        };
        let key = || KeyFingerprint::new("key");
        let accepted = Some(member(TransferAccepted, Some("key")));
        let changed = Some(member(TransferAccepted, Some("other")));
        let no_match = || Step::Hold(HoldReason::KeyChanged);
        let cases = [
            ("first seen", None, accepted.clone(), 0, Step::Begin(key())),
            (
                "delay runs",
                Some(waiting()),
                accepted.clone(),
                299,
                Step::Wait,
            ),
            (
                "delay over",
                Some(waiting()),
                accepted.clone(),
                300,
                Step::Confirm(key()),
            ),
            (
                "late schedule",
                Some(waiting()),
                accepted.clone(),
                99_999,
                Step::Confirm(key()),
            ),
            (
                "pause after failure",
                Some(paused(900)),
                accepted.clone(),
                899,
                Step::Wait,
            ),
            (
                "pause over",
                Some(paused(900)),
                accepted.clone(),
                900,
                Step::Confirm(key()),
            ),
            (
                "pause within delay",
                Some(paused(10)),
                accepted.clone(),
                20,
                Step::Wait,
            ),
            (
                "key changed",
                Some(waiting()),
                changed.clone(),
                10,
                no_match(),
            ),
            (
                "key still changed",
                Some(held()),
                changed.clone(),
                999,
                no_match(),
            ),
            (
                "another key after all was over",
                Some(Over),
                changed,
                999,
                Step::Begin(KeyFingerprint::new("other")),
            ),
            (
                "cause gone",
                Some(held()),
                accepted.clone(),
                999,
                Step::Resume,
            ),
            (
                "waits once more",
                Some(Over),
                accepted,
                999,
                Step::Begin(key()),
            ),
            (
                "no key",
                None,
                Some(member(TransferAccepted, None)),
                0,
                Step::Finish,
            ),
            ("deleted", Some(waiting()), None, 999, Step::Finish),
        ];
        for (name, status, member, seconds, expected) in cases {
            let record = status.map(record);
            let next = step(record.as_ref(), member.as_ref(), &settings, after(seconds));
            assert_eq!(next, expected, "{name}");
        }
        for state in [Active, Suspended, TransferStarted, TransferSuspended] {
            let member = member(state, Some("key"));
            let next = step(
                Some(&record(waiting())),
                Some(&member),
                &settings,
                after(999),
            );
            assert_eq!(next, Step::Finish, "{state:?}");
        }
    }

    #[test]
    fn a_domain_that_is_not_allowed_holds() {
        let settings = Settings {
            allowed_domains: vec!["other.example".into()],
            ..Settings::default()
        };
        let member = member(MemberState::TransferAccepted, Some("key"));
        let next = step(None, Some(&member), &settings, START);
        assert!(matches!(next, Step::Hold(HoldReason::DomainNotAllowed)));
    }

    #[test]
    fn pauses_double_up_to_an_hour() {
        let mut status = ConfirmationStatus::waiting();
        let mut pauses = Vec::new();
        for _ in 0..9 {
            status = after_failure(&status, "x", START);
            let ConfirmationStatus::Waiting { not_before, .. } = &status else {
                unreachable!()
            };
            pauses.push((not_before.unwrap() - START).whole_seconds());
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
    }

    #[test]
    fn the_first_key_stays_the_measure() {
        let known = record(ConfirmationStatus::waiting());
        let changed = member(MemberState::TransferAccepted, Some("other"));
        let held = hold(
            Some(&known),
            Some(&changed),
            HoldReason::KeyChanged,
            after(5),
        );
        assert_eq!((held.fingerprint.as_str(), held.since), ("key", START));
    }
}
