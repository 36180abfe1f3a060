//! The sealed file: JSON, safe to store anywhere, worth nothing without one of its secrets.
//!
//! Every field is authenticated. A recipient's wrapped key covers the header and the recipient's
//! own fields; the sealed credentials cover the header and the whole list of recipients; a MAC, which
//! monitors can check too, who open nothing, covers all of it. So no recipient can be added, dropped,
//! relabelled or given another end without the content key.
//! An older file put back whole cannot be told from a new one: who may write the place that keeps
//! it can undo a revocation (`docs/security.md`).

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{BearerToken, Error, Opener, SecretKind, SweepKey};
use crate::onepassword::base64url;

const VERSION: &str = "scim-bridge/1";
/// The longest label, in characters.
const LABEL: usize = 64;

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
    /// HMAC-SHA256 over all of the above, base64url.
    mac: String,
}

/// Somebody who can open the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recipient {
    /// Bearer token or sweep key, and what it is for.
    #[serde(flatten)]
    pub access: Access,
    /// What people call it.
    pub label: String,
    /// Names the secret without telling it: 16 bytes derived from it, hex.
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
    /// When it gives way to the one that replaced it. Unlike the expiry it is set later, without
    /// this recipient's secret, and so only what covers the whole file covers it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub retires_at: Option<OffsetDateTime>,
    /// The content key under this recipient's secret; for a monitor, the key of the MAC.
    wrapped_key: Sealed,
}

/// What a recipient's secret is, and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Access {
    /// A bearer token, sent with every request.
    Bearer {
        /// What it is good for.
        scope: Scope,
    },
    /// The scheduled sweep's key.
    Sweep,
}

/// What a bearer token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Provisioning: opens the credentials.
    Scim,
    /// The same, and what an administrator decides on the status page. Never a provider's: it could
    /// undo what guards against a provider.
    Admin,
    /// Asking for the bridge's health: opens nothing.
    Monitor,
}

/// A secret, and what it is to be good for.
#[derive(Clone, Copy)]
pub enum Holder<'a> {
    /// A provider.
    Provider(&'a BearerToken),
    /// An administrator, on the status page.
    Administrator(&'a BearerToken),
    /// Whoever watches the bridge.
    Monitor(&'a BearerToken),
    /// The scheduled sweep.
    Sweep(&'a SweepKey),
}

impl Holder<'_> {
    fn access(&self) -> Access {
        let bearer = |scope| Access::Bearer { scope };
        match self {
            Self::Provider(_) => bearer(Scope::Scim),
            Self::Administrator(_) => bearer(Scope::Admin),
            Self::Monitor(_) => bearer(Scope::Monitor),
            Self::Sweep(_) => Access::Sweep,
        }
    }

    fn opener(&self) -> &dyn Opener {
        match self {
            Self::Provider(token) | Self::Administrator(token) | Self::Monitor(token) => *token,
            Self::Sweep(key) => *key,
        }
    }
}

/// A recipient to be.
#[derive(Clone, Copy)]
pub struct NewRecipient<'a> {
    /// Its secret.
    pub holder: Holder<'a>,
    /// What people call it: 1 to 64 characters.
    pub label: &'a str,
    /// When it stops opening the file; never if `None`.
    pub expires_at: Option<OffsetDateTime>,
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
    access: Access,
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

impl<'a> NewRecipient<'a> {
    /// One without an expiry.
    pub fn lasting(holder: Holder<'a>, label: &'a str) -> Self {
        Self {
            holder,
            label,
            expires_at: None,
        }
    }
}

impl ScimSession {
    pub(super) fn seal(
        sign_in_address: &str,
        device_uuid: &str,
        plaintext: &[u8],
        recipients: &[NewRecipient<'_>],
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        let header = Header {
            version: VERSION,
            sign_in_address,
            device_uuid,
        };
        let content_key = Zeroizing::new(random::<32>()?);
        let recipients = recipients
            .iter()
            .map(|new| Recipient::wrap(header, &content_key, new, now))
            .collect::<Result<Vec<_>, _>>()?;
        Self::assemble(header, recipients, &content_key, plaintext)
    }

    pub(super) fn open(
        &self,
        secret: &dyn Opener,
        now: OffsetDateTime,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (_, key) = self.unwrap_for(secret, now)?;
        let content_key = key.for_credentials()?;
        self.unseal(&content_key)
    }

    /// Other credentials for the same recipients.
    pub(super) fn with_plaintext(
        &self,
        opener: &dyn Opener,
        plaintext: &[u8],
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        let (_, key) = self.unwrap_for(opener, now)?;
        let content_key = key.for_credentials()?;
        Self::assemble(self.header(), self.left_at(now), &content_key, plaintext)
    }

    /// The recipient whose secret this is. The whole file has been authenticated then.
    ///
    /// # Errors
    /// [`Error::NotARecipient`] if it is nobody's, [`Error::Expired`] if it was somebody's,
    /// [`Error::Damaged`] if the file is not as it was sealed.
    pub fn recipient(&self, secret: &dyn Opener, now: OffsetDateTime) -> Result<&Recipient, Error> {
        self.unwrap_for(secret, now).map(|(recipient, _)| recipient)
    }

    /// The same for a file whose credentials have been opened before, which shows that its list of
    /// recipients is what was sealed; the MAC alone would not, as monitors know its key. Nobody else's
    /// secret has one of the ids, which are 128 bits of a hash. Much cheaper, for every request but
    /// the first.
    ///
    /// # Errors
    /// [`Error::NotARecipient`] and [`Error::Expired`], as above.
    pub fn recipient_in_opened(
        &self,
        secret: &dyn Opener,
        now: OffsetDateTime,
    ) -> Result<&Recipient, Error> {
        self.entry_of(secret, now)
    }

    /// The recipient with this secret's id, whoever put it there.
    fn entry_of(&self, secret: &dyn Opener, now: OffsetDateTime) -> Result<&Recipient, Error> {
        let key_id = key_id(secret);
        // Every recipient is compared, and in constant time: how long it takes tells nothing.
        let mut found = None;
        for recipient in &self.recipients {
            let same = recipient.key_id.as_bytes().ct_eq(key_id.as_bytes());
            if bool::from(same) && recipient.access.kind() == secret.kind() {
                found = Some(recipient);
            }
        }
        let recipient = found.ok_or(Error::NotARecipient)?;
        match recipient.ends_at().is_some_and(|end| end <= now) {
            true => Err(Error::Expired),
            false => Ok(recipient),
        }
    }

    /// The same file with one more recipient.
    ///
    /// # Errors
    /// As for opening: the file must be opened with `opener` to be sealed anew.
    pub fn with_recipient(
        &self,
        opener: &dyn Opener,
        new: &NewRecipient<'_>,
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        self.resealed(opener, now, |recipients, content_key| {
            recipients.push(Recipient::wrap(self.header(), content_key, new, now)?);
            Ok(())
        })
    }

    /// The same file without one of its recipients, from now on.
    ///
    /// # Errors
    /// As for opening, and [`Error::LastRecipient`] if nobody would be left to open it.
    pub fn without_recipient(
        &self,
        opener: &dyn Opener,
        key_id: &str,
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        self.resealed(opener, now, |recipients, _| {
            recipients.retain(|recipient| recipient.key_id != key_id);
            match recipients.iter().any(|left| left.opens_credentials_at(now)) {
                true => Ok(()),
                false => Err(Error::LastRecipient),
            }
        })
    }

    /// The same file in which one recipient gives way to another at `retires_at`.
    ///
    /// # Errors
    /// As for opening.
    pub fn with_retirement(
        &self,
        opener: &dyn Opener,
        key_id: &str,
        retires_at: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        self.resealed(opener, now, |recipients, _| {
            for recipient in recipients.iter_mut().filter(|one| one.key_id == key_id) {
                recipient.retires_at = Some(retires_at);
            }
            Ok(())
        })
    }

    /// Who can open the file.
    pub fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }

    /// Whether a sweep key opens it, so that a schedule can work before a token has come.
    pub fn has_a_sweep_key(&self) -> bool {
        let mut recipients = self.recipients.iter();
        recipients.any(|one| one.access == Access::Sweep)
    }

    /// Where the account is.
    pub fn sign_in_address(&self) -> &str {
        &self.sign_in_address
    }

    /// As which device the bridge signs in.
    pub fn device_uuid(&self) -> &str {
        &self.device_uuid
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
        let mac = mac_of(&mac_key(content_key), header, &recipients, &sealed)?;
        Ok(Self {
            version: header.version.to_owned(),
            sign_in_address: header.sign_in_address.to_owned(),
            device_uuid: header.device_uuid.to_owned(),
            recipients,
            sealed,
            mac: base64url::encode(&mac),
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

    /// The recipient of this secret, and the key that its access brings, with which the whole file
    /// has been authenticated.
    fn unwrap_for(
        &self,
        secret: &dyn Opener,
        now: OffsetDateTime,
    ) -> Result<(&Recipient, Unwrapped), Error> {
        let recipient = self.entry_of(secret, now)?;
        let wrapping_key = derive::<32>(secret, "wrapping key");
        let context = recipient.context(self.header())?;
        let wrapped = unseal(&wrapping_key, &recipient.wrapped_key, &context)?;
        let mut key = Zeroizing::new([0; 32]);
        if wrapped.len() != key.len() {
            return Err(Error::Damaged);
        }
        key.copy_from_slice(&wrapped);
        let key = match recipient.access.opens_credentials() {
            true => Unwrapped::ContentKey(key),
            false => Unwrapped::MacKey(key),
        };
        match &key {
            Unwrapped::ContentKey(key) => self.check_mac(&mac_key(key))?,
            Unwrapped::MacKey(key) => self.check_mac(key)?,
        }
        Ok((recipient, key))
    }

    fn check_mac(&self, mac_key: &[u8; 32]) -> Result<(), Error> {
        let mac = base64url::decode(&self.mac, "mac").map_err(|_| Error::Damaged)?;
        let computed = mac_of(mac_key, self.header(), &self.recipients, &self.sealed)?;
        match bool::from(computed.ct_eq(&mac)) {
            true => Ok(()),
            false => Err(Error::Damaged),
        }
    }

    fn unseal(&self, content_key: &[u8; 32]) -> Result<Zeroizing<Vec<u8>>, Error> {
        unseal(content_key, &self.sealed, &self.context()?)
    }

    /// The recipients without those who have ended: they are of no use any more.
    fn left_at(&self, now: OffsetDateTime) -> Vec<Recipient> {
        let mut recipients = self.recipients.clone();
        recipients.retain(|one| one.ends_at().is_none_or(|end| end > now));
        recipients
    }

    /// The same credentials for other recipients. The content key stays: to wrap another one for
    /// those who stay would need all their secrets.
    fn resealed(
        &self,
        opener: &dyn Opener,
        now: OffsetDateTime,
        change: impl FnOnce(&mut Vec<Recipient>, &[u8; 32]) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let (_, key) = self.unwrap_for(opener, now)?;
        let content_key = key.for_credentials()?;
        let plaintext = self.unseal(&content_key)?;
        let mut recipients = self.left_at(now);
        change(&mut recipients, &content_key)?;
        Self::assemble(self.header(), recipients, &content_key, &plaintext)
    }
}

/// A key that a recipient's secret brought.
enum Unwrapped {
    /// What seals the credentials.
    ContentKey(Zeroizing<[u8; 32]>),
    /// What authenticates the list of recipients, and opens nothing.
    MacKey(Zeroizing<[u8; 32]>),
}

impl Unwrapped {
    fn for_credentials(self) -> Result<Zeroizing<[u8; 32]>, Error> {
        match self {
            Self::ContentKey(key) => Ok(key),
            Self::MacKey(_) => Err(Error::OutOfScope),
        }
    }
}

impl Access {
    fn kind(self) -> SecretKind {
        match self {
            Self::Bearer { .. } => SecretKind::Bearer,
            Self::Sweep => SecretKind::Sweep,
        }
    }

    /// Whether its secret opens what is sealed.
    pub fn opens_credentials(self) -> bool {
        match self {
            Self::Bearer { scope } => scope != Scope::Monitor,
            Self::Sweep => true,
        }
    }
}

impl Recipient {
    /// When it is of no use any more, if ever.
    pub fn ends_at(&self) -> Option<OffsetDateTime> {
        self.expires_at.into_iter().chain(self.retires_at).min()
    }

    fn opens_credentials_at(&self, now: OffsetDateTime) -> bool {
        self.access.opens_credentials() && self.ends_at().is_none_or(|end| end > now)
    }

    fn wrap(
        header: Header<'_>,
        content_key: &[u8; 32],
        new: &NewRecipient<'_>,
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        let label = new.label.trim();
        let length = label.chars().count();
        if length == 0 || length > LABEL || label.chars().any(char::is_control) {
            return Err(Error::Label);
        }
        let secret = new.holder.opener();
        let access = new.holder.access();
        let mut recipient = Self {
            access,
            label: label.to_owned(),
            key_id: key_id(secret),
            created_at: now,
            expires_at: new.expires_at,
            retires_at: None,
            wrapped_key: Sealed {
                iv: String::new(),
                data: String::new(),
            },
        };
        let mac_key = mac_key(content_key);
        let wrapped = match access.opens_credentials() {
            true => content_key,
            false => &*mac_key,
        };
        let wrapping_key = derive::<32>(secret, "wrapping key");
        recipient.wrapped_key = seal(&wrapping_key, wrapped, &recipient.context(header)?)?;
        Ok(recipient)
    }

    fn context(&self, header: Header<'_>) -> Result<Vec<u8>, Error> {
        context(&RecipientContext {
            header,
            access: self.access,
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
fn derive<const N: usize>(secret: &dyn Opener, purpose: &str) -> Zeroizing<[u8; N]> {
    let kind = match secret.kind() {
        SecretKind::Bearer => "bearer",
        SecretKind::Sweep => "sweep",
    };
    expand(secret.secret(), &format!("{VERSION} {kind} {purpose}"))
}

/// Monitors get this in place of the content key, from which it cannot be traced back.
fn mac_key(content_key: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    expand(content_key, &format!("{VERSION} recipients"))
}

fn expand<const N: usize>(secret: &[u8; 32], info: &str) -> Zeroizing<[u8; N]> {
    let mut output = Zeroizing::new([0; N]);
    // Fails only for outputs of more than 255 hashes.
    let expanded = Hkdf::<Sha256>::new(None, secret).expand(info.as_bytes(), output.as_mut());
    debug_assert!(expanded.is_ok());
    output
}

fn mac_of(
    key: &[u8; 32],
    header: Header<'_>,
    recipients: &[Recipient],
    sealed: &Sealed,
) -> Result<[u8; 32], Error> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).map_err(|_| Error::Damaged)?;
    mac.update(&context(&(header, recipients, sealed))?);
    Ok(mac.finalize().into_bytes().into())
}

fn key_id(secret: &dyn Opener) -> String {
    HEXLOWER.encode(&*derive::<16>(secret, "key id"))
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
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
    const DAY: time::Duration = time::Duration::DAY;

    /// A file with a recipient of every sort, and their secrets.
    struct Everybody {
        provider: BearerToken,
        /// Another provider, for a day.
        guest: BearerToken,
        monitor: BearerToken,
        sweep: SweepKey,
        file: ScimSession,
    }

    fn everybody() -> Everybody {
        let token = || BearerToken::generate().unwrap();
        let (provider, guest, monitor) = (token(), token(), token());
        let sweep = SweepKey::generate().unwrap();
        let recipients = [
            NewRecipient::lasting(Holder::Provider(&provider), "first"),
            NewRecipient::lasting(Holder::Monitor(&monitor), "watch"),
            NewRecipient::lasting(Holder::Sweep(&sweep), "sweep"),
        ];
        let file = ScimSession::seal(
            "https://x.example",
            "device",
            b"the secret",
            &recipients,
            NOW,
        )
        .unwrap()
        .with_recipient(
            &sweep,
            &NewRecipient {
                expires_at: Some(NOW + DAY),
                ..NewRecipient::lasting(Holder::Provider(&guest), "guest")
            },
            NOW,
        )
        .unwrap();
        Everybody {
            provider,
            guest,
            monitor,
            sweep,
            file,
        }
    }

    #[test]
    fn each_recipient_opens_and_nobody_else() {
        let all = everybody();
        let openers: [&dyn Opener; 3] = [&all.provider, &all.guest, &all.sweep];
        for (secret, label) in openers.into_iter().zip(["first", "guest", "sweep"]) {
            assert_eq!(**all.file.open(secret, NOW).unwrap(), *b"the secret");
            assert_eq!(all.file.recipient(secret, NOW).unwrap().label, label);
        }
        let stranger = BearerToken::generate().unwrap();
        assert_eq!(
            all.file.open(&stranger, NOW).err(),
            Some(Error::NotARecipient)
        );
        // The same 256 bits as another kind of secret are another secret.
        let same_bits = SweepKey::from(*all.provider.secret());
        assert_eq!(
            all.file.open(&same_bits, NOW).err(),
            Some(Error::NotARecipient)
        );
    }

    #[test]
    fn a_monitor_is_known_and_opens_nothing() {
        let all = everybody();
        let monitor = all.file.recipient(&all.monitor, NOW).unwrap();
        assert_eq!(
            monitor.access,
            Access::Bearer {
                scope: Scope::Monitor
            }
        );
        assert_eq!(
            all.file.open(&all.monitor, NOW).err(),
            Some(Error::OutOfScope)
        );
        let another = BearerToken::generate().unwrap();
        let added = NewRecipient::lasting(Holder::Provider(&another), "b");
        let refused = all.file.with_recipient(&all.monitor, &added, NOW);
        assert_eq!(refused.err(), Some(Error::OutOfScope));
    }

    #[test]
    fn an_expired_recipient_opens_nothing() {
        let all = everybody();
        let just_before = NOW + DAY - time::Duration::SECOND;
        assert!(all.file.open(&all.guest, just_before).is_ok());
        assert_eq!(
            all.file.open(&all.guest, NOW + DAY).err(),
            Some(Error::Expired)
        );
        assert!(all.file.open(&all.provider, NOW + DAY).is_ok());
    }

    #[test]
    fn a_rotation_ends_when_it_says_and_never_later_than_the_expiry() {
        let all = everybody();
        let id = |file: &ScimSession, secret: &dyn Opener| {
            file.recipient(secret, NOW).unwrap().key_id.clone()
        };
        let end = NOW + DAY / 2;
        let retiring = all
            .file
            .with_retirement(&all.sweep, &id(&all.file, &all.provider), end, NOW)
            .unwrap();
        assert!(retiring.open(&all.provider, NOW).is_ok());
        assert_eq!(
            retiring.open(&all.provider, end).err(),
            Some(Error::Expired)
        );
        assert!(retiring.open(&all.sweep, end).is_ok());
        let later = all
            .file
            .with_retirement(&all.sweep, &id(&all.file, &all.guest), NOW + DAY * 9, NOW)
            .unwrap();
        assert_eq!(
            later.open(&all.guest, NOW + DAY).err(),
            Some(Error::Expired)
        );
    }

    #[test]
    fn who_is_revoked_opens_nothing_and_the_others_do() {
        let all = everybody();
        let id = all
            .file
            .recipient(&all.provider, NOW)
            .unwrap()
            .key_id
            .clone();
        let file = all.file.without_recipient(&all.sweep, &id, NOW).unwrap();
        assert_eq!(
            file.open(&all.provider, NOW).err(),
            Some(Error::NotARecipient)
        );
        assert!(file.open(&all.guest, NOW).is_ok());
        assert!(file.recipient(&all.monitor, NOW).is_ok());
    }

    #[test]
    fn somebody_has_to_be_left_who_opens_the_file() {
        let all = everybody();
        let mut file = all.file.clone();
        for secret in [&all.provider as &dyn Opener, &all.guest] {
            let id = file.recipient(secret, NOW).unwrap().key_id.clone();
            file = file.without_recipient(&all.sweep, &id, NOW).unwrap();
        }
        // The monitor is left, and does not count.
        let id = file.recipient(&all.sweep, NOW).unwrap().key_id.clone();
        let refused = file.without_recipient(&all.sweep, &id, NOW);
        assert_eq!(refused.err(), Some(Error::LastRecipient));
    }

    #[test]
    fn a_label_is_a_short_line() {
        let token = BearerToken::generate().unwrap();
        for (label, fine) in [
            ("Okta, production", true),
            (" é ", true),
            (&"x".repeat(64) as &str, true),
            (&"x".repeat(65), false),
            (" ", false),
            ("a\nb", false),
        ] {
            let file = ScimSession::seal(
                "a",
                "d",
                b"",
                &[NewRecipient::lasting(Holder::Provider(&token), label)],
                NOW,
            );
            match file {
                Ok(file) => assert_eq!(
                    (file.recipients[0].label.as_str(), fine),
                    (label.trim(), true)
                ),
                Err(error) => assert_eq!((error, fine), (Error::Label, false), "{label}"),
            }
        }
    }

    #[test]
    fn the_file_is_read_as_json_and_both_base64s() {
        let file = everybody().file;
        let json = file.to_json().unwrap();
        for text in [
            json.clone(),
            format!("\n{json}\n"),
            BASE64.encode(json.as_bytes()),
            base64url::encode(json.as_bytes()),
        ] {
            assert_eq!(ScimSession::parse(&text).unwrap(), file);
        }
        let unknown = json.replacen("\"label\"", "\"role\": \"admin\", \"label\"", 1);
        for wrong in [
            "",
            "{}",
            "?",
            "e30",
            r#"{"version":"2","deviceUuid":"x"}"#,
            &unknown,
        ] {
            let error = ScimSession::parse(wrong).unwrap_err();
            assert!(matches!(error, Error::NotAScimSession(_)), "{wrong}");
        }
    }

    /// Changes each character of the file in turn: what still reads opens for nobody.
    #[test]
    fn a_changed_character_anywhere_is_refused() {
        let all = everybody();
        let id = all.file.recipient(&all.guest, NOW).unwrap().key_id.clone();
        let file = all
            .file
            .with_retirement(&all.sweep, &id, NOW + DAY / 2, NOW)
            .unwrap();
        let json = serde_json::to_string(&file).unwrap();
        let openers: [&dyn Opener; 4] = [&all.provider, &all.guest, &all.sweep, &all.monitor];
        for place in 0..json.len() {
            for replacement in [b'0', b'A', b'"'] {
                let mut bytes = json.as_bytes().to_vec();
                if bytes[place] == replacement {
                    continue;
                }
                bytes[place] = replacement;
                let text = String::from_utf8(bytes).unwrap();
                let Ok(changed) = ScimSession::parse(&text) else {
                    continue;
                };
                for secret in openers {
                    assert!(
                        changed.open(secret, NOW).is_err()
                            && changed.recipient(secret, NOW).is_err(),
                        "byte {place} became {}",
                        char::from(replacement)
                    );
                }
            }
        }
    }

    /// Who may write the place that keeps the file, and has no secret of it, can make a recipient
    /// of their own, but not one that is let in.
    #[test]
    fn a_forged_monitor_is_nobody() {
        let all = everybody();
        let forged = BearerToken::generate().unwrap();
        let new = NewRecipient::lasting(Holder::Monitor(&forged), "forged");
        let mut file = all.file.clone();
        let entry = Recipient::wrap(file.header(), &[0; 32], &new, NOW).unwrap();
        file.recipients.push(entry);
        let secrets: [&dyn Opener; 3] = [&forged, &all.monitor, &all.provider];
        for secret in secrets {
            assert_eq!(file.recipient(secret, NOW).err(), Some(Error::Damaged));
        }
    }

    #[test]
    fn who_has_ended_is_left_out_of_the_next_file() {
        let all = everybody();
        let token = BearerToken::generate().unwrap();
        let new = NewRecipient::lasting(Holder::Provider(&token), "new");
        let file = all
            .file
            .with_recipient(&all.sweep, &new, NOW + DAY)
            .unwrap();
        let labels: Vec<_> = file.recipients().iter().map(|one| &one.label).collect();
        assert_eq!(labels, ["first", "watch", "sweep", "new"]);
    }

    #[test]
    fn a_monitor_cannot_be_relabelled_or_promoted() {
        let all = everybody();
        let place = all
            .file
            .recipients
            .iter()
            .position(|one| one.label == "watch")
            .unwrap();
        let change = |change: &dyn Fn(&mut Recipient)| {
            let mut file = all.file.clone();
            change(&mut file.recipients[place]);
            file.recipient(&all.monitor, NOW).err()
        };
        assert_eq!(change(&|_| {}), None);
        let scope = Scope::Scim;
        for (what, error) in [
            ("label", change(&|one| one.label = "x".to_owned())),
            (
                "scope",
                change(&|one| one.access = Access::Bearer { scope }),
            ),
            ("expiry", change(&|one| one.expires_at = Some(NOW + DAY))),
            ("creation", change(&|one| one.created_at = NOW + DAY)),
            (
                "retirement",
                change(&|one| one.retires_at = Some(NOW + DAY)),
            ),
        ] {
            assert_eq!(error, Some(Error::Damaged), "{what}");
        }
    }

    #[test]
    fn a_recipient_cannot_be_dropped_or_exchanged() {
        let all = everybody();
        let mut dropped = all.file.clone();
        dropped.recipients.pop();
        assert_eq!(dropped.open(&all.provider, NOW).err(), Some(Error::Damaged));
        let mut exchanged = all.file.clone();
        exchanged.recipients.swap(0, 1);
        assert_eq!(
            exchanged.open(&all.provider, NOW).err(),
            Some(Error::Damaged)
        );
    }
}
