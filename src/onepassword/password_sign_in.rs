//! What a program signs in with that goes the whole way of a person, password included.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{identifier, secret_text::SecretText, sign_in_credentials::origin};

/// An account's address, and somebody's secrets for it.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignIn {
    /// The sign-in address, such as `example.1password.com`.
    pub address: String,
    /// The e-mail address.
    pub email: String,
    /// The Secret Key, `A3-…`.
    pub secret_key: SecretText,
    /// The account password.
    pub password: SecretText,
}

impl SignIn {
    /// The address with its scheme, without a slash behind it.
    pub fn origin(&self) -> String {
        origin(&self.address)
    }

    /// The device that signs in: 26 lower-case base32 characters. It follows from the rest, so that
    /// a process that starts is not a new device to the account.
    pub fn device_uuid(&self) -> String {
        let mut hash = Sha256::new_with_prefix("scim-bridge device");
        for text in [&*self.origin(), &*self.email, &*self.secret_key] {
            hash.update(b"\n");
            hash.update(text);
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        identifier::lower_from(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_stays_the_same_and_tells_nothing() {
        let device = |address: &str, key: &str| {
            let sign_in = SignIn {
                address: address.to_owned(),
                email: "bridge@example.com".to_owned(),
                secret_key: SecretText::new(key.to_owned()),
                password: SecretText::new("password".to_owned()),
            };
            sign_in.device_uuid()
        };
        let one = device("example.1password.com", "A3-X");
        assert!(identifier::is_valid(&one), "{one}");
        assert_eq!(device("https://example.1password.com/", "A3-X"), one);
        assert_ne!(device("example.1password.com", "A3-Y"), one);
    }
}
