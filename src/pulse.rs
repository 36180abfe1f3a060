//! Writes down how the work goes, in the state store, where any process finds it: seldom while
//! nothing changes, at once when something does, and never at the cost of the work.

use std::{
    mem::discriminant,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time,
};

use ::time::{Duration, OffsetDateTime};

use crate::{
    account,
    http::Served,
    state::{
        self, AccountHeartbeat, AccountTrouble, Heartbeat, Heartbeats, ProviderHeartbeat,
        StateStore, SweepHeartbeat, SweepOutcome, believed, pace,
    },
};

/// How long a note may keep the work waiting.
const PATIENCE: time::Duration = time::Duration::from_secs(1);

/// What a process has to say of its work.
pub struct Pulse {
    store: Arc<dyn StateStore>,
    /// How often a sweep is to come.
    every: Duration,
    /// How long one may take.
    budget: Duration,
    noted: Mutex<Noted>,
}

/// What this process noted last.
#[derive(Default)]
struct Noted {
    provider: Option<ProviderHeartbeat>,
    sweep: Option<SweepHeartbeat>,
    account: Option<AccountHeartbeat>,
    /// When a provider last changed something here, noted or not.
    last_write: Option<OffsetDateTime>,
}

impl Pulse {
    /// Of a process that has not done anything yet.
    pub fn new(store: Arc<dyn StateStore>, every: Duration, budget: Duration) -> Self {
        Self {
            store,
            every,
            budget,
            noted: Mutex::default(),
        }
    }

    /// A provider's request was answered.
    pub async fn served(&self, served: Served, now: OffsetDateTime) {
        let mut news = Vec::new();
        {
            let mut noted = self.noted();
            if served.wrote {
                noted.last_write = Some(now);
            }
            let seen = ProviderHeartbeat {
                label: served.label,
                kind: served.kind.map(str::to_owned),
                last_request: now,
                last_write: noted.last_write,
            };
            if seen.is_news(noted.provider.as_ref(), pace(self.every)) {
                noted.provider = Some(seen.clone());
                news.push(Heartbeat::Provider(seen));
            }
            let account = served.account;
            news.extend(account.and_then(|account| self.account(&mut noted, account, now)));
        }
        self.write(news, false).await;
    }

    /// Somebody looked whether the account lets the bridge in.
    pub async fn looked(&self, account: Result<(), account::Error>, now: OffsetDateTime) {
        let news = self.account(&mut self.noted(), account, now);
        self.write(news.into_iter().collect(), false).await;
    }

    /// A sweep is over; with what it tells of the account.
    pub async fn swept(
        &self,
        outcome: SweepOutcome,
        account: Option<Result<(), account::Error>>,
        now: OffsetDateTime,
    ) {
        let mut news = Vec::new();
        let is_first;
        {
            let mut noted = self.noted();
            is_first = noted.sweep.is_none();
            let confirmed = matches!(outcome, SweepOutcome::Done { confirmed: 1.., .. });
            let seen = SweepHeartbeat {
                at: now,
                until: self.believed_until(now),
                every_seconds: self.every.whole_seconds().unsigned_abs(),
                outcome: nameless_outcome(outcome),
                last_confirmed: confirmed.then_some(now),
            };
            if seen.is_news(noted.sweep.as_ref(), pace(self.every)) {
                noted.sweep = Some(seen.clone());
                news.push(Heartbeat::Sweep(seen));
            }
            news.extend(account.and_then(|account| self.account(&mut noted, account, now)));
        }
        self.write(news, is_first).await;
    }

    /// When what was so at `now`, or began then, ceases to be believed.
    fn believed_until(&self, now: OffsetDateTime) -> OffsetDateTime {
        now + self.budget + believed(self.every)
    }

    /// What to note of the account, if anything.
    fn account(
        &self,
        noted: &mut Noted,
        answer: Result<(), account::Error>,
        now: OffsetDateTime,
    ) -> Option<Heartbeat> {
        let seen = AccountHeartbeat {
            at: now,
            until: self.believed_until(now),
            last_signed_in: answer.is_ok().then_some(now),
            trouble: answer.err().map(|error| AccountTrouble {
                since: now,
                reason: nameless(&error.to_string()),
                refused: matches!(error, account::Error::CredentialsRefused(_)),
            }),
        };
        let news = seen.is_news(noted.account.as_ref(), pace(self.every));
        news.then(|| {
            noted.account = Some(seen.clone());
            Heartbeat::Account(seen)
        })
    }

    /// Writes these over what is there, with what of it is to stay. `is_first`: the process has said
    /// nothing of sweeps before.
    async fn write(&self, news: Vec<Heartbeat>, is_first: bool) {
        if news.is_empty() {
            return;
        }
        let work = async {
            let known = self.store.heartbeats().await?;
            let news = news
                .into_iter()
                .filter_map(|heartbeat| after(heartbeat, &known, is_first));
            let put = async |heartbeat: Heartbeat| self.store.put_heartbeat(&heartbeat).await;
            futures_util::future::try_join_all(news.map(put)).await?;
            Ok::<_, state::Error>(())
        };
        let noted = tokio::time::timeout(PATIENCE, work).await;
        match &noted {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a heartbeat is not noted"),
            Err(_) => tracing::warn!("a heartbeat is not noted: the state store is too slow"),
        }
        if !matches!(noted, Ok(Ok(()))) {
            // So the next one is news again.
            let mut known = self.noted();
            let last_write = known.last_write;
            *known = Noted {
                last_write,
                ..Noted::default()
            };
        }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same without what names somebody.
fn nameless_outcome(outcome: SweepOutcome) -> SweepOutcome {
    use SweepOutcome as O;
    match outcome {
        O::Done { .. } => outcome,
        O::Locked { reason } => O::Locked {
            reason: nameless(&reason),
        },
        O::Unopened { reason } => O::Unopened {
            reason: nameless(&reason),
        },
        O::Stopped { reason } => O::Stopped {
            reason: nameless(&reason),
        },
    }
}

/// What a monitor may be told, too: without addresses, which 1Password's command line repeats.
fn nameless(text: &str) -> String {
    let words = text.split(' ').map(|word| match word.contains('@') {
        true => "…",
        false => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Whether so much time went by. A clock that was set back counts as if it had.
fn is_past(then: OffsetDateTime, now: OffsetDateTime, pace: Duration) -> bool {
    now < then || now - then >= pace
}

trait News {
    /// Whether this is to be noted, after what was noted last.
    fn is_news(&self, last: Option<&Self>, pace: Duration) -> bool;
}

impl News for ProviderHeartbeat {
    fn is_news(&self, last: Option<&Self>, pace: Duration) -> bool {
        let Some(last) = last else {
            return true;
        };
        let wrote = match (last.last_write, self.last_write) {
            (Some(then), Some(now)) => is_past(then, now, pace),
            (then, now) => then != now,
        };
        // Two providers may take turns.
        let other = self.label != last.label || (self.kind.is_some() && self.kind != last.kind);
        wrote
            || (other && is_past(last.last_request, self.last_request, Duration::MINUTE))
            || is_past(last.last_request, self.last_request, pace)
    }
}

impl News for SweepHeartbeat {
    fn is_news(&self, last: Option<&Self>, pace: Duration) -> bool {
        let Some(last) = last else {
            return true;
        };
        let same = match (&last.outcome, &self.outcome) {
            (
                SweepOutcome::Done {
                    waiting,
                    held,
                    failed,
                    ..
                },
                SweepOutcome::Done {
                    confirmed: 0,
                    waiting: waiting_now,
                    held: held_now,
                    failed: failed_now,
                },
            ) => (waiting, held, failed) == (waiting_now, held_now, failed_now),
            (SweepOutcome::Done { .. }, SweepOutcome::Done { .. }) => false,
            // The words may differ each time.
            (then, now) => discriminant(then) == discriminant(now),
        };
        !same || is_past(last.at, self.at, pace)
    }
}

impl News for AccountHeartbeat {
    fn is_news(&self, last: Option<&Self>, pace: Duration) -> bool {
        let Some(last) = last else {
            return true;
        };
        let refused = |one: &Self| one.trouble.as_ref().map(|trouble| trouble.refused);
        refused(last) != refused(self) || is_past(last.at, self.at, pace)
    }
}

/// What to write, with what others noted of earlier times; `None` if they know better.
fn after(heartbeat: Heartbeat, known: &Heartbeats, is_first: bool) -> Option<Heartbeat> {
    Some(match heartbeat {
        Heartbeat::Provider(mut next) => {
            if let Some(known) = &known.provider {
                next.last_request = next.last_request.max(known.last_request);
                next.last_write = next.last_write.max(known.last_write);
                if next.label == known.label && next.kind.is_none() {
                    next.kind.clone_from(&known.kind);
                }
            }
            Heartbeat::Provider(next)
        }
        Heartbeat::Sweep(mut next) => {
            if let Some(known) = &known.sweep {
                next.last_confirmed = next.last_confirmed.max(known.last_confirmed);
                // Whoever has no key says nothing of those who have one; but what is there may be
                // of this process before it was started again.
                let locked = matches!(next.outcome, SweepOutcome::Locked { .. });
                let done = matches!(known.outcome, SweepOutcome::Done { .. });
                if locked && done && !is_first && next.at < known.until {
                    return None;
                }
            }
            Heartbeat::Sweep(next)
        }
        Heartbeat::Account(mut next) => {
            if let Some(known) = &known.account {
                next.last_signed_in = next.last_signed_in.max(known.last_signed_in);
                if let (Some(next), Some(known)) = (&mut next.trouble, &known.trouble) {
                    next.since = next.since.min(known.since);
                }
            }
            Heartbeat::Account(next)
        }
    })
}

#[cfg(all(test, feature = "local"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::state::sqlite::SqliteStore;

    const EVERY: Duration = Duration::MINUTE;

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::seconds(seconds)
    }

    struct Case {
        _dir: tempfile::TempDir,
        store: Arc<dyn StateStore>,
    }

    impl Case {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let store = SqliteStore::open(&dir.path().join("state.db")).unwrap();
            Self {
                _dir: dir,
                store: Arc::new(store),
            }
        }

        fn process(&self) -> Pulse {
            Pulse::new(Arc::clone(&self.store), EVERY, Duration::ZERO)
        }

        async fn noted(&self) -> Heartbeats {
            self.store.heartbeats().await.unwrap()
        }
    }

    fn request(label: &str, kind: Option<&'static str>, wrote: bool) -> Served {
        Served {
            label: label.to_owned(),
            kind,
            wrote,
            account: None,
        }
    }

    fn done(waiting: usize, confirmed: usize) -> SweepOutcome {
        SweepOutcome::Done {
            confirmed,
            waiting,
            held: 0,
            failed: 0,
        }
    }

    fn stopped(reason: &str) -> SweepOutcome {
        SweepOutcome::Stopped {
            reason: reason.to_owned(),
        }
    }

    async fn swept(process: &Pulse, outcome: SweepOutcome, second: i64) {
        let account = matches!(outcome, SweepOutcome::Done { .. }).then_some(Ok(()));
        process.swept(outcome, account, at(second)).await;
    }

    #[test]
    fn nobody_is_named() {
        let said = "op user get: \"ann@example.com\" isn't a user";
        assert_eq!(nameless(said), "op user get: … isn't a user");
    }

    #[tokio::test]
    async fn requests_are_noted_seldom_and_a_change_at_once() {
        let case = Case::new();
        let process = case.process();
        let okta = Some("Okta");
        for (second, served, last_request, last_write) in [
            (0, request("one", okta, false), 0, None),
            (9, request("one", okta, false), 0, None),
            // The first change for long.
            (10, request("one", okta, true), 10, Some(10)),
            (11, request("one", okta, true), 10, Some(10)),
            (249, request("one", okta, false), 10, Some(10)),
            // What was not noted then is not lost.
            (250, request("one", okta, false), 250, Some(11)),
            // Two of them may take turns.
            (251, request("two", okta, false), 250, Some(11)),
            (310, request("two", okta, false), 310, Some(11)),
            // A clock that was set back.
            (20, request("two", okta, false), 310, Some(11)),
            (330, request("two", okta, false), 330, Some(11)),
        ] {
            process.served(served, at(second)).await;
            let noted = case.noted().await.provider.unwrap();
            let times = (noted.last_request, noted.last_write);
            assert_eq!(times, (at(last_request), last_write.map(at)), "{second}");
        }
    }

    #[tokio::test]
    async fn what_another_process_noted_is_not_lost() {
        let case = Case::new();
        let (one, other) = (case.process(), case.process());
        one.served(request("one", Some("Okta"), true), at(5)).await;
        other.served(request("one", None, false), at(6)).await;
        let noted = case.noted().await.provider.unwrap();
        assert_eq!(noted.last_write, Some(at(5)));
        assert_eq!(noted.kind.as_deref(), Some("Okta"));
        // Another token may be another provider's.
        other.served(request("two", None, false), at(70)).await;
        assert_eq!(case.noted().await.provider.unwrap().kind, None);

        swept(&one, done(0, 1), 8).await;
        swept(&other, done(0, 0), 9).await;
        let noted = case.noted().await.sweep.unwrap();
        assert_eq!((noted.at, noted.last_confirmed), (at(9), Some(at(8))));
    }

    #[tokio::test]
    async fn a_sweep_is_noted_seldom_unless_it_goes_otherwise() {
        let case = Case::new();
        let process = case.process();
        for (second, outcome, noted_at) in [
            (0, done(0, 0), 0),
            (60, done(0, 0), 0),
            (120, done(1, 0), 120),
            (180, done(1, 0), 120),
            (181, done(0, 1), 181),
            (182, done(0, 0), 181),
            (200, stopped("one"), 200),
            (260, stopped("another"), 200),
            (300, done(0, 0), 300),
            (539, done(0, 0), 300),
            (540, done(0, 0), 540),
        ] {
            swept(&process, outcome, second).await;
            let noted = case.noted().await.sweep.unwrap();
            assert_eq!(noted.at, at(noted_at), "{second}");
            assert_eq!(noted.until, at(noted_at) + Duration::minutes(12));
        }
    }

    #[tokio::test]
    async fn who_has_no_key_says_so_once_while_others_sweep() {
        let case = Case::new();
        let (sweeps, has_none) = (case.process(), case.process());
        let locked = || SweepOutcome::Locked {
            reason: "no key".to_owned(),
        };
        swept(&sweeps, done(0, 0), 0).await;
        // Nobody else may be there any more.
        swept(&has_none, locked(), 60).await;
        assert_eq!(case.noted().await.sweep.unwrap().at, at(60));
        swept(&sweeps, done(0, 0), 240).await;
        swept(&has_none, locked(), 300).await;
        assert_eq!(case.noted().await.sweep.unwrap().at, at(240));
        swept(&has_none, locked(), 240 + 12 * 60).await;
        let noted = case.noted().await.sweep.unwrap();
        assert!(
            matches!(noted.outcome, SweepOutcome::Locked { .. }),
            "{noted:?}"
        );
    }

    #[tokio::test]
    async fn the_account_s_trouble_is_noted_at_once_with_its_beginning() {
        let case = Case::new();
        let (one, other) = (case.process(), case.process());
        let served = |account| Served {
            account: Some(account),
            ..request("one", None, false)
        };
        let refused = || account::Error::CredentialsRefused("changed".to_owned());
        one.served(served(Ok(())), at(0)).await;
        one.served(served(Err(refused())), at(1)).await;
        other.served(served(Err(refused())), at(2)).await;
        let noted = case.noted().await.account.unwrap();
        assert_eq!(noted.last_signed_in, Some(at(0)));
        let trouble = noted.trouble.unwrap();
        assert!(trouble.refused && trouble.reason.contains("changed"));
        assert_eq!(trouble.since, at(1));
        swept(&one, done(0, 0), 3).await;
        let noted = case.noted().await.account.unwrap();
        assert_eq!((noted.last_signed_in, noted.trouble), (Some(at(3)), None));
    }
}
