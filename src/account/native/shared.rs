//! One session for all processes with the same credentials.
//!
//! Who needs a session asks for a lane of the shared one first, and signs in only if there is none
//! and nobody else is signing in. What is shared is sealed under a key that follows from the
//! credentials. Without a place to share it in, or with one out of reach, each signs in for itself.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use data_encoding::HEXLOWER;

use super::{
    connection::jittered,
    refusals::{Failure, from_protocol},
};
use crate::onepassword::{
    self, envelope::SymmetricKey, identifier, session::Session,
    sign_in_credentials::SignInCredentials,
};

/// How long a sign-in may take before somebody else begins one.
const LEASE: Duration = Duration::from_secs(12);
/// How long a session is shared at most; a warm process goes on with it.
const SHARED: Duration = Duration::from_secs(24 * 60 * 60);
/// How long others are waited for who sign in. A call has its sign-in still before it then.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long the place may take for each answer.
const ANSWER: Duration = Duration::from_secs(3);
/// The first pause before a session is asked for again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(200));

/// What the key is for that seals a shared session, and its name in the envelope.
const SEAL: &str = "scim-bridge shared session seal";
/// What the bits are for that name the credentials.
const NAME: &str = "scim-bridge shared session name";

/// A place where processes share sessions, each under a name of its credentials.
#[async_trait]
pub trait SessionShare: Send + Sync {
    /// Takes part in the session, or in making it; `attempt` may take so long then.
    async fn join(&self, name: &str, attempt: &str, lease: Duration) -> Result<Turn, NotShared>;

    /// Shares for so long the session that `attempt` was to begin; false if somebody else began
    /// one since.
    async fn share(
        &self,
        name: &str,
        attempt: &str,
        session: &Sealed,
        lasts: Duration,
    ) -> Result<bool, NotShared>;

    /// Forgets what is shared if it is what `end` says; whether it was.
    async fn end(&self, name: &str, end: End<'_>) -> Result<bool, NotShared>;
}

/// A session as it is shared.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Its id.
    pub id: String,
    /// The session, for who has the credentials.
    pub sealed: String,
}

/// Whose turn it is.
#[derive(Clone, Debug)]
pub enum Turn {
    /// There is a session, and this lane of it is ours alone.
    Join(Sealed, u16),
    /// There is none, and we sign in.
    Begin,
    /// Somebody is signing in.
    Wait,
}

/// Why a session is not to be shared any more.
#[derive(Clone, Copy, Debug)]
pub enum End<'a> {
    /// This attempt to sign in failed.
    Failed(&'a str),
    /// The session with this id is over.
    Over(&'a str),
    /// Who began the session with this id leaves, and nobody else has joined.
    Alone(&'a str),
}

/// Why the place did not answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotShared(pub String);

impl From<onepassword::Error> for NotShared {
    fn from(error: onepassword::Error) -> Self {
        Self(error.to_string())
    }
}

/// What credentials make of a place.
struct Lot<'a> {
    share: &'a dyn SessionShare,
    name: String,
    seal: SymmetricKey,
}

impl<'a> Lot<'a> {
    fn of(
        credentials: &SignInCredentials,
        share: &'a dyn SessionShare,
    ) -> onepassword::Result<Self> {
        let name = credentials.derive_secret(NAME)?;
        Ok(Self {
            share,
            name: HEXLOWER.encode(name.get(..16).unwrap_or_default()),
            seal: SymmetricKey::new(SEAL, *credentials.derive_secret(SEAL)?),
        })
    }

    /// A lane of the session that others share, or `None`: it is ours to begin.
    async fn join(&self, attempt: &str) -> Result<Option<Session>, NotShared> {
        let end = Instant::now() + PATIENCE;
        let (mut pause, longest) = PAUSES;
        loop {
            match within(self.share.join(&self.name, attempt, LEASE)).await? {
                Turn::Begin => return Ok(None),
                Turn::Join(shared, lane) => {
                    match Session::from_shared(&shared.sealed, &self.seal, lane) {
                        Ok(session) if session.id() == shared.id => return Ok(Some(session)),
                        _ => {
                            tracing::warn!(
                                "the shared account session does not open: a new one is begun"
                            );
                            self.end(End::Over(&shared.id)).await?;
                        }
                    }
                }
                Turn::Wait => {}
            }
            if Instant::now() > end {
                return Err(NotShared("others do not get done with theirs".to_owned()));
            }
            tokio::time::sleep(jittered(pause)).await;
            pause = longest.min(pause * 2);
        }
    }

    /// Shares a session that was begun for others too.
    async fn share(&self, attempt: &str, session: Session) -> Session {
        let shared = async {
            let sealed = Sealed {
                id: session.id().to_owned(),
                sealed: session.to_shared(&self.seal)?,
            };
            within(self.share.share(&self.name, attempt, &sealed, SHARED)).await
        };
        match shared.await {
            Ok(true) => session.in_first_lane(),
            // It took too long, and others have one of their own.
            Ok(false) => session,
            // It may have been shared all the same: only the first lane is ours for certain.
            Err(error) => {
                warn(&error);
                session.in_first_lane()
            }
        }
    }

    async fn end(&self, end: End<'_>) -> Result<bool, NotShared> {
        within(self.share.end(&self.name, end)).await
    }
}

/// A session: the shared one or, if there is none, what `sign_in` brings. `over` is the id of a
/// shared one that the account has ended.
pub(super) async fn session(
    share: &dyn SessionShare,
    credentials: &SignInCredentials,
    over: Option<&str>,
    sign_in: impl Future<Output = Result<Session, Failure>>,
) -> Result<Session, Failure> {
    let wrong = |error| Failure::Final(from_protocol(error));
    let lot = Lot::of(credentials, share).map_err(wrong)?;
    let attempt = identifier::lower().map_err(wrong)?;
    let joined = async {
        if let Some(id) = over {
            lot.end(End::Over(id)).await?;
        }
        lot.join(&attempt).await
    };
    match joined.await {
        Ok(Some(session)) => return Ok(session),
        Ok(None) => {}
        Err(error) => {
            warn(&error);
            return sign_in.await;
        }
    }
    match sign_in.await {
        Ok(session) => Ok(lot.share(&attempt, session).await),
        Err(failure) => {
            if let Err(error) = lot.end(End::Failed(&attempt)).await {
                warn(&error);
            }
            Err(failure)
        }
    }
}

/// What a session is shared as.
#[cfg(test)]
pub(super) fn seal(
    session: &Session,
    credentials: &SignInCredentials,
) -> onepassword::Result<String> {
    session.to_shared(&SymmetricKey::new(SEAL, *credentials.derive_secret(SEAL)?))
}

/// Whether nobody else uses this session, which is forgotten then. Where nobody says, somebody may.
pub(super) async fn leave(
    share: &dyn SessionShare,
    credentials: &SignInCredentials,
    session: &Session,
) -> bool {
    match Lot::of(credentials, share) {
        Ok(lot) => (lot.end(End::Alone(session.id())).await).unwrap_or_default(),
        Err(_) => false,
    }
}

async fn within<T>(answer: impl Future<Output = Result<T, NotShared>>) -> Result<T, NotShared> {
    let late = |_| NotShared("no answer in time".to_owned());
    tokio::time::timeout(ANSWER, answer).await.map_err(late)?
}

fn warn(error: &NotShared) {
    tracing::warn!(%error, "the account session is not shared with other processes");
}
