//! What the process counts, under the names that dashboards and alarms know; and what a single
//! request costs.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use serde_json::{Map, Value};

/// A number that only grows, until it is taken.
#[derive(Debug)]
pub struct Counter {
    name: &'static str,
    count: AtomicU64,
}

impl Counter {
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            count: AtomicU64::new(0),
        }
    }

    /// So many more.
    pub fn add(&self, more: usize) {
        self.count.fetch_add(more as u64, Ordering::Relaxed);
    }

    fn take(&self) -> u64 {
        self.count.swap(0, Ordering::Relaxed)
    }
}

/// Requests that were answered.
pub static REQUESTS: Counter = Counter::new("Requests");
/// Those that were answered with a status of 500 or more.
pub static ERRORS: Counter = Counter::new("Errors");
/// Removals that the guard refused.
pub static GUARD_REFUSALS: Counter = Counter::new("GuardRefusals");
/// Sweeps that got through.
pub static SWEEPS: Counter = Counter::new("Sweeps");
/// People who were confirmed.
pub static CONFIRMED: Counter = Counter::new("Confirmed");
/// People whom sweeps found held.
pub static HELD: Counter = Counter::new("Held");
/// Confirmations that failed.
pub static FAILED: Counter = Counter::new("Failed");

static COUNTERS: [&Counter; 7] = [
    &REQUESTS,
    &ERRORS,
    &GUARD_REFUSALS,
    &SWEEPS,
    &CONFIRMED,
    &HELD,
    &FAILED,
];

/// The name of a number that is not counted: when the last token ends.
pub const DAYS_TO_TOKEN_EXPIRY: &str = "DaysToTokenExpiry";

/// What was counted since the last time, by name.
pub fn take() -> Map<String, Value> {
    let counts = COUNTERS.map(|counter| (counter.name, counter.take()));
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    counts
        .map(|(name, count)| (name.to_owned(), count.into()))
        .collect()
}

/// How often the account service was called for one piece of work: a request, or a sweep.
#[derive(Clone, Debug, Default)]
pub struct AccountCalls(Arc<AtomicU64>);

tokio::task_local! {
    static CALLS: AccountCalls;
}

impl AccountCalls {
    /// Counts what is called while this work is done.
    pub async fn count<T>(&self, work: impl Future<Output = T>) -> T {
        CALLS.scope(self.clone(), work).await
    }

    /// The count that the present task adds to, for a task that it begins.
    pub fn current() -> Self {
        CALLS.try_with(Self::clone).unwrap_or_default()
    }

    /// One more.
    pub fn add_one() {
        Self::current().0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many by now.
    pub fn so_far(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
