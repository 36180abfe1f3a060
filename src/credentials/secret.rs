//! Bearer tokens and sweep keys: 256 random bits in a text that scanners and people recognise.
//!
//! Prefix, 43 base62 digits, 6 base62 digits of checksum. The checksum tells a typing mistake from
//! a wrong token; it protects nothing, and no answer over HTTP makes the difference.

use std::str::FromStr;

use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Error, Opener, SecretKind};

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SECRET_DIGITS: usize = 43;
const CHECKSUM_DIGITS: usize = 6;

/// The text is not a well-formed secret: most likely a part is missing or a character wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a complete token of this bridge: check for a missing or mistyped character")]
pub struct Mistyped;

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident, $kind:expr, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Zeroize, ZeroizeOnDrop)]
        pub struct $name([u8; 32]);

        impl $name {
            /// What its text begins with.
            pub const PREFIX: &'static str = $prefix;

            /// A new one.
            ///
            /// # Errors
            /// If the system has no random numbers.
            pub fn generate() -> Result<Self, Error> {
                let mut secret = Self([0; 32]);
                getrandom::fill(&mut secret.0).map_err(|_| Error::NoRandomness)?;
                Ok(secret)
            }

            /// Its text, to be shown once or stored where only its user reads.
            pub fn expose(&self) -> Zeroizing<String> {
                to_text(Self::PREFIX, &self.0)
            }
        }

        #[cfg(test)]
        impl From<[u8; 32]> for $name {
            fn from(secret: [u8; 32]) -> Self {
                Self(secret)
            }
        }

        impl FromStr for $name {
            type Err = Mistyped;

            fn from_str(text: &str) -> Result<Self, Mistyped> {
                from_text(Self::PREFIX, text.trim()).map(Self)
            }
        }

        impl Opener for $name {
            fn kind(&self) -> SecretKind {
                $kind
            }

            fn secret(&self) -> &[u8; 32] {
                &self.0
            }
        }
    };
}

secret! {
    /// What a provider sends with every request (RFC 6750).
    BearerToken, SecretKind::Bearer, "scimbridge_"
}
secret! {
    /// What the scheduled sweep opens the credentials with.
    SweepKey, SecretKind::Sweep, "scimsweep_"
}

fn to_text(prefix: &str, secret: &[u8; 32]) -> Zeroizing<String> {
    // The capacity is exact, so that no copy of the secret is left behind by a growing buffer.
    let length = prefix.len() + SECRET_DIGITS + CHECKSUM_DIGITS;
    let mut text = Zeroizing::new(String::with_capacity(length));
    text.push_str(prefix);
    push_base62(&mut text, secret, SECRET_DIGITS);
    let checksum = checksum(&text);
    push_base62(&mut text, &checksum, CHECKSUM_DIGITS);
    text
}

fn from_text(prefix: &str, text: &str) -> Result<[u8; 32], Mistyped> {
    let digits = text.strip_prefix(prefix).ok_or(Mistyped)?;
    if digits.len() != SECRET_DIGITS + CHECKSUM_DIGITS || !digits.is_ascii() {
        return Err(Mistyped);
    }
    let (body, sum) = text.split_at(prefix.len() + SECRET_DIGITS);
    let mut expected = String::with_capacity(CHECKSUM_DIGITS);
    push_base62(&mut expected, &checksum(body), CHECKSUM_DIGITS);
    if expected != sum {
        return Err(Mistyped);
    }
    let mut secret = [0u8; 32];
    for digit in digits.bytes().take(SECRET_DIGITS) {
        let position = DIGITS.iter().position(|known| *known == digit);
        let mut carry = u32::try_from(position.ok_or(Mistyped)?).map_err(|_| Mistyped)?;
        for byte in secret.iter_mut().rev() {
            let value = u32::from(*byte) * 62 + carry;
            [_, _, _, *byte] = value.to_be_bytes();
            carry = value >> 8;
        }
        if carry != 0 {
            return Err(Mistyped);
        }
    }
    Ok(secret)
}

fn checksum(text: &str) -> [u8; 4] {
    let [a, b, c, d, ..] = <[u8; 32]>::from(Sha256::digest(text.as_bytes()));
    [a, b, c, d]
}

/// Appends a big-endian number in base62, most significant digit first.
fn push_base62(text: &mut String, number: &[u8], digits: usize) {
    let mut number = Zeroizing::new(number.to_vec());
    let mut reversed = Zeroizing::new(Vec::with_capacity(digits));
    for _ in 0..digits {
        let mut remainder = 0u32;
        for byte in number.iter_mut() {
            let value = (remainder << 8) | u32::from(*byte);
            [_, _, _, *byte] = (value / 62).to_be_bytes();
            remainder = value % 62;
        }
        reversed.push(remainder as usize);
    }
    text.extend(
        reversed
            .iter()
            .rev()
            .map(|digit| char::from(DIGITS[*digit])),
    );
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn text_and_secret_are_the_same_thing() {
        for secret in [[0u8; 32], [255; 32], [7; 32]] {
            let text = BearerToken(secret).expose();
            assert_eq!(text.len(), "scimbridge_".len() + 49);
            let back: BearerToken = format!(" {}\n", *text).parse().unwrap();
            assert_eq!(back.0, secret);
        }
        let token = BearerToken::generate().unwrap();
        assert_ne!(token.0, BearerToken::generate().unwrap().0);
        let back: BearerToken = token.expose().parse().unwrap();
        assert_eq!(back.0, token.0);
    }

    #[test]
    fn every_single_mistyped_character_is_noticed() {
        let text = BearerToken([0x5a; 32]).expose();
        for place in 0..text.len() {
            let mut wrong = text.as_bytes().to_vec();
            wrong[place] = if wrong[place] == b'x' { b'y' } else { b'x' };
            let wrong = String::from_utf8(wrong).unwrap();
            assert_eq!(
                wrong.parse::<BearerToken>().err(),
                Some(Mistyped),
                "{place}"
            );
            let short = &text[..place];
            assert_eq!(
                short.parse::<BearerToken>().err(),
                Some(Mistyped),
                "{place}"
            );
        }
    }

    #[test]
    fn a_sweep_key_is_no_bearer_token() {
        let key = SweepKey([1; 32]).expose();
        assert_eq!(key.parse::<BearerToken>().err(), Some(Mistyped));
        assert_eq!("scimbridge_é".parse::<BearerToken>().err(), Some(Mistyped));
        // A number above 256 bits with a right checksum.
        let mut text = format!("{}{}", BearerToken::PREFIX, "z".repeat(SECRET_DIGITS));
        let sum = checksum(&text);
        push_base62(&mut text, &sum, CHECKSUM_DIGITS);
        assert_eq!(text.parse::<BearerToken>().err(), Some(Mistyped));
    }
}
