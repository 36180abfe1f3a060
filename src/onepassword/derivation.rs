//! Two-secret key derivation: password and Secret Key to 32 bytes.
//!
//! Used twice with independent salts: for the SRP x and for the account unlock key. How many
//! iterations to accept from a server is the caller's decision, not made here.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2::{self, Algorithm, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA512};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::{Error, Result, base64url, secret_key::SecretKey};

/// The method of the SRP x.
pub(super) const SRP_METHOD: &str = "SRPg-4096";
/// The algorithm of the unlock key, and of the password hash inside both derivations.
pub(super) const UNLOCK_ALGORITHM: &str = "PBES2g-HS256";
/// What new keysets and verifiers use.
pub const DEFAULT_ITERATIONS: u32 = 650_000;
/// The least that a client should accept from a server.
pub const MINIMUM_ITERATIONS: u32 = 10_000;

/// The public parameters of one derivation.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a> {
    /// The text that separates the uses: `SRPg-4096` for x, the algorithm for the unlock key.
    pub method: &'a str,
    /// `PBES2g-HS256`, or one of the older `PBES2g-HS512` and `PBES2-HS256`.
    pub algorithm: &'a str,
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// 16 random bytes.
    pub salt: &'a [u8],
}

/// The e-mail address as it takes part in a derivation.
pub fn normal_email(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Derives 32 bytes; slow on purpose.
pub fn derive(
    parameters: &Parameters<'_>,
    email: &str,
    password: &str,
    secret_key: &SecretKey,
) -> Result<Zeroizing<[u8; 32]>> {
    let email = normal_email(email);
    let mut key = Zeroizing::new([0; 32]);
    match parameters.algorithm {
        // Trimmed first, then normalised: a blank that normalisation makes stays.
        "PBES2g-HS256" | "PBES2g-HS512" => {
            let password = Zeroizing::new(password.trim().nfkd().collect::<String>());
            let salt = hkdf(parameters.salt, email.as_bytes(), parameters.method)?;
            let hash = match parameters.algorithm {
                "PBES2g-HS512" => PBKDF2_HMAC_SHA512,
                _ => PBKDF2_HMAC_SHA256,
            };
            stretch(hash, parameters, &*salt, password.as_bytes(), &mut key)?;
        }
        // Before the "g": the salt as it is, the raw password hashed behind the address.
        "PBES2-HS256" => {
            let hash = Zeroizing::new(base64url::encode(&Sha256::digest(password.as_bytes())));
            let input = Zeroizing::new(format!("{email}:{}", *hash));
            stretch(
                PBKDF2_HMAC_SHA256,
                parameters,
                parameters.salt,
                input.as_bytes(),
                &mut key,
            )?;
        }
        other => return Err(Error::Algorithm(other.to_owned())),
    }
    xor(&mut key, &*secret_key.hash()?);
    Ok(key)
}

/// PBKDF2 (RFC 8018, section 5.2) to 32 bytes.
fn stretch(
    hash: Algorithm,
    parameters: &Parameters<'_>,
    salt: &[u8],
    password: &[u8],
    key: &mut [u8; 32],
) -> Result<()> {
    let rounds = NonZeroU32::new(parameters.iterations);
    let rounds = rounds.ok_or(Error::Malformed("number of iterations"))?;
    pbkdf2::derive(hash, rounds, salt, password, key);
    Ok(())
}

/// HKDF-SHA256 to 32 bytes.
pub(crate) fn hkdf(ikm: &[u8], salt: &[u8], info: &str) -> Result<Zeroizing<[u8; 32]>> {
    let mut out = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(salt), ikm)
        .expand(info.as_bytes(), out.as_mut())
        .map_err(|_| Error::Malformed("derived key length"))?;
    Ok(out)
}

pub(crate) fn xor(left: &mut [u8; 32], right: &[u8; 32]) {
    for (byte, other) in left.iter_mut().zip(right) {
        *byte ^= other;
    }
}
