//! The sealed file: JSON, safe to store anywhere, worth nothing without one of its secrets.
//!
//! Every field is authenticated. A recipient's wrapped key covers the header and the recipient's
//! own fields; the sealed credentials cover the header and the whole list of recipients. So no
//! recipient can be added, dropped, relabelled or given another expiry without the content key.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use data_encoding::{BASE64, BASE64_NOPAD};
use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{Error, Opener};
use crate::onepassword::base64url;

const VERSION: &str = "scim-bridge/1";

/// A `scimsession`: who can open it, and what is sealed in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScimSession {
    version: String,
    /// Where the account is.
    sign_in_address: String,
    /// As which device the bridge signs in.
    device_uuid: String,
    recipients: Vec<Recipient>,
    sealed: Sealed,
}

/// Somebody who can open the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Recipient {
    /// Bearer token or sweep key.
    pub kind: RecipientKind,
    /// What people call it.
    pub label: String,
    /// Names the secret without telling it: 16 bytes derived from it, base64url.
    pub key_id: String,
    /// When it was added.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it stops opening the file; never if absent.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub expires_at: Option<OffsetDateTime>,
    /// The content key under this recipient's secret.
    wrapped_key: Sealed,
}

/// What sort of secret a recipient holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecipientKind {
    /// A provider's bearer token.
    Bearer,
    /// The scheduled sweep's key.
    Sweep,
}

/// Ciphertext of AES-256-GCM with its 12-byte nonce, both base64url.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    iv: String,
    data: String,
}

/// What anybody may read of a file, and nobody change.
#[derive(Clone, Copy, Serialize)]
struct Header<'a> {
    version: &'static str,
    sign_in_address: &'a str,
    device_uuid: &'a str,
}

/// The authenticated part of a [`Recipient`], with the header it belongs to.
#[derive(Serialize)]
struct RecipientContext<'a> {
    header: Header<'a>,
    kind: RecipientKind,
    label: &'a str,
    key_id: &'a str,
    created_at: i128,
    expires_at: Option<i128>,
}

/// The authenticated part of the file.
#[derive(Serialize)]
struct FileContext<'a> {
    header: Header<'a>,
    recipients: &'a [Recipient],
}

impl ScimSession {
    pub(super) fn seal<O: Opener>(
        sign_in_address: &str,
        device_uuid: &str,
        plaintext: &[u8],
        (secret, label): (&O, &str),
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        let header = Header {
            version: VERSION,
            sign_in_address,
            device_uuid,
        };
        let content_key = Zeroizing::new(random::<32>()?);
        let recipient = Recipient::wrap(header, &content_key, secret, label, None, now)?;
        Self::assemble(header, vec![recipient], &content_key, plaintext)
    }

    pub(super) fn open<O: Opener>(
        &self,
        secret: &O,
        now: OffsetDateTime,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let content_key = self.content_key(secret, now)?;
        unseal(&content_key, &self.sealed, &self.context()?)
    }

    /// Whether the secret is one of the file's, at the cost of two short hashes and one block.
    ///
    /// # Errors
    /// As for opening.
    pub fn check<O: Opener>(&self, secret: &O, now: OffsetDateTime) -> Result<(), Error> {
        self.content_key(secret, now).map(drop)
    }

    /// The same file with one more recipient, who may open it until `expires_at`.
    ///
    /// # Errors
    /// As for opening: the file must be opened with `opener` to be sealed anew.
    pub fn with_recipient<A: Opener, B: Opener>(
        &self,
        opener: &A,
        (secret, label): (&B, &str),
        expires_at: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        let content_key = self.content_key(opener, now)?;
        let plaintext = unseal(&content_key, &self.sealed, &self.context()?)?;
        let added = Recipient::wrap(self.header(), &content_key, secret, label, expires_at, now)?;
        let mut recipients = self.recipients.clone();
        recipients.push(added);
        Self::assemble(self.header(), recipients, &content_key, &plaintext)
    }

    /// Who can open the file.
    pub fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }

    /// Where the account is.
    pub fn sign_in_address(&self) -> &str {
        &self.sign_in_address
    }

    /// Reads a file: the JSON itself, or the same in base64 or base64url.
    ///
    /// # Errors
    /// [`Error::NotAScimSession`], with what is wrong.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let decoded;
        let json = if text.starts_with('{') {
            text.as_bytes()
        } else {
            let compact: String = text.split_ascii_whitespace().collect();
            decoded = base64url::decode(&compact, "scimsession")
                .ok()
                .or_else(|| BASE64.decode(compact.as_bytes()).ok())
                .or_else(|| BASE64_NOPAD.decode(compact.as_bytes()).ok())
                .ok_or_else(|| Error::NotAScimSession("neither JSON nor base64".into()))?;
            &decoded
        };
        let unreadable = |error: serde_json::Error| Error::NotAScimSession(error.to_string());
        let file: Self = serde_json::from_slice(json).map_err(unreadable)?;
        // Only what we would write ourselves: no second spelling of a value slips past the seal.
        let as_sent: serde_json::Value = serde_json::from_slice(json).map_err(unreadable)?;
        if serde_json::to_value(&file).map_err(unreadable)? != as_sent {
            return Err(Error::NotAScimSession(
                "a value is not as we write it".into(),
            ));
        }
        if file.version != VERSION {
            let reason = format!("its version is not {VERSION}");
            return Err(Error::NotAScimSession(reason));
        }
        Ok(file)
    }

    /// The file as JSON, for people to look at and programs to store.
    ///
    /// # Errors
    /// None in practice: all of it is plain text.
    pub fn to_json(&self) -> Result<String, Error> {
        serde_json::to_string_pretty(self).map_err(|_| Error::Damaged)
    }

    fn assemble(
        header: Header<'_>,
        recipients: Vec<Recipient>,
        content_key: &[u8; 32],
        plaintext: &[u8],
    ) -> Result<Self, Error> {
        let context = context(&FileContext {
            header,
            recipients: &recipients,
        })?;
        let sealed = seal(content_key, plaintext, &context)?;
        Ok(Self {
            version: header.version.to_owned(),
            sign_in_address: header.sign_in_address.to_owned(),
            device_uuid: header.device_uuid.to_owned(),
            recipients,
            sealed,
        })
    }

    fn header(&self) -> Header<'_> {
        Header {
            version: VERSION,
            sign_in_address: &self.sign_in_address,
            device_uuid: &self.device_uuid,
        }
    }

    fn context(&self) -> Result<Vec<u8>, Error> {
        context(&FileContext {
            header: self.header(),
            recipients: &self.recipients,
        })
    }

    fn content_key<O: Opener>(
        &self,
        secret: &O,
        now: OffsetDateTime,
    ) -> Result<Zeroizing<[u8; 32]>, Error> {
        let key_id = key_id::<O>(secret.secret());
        // Every recipient is compared, and in constant time: how long it takes tells nothing.
        let mut found = None;
        for recipient in &self.recipients {
            let same = recipient.key_id.as_bytes().ct_eq(key_id.as_bytes());
            if bool::from(same) && recipient.kind == O::KIND {
                found = Some(recipient);
            }
        }
        let recipient = found.ok_or(Error::NotARecipient)?;
        if recipient.expires_at.is_some_and(|expiry| expiry <= now) {
            return Err(Error::Expired);
        }
        let wrapping_key = derive::<O, 32>(secret.secret(), "wrapping key");
        let context = recipient.context(self.header())?;
        let key = unseal(&wrapping_key, &recipient.wrapped_key, &context)?;
        let mut content_key = Zeroizing::new([0; 32]);
        if key.len() != content_key.len() {
            return Err(Error::Damaged);
        }
        content_key.copy_from_slice(&key);
        Ok(content_key)
    }
}

impl Recipient {
    fn wrap<O: Opener>(
        header: Header<'_>,
        content_key: &[u8; 32],
        secret: &O,
        label: &str,
        expires_at: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        let mut recipient = Self {
            kind: O::KIND,
            label: label.to_owned(),
            key_id: key_id::<O>(secret.secret()),
            created_at: now,
            expires_at,
            wrapped_key: Sealed {
                iv: String::new(),
                data: String::new(),
            },
        };
        let wrapping_key = derive::<O, 32>(secret.secret(), "wrapping key");
        recipient.wrapped_key = seal(&wrapping_key, content_key, &recipient.context(header)?)?;
        Ok(recipient)
    }

    fn context(&self, header: Header<'_>) -> Result<Vec<u8>, Error> {
        context(&RecipientContext {
            header,
            kind: self.kind,
            label: &self.label,
            key_id: &self.key_id,
            created_at: self.created_at.unix_timestamp_nanos(),
            expires_at: self.expires_at.map(OffsetDateTime::unix_timestamp_nanos),
        })
    }
}

/// Associated data: JSON with its members in the order of the type, the same for the same values.
fn context<T: Serialize>(fields: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(fields).map_err(|_| Error::Damaged)
}

/// HKDF-SHA256. The secret carries 256 random bits, so no salt and no slow hash is needed
/// (RFC 5869, section 3.1); kind and purpose keep the derived values apart.
fn derive<O: Opener, const N: usize>(secret: &[u8; 32], purpose: &str) -> Zeroizing<[u8; N]> {
    let info = format!("{VERSION} {:?} {purpose}", O::KIND);
    let mut output = Zeroizing::new([0; N]);
    // Fails only for outputs of more than 255 hashes.
    let expanded = Hkdf::<Sha256>::new(None, secret).expand(info.as_bytes(), output.as_mut());
    debug_assert!(expanded.is_ok());
    output
}

fn key_id<O: Opener>(secret: &[u8; 32]) -> String {
    base64url::encode(&*derive::<O, 16>(secret, "key id"))
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Error::NoRandomness)?;
    Ok(bytes)
}

fn seal(key: &[u8; 32], plaintext: &[u8], context: &[u8]) -> Result<Sealed, Error> {
    let iv = random::<12>()?;
    let data = Aes256Gcm::new(key.into())
        .encrypt(
            &iv.into(),
            Payload {
                msg: plaintext,
                aad: context,
            },
        )
        .map_err(|_| Error::Damaged)?;
    Ok(Sealed {
        iv: base64url::encode(&iv),
        data: base64url::encode(&data),
    })
}

fn unseal(key: &[u8; 32], sealed: &Sealed, context: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let iv = base64url::decode_array::<12>(&sealed.iv, "iv").map_err(|_| Error::Damaged)?;
    let data = base64url::decode(&sealed.data, "data").map_err(|_| Error::Damaged)?;
    Aes256Gcm::new(key.into())
        .decrypt(
            &iv.into(),
            Payload {
                msg: &data,
                aad: context,
            },
        )
        .map(Zeroizing::new)
        .map_err(|_| Error::Damaged)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{BearerToken, SweepKey};
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn sealed_for(token: &BearerToken) -> ScimSession {
        ScimSession::seal(
            "https://x.example",
            "device",
            b"the secret",
            (token, "first"),
            NOW,
        )
        .unwrap()
    }

    #[test]
    fn each_recipient_opens_and_nobody_else() {
        let (token, other) = (
            BearerToken::generate().unwrap(),
            BearerToken::generate().unwrap(),
        );
        let sweep = SweepKey::generate().unwrap();
        let file = sealed_for(&token)
            .with_recipient(&token, (&sweep, "sweep"), None, NOW)
            .unwrap();
        assert_eq!(**file.open(&token, NOW).unwrap(), *b"the secret");
        assert_eq!(**file.open(&sweep, NOW).unwrap(), *b"the secret");
        assert_eq!(file.open(&other, NOW).err(), Some(Error::NotARecipient));
        // The same 256 bits as another kind of secret are another secret.
        let same_bits = SweepKey::from(*token.secret());
        assert_eq!(file.open(&same_bits, NOW).err(), Some(Error::NotARecipient));
    }

    #[test]
    fn an_expired_recipient_opens_nothing() {
        let (token, second) = (
            BearerToken::generate().unwrap(),
            BearerToken::generate().unwrap(),
        );
        let end = NOW + time::Duration::days(1);
        let file = sealed_for(&token)
            .with_recipient(&token, (&second, "second"), Some(end), NOW)
            .unwrap();
        let just_before = end - time::Duration::seconds(1);
        assert!(file.open(&second, just_before).is_ok());
        assert_eq!(file.open(&second, end).err(), Some(Error::Expired));
        assert!(file.open(&token, end).is_ok());
    }

    #[test]
    fn the_file_is_read_as_json_and_both_base64s() {
        let token = BearerToken::generate().unwrap();
        let file = sealed_for(&token);
        let json = file.to_json().unwrap();
        for text in [
            json.clone(),
            format!("\n{json}\n"),
            BASE64.encode(json.as_bytes()),
            base64url::encode(json.as_bytes()),
        ] {
            assert_eq!(ScimSession::parse(&text).unwrap(), file);
        }
        for wrong in ["", "{}", "?", "e30", r#"{"version":"2","deviceUuid":"x"}"#] {
            let error = ScimSession::parse(wrong).unwrap_err();
            assert!(matches!(error, Error::NotAScimSession(_)), "{wrong}");
        }
    }

    /// Changes each character of the file in turn: what still reads must not open.
    #[test]
    fn a_changed_character_anywhere_is_refused() {
        let token = BearerToken::generate().unwrap();
        let second = BearerToken::generate().unwrap();
        let file = sealed_for(&token)
            .with_recipient(
                &token,
                (&second, "b"),
                Some(NOW + time::Duration::days(1)),
                NOW,
            )
            .unwrap();
        let json = serde_json::to_string(&file).unwrap();
        for place in 0..json.len() {
            for replacement in [b'0', b'A', b'"'] {
                let mut bytes = json.as_bytes().to_vec();
                if bytes[place] == replacement {
                    continue;
                }
                bytes[place] = replacement;
                let text = String::from_utf8(bytes).unwrap();
                let opened = ScimSession::parse(&text).and_then(|file| file.open(&token, NOW));
                assert!(
                    opened.is_err(),
                    "byte {place} became {}",
                    char::from(replacement)
                );
            }
        }
    }

    #[test]
    fn a_recipient_cannot_be_dropped() {
        let token = BearerToken::generate().unwrap();
        let second = BearerToken::generate().unwrap();
        let mut file = sealed_for(&token)
            .with_recipient(&token, (&second, "b"), None, NOW)
            .unwrap();
        file.recipients.pop();
        assert_eq!(file.open(&token, NOW).err(), Some(Error::Damaged));
    }
}
