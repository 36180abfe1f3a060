//! The Secret Key (account key): `A3-XXXXXX-XXXXXX-XXXXX-XXXXX-XXXXX-XXXXX`.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{Error, Result, random};

const ALPHABET: &[u8; 31] = b"23456789ABCDEFGHJKLMNPQRSTVWXYZ";
const FORMAT_LENGTH: usize = 2;
const ID_LENGTH: usize = 6;

/// A Secret Key: a format, an id that is no secret, and about 128 bits that are.
pub struct SecretKey {
    format: String,
    id: String,
    secret: Zeroizing<String>,
}

impl SecretKey {
    /// Makes a new key of the current format.
    pub fn generate() -> Result<Self> {
        Ok(Self {
            format: "A3".to_owned(),
            id: random_text(ID_LENGTH)?.to_string(),
            secret: random_text(26)?,
        })
    }

    /// Reads what a person typed: letters of either case, and whatever is not in the alphabet
    /// (dashes, blanks) is passed over, as the web client does.
    pub fn parse(text: &str) -> Result<Self> {
        let kept: Zeroizing<String> = Zeroizing::new(
            text.chars()
                .map(|letter| letter.to_ascii_uppercase())
                .filter(|letter| u8::try_from(*letter).is_ok_and(|byte| ALPHABET.contains(&byte)))
                .collect(),
        );
        let malformed = Error::Malformed("Secret Key");
        let (format, rest) = kept
            .split_at_checked(FORMAT_LENGTH)
            .ok_or(malformed.clone())?;
        let secret_length = match format {
            "A2" => 25,
            "A3" => 26,
            _ => return Err(malformed),
        };
        if rest.len() != ID_LENGTH + secret_length {
            return Err(malformed);
        }
        let (id, secret) = rest.split_at(ID_LENGTH);
        Ok(Self {
            format: format.to_owned(),
            id: id.to_owned(),
            secret: Zeroizing::new(secret.to_owned()),
        })
    }

    /// `A3`, or the older `A2`.
    pub fn format(&self) -> &str {
        &self.format
    }

    /// The id that tells the server which key is meant (`skid`); not secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key as it is shown to its owner.
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(format!("{}-{}-", self.format, self.id));
        for (place, letter) in self.secret.chars().enumerate() {
            // Groups of 6, 5, 5, 5, 5.
            if place >= 6 && (place - 6) % 5 == 0 {
                text.push('-');
            }
            text.push(letter);
        }
        text
    }

    /// 32 bytes that stand for the key in a derivation.
    pub fn hash(&self) -> Result<Zeroizing<[u8; 32]>> {
        let mut hash = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(Some(self.id.as_bytes()), self.secret.as_bytes())
            .expand(self.format.as_bytes(), hash.as_mut())
            .map_err(|_| Error::Malformed("Secret Key"))?;
        Ok(hash)
    }
}

/// Letters of the alphabet, each equally likely.
fn random_text(length: usize) -> Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(length));
    while text.len() < length {
        let bytes = Zeroizing::new(random::<64>()?);
        for byte in bytes.iter() {
            // 248 = 8 * 31: bytes above would favour the first letters.
            if *byte < 248 && text.len() < length {
                text.push(char::from(ALPHABET[usize::from(byte % 31)]));
            }
        }
    }
    Ok(text)
}
