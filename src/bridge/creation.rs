//! Creating something in the account and writing it down, so that a repeat does no harm.
//!
//! Account and store are two systems. If the bridge is cut off between them, the provider repeats
//! its request and must neither get a second invitation sent nor be told that somebody else has
//! the name. So each creation has a name of its own, kept in the store until it is through: a
//! repeat goes on under the same name, and the account answers it with what it created then.

use std::time::Instant;

use data_encoding::BASE32_NOPAD;
use time::{Duration, OffsetDateTime};

use super::{Bridge, Error};
use crate::{
    account::Attempt,
    scim::{self, version::Conditions},
    state::{Claim, CreationEnd, CreationKey},
};

/// Longer than any request lives: after this a claim's holder is gone.
const CLAIM_LIFE: Duration = Duration::seconds(30);

/// How long a request waits for another one that creates the same thing.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);
const PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

impl Bridge {
    /// Runs `create` under a claim on `key`; one request at a time, whichever bridge it came to.
    pub(super) async fn create_once<T>(
        &self,
        key: CreationKey,
        create: impl AsyncFnOnce(&Attempt) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let attempt = self.claim(&key).await?;
        let result = create(&attempt).await;
        let end = match &result {
            Err(error) if error.is_transient() => CreationEnd::Interrupted,
            _ => CreationEnd::Done,
        };
        self.end(&key, end).await;
        result
    }

    /// Runs a change of the resource with this id. Those that depend on its version go one after
    /// another, so that of two clients that saw the same version one comes too late.
    pub(super) async fn change_under<T>(
        &self,
        conditions: &Conditions,
        id: &str,
        change: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        if conditions.is_empty() {
            return change.await;
        }
        let key = CreationKey::Change(id.to_owned());
        self.claim(&key).await?;
        let result = change.await;
        self.end(&key, CreationEnd::Done).await;
        result
    }

    /// Whether a creation was cut off, which is over then: somebody else has finished it.
    pub(super) async fn was_cut_off(&self, key: CreationKey) -> Result<bool, Error> {
        let fresh = new_attempt()?;
        let now = OffsetDateTime::now_utc();
        let claim = self
            .store
            .claim_creation(&key, &fresh, now, now + CLAIM_LIFE);
        match claim.await? {
            Claim::Held => Ok(false),
            Claim::Ours(attempt) => {
                self.end(&key, CreationEnd::Done).await;
                Ok(attempt != fresh)
            }
        }
    }

    /// If this fails the claim runs out by itself, and the answer stands.
    async fn end(&self, key: &CreationKey, end: CreationEnd) {
        if let Err(error) = self.store.end_creation(key, end).await {
            tracing::warn!(%error, "what is finished stays claimed until its claim runs out");
        }
    }

    async fn claim(&self, key: &CreationKey) -> Result<Attempt, Error> {
        let fresh = new_attempt()?;
        let started = Instant::now();
        loop {
            let now = OffsetDateTime::now_utc();
            let claim = self
                .store
                .claim_creation(key, &fresh, now, now + CLAIM_LIFE)
                .await?;
            match claim {
                Claim::Ours(attempt) if attempt == fresh => return Ok(Attempt::new(attempt)),
                Claim::Ours(attempt) => return Ok(Attempt::again(attempt)),
                Claim::Held if started.elapsed() < PATIENCE => tokio::time::sleep(PAUSE).await,
                Claim::Held => {
                    return Err(Error {
                        outside: scim::Error::unavailable(
                            "another request is at the same resource: try again",
                        ),
                        retry_after: Some(std::time::Duration::from_secs(30)),
                        inside: None,
                        outage: None,
                    });
                }
            }
        }
    }
}

/// 128 random bits as text.
fn new_attempt() -> Result<String, Error> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error {
        outside: scim::Error::internal("the bridge has no source of random numbers"),
        retry_after: None,
        inside: Some(error.to_string()),
        outage: None,
    })?;
    Ok(BASE32_NOPAD.encode(&bytes))
}
