//! What is counted and measured, under names that are the same wherever it is shown; and what a
//! single request costs.
//!
//! A metric is named once, here. The functions write that name into their logs, CloudWatch's embedded
//! format or Azure's traces, from where alarms and dashboards take it; `/metrics` shows it by the name
//! that [`Metric::in_prometheus`] makes of it.

use std::{
    fmt::{Display, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::{Map, Value};

/// Something that is counted or measured.
#[derive(Debug)]
pub struct Metric {
    /// Words, each with a capital letter.
    pub name: &'static str,
    /// What it says, for people.
    pub help: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It only grows.
    Counter,
    /// How it is now.
    Gauge,
}

impl Metric {
    const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            kind: Kind::Gauge,
        }
    }

    /// Its name in Prometheus: `GuardRefusals`, which is a counter, is
    /// `scim_bridge_guard_refusals_total`.
    pub fn in_prometheus(&self) -> String {
        let mut name = "scim_bridge".to_owned();
        for letter in self.name.chars() {
            if letter.is_ascii_uppercase() {
                name.push('_');
            }
            name.push(letter.to_ascii_lowercase());
        }
        if self.kind == Kind::Counter {
            name.push_str("_total");
        }
        name
    }
}

/// A number that only grows, until it is taken.
#[derive(Debug)]
pub struct Counter {
    metric: Metric,
    count: AtomicU64,
}

impl Counter {
    const fn new(name: &'static str, help: &'static str) -> Self {
        Self {
            metric: Metric {
                name,
                help,
                kind: Kind::Counter,
            },
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

/// Requests.
pub static REQUESTS: Counter = Counter::new("Requests", "Requests that were answered");
/// Those that went wrong.
pub static ERRORS: Counter = Counter::new(
    "Errors",
    "Requests that were answered with a status of 500 or more",
);
/// What the guard held up.
pub static GUARD_REFUSALS: Counter =
    Counter::new("GuardRefusals", "Removals that the guard refused");
/// Sweeps.
pub static SWEEPS: Counter = Counter::new("Sweeps", "Sweeps that got through");
/// Who was let in.
pub static CONFIRMED: Counter = Counter::new("Confirmed", "People who were confirmed");
/// Who could not be.
pub static FAILED: Counter = Counter::new("Failed", "Confirmations that failed");

/// All that a process counts.
static COUNTERS: [&Counter; 6] = [
    &REQUESTS,
    &ERRORS,
    &GUARD_REFUSALS,
    &SWEEPS,
    &CONFIRMED,
    &FAILED,
];

/// Who waits.
pub static WAITING: Metric = Metric::gauge(
    "Waiting",
    "People who have signed up and whose time has not come, as the last sweep left them",
);
/// Who is kept out.
pub static HELD: Metric = Metric::gauge(
    "Held",
    "People whom a check or an administrator keeps out, as the last sweep found them",
);
/// When the provider will be shut out.
pub static DAYS_TO_TOKEN_EXPIRY: Metric = Metric::gauge(
    "DaysToTokenExpiry",
    "Days until the last of the provider's tokens ends; absent if one lasts for ever",
);
/// The version.
pub static INFO: Metric = Metric::gauge("Info", "The version of the process that answers");
/// The reports of `/health`.
pub static HEALTHY: Metric = Metric::gauge("Healthy", "1 if the part is healthy, else 0");
/// The credentials.
pub static CREDENTIALS_LOADED: Metric = Metric::gauge(
    "CredentialsLoadedTimestampSeconds",
    "When the process that answers read the scimsession that it uses",
);
/// The tokens.
pub static TOKEN_END: Metric = Metric::gauge(
    "TokenEndTimestampSeconds",
    "When a token stops working; tokens without an end are not listed",
);
/// The provider.
pub static LAST_REQUEST: Metric = Metric::gauge(
    "LastRequestTimestampSeconds",
    "When the provider last asked for something",
);
/// The provider's changes.
pub static LAST_WRITE: Metric = Metric::gauge(
    "LastWriteTimestampSeconds",
    "When the provider last changed something",
);
/// The sweeps.
pub static LAST_SWEEP: Metric = Metric::gauge(
    "LastSweepTimestampSeconds",
    "When the last sweep that reported began, whether or not it got through",
);
/// Their outcome.
pub static LAST_CONFIRMED: Metric = Metric::gauge(
    "LastConfirmedTimestampSeconds",
    "When a sweep last let somebody in",
);
/// The account.
pub static LAST_SIGNED_IN: Metric = Metric::gauge(
    "LastSignedInTimestampSeconds",
    "When the account last let the bridge in",
);
/// The guard.
pub static GUARD_USED: Metric = Metric::gauge(
    "GuardUsed",
    "People who were suspended or deleted within the last hour",
);
/// Its limit.
pub static GUARD_LIMIT: Metric = Metric::gauge(
    "GuardLimit",
    "People who may be within an hour, however small the account; in a large one it may be more",
);

/// What was counted since the last time, by name.
pub fn take() -> Map<String, Value> {
    let counts = COUNTERS.map(|counter| (counter.metric.name, counter.take()));
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    counts
        .map(|(name, count)| (name.to_owned(), count.into()))
        .collect()
}

/// Metrics in the text format of Prometheus, version 0.0.4.
#[derive(Debug, Default)]
pub struct Exposition(String);

impl Exposition {
    /// A metric as it is now.
    pub fn gauge(&mut self, metric: &Metric, value: impl Display) {
        self.gauges(metric, [(Vec::new(), value)]);
    }

    /// The same if it is known.
    pub fn known(&mut self, metric: &Metric, value: Option<impl Display>) {
        if let Some(value) = value {
            self.gauge(metric, value);
        }
    }

    /// A metric of several things, told apart by labels.
    pub fn gauges<'a, V: Display>(
        &mut self,
        metric: &Metric,
        rows: impl IntoIterator<Item = (Vec<(&'static str, &'a str)>, V)>,
    ) {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return;
        }
        let name = metric.in_prometheus();
        self.head(&name, metric.help, "gauge");
        for (labels, value) in rows {
            let labels = labels.iter().map(|(name, value)| {
                let value = value.replace('\\', "\\\\").replace('"', "\\\"");
                format!("{name}=\"{}\"", value.replace('\n', "\\n"))
            });
            let labels: Vec<String> = labels.collect();
            let labels = match labels.is_empty() {
                true => String::new(),
                false => format!("{{{}}}", labels.join(",")),
            };
            let _ = writeln!(self.0, "{name}{labels} {value}");
        }
    }

    /// What this process has counted since it began. That says something only where one process does
    /// all the work, and nobody takes what it counts.
    pub fn counters(&mut self) {
        for counter in COUNTERS {
            let name = counter.metric.in_prometheus();
            let help = format!("{}, by this process alone", counter.metric.help);
            self.head(&name, &help, "counter");
            let count = counter.count.load(Ordering::Relaxed);
            let _ = writeln!(self.0, "{name} {count}");
        }
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.0
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}.\n# TYPE {name} {kind}\n");
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The gauges, for the list that people read.
    static GAUGES: [&Metric; 14] = [
        &WAITING,
        &HELD,
        &DAYS_TO_TOKEN_EXPIRY,
        &INFO,
        &HEALTHY,
        &CREDENTIALS_LOADED,
        &TOKEN_END,
        &LAST_REQUEST,
        &LAST_WRITE,
        &LAST_SWEEP,
        &LAST_CONFIRMED,
        &LAST_SIGNED_IN,
        &GUARD_USED,
        &GUARD_LIMIT,
    ];

    #[test]
    fn a_name_in_prometheus_is_made_of_the_name() {
        for (metric, name) in [
            (&REQUESTS.metric, "scim_bridge_requests_total"),
            (&GUARD_REFUSALS.metric, "scim_bridge_guard_refusals_total"),
            (&HELD, "scim_bridge_held"),
            (&DAYS_TO_TOKEN_EXPIRY, "scim_bridge_days_to_token_expiry"),
            (&TOKEN_END, "scim_bridge_token_end_timestamp_seconds"),
        ] {
            assert_eq!(metric.in_prometheus(), name);
        }
    }

    #[test]
    fn the_list_for_people_has_every_metric_with_its_names() {
        let listed = include_str!("../docs/metrics.md");
        let rows = listed.lines().filter(|line| line.starts_with("| `"));
        let mut rows: Vec<&str> = rows.collect();
        let counters = COUNTERS.map(|counter| &counter.metric);
        let mut all: Vec<String> = (counters.iter().chain(&GAUGES))
            .map(|metric| {
                let name = metric.in_prometheus();
                format!("| `{}` | `{name}` | {} |", metric.name, metric.help)
            })
            .collect();
        rows.sort_unstable();
        all.sort_unstable();
        assert_eq!(rows, all, "docs/metrics.md");
    }

    #[test]
    fn labels_are_escaped_and_what_is_unknown_is_left_out() {
        let mut text = Exposition::default();
        text.gauges(&TOKEN_END, [(vec![("label", "the \"first\"\\\n")], 7)]);
        text.known(&HELD, None::<u64>);
        text.gauge(&WAITING, 2);
        let text = text.into_text();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            lines,
            [
                r#"scim_bridge_token_end_timestamp_seconds{label="the \"first\"\\\n"} 7"#,
                "scim_bridge_waiting 2"
            ]
        );
        assert_eq!(text.matches("# TYPE").count(), 2);
    }
}
