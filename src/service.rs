//! The parts put together: credentials, account, store and rules, as every binary needs them.
//!
//! Nothing is opened before a request or a sweep needs it, and what is opened is shared by all.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use async_trait::async_trait;
use time::{Duration, OffsetDateTime};

use crate::{
    account::{
        self, Account,
        native::{NativeAccount, shared::SessionShare},
        op_cli::{OpAccount, Program},
        users_api::UsersApi,
    },
    bridge::{Bridge, Settings, Sweep, SweepError},
    credentials::{
        self, Access, BearerToken, Connector, Credentials, Loaded, Opener, ScimSession, Scope,
        Secret, Secrets, StoreError, Stores, SweepKey, SweepKeySource, Watched,
    },
    http::{
        Admission, Gate, Refusal, Served,
        health::{Findings, GuardUse, Health},
    },
    metrics,
    pulse::Pulse,
    session_share::InStore,
    state::{self, StateStore, SweepOutcome},
};

/// How long after a sweep a provider's request begins none.
const SWEEP_HOLDS: Duration = Duration::seconds(30);
/// How long a sweep beside a provider's requests may take, where an account answers at once.
const SWEEP_BESIDE: Duration = Duration::seconds(5);
/// What it waits for first: the request that began it is to have the way to itself.
const HEAD_START: Duration = Duration::milliseconds(250);
/// How often a schedule sweeps unless it is said.
const SCHEDULE: Duration = Duration::MINUTE;
/// How long a process that stops waits for the account.
const SIGN_OUT: std::time::Duration = std::time::Duration::from_secs(2);

/// A bridge that unlocks itself with the first secret it is given.
pub struct Service {
    scimsession: Watched<ScimSession>,
    sweep_key: Option<HeldKey>,
    store: Arc<dyn StateStore>,
    client: reqwest::Client,
    op: Program,
    settings: Settings,
    unlocked: Mutex<Option<Unlocked>>,
    /// Says how it goes.
    pulse: Arc<Pulse>,
    /// When this process last began a sweep.
    swept: Mutex<Option<Instant>>,
    /// Whether a provider's request begins one although a schedule has a key to sweep with.
    always_beside: bool,
}

enum HeldKey {
    Given(Arc<SweepKey>),
    Watched(Box<Watched<SharedKey>>),
}

/// A sweep key that a task can go on using while a new one is read.
struct SharedKey(Arc<SweepKey>);

impl Secret for SharedKey {
    fn read(text: &str) -> Result<Self, credentials::Error> {
        SweepKey::read(text).map(|key| Self(Arc::new(key)))
    }
}

/// The bridge, and what it was opened with.
struct Unlocked {
    bridge: Bridge,
    file: Arc<Loaded<ScimSession>>,
    digest: [u8; 32],
    /// Whether the account takes seconds for each answer.
    is_slow: bool,
}

/// What came of a sweep.
pub type Swept = Result<Sweep, NoSweep>;

/// Why there was no sweep, or only half of one.
#[derive(Debug, thiserror::Error)]
pub enum NoSweep {
    /// There is no sweep key, and no request has brought a token yet.
    #[error("locked: there is no sweep key, and no provider has called yet")]
    Locked,
    /// The scimsession cannot be opened.
    #[error(transparent)]
    Credentials(#[from] credentials::Error),
    /// The sweep stopped on its way.
    #[error(transparent)]
    Sweep(#[from] SweepError),
}

impl NoSweep {
    /// What the account said, if it lets nobody in.
    pub fn outage(&self) -> Option<&account::Error> {
        match self {
            Self::Sweep(SweepError::Account(error)) if error.is_outage() => Some(error),
            _ => None,
        }
    }

    /// Whether the next try may go better although nobody does anything about it.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Locked => false,
            Self::Credentials(error) => matches!(
                error,
                credentials::Error::Store(StoreError::Unreachable { .. })
            ),
            Self::Sweep(SweepError::Account(error)) => matches!(
                error,
                account::Error::Busy { .. }
                    | account::Error::Unavailable { .. }
                    | account::Error::Changing
            ),
            Self::Sweep(SweepError::State(error)) => {
                matches!(error, state::Error::Unavailable(_) | state::Error::Conflict)
            }
        }
    }
}

impl Service {
    /// Puts the parts together; opens none of them.
    pub fn new(
        secrets: Secrets,
        store: Arc<dyn StateStore>,
        client: reqwest::Client,
        op: Program,
        settings: Settings,
    ) -> Self {
        let stores = Arc::new(Stores::new(client.clone(), |name| std::env::var(name).ok()));
        let watch = |source| Watched::new(source, Arc::clone(&stores), secrets.refresh);
        let sweep_key = secrets.sweep_key.map(|key| match key {
            SweepKeySource::Given(key) => HeldKey::Given(Arc::new(key)),
            SweepKeySource::Kept(source) => {
                let stores = Arc::clone(&stores);
                HeldKey::Watched(Box::new(Watched::new(source, stores, secrets.refresh)))
            }
        });
        Self {
            scimsession: watch(secrets.scimsession),
            sweep_key,
            pulse: pulse(&store, SCHEDULE, &settings),
            store,
            client,
            op,
            settings,
            unlocked: Mutex::default(),
            swept: Mutex::default(),
            always_beside: true,
        }
    }

    /// The same in a function, which may stand still or end after each answer, so that what a request
    /// began beside it is cut off: that is worth it only where no schedule can sweep, because there
    /// is no sweep key.
    #[must_use]
    pub fn with_a_schedule(self) -> Self {
        Self {
            always_beside: false,
            ..self
        }
    }

    /// The same for a bridge that is told to sweep this often.
    #[must_use]
    pub fn swept_every(self, interval: std::time::Duration) -> Self {
        let every = interval.try_into().unwrap_or(SCHEDULE);
        Self {
            pulse: pulse(&self.store, every, &self.settings),
            ..self
        }
    }

    /// Confirms those whose time has come.
    ///
    /// # Errors
    /// If the bridge is locked, or account or store are out of reach.
    pub async fn sweep(&self, now: OffsetDateTime) -> Swept {
        let budget = self.settings.confirmation.budget.unsigned_abs();
        self.sweep_within(budget, now).await
    }

    /// The same for a process that has so much time left, if that is less than what is configured.
    ///
    /// # Errors
    /// As for [`Service::sweep`].
    pub async fn sweep_within(&self, left: std::time::Duration, now: OffsetDateTime) -> Swept {
        let swept = self.try_to_sweep(left, now).await;
        take_note(&self.pulse, &swept, self.is_strict(), now).await;
        swept
    }

    async fn try_to_sweep(&self, left: std::time::Duration, now: OffsetDateTime) -> Swept {
        let bridge = self.unattended(now).await?;
        *self.last_sweep() = Some(Instant::now());
        let budget = self
            .settings
            .confirmation
            .budget
            .min(left.try_into().unwrap_or(Duration::MAX));
        Ok(bridge.sweep_within(budget, now).await?)
    }

    /// Whether no sweep key opens the scimsession, so that nobody is confirmed before a provider has
    /// called.
    fn is_strict(&self) -> bool {
        let (file, _) = self.scimsession.last();
        file.is_some_and(|file| !file.value.has_a_sweep_key())
    }

    /// When the last of the tokens that open the bridge for a provider ends; `None` if one lasts
    /// for ever, or nothing is known yet.
    pub fn last_token_ends(&self) -> Option<OffsetDateTime> {
        let (file, _) = self.scimsession.last();
        let file = file?;
        let tokens = file.value.recipients().iter();
        let mut ends = tokens
            .filter(|one| one.access == Access::Bearer { scope: Scope::Scim })
            .map(|one| one.ends_at());
        ends.try_fold(OffsetDateTime::UNIX_EPOCH, |last, end| Some(last.max(end?)))
    }

    /// Confirms those whose time has come because a provider is here, unless there was a sweep a
    /// moment ago. The provider's request goes first.
    fn sweep_beside(&self) {
        let open = self.lock();
        let Some(open) = open.as_ref() else {
            return;
        };
        let strict = !open.file.value.has_a_sweep_key();
        let budget = match (self.always_beside, open.is_slow) {
            (false, _) if !strict => return,
            // A sweep that is cut off holds up whom it was at: the timer's has the time.
            (true, true) => return,
            (false, true) => self.settings.confirmation.budget,
            (_, false) => SWEEP_BESIDE,
        };
        let (bridge, pulse) = (open.bridge.clone(), Arc::clone(&self.pulse));
        {
            let mut last = self.last_sweep();
            if last.is_some_and(|last| last.elapsed() < SWEEP_HOLDS) {
                return;
            }
            *last = Some(Instant::now());
        }
        tokio::spawn(async move {
            tokio::time::sleep(HEAD_START.unsigned_abs()).await;
            let now = OffsetDateTime::now_utc();
            let swept = bridge.sweep_within(budget, now).await;
            let swept = swept.map_err(NoSweep::from);
            match &swept {
                Ok(sweep) => tracing::debug!(?sweep, "swept beside a provider's request"),
                Err(error) => tracing::warn!(%error, "no sweep"),
            }
            take_note(&pulse, &swept, strict, now).await;
        });
    }

    fn last_sweep(&self) -> MutexGuard<'_, Option<Instant>> {
        self.swept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signs out of the account, if anybody has signed in and no other process uses the session;
    /// for a process that stops and is not followed by others. The account should not have to wait
    /// for an idle session to end; nor do we wait long for the account.
    pub async fn sign_out(&self) {
        let bridge = self.lock().take().map(|unlocked| unlocked.bridge);
        if let Some(bridge) = bridge {
            let _ = tokio::time::timeout(SIGN_OUT, bridge.sign_out()).await;
        }
    }

    /// The bridge without a request: by the sweep key or, in strict mode, as a request left it.
    async fn unattended(&self, now: OffsetDateTime) -> Result<Bridge, NoSweep> {
        let key = match &self.sweep_key {
            Some(HeldKey::Given(key)) => Arc::clone(key),
            Some(HeldKey::Watched(watched)) => {
                // Both are needed, and may be far away. The file is kept for when the key is there.
                let (key, _) = tokio::join!(watched.get(now), self.scimsession.get(now));
                Arc::clone(&key?.value.0)
            }
            None => {
                // What opened it may have been taken away in the meantime.
                let file = self.scimsession.get(now).await?;
                let unlocked = self.lock();
                let current = unlocked
                    .as_ref()
                    .filter(|open| open.file.version == file.version);
                return Ok(current.ok_or(NoSweep::Locked)?.bridge.clone());
            }
        };
        match self.unlock(&*key, now).await? {
            Admission::Provider(bridge) | Admission::Administrator(bridge) => Ok(bridge),
            Admission::Monitor => Err(NoSweep::Locked),
        }
    }

    /// What this secret is good for, with the bridge that it opens.
    ///
    /// The secret is checked every time, the seal until a secret has opened this version of the
    /// file; the credentials are opened once for every version, and only if they are others does the
    /// bridge sign in anew.
    async fn unlock(
        &self,
        secret: &dyn Opener,
        now: OffsetDateTime,
    ) -> Result<Admission, credentials::Error> {
        loop {
            let file = self.scimsession.get(now).await?;
            match self.unlock_with(&file, secret, now) {
                // Whoever put that there: the version before it may be good.
                Err(credentials::Error::Damaged) => self.scimsession.reject(&file.version),
                done => return done,
            }
        }
    }

    fn unlock_with(
        &self,
        file: &Arc<Loaded<ScimSession>>,
        secret: &dyn Opener,
        now: OffsetDateTime,
    ) -> Result<Admission, credentials::Error> {
        let opened = self.opened(file);
        let recipient = match &opened {
            Some(_) => file.value.recipient_in_opened(secret, now)?,
            None => file.value.recipient(secret, now)?,
        };
        // A line of the log says for whom it was.
        tracing::Span::current().record("actor", &*recipient.label);
        if !recipient.access.opens_credentials() {
            return Ok(Admission::Monitor);
        }
        let bridge = match opened {
            Some(bridge) => bridge,
            None => self.open(file, secret, now)?,
        };
        let bridge = bridge.on_behalf_of(&recipient.label);
        Ok(match recipient.access {
            Access::Bearer {
                scope: Scope::Admin,
            } => Admission::Administrator(bridge),
            _ => Admission::Provider(bridge),
        })
    }

    /// What this version of the file opened, if that is done.
    fn opened(&self, file: &Arc<Loaded<ScimSession>>) -> Option<Bridge> {
        let unlocked = self.lock();
        let open = unlocked.as_ref()?;
        Arc::ptr_eq(&open.file, file).then(|| open.bridge.clone())
    }

    fn open(
        &self,
        file: &Arc<Loaded<ScimSession>>,
        secret: &dyn Opener,
        now: OffsetDateTime,
    ) -> Result<Bridge, credentials::Error> {
        let credentials = Credentials::open(&file.value, secret, now)?;
        let digest = credentials.digest()?;
        let is_slow = matches!(credentials.connector, Connector::OpCli(_));
        let mut unlocked = self.lock();
        let bridge = match unlocked.as_ref() {
            Some(open) if open.digest == digest => open.bridge.clone(),
            _ => {
                let share: Arc<dyn SessionShare> = Arc::new(InStore(Arc::clone(&self.store)));
                let account = account(credentials, self.client.clone(), &self.op, Some(share));
                let store = Arc::clone(&self.store);
                Bridge::new(account, store, self.settings.clone())
            }
        };
        // A request that was slow must not bring an older file back.
        if unlocked
            .as_ref()
            .is_none_or(|open| open.file.number <= file.number)
        {
            *unlocked = Some(Unlocked {
                bridge: bridge.clone(),
                file: Arc::clone(file),
                digest,
                is_slow,
            });
        }
        Ok(bridge)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Unlocked>> {
        self.unlocked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Gate for Service {
    async fn admit(&self, token: &str) -> Result<Admission, Refusal> {
        use credentials::Error as E;
        let token: BearerToken = token.parse().map_err(|_| Refusal::Unauthorized)?;
        let now = OffsetDateTime::now_utc();
        match self.unlock(&token, now).await {
            Ok(Admission::Provider(bridge)) => {
                self.sweep_beside();
                Ok(Admission::Provider(bridge.for_one_request()))
            }
            Ok(Admission::Administrator(bridge)) => {
                Ok(Admission::Administrator(bridge.for_one_request()))
            }
            Ok(Admission::Monitor) => Ok(Admission::Monitor),
            Err(E::NotARecipient | E::Expired) => Err(Refusal::Unauthorized),
            // The reason is for our log: whoever asks has not shown yet who they are.
            Err(error) => {
                tracing::warn!(%error, "the credentials cannot be opened");
                Err(Refusal::NotReady(remedy(&error)))
            }
        }
    }

    async fn health(&self) -> Health {
        let now = OffsetDateTime::now_utc();
        // Why there is no scimsession, or only an older one, is asked for below.
        let (_, heartbeats, guard) = tokio::join!(
            self.scimsession.get(now),
            self.store.heartbeats(),
            self.store.guard(),
        );
        let (file, problem) = self.scimsession.last();
        Health::new(Findings {
            place: self.scimsession.source().to_string(),
            file: file.as_deref(),
            problem: problem
                .as_ref()
                .map(|error| (error.to_string(), remedy(error))),
            last_token_ends: self.last_token_ends(),
            heartbeats,
            guard: guard.ok().map(|guard| GuardUse {
                removed: guard.value.removed(now),
                limit: self.settings.guards.limit(0),
                refuses: guard.value.refuses(now),
            }),
            now,
        })
    }

    async fn sweep(
        &self,
        label: &str,
        budget: Duration,
        now: OffsetDateTime,
    ) -> Result<Sweep, SweepError> {
        let open = self.lock().as_ref().map(|open| open.bridge.clone());
        // Whoever was admitted has opened it.
        let bridge = open.ok_or(SweepError::Account(account::Error::Changing))?;
        *self.last_sweep() = Some(Instant::now());
        let (pulse, strict) = (Arc::clone(&self.pulse), self.is_strict());
        let (bridge, whole) = (
            bridge.on_behalf_of(label),
            self.settings.confirmation.budget,
        );
        // A task of its own: a sweep that is cut off holds up whom it was at.
        let sweep = tokio::spawn(async move {
            let swept = bridge.sweep_within(whole, now).await;
            let noted = swept.clone().map_err(NoSweep::from);
            take_note(&pulse, &noted, strict, now).await;
            swept
        });
        match tokio::time::timeout(budget.unsigned_abs(), sweep).await {
            Ok(Ok(swept)) => swept,
            // It goes on without us.
            Ok(Err(_)) | Err(_) => Ok(Sweep {
                left: true,
                ..Sweep::default()
            }),
        }
    }

    async fn looked(&self, account: Result<(), account::Error>) {
        self.pulse.looked(account, OffsetDateTime::now_utc()).await;
    }

    async fn served(&self, request: Served) {
        self.pulse.served(request, OffsetDateTime::now_utc()).await;
    }
}

fn pulse(store: &Arc<dyn StateStore>, every: Duration, settings: &Settings) -> Arc<Pulse> {
    let budget = settings.confirmation.budget;
    Arc::new(Pulse::new(Arc::clone(store), every, budget))
}

/// Counts what came of a sweep, and notes it for monitors.
async fn take_note(pulse: &Pulse, swept: &Swept, strict: bool, now: OffsetDateTime) {
    if let Ok(sweep) = swept {
        metrics::SWEEPS.add(1);
        metrics::CONFIRMED.add(sweep.confirmed);
        metrics::FAILED.add(sweep.failed);
    }
    let account = match swept {
        Ok(_) => Some(Ok(())),
        Err(error) => error.outage().cloned().map(Err),
    };
    pulse.swept(outcome(swept, strict), account, now).await;
}

/// What is noted of a sweep. `strict`: no schedule is to have a key.
fn outcome(swept: &Swept, strict: bool) -> SweepOutcome {
    let error = match swept {
        Ok(sweep) => {
            return SweepOutcome::Done {
                confirmed: sweep.confirmed,
                waiting: sweep.waiting,
                held: sweep.held,
                failed: sweep.failed,
            };
        }
        Err(error) => error,
    };
    let reason = error.to_string();
    match error {
        NoSweep::Locked => SweepOutcome::Locked { reason },
        NoSweep::Credentials(_) if strict => SweepOutcome::Locked { reason },
        NoSweep::Credentials(_) => SweepOutcome::Unopened { reason },
        NoSweep::Sweep(_) => SweepOutcome::Stopped { reason },
    }
}

/// The account behind these credentials, by the connector that they are for. Nothing is done with
/// them before it is used. `share` is where others find its session, if they are to.
pub fn account(
    credentials: Credentials,
    client: reqwest::Client,
    op: &Program,
    share: Option<Arc<dyn SessionShare>>,
) -> Arc<dyn Account> {
    let account: Arc<dyn Account> = match credentials.connector {
        Connector::Native(native) => {
            let native = NativeAccount::new(native, client.clone());
            Arc::new(match share {
                Some(share) => native.sharing(share),
                None => native,
            })
        }
        Connector::OpCli(sign_in) => Arc::new(OpAccount::new(sign_in, op.clone())),
    };
    match credentials.users_api {
        Some(users_api) => Arc::new(UsersApi::new(users_api, client, account)),
        None => account,
    }
}

/// What an administrator has to do so that the credentials can be opened.
fn remedy(error: &credentials::Error) -> &'static str {
    match error {
        credentials::Error::Store(StoreError::Missing { .. }) => {
            "no credentials are installed: an administrator has to install the scimsession \
             (scim-bridge setup, then scim-bridge credentials push)"
        }
        credentials::Error::Store(StoreError::Denied { .. }) => {
            "the bridge may not read its credentials: an administrator has to let it read the \
             secret that holds the scimsession"
        }
        credentials::Error::Store(StoreError::Unreachable { .. }) => {
            "the place that keeps the bridge's credentials cannot be reached at the moment: try \
             again later"
        }
        _ => {
            "the installed credentials cannot be read: an administrator has to install the \
             scimsession again; the bridge's log says more"
        }
    }
}
