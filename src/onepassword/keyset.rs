//! Keysets: an RSA pair whose private half is sealed under a symmetric key, which is wrapped to
//! whoever may open it.
//!
//! A person's primary keyset is wrapped to the unlock key; a group's to each of its members. To
//! give somebody a group is to wrap its symmetric key once more: the private key itself is never
//! encrypted anew.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{
    Error, Result, base64url,
    envelope::{Envelope, SymmetricKey},
    identifier,
    rsa::{PrivateKey, PublicKey},
    sign_in_credentials::{UNLOCK_KEY_ID, UnlockParameters},
};

/// A keyset as one holder sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Keyset {
    /// Its id: 26 lower-case base32 characters.
    pub uuid: String,
    /// `mp`, the id of the keyset that wraps it, or empty: then `encSymKey.kid` says it.
    #[serde(default)]
    pub encrypted_by: String,
    /// Serial number; of several primary keysets the highest counts.
    #[serde(default)]
    pub sn: u64,
    /// The symmetric key, wrapped.
    pub enc_sym_key: Envelope,
    /// The private key under the symmetric key.
    pub enc_pri_key: Envelope,
    /// The public key.
    pub pub_key: PublicKey,
    /// The signing key, where there is one; not used here.
    #[serde(default)]
    pub enc_s_pri_key: Option<serde_json::Value>,
    /// The public signing key, where there is one; not used here.
    #[serde(default)]
    pub spub_key: Option<serde_json::Value>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
}

impl Keyset {
    /// The id of the key that opens this.
    pub fn wrapped_to(&self) -> &str {
        if self.encrypted_by.is_empty() {
            &self.enc_sym_key.kid
        } else {
            &self.encrypted_by
        }
    }

    /// How the unlock key of a primary keyset is derived.
    pub fn unlock_parameters(&self) -> Result<UnlockParameters> {
        let missing = Error::Malformed("primary keyset");
        let key = &self.enc_sym_key;
        Ok(UnlockParameters {
            algorithm: key.alg.clone().ok_or(missing.clone())?,
            iterations: key.p2c.ok_or(missing.clone())?,
            salt: base64url::decode(key.p2s.as_deref().ok_or(missing)?, "salt")?,
        })
    }

    /// Opens a keyset with the symmetric key that is in it.
    fn open_with(&self, key: SymmetricKey) -> Result<OpenKeyset> {
        let private = PrivateKey::from_jwk(&key.open(&self.enc_pri_key)?)?;
        // A server that offers another public key beside our private one would make us encrypt
        // to a stranger.
        if key.id() != self.uuid || private.public().n != self.pub_key.n {
            return Err(Error::NotOpened("keyset"));
        }
        Ok(OpenKeyset { key, private })
    }
}

/// A keyset whose keys are at hand.
pub struct OpenKeyset {
    key: SymmetricKey,
    private: PrivateKey,
}

impl OpenKeyset {
    /// Makes a keyset. Takes some tenths of a second: an RSA key is made.
    pub fn generate() -> Result<Self> {
        let id = identifier::lower()?;
        Ok(Self {
            private: PrivateKey::generate(&id)?,
            key: SymmetricKey::generate(id)?,
        })
    }

    /// Opens a primary keyset with the unlock key.
    pub fn open_primary(keyset: &Keyset, unlock_key: &SymmetricKey) -> Result<Self> {
        let key = SymmetricKey::from_jwk(&unlock_key.open(&keyset.enc_sym_key)?)?;
        keyset.open_with(key)
    }

    /// Opens a keyset that is wrapped to this one.
    pub fn open(&self, keyset: &Keyset) -> Result<Self> {
        if keyset.wrapped_to() != self.id() {
            return Err(Error::Unreachable(keyset.uuid.clone()));
        }
        keyset.open_with(self.private.unwrap_key(&keyset.enc_sym_key)?)
    }

    /// Its id.
    pub fn id(&self) -> &str {
        self.key.id()
    }

    /// The symmetric key: what is wrapped for others.
    pub fn symmetric_key(&self) -> &SymmetricKey {
        &self.key
    }

    /// The private key.
    #[cfg(test)]
    pub(super) fn private_key(&self) -> &PrivateKey {
        &self.private
    }

    /// The public key.
    pub fn public_key(&self) -> PublicKey {
        self.private.public()
    }

    /// The keyset as the holder of `holder` sees it.
    pub fn wrapped_for(&self, holder: &PublicKey) -> Result<Keyset> {
        self.with_wrapped_key(holder.wrap(&self.key)?, String::new())
    }

    /// The keyset as its owner's primary one.
    pub fn sealed_for_owner(
        &self,
        unlock_key: &SymmetricKey,
        parameters: &UnlockParameters,
    ) -> Result<Keyset> {
        let mut sealed = unlock_key.seal(&self.key.to_jwk()?)?;
        sealed.alg = Some(parameters.algorithm.clone());
        sealed.p2c = Some(parameters.iterations);
        sealed.p2s = Some(base64url::encode(&parameters.salt));
        self.with_wrapped_key(sealed, UNLOCK_KEY_ID.to_owned())
    }

    fn with_wrapped_key(&self, enc_sym_key: Envelope, encrypted_by: String) -> Result<Keyset> {
        Ok(Keyset {
            uuid: self.id().to_owned(),
            encrypted_by,
            sn: 1,
            enc_sym_key,
            enc_pri_key: self.key.seal(&self.private.to_jwk()?)?,
            pub_key: self.public_key(),
            enc_s_pri_key: None,
            spub_key: None,
            created_at: None,
            updated_at: None,
        })
    }
}

/// The primary keyset among several: the one under the unlock key with the highest serial number.
pub fn primary(keysets: &[Keyset]) -> Option<&Keyset> {
    keysets
        .iter()
        .filter(|keyset| keyset.encrypted_by == UNLOCK_KEY_ID)
        .max_by_key(|keyset| keyset.sn)
}

/// Opens every keyset that can be reached from the unlock key, by id.
///
/// Wrappings may form loops and a keyset may be listed more than once; what cannot be reached, or
/// does not open, is left out.
pub fn open_tree(
    keysets: &[Keyset],
    unlock_key: &SymmetricKey,
) -> Result<HashMap<String, OpenKeyset>> {
    let root = primary(keysets).ok_or(Error::Malformed("list of keysets"))?;
    let mut frontier = vec![root.uuid.clone()];
    let mut open = HashMap::from([(
        root.uuid.clone(),
        OpenKeyset::open_primary(root, unlock_key)?,
    )]);
    let mut by_wrapper: HashMap<&str, Vec<&Keyset>> = HashMap::new();
    for keyset in keysets {
        by_wrapper
            .entry(keyset.wrapped_to())
            .or_default()
            .push(keyset);
    }
    while let Some(wrapper) = frontier.pop() {
        for keyset in by_wrapper.get(wrapper.as_str()).into_iter().flatten() {
            if open.contains_key(&keyset.uuid) {
                continue;
            }
            let Some(Ok(opened)) = open.get(&wrapper).map(|holder| holder.open(keyset)) else {
                continue;
            };
            frontier.push(keyset.uuid.clone());
            open.insert(keyset.uuid.clone(), opened);
        }
    }
    Ok(open)
}
