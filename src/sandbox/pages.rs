//! Lists by page: the same cost at the end of a long list as at its beginning.

use rusqlite::{Connection, OptionalExtension, params};

use super::refusal::Refusal;
use crate::onepassword::messages::administration::{MAX_BATCH, Query};

const BUCKET: i64 = 1024;
const STATES: [&str; 5] = [
    "TRANSFER_STARTED",
    "TRANSFER_ACCEPTED",
    "TRANSFER_SUSPENDED",
    "ACTIVE",
    "SUSPENDED",
];

/// A list of rows that are ordered by their sequence number.
pub(super) enum List {
    /// People.
    Members,
    /// Groups.
    Groups,
    /// The people of the group with this sequence number.
    Group(i64),
}

/// Part of a list.
pub(super) struct Rows {
    /// Sequence numbers.
    pub(super) seqs: Vec<i64>,
    /// Length of the whole list.
    pub(super) total: u64,
    /// Key of the last row, if more follow.
    pub(super) next: Option<String>,
}

/// Finds the rows of a page.
pub(super) fn find(db: &Connection, list: &List, query: &Query) -> Result<Rows, Refusal> {
    if query.limit > MAX_BATCH {
        return Err(Refusal::invalid(format!(
            "a page has at most {MAX_BATCH} rows"
        )));
    }
    let parts = parts(list, query);
    let total = parts
        .iter()
        .map(|(name, ..)| total(db, name))
        .sum::<Result<i64, _>>()?;
    let (after, skip) = match (&query.after, query.offset) {
        (Some(key), _) => {
            let key = key
                .parse()
                .map_err(|_| Refusal::invalid("no key of a page"))?;
            (key, 0)
        }
        (None, offset) => locate(db, &parts, offset.unwrap_or(0))?,
    };
    let mut seqs = Vec::new();
    if query.limit > 0 {
        let wanted = i64::try_from(skip + query.limit + 1).unwrap_or(i64::MAX);
        for (_, sql, value) in &parts {
            let mut statement = db.prepare_cached(sql)?;
            let rows = statement.query_map(params![value, after, wanted], |row| row.get(0))?;
            for row in rows {
                seqs.push(row?);
            }
        }
        seqs.sort_unstable();
        seqs.drain(..skip.min(seqs.len()));
    }
    let more = seqs.len() > query.limit;
    seqs.truncate(query.limit);
    let next = seqs.last().filter(|_| more).map(ToString::to_string);
    Ok(Rows {
        seqs,
        total: u64::try_from(total).unwrap_or(0),
        next,
    })
}

type Part = (String, &'static str, rusqlite::types::Value);

/// The lists that make up this one: its name among the counts, its rows, and what selects them.
fn parts(list: &List, query: &Query) -> Vec<Part> {
    match list {
        List::Members => STATES
            .iter()
            .filter(|state| {
                query.states.is_empty() || query.states.iter().any(|wanted| wanted == *state)
            })
            .map(|state| {
                (
                    format!("members:{state}"),
                    "SELECT seq FROM members WHERE state = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
                    (*state).to_owned().into(),
                )
            })
            .collect(),
        List::Groups => vec![(
            "groups".to_owned(),
            "SELECT seq FROM groups WHERE seq > ?2 AND ?1 = 0 ORDER BY seq LIMIT ?3",
            0.into(),
        )],
        List::Group(seq) => vec![(
            format!("group:{seq}"),
            "SELECT member FROM memberships WHERE grp = ?1 AND member > ?2 ORDER BY member LIMIT ?3",
            (*seq).into(),
        )],
    }
}

fn total(db: &Connection, name: &str) -> Result<i64, Refusal> {
    let mut statement =
        db.prepare_cached("SELECT count FROM counts WHERE list = ?1 AND bucket = -1")?;
    let count = statement.query_row([name], |row| row.get(0)).optional()?;
    Ok(count.unwrap_or(0))
}

/// The row after which to read, and how many to pass over from there: fewer than a bucket has.
fn locate(db: &Connection, parts: &[Part], offset: u64) -> Result<(i64, usize), Refusal> {
    let mut left = i64::try_from(offset).unwrap_or(i64::MAX);
    if left == 0 {
        return Ok((0, 0));
    }
    let mut buckets = std::collections::BTreeMap::new();
    for (name, ..) in parts {
        let mut statement = db.prepare_cached(
            "SELECT bucket, count FROM counts WHERE list = ?1 AND bucket >= 0 ORDER BY bucket",
        )?;
        let rows = statement.query_map([name], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })?;
        for row in rows {
            let (bucket, count) = row?;
            *buckets.entry(bucket).or_insert(0) += count;
        }
    }
    for (bucket, count) in buckets {
        if left < count {
            return Ok((bucket * BUCKET - 1, usize::try_from(left).unwrap_or(0)));
        }
        left -= count;
    }
    Ok((i64::MAX, 0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Counts by bucket have to follow every row that goes or changes state.
    #[test]
    fn offsets_are_right_across_buckets() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(include_str!("schema.sql")).unwrap();
        db.execute_batch(
            "BEGIN;
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2100)
             INSERT INTO members (uuid, email, name, language, state, created_at, updated_at)
             SELECT i, i, 'Ann', 'en', 'TRANSFER_STARTED', '', '' FROM n;
             UPDATE members SET state = 'ACTIVE' WHERE seq % 3 = 0;
             UPDATE members SET state = 'SUSPENDED' WHERE seq % 33 = 0;
             DELETE FROM members WHERE seq % 7 = 0 OR seq BETWEEN 1020 AND 1030 OR seq > 2090;
             INSERT INTO groups (uuid, name, name_key, kind, built_in, permissions, keyset,
             created_at, updated_at) VALUES ('g', 'G', 'g', 'USER_DEFINED', 0, '[]', '{}', '', '');
             INSERT INTO memberships SELECT 1, seq FROM members WHERE state = 'ACTIVE';
             DELETE FROM memberships WHERE member % 5 = 0;
             COMMIT;",
        )
        .unwrap();
        let of = |states: &[&str]| states.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (list, states, sql) in [
            (List::Members, of(&[]), "SELECT seq FROM members"),
            (
                List::Members,
                of(&["ACTIVE"]),
                "SELECT seq FROM members WHERE state = 'ACTIVE'",
            ),
            (
                List::Members,
                of(&["SUSPENDED", "TRANSFER_STARTED"]),
                "SELECT seq FROM members WHERE state <> 'ACTIVE'",
            ),
            (
                List::Group(1),
                of(&[]),
                "SELECT member FROM memberships WHERE grp = 1",
            ),
        ] {
            let mut rows = db.prepare(&format!("{sql} ORDER BY 1")).unwrap();
            let all: Vec<i64> = rows
                .query_map([], |row| row.get(0))
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap();
            for limit in [1, 100, 1000] {
                for offset in (0..all.len() + 9).step_by(7) {
                    let query = Query {
                        states: states.clone(),
                        after: None,
                        offset: u64::try_from(offset).ok(),
                        limit,
                    };
                    let page = find(&db, &list, &query).unwrap();
                    let end = (offset + limit).min(all.len());
                    let expected = all.get(offset..end).unwrap_or_default();
                    assert_eq!(page.seqs, expected, "{sql} from {offset}");
                    assert_eq!(page.total, u64::try_from(all.len()).unwrap());
                    assert_eq!(page.next.is_some(), end < all.len());
                }
            }
            let (mut walked, mut after) = (Vec::new(), None);
            loop {
                let query = Query {
                    states: states.clone(),
                    after,
                    offset: None,
                    limit: 99,
                };
                let page = find(&db, &list, &query).unwrap();
                walked.extend(page.seqs);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(walked, all);
        }
    }
}
