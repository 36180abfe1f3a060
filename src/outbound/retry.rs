//! Requests that are worth repeating: what failed may succeed a moment later.

use std::time::Duration;

use reqwest::{
    RequestBuilder, Response, StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};
use tokio::time::Instant;
use zeroize::Zeroizing;

/// How long everything together may take, waiting included.
pub const LIMIT: Duration = Duration::from_secs(5);
/// How long one try may take.
const TRY_LIMIT: Duration = Duration::from_secs(2);
/// The wait before the second try, doubled before every further one.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// An answer that arrived whole.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub headers: HeaderMap,
    /// Its body, which may be a secret.
    pub body: Zeroizing<Vec<u8>>,
}

/// Every try failed, or there is no time for the next one.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OutOfReach(String);

/// Sends a request until there is an answer that a repetition would not change. Network errors,
/// 408, 429 and 5xx are tried again within [`LIMIT`], no sooner than `Retry-After` (RFC 9110,
/// section 10.2.3) allows.
///
/// # Errors
/// The last try's reason.
pub async fn send(request: RequestBuilder) -> Result<Answer, OutOfReach> {
    let end = Instant::now() + LIMIT;
    let mut wait = FIRST_WAIT;
    loop {
        // None only for bodies that are streams.
        let this_try = request
            .try_clone()
            .ok_or_else(|| OutOfReach("the request cannot be repeated".to_owned()))?
            .timeout(TRY_LIMIT.min(end - Instant::now()));
        let (reason, asked) = match this_try.send().await {
            Ok(answer) if worth_repeating(answer.status()) => (
                format!("it answers {}", answer.status()),
                retry_after(&answer),
            ),
            Ok(answer) => match whole(answer).await {
                Ok(answer) => return Ok(answer),
                Err(error) => (super::reason(error), None),
            },
            Err(error) => (super::reason(error), None),
        };
        let pause = asked.unwrap_or(wait + jitter(wait)).max(wait);
        if Instant::now() + pause >= end {
            return Err(OutOfReach(match asked {
                Some(asked) => format!("{reason} and asks to wait {} s", asked.as_secs()),
                None => reason,
            }));
        }
        tokio::time::sleep(pause).await;
        wait *= 2;
    }
}

async fn whole(answer: Response) -> reqwest::Result<Answer> {
    Ok(Answer {
        status: answer.status(),
        headers: answer.headers().clone(),
        body: Zeroizing::new(answer.bytes().await?.into()),
    })
}

fn worth_repeating(status: StatusCode) -> bool {
    status == StatusCode::REQUEST_TIMEOUT
        || status == StatusCode::TOO_MANY_REQUESTS
        || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED)
}

/// The seconds that an answer asks to wait; dates are for people who wait longer than we do.
fn retry_after(answer: &Response) -> Option<Duration> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    Some(Duration::from_secs(seconds.trim().parse().ok()?))
}

/// Up to half as much again, so that those who failed together do not come back together.
fn jitter(wait: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or_default();
    wait.mul_f64(f64::from(random) / f64::from(u32::MAX) / 2.0)
}
