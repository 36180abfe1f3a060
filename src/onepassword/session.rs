//! A session: the key that both sides agreed on, under the id that the server gave.

use std::{
    fmt,
    sync::atomic::{AtomicU32, Ordering},
};

use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use super::{
    Error, Result,
    envelope::{Envelope, SymmetricKey},
    request_mac::MacKey,
};

/// The header that names the session.
pub const HEADER: &str = "x-agilebits-session-id";

/// K: 32 bytes that only the two sides of one SRP exchange know.
#[derive(Clone)]
pub struct SessionKey(Zeroizing<[u8; 32]>);

impl SessionKey {
    /// A key of these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Seals and opens bodies and signs requests. The same value serves both sides; only a client
/// counts requests.
pub struct Session {
    id: String,
    key: SymmetricKey,
    mac: MacKey,
    next_request: AtomicU32,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A session that begins to count at 1.
    pub fn new(id: impl Into<String>, key: &SessionKey) -> Self {
        let id = id.into();
        Self {
            key: SymmetricKey::new(id.clone(), *key.bytes()),
            mac: MacKey::derive(key),
            next_request: AtomicU32::new(1),
            id,
        }
    }

    /// The session's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Signs the next request: the value of the MAC header.
    pub fn sign(&self, method: &str, host: &str, target: &str) -> String {
        let request_id = self.next_request.fetch_add(1, Ordering::Relaxed);
        self.mac.header(&self.id, method, host, target, request_id)
    }

    /// Checks the MAC header of a request and returns its id.
    pub fn verify(&self, header: &str, method: &str, host: &str, target: &str) -> Result<u32> {
        self.mac.verify(header, &self.id, method, host, target)
    }

    /// Seals a body.
    pub fn seal<T: Serialize + ?Sized>(&self, body: &T) -> Result<Vec<u8>> {
        let plaintext = serde_json::to_vec(body)
            .map(Zeroizing::new)
            .map_err(|_| Error::Malformed("body"))?;
        self.seal_bytes(&plaintext)
    }

    /// Seals a body that is JSON already.
    pub fn seal_bytes(&self, plaintext: &[u8]) -> Result<Vec<u8>> {
        let envelope = self.key.seal(plaintext)?;
        serde_json::to_vec(&envelope).map_err(|_| Error::Malformed("envelope"))
    }

    /// Opens a body into JSON text.
    pub fn open_bytes(&self, body: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let envelope: Envelope =
            serde_json::from_slice(body).map_err(|_| Error::Malformed("envelope"))?;
        self.key.open(&envelope)
    }

    /// Opens a body.
    pub fn open<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T> {
        serde_json::from_slice(&self.open_bytes(body)?).map_err(|_| Error::Malformed("body"))
    }
}

/// Which request ids a server has seen in one session: a window that slides with the highest, so
/// that requests on several connections may overtake each other.
#[derive(Debug, Default)]
pub struct ReplayWindow {
    highest: Option<u32>,
    /// Bit n: `highest - n` was seen.
    seen: [u64; Self::WORDS],
}

impl ReplayWindow {
    const WORDS: usize = 16;
    /// How far behind the highest id a request may come.
    pub const WIDTH: u32 = 64 * Self::WORDS as u32;

    /// Takes an id once; false if it was seen before or lies behind the window.
    pub fn accept(&mut self, id: u32) -> bool {
        let Some(highest) = self.highest else {
            self.highest = Some(id);
            self.seen[0] = 1;
            return true;
        };
        if id > highest {
            self.slide(id - highest);
            self.highest = Some(id);
            self.seen[0] |= 1;
            return true;
        }
        let behind = highest - id;
        if behind >= Self::WIDTH {
            return false;
        }
        let (word, bit) = ((behind / 64) as usize, 1_u64 << (behind % 64));
        let new = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        new
    }

    fn slide(&mut self, by: u32) {
        if by >= Self::WIDTH {
            self.seen = [0; Self::WORDS];
            return;
        }
        let (words, bits) = ((by / 64) as usize, by % 64);
        for place in (0..Self::WORDS).rev() {
            let take = |from: Option<usize>| from.map_or(0, |from| self.seen[from]);
            let low = take(place.checked_sub(words)) << bits;
            let high = if bits == 0 {
                0
            } else {
                take(place.checked_sub(words + 1)) >> (64 - bits)
            };
            self.seen[place] = low | high;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_id_is_taken_once_in_any_order_within_the_window() {
        let mut window = ReplayWindow::default();
        for id in [7, 9, 8, 1, 600, 100, 599] {
            assert!(window.accept(id), "{id}");
        }
        for id in [7, 9, 8, 1, 600, 100, 599] {
            assert!(!window.accept(id), "{id} again");
        }
        assert!(window.accept(5000));
        assert!(!window.accept(5000 - ReplayWindow::WIDTH));
        assert!(window.accept(5001 - ReplayWindow::WIDTH));
        assert!(window.accept(u32::MAX));
        assert!(!window.accept(5002));
    }

    #[test]
    fn sliding_agrees_with_a_set() {
        let mut window = ReplayWindow::default();
        let mut seen = std::collections::BTreeSet::new();
        let mut state = 12345_u32;
        for _ in 0..20_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let highest = seen.last().copied().unwrap_or(1000);
            let id = (highest + (state >> 16) % 80).saturating_sub(40);
            assert_eq!(window.accept(id), seen.insert(id), "{id}");
        }
    }
}
