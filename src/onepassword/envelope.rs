//! A256GCM envelopes and the symmetric keys that open them.

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead, KeyInit},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Error, Result, base64url, random, secret_text::SecretText};

/// The content type of every envelope.
pub const CONTENT_TYPE: &str = "b5+jwk+json";
/// The algorithm of symmetric envelopes.
pub(super) const A256GCM: &str = "A256GCM";

/// A sealed value on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Id of the key that opens it: a session id, a keyset's id, or `mp` for the unlock key.
    pub kid: String,
    /// `A256GCM`, or `RSA-OAEP` and `RSA-OAEP-256` for a wrapped key.
    pub enc: String,
    /// [`CONTENT_TYPE`].
    pub cty: String,
    /// 12 bytes; absent when wrapped by RSA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iv: Option<String>,
    /// Ciphertext, with the 16-byte tag behind it.
    pub data: String,
    /// How the unlock key was derived; only where `kid` is `mp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// Iterations of that derivation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p2c: Option<u32>,
    /// Salt of that derivation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p2s: Option<String>,
}

/// 256 bits with a name.
#[derive(Clone)]
pub struct SymmetricKey {
    id: String,
    key: Zeroizing<[u8; 32]>,
}

/// Such a key as JSON.
#[derive(Serialize, Deserialize)]
struct OctetKey {
    alg: String,
    ext: bool,
    k: SecretText,
    key_ops: Vec<String>,
    kty: String,
    kid: String,
}

impl SymmetricKey {
    /// A key of these bytes.
    pub fn new(id: impl Into<String>, key: [u8; 32]) -> Self {
        Self {
            id: id.into(),
            key: Zeroizing::new(key),
        }
    }

    /// A fresh key.
    pub fn generate(id: impl Into<String>) -> Result<Self> {
        Ok(Self::new(id, random()?))
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.key
    }

    /// The key as a JSON Web Key.
    pub(super) fn to_jwk(&self) -> Result<Zeroizing<Vec<u8>>> {
        serde_json::to_vec(&self.octet_key())
            .map(Zeroizing::new)
            .map_err(|_| Error::Malformed("symmetric key"))
    }

    /// Reads a JSON Web Key.
    pub(super) fn from_jwk(json: &[u8]) -> Result<Self> {
        let key: OctetKey =
            serde_json::from_slice(json).map_err(|_| Error::Malformed("symmetric key"))?;
        key.try_into()
    }

    fn octet_key(&self) -> OctetKey {
        OctetKey {
            alg: A256GCM.to_owned(),
            ext: true,
            k: SecretText::new(base64url::encode(self.key.as_slice())),
            key_ops: vec!["encrypt".to_owned(), "decrypt".to_owned()],
            kty: "oct".to_owned(),
            kid: self.id.clone(),
        }
    }

    /// Seals bytes under a fresh nonce.
    pub fn seal(&self, plaintext: &[u8]) -> Result<Envelope> {
        let iv = random::<12>()?;
        let data = Aes256Gcm::new((&*self.key).into())
            .encrypt(&Nonce::from(iv), plaintext)
            .map_err(|_| Error::Malformed("plaintext"))?;
        Ok(Envelope {
            kid: self.id.clone(),
            enc: A256GCM.to_owned(),
            cty: CONTENT_TYPE.to_owned(),
            iv: Some(base64url::encode(&iv)),
            data: base64url::encode(&data),
            alg: None,
            p2c: None,
            p2s: None,
        })
    }

    /// Opens what was sealed under this key.
    pub fn open(&self, envelope: &Envelope) -> Result<Zeroizing<Vec<u8>>> {
        if envelope.enc != A256GCM {
            return Err(Error::Algorithm(envelope.enc.clone()));
        }
        if envelope.kid != self.id {
            return Err(Error::NotOpened("envelope"));
        }
        let iv: [u8; 12] =
            base64url::decode_array(envelope.iv.as_deref().unwrap_or_default(), "nonce")?;
        let data = base64url::decode(&envelope.data, "envelope")?;
        Aes256Gcm::new((&*self.key).into())
            .decrypt(&Nonce::from(iv), data.as_slice())
            .map(Zeroizing::new)
            .map_err(|_| Error::NotOpened("envelope"))
    }
}

impl Serialize for SymmetricKey {
    fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        self.octet_key().serialize(to)
    }
}

impl<'de> Deserialize<'de> for SymmetricKey {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        OctetKey::deserialize(from)?
            .try_into()
            .map_err(serde::de::Error::custom)
    }
}

impl TryFrom<OctetKey> for SymmetricKey {
    type Error = Error;

    fn try_from(key: OctetKey) -> Result<Self> {
        if key.kty != "oct" || key.alg != A256GCM {
            return Err(Error::Algorithm(key.alg));
        }
        let bytes = Zeroizing::new(base64url::decode_array::<32>(&key.k, "symmetric key")?);
        Ok(Self::new(key.kid, *bytes))
    }
}
