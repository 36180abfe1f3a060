//! An embedded account server: enough of the account service, over HTTP and with SQLite behind
//! it, to develop and to test an account client against.
//!
//! * `routes`: what it answers. Sign-in, devices and keysets in the public shapes, the
//!   administration of `docs/account-api.md`, and under `/sandbox/` what stands for the world
//!   outside: a mailbox and a page to sign up with.
//! * `members`, `groups`, `pages`, `journal`: what it knows, in `store`.
//! * `sessions`: who is signed in.
//! * [`person`]: the half of a newcomer, who makes keys that the server never sees.
//!
//! It keeps what a real one would: verifiers, public keys and wrapped keys. It has no second
//! factor and no certificates, and is meant for one machine.

mod caller;
mod groups;
mod journal;
mod members;
mod pages;
pub mod person;
mod refusal;
mod routes;
mod sessions;
mod setup;
mod store;

use std::{path::Path, sync::Arc, time::Duration};

pub use journal::{Event, Mail};
pub use setup::{DemoAccount, Login, NewAccount, NewPerson};

use crate::onepassword::derivation::DEFAULT_ITERATIONS;
use sessions::Sessions;
use store::Store;

/// How the server behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long a session lasts without a request.
    pub session_idle: Duration,
    /// Rounds of key derivation that newcomers are told to use.
    pub kdf_iterations: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            session_idle: Duration::from_secs(30 * 60),
            kdf_iterations: DEFAULT_ITERATIONS,
        }
    }
}

/// Why the sandbox could not do something outside of a request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database file.
    #[error("the sandbox's database: {0}")]
    Database(#[from] rusqlite::Error),
    /// A key could not be made.
    #[error("the sandbox's keys: {0}")]
    Keys(#[from] crate::onepassword::Error),
    /// There is an account already.
    #[error("the sandbox has an account already")]
    AccountExists,
    /// A value that it does not take, or a fault of its own.
    #[error("the sandbox: {0}")]
    Refused(String),
}

impl From<refusal::Refusal> for Error {
    fn from(refusal: refusal::Refusal) -> Self {
        let words = [refusal.body.error_message, refusal.body.reason];
        Self::Refused(words.into_iter().flatten().next().unwrap_or_default())
    }
}

/// A running account server, without its listener. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    store: Store,
    sessions: Sessions,
    options: Options,
}

impl Sandbox {
    /// Opens the database, making it if there is none.
    pub fn open(path: &Path, options: Options) -> Result<Self, Error> {
        Ok(Self(Arc::new(Inner {
            store: Store::open(path)?,
            sessions: Sessions::new(options.session_idle),
            options,
        })))
    }

    /// Whether an account was created here.
    pub fn has_account(&self) -> Result<bool, Error> {
        Ok(self
            .0
            .store
            .read_now(|db| Ok(db.prepare_cached("SELECT 1 FROM account")?.exists([])?))?)
    }

    /// Everything that has happened, oldest first.
    pub fn events(&self) -> Result<Vec<Event>, Error> {
        Ok(self.0.store.read_now(journal::events)?)
    }

    /// How many events of this kind the person with this id has.
    pub fn count_events(&self, kind: &str, member: &str) -> Result<u64, Error> {
        Ok(self
            .0
            .store
            .read_now(|db| journal::count(db, kind, member))?)
    }

    /// The mail of one address, newest first.
    pub fn mail(&self, to: &str) -> Result<Vec<Mail>, Error> {
        Ok(self
            .0
            .store
            .read_now(|db| journal::mail(db, Some(to), 100))?)
    }

    /// Ends every session, as a restart does.
    pub fn end_sessions(&self) {
        self.0.sessions.clear();
    }

    /// What it answers.
    pub fn router(&self) -> axum::Router {
        routes::router(self.clone())
    }
}

/// Serves until the future is dropped.
pub async fn serve(listener: tokio::net::TcpListener, sandbox: Sandbox) -> std::io::Result<()> {
    axum::serve(listener, sandbox.router()).await
}
