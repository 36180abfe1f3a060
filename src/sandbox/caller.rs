//! Who asks, and what that person may do.

use rusqlite::Connection;

use super::{refusal::Refusal, store::from_json};
use crate::onepassword::messages::administration::{MAX_BATCH, reason};

/// Rights under their published names.
pub(super) mod right {
    pub(crate) const VIEW_PEOPLE: &str = "VIEW_PEOPLE";
    pub(crate) const ADD_PERSON: &str = "ADD_PERSON";
    pub(crate) const CHANGE_PERSON_NAME: &str = "CHANGE_PERSON_NAME";
    pub(crate) const PROVISION_PEOPLE: &str = "PROVISION_PEOPLE";
    pub(crate) const SUSPEND_PERSON: &str = "SUSPEND_PERSON";
    pub(crate) const DELETE_PERSON: &str = "DELETE_PERSON";
    pub(crate) const MANAGE_GROUPS: &str = "MANAGE_GROUPS";

    pub(crate) const ALL: [&str; 7] = [
        VIEW_PEOPLE,
        ADD_PERSON,
        CHANGE_PERSON_NAME,
        PROVISION_PEOPLE,
        SUSPEND_PERSON,
        DELETE_PERSON,
        MANAGE_GROUPS,
    ];
}

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

    /// Refuses who lacks a right.
    pub(super) fn require(&self, db: &Connection, right: &str) -> Result<(), Refusal> {
        if self.rights(db)?.iter().any(|held| held == right) {
            return Ok(());
        }
        Err(Refusal::forbidden(
            reason::NOT_PERMITTED,
            format!("the right {right} is missing"),
        )
        .about(vec![right.to_owned()]))
    }
}

/// Refuses batches that are too long.
pub(super) fn check_batch(length: usize) -> Result<(), Refusal> {
    if length > MAX_BATCH {
        return Err(Refusal::invalid(format!("at most {MAX_BATCH} ids at once")));
    }
    Ok(())
}
