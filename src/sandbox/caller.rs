//! Who asks, and what that person may do.

use rusqlite::Connection;

use super::{refusal::Refusal, store::from_json};
use crate::onepassword::messages::administration::{MAX_BATCH, reason, right};

/// The person whose session it is.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) seq: i64,
    pub(super) uuid: String,
    pub(super) session: String,
}

impl Caller {
    /// The rights that the caller's groups bring.
    pub(super) fn rights(&self, db: &Connection) -> Result<Vec<String>, Refusal> {
        let mut statement = db.prepare_cached(
            "SELECT g.permissions FROM memberships m JOIN groups g ON g.seq = m.grp \
             WHERE m.member = ? AND g.permissions <> '[]'",
        )?;
        let rows = statement.query_map([self.seq], |row| row.get::<_, String>(0))?;
        let mut rights = Vec::new();
        for row in rows {
            rights.extend(from_json::<Vec<String>>(&row?)?);
        }
        rights.sort_unstable();
        rights.dedup();
        Ok(rights)
    }

    /// Whether the caller has a right.
    pub(super) fn has(&self, db: &Connection, right: &str) -> Result<bool, Refusal> {
        Ok(self.rights(db)?.iter().any(|held| held == right))
    }

    /// Refuses who lacks a right.
    pub(super) fn require(&self, db: &Connection, right: &str) -> Result<(), Refusal> {
        if self.has(db, right)? {
            return Ok(());
        }
        Err(Refusal::forbidden(
            reason::NOT_PERMITTED,
            format!("the right {right} is missing"),
        )
        .about(vec![right.to_owned()]))
    }

    /// Refuses who may not give these rights to others: nobody gives more than they have.
    pub(super) fn require_to_give(
        &self,
        db: &Connection,
        rights: &[String],
    ) -> Result<(), Refusal> {
        self.require(db, right::MANAGE_SETTINGS)?;
        rights.iter().try_for_each(|right| self.require(db, right))
    }
}

/// Refuses batches that are too long.
pub(super) fn check_batch(length: usize) -> Result<(), Refusal> {
    if length > MAX_BATCH {
        return Err(Refusal::invalid(format!("at most {MAX_BATCH} ids at once")));
    }
    Ok(())
}
