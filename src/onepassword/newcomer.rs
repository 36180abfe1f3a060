//! What a person makes on the way in: keys of their own, and what a server may keep of them.

use super::{
    Result,
    keyset::OpenKeyset,
    messages::administration::SignUpSecrets,
    secret_key::SecretKey,
    secret_text::SecretText,
    sign_in_credentials::{SignInCredentials, UnlockParameters, UserAuth},
};

/// A person's own half, and the server's.
pub struct Newcomer {
    /// The person's keys.
    pub keyset: OpenKeyset,
    /// What the person signs in with, Secret Key included.
    pub credentials: SignInCredentials,
    /// What the server gets.
    pub secrets: SignUpSecrets,
}

impl Newcomer {
    /// Makes Secret Key and key pair anew. Slow: a key pair and two derivations.
    pub fn generate(address: &str, email: &str, password: &str, iterations: u32) -> Result<Self> {
        let (secret_key, keyset) = (SecretKey::generate()?, OpenKeyset::generate()?);
        Self::with_keys(address, email, password, iterations, &secret_key, keyset)
    }

    /// Makes verifier and primary keyset for keys that exist, as another address or another
    /// password wants them. Slow: two derivations.
    pub fn with_keys(
        address: &str,
        email: &str,
        password: &str,
        iterations: u32,
        secret_key: &SecretKey,
        keyset: OpenKeyset,
    ) -> Result<Self> {
        let user_auth = UserAuth::generate(iterations)?;
        let unlock = UnlockParameters::generate(iterations)?;
        let credentials =
            SignInCredentials::derive(address, email, password, secret_key, user_auth, &unlock)?;
        let secrets = SignUpSecrets {
            secret_key_format: secret_key.format().to_owned(),
            secret_key_id: secret_key.id().to_owned(),
            user_auth: credentials.user_auth.clone(),
            verifier: SecretText::new(credentials.verifier().to_hex().to_string()),
            keyset: keyset.sealed_for_owner(&credentials.unlock_key, &unlock)?,
        };
        Ok(Self {
            keyset,
            credentials,
            secrets,
        })
    }
}
