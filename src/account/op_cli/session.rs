//! One session for all callers.
//!
//! The account is added to a configuration directory of our own, once; every sign-in then begins a
//! session whose token goes to the commands in their environment.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared as SharedFuture},
};
use serde::Deserialize;
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::{
    SignIn,
    child::{Order, Program, Runner, Setting, Trouble},
    refusals::{self, Meaning},
};
use crate::{
    account::{Error, MemberId, Result},
    metrics::AccountCalls,
    onepassword::secret_text::SecretText,
};

/// A session ends after 30 minutes without a command; one that has stood still for so long is not
/// tried any more.
const STANDS_STILL: Duration = Duration::from_secs(25 * 60);
/// How long a refusal of the credentials is believed without asking again: others count failed
/// sign-ins too.
const REFUSAL_HOLDS: Duration = Duration::from_secs(60);
/// How long any other failure is believed, at first; each that follows it, for twice as long. What
/// is not understood may have been a refusal.
const FAILURE_HOLDS: Duration = Duration::from_secs(1);
/// The first version of the command line that has these commands.
const OLDEST: u32 = 2;

/// The way to the account.
#[derive(Clone)]
pub(super) struct Connection(Arc<Shared>);

type Outcome = Result<Arc<Session>>;

/// What outlives the caller that began a sign-in.
struct Shared {
    sign_in: SignIn,
    device: String,
    runner: Runner,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    enrolment: Option<Arc<Enrolment>>,
    session: Option<Arc<Session>>,
    /// The sign-in that somebody has begun.
    under_way: Option<SharedFuture<BoxFuture<'static, Outcome>>>,
    /// How many sign-ins have failed since the last that did not.
    failures: u32,
    /// Why no sign-in is tried, and until when.
    held: Option<(Instant, Error)>,
}

/// The account as `op` knows it on this machine.
struct Enrolment {
    /// Holds its configuration; is removed with the last that uses it.
    home: TempDir,
    own_id: MemberId,
    /// What `op` says that it is.
    version: String,
}

struct Session {
    enrolment: Arc<Enrolment>,
    /// The variable that `op` reads the token from.
    variable: String,
    token: SecretText,
    used: Mutex<Instant>,
}

impl Session {
    fn used(&self) -> MutexGuard<'_, Instant> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `op account list` prints of an account.
#[derive(Deserialize)]
struct Listed {
    user_uuid: String,
}

impl Connection {
    pub(super) fn new(sign_in: SignIn, program: Program) -> Self {
        Self(Arc::new(Shared {
            device: sign_in.device_uuid(),
            sign_in,
            runner: Runner::new(program),
            state: Mutex::default(),
        }))
    }

    /// Runs a command within the session, in a new one if it turns out to be over.
    pub(super) async fn run(&self, order: Order) -> Result<Arc<Zeroizing<String>>> {
        let shared = &self.0;
        let order = order.set("cache=false").set("no-color");
        let mut renewed = false;
        loop {
            let session = self.session().await?;
            let complaint = match shared.within(&session, &order).await {
                Ok(answer) => return Ok(Arc::new(answer)),
                // Somebody tidied up: there is another place for it.
                Err(Trouble::Failed(_)) if !renewed && session.enrolment.is_lost() => {
                    renewed = true;
                    shared.forget(&session);
                    continue;
                }
                Err(Trouble::Failed(error)) => return Err(error),
                Err(Trouble::Said(complaint)) => shared.clean(&complaint, Some(&session)),
            };
            let ended = matches!(
                refusals::meaning(&complaint, order.values()),
                Some(Meaning::SessionEnded | Meaning::NotAuthenticated)
            );
            match (ended, renewed) {
                (true, false) => {
                    renewed = true;
                    shared.forget(&session);
                }
                (true, true) => {
                    return Err(Error::Unavailable {
                        reason: format!("it ended the new session at once: {complaint}"),
                    });
                }
                (false, _) => {
                    let error = refusals::error(order.name(), &complaint, order.values());
                    return Err(error);
                }
            }
        }
    }

    /// Who the bridge is.
    pub(super) async fn own_id(&self) -> Result<MemberId> {
        Ok(self.session().await?.enrolment.own_id.clone())
    }

    /// The version of `op`.
    pub(super) async fn version(&self) -> Result<String> {
        Ok(self.session().await?.enrolment.version.clone())
    }

    pub(super) async fn sign_out(&self) -> Result<()> {
        let session = self.0.lock().session.take();
        if let Some(session) = session {
            let order = Order::new("signout");
            let _ = self.0.within(&session, &order).await;
        }
        Ok(())
    }

    /// The session, signing in if there is none. Callers that come while a sign-in is under way
    /// wait for it and share its outcome, good or bad.
    async fn session(&self) -> Outcome {
        let under_way = {
            let mut state = self.0.lock();
            if let Some(known) = state.known() {
                return known;
            }
            match &state.under_way {
                // One with an outcome is here only if its task was lost.
                Some(under_way) if under_way.peek().is_none() => under_way.clone(),
                _ => state.under_way.insert(self.begin()).clone(),
            }
        };
        under_way.await
    }

    /// Begins a sign-in. It is a task of its own, so that a caller who gives up leaves its outcome
    /// to the next one.
    fn begin(&self) -> SharedFuture<BoxFuture<'static, Outcome>> {
        let (shared, calls) = (Arc::clone(&self.0), AccountCalls::current());
        let task = tokio::spawn(async move { calls.count(shared.sign_in()).await });
        let stopped = |_| {
            Err(Error::Unavailable {
                reason: "the bridge is stopping".to_owned(),
            })
        };
        task.map(move |done| done.unwrap_or_else(stopped))
            .boxed()
            .shared()
    }
}

impl State {
    /// The session, or why there is none and none is to be had for a while.
    fn known(&self) -> Option<Outcome> {
        if let Some(session) = &self.session
            && session.used().elapsed() < STANDS_STILL
        {
            return Some(Ok(Arc::clone(session)));
        }
        let (until, error) = self.held.as_ref()?;
        (Instant::now() < *until).then(|| Err(error.clone()))
    }
}

impl Enrolment {
    fn is_lost(&self) -> bool {
        !self.home.path().exists()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops a session that has ended, unless somebody has replaced it already.
    fn forget(&self, ended: &Arc<Session>) {
        let mut state = self.lock();
        if let Some(current) = &state.session
            && Arc::ptr_eq(current, ended)
        {
            state.session = None;
        }
    }

    async fn within(
        &self,
        session: &Session,
        order: &Order,
    ) -> std::result::Result<Zeroizing<String>, Trouble> {
        let setting = Setting {
            home: session.enrolment.home.path(),
            device: &self.device,
            secret: Some((&session.variable, &session.token)),
            input: None,
        };
        let answer = self.runner.run(order, &setting).await;
        // Also one that was refused has reached the account.
        if !matches!(answer, Err(Trouble::Failed(_))) {
            *session.used() = Instant::now();
        }
        answer
    }

    async fn sign_in(&self) -> Outcome {
        let (enrolment, failures) = {
            let state = self.lock();
            (state.enrolment.clone(), state.failures)
        };
        let outcome = self.begin_session(enrolment).await.map(Arc::new);
        *self.lock() = match &outcome {
            Ok(session) => State {
                enrolment: Some(Arc::clone(&session.enrolment)),
                session: Some(Arc::clone(session)),
                ..State::default()
            },
            // Next time it begins at the beginning: what went wrong may be what it began with.
            Err(error) => {
                tracing::warn!(%error, "sign-in to the account failed");
                State {
                    failures: failures.saturating_add(1),
                    held: Some((Instant::now() + hold(error, failures), error.clone())),
                    ..State::default()
                }
            }
        };
        outcome
    }

    async fn begin_session(&self, enrolment: Option<Arc<Enrolment>>) -> Result<Session> {
        let enrolment = match enrolment {
            Some(enrolment) if !enrolment.is_lost() => enrolment,
            _ => Arc::new(self.enrol().await?),
        };
        let own_id = enrolment.own_id.as_str();
        let order = Order::new("signin")
            .with("account", own_id)
            .set("force")
            .set("raw");
        let token = self
            .authenticate(&enrolment.home, &order, None, Some(&self.sign_in.password))
            .await?;
        let token = SecretText::new(token.trim().to_owned());
        if token.is_empty() || token.contains(char::is_whitespace) {
            return Err(Error::Protocol(
                "op signin printed no session token".to_owned(),
            ));
        }
        Ok(Session {
            variable: format!("OP_SESSION_{own_id}"),
            enrolment,
            token,
            used: Mutex::new(Instant::now()),
        })
    }

    /// Adds the account to a configuration of our own.
    async fn enrol(&self) -> Result<Enrolment> {
        let home = private_directory().map_err(|error| Error::Unavailable {
            reason: format!("no private directory for op: {error}"),
        })?;
        let order = Order::new("--version");
        let version = self.authenticate(&home, &order, None, None).await?;
        let version = version.trim().to_owned();
        check_version(&version)?;

        let SignIn {
            email,
            secret_key,
            password,
            ..
        } = &self.sign_in;
        let origin = self.sign_in.origin();
        let address = origin.strip_prefix("https://").unwrap_or(&origin);
        let order = Order::new("account add")
            .with("address", address)
            .with("email", email);
        let secret = Some(("OP_SECRET_KEY", &**secret_key));
        self.authenticate(&home, &order, secret, Some(password))
            .await?;
        let order = Order::new("account list").in_json();
        let listed = self.authenticate(&home, &order, None, None).await?;
        let listed: Vec<Listed> = serde_json::from_str(&listed).unwrap_or_default();
        let own_id = match listed.as_slice() {
            [Listed { user_uuid }] => user_uuid.parse().ok(),
            _ => None,
        };
        Ok(Enrolment {
            home,
            version,
            own_id: own_id.ok_or_else(|| {
                Error::Protocol("op account list does not show the one account".to_owned())
            })?,
        })
    }

    /// Runs a command that is part of signing in.
    async fn authenticate(
        &self,
        home: &TempDir,
        order: &Order,
        secret: Option<(&str, &str)>,
        input: Option<&SecretText>,
    ) -> Result<Zeroizing<String>> {
        let setting = Setting {
            home: home.path(),
            device: &self.device,
            secret,
            input: input.map(|text| &**text),
        };
        let answer = self.runner.run(order, &setting).await;
        answer.map_err(|trouble| match trouble {
            Trouble::Failed(error) => error,
            Trouble::Said(complaint) => {
                refusals::sign_in_error(order.name(), &self.clean(&complaint, None))
            }
        })
    }

    fn clean(&self, complaint: &str, session: Option<&Session>) -> String {
        let SignIn {
            secret_key,
            password,
            ..
        } = &self.sign_in;
        let token = session.map_or("", |session| &session.token);
        refusals::clean(complaint, &[secret_key, password, token])
    }
}

/// A directory that only we may look into.
fn private_directory() -> std::io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("scim-bridge-op-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir()
}

fn check_version(version: &str) -> Result<()> {
    let major = version.split('.').next().and_then(|text| text.parse().ok());
    match major {
        Some(major) if major < OLDEST => Err(Error::Unsupported(format!(
            "the installed op is of version {version}: install version 2 of 1Password's command \
             line"
        ))),
        Some(OLDEST) => Ok(()),
        // It may still do; what it does not know it will say.
        _ => {
            tracing::warn!(version, "this version of op was never tried");
            Ok(())
        }
    }
}

/// How long no other sign-in is tried after this failure, and so many before it.
fn hold(error: &Error, failures: u32) -> Duration {
    match error {
        Error::CredentialsRefused(_) | Error::Unsupported(_) => REFUSAL_HOLDS,
        Error::Busy { retry_after } => *retry_after,
        _ => REFUSAL_HOLDS.min(FAILURE_HOLDS * 2_u32.pow(failures.min(10))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_cannot_do_it_are_refused() {
        assert!(check_version("1.12.9").is_err());
        for version in ["2.0.0", "2.39.1-beta.01", "3.0.0", "unknown"] {
            assert_eq!(check_version(version), Ok(()), "{version}");
        }
    }

    #[test]
    fn trouble_is_remembered_for_longer_each_time() {
        let refusal = Error::CredentialsRefused(String::new());
        assert_eq!(hold(&refusal, 0), REFUSAL_HOLDS);
        let passing = Error::Unavailable {
            reason: String::new(),
        };
        let holds = [0, 1, 2, 6, u32::MAX].map(|failures| hold(&passing, failures).as_secs());
        assert_eq!(holds, [1, 2, 4, 60, 60]);
    }
}
