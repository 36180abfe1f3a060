//! What the stores have in common: how a record is written down and, for those in a cloud, what it is
//! found by.

use std::collections::BTreeSet;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use time::Duration;

use super::{AuditEntry, Error, Heartbeat, Heartbeats, Person, Result, Timestamp, Versioned};

/// The form of the records. A release that does not know a record's form leaves it alone.
pub(super) const FORMAT: i64 = 1;

/// How long an attempt to create something is remembered after its claim has run out: as long as
/// the account remembers it.
pub(super) const CLAIM_KEPT: Duration = Duration::days(1);

/// The most people that are found by an address.
pub(super) const BY_EMAIL: usize = 100;

/// The most writes of one transaction.
pub(super) const TRANSACTION: usize = 100;

/// How often a change starts over when the record is written at the same time.
pub(super) const ATTEMPTS: usize = 8;

/// The keys by which a record is found.
pub(super) struct Links<K> {
    /// Nobody else may have it.
    pub(super) external_id: Option<K>,
    pub(super) plain: Vec<K>,
}

impl<K> Default for Links<K> {
    fn default() -> Self {
        Self {
            external_id: None,
            plain: Vec::new(),
        }
    }
}

impl<K: Clone + PartialEq> Links<K> {
    /// Those of a person: external id, addresses in lower case, and the groups to come back into.
    pub(super) fn of_person(
        person: &Person,
        external_id: impl Fn(&str) -> K,
        email: impl Fn(&str) -> K,
        out_of: impl Fn(&str) -> K,
    ) -> Self {
        let emails = person.emails.iter();
        let emails: BTreeSet<_> = emails.map(|email| email.value.to_lowercase()).collect();
        let groups = person.removal.iter().flat_map(|removal| &removal.groups);
        let groups: BTreeSet<_> = groups.collect();
        let emails = emails.iter().map(|address| email(address));
        Self {
            external_id: person.external_id.as_deref().map(external_id),
            plain: emails
                .chain(groups.into_iter().map(|group| out_of(group)))
                .collect(),
        }
    }

    pub(super) fn without(&self, other: &Self) -> Self {
        let external_id = self.external_id.clone();
        Self {
            external_id: external_id.filter(|_| self.external_id != other.external_id),
            plain: (self.plain.iter())
                .filter(|key| !other.plain.contains(key))
                .cloned()
                .collect(),
        }
    }
}

/// Leaves of what comes and what is gone as much as fits into a transaction beside the record. An
/// entry that leads to a record which does not know it does no harm, so of the rest the new ones
/// (the answer's first part) are written before and the old ones deleted after.
pub(super) fn fit<K>(come: &mut Links<K>, gone: &mut Links<K>) -> (Vec<K>, Vec<K>) {
    // The record, an external id that comes, and one that goes.
    let room = TRANSACTION - 3;
    let early = come.plain.split_off(room.min(come.plain.len()));
    let left = room - come.plain.len();
    (early, gone.plain.split_off(left.min(gone.plain.len())))
}

/// Longer each time, and never the same for two who wait.
pub(super) async fn pause(attempt: u32) {
    let mut random = [0u8; 1];
    // Without random numbers the pause is merely the longest.
    let share = match getrandom::fill(&mut random) {
        Ok(()) => u64::from(random[0]),
        Err(_) => 255,
    };
    let longest = 20u64 << attempt.min(5);
    tokio::time::sleep(std::time::Duration::from_millis(
        longest / 4 + longest * share / 255,
    ))
    .await;
}

/// 80 random bits as text.
pub(super) fn random() -> Result<String> {
    let mut bytes = [0u8; 10];
    getrandom::fill(&mut bytes).map_err(|error| Error::Unavailable(error.to_string()))?;
    Ok(BASE32_NOPAD.encode(&bytes))
}

/// What stands in a key for a name that is too long for it.
pub(super) fn digest(name: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(name))
}

/// Milliseconds since 1970.
pub(super) fn milliseconds_of(at: Timestamp) -> i128 {
    at.unix_timestamp_nanos() / 1_000_000
}

/// The opposite of [`milliseconds_of`].
pub(super) fn moment_of(milliseconds: i64) -> Result<Timestamp> {
    let moment = Timestamp::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000);
    moment.map_err(|error| Error::Corrupt(error.to_string()))
}

/// A moment as a part of a key: texts sort as time does.
pub(super) fn milliseconds(at: Timestamp) -> String {
    format!("{:015}", milliseconds_of(at).max(0))
}

pub(super) fn encode<T: Serialize>(record: &T) -> Result<String> {
    serde_json::to_string(record).map_err(|error| Error::Corrupt(error.to_string()))
}

pub(super) fn from_json<T: DeserializeOwned>(record: &str) -> Result<T> {
    serde_json::from_str(record).map_err(|error| Error::Corrupt(error.to_string()))
}

fn is_known(format: Option<i64>) -> Result<()> {
    match format {
        Some(format) if format > FORMAT => Err(Error::Corrupt(
            "a newer release of the bridge wrote it: update this one".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// A line of the audit.
pub(super) fn decode_line(line: &str, format: Option<i64>) -> Result<AuditEntry> {
    is_known(format)?;
    from_json(line)
}

/// What heartbeats are known by: whose they are.
pub(super) const HEARTBEATS: [&str; 3] = ["provider", "sweep", "account"];

/// What a heartbeat is known by, and its record.
pub(super) fn encode_heartbeat(heartbeat: &Heartbeat) -> Result<(&'static str, String)> {
    let [provider, sweep, account] = HEARTBEATS;
    Ok(match heartbeat {
        Heartbeat::Provider(record) => (provider, encode(record)?),
        Heartbeat::Sweep(record) => (sweep, encode(record)?),
        Heartbeat::Account(record) => (account, encode(record)?),
    })
}

/// The heartbeats from their names, records and forms. Those of other names are left alone: a newer
/// release may have more. One that cannot be read is as none, until it is written anew.
pub(super) fn decode_heartbeats<T: AsRef<str>>(
    records: impl IntoIterator<Item = (T, T, Option<i64>)>,
) -> Heartbeats {
    fn read<T: DeserializeOwned>(name: &str, record: &str, format: Option<i64>) -> Option<T> {
        let read = is_known(format).and_then(|()| from_json(record));
        read.inspect_err(|error| tracing::warn!(name, %error, "a heartbeat cannot be read"))
            .ok()
    }
    let mut all = Heartbeats::default();
    for (name, record, format) in records {
        let (name, record) = (name.as_ref(), record.as_ref());
        match HEARTBEATS.iter().position(|known| *known == name) {
            Some(0) => all.provider = read(name, record, format),
            Some(1) => all.sweep = read(name, record, format),
            Some(2) => all.account = read(name, record, format),
            _ => {}
        }
    }
    all
}

/// A record from its parts, as far as there are any.
pub(super) fn decode<T: DeserializeOwned>(
    record: Option<&str>,
    version: Option<i64>,
    format: Option<i64>,
) -> Result<Versioned<T>> {
    is_known(format)?;
    let corrupt = || Error::Corrupt("an item without record or version".to_owned());
    let version = version.and_then(|version| u64::try_from(version).ok());
    Ok(Versioned {
        value: from_json(record.ok_or_else(corrupt)?)?,
        version: version.ok_or_else(corrupt)?,
    })
}
