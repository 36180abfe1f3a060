//! Letting people in who have signed up: a delay, then a second look, then their keys.
//!
//! * `rule`: what comes next for a person, as a pure function.
//! * here: the sweep, which is the rule's effects.
//! * `release`: what an administrator says of those whom the rule holds back.
//!
//! A person who waits is written down with the moment and the fingerprint of their public key.
//! Once the delay has passed a sweep takes a lease on them, reads them again, and confirms only
//! what it saw the first time. Every record is written on condition that nobody else wrote it, so
//! that its version is a fencing token: sweeps may overlap, and may be cut off anywhere.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt, future::ready, stream};
use serde::Serialize;
use time::{Duration, OffsetDateTime};
use tokio::time::Instant;

use super::{
    Bridge,
    audit::{Line, change},
};
use crate::{
    account::{self, KeyFingerprint, Member, MemberId, MemberState, Page, Start, Waiting},
    state::{self, Confirmation, ConfirmationStatus, Person, Versioned},
};
use rule::{Step, after_failure, failures, hold, step};

mod release;
mod rule;

pub use release::{NotDecided, OpenConfirmation};

/// How long a sweep has one person to itself. It outlives the calls that are made meanwhile, two of
/// the account's (each well under 25 seconds) and a few of the store's.
const LEASE: Duration = Duration::seconds(60);

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sweep {
    /// People who are in now.
    pub confirmed: usize,
    /// People who go on waiting, the newly seen among them.
    pub waiting: usize,
    /// People whom a check or an administrator keeps out.
    pub held: usize,
    /// People whose confirmation failed; they are tried again.
    pub failed: usize,
    /// People who were removed long enough ago, and are deleted now.
    pub deleted: usize,
    /// Whether the time was up before everybody was looked at.
    pub left: bool,
}

/// Why a sweep ended before it was through. The next one goes on where it stopped.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SweepError {
    /// The account did not answer, or refuses us.
    #[error(transparent)]
    Account(#[from] account::Error),
    /// The store did not answer.
    #[error(transparent)]
    State(#[from] state::Error),
}

impl SweepError {
    /// Whether the next person would meet it too.
    pub(super) fn concerns_everybody(&self) -> bool {
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

/// What became of one person in a sweep.
enum Outcome {
    Confirmed,
    Waiting,
    Held,
    Failed,
    /// They do not wait (any more).
    Over,
}

impl Sweep {
    /// Counts what became of one person. A trouble that is theirs alone does not hold up the
    /// others; only one that the next person would meet too ends the sweep.
    fn count(&mut self, id: &MemberId, outcome: Result<Outcome, SweepError>) -> Option<SweepError> {
        match outcome {
            Ok(Outcome::Confirmed) => self.confirmed += 1,
            Ok(Outcome::Waiting) => self.waiting += 1,
            Ok(Outcome::Held) => self.held += 1,
            Ok(Outcome::Failed) => self.failed += 1,
            Ok(Outcome::Over) => {}
            Err(error) if error.concerns_everybody() => return Some(error),
            Err(_) => {
                tracing::warn!(member = %id, "confirmation failed; scim-bridge confirmations list says why");
                self.failed += 1;
            }
        }
        None
    }
}

/// The time that a sweep has.
struct Course {
    now: OffsetDateTime,
    begun: Instant,
    budget: Duration,
    stopped: AtomicBool,
}

impl Course {
    /// The time goes on while a sweep is under way.
    fn now(&self) -> OffsetDateTime {
        self.now + self.begun.elapsed()
    }

    /// Whether anything more is to be begun. The last tenth of the time is for what is under way
    /// then.
    fn goes_on(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed) && self.begun.elapsed() < self.budget * 0.9
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// One person, as far as a sweep knows them.
struct Case {
    id: MemberId,
    record: Option<Versioned<Confirmation>>,
    member: Option<Member>,
    person: Option<Person>,
}

impl Bridge {
    /// Goes through everybody who waits, and confirms those whose time has come, as far as the
    /// configured time suffices.
    ///
    /// With nobody waiting this costs one request to the account and one to the store.
    ///
    /// # Errors
    /// If the account or the store is out of reach. What was done until then stays done.
    pub async fn sweep(&self, now: OffsetDateTime) -> Result<Sweep, SweepError> {
        self.sweep_within(self.settings.confirmation.budget, now)
            .await
    }

    /// The same with another limit of time.
    ///
    /// # Errors
    /// As for [`Bridge::sweep`].
    pub async fn sweep_within(
        &self,
        budget: Duration,
        now: OffsetDateTime,
    ) -> Result<Sweep, SweepError> {
        let course = Course {
            now,
            begun: Instant::now(),
            budget,
            stopped: AtomicBool::new(false),
        };
        let mut sweep = Sweep::default();
        let work = async {
            self.look_at_waiting(&course, &mut sweep).await?;
            self.look_at_others(&course, &mut sweep).await?;
            sweep.deleted = self.delete_removed(course.now()).await?;
            Ok::<_, SweepError>(())
        };
        match tokio::time::timeout(budget.unsigned_abs(), work).await {
            Ok(done) => done?,
            // What was under way is cut off, as if the process had been killed.
            Err(_) => sweep.left = true,
        }
        Ok(sweep)
    }

    /// Takes everybody who waits as far as they can go now. Those who are in have left the list,
    /// and those who can go nowhere cost no more than their place in a page, so that the next
    /// sweep comes further.
    async fn look_at_waiting(&self, course: &Course, sweep: &mut Sweep) -> Result<(), SweepError> {
        let mut page = Page::first(self.settings.confirmation.batch);
        loop {
            let states = [MemberState::TransferAccepted];
            let waiting = self.account.members(&states, &page).await?;
            self.look_at(waiting.items, course, sweep).await?;
            match waiting.next {
                Some(next) if course.goes_on() => page.start = Start::After(next),
                next => {
                    sweep.left |= next.is_some();
                    return Ok(());
                }
            }
        }
    }

    /// Looks at those who do not wait although their confirmation is not over: suspended, deleted
    /// or confirmed meanwhile, by a provider, by another sweep, or by one of ours that was cut off
    /// before it could write it down.
    async fn look_at_others(&self, course: &Course, sweep: &mut Sweep) -> Result<(), SweepError> {
        let batch = self.settings.confirmation.batch;
        let mut after: Option<String> = None;
        while course.goes_on() {
            let open = self.store.open_confirmations(after.as_deref(), batch);
            let open = open.await?;
            let Some((last, _)) = open.last() else {
                return Ok(());
            };
            after = Some(last.clone());
            let full = open.len() == batch;
            let open: Vec<(MemberId, _)> = open
                .into_iter()
                .filter_map(|(id, record)| Some((id.parse().ok()?, record)))
                .collect();
            let ids: Vec<_> = open.iter().map(|(id, _)| id.clone()).collect();
            let mut members = self
                .account
                .members_by_id(&ids)
                .await?
                .into_iter()
                .peekable();
            let mut cases = Vec::new();
            for (id, record) in open {
                let member = members.next_if(|member| member.id == id);
                let waits = |member: &Member| member.state == MemberState::TransferAccepted;
                if !member.as_ref().is_some_and(waits) {
                    cases.push(Case {
                        id,
                        record: Some(record),
                        member,
                        person: None,
                    });
                }
            }
            self.advance_all(cases, course, sweep).await?;
            if !full {
                return Ok(());
            }
        }
        sweep.left = true;
        Ok(())
    }

    /// Looks at a page of people, at the cost of one request to the store for what was written
    /// down and one for what the provider said.
    async fn look_at(
        &self,
        members: Vec<Member>,
        course: &Course,
        sweep: &mut Sweep,
    ) -> Result<(), SweepError> {
        if members.is_empty() {
            return Ok(());
        }
        match self.cases(&members).await {
            Ok(cases) => self.advance_all(cases, course, sweep).await,
            // The one whose record cannot be read is to hold up nobody else.
            Err(state::Error::Corrupt(_)) if members.len() > 1 => {
                for member in members {
                    Box::pin(self.look_at(vec![member], course, sweep)).await?;
                }
                Ok(())
            }
            Err(error) => match sweep.count(&members[0].id, Err(error.into())) {
                Some(error) => Err(error),
                None => Ok(()),
            },
        }
    }

    async fn cases(&self, members: &[Member]) -> state::Result<Vec<Case>> {
        let ids: Vec<&str> = members.iter().map(|member| member.id.as_str()).collect();
        let records = self.store.confirmations(&ids).await?;
        let people = self.store.people(&ids).await?;
        let known = records.into_iter().zip(people);
        Ok(members
            .iter()
            .zip(known)
            .map(|(member, (record, person))| Case {
                id: member.id.clone(),
                record,
                member: Some(member.clone()),
                person: person.map(|person| person.value),
            })
            .collect())
    }

    /// Takes people as far as they can go now, a few at a time.
    async fn advance_all(
        &self,
        cases: Vec<Case>,
        course: &Course,
        sweep: &mut Sweep,
    ) -> Result<(), SweepError> {
        let (all, mut seen, mut trouble) = (cases.len(), 0, None);
        let advancing = stream::iter(cases)
            .take_while(|_| ready(course.goes_on()))
            .map(|case| async { (case.id.clone(), self.advance(case, course).await) });
        let mut advancing = advancing.buffer_unordered(self.settings.confirmation.concurrency);
        while let Some((id, outcome)) = advancing.next().await {
            seen += 1;
            if let Some(error) = sweep.count(&id, outcome) {
                // What is under way comes to its end.
                course.stop();
                trouble.get_or_insert(error);
            }
        }
        sweep.left |= seen < all;
        trouble.map_or(Ok(()), Err)
    }

    /// Takes one person as far as they can go now.
    async fn advance(&self, case: Case, course: &Course) -> Result<Outcome, SweepError> {
        let Case {
            id,
            mut record,
            mut member,
            mut person,
        } = case;
        // As seen under the lease.
        let mut waiting: Option<Waiting> = None;
        loop {
            let known = record.as_ref().map(|record| &record.value);
            let version = record.as_ref().map_or(0, |record| record.version);
            let now = course.now();
            let next = step(known, member.as_ref(), person.as_ref(), &self.settings, now);
            let (next, outcome) = match (next, known, &member) {
                (Step::Begin(key), _, Some(member)) => (
                    Confirmation {
                        since: now,
                        fingerprint: key.as_str().to_owned(),
                        email: member.email.clone(),
                        released: None,
                        status: ConfirmationStatus::waiting(),
                    },
                    None,
                ),
                (Step::Resume, Some(known), _) => {
                    (with_status(known, ConfirmationStatus::waiting()), None)
                }
                (Step::Hold(reason), _, Some(member)) => {
                    // What is over says nothing of who waits now.
                    let open = known.filter(|known| known.status != ConfirmationStatus::Over);
                    let held = hold(open, member, reason, now);
                    if known.is_some_and(|known| known.status == held.status) {
                        return Ok(Outcome::Held);
                    }
                    (held, Some(Outcome::Held))
                }
                (Step::Finish, Some(known), _) if known.status != ConfirmationStatus::Over => {
                    let over = with_status(known, ConfirmationStatus::Over);
                    (over, Some(Outcome::Over))
                }
                (Step::Confirm(key), Some(known), _) => {
                    if let Some(waiting) = &waiting {
                        return self.let_in(waiting, &key, known, version, course).await;
                    }
                    let lease = ConfirmationStatus::Confirming {
                        failures: failures(&known.status),
                        until: now + LEASE,
                    };
                    if !self.write(&id, &with_status(known, lease), version).await? {
                        return Ok(Outcome::Waiting);
                    }
                    let again = self.look_again(&id).await;
                    // The rule looks at what was before the lease; what is written follows it.
                    let before = Versioned {
                        value: known.clone(),
                        version: version + 1,
                    };
                    match again {
                        Ok(found) => (waiting, person) = found,
                        Err(error) => return self.failed(&id, &before, error, course).await,
                    }
                    member = waiting.as_ref().map(|waiting| waiting.member.clone());
                    record = Some(before);
                    continue;
                }
                (Step::Wait, Some(known), _) if known.status == ConfirmationStatus::Rejected => {
                    return Ok(Outcome::Held);
                }
                (Step::Wait, ..) => return Ok(Outcome::Waiting),
                _ => return Ok(Outcome::Over),
            };
            if !self.write(&id, &next, version).await? {
                // Another sweep is at this person: theirs is the word that counts.
                return Ok(Outcome::Waiting);
            }
            self.note_change(&id, known, member.as_ref(), &next).await;
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
            record = Some(Versioned {
                value: next,
                version: version + 1,
            });
        }
    }

    /// Confirms somebody on whom this sweep has the lease, and whom it has looked at since; `known`
    /// is the record before it.
    async fn let_in(
        &self,
        waiting: &Waiting,
        key: &KeyFingerprint,
        known: &Confirmation,
        version: u64,
        course: &Course,
    ) -> Result<Outcome, SweepError> {
        let id = &waiting.member.id;
        if let Err(error) = self.account.let_in(waiting, key).await {
            let before = Versioned {
                value: known.clone(),
                version,
            };
            return self.failed(id, &before, error.into(), course).await;
        }
        tracing::info!(member = %id, "confirmed");
        let over = with_status(known, ConfirmationStatus::Over);
        // If somebody else was quicker they have seen that the person is in, and noted it.
        if self.write(id, &over, version).await? {
            self.note_confirmed(id, known.email.clone()).await;
        }
        Ok(Outcome::Confirmed)
    }

    /// Gives a lease back with the reason why it came to nothing. `before` is the record as it was,
    /// with the lease's version.
    async fn failed(
        &self,
        id: &MemberId,
        before: &Versioned<Confirmation>,
        error: SweepError,
        course: &Course,
    ) -> Result<Outcome, SweepError> {
        let known = &before.value;
        let status = after_failure(&known.status, &error.to_string(), course.now());
        let record = with_status(known, status);
        // A lease that is not given back ends by itself.
        let written = self.write(id, &record, before.version).await;
        if error.concerns_everybody() {
            return Err(error);
        }
        tracing::warn!(member = %id, "confirmation failed; scim-bridge confirmations list says why");
        written?;
        Ok(Outcome::Failed)
    }

    /// The person as they are now, and what the provider says of them now.
    async fn look_again(
        &self,
        id: &MemberId,
    ) -> Result<(Option<Waiting>, Option<Person>), SweepError> {
        let waiting = self.account.waiting(id).await?;
        let person = self.store.person(id.as_str()).await?;
        Ok((waiting, person.map(|person| person.value)))
    }

    /// Writes a record; `false` if somebody else wrote it meanwhile.
    async fn write(
        &self,
        id: &MemberId,
        record: &Confirmation,
        version: u64,
    ) -> state::Result<bool> {
        let written = self.store.put_confirmation(id.as_str(), record, version);
        match written.await {
            Ok(()) => Ok(true),
            Err(state::Error::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Notes for the audit what a new record says: that somebody is held back, or that they are in
    /// by a try which did not come as far as to say so.
    async fn note_change(
        &self,
        id: &MemberId,
        before: Option<&Confirmation>,
        member: Option<&Member>,
        record: &Confirmation,
    ) {
        match &record.status {
            ConfirmationStatus::Held { reason, .. } => {
                tracing::warn!(member = %id, %reason, "confirmation held");
                let why = format!("{}: {reason}", record.email);
                self.refused("user.confirm", id.as_str(), &why).await;
            }
            ConfirmationStatus::Over => {
                let tried = before.is_some_and(|before| match before.status {
                    ConfirmationStatus::Confirming { .. } => true,
                    _ => failures(&before.status) > 0,
                });
                if tried && member.is_some_and(|member| member.state == MemberState::Active) {
                    let detail = format!("{}: found confirmed after a try", record.email);
                    self.note_confirmed(id, detail).await;
                }
            }
            _ => {}
        }
    }
}

impl Bridge {
    async fn note_confirmed(&self, id: &MemberId, detail: String) {
        self.done(Line {
            action: "user.confirm",
            target: id.as_str(),
            detail,
            changes: vec![change("confirmed", Some(false), Some(true))],
        })
        .await;
    }
}

fn with_status(known: &Confirmation, status: ConfirmationStatus) -> Confirmation {
    Confirmation {
        status,
        ..known.clone()
    }
}
