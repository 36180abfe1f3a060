//! What all these tests need: stores in an environment of their own, and a log that hears all.

use std::{
    io,
    sync::{Arc, Mutex, OnceLock},
};

use scim_bridge::{
    credentials::{Source, StoreError, Stored, Stores},
    outbound,
};

/// Every secret that a test sends or gets has this in it, and no log or error may have it.
pub const SENSITIVE: &str = "HUSHHUSH";

pub struct Place {
    stores: Stores,
    log: &'static Log,
}

impl Place {
    /// Stores of a process whose environment has these variables only.
    pub fn new(environment: &[(&str, &str)]) -> Self {
        let log = Log::start();
        let lookup = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Self {
            stores: Stores::new(outbound::client(None).unwrap(), lookup),
            log,
        }
    }

    pub async fn read(&self, from: &str) -> Result<(String, String), StoreError> {
        let from: Source = from.parse().unwrap();
        let read = self.stores.read(&from).await;
        self.checked(read)
            .map(|Stored { text, version }| (text.to_string(), version))
    }

    pub async fn write(&self, to: &str, text: &str) -> Result<String, StoreError> {
        let to: Source = to.parse().unwrap();
        self.checked(self.stores.write(&to, text).await)
    }

    fn checked<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &result {
            let told = format!("{error} {error:?}");
            assert!(!told.contains(SENSITIVE), "{told}");
        }
        let log = self.log.0.lock().unwrap().clone();
        let log = String::from_utf8_lossy(&log);
        assert!(log.contains(Log::FIRST_LINE));
        let leak = log.lines().find(|line| line.contains(SENSITIVE));
        assert_eq!(leak, None);
        result
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Missing,
    Denied,
    Unreachable,
    Unusable,
}

pub fn kind(error: &StoreError) -> Kind {
    match error {
        StoreError::Missing { .. } => Kind::Missing,
        StoreError::Denied { .. } => Kind::Denied,
        StoreError::Unreachable { .. } => Kind::Unreachable,
        StoreError::Unusable { .. } => Kind::Unusable,
    }
}

/// Everything that the process logs, at the loudest level.
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    const FIRST_LINE: &str = "the log hears";

    fn start() -> &'static Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let lines = Arc::new(Mutex::new(Vec::new()));
            let log = Self(Arc::clone(&lines));
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_ansi(false)
                .with_writer(move || Lines(Arc::clone(&lines)))
                .init();
            tracing::trace!("{}", Self::FIRST_LINE);
            log
        })
    }
}

struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
