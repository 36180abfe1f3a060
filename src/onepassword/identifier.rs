//! Identifiers: 26 base32 characters, 130 bits, of which the last two are always zero.
//!
//! Sessions, people and accounts are upper-case; devices, groups and keysets are lower-case.

use data_encoding::BASE32_NOPAD;

use super::{Result, random};

/// The number of characters.
pub(super) const LENGTH: usize = 26;

/// A new id for a session, a person or an account.
pub fn upper() -> Result<String> {
    Ok(BASE32_NOPAD.encode(&random::<16>()?))
}

/// A new id for a device, a group or a keyset.
pub fn lower() -> Result<String> {
    Ok(upper()?.to_ascii_lowercase())
}

/// The id for a device that follows from these bytes.
pub fn lower_from(bytes: [u8; 16]) -> String {
    BASE32_NOPAD.encode(&bytes).to_ascii_lowercase()
}

/// Whether the text could be an id of either case.
pub fn is_valid(text: &str) -> bool {
    let base32 = |letter: fn(&u8) -> bool| {
        text.bytes()
            .all(|byte| letter(&byte) || (b'2'..=b'7').contains(&byte))
    };
    text.len() == LENGTH && (base32(u8::is_ascii_uppercase) || base32(u8::is_ascii_lowercase))
}
