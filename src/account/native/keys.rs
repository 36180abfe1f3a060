//! The keys at hand: our own keyset, and those of groups as they are needed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use reqwest::Method;
use tokio::sync::OnceCell;

use super::{NativeAccount, compute, refusals::Failure};
use crate::{
    account::{Error, GroupId, Result},
    onepassword::{
        envelope::SymmetricKey,
        keyset::{Keyset, OpenKeyset},
        messages::administration::{KeyHolder, PREFIX, reason},
    },
};

/// How many groups' keys are kept; each is 32 bytes and its name.
const KEPT: usize = 2000;

/// Opened keys, wiped when dropped.
#[derive(Default)]
pub(super) struct Keys {
    own: OnceCell<Own>,
    administrators: OnceCell<Arc<OpenKeyset>>,
    groups: Mutex<HashMap<GroupId, SymmetricKey>>,
}

/// What the account says of ourselves, asked once: both keys stay as long as whom they belong to.
#[derive(Clone)]
pub(super) struct Own {
    /// Our own keyset, opened.
    pub(super) keyset: Arc<OpenKeyset>,
    /// The group through which every group's key can be reached.
    pub(super) administrators: KeyHolder,
}

impl Keys {
    fn kept(&self, group: &GroupId) -> Option<SymmetricKey> {
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.get(group).cloned()
    }

    fn keep(&self, group: &GroupId, key: &SymmetricKey) {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if groups.len() >= KEPT {
            // Whichever: a key that is missed costs one request.
            if let Some(any) = groups.keys().next().cloned() {
                groups.remove(&any);
            }
        }
        groups.insert(group.clone(), key.clone());
    }

    pub(super) fn forget(&self, group: &GroupId) {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.remove(group);
    }
}

impl NativeAccount {
    /// Our own keyset, and who the Administrators are: asked for once.
    pub(super) async fn own(&self) -> Result<&Own> {
        self.keys
            .own
            .get_or_try_init(|| async {
                let myself = self.myself().await?;
                let unlock_key = self.connection.credentials().unlock_key.clone();
                let keyset = compute(move || OpenKeyset::open_primary(&myself.keyset, &unlock_key))
                    .await
                    .map_err(|_| {
                        Error::CredentialsRefused(
                            "the Provision Manager's keys do not open: run setup again".to_owned(),
                        )
                    })?;
                Ok(Own {
                    keyset: Arc::new(keyset),
                    administrators: myself.administrators,
                })
            })
            .await
    }

    /// The keyset of the group Administrators, if we belong to it.
    async fn administrators_keyset(&self, own: &Own) -> Result<Arc<OpenKeyset>> {
        self.keys
            .administrators
            .get_or_try_init(|| async {
                let (group, own) = (&own.administrators.uuid, Arc::clone(&own.keyset));
                let path = format!("{PREFIX}/groups/{group}/keyset");
                let keyset: Keyset = self.connection.get(&path).await?;
                compute(move || own.open(&keyset)).await.map(Arc::new)
            })
            .await
            .cloned()
    }

    /// The key of a group that is wrapped to us, or to the group Administrators if we belong to it.
    pub(super) async fn group_key(&self, group: &GroupId) -> Result<SymmetricKey> {
        if let Some(key) = self.keys.kept(group) {
            return Ok(key);
        }
        let keyset: Keyset = self
            .connection
            .get(&format!("{PREFIX}/groups/{group}/keyset"))
            .await?;
        self.open_group(group, keyset).await
    }

    /// Whether the account gives us a group's key, and it opens.
    pub(super) async fn opens_group(&self, group: &GroupId) -> Result<bool> {
        let path = format!("{PREFIX}/groups/{group}/keyset");
        let answer = self.connection.call::<(), _>(Method::GET, &path, None);
        match answer.await {
            Ok(keyset) => self.open_group(group, keyset).await.map(|_| true),
            Err(Failure::Refused { reason, .. }) if reason == reason::NO_KEY => Ok(false),
            Err(failure) => Err(failure.into_error()),
        }
    }

    /// Opens a group's keyset that came with something else.
    pub(super) async fn open_group(&self, group: &GroupId, keyset: Keyset) -> Result<SymmetricKey> {
        if let Some(key) = self.keys.kept(group) {
            return Ok(key);
        }
        let own = self.own().await?;
        let holder = match keyset.wrapped_to() == own.keyset.id() {
            true => Arc::clone(&own.keyset),
            false => self.administrators_keyset(own).await?,
        };
        let key = compute(move || Ok(holder.open(&keyset)?.symmetric_key().clone())).await?;
        self.keys.keep(group, &key);
        Ok(key)
    }
}
