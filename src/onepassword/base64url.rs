//! Base64url as the protocol writes it: without padding, while readers accept padding.

use data_encoding::BASE64URL_NOPAD;

use super::{Error, Result};

/// Bytes as text.
pub fn encode(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// Text as bytes; `what` names the value in the error.
pub fn decode(text: &str, what: &'static str) -> Result<Vec<u8>> {
    BASE64URL_NOPAD
        .decode(text.trim_end_matches('=').as_bytes())
        .map_err(|_| Error::Malformed(what))
}

/// Text as exactly `N` bytes.
pub fn decode_array<const N: usize>(text: &str, what: &'static str) -> Result<[u8; N]> {
    let bytes = zeroize::Zeroizing::new(decode(text, what)?);
    <[u8; N]>::try_from(bytes.as_slice()).map_err(|_| Error::Malformed(what))
}
