//! Cursors: places in a list that a client keeps for us. RFC 9865.
//!
//! Nothing about a cursor is kept here. It is sealed under a key derived from the bearer token, so
//! that any bridge can open it, nobody can make or read one, and it is worth nothing to others. A
//! token that replaces another ends the walks that were begun with it.

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use data_encoding::BASE64URL_NOPAD;
use hkdf::Hkdf;
use sha2::Sha256;
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use crate::{
    bridge::Position,
    scim::{Error, discovery::CursorPaging},
};

/// How long a cursor is good.
const LIFE: Duration = Duration::hours(1);

const NONCE: usize = 12;

/// What `ServiceProviderConfig` says about pages of at most `size`.
pub fn announced(size: u64) -> CursorPaging {
    CursorPaging {
        default_page_size: size,
        max_page_size: size,
        timeout_seconds: Some(LIFE.whole_seconds().unsigned_abs()),
    }
}

/// The cursors of one token.
#[derive(Clone)]
pub struct Cursors {
    key: Zeroizing<[u8; 32]>,
}

impl Cursors {
    /// Of this token, which has to be a random one.
    pub fn of(token: &str) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        // Fails only for outputs of more than 255 hashes.
        let expanded = Hkdf::<Sha256>::new(None, token.as_bytes())
            .expand(b"scim-bridge cursors 1", key.as_mut());
        debug_assert!(expanded.is_ok());
        Self { key }
    }

    /// The cursor for a place in the list that `selection` describes.
    pub fn seal(
        &self,
        position: &Position,
        selection: &str,
        now: OffsetDateTime,
    ) -> Result<String, Error> {
        let failed = || Error::internal("the bridge cannot make a cursor");
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| failed())?;
        let sealed = serde_json::to_vec(&(now.unix_timestamp(), position))
            .map_err(|_| failed())
            .and_then(|plain| {
                let payload = payload(&plain, selection);
                let cipher = Aes256Gcm::new((&*self.key).into());
                cipher
                    .encrypt(&Nonce::from(nonce), payload)
                    .map_err(|_| failed())
            })?;
        Ok(BASE64URL_NOPAD.encode(&[&nonce, sealed.as_slice()].concat()))
    }

    /// The place; only in the list for which the cursor was made.
    ///
    /// # Errors
    /// 400 `invalidCursor` or `expiredCursor`.
    pub fn open(
        &self,
        cursor: &str,
        selection: &str,
        now: OffsetDateTime,
    ) -> Result<Position, Error> {
        let (made, position) = self.unseal(cursor, selection).ok_or_else(|| {
            Error::invalid_cursor(
                "the cursor is not one that was given for this token, filter and order: begin again \
                 with an empty cursor",
            )
        })?;
        if now.unix_timestamp() - made > LIFE.whole_seconds() {
            return Err(Error::expired_cursor(format!(
                "the cursor is older than {} seconds: begin again with an empty cursor",
                LIFE.whole_seconds()
            )));
        }
        Ok(position)
    }

    fn unseal(&self, cursor: &str, selection: &str) -> Option<(i64, Position)> {
        let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
        let plain = Aes256Gcm::new((&*self.key).into())
            .decrypt(&Nonce::from(*nonce), payload(sealed, selection))
            .ok()?;
        serde_json::from_slice(&plain).ok()
    }
}

fn payload<'p>(message: &'p [u8], selection: &'p str) -> Payload<'p, 'p> {
    Payload {
        msg: message,
        aad: selection.as_bytes(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::scim::error::ScimType;

    #[test]
    fn a_cursor_is_good_for_its_list_its_token_and_its_time() {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
        let position = Position::Person("7".to_owned());
        let cursors = Cursors::of("token");
        let cursor = cursors.seal(&position, "all", now).unwrap();
        assert!(!cursor.contains(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_'));
        assert_eq!(cursors.open(&cursor, "all", now + LIFE).unwrap(), position);
        let why = |cursors: &Cursors, cursor: &str, selection: &str, at| {
            cursors.open(cursor, selection, at).unwrap_err().scim_type
        };
        let invalid = Some(ScimType::InvalidCursor);
        assert_eq!(why(&cursors, &cursor, "other", now), invalid);
        assert_eq!(why(&Cursors::of("other"), &cursor, "all", now), invalid);
        for wrong in ["x", "", "AAAA", &cursor[1..], &format!("{cursor}AAAA")] {
            assert_eq!(why(&cursors, wrong, "all", now), invalid, "{wrong}");
        }
        let late = now + LIFE + Duration::SECOND;
        assert_eq!(
            why(&cursors, &cursor, "all", late),
            Some(ScimType::ExpiredCursor)
        );
    }
}
