//! The parts put together: credentials, account, store and rules, as every binary needs them.
//!
//! Nothing is opened before a request or a sweep needs it, and what is opened is shared by all.

use std::sync::Arc;

use async_trait::async_trait;
use time::OffsetDateTime;
use tokio::sync::OnceCell;

use crate::{
    account::native::NativeAccount,
    bridge::{Bridge, Settings, Sweep, SweepError},
    credentials::{
        self, BearerToken, Credentials, Opener, ScimSession, Source, StoreError, Stores, SweepKey,
    },
    http::{Gate, Refusal},
    state::StateStore,
};

/// A bridge that unlocks itself with the first secret it is given.
pub struct Service {
    source: Source,
    stores: Stores,
    store: Arc<dyn StateStore>,
    client: reqwest::Client,
    settings: Settings,
    sweep_key: Option<SweepKey>,
    file: OnceCell<ScimSession>,
    bridge: OnceCell<Bridge>,
}

/// Why there was no sweep, or only half of one.
#[derive(Debug, thiserror::Error)]
pub enum NoSweep {
    /// There is no sweep key, and no request has brought a token yet.
    #[error("locked: there is no sweep key, and no provider has called yet")]
    Locked,
    /// The scimsession cannot be opened.
    #[error(transparent)]
    Credentials(#[from] credentials::Error),
    /// The sweep stopped on its way.
    #[error(transparent)]
    Sweep(#[from] SweepError),
}

impl Service {
    /// Puts the parts together; opens none of them.
    pub fn new(
        source: Source,
        store: Arc<dyn StateStore>,
        client: reqwest::Client,
        settings: Settings,
        sweep_key: Option<SweepKey>,
    ) -> Self {
        Self {
            source,
            stores: Stores::new(client.clone(), |name| std::env::var(name).ok()),
            store,
            client,
            settings,
            sweep_key,
            file: OnceCell::new(),
            bridge: OnceCell::new(),
        }
    }

    /// Confirms those whose time has come.
    ///
    /// # Errors
    /// If the bridge is locked, or account or store are out of reach.
    pub async fn sweep(&self, now: OffsetDateTime) -> Result<Sweep, NoSweep> {
        let bridge = match &self.sweep_key {
            Some(key) => self.unlock(key).await?,
            None => self.bridge.get().ok_or(NoSweep::Locked)?,
        };
        Ok(bridge.sweep(now).await?)
    }

    /// Signs out of the account, if anybody has signed in; for a process that stops.
    pub async fn sign_out(&self) {
        if let Some(bridge) = self.bridge.get() {
            bridge.sign_out().await;
        }
    }

    async fn load(&self) -> Result<ScimSession, credentials::Error> {
        ScimSession::parse(&self.stores.read(&self.source).await?.text)
    }

    /// The bridge, if the secret opens the scimsession. The secret is checked every time, the
    /// credentials are opened once.
    async fn unlock<O: Opener>(&self, secret: &O) -> Result<&Bridge, credentials::Error> {
        let now = OffsetDateTime::now_utc();
        let file = self.file.get_or_try_init(|| self.load()).await?;
        file.check(secret, now)?;
        self.bridge
            .get_or_try_init(|| async {
                let account = match Credentials::open(file, secret, now)? {
                    Credentials::Native(native) => NativeAccount::new(native, self.client.clone()),
                };
                let store = Arc::clone(&self.store);
                Ok(Bridge::new(Arc::new(account), store, self.settings.clone()))
            })
            .await
    }
}

#[async_trait]
impl Gate for Service {
    async fn admit(&self, token: &str) -> Result<Bridge, Refusal> {
        use credentials::Error as E;
        let token: BearerToken = token.parse().map_err(|_| Refusal::Unauthorized)?;
        match self.unlock(&token).await {
            Ok(bridge) => Ok(bridge.clone()),
            Err(E::NotARecipient | E::Expired) => Err(Refusal::Unauthorized),
            // The reason is for our log: whoever asks has not shown yet who they are.
            Err(error) => {
                tracing::warn!(%error, "the credentials cannot be opened");
                Err(Refusal::NotReady(match error {
                    E::Store(StoreError::Missing { .. }) => {
                        "no credentials are installed: an administrator has to install the \
                         scimsession"
                    }
                    E::Store(StoreError::Unreachable { .. }) => {
                        "the place that keeps the credentials is out of reach: try again later"
                    }
                    _ => {
                        "the installed credentials cannot be read: an administrator has to \
                         install the scimsession again; the bridge's log says more"
                    }
                }))
            }
        }
    }
}
