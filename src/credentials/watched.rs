//! A secret that is read when it is first needed, and looked at again now and then.
//!
//! What was read once keeps working while its place is out of reach for a while. That the secret
//! was deleted, or may not be read any more, is an answer and holds at once: this is how an
//! administrator shuts a bridge down.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use time::{Duration, OffsetDateTime};

use super::{Error, ScimSession, Source, StoreError, Stores, SweepKey};

/// How long a secret is good without its place having been reached.
const KEPT: Duration = Duration::HOUR;
/// How soon a place that gave nothing is asked again.
const AFTER_FAILURE: Duration = Duration::seconds(10);

/// Something that is kept as text in a secret place.
pub trait Secret: Sized + Send + Sync + 'static {
    /// Reads the text form.
    ///
    /// # Errors
    /// If the text is something else.
    fn read(text: &str) -> Result<Self, Error>;
}

impl Secret for ScimSession {
    fn read(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl Secret for SweepKey {
    fn read(text: &str) -> Result<Self, Error> {
        Ok(text.parse()?)
    }
}

/// A secret as it was read.
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    /// The secret.
    pub value: T,
    /// The place's own name for this version.
    pub version: String,
    /// When it was read.
    pub at: OffsetDateTime,
    /// Counts the versions that this process has read.
    pub number: u64,
}

/// A secret in its place.
pub struct Watched<T>(Arc<Inner<T>>);

struct Inner<T> {
    source: Source,
    stores: Arc<Stores>,
    interval: Duration,
    state: Mutex<State<T>>,
    turn: tokio::sync::Mutex<()>,
}

struct State<T> {
    loaded: Option<Arc<Loaded<T>>>,
    /// What was loaded before, in case that turns out to be broken.
    before: Option<Arc<Loaded<T>>>,
    /// A version that turned out to be broken.
    rejected: Option<String>,
    /// When the place last gave something good.
    seen: OffsetDateTime,
    /// When it was last asked.
    asked: Option<OffsetDateTime>,
    /// Why it gave nothing good then.
    problem: Option<Error>,
    /// How many versions were read.
    count: u64,
}

impl<T: Secret> Watched<T> {
    /// Watches `source`, asking it at most once in `interval`. Reads nothing yet.
    pub fn new(source: Source, stores: Arc<Stores>, interval: Duration) -> Self {
        Self(Arc::new(Inner {
            source,
            stores,
            interval,
            state: Mutex::new(State {
                loaded: None,
                before: None,
                rejected: None,
                seen: OffsetDateTime::UNIX_EPOCH,
                asked: None,
                problem: None,
                count: 0,
            }),
            turn: tokio::sync::Mutex::default(),
        }))
    }

    /// Where it is kept.
    pub fn source(&self) -> &Source {
        &self.0.source
    }

    /// The secret, at most one interval old unless its place is out of reach.
    ///
    /// # Errors
    /// Why there is none, or none that may still be used.
    pub async fn get(&self, now: OffsetDateTime) -> Result<Arc<Loaded<T>>, Error> {
        if let Some(known) = self.0.known(now) {
            return known;
        }
        // While somebody asks a place that has been out of reach already, the others are served
        // with what there is.
        if self.0.turn.try_lock().is_err()
            && let Some(kept) = self.0.kept(now)
        {
            return Ok(kept);
        }
        // A task of its own: the answer counts also if the request that waits for it goes away.
        let inner = Arc::clone(&self.0);
        let asked = tokio::spawn(async move { inner.ask(now).await });
        asked.await.unwrap_or(Err(Error::Damaged))
    }

    /// Says that this version cannot be used after all. What was there before holds again, as in
    /// an outage.
    pub fn reject(&self, version: &str) {
        let mut state = self.0.lock();
        if state
            .loaded
            .as_ref()
            .is_some_and(|one| one.version == version)
        {
            state.rejected = Some(version.to_owned());
            state.loaded = state.before.take();
            state.problem = Some(Error::Damaged);
        }
    }

    /// What was read last, and what has been wrong since; asks nobody.
    pub fn last(&self) -> (Option<Arc<Loaded<T>>>, Option<Error>) {
        let state = self.0.lock();
        (state.loaded.clone(), state.problem.clone())
    }
}

impl<T: Secret> Inner<T> {
    /// Asks the place, after whoever is asking already.
    async fn ask(&self, now: OffsetDateTime) -> Result<Arc<Loaded<T>>, Error> {
        let _turn = self.turn.lock().await;
        if let Some(known) = self.known(now) {
            return known;
        }
        let stored = self.stores.read(&self.source).await;
        let read = match stored {
            Ok(stored) => T::read(&stored.text).map(|value| (value, stored.version)),
            Err(error) => Err(error.into()),
        };
        let mut state = self.lock();
        let count = state.count;
        let outcome = state.take(read, now);
        if let (true, Ok(loaded)) = (state.count > count, &outcome) {
            tracing::info!(place = %self.source, version = loaded.version, "a secret was read");
        }
        if let Some(error) = &state.problem {
            tracing::warn!(%error, "a secret could not be read");
        }
        outcome
    }

    /// What is known without asking, if that is recent enough.
    fn known(&self, now: OffsetDateTime) -> Option<Result<Arc<Loaded<T>>, Error>> {
        let state = self.lock();
        let pause = match state.problem {
            Some(_) => AFTER_FAILURE.min(self.interval),
            None => self.interval,
        };
        let asked = state.asked?;
        // The clock of the wall, because others stand still while a process is frozen; if it was
        // set back, ask.
        (asked <= now && now < asked + pause).then(|| state.outcome(now))
    }

    /// What may be used in an outage that is known.
    fn kept(&self, now: OffsetDateTime) -> Option<Arc<Loaded<T>>> {
        let state = self.lock();
        state.problem.as_ref()?;
        state.outcome(now).ok()
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    /// Takes value and version that the place gave, and says what holds from now on.
    fn take(
        &mut self,
        read: Result<(T, String), Error>,
        now: OffsetDateTime,
    ) -> Result<Arc<Loaded<T>>, Error> {
        self.asked = Some(now);
        let known = |one: &Option<Arc<Loaded<T>>>, version: &str| {
            one.as_ref().is_some_and(|one| one.version == version)
        };
        match read {
            Ok((_, version)) if self.rejected.as_deref() == Some(&version) => {
                self.problem = Some(Error::Damaged);
            }
            Ok((value, version)) => {
                self.seen = now;
                self.problem = None;
                if !known(&self.loaded, &version) {
                    self.count += 1;
                    self.before = self.loaded.replace(Arc::new(Loaded {
                        value,
                        version,
                        at: now,
                        number: self.count,
                    }));
                }
            }
            Err(error) => {
                if let Error::Store(StoreError::Missing { .. } | StoreError::Denied { .. }) = error
                {
                    (self.loaded, self.before) = (None, None);
                }
                self.problem = Some(error);
            }
        }
        self.outcome(now)
    }

    fn outcome(&self, now: OffsetDateTime) -> Result<Arc<Loaded<T>>, Error> {
        match (&self.loaded, &self.problem) {
            (Some(loaded), None) => Ok(Arc::clone(loaded)),
            (Some(loaded), Some(_)) if now < self.seen + KEPT => Ok(Arc::clone(loaded)),
            (_, Some(problem)) => Err(problem.clone()),
            (None, None) => Err(Error::Damaged),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
    const MINUTE: Duration = Duration::MINUTE;

    struct Word(String);

    impl Secret for Word {
        fn read(text: &str) -> Result<Self, Error> {
            match text {
                "broken" => Err(Error::Damaged),
                text => Ok(Self(text.to_owned())),
            }
        }
    }

    /// A place in a directory of its own, asked once a minute.
    fn watched() -> (tempfile::TempDir, Watched<Word>) {
        let dir = tempfile::tempdir().unwrap();
        let source = Source::File(dir.path().join("secret"));
        let client = crate::outbound::client(None).unwrap();
        let stores = Arc::new(Stores::new(client, |_| None));
        (dir, Watched::new(source, stores, MINUTE))
    }

    async fn word(watched: &Watched<Word>, now: OffsetDateTime) -> Result<String, Error> {
        Ok(watched.get(now).await?.value.0.clone())
    }

    #[tokio::test]
    async fn a_new_version_is_noticed_after_the_interval_and_not_before() {
        let (dir, watched) = watched();
        let path = dir.path().join("secret");
        std::fs::write(&path, "one").unwrap();
        assert_eq!(word(&watched, NOW).await.unwrap(), "one");
        let first = watched.get(NOW).await.unwrap();
        std::fs::write(&path, "two").unwrap();
        let just_before = NOW + MINUTE - Duration::SECOND;
        assert_eq!(word(&watched, just_before).await.unwrap(), "one");
        assert_eq!(word(&watched, NOW + MINUTE).await.unwrap(), "two");
        assert_ne!(watched.last().0.unwrap().version, first.version);
        // A clock that was set back is no reason to believe old news.
        std::fs::write(&path, "three").unwrap();
        assert_eq!(word(&watched, NOW).await.unwrap(), "three");
    }

    #[tokio::test]
    async fn a_broken_version_leaves_the_old_one_in_use_for_an_hour() {
        let (dir, watched) = watched();
        let path = dir.path().join("secret");
        std::fs::write(&path, "one").unwrap();
        assert_eq!(word(&watched, NOW).await.unwrap(), "one");
        std::fs::write(&path, "broken").unwrap();
        assert_eq!(word(&watched, NOW + MINUTE).await.unwrap(), "one");
        assert_eq!(watched.last().1, Some(Error::Damaged));
        assert_eq!(word(&watched, NOW + KEPT).await.err(), Some(Error::Damaged));
        // Mended, it is read again soon.
        std::fs::write(&path, "two").unwrap();
        let soon = NOW + KEPT + AFTER_FAILURE;
        assert_eq!(word(&watched, soon).await.unwrap(), "two");
        assert_eq!(watched.last().1, None);
    }

    #[tokio::test]
    async fn what_was_deleted_is_gone_at_once() {
        let (dir, watched) = watched();
        let path = dir.path().join("secret");
        std::fs::write(&path, "one").unwrap();
        assert_eq!(word(&watched, NOW).await.unwrap(), "one");
        std::fs::remove_file(&path).unwrap();
        let error = word(&watched, NOW + MINUTE).await.unwrap_err();
        assert!(matches!(error, Error::Store(StoreError::Missing { .. })));
        assert!(watched.last().0.is_none());
    }

    #[test]
    fn a_place_out_of_reach_is_borne_and_one_that_refuses_is_not() {
        let error = |denied| {
            let (place, reason) = (String::new(), String::new());
            Error::Store(match denied {
                true => StoreError::Denied { place, reason },
                false => StoreError::Unreachable { place, reason },
            })
        };
        for denied in [false, true] {
            let (_dir, watched) = watched();
            let word = (Word("one".to_owned()), "1".to_owned());
            assert!(watched.0.lock().take(Ok(word), NOW).is_ok());
            let later = watched.0.lock().take(Err(error(denied)), NOW + MINUTE);
            assert_eq!(later.is_err(), denied);
            let too_late = watched.0.lock().outcome(NOW + KEPT);
            assert_eq!(too_late.err(), Some(error(denied)));
        }
    }

    #[tokio::test]
    async fn a_version_that_turns_out_broken_gives_way_to_the_one_before() {
        let (dir, watched) = watched();
        let path = dir.path().join("secret");
        std::fs::write(&path, "one").unwrap();
        assert_eq!(word(&watched, NOW).await.unwrap(), "one");
        std::fs::write(&path, "two").unwrap();
        let later = NOW + MINUTE;
        let broken = watched.get(later).await.unwrap();
        watched.reject(&broken.version);
        assert_eq!(word(&watched, later).await.unwrap(), "one");
        // Read again it is the same, and still broken.
        let again = later + AFTER_FAILURE;
        assert_eq!(word(&watched, again).await.unwrap(), "one");
        assert_eq!(watched.last().1, Some(Error::Damaged));
        std::fs::write(&path, "three").unwrap();
        let mended = again + AFTER_FAILURE;
        assert_eq!(word(&watched, mended).await.unwrap(), "three");
        assert_eq!(watched.last().1, None);
        // With nothing before it, there is nothing.
        watched.reject(&watched.last().0.unwrap().version);
        watched.reject("another");
        assert_eq!(word(&watched, mended).await.unwrap(), "one");
    }

    #[tokio::test]
    async fn the_answer_counts_also_if_nobody_waits_for_it() {
        let (dir, watched) = watched();
        std::fs::write(dir.path().join("secret"), "one").unwrap();
        // Dropped after its first step, like the request of a client that hangs up.
        assert!(watched.get(NOW).now_or_never().is_none());
        while watched.last().0.is_none() {
            tokio::task::yield_now().await;
        }
    }
}
