//! A session: the key that both sides agreed on, under the id that the server gave.
//!
//! Several processes may use one session. Request ids are then taken from lanes: the upper 16 bits
//! of an id name the lane, which only one process has, and the lower ones count within it.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::atomic::{AtomicU32, Ordering},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use super::{
    Error, Result, base64url,
    envelope::{Envelope, SymmetricKey},
    request_mac::MacKey,
    secret_text::SecretText,
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
    /// `None`: all ids are ours.
    lane: Option<u16>,
}

/// What others need to use a session too.
#[derive(Serialize, Deserialize)]
struct Shared {
    id: String,
    /// K, base64url.
    key: SecretText,
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
            lane: None,
            id,
        }
    }

    /// The session for others who have the key `under`, sealed.
    pub fn to_shared(&self, under: &SymmetricKey) -> Result<String> {
        let shared = Shared {
            id: self.id.clone(),
            key: SecretText::new(base64url::encode(self.key.bytes())),
        };
        let malformed = |_| Error::Malformed("shared session");
        let plaintext = serde_json::to_vec(&shared)
            .map(Zeroizing::new)
            .map_err(malformed)?;
        serde_json::to_string(&under.seal(&plaintext)?).map_err(malformed)
    }

    /// The session that somebody has shared, in a lane that nobody else has.
    pub fn from_shared(sealed: &str, under: &SymmetricKey, lane: u16) -> Result<Self> {
        let malformed = |_| Error::Malformed("shared session");
        let envelope: Envelope = serde_json::from_str(sealed).map_err(malformed)?;
        let shared: Shared = serde_json::from_slice(&under.open(&envelope)?).map_err(malformed)?;
        let key = Zeroizing::new(base64url::decode_array(&shared.key, "session key")?);
        Ok(Self {
            next_request: AtomicU32::new(u32::from(lane) << 16 | 1),
            lane: Some(lane),
            ..Self::new(shared.id, &SessionKey::new(*key))
        })
    }

    /// For who signed in and shares the session: goes on counting, in the first lane.
    #[must_use]
    pub fn in_first_lane(self) -> Self {
        Self {
            lane: Some(0),
            ..self
        }
    }

    /// Whether others use the session too.
    pub fn is_shared(&self) -> bool {
        self.lane.is_some()
    }

    /// Whether there are no more request ids for us: another lane has some, or another session.
    pub fn is_used_up(&self) -> bool {
        self.next_request.load(Ordering::Relaxed) >= self.last_request()
    }

    fn last_request(&self) -> u32 {
        self.lane
            .map_or(u32::MAX, |lane| u32::from(lane) << 16 | 0xFFFF)
    }

    /// The session's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Signs the next request: the value of the MAC header. Once the ids are used up the last one
    /// is repeated, which the server refuses: those of others are not ours to take.
    pub fn sign(&self, method: &str, host: &str, target: &str) -> String {
        let last = self.last_request();
        let next = |id: u32| (id < last).then(|| id + 1);
        let request_id = self
            .next_request
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .unwrap_or(last);
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

/// Which request ids a server has seen in one session whose ids come in lanes: a window for each
/// lane. A client that counts on from one lane into the next is served too.
#[derive(Debug, Default)]
pub struct ReplayWindows {
    lanes: HashMap<u16, Lane>,
    /// Lanes that gave way: nothing is taken from them any more.
    closed: HashSet<u16>,
    requests: u64,
}

#[derive(Debug, Default)]
struct Lane {
    window: ReplayWindow,
    /// Which request of the session was its last.
    used: u64,
}

impl ReplayWindows {
    /// How many lanes are open at once; for a further one the longest idle is closed.
    pub const LANES: usize = 1024;

    /// Takes an id once; false if it was seen before, lies behind its lane's window, or the lane is
    /// closed.
    pub fn accept(&mut self, id: u32) -> bool {
        let [high, low, ..] = id.to_be_bytes();
        let lane = u16::from_be_bytes([high, low]);
        if self.closed.contains(&lane) {
            return false;
        }
        self.requests += 1;
        if self.lanes.len() >= Self::LANES && !self.lanes.contains_key(&lane) {
            let idle = self.lanes.iter().min_by_key(|(_, lane)| lane.used);
            if let Some(idle) = idle.map(|(idle, _)| *idle) {
                self.lanes.remove(&idle);
                self.closed.insert(idle);
            }
        }
        let lane = self.lanes.entry(lane).or_default();
        lane.used = self.requests;
        lane.window.accept(id)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The id that the next request is signed with.
    fn next(session: &Session) -> u32 {
        let header = session.sign("GET", "a.example", "/");
        session.verify(&header, "GET", "a.example", "/").unwrap()
    }

    fn signed_in() -> Session {
        Session::new("OO6SPXFPJBA7TODFAZTGG6RGTM", &SessionKey::new([7; 32]))
    }

    #[test]
    fn a_shared_session_is_the_same_session_in_another_lane() {
        let under = SymmetricKey::new("shared", [1; 32]);
        let (one, sealed) = (signed_in(), signed_in().to_shared(&under).unwrap());
        assert!(!one.is_shared());
        assert_eq!(next(&one), 1);
        let one = one.in_first_lane();
        let other = Session::from_shared(&sealed, &under, 3).unwrap();
        assert!(one.is_shared() && other.is_shared());
        assert_eq!((next(&one), next(&one)), (2, 3));
        assert_eq!((next(&other), next(&other)), (0x3_0001, 0x3_0002));
        let body = other.seal("text").unwrap();
        assert_eq!(one.open::<String>(&body).unwrap(), "text");
        let header = other.sign("GET", "a.example", "/");
        assert_eq!(one.verify(&header, "GET", "a.example", "/"), Ok(0x3_0003));
    }

    #[test]
    fn a_shared_session_opens_with_its_key_only_and_as_it_was_sealed() {
        let under = SymmetricKey::new("shared", [1; 32]);
        let sealed = signed_in().to_shared(&under).unwrap();
        let key = base64url::encode(&[7; 32]);
        assert!(!sealed.contains(&key) && !sealed.contains(signed_in().id()));
        let stranger = SymmetricKey::new("shared", [2; 32]);
        assert!(Session::from_shared(&sealed, &stranger, 1).is_err());
        let envelope: Envelope = serde_json::from_str(&sealed).unwrap();
        let first = if envelope.data.starts_with('A') {
            "B"
        } else {
            "A"
        };
        let data = format!("{first}{}", &envelope.data[1..]);
        let changed = serde_json::to_string(&Envelope { data, ..envelope }).unwrap();
        let empty = serde_json::to_string(&under.seal(b"{}").unwrap()).unwrap();
        for other in [&changed, &empty, "{}", "", "text"] {
            assert!(Session::from_shared(other, &under, 1).is_err(), "{other}");
        }
    }

    #[test]
    fn a_lane_ends_before_the_next_one_begins() {
        let under = SymmetricKey::new("shared", [1; 32]);
        let sealed = signed_in().to_shared(&under).unwrap();
        for lane in [0, 5, u16::MAX] {
            let session = Session::from_shared(&sealed, &under, lane).unwrap();
            let first = u32::from(lane) << 16;
            session
                .next_request
                .store(first | 0xFFFE, Ordering::Relaxed);
            assert!(!session.is_used_up());
            assert_eq!(next(&session), first | 0xFFFE);
            assert!(session.is_used_up());
            assert_eq!(next(&session), first | 0xFFFF);
            assert_eq!(next(&session), first | 0xFFFF);
        }
    }

    #[test]
    fn each_lane_has_a_window_of_its_own() {
        let mut windows = ReplayWindows::default();
        for id in [1, 0x5_0001, 2, 0x1_0000, 0xFFFF, 0x5_0002, 0xFFFF_FFFF] {
            assert!(windows.accept(id), "{id:#x}");
            assert!(!windows.accept(id), "{id:#x} again");
        }
        assert!(!windows.accept(1) && !windows.accept(0x5_0001));
        // One that counts on, with requests that overtake each other.
        let mut windows = ReplayWindows::default();
        for id in 0xFF00..0x2_0100_u32 {
            assert!(windows.accept(id ^ 1), "{id:#x}");
        }
    }

    #[test]
    fn of_too_many_lanes_the_longest_idle_is_closed_for_good() {
        let mut windows = ReplayWindows::default();
        let lanes = u32::try_from(ReplayWindows::LANES).unwrap();
        for lane in 0..lanes {
            assert!(windows.accept(lane << 16 | 1));
        }
        assert!(windows.accept(2), "the first lane is in use");
        assert!(windows.accept(lanes << 16 | 1));
        assert!(windows.accept(3));
        for id in [1, 2, 3] {
            assert!(!windows.accept(1 << 16 | id), "{id}");
        }
        assert!(windows.accept(2 << 16 | 2));
        assert_eq!(windows.lanes.len(), ReplayWindows::LANES);
    }

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
