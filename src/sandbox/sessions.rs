//! Sessions: in memory only, so that a restart ends them all, as a deployment would.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::caller::Caller;
use crate::onepassword::{
    session::{ReplayWindows, Session, SessionKey},
    srp::{Generation, PublicValue},
};

/// More sessions than this at once are not kept; the longest idle give way.
const MOST: usize = 20_000;
/// How long an exchange may take that has begun.
const EXCHANGE: Duration = Duration::from_secs(120);

/// The exchange after A and B have met.
#[derive(Clone)]
pub(super) struct Exchange {
    pub(super) generation: Generation,
    pub(super) key: SessionKey,
    pub(super) client: PublicValue,
    pub(super) server: PublicValue,
}

enum Phase {
    /// The server knows who it is talking about.
    Started,
    /// Both sides have the key, if the client is who it says.
    Exchanged(Box<Exchange>),
    /// The client has proven it.
    Live,
}

struct Entry {
    caller: Caller,
    email: String,
    phase: Phase,
    session: Option<Arc<Session>>,
    windows: ReplayWindows,
    used: Instant,
}

/// All sessions of the server.
pub(super) struct Sessions {
    idle: Duration,
    entries: Mutex<HashMap<String, Entry>>,
}

/// A session whose request is being looked at.
pub(super) struct Found {
    pub(super) session: Arc<Session>,
    pub(super) caller: Caller,
}

impl Sessions {
    pub(super) fn new(idle: Duration) -> Self {
        Self {
            idle,
            entries: Mutex::default(),
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn alive(&self, entry: &Entry) -> bool {
        let limit = match entry.phase {
            Phase::Live => self.idle,
            _ => EXCHANGE,
        };
        entry.used.elapsed() < limit
    }

    /// Begins an exchange with somebody.
    pub(super) fn start(&self, caller: Caller, email: &str) {
        let mut entries = self.entries();
        if entries.len() >= MOST {
            entries.retain(|_, entry| self.alive(entry));
        }
        if entries.len() >= MOST {
            let oldest = entries.iter().min_by_key(|(_, entry)| entry.used);
            if let Some(id) = oldest.map(|(id, _)| id.clone()) {
                entries.remove(&id);
            }
        }
        entries.insert(
            caller.session.clone(),
            Entry {
                caller,
                email: email.to_owned(),
                phase: Phase::Started,
                session: None,
                windows: ReplayWindows::default(),
                used: Instant::now(),
            },
        );
    }

    /// Who a session that has not proven itself is about, and under which address.
    pub(super) fn pending(&self, id: &str) -> Option<(Caller, String)> {
        let entries = self.entries();
        let entry = entries.get(id).filter(|entry| self.alive(entry))?;
        Some((entry.caller.clone(), entry.email.clone()))
    }

    /// Notes the outcome of the exchange of A and B; only once.
    pub(super) fn exchange(&self, id: &str, exchange: Exchange) -> bool {
        let mut entries = self.entries();
        let entry = entries
            .get_mut(id)
            .filter(|entry| matches!(entry.phase, Phase::Started));
        entry.is_some_and(|entry| {
            entry.session = Some(Arc::new(Session::new(id, &exchange.key)));
            entry.phase = Phase::Exchanged(Box::new(exchange));
            true
        })
    }

    /// The exchange whose proof is due.
    pub(super) fn exchanged(&self, id: &str) -> Option<Exchange> {
        let entries = self.entries();
        match &entries.get(id).filter(|entry| self.alive(entry))?.phase {
            Phase::Exchanged(exchange) => Some(exchange.as_ref().clone()),
            _ => None,
        }
    }

    /// The proof was right.
    pub(super) fn prove(&self, id: &str) {
        if let Some(entry) = self.entries().get_mut(id) {
            entry.phase = Phase::Live;
            entry.used = Instant::now();
        }
    }

    /// The session of a signed request. `proves` allows a session of generation 1 whose proof the
    /// request itself is.
    pub(super) fn find(&self, id: &str, proves: bool) -> Option<Found> {
        let mut entries = self.entries();
        let entry = entries.get(id)?;
        if !self.alive(entry) {
            entries.remove(id);
            return None;
        }
        let allowed = match &entry.phase {
            Phase::Live => true,
            Phase::Exchanged(exchange) => proves && exchange.generation == Generation::One,
            Phase::Started => false,
        };
        let session = entry.session.clone().filter(|_| allowed)?;
        Some(Found {
            session,
            caller: entry.caller.clone(),
        })
    }

    /// Takes a request id whose MAC was right; false if it was seen before.
    pub(super) fn accept(&self, id: &str, request_id: u32) -> bool {
        let mut entries = self.entries();
        entries.get_mut(id).is_some_and(|entry| {
            entry.used = Instant::now();
            entry.windows.accept(request_id)
        })
    }

    /// Ends one session.
    pub(super) fn end(&self, id: &str) {
        self.entries().remove(id);
    }

    /// Ends every session of a person.
    pub(super) fn end_all(&self, member: i64) {
        self.entries().retain(|_, entry| entry.caller.seq != member);
    }

    /// Ends every session.
    pub(super) fn clear(&self) {
        self.entries().clear();
    }
}
