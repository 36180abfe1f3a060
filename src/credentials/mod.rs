//! The bridge's own credentials: a sealed `scimsession` file, and the secrets that open it.
//!
//! The file and a bearer token are useless apart. A random content key seals the Provision
//! Manager's credentials; it is wrapped once for every recipient: for each bearer token, so that
//! tokens can overlap, and for the sweep key, with which the scheduled sweep works without a
//! provider's request.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::onepassword::{
    password_sign_in::SignIn, sign_in_credentials::SignInCredentials, users_api::ClientCredentials,
};

mod scimsession;
mod secret;
mod secrets;
mod source;
mod watched;

pub use scimsession::{Access, Holder, NewRecipient, Recipient, ScimSession, Scope};
pub use secret::{BearerToken, Mistyped, SweepKey};
pub use secrets::{NoSweepKey, Secrets, SweepKeySource};
#[cfg(feature = "aws")]
pub use source::SecretArn;
#[cfg(feature = "azure")]
pub use source::SecretUrl;
pub use source::{NotASource, Source, StoreError, Stored, Stores};
pub use watched::{Loaded, Secret, Watched};

/// What a `scimsession` holds.
#[derive(Serialize, Deserialize)]
pub struct Credentials {
    /// For the connector that administers the account.
    #[serde(flatten)]
    pub connector: Connector,
    /// For 1Password's Users API, if it is to help the connector.
    #[serde(rename = "usersApi", default, skip_serializing_if = "Option::is_none")]
    pub users_api: Option<ClientCredentials>,
}

/// Credentials by the connector that needs them.
#[derive(Serialize, Deserialize)]
#[serde(tag = "connector", rename_all = "snake_case")]
// A process has one or two.
#[allow(clippy::large_enum_variant)]
pub enum Connector {
    /// For the account service's own protocol: derived keys, no password.
    Native(SignInCredentials),
    /// For 1Password's command line: what a person types in, the password too.
    OpCli(SignIn),
}

/// A secret that a `scimsession` can be opened with.
pub trait Opener: Send + Sync {
    /// What sort of secret it is.
    fn kind(&self) -> SecretKind;

    /// Its 256 bits.
    fn secret(&self) -> &[u8; 32];
}

/// What sort of secret somebody holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    /// Sent with every request.
    Bearer,
    /// The scheduled sweep's own.
    Sweep,
}

impl From<Connector> for Credentials {
    fn from(connector: Connector) -> Self {
        Self {
            connector,
            users_api: None,
        }
    }
}

impl Credentials {
    /// Seals these credentials for their first recipients.
    ///
    /// # Errors
    /// [`Error::Label`], or that the system has no random numbers.
    pub fn seal(
        &self,
        recipients: &[NewRecipient<'_>],
        now: OffsetDateTime,
    ) -> Result<ScimSession, Error> {
        let (address, device) = match &self.connector {
            Connector::Native(native) => {
                (native.sign_in_address.clone(), native.device_uuid.clone())
            }
            Connector::OpCli(sign_in) => (sign_in.origin(), sign_in.device_uuid()),
        };
        let plaintext = self.to_plaintext()?;
        ScimSession::seal(&address, &device, &plaintext, recipients, now)
    }

    /// Seals these credentials in place of those in the file, for the same recipients. For other
    /// credentials of the same connector: the account's address and the device stay.
    ///
    /// Whoever opened the file once can open what is sealed so, even if revoked since, as the
    /// content key stays.
    ///
    /// # Errors
    /// As for [`Credentials::open`].
    pub fn reseal(
        &self,
        file: &ScimSession,
        opener: &dyn Opener,
        now: OffsetDateTime,
    ) -> Result<ScimSession, Error> {
        file.with_plaintext(opener, &self.to_plaintext()?, now)
    }

    /// Opens a file with one of its recipients' secrets.
    ///
    /// # Errors
    /// [`Error::NotARecipient`] if the secret is none of the file's, [`Error::Expired`] if it was
    /// once, [`Error::OutOfScope`] if it is a monitor's, [`Error::Damaged`] if any part of the file
    /// is not as it was sealed.
    pub fn open(
        file: &ScimSession,
        secret: &dyn Opener,
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        let plaintext = file.open(secret, now)?;
        serde_json::from_slice(&plaintext).map_err(|_| Error::Damaged)
    }

    /// Whom they sign in.
    pub fn email(&self) -> &str {
        match &self.connector {
            Connector::Native(native) => &native.email,
            Connector::OpCli(sign_in) => &sign_in.email,
        }
    }

    /// The account's address with its scheme, without a slash behind it.
    pub fn origin(&self) -> String {
        match &self.connector {
            Connector::Native(native) => native.origin(),
            Connector::OpCli(sign_in) => sign_in.origin(),
        }
    }

    /// Names what is inside, so that two files with the same credentials can be told from two with
    /// others. As secret as the credentials are guessable: not at all.
    pub fn digest(&self) -> Result<[u8; 32], Error> {
        Ok(Sha256::digest(self.to_plaintext()?.as_slice()).into())
    }

    fn to_plaintext(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        // Large enough from the start: a buffer that grows leaves copies of secrets behind.
        let mut json = Zeroizing::new(Vec::with_capacity(8 * 1024));
        serde_json::to_writer(&mut *json, self).map_err(|_| Error::Damaged)?;
        Ok(json)
    }
}

/// Why credentials could not be opened. No text names a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The secret opens nothing in this file.
    #[error("the token is not one of this scimsession's")]
    NotARecipient,
    /// The secret's time is over.
    #[error("the token has expired: issue a new one")]
    Expired,
    /// The secret is a monitor's, and the credentials are not for it.
    #[error("this token is for monitoring only: it opens no credentials")]
    OutOfScope,
    /// Without this recipient nobody could open the file.
    #[error("nobody would be left who can open the scimsession: add another token first")]
    LastRecipient,
    /// What people call a recipient has to fit a line.
    #[error("a label has 1 to 64 characters and no line breaks")]
    Label,
    /// Something in the file is not as it was sealed.
    #[error("the scimsession is damaged or was changed: install it again, or run the set-up")]
    Damaged,
    /// The text is no scimsession at all.
    #[error("not a scimsession: {0}")]
    NotAScimSession(String),
    /// The text is no secret of ours.
    #[error(transparent)]
    Mistyped(#[from] Mistyped),
    /// The place that keeps it gave nothing.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gave no random numbers.
    #[error("the system has no source of random numbers")]
    NoRandomness,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::onepassword::{secret_text::SecretText, users_api::Server};

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    /// What a file held before anything but a connector had credentials in it.
    fn earlier() -> String {
        let zeros = "00".repeat(32);
        let key = "A".repeat(43);
        format!(
            r#"{{"connector":"native","signInAddress":"https://x.example","userAuth":{{"method":"SRPg-4096","alg":"PBES2g-HS256","iterations":10000,"salt":"AAAAAAAAAAAAAAAAAAAAAA"}},"email":"bridge@example.com","srpX":"{zeros}","muk":{{"alg":"A256GCM","ext":true,"k":"{key}","key_ops":["encrypt","decrypt"],"kty":"oct","kid":"mp"}},"secretKey":"A3-ABCDEF","deviceUuid":"aaaaaaaaaaaaaaaaaaaaaaaaaa"}}"#
        )
    }

    #[test]
    fn earlier_files_open_and_stay_as_they_are() {
        let credentials: Credentials = serde_json::from_str(&earlier()).unwrap();
        assert!(credentials.users_api.is_none());
        let again = credentials.to_plaintext().unwrap();
        assert_eq!(String::from_utf8_lossy(&again), earlier());
    }

    #[test]
    fn the_users_api_is_put_in_later_for_all_who_open_the_file() {
        let (token, key) = (
            BearerToken::generate().unwrap(),
            SweepKey::generate().unwrap(),
        );
        let before: Credentials = serde_json::from_str(&earlier()).unwrap();
        let recipients = [
            NewRecipient::lasting(Holder::Provider(&token), "first"),
            NewRecipient::lasting(Holder::Sweep(&key), "sweep"),
        ];
        let file = before.seal(&recipients, NOW).unwrap();
        let after = Credentials {
            users_api: Some(ClientCredentials {
                server: Server::Eu,
                account_id: "ACCOUNT".to_owned(),
                client_id: "client".to_owned(),
                client_secret: SecretText::new("secret".to_owned()),
            }),
            ..Credentials::open(&file, &key, NOW).unwrap()
        };
        assert_ne!(after.digest(), before.digest());
        let file = after.reseal(&file, &key, NOW).unwrap();
        for opener in [&token as &dyn Opener, &key] {
            let opened = Credentials::open(&file, opener, NOW).unwrap();
            assert_eq!(opened.digest(), after.digest());
            let users_api = opened.users_api.unwrap();
            assert_eq!(users_api.server, Server::Eu);
            assert_eq!(&*users_api.client_secret, "secret");
        }
        let stranger = SweepKey::generate().unwrap();
        assert_eq!(
            after.reseal(&file, &stranger, NOW).err(),
            Some(Error::NotARecipient)
        );
    }
}
