//! What a cloud's functions have in common: their parts, put together, and a sweep that has to be
//! over in time.

use std::{
    error::Error,
    io::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::{
    config::Config,
    http,
    metrics::{self, AccountCalls},
    outbound,
    service::Service,
};

/// How long before its end a sweep begins nothing more.
const SWEEP_MARGIN: Duration = Duration::from_secs(5);
/// How long before its end a sweep that hangs is given up, so that somebody hears of it.
const LAST_WORD: Duration = Duration::from_secs(1);

/// A variable of the environment that is set to something.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// The bridge that the environment describes, and how its door is to behave. Nothing is opened
/// before somebody asks for it.
///
/// # Errors
/// The setting that cannot be used, for people.
pub fn set_up() -> Result<(Arc<Service>, http::Options), Box<dyn Error + Send + Sync>> {
    let config = Config::read(environment)?;
    let roots = config.root_certificates.map(|path| {
        let roots = std::fs::read_to_string(&path);
        roots.map_err(|error| format!("root certificates {}: {error}", path.display()))
    });
    let client = outbound::client(roots.transpose()?.as_deref())?;
    let store = config.state.open(client.clone(), environment)?;
    let mut service = Service::new(config.secrets, store, client, config.op, config.bridge);
    if let Some(interval) = config.sweep_interval {
        service = service.swept_every(interval);
    }
    Ok((Arc::new(service.with_a_schedule()), config.door))
}

/// Writes a line for the platform to standard output. Work that is done stays done if it cannot be
/// written.
pub fn print(line: &Value) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Sweeps because a schedule says so, in a process that has until `ends`, and gives what was counted
/// to `emit`.
///
/// What came of single people is in the answer and in the log. It is an error only if the next try
/// may go better; what an administrator has to mend is said with every sweep as it is.
///
/// # Errors
/// The reason, for people.
pub async fn sweep(
    service: &Service,
    ends: Instant,
    emit: fn(Map<String, Value>),
) -> Result<Value, String> {
    let (begun, now) = (Instant::now(), OffsetDateTime::now_utc());
    let left = ends.saturating_duration_since(begun);
    let calls = AccountCalls::default();
    let swept = calls.count(service.sweep_within(left.saturating_sub(SWEEP_MARGIN), now));
    let swept = tokio::time::timeout(left.saturating_sub(LAST_WORD), swept).await;

    let mut values = metrics::take();
    if let Ok(Ok(sweep)) = &swept {
        for (metric, people) in [
            (&metrics::WAITING, sweep.waiting),
            (&metrics::HELD, sweep.held),
        ] {
            if people > 0 {
                values.insert(metric.name.to_owned(), people.into());
            }
        }
    }
    if let Some(end) = service.last_token_ends() {
        let days = (end - now).as_seconds_f64() / 86_400.0;
        values.insert(
            metrics::DAYS_TO_TOKEN_EXPIRY.name.to_owned(),
            json!(days.max(0.0)),
        );
    }
    emit(values);

    let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let account_calls = calls.so_far();
    let problem = match swept {
        Ok(Ok(sweep)) => {
            tracing::info!(
                confirmed = sweep.confirmed,
                waiting = sweep.waiting,
                held = sweep.held,
                failed = sweep.failed,
                deleted = sweep.deleted,
                left = sweep.left,
                ms,
                account_calls,
                "swept"
            );
            return Ok(json!(sweep));
        }
        Ok(Err(problem)) => problem,
        Err(_) => {
            tracing::warn!(
                ms,
                account_calls,
                "the sweep was given up: its time was over"
            );
            return Err("the sweep's time was over: the next one goes on".to_owned());
        }
    };
    tracing::warn!(error = %problem, ms, account_calls, "no sweep");
    match problem.is_passing() {
        true => Err(problem.to_string()),
        false => Ok(json!({ "problem": problem.to_string() })),
    }
}
