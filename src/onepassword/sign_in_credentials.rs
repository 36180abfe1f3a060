//! What a program needs to sign in: derived values, so that no password is kept.
//!
//! The members are those of the public service-account token, which is this object as base64url
//! behind the letters `ops_`, and `srpVerifier`.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    Error, Result, base64url,
    derivation::{self, Parameters, SRP_METHOD},
    envelope::SymmetricKey,
    secret_key::SecretKey,
    secret_text::SecretText,
    srp::Verifier,
};

/// How the server wants the SRP x to be derived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserAuth {
    /// `SRPg-4096`.
    pub method: String,
    /// `PBES2g-HS256`.
    pub alg: String,
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// 16 bytes, base64url.
    pub salt: String,
}

impl UserAuth {
    /// Fresh parameters of the current method.
    pub fn generate(iterations: u32) -> Result<Self> {
        Ok(Self {
            method: SRP_METHOD.to_owned(),
            alg: derivation::UNLOCK_ALGORITHM.to_owned(),
            iterations,
            salt: base64url::encode(&super::random::<16>()?),
        })
    }

    /// The salt's bytes.
    pub fn salt(&self) -> Result<Vec<u8>> {
        base64url::decode(&self.salt, "salt")
    }

    /// Derives the SRP x; slow on purpose.
    pub fn srp_x(
        &self,
        email: &str,
        password: &str,
        secret_key: &SecretKey,
    ) -> Result<Zeroizing<[u8; 32]>> {
        if self.method != SRP_METHOD {
            return Err(Error::Algorithm(self.method.clone()));
        }
        let parameters = Parameters {
            method: &self.method,
            algorithm: &self.alg,
            iterations: self.iterations,
            salt: &self.salt()?,
        };
        derivation::derive(&parameters, email, password, secret_key)
    }
}

/// How an unlock key is derived: the `alg`, `p2c` and `p2s` of the primary keyset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnlockParameters {
    /// `PBES2g-HS256`.
    pub algorithm: String,
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// 16 bytes.
    pub salt: Vec<u8>,
}

impl UnlockParameters {
    /// Fresh parameters of the current algorithm.
    pub fn generate(iterations: u32) -> Result<Self> {
        Ok(Self {
            algorithm: derivation::UNLOCK_ALGORITHM.to_owned(),
            iterations,
            salt: super::random::<16>()?.to_vec(),
        })
    }

    /// Derives the unlock key, whose id is `mp`; slow on purpose.
    pub fn unlock_key(
        &self,
        email: &str,
        password: &str,
        secret_key: &SecretKey,
    ) -> Result<SymmetricKey> {
        let parameters = Parameters {
            method: &self.algorithm,
            algorithm: &self.algorithm,
            iterations: self.iterations,
            salt: &self.salt,
        };
        let key = derivation::derive(&parameters, email, password, secret_key)?;
        Ok(SymmetricKey::new(UNLOCK_KEY_ID, *key))
    }
}

/// The id of every unlock key ("master password").
pub const UNLOCK_KEY_ID: &str = "mp";
#[cfg(test)]
const TOKEN_PREFIX: &str = "ops_";

/// Credentials that sign in without a password. As secret as the password itself.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignInCredentials {
    /// Origin of the account, such as `https://example.1password.com`. A token of the account
    /// service has no scheme; `https` is meant then.
    pub sign_in_address: String,
    /// How the SRP x was derived.
    pub user_auth: UserAuth,
    /// The address to sign in with.
    pub email: String,
    /// 32 bytes, as hex in JSON.
    #[serde(with = "hex_bytes")]
    pub srp_x: Zeroizing<[u8; 32]>,
    /// `g^x`, which goes into every sign-in and never changes. `None` in credentials that are older
    /// than this member, and in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub srp_verifier: Option<Verifier>,
    /// The account unlock key.
    #[serde(rename = "muk")]
    pub unlock_key: SymmetricKey,
    /// The Secret Key, `A3-…`.
    pub secret_key: SecretText,
    /// The device that signs in: 26 lower-case base32 characters.
    pub device_uuid: String,
}

impl SignInCredentials {
    /// Derives credentials from what a person knows. Slow on purpose, twice.
    pub fn derive(
        sign_in_address: impl Into<String>,
        email: &str,
        password: &str,
        secret_key: &SecretKey,
        user_auth: UserAuth,
        unlock: &UnlockParameters,
    ) -> Result<Self> {
        let srp_x = user_auth.srp_x(email, password, secret_key)?;
        Ok(Self {
            sign_in_address: sign_in_address.into(),
            email: email.trim().to_owned(),
            srp_verifier: Some(Verifier::from_x(&srp_x)),
            srp_x,
            unlock_key: unlock.unlock_key(email, password, secret_key)?,
            secret_key: SecretText::new(secret_key.text().to_string()),
            device_uuid: super::identifier::lower()?,
            user_auth,
        })
    }

    /// Reads a service-account token: published vectors of sign-in come as such.
    #[cfg(test)]
    pub(crate) fn from_token(token: &str) -> Result<Self> {
        let malformed = Error::Malformed("service-account token");
        let text = token
            .trim()
            .strip_prefix(TOKEN_PREFIX)
            .ok_or(malformed.clone())?;
        let json = Zeroizing::new(base64url::decode(text, "service-account token")?);
        serde_json::from_slice(&json).map_err(|_| malformed)
    }

    /// `g^x`. Costs one exponentiation if it was not kept.
    pub fn verifier(&self) -> Verifier {
        let kept = self.srp_verifier.clone();
        kept.unwrap_or_else(|| Verifier::from_x(&self.srp_x))
    }

    /// The address with its scheme, without a slash behind it.
    pub fn origin(&self) -> String {
        origin(&self.sign_in_address)
    }

    /// 256 bits for another purpose, which tell nothing of the credentials: who has the same ones,
    /// for the same account and device, has the same bits (HKDF-SHA256).
    pub fn derive_secret(&self, purpose: &str) -> Result<Zeroizing<[u8; 32]>> {
        let mut secret = Zeroizing::new([0; 64]);
        secret[..32].copy_from_slice(self.srp_x.as_slice());
        secret[32..].copy_from_slice(self.unlock_key.bytes());
        let salt = format!("{} {}", self.origin(), self.device_uuid);
        derivation::hkdf(secret.as_slice(), salt.as_bytes(), purpose)
    }
}

/// A sign-in address with its scheme, without a slash behind it.
pub fn origin(address: &str) -> String {
    let address = address.trim().trim_end_matches('/');
    if address.contains("://") {
        address.to_owned()
    } else {
        format!("https://{address}")
    }
}

mod hex_bytes {
    use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use zeroize::Zeroizing;

    pub(super) fn serialize<S: Serializer>(
        bytes: &Zeroizing<[u8; 32]>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(&Zeroizing::new(HEXLOWER.encode(bytes.as_slice())))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Zeroizing<[u8; 32]>, D::Error> {
        let text = Zeroizing::new(String::deserialize(from)?);
        let bytes = HEXLOWER_PERMISSIVE
            .decode(text.as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| D::Error::custom("srpX is not hex"))?;
        <[u8; 32]>::try_from(bytes.as_slice())
            .map(Zeroizing::new)
            .map_err(|_| D::Error::custom("srpX is not 32 bytes"))
    }
}
