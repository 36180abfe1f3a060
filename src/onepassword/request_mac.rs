//! `X-AgileBits-MAC`: proof that a request comes from the holder of the session key.
//!
//! It covers session, method, host, path, query and a counter; the body has its own proof, the
//! envelope's tag.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Error, Result, base64url, session::SessionKey};

/// The header's name.
pub const HEADER: &str = "x-agilebits-mac";
const KEY_TEXT: &[u8] = b"He never wears a Mac, in the pouring rain. Very strange.";
const VERSION: &str = "v1";
const MAC_LENGTH: usize = 12;

/// The key that signs the requests of one session.
pub struct MacKey(Zeroizing<[u8; 32]>);

impl MacKey {
    /// Derives it from the session key.
    pub fn derive(key: &SessionKey) -> Self {
        Self(Zeroizing::new(hmac(key.bytes(), KEY_TEXT)))
    }

    /// The header's value. `target` is path and query, percent-encoded exactly as sent; `host`
    /// is without its port.
    pub fn header(
        &self,
        session_id: &str,
        method: &str,
        host: &str,
        target: &str,
        request_id: u32,
    ) -> String {
        let message = message(session_id, method, host, target, request_id);
        let mac = hmac(&self.0, message.as_bytes());
        let mac = base64url::encode(mac.get(..MAC_LENGTH).unwrap_or_default());
        format!("{VERSION}|{request_id}|{mac}")
    }

    /// Checks a header and returns the request id that it names.
    pub fn verify(
        &self,
        header: &str,
        session_id: &str,
        method: &str,
        host: &str,
        target: &str,
    ) -> Result<u32> {
        let malformed = Error::Malformed("request MAC");
        let id = header.split('|').nth(1).ok_or(malformed.clone())?;
        let id: u32 = id.parse().map_err(|_| malformed)?;
        let expected = self.header(session_id, method, host, target, id);
        if bool::from(expected.as_bytes().ct_eq(header.as_bytes())) {
            Ok(id)
        } else {
            Err(Error::Unproven)
        }
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

pub(crate) fn message(
    session_id: &str,
    method: &str,
    host: &str,
    target: &str,
    request_id: u32,
) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    format!(
        "{session_id}|{}|{}/{}?{query}|{VERSION}|{request_id}",
        method.to_ascii_uppercase(),
        host.to_ascii_lowercase(),
        path.trim_start_matches('/'),
    )
}

fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    // HMAC pads a shorter key to a block with zeros; doing it here leaves nothing that could fail.
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    <Hmac<Sha256> as KeyInit>::new((&*block).into())
        .chain_update(message)
        .finalize()
        .into_bytes()
        .into()
}
