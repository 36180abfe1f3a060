//! Groups, their memberships and the keys that go with them.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    caller::{Caller, check_batch},
    journal, members,
    pages::{self, List},
    refusal::{Refusal, found},
    store::{count, from_json, now, to_json},
};
use crate::onepassword::{
    envelope::Envelope,
    identifier,
    keyset::Keyset,
    messages::administration::{
        Belonging, Changed, CreateGroup, Grant, Group, GroupMembers, GroupName, Ids, KeyHolder,
        Listing, Query, Standing, reason, right,
    },
    rsa::PublicKey,
};

const COLUMNS: &str = "seq, uuid, name, kind, built_in, permissions, member_count, attr_version, \
                       created_at, updated_at, json_extract(keyset, '$.uuid')";

fn from_row(row: &Row<'_>) -> rusqlite::Result<(i64, Group)> {
    let permissions: String = row.get(5)?;
    let group = Group {
        uuid: row.get(1)?,
        name: row.get(2)?,
        kind: row.get(3)?,
        keyset: row.get(10)?,
        built_in: row.get(4)?,
        permissions: serde_json::from_str(&permissions).unwrap_or_default(),
        member_count: count(row, 6)?,
        attr_version: count(row, 7)?,
        created_at: row.get(8)?,
        updated_at: row.get(9)?,
    };
    Ok((row.get(0)?, group))
}

fn select(
    db: &Connection,
    condition: &str,
    value: &dyn rusqlite::ToSql,
) -> Result<Option<(i64, Group)>, Refusal> {
    Ok(db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM groups WHERE {condition}"))?
        .query_row([value], from_row)
        .optional()?)
}

fn none() -> Refusal {
    Refusal::not_found(reason::NO_GROUP)
}

pub(super) fn by_uuid(db: &Connection, uuid: &str) -> Result<(i64, Group), Refusal> {
    select(db, "uuid = ?", &uuid)?.ok_or_else(none)
}

fn by_seq(db: &Connection, seq: i64) -> Result<Group, Refusal> {
    Ok(select(db, "seq = ?", &seq)?.ok_or_else(none)?.1)
}

pub(super) fn by_name(db: &Connection, name: &str) -> Result<Group, Refusal> {
    Ok(select(db, "name_key = ?", &name_key(name))?
        .ok_or_else(none)?
        .1)
}

/// Those of the ids that exist, in the order asked.
pub(super) fn by_ids(db: &Connection, ids: &Ids) -> Result<Vec<Group>, Refusal> {
    check_batch(ids.ids.len())?;
    let mut groups = Vec::with_capacity(ids.ids.len());
    for id in &ids.ids {
        groups.extend(select(db, "uuid = ?", id)?.map(|(_, group)| group));
    }
    Ok(groups)
}

pub(super) fn page(db: &Connection, query: &Query) -> Result<Listing<Group>, Refusal> {
    let rows = pages::find(db, &List::Groups, query)?;
    Ok(Listing {
        items: rows
            .seqs
            .into_iter()
            .map(|seq| by_seq(db, seq))
            .collect::<Result<_, _>>()?,
        total: rows.total,
        next: rows.next,
    })
}

pub(super) fn seqs_of(db: &Connection, member: i64) -> Result<Vec<i64>, Refusal> {
    let mut statement =
        db.prepare_cached("SELECT grp FROM memberships WHERE member = ? ORDER BY grp")?;
    let rows = statement.query_map([member], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn of_member(db: &Connection, uuid: &str) -> Result<Vec<Group>, Refusal> {
    let member = members::by_uuid(db, uuid)?;
    seqs_of(db, member.seq)?
        .into_iter()
        .map(|seq| by_seq(db, seq))
        .collect()
}

/// The names of somebody's groups.
pub(super) fn names_of(db: &Connection, member: i64) -> Result<Vec<GroupName>, Refusal> {
    let mut statement = db.prepare_cached(
        "SELECT g.uuid, g.name FROM memberships m JOIN groups g ON g.seq = m.grp \
         WHERE m.member = ? ORDER BY m.grp",
    )?;
    let rows = statement.query_map([member], |row| {
        Ok(GroupName {
            uuid: row.get(0)?,
            name: row.get(1)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn name_key(name: &str) -> String {
    name.trim().to_lowercase()
}

fn check_name(db: &Connection, name: &str, own: Option<i64>) -> Result<String, Refusal> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        return Err(Refusal::invalid("a group's name has 1 to 200 characters"));
    }
    match select(db, "name_key = ?", &name_key(name))? {
        Some((seq, _)) if Some(seq) != own => Err(Refusal::conflict(
            reason::NAME_TAKEN,
            "another group has this name",
        )),
        _ => Ok(name.to_owned()),
    }
}

/// Groups that the account made for itself carry its power: nobody else's business.
fn ordinary(found: (i64, Group)) -> Result<(i64, Group), Refusal> {
    if found.1.built_in || !found.1.permissions.is_empty() {
        return Err(Refusal::forbidden(
            reason::PROTECTED,
            format!(
                "the group {} has power over the whole account",
                found.1.name
            ),
        ));
    }
    Ok(found)
}

/// Groups whose members the caller may choose: those without power, and for who may give it those
/// that the account did not make for itself.
fn open_to(db: &Connection, caller: &Caller, found: (i64, Group)) -> Result<(i64, Group), Refusal> {
    let powerful = !found.1.built_in && !found.1.permissions.is_empty();
    if powerful && caller.has(db, right::MANAGE_SETTINGS)? {
        caller.require_to_give(db, &found.1.permissions)?;
        return Ok(found);
    }
    ordinary(found)
}

/// Whether somebody is an owner or an administrator, by whatever group the account made for that.
pub(super) fn administers(db: &Connection, member: i64) -> Result<bool, Refusal> {
    Ok(db
        .prepare_cached(
            "SELECT 1 FROM memberships m JOIN groups g ON g.seq = m.grp \
             WHERE m.member = ? AND g.built_in AND g.permissions <> '[]'",
        )?
        .exists([member])?)
}

/// What a group is when it is made.
pub(super) struct NewGroup<'a> {
    pub(super) name: &'a str,
    pub(super) kind: &'a str,
    pub(super) built_in: bool,
    pub(super) permissions: &'a [&'a str],
    pub(super) keyset: &'a Keyset,
}

pub(super) fn insert(db: &Connection, new: &NewGroup<'_>) -> Result<i64, Refusal> {
    let name = check_name(db, new.name, None)?;
    db.prepare_cached(
        "INSERT INTO groups (uuid, name, name_key, kind, built_in, permissions, keyset, \
         created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
    )?
    .execute(params![
        identifier::lower()?,
        name,
        name_key(&name),
        new.kind,
        new.built_in,
        to_json(&new.permissions)?,
        to_json(new.keyset)?,
        now()
    ])?;
    Ok(db.last_insert_rowid())
}

pub(super) fn create(
    db: &Connection,
    caller: &Caller,
    create: &CreateGroup,
) -> Result<Group, Refusal> {
    if !create.permissions.is_empty() {
        caller.require_to_give(db, &create.permissions)?;
    }
    let permissions: BTreeSet<&str> = create.permissions.iter().map(String::as_str).collect();
    let permissions: Vec<&str> = permissions.into_iter().collect();
    let attempt = journal::Attempt {
        caller: &caller.uuid,
        id: &create.request_id,
        subject: format!("group {}", name_key(&create.name)),
    };
    let work = || {
        let keyset = &create.keyset;
        keyset.pub_key.check()?;
        if keyset.pub_key.kid != keyset.uuid || !identifier::is_valid(&keyset.uuid) {
            return Err(Refusal::invalid("this is no keyset of a group"));
        }
        let seq = insert(
            db,
            &NewGroup {
                name: &create.name,
                kind: "USER_DEFINED",
                built_in: false,
                permissions: &permissions,
                keyset,
            },
        )?;
        let own = members::keyset(db, caller.seq)?.pub_key;
        store_key(db, seq, &caller.uuid, &own, &keyset.enc_sym_key, true)?;
        let administrators = administrators(db)?;
        let recovery = create
            .keys
            .iter()
            .find(|key| key.id == administrators.uuid)
            .and_then(|key| key.enc_sym_key.as_ref())
            .ok_or_else(|| {
                Refusal::invalid("the group's key has to be wrapped to the Administrators too")
            })?;
        store_key(
            db,
            seq,
            &administrators.uuid,
            &administrators.pub_key,
            recovery,
            true,
        )?;
        let group = by_seq(db, seq)?;
        journal::record(db, "group_created", None, Some(&group.uuid), &caller.uuid)?;
        Ok(group.uuid)
    };
    attempt.once(db, |uuid| Ok(by_uuid(db, uuid)?.1), work)
}

/// The group whose members can reach the key of every group.
pub(super) fn administrators(db: &Connection) -> Result<KeyHolder, Refusal> {
    let (uuid, keyset): (String, String) = db
        .prepare_cached("SELECT uuid, keyset FROM groups WHERE kind = 'ADMINISTRATORS'")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(KeyHolder {
        uuid,
        pub_key: from_json::<Keyset>(&keyset)?.pub_key,
    })
}

pub(super) fn rename(
    db: &Connection,
    caller: &Caller,
    uuid: &str,
    name: &str,
) -> Result<Group, Refusal> {
    let (seq, group) = ordinary(by_uuid(db, uuid)?)?;
    let name = check_name(db, name, Some(seq))?;
    if name != group.name {
        db.prepare_cached("UPDATE groups SET name = ?, name_key = ? WHERE seq = ?")?
            .execute(params![name, name_key(&name), seq])?;
        touch(db, seq)?;
        journal::record(db, "group_renamed", None, Some(uuid), &caller.uuid)?;
    }
    by_seq(db, seq)
}

pub(super) fn delete(db: &Connection, caller: &Caller, uuid: &str) -> Result<(), Refusal> {
    let (seq, _) = ordinary(by_uuid(db, uuid)?)?;
    for table in ["memberships", "wrapped_keys"] {
        db.prepare_cached(&format!("DELETE FROM {table} WHERE grp = ?"))?
            .execute([seq])?;
    }
    db.prepare_cached("DELETE FROM wrapped_keys WHERE holder = ?")?
        .execute([uuid])?;
    db.prepare_cached("DELETE FROM groups WHERE seq = ?")?
        .execute([seq])?;
    journal::record(db, "group_deleted", None, Some(uuid), &caller.uuid)
}

pub(super) fn touch(db: &Connection, seq: i64) -> Result<(), Refusal> {
    db.prepare_cached(
        "UPDATE groups SET attr_version = attr_version + 1, updated_at = ? WHERE seq = ?",
    )?
    .execute(params![now(), seq])?;
    Ok(())
}

/// A page of those in a group.
pub(super) fn members(db: &Connection, uuid: &str, query: &Query) -> Result<GroupMembers, Refusal> {
    let (seq, group) = by_uuid(db, uuid)?;
    Ok(GroupMembers {
        group,
        members: members::page(db, &List::Group(seq), query)?,
    })
}

fn is_member(db: &Connection, uuid: &str, member: &str) -> Result<bool, Refusal> {
    Ok(db
        .prepare_cached(
            "SELECT 1 FROM memberships WHERE grp = (SELECT seq FROM groups WHERE uuid = ?) \
             AND member = (SELECT seq FROM members WHERE uuid = ?)",
        )?
        .exists([uuid, member])?)
}

/// Those of the people that exist, in the order asked, and whether they belong to the group.
pub(super) fn standing(db: &Connection, uuid: &str, ids: &Ids) -> Result<Standing, Refusal> {
    let (_, group) = by_uuid(db, uuid)?;
    let people = members::by_ids(db, ids)?.into_iter();
    let people = people.map(|member| {
        Ok(Belonging {
            belongs: is_member(db, uuid, &member.uuid)?,
            member,
        })
    });
    Ok(Standing {
        group,
        people: people.collect::<Result<_, Refusal>>()?,
    })
}

/// Adds a membership; false if it was there.
pub(super) fn join(db: &Connection, group: i64, member: i64) -> Result<bool, Refusal> {
    let added = db
        .prepare_cached("INSERT OR IGNORE INTO memberships (grp, member) VALUES (?, ?)")?
        .execute([group, member])?;
    Ok(added > 0)
}

/// Puts somebody who holds no keys yet into a group, as the caller may.
pub(super) fn add(
    db: &Connection,
    caller: &Caller,
    uuid: &str,
    member: &members::Stored,
) -> Result<(), Refusal> {
    caller.require(db, right::MANAGE_GROUPS)?;
    let (group, _) = open_to(db, caller, by_uuid(db, uuid)?)?;
    if join(db, group, member.seq)? {
        let member = Some(member.uuid.as_str());
        journal::record(db, "granted", member, Some(uuid), &caller.uuid)?;
        touch(db, group)?;
    }
    Ok(())
}

/// Team Members, to which everybody belongs who has signed up.
pub(super) fn join_everyone(db: &Connection, member: i64) -> Result<(), Refusal> {
    let everyone: i64 = db
        .prepare_cached("SELECT seq FROM groups WHERE kind = 'TEAM_MEMBERS'")?
        .query_row([], |row| row.get(0))?;
    if join(db, everyone, member)? {
        touch(db, everyone)?;
    }
    Ok(())
}

/// Keeps a group's key for a holder; false if nothing changed. Who holds it as a manager goes on to
/// do so, whatever comes of a membership.
pub(super) fn store_key(
    db: &Connection,
    group: i64,
    holder: &str,
    key: &PublicKey,
    wrapped: &Envelope,
    manager: bool,
) -> Result<bool, Refusal> {
    members::check_wrapped(key, wrapped)?;
    let changed = db
        .prepare_cached(
            "INSERT INTO wrapped_keys (grp, holder, manager, enc_sym_key) VALUES (?, ?, ?, ?) \
             ON CONFLICT DO UPDATE SET manager = 1 WHERE excluded.manager > manager",
        )?
        .execute(params![group, holder, manager, to_json(wrapped)?])?;
    Ok(changed > 0)
}

/// The groups whose key a member does not have yet.
pub(super) fn without_key(
    db: &Connection,
    member: i64,
    uuid: &str,
) -> Result<Vec<(i64, String)>, Refusal> {
    let mut statement = db.prepare_cached(
        "SELECT g.seq, g.uuid FROM memberships m JOIN groups g ON g.seq = m.grp \
         WHERE m.member = ?1 AND NOT EXISTS \
         (SELECT 1 FROM wrapped_keys w WHERE w.grp = g.seq AND w.holder = ?2)",
    )?;
    let rows = statement.query_map(params![member, uuid], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A group's keyset as a holder sees it.
pub(super) fn keyset_for(
    db: &Connection,
    group: i64,
    holder: &str,
) -> Result<Option<Keyset>, Refusal> {
    let found: Option<(String, String)> = db
        .prepare_cached(
            "SELECT g.keyset, w.enc_sym_key FROM groups g JOIN wrapped_keys w ON w.grp = g.seq \
             WHERE g.seq = ? AND w.holder = ?",
        )?
        .query_row(params![group, holder], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    found
        .map(|(keyset, wrapped)| {
            Ok(Keyset {
                encrypted_by: String::new(),
                enc_sym_key: from_json(&wrapped)?,
                ..from_json(&keyset)?
            })
        })
        .transpose()
}

/// A group's keyset as the caller can open it: wrapped to them, or else to the group
/// Administrators if they belong to it.
pub(super) fn keyset_within_reach(
    db: &Connection,
    group: i64,
    caller: &Caller,
) -> Result<Option<Keyset>, Refusal> {
    if let Some(keyset) = keyset_for(db, group, &caller.uuid)? {
        return Ok(Some(keyset));
    }
    let administrators = administrators(db)?.uuid;
    match is_member(db, &administrators, &caller.uuid)? {
        true => keyset_for(db, group, &administrators),
        false => Ok(None),
    }
}

pub(super) fn keyset(db: &Connection, caller: &Caller, uuid: &str) -> Result<Keyset, Refusal> {
    let found = by_uuid(db, uuid)?;
    if let Some(keyset) = keyset_within_reach(db, found.0, caller)? {
        return Ok(keyset);
    }
    Err(no_key(&ordinary(found)?.1))
}

fn no_key(group: &Group) -> Refusal {
    Refusal::forbidden(
        reason::NO_KEY,
        format!(
            "the key of the group {} is not wrapped to the caller",
            group.name
        ),
    )
}

/// The groups whose key somebody holds as a manager.
pub(super) fn managed_by(db: &Connection, uuid: &str) -> Result<Vec<Group>, Refusal> {
    let member = members::by_uuid(db, uuid)?;
    let mut statement = db.prepare_cached(
        "SELECT grp FROM wrapped_keys WHERE holder = ? AND manager = 1 ORDER BY grp",
    )?;
    let seqs: Vec<i64> = statement
        .query_map([member.uuid], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    seqs.into_iter().map(|seq| by_seq(db, seq)).collect()
}

/// Every group key that is wrapped to a holder, and those that the holder's groups hold: in the
/// public shape of a list of keysets.
pub(super) fn keysets_of(db: &Connection, member: i64, uuid: &str) -> Result<Vec<Keyset>, Refusal> {
    let mut holders = vec![uuid.to_owned()];
    for seq in seqs_of(db, member)? {
        holders.push(by_seq(db, seq)?.uuid);
    }
    let mut keysets = Vec::new();
    for holder in holders {
        let mut statement = db.prepare_cached("SELECT grp FROM wrapped_keys WHERE holder = ?")?;
        let groups: Vec<i64> = statement
            .query_map([&holder], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for group in groups {
            keysets.extend(keyset_for(db, group, &holder)?);
        }
    }
    Ok(keysets)
}

/// Whom a list of keys is for, each with what is for them; ids that are nobody's are refused.
fn recipients<'a>(
    db: &Connection,
    grant: &'a Grant,
) -> Result<Vec<(members::Stored, Option<&'a Envelope>)>, Refusal> {
    check_batch(grant.members.len())?;
    let (mut unknown, mut recipients) = (Vec::new(), Vec::new());
    for given in &grant.members {
        match found(members::by_uuid(db, &given.id))? {
            Some(member) => recipients.push((member, given.enc_sym_key.as_ref())),
            None => unknown.push(given.id.clone()),
        }
    }
    if !unknown.is_empty() {
        return Err(Refusal::not_found(reason::UNKNOWN_MEMBERS).about(unknown));
    }
    Ok(recipients)
}

fn key_required(keyless: Vec<String>) -> Result<(), Refusal> {
    if keyless.is_empty() {
        return Ok(());
    }
    Err(Refusal::conflict(
        reason::KEY_REQUIRED,
        "some of these people are confirmed: the group's key has to be wrapped to them",
    )
    .about(keyless))
}

pub(super) fn grant(
    db: &Connection,
    caller: &Caller,
    uuid: &str,
    grant: &Grant,
) -> Result<Changed, Refusal> {
    let (group, _) = open_to(db, caller, by_uuid(db, uuid)?)?;
    let (mut keyless, mut added) = (Vec::new(), Vec::new());
    for (member, wrapped) in recipients(db, grant)? {
        if member.holds_keys() {
            let held = keyset_for(db, group, &member.uuid)?.is_some();
            match (wrapped, member.public_key()?) {
                _ if held => {}
                (Some(wrapped), Some(key)) => {
                    store_key(db, group, &member.uuid, &key, wrapped, false)?;
                }
                _ => keyless.push(member.uuid.clone()),
            }
        }
        if join(db, group, member.seq)? {
            added.push(member.uuid);
        }
    }
    key_required(keyless)?;
    for member in &added {
        journal::record(db, "granted", Some(member), Some(uuid), &caller.uuid)?;
    }
    if !added.is_empty() {
        touch(db, group)?;
    }
    Ok(Changed {
        changed: added.len(),
        group: by_seq(db, group)?,
    })
}

/// Gives people a group's key without making them members.
pub(super) fn give_key(
    db: &Connection,
    caller: &Caller,
    uuid: &str,
    grant: &Grant,
) -> Result<Changed, Refusal> {
    let (seq, group) = ordinary(by_uuid(db, uuid)?)?;
    if keyset_within_reach(db, seq, caller)?.is_none() {
        return Err(no_key(&group));
    }
    let (mut keyless, mut changed) = (Vec::new(), 0);
    for (member, wrapped) in recipients(db, grant)? {
        if !member.holds_keys() {
            return Err(Refusal::conflict(
                reason::WRONG_STATE,
                "only somebody who is confirmed can hold a group's key",
            )
            .about(vec![member.state]));
        }
        match (wrapped, member.public_key()?) {
            (Some(wrapped), Some(key)) => {
                if store_key(db, seq, &member.uuid, &key, wrapped, true)? {
                    let member = Some(member.uuid.as_str());
                    journal::record(db, "key_given", member, Some(uuid), &caller.uuid)?;
                    changed += 1;
                }
            }
            _ => keyless.push(member.uuid),
        }
    }
    key_required(keyless)?;
    Ok(Changed { changed, group })
}

pub(super) fn revoke(
    db: &Connection,
    caller: &Caller,
    uuid: &str,
    ids: &Ids,
) -> Result<Changed, Refusal> {
    check_batch(ids.ids.len())?;
    let (group, _) = open_to(db, caller, by_uuid(db, uuid)?)?;
    let mut changed = 0;
    for id in &ids.ids {
        let removed = db
            .prepare_cached(
                "DELETE FROM memberships WHERE grp = ?1 AND member = \
                 (SELECT seq FROM members WHERE uuid = ?2)",
            )?
            .execute(params![group, id])?;
        if removed > 0 {
            db.prepare_cached(
                "DELETE FROM wrapped_keys WHERE grp = ? AND holder = ? AND manager = 0",
            )?
            .execute(params![group, id])?;
            journal::record(db, "revoked", Some(id), Some(uuid), &caller.uuid)?;
            changed += 1;
        }
    }
    if changed > 0 {
        touch(db, group)?;
    }
    let group = by_seq(db, group)?;
    Ok(Changed { changed, group })
}
