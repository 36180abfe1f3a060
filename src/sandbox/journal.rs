//! What has happened: events, mail, and answers kept for repeated requests.

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{
    refusal::{Refusal, found},
    store::{self, now},
};
use crate::onepassword::secret_text::SecretText;

/// One change of state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// `invited`, `signed_up`, `confirmed`, `suspended`, `reactivated`, `deleted`, `edited`,
    /// `email_accepted`, `password_changed`, `group_created`, `group_renamed`, `group_deleted`,
    /// `granted`, `revoked`, `key_given`.
    pub kind: String,
    /// The person, if any.
    pub member: Option<String>,
    /// The group, if any.
    pub group: Option<String>,
    /// Who did it.
    pub actor: String,
    /// RFC 3339.
    pub at: String,
}

/// Writes an event down.
pub(super) fn record(
    db: &Connection,
    kind: &str,
    member: Option<&str>,
    group: Option<&str>,
    actor: &str,
) -> Result<(), Refusal> {
    db.prepare_cached("INSERT INTO events (kind, member, grp, actor, at) VALUES (?, ?, ?, ?, ?)")?
        .execute(params![kind, member, group, actor, now()])?;
    Ok(())
}

/// All events, oldest first.
pub(super) fn events(db: &Connection) -> Result<Vec<Event>, Refusal> {
    let mut statement =
        db.prepare_cached("SELECT kind, member, grp, actor, at FROM events ORDER BY seq")?;
    let rows = statement.query_map([], |row| {
        Ok(Event {
            kind: row.get(0)?,
            member: row.get(1)?,
            group: row.get(2)?,
            actor: row.get(3)?,
            at: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many events of a kind a person has.
pub(super) fn count(db: &Connection, kind: &str, member: &str) -> Result<u64, Refusal> {
    Ok(db
        .prepare_cached("SELECT count(*) FROM events WHERE kind = ? AND member = ?")?
        .query_row([kind, member], |row| store::count(row, 0))?)
}

/// A message to somebody outside. Has no `Debug`: an invitation lets in whoever holds it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Mail {
    /// The address, lower-case.
    pub to: String,
    /// `invitation`, `email-change` or `confirmed`.
    pub kind: String,
    /// One line for people.
    pub subject: String,
    /// The secret of an invitation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invitation: Option<SecretText>,
    /// RFC 3339.
    pub at: String,
}

/// Puts a message into the mailbox.
pub(super) fn send(
    db: &Connection,
    to: &str,
    kind: &str,
    subject: &str,
    invitation: Option<&str>,
) -> Result<(), Refusal> {
    db.prepare_cached(
        "INSERT INTO mail (recipient, kind, subject, invitation, at) VALUES (?, ?, ?, ?, ?)",
    )?
    .execute(params![to.to_lowercase(), kind, subject, invitation, now()])?;
    Ok(())
}

/// The latest messages, newest first: of one address, or of all.
pub(super) fn mail(db: &Connection, to: Option<&str>, limit: u32) -> Result<Vec<Mail>, Refusal> {
    let (sql, to) = match to {
        Some(to) => (
            "SELECT recipient, kind, subject, invitation, at FROM mail WHERE recipient = ?1 \
             ORDER BY seq DESC LIMIT ?2",
            to.trim().to_lowercase(),
        ),
        None => (
            "SELECT recipient, kind, subject, invitation, at FROM mail WHERE ?1 = '' \
             ORDER BY seq DESC LIMIT ?2",
            String::new(),
        ),
    };
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![to, limit], |row| {
        Ok(Mail {
            to: row.get(0)?,
            kind: row.get(1)?,
            subject: row.get(2)?,
            invitation: row.get::<_, Option<String>>(3)?.map(SecretText::new),
            at: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A request that may be repeated.
pub(super) struct Attempt<'a> {
    pub(super) caller: &'a str,
    pub(super) id: &'a str,
    /// What it is about. Only what names the thing: a repetition may bring other keys, or another
    /// name for the same person.
    pub(super) subject: String,
}

impl Attempt<'_> {
    /// Does something once: `work` returns the id of what it made; a repetition finds that again,
    /// in its present state. What is gone by then is made anew.
    pub(super) fn once<T>(
        &self,
        db: &Connection,
        read: impl Fn(&str) -> Result<T, Refusal>,
        work: impl FnOnce() -> Result<String, Refusal>,
    ) -> Result<T, Refusal> {
        if self.id.is_empty() || self.id.len() > 64 {
            return Err(Refusal::invalid("requestId has 1 to 64 characters"));
        }
        let kept: Option<(String, String)> = db
            .prepare_cached("SELECT subject, uuid FROM attempts WHERE caller = ? AND id = ?")?
            .query_row([self.caller, self.id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((subject, uuid)) = kept {
            if subject != self.subject {
                return Err(Refusal::invalid("this requestId stands for something else"));
            }
            if let Some(made) = found(read(&uuid))? {
                return Ok(made);
            }
        }
        let uuid = work()?;
        // Repetitions come within seconds; a day is plenty.
        db.prepare_cached("DELETE FROM attempts WHERE at < ?")?
            .execute([day_ago()])?;
        db.prepare_cached(
            "INSERT OR REPLACE INTO attempts (caller, id, subject, uuid, at) VALUES (?, ?, ?, ?, ?)",
        )?
        .execute(params![self.caller, self.id, self.subject, uuid, now()])?;
        read(&uuid)
    }
}

fn day_ago() -> String {
    (time::OffsetDateTime::now_utc() - time::Duration::DAY)
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap_or_default()
}
