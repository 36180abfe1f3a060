//! The removal guard: a bridge that obeys a broken provider suspends a company.
//!
//! So many people may be suspended or deleted in an hour, whichever bridge they are removed
//! through, and no more until time has passed or an administrator lifts the guard. Everything else
//! goes on meanwhile.

use std::time::Duration as StdDuration;

use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    ATTEMPTS, Bridge, Error, Guards,
    audit::{Line, change},
};
use crate::{
    account::{self, Page},
    metrics, scim,
    state::{self, Guard, RemovalsInMinute},
};

/// How long a removal counts, in whole minutes after its own.
const WINDOW_MINUTES: i64 = 60;

/// The same as a duration: a removal that passed the guard may be repeated for so long.
pub(super) const WINDOW: Duration = Duration::minutes(WINDOW_MINUTES);

/// Where the guard stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardStatus {
    /// How many people were removed within the last hour.
    pub removed: u64,
    /// How many may be.
    pub limit: u64,
    /// Until when it is lifted, if it is.
    pub lifted_until: Option<OffsetDateTime>,
    /// When it last refused something, if within the last hour and not lifted since then.
    pub refused_at: Option<OffsetDateTime>,
}

/// Who asks for a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remover {
    /// The provider.
    Provider,
    /// The policy, whose deletions leave half of the places to the provider.
    Policy,
}

/// What the guard says.
pub(super) enum Verdict {
    /// One of its places was taken, or is not needed.
    Admitted,
    /// There is none left.
    Refused(Error),
}

/// More are never remembered, whatever the percentage: a store's record has its limits.
const MOST: u64 = 8000;

/// How long after a refusal the next one is no news.
const NEWS: Duration = Duration::MINUTE;

impl Guards {
    /// How many people may be removed in an hour from an account of this size.
    pub fn limit(&self, people: u64) -> u64 {
        let percent = people.saturating_mul(self.removals_percent.into()) / 100;
        percent.max(self.removals.into()).min(MOST)
    }
}

impl Guard {
    fn is_lifted(&self, now: OffsetDateTime) -> bool {
        self.lifted_until.is_some_and(|until| now < until)
    }

    /// The minutes that count at `now`: those of the last hour.
    fn counting(&self, now: OffsetDateTime) -> impl Iterator<Item = &RemovalsInMinute> {
        let first = minute(now) - WINDOW_MINUTES;
        self.removals.iter().filter(move |one| one.minute >= first)
    }

    /// How many people were removed within the last hour.
    pub fn removed(&self, now: OffsetDateTime) -> u64 {
        self.counting(now).map(|one| one.people.len() as u64).sum()
    }

    /// Whether it has refused something within the hour, and still would.
    pub(crate) fn refuses(&self, now: OffsetDateTime) -> bool {
        let refused = self.refused_at.is_some_and(|at| at + WINDOW > now);
        refused && !self.is_lifted(now)
    }

    /// Whether this person's removal counts already.
    fn counts(&self, person: &str, now: OffsetDateTime) -> bool {
        let mut people = self.counting(now).flat_map(|one| &one.people);
        people.any(|known| known == person)
    }

    /// The same guard after one more removal.
    fn with_removal(&self, person: &str, now: OffsetDateTime) -> Self {
        let mut removals: Vec<_> = self.counting(now).cloned().collect();
        let this = minute(now);
        match removals.last_mut() {
            // A bridge whose clock is ahead may have been here.
            Some(last) if last.minute >= this => last.people.push(person.to_owned()),
            _ => removals.push(RemovalsInMinute {
                minute: this,
                people: vec![person.to_owned()],
            }),
        }
        Self {
            removals,
            ..self.clone()
        }
    }

    /// When the first of the removals that count does so no more.
    fn room_in(&self, now: OffsetDateTime) -> StdDuration {
        let first = self
            .counting(now)
            .next()
            .map_or(minute(now), |one| one.minute);
        let seconds = (first + WINDOW_MINUTES + 1) * 60 - now.unix_timestamp();
        StdDuration::from_secs(u64::try_from(seconds).unwrap_or(0).max(1))
    }
}

fn minute(at: OffsetDateTime) -> i64 {
    at.unix_timestamp().div_euclid(60)
}

impl Bridge {
    /// Takes one of the places that the guard has for removals. Nobody takes two.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub(super) async fn admit_removal(
        &self,
        person: &str,
        remover: Remover,
        now: OffsetDateTime,
    ) -> Result<Verdict, Error> {
        for attempt in 1..=ATTEMPTS {
            let known = self.store.guard().await?;
            let guard = &known.value;
            if guard.is_lifted(now) || guard.counts(person, now) {
                return Ok(Verdict::Admitted);
            }
            let removed = guard.removed(now);
            let places = |limit: u64| match remover {
                Remover::Provider => limit,
                Remover::Policy => limit.div_ceil(2),
            };
            // How many people there are is asked only when it matters.
            let mut limit = self.settings.guards.limit(0);
            if removed >= places(limit) && self.settings.guards.removals_percent > 0 {
                limit = self.settings.guards.limit(self.people_in_account().await?);
            }
            if removed >= places(limit) {
                if remover == Remover::Provider {
                    self.remember_refusal(&known, now).await;
                }
                return Ok(Verdict::Refused(refused(guard, removed, limit, now)));
            }
            let next = guard.with_removal(person, now);
            match self.store.put_guard(&next, known.version).await {
                Err(state::Error::Conflict) => pause(attempt).await,
                written => {
                    written?;
                    return Ok(Verdict::Admitted);
                }
            }
        }
        Err(state::Error::Conflict.into())
    }

    /// For who looks at the guard, and for whoever is to be woken. Whether somebody else writes it
    /// meanwhile does not matter.
    pub(super) async fn remember_refusal(
        &self,
        known: &state::Versioned<Guard>,
        now: OffsetDateTime,
    ) {
        metrics::GUARD_REFUSALS.add(1);
        if known.value.refused_at.is_some_and(|at| now - at < NEWS) {
            return;
        }
        let guard = Guard {
            refused_at: Some(now),
            ..known.value.clone()
        };
        tracing::error!("a guard refuses what a provider asks for: see scim-bridge guard status");
        if let Err(error) = self.store.put_guard(&guard, known.version).await {
            tracing::debug!(%error, "the refusal is not noted in the guard's record");
        }
    }

    async fn people_in_account(&self) -> Result<u64, account::Error> {
        Ok(self.account.members(&[], &Page::first(0)).await?.total)
    }

    /// Whether an administrator has lifted the guards. If not, something is refused now.
    pub(super) async fn guards_lifted(&self, now: OffsetDateTime) -> Result<bool, Error> {
        let known = self.store.guard().await?;
        let lifted = known.value.is_lifted(now);
        if !lifted {
            self.remember_refusal(&known, now).await;
        }
        Ok(lifted)
    }

    /// Where the guard stands.
    ///
    /// # Errors
    /// If account or store are out of reach.
    pub async fn guard_status(&self, now: OffsetDateTime) -> Result<GuardStatus, Error> {
        let guard = self.store.guard().await?.value;
        let people = match self.settings.guards.removals_percent {
            0 => 0,
            _ => self.people_in_account().await?,
        };
        let lifted_until = guard.lifted_until.filter(|_| guard.is_lifted(now));
        let refused_at = guard.refused_at.filter(|at| *at + WINDOW > now);
        Ok(GuardStatus {
            removed: guard.removed(now),
            limit: self.settings.guards.limit(people),
            lifted_until,
            refused_at,
        })
    }

    /// Lifts the guards until then: what was removed before does not count any more. With a moment
    /// that is not to come puts them up again.
    ///
    /// # Errors
    /// If the store is out of reach.
    pub async fn lift_guard(
        &self,
        until: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        // Nobody needs more than whole seconds.
        let until = until.replace_nanosecond(0).unwrap_or(until);
        for attempt in 1..=ATTEMPTS {
            let known = self.store.guard().await?;
            let guard = match until > now {
                true => Guard {
                    lifted_until: Some(until),
                    ..Guard::default()
                },
                false => Guard {
                    lifted_until: None,
                    ..known.value.clone()
                },
            };
            match self.store.put_guard(&guard, known.version).await {
                Err(state::Error::Conflict) => pause(attempt).await,
                written => {
                    written?;
                    let lifted = |at: Option<OffsetDateTime>| {
                        at.filter(|at| *at > now)
                            .and_then(|at| at.format(&Rfc3339).ok())
                    };
                    let (before, after) = (lifted(known.value.lifted_until), lifted(Some(until)));
                    self.done(Line {
                        action: "guard.lift",
                        target: "guard",
                        detail: match &after {
                            Some(until) => format!("until {until}"),
                            None => "put up again".to_owned(),
                        },
                        changes: vec![change("liftedUntil", before, after)],
                    })
                    .await;
                    return Ok(());
                }
            }
        }
        Err(state::Error::Conflict.into())
    }
}

/// Longer each time, so that many who met once do not meet again.
async fn pause(attempt: u32) {
    tokio::time::sleep(StdDuration::from_millis(5) * attempt * attempt).await;
}

fn refused(guard: &Guard, removed: u64, limit: u64, now: OffsetDateTime) -> Error {
    Error {
        outside: scim::Error::unavailable(format!(
            "the removal guard stands: {removed} people were suspended or deleted within an hour, \
             and the limit is {limit}. Nobody was removed now. If it is meant, an administrator \
             lifts the guard with: scim-bridge guard lift"
        )),
        retry_after: Some(guard.room_in(now)),
        inside: None,
        outage: None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Ten o'clock, and so many seconds.
    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(36_000 + seconds).unwrap()
    }

    fn after(removals: &[i64]) -> Guard {
        let mut guard = Guard::default();
        for (number, seconds) in removals.iter().enumerate() {
            guard = guard.with_removal(&number.to_string(), at(*seconds));
        }
        guard
    }

    #[test]
    fn nobody_is_counted_twice_within_the_hour() {
        let guard = after(&[0, 60]);
        assert!(guard.counts("0", at(3600)) && !guard.counts("0", at(3660)));
        assert!(!guard.counts("2", at(0)));
    }

    #[test]
    fn a_removal_counts_for_an_hour_and_never_less() {
        let guard = after(&[0, 59, 60, 3599]);
        for (seconds, counted) in [
            (3599, 4),
            (3600, 4),
            (3659, 4),
            (3660, 2),
            (3720, 1),
            (7260, 0),
        ] {
            assert_eq!(guard.removed(at(seconds)), counted, "after {seconds} s");
        }
    }

    #[test]
    fn what_is_remembered_stays_small() {
        let guard = after(&(0..3_000).map(|n| n * 7).collect::<Vec<_>>());
        assert!(guard.removals.len() <= 61, "{}", guard.removals.len());
        let people: usize = guard.removals.iter().map(|one| one.people.len()).sum();
        assert!(people < 530, "{people}");
    }

    #[test]
    fn the_larger_limit_counts() {
        let guards = |removals, removals_percent| Guards {
            removals,
            removals_percent,
            empty_group: 10,
        };
        for (limits, people, limit) in [
            (guards(10, 10), 0, 10),
            (guards(10, 10), 99, 10),
            (guards(10, 10), 250, 25),
            (guards(0, 10), 9, 0),
            (guards(5, 0), 10_000, 5),
            (guards(0, 0), 10_000, 0),
        ] {
            assert_eq!(limits.limit(people), limit, "{limits:?} of {people}");
        }
    }

    #[test]
    fn who_comes_again_when_told_finds_room() {
        let guard = after(&[30, 90]);
        for seconds in [100, 1000, 3600, 3659] {
            let now = at(seconds);
            let then = now + guard.room_in(now);
            assert!(
                guard.removed(then) < guard.removed(now),
                "after {seconds} s"
            );
            assert_eq!(guard.removed(then - Duration::SECOND), guard.removed(now));
        }
    }
}
