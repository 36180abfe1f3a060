//! The account service's protocol, both halves: what a client computes and what a server computes.
//!
//! Pure values and functions; nothing here reads a clock, a file or a socket. From the ground up:
//!
//! * [`base64url`], [`identifier`]: how bytes and ids are written.
//! * [`secret_text`]: text that leaves no trace.
//! * [`secret_key`]: the Secret Key, the second of the two secrets that a person signs in with.
//! * [`derivation`]: password and Secret Key to the SRP x and the unlock key.
//! * [`srp`]: SRP-4096 in both generations, client and server.
//! * [`envelope`], [`request_mac`], [`session`]: sealing, signing and replay protection of requests.
//! * [`rsa`], [`keyset`]: RSA-OAEP keys and the tree of keysets that ends in the unlock key.
//! * [`sign_in_credentials`]: what a program needs to sign in without a password.
//! * [`users_api`]: what it shows to the public Users API.
//! * [`newcomer`]: the keys that a person makes on the way in.
//! * [`messages`]: the JSON on the wire.
//!
//! Names and formats are those of the public sources (the Security Design white paper, the
//! repositories `1Password/srp` and `1Password/burp-1password-session-analyzer`, and interoperable
//! clients). Only [`messages::administration`] is of our own design: the service's own
//! administration requests are not public.

pub mod base64url;
pub mod derivation;
pub mod envelope;
pub mod identifier;
pub mod keyset;
pub mod messages;
pub mod newcomer;
pub mod password_sign_in;
pub mod request_mac;
pub mod rsa;
pub mod secret_key;
pub mod secret_text;
pub mod session;
pub mod sign_in_credentials;
pub mod srp;
pub mod users_api;

/// What can go wrong in the protocol. No variant carries a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A value is not of the form that the protocol gives it.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// A sealed value does not open with the key at hand.
    #[error("the {0} cannot be opened with this key")]
    NotOpened(&'static str),
    /// An algorithm that this version does not know, or does not accept.
    #[error("algorithm {0:?} is not supported")]
    Algorithm(String),
    /// A public SRP value that would void the exchange.
    #[error("the other side sent an illegal SRP value")]
    IllegalPublicValue,
    /// The other side could not prove that it knows the key.
    #[error("the other side failed to prove that it knows the key")]
    Unproven,
    /// A keyset cannot be reached from the keys at hand.
    #[error("no key at hand opens the keyset {0}")]
    Unreachable(String),
    /// The operating system gave no random numbers, or a key could not be made.
    #[error("no random numbers")]
    Random,
}

/// The outcome of a protocol step.
pub type Result<T> = std::result::Result<T, Error>;

/// `N` random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Error::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod vectors;
