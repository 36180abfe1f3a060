//! How much is taken on: so many requests a second of each token, so many at the same time, and URLs
//! and headers of a certain size. What is beyond is refused at once, before it costs anything.
//!
//! Each process counts for itself: where a platform runs several, each of them takes as much.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::extract::Request;
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{bridge, scim};

/// How long after the last request of a burst the next burst is as large: a burst has as many
/// requests as the rate allows in this time.
const BURST: Duration = Duration::from_secs(4);

/// When somebody is to come again who found no place. Requests take less.
const NEXT_PLACE: Duration = Duration::from_secs(1);

/// So many callers are remembered before those who have not asked for a while are forgotten.
const REMEMBERED: usize = 64;

/// The longest URL, in bytes, and the largest headers together. Gateways take about as much.
const LONGEST_URL: usize = 8 * 1024;
const LARGEST_HEADERS: usize = 16 * 1024;

/// Who asks. Tokens are not kept, only digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    /// The holder of this token.
    Asking([u8; 32]),
    /// The same, who looks at the bridge itself, which has to be possible when the rest is not.
    Watching([u8; 32]),
    /// Whoever shows no valid token.
    Stranger,
}

impl Caller {
    pub fn asking(token: &str) -> Self {
        Self::Asking(Sha256::digest(token).into())
    }

    pub fn watching(token: &str) -> Self {
        Self::Watching(Sha256::digest(token).into())
    }
}

/// What this process has taken on.
pub struct Load {
    /// The time between two requests of a caller; `None` if they may come as they like.
    pace: Option<Duration>,
    /// When the bucket of each caller is full again. A request puts this off by `pace`, and there
    /// is none to be had where that is more than `BURST` away.
    full: Mutex<HashMap<Caller, Instant>>,
    places: Arc<Semaphore>,
}

impl Load {
    /// So many requests a second of each caller (0: as they like), so many at the same time.
    pub fn new(rate: u32, concurrency: usize) -> Self {
        Self {
            pace: (rate > 0).then(|| Duration::from_secs(1) / rate),
            full: Mutex::default(),
            places: Arc::new(Semaphore::new(concurrency.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// Takes one request out of a caller's bucket.
    ///
    /// # Errors
    /// 429 with the time after which there is one.
    pub fn take(&self, caller: Caller, now: Instant) -> Result<(), bridge::Error> {
        let Some(pace) = self.pace else {
            return Ok(());
        };
        let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        if full.len() >= REMEMBERED && !full.contains_key(&caller) {
            full.retain(|_, at| *at > now);
        }
        let at = full.entry(caller).or_insert(now);
        let next = (*at).max(now) + pace;
        let beyond = next.saturating_duration_since(now).saturating_sub(BURST);
        if beyond.is_zero() {
            *at = next;
            return Ok(());
        }
        Err(bridge::Error {
            outside: scim::Error::too_many_requests(
                "these are more requests a second than the bridge takes: send them more slowly, \
                 or raise SCIM_BRIDGE_RATE_LIMIT",
            ),
            retry_after: Some(beyond),
            inside: None,
            outage: None,
        })
    }

    /// A place among those that are worked on, for as long as it is held.
    ///
    /// # Errors
    /// 503 if there is none.
    pub fn place(&self) -> Result<OwnedSemaphorePermit, bridge::Error> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        place.map_err(|_| bridge::Error {
            outside: scim::Error::unavailable(
                "the bridge works on as many requests as it takes at the same time: try again",
            ),
            retry_after: Some(NEXT_PLACE),
            inside: Some("overloaded: see SCIM_BRIDGE_CONCURRENCY".to_owned()),
            outage: None,
        })
    }
}

/// What of a request is larger than is read, if anything.
///
/// # Errors
/// 414 or 431.
pub fn check_size(request: &Request) -> Result<(), scim::Error> {
    let url = request.uri();
    if url.path().len() + url.query().unwrap_or_default().len() > LONGEST_URL {
        return Err(scim::Error::uri_too_long(format!(
            "the URL is longer than {LONGEST_URL} bytes: POST to /.search what does not fit"
        )));
    }
    let headers = request.headers().iter();
    let size: usize = headers
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if size > LARGEST_HEADERS {
        return Err(scim::Error::headers_too_large(format!(
            "the headers are larger than {LARGEST_HEADERS} bytes together"
        )));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_four_times_the_rate_and_then_the_rate_holds() {
        let start = Instant::now();
        for (rate, pace) in [(1, 1000), (50, 20), (1000, 1)] {
            let load = Load::new(rate, 1);
            let take = |milliseconds| {
                let now = start + Duration::from_millis(milliseconds);
                let taken = load.take(Caller::Stranger, now);
                taken.map_err(|error| (error.outside.status, error.retry_after))
            };
            for _ in 0..4 * rate {
                assert_eq!(take(0), Ok(()), "{rate}");
            }
            let wait = Duration::from_millis(pace);
            assert_eq!(take(0), Err((429, Some(wait))), "{rate}");
            // What was refused costs nothing, and who comes when told is served, once.
            assert_eq!(take(pace), Ok(()), "{rate}");
            assert_eq!(take(pace), Err((429, Some(wait))), "{rate}");
            // Who keeps to the rate is never refused.
            for number in 2..100 {
                assert_eq!(take(number * pace), Ok(()), "{rate}");
            }
            // After a rest the bucket is full, and not fuller.
            let later = 200_000;
            let served = (0..5 * rate).filter(|_| take(later).is_ok());
            assert_eq!(served.count(), 4 * rate as usize, "{rate}");
        }
    }

    #[test]
    fn each_caller_has_a_bucket_and_strangers_have_one_together() {
        let (load, now) = (Load::new(1, 1), Instant::now());
        let drain = |caller: Caller| (0..9).filter(|_| load.take(caller, now).is_ok()).count();
        assert_eq!(drain(Caller::Stranger), 4);
        assert_eq!(drain(Caller::asking("a")), 4);
        assert_eq!(drain(Caller::asking("b")), 4);
        assert_eq!(drain(Caller::watching("a")), 4);
        assert_eq!(drain(Caller::Stranger), 0);
    }

    #[test]
    fn who_has_not_asked_for_a_while_is_forgotten() {
        let (load, start) = (Load::new(1, 1), Instant::now());
        for number in 0..200 {
            let now = start + 2 * BURST * number;
            load.take(Caller::asking(&number.to_string()), now).unwrap();
        }
        assert!(load.full.lock().unwrap().len() <= REMEMBERED);
        let unlimited = Load::new(0, 1);
        let all = (0..1000).filter(|_| unlimited.take(Caller::Stranger, start).is_ok());
        assert_eq!(all.count(), 1000);
    }

    #[test]
    fn a_place_is_free_again_when_it_is_given_back() {
        let load = Load::new(0, 2);
        let (one, _two) = (load.place().unwrap(), load.place().unwrap());
        let none = load.place().unwrap_err();
        assert_eq!(
            (none.outside.status, none.retry_after),
            (503, Some(NEXT_PLACE))
        );
        drop(one);
        assert!(load.place().is_ok());
    }
}
