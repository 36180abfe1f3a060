//! People: their states and what may be done to them.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use super::{
    caller::Caller,
    groups, journal,
    pages::{self, List},
    refusal::{Refusal, found},
    store::{count, from_json, now, to_json},
};
use crate::onepassword::{
    derivation::normal_email,
    envelope::Envelope,
    identifier,
    messages::administration::{
        AcceptEmail, Awaiting, Confirm, EditMember, GroupKeyset, Ids, Invite, Listing, Member,
        Query, SignUpSecrets, WithGroups, holds_keys, reason, right,
    },
    rsa::PublicKey,
    sign_in_credentials::{UNLOCK_KEY_ID, UserAuth},
    srp::Verifier,
};

const COLUMNS: &str = "seq, uuid, email, pending_email, name, language, state, state_before, \
                       pub_key, attr_version, created_at, updated_at, \
                       EXISTS (SELECT 1 FROM memberships m JOIN groups g ON g.seq = m.grp \
                       WHERE m.member = members.seq AND g.permissions <> '[]')";

/// A person as stored.
pub(super) struct Stored {
    pub(super) seq: i64,
    pub(super) uuid: String,
    pub(super) email: String,
    pub(super) pending_email: Option<String>,
    pub(super) name: String,
    language: String,
    pub(super) state: String,
    state_before: Option<String>,
    /// Belongs to a group that has rights.
    protected: bool,
    pub_key: Option<String>,
    attr_version: u64,
    created_at: String,
    updated_at: String,
}

impl Stored {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            uuid: row.get(1)?,
            email: row.get(2)?,
            pending_email: row.get(3)?,
            name: row.get(4)?,
            language: row.get(5)?,
            state: row.get(6)?,
            state_before: row.get(7)?,
            pub_key: row.get(8)?,
            attr_version: count(row, 9)?,
            created_at: row.get(10)?,
            updated_at: row.get(11)?,
            protected: row.get(12)?,
        })
    }

    pub(super) fn wire(self) -> Result<Member, Refusal> {
        Ok(Member {
            pub_key: self.public_key()?,
            uuid: self.uuid,
            email: self.email,
            pending_email: self.pending_email,
            name: self.name,
            language: self.language,
            state: self.state,
            kind: "MEMBER".to_owned(),
            protected: self.protected,
            created_at: self.created_at,
            updated_at: self.updated_at,
            attr_version: self.attr_version,
        })
    }

    pub(super) fn public_key(&self) -> Result<Option<PublicKey>, Refusal> {
        self.pub_key.as_deref().map(from_json).transpose()
    }

    pub(super) fn holds_keys(&self) -> bool {
        holds_keys(&self.state)
    }

    /// Whoever asks is out of reach, and who has power over the account: except for those who may
    /// give that power, as long as it is not an owner's or an administrator's.
    fn reachable(self, db: &Connection, caller: &Caller) -> Result<Self, Refusal> {
        if self.uuid == caller.uuid {
            return Err(Refusal::forbidden(
                reason::PROTECTED,
                "nobody may do this to themselves",
            ));
        }
        if self.protected
            && (groups::administers(db, self.seq)? || !caller.has(db, right::MANAGE_SETTINGS)?)
        {
            return Err(Refusal::forbidden(
                reason::PROTECTED,
                format!(
                    "{} is an owner, an administrator or a Provision Manager",
                    self.email
                ),
            ));
        }
        Ok(self)
    }
}

fn select(
    db: &Connection,
    condition: &str,
    value: &dyn rusqlite::ToSql,
) -> Result<Option<Stored>, Refusal> {
    let sql = format!("SELECT {COLUMNS} FROM members WHERE {condition}");
    Ok(db
        .prepare_cached(&sql)?
        .query_row([value], Stored::from_row)
        .optional()?)
}

fn none() -> Refusal {
    Refusal::not_found(reason::NO_MEMBER)
}

pub(super) fn by_uuid(db: &Connection, uuid: &str) -> Result<Stored, Refusal> {
    select(db, "uuid = ?", &uuid)?.ok_or_else(none)
}

pub(super) fn by_seq(db: &Connection, seq: i64) -> Result<Stored, Refusal> {
    select(db, "seq = ?", &seq)?.ok_or_else(none)
}

pub(super) fn by_email(db: &Connection, email: &str) -> Result<Stored, Refusal> {
    select(
        db,
        "seq = (SELECT member FROM addresses WHERE address = ?)",
        &normal_email(email),
    )?
    .ok_or_else(none)
}

/// Those of the ids that exist, in the order asked.
pub(super) fn by_ids(db: &Connection, ids: &Ids) -> Result<Vec<Member>, Refusal> {
    super::caller::check_batch(ids.ids.len())?;
    let mut members = Vec::with_capacity(ids.ids.len());
    for id in &ids.ids {
        if let Some(stored) = select(db, "uuid = ?", id)? {
            members.push(stored.wire()?);
        }
    }
    Ok(members)
}

/// The same with the groups that they belong to.
pub(super) fn with_groups(db: &Connection, ids: &Ids) -> Result<Vec<WithGroups>, Refusal> {
    super::caller::check_batch(ids.ids.len())?;
    let mut people = Vec::with_capacity(ids.ids.len());
    for id in &ids.ids {
        if let Some(stored) = select(db, "uuid = ?", id)? {
            people.push(WithGroups {
                groups: groups::names_of(db, stored.seq)?,
                member: stored.wire()?,
            });
        }
    }
    Ok(people)
}

pub(super) fn page(
    db: &Connection,
    list: &List,
    query: &Query,
) -> Result<Listing<Member>, Refusal> {
    let rows = pages::find(db, list, query)?;
    Ok(Listing {
        items: rows
            .seqs
            .into_iter()
            .map(|seq| by_seq(db, seq)?.wire())
            .collect::<Result<_, _>>()?,
        total: rows.total,
        next: rows.next,
    })
}

/// Checks an address and returns it as written, trimmed.
fn check_email(db: &Connection, email: &str) -> Result<String, Refusal> {
    let email = email.trim();
    let parts = email.rsplit_once('@');
    let domain = parts
        .filter(|(local, domain)| {
            !local.is_empty()
                && !domain.is_empty()
                && !local.contains('@')
                && email.len() <= 254
                && !email.contains(|letter: char| letter.is_whitespace() || letter.is_control())
        })
        .map(|(_, domain)| domain.to_lowercase())
        .ok_or_else(|| Refusal::invalid(format!("{email:?} is no e-mail address")))?;
    let allowed: String = db
        .prepare_cached("SELECT domains FROM account")?
        .query_row([], |row| row.get(0))?;
    let allowed: Vec<String> = from_json(&allowed)?;
    if !allowed.is_empty()
        && !allowed
            .iter()
            .any(|name| name.eq_ignore_ascii_case(&domain))
    {
        return Err(Refusal::forbidden(
            reason::DOMAIN_NOT_ALLOWED,
            format!("the account does not invite people at {domain}"),
        )
        .about(vec![domain]));
    }
    Ok(email.to_owned())
}

fn check_name(name: &str) -> Result<&str, Refusal> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        return Err(Refusal::invalid("a name has 1 to 200 characters"));
    }
    Ok(name)
}

fn check_language(language: &str) -> Result<&str, Refusal> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if language.is_empty() || language.len() > 35 || !language.chars().all(plain) {
        return Err(Refusal::invalid(format!("{language:?} is no language tag")));
    }
    Ok(language)
}

/// Reserves an address for somebody.
fn take_address(db: &Connection, email: &str, member: i64) -> Result<(), Refusal> {
    let address = normal_email(email);
    let holder: Option<i64> = db
        .prepare_cached("SELECT member FROM addresses WHERE address = ?")?
        .query_row([&address], |row| row.get(0))
        .optional()?;
    match holder {
        Some(holder) if holder == member => Ok(()),
        Some(_) => Err(Refusal::conflict(
            reason::EMAIL_TAKEN,
            "somebody in the account has, or waits for, this address",
        )
        .about(vec![address])),
        None => {
            db.prepare_cached("INSERT INTO addresses (address, member) VALUES (?, ?)")?
                .execute(params![address, member])?;
            Ok(())
        }
    }
}

fn release_address(db: &Connection, email: &str, member: i64) -> Result<(), Refusal> {
    db.prepare_cached("DELETE FROM addresses WHERE address = ? AND member = ?")?
        .execute(params![normal_email(email), member])?;
    Ok(())
}

/// The person as others see it.
pub(super) fn shown(db: &Connection, uuid: &str) -> Result<Member, Refusal> {
    by_uuid(db, uuid)?.wire()
}

/// Writes somebody new down, whom nobody has told yet.
pub(super) fn insert(
    db: &Connection,
    email: &str,
    name: &str,
    language: &str,
) -> Result<Stored, Refusal> {
    let email = check_email(db, email)?;
    let (name, language) = (check_name(name)?, check_language(language)?);
    db.prepare_cached(
        "INSERT INTO members (uuid, email, name, language, state, created_at, updated_at) \
         VALUES (?1, ?2, ?3, ?4, 'TRANSFER_STARTED', ?5, ?5)",
    )?
    .execute(params![identifier::upper()?, email, name, language, now()])?;
    let seq = db.last_insert_rowid();
    take_address(db, &email, seq)?;
    by_seq(db, seq)
}

/// Sends an invitation; one that was sent before is no good any more.
fn send_invitation(db: &Connection, seq: i64, email: &str) -> Result<(), Refusal> {
    let invitation = identifier::lower()?;
    set(db, seq, "invitation", &invitation)?;
    let subject = "You are invited";
    journal::send(db, email, "invitation", subject, Some(&invitation))
}

pub(super) fn invite(db: &Connection, caller: &Caller, invite: &Invite) -> Result<Member, Refusal> {
    if invite.enrolment.is_some() {
        caller.require(db, right::MANAGE_SETTINGS)?;
    }
    let attempt = journal::Attempt {
        caller: &caller.uuid,
        id: &invite.request_id,
        subject: format!("invite {}", normal_email(&invite.email)),
    };
    let work = || {
        let language = invite.language.as_deref().unwrap_or("en");
        let member = insert(db, &invite.email, &invite.name, language)?;
        match &invite.enrolment {
            None => {
                send_invitation(db, member.seq, &member.email)?;
                journal::record(db, "invited", Some(&member.uuid), None, &caller.uuid)?;
            }
            Some(enrolment) => {
                for group in &enrolment.groups {
                    groups::add(db, caller, group, &member)?;
                }
                accept(db, &member, &enrolment.secrets, &caller.uuid)?;
            }
        }
        Ok(member.uuid)
    };
    attempt.once(db, |uuid| shown(db, uuid), work)
}

pub(super) fn edit(
    db: &Connection,
    caller: &Caller,
    uuid: &str,
    edit: &EditMember,
) -> Result<Member, Refusal> {
    let member = by_uuid(db, uuid)?.reachable(db, caller)?;
    let seq = member.seq;
    let mut changed = false;
    if let Some(name) = &edit.name {
        let name = check_name(name)?;
        changed |= name != member.name;
        set(db, seq, "name", &name)?;
    }
    if let Some(language) = &edit.language {
        let language = check_language(language)?;
        changed |= language != member.language;
        set(db, seq, "language", &language)?;
    }
    if let Some(email) = &edit.email {
        changed |= change_email(db, &member, email)?;
    }
    if changed {
        touch(db, seq)?;
        journal::record(db, "edited", Some(uuid), None, &caller.uuid)?;
    }
    by_seq(db, seq)?.wire()
}

/// An address of somebody who has not signed up changes at once; everybody else has to consent,
/// because the address takes part in the derivation of their keys.
fn change_email(db: &Connection, member: &Stored, email: &str) -> Result<bool, Refusal> {
    let seq = member.seq;
    let email = email.trim();
    if email == member.email && member.pending_email.is_none()
        || member.pending_email.as_deref() == Some(email)
    {
        return Ok(false);
    }
    let same_address = normal_email(email) == normal_email(&member.email);
    if !same_address {
        check_email(db, email)?;
        take_address(db, email, seq)?;
    }
    // Whichever it is, the address that waited until now is wanted no more.
    if let Some(pending) = &member.pending_email
        && normal_email(pending) != normal_email(email)
        && normal_email(pending) != normal_email(&member.email)
    {
        release_address(db, pending, seq)?;
    }
    if same_address {
        set(db, seq, "pending_email", &None::<String>)?;
        set(db, seq, "email", &email)?;
    } else if member.pub_key.is_some() {
        set(db, seq, "pending_email", &email)?;
        journal::send(
            db,
            email,
            "email-change",
            "Consent to your new address",
            None,
        )?;
    } else {
        release_address(db, &member.email, seq)?;
        set(db, seq, "email", &email)?;
        send_invitation(db, seq, email)?;
    }
    Ok(true)
}

fn set(
    db: &Connection,
    seq: i64,
    column: &'static str,
    value: &dyn rusqlite::ToSql,
) -> Result<(), Refusal> {
    db.prepare_cached(&format!("UPDATE members SET {column} = ?1 WHERE seq = ?2"))?
        .execute(params![value, seq])?;
    Ok(())
}

fn touch(db: &Connection, seq: i64) -> Result<(), Refusal> {
    db.prepare_cached(
        "UPDATE members SET attr_version = attr_version + 1, updated_at = ? WHERE seq = ?",
    )?
    .execute(params![now(), seq])?;
    Ok(())
}

fn set_state(db: &Connection, seq: i64, state: &str, before: Option<&str>) -> Result<(), Refusal> {
    db.prepare_cached("UPDATE members SET state = ?, state_before = ? WHERE seq = ?")?
        .execute(params![state, before, seq])?;
    touch(db, seq)
}

pub(super) fn suspend(
    db: &Connection,
    caller: &Caller,
    uuid: &str,
) -> Result<(i64, Member), Refusal> {
    let member = by_uuid(db, uuid)?.reachable(db, caller)?;
    let seq = member.seq;
    let state = match member.state.as_str() {
        "SUSPENDED" | "TRANSFER_SUSPENDED" => return Ok((seq, member.wire()?)),
        "ACTIVE" => "SUSPENDED",
        _ => "TRANSFER_SUSPENDED",
    };
    set_state(db, seq, state, Some(&member.state))?;
    journal::record(db, "suspended", Some(uuid), None, &caller.uuid)?;
    Ok((seq, by_seq(db, seq)?.wire()?))
}

pub(super) fn reactivate(db: &Connection, caller: &Caller, uuid: &str) -> Result<Member, Refusal> {
    let member = by_uuid(db, uuid)?.reachable(db, caller)?;
    let seq = member.seq;
    if let Some(before) = &member.state_before {
        set_state(db, seq, before, None)?;
        journal::record(db, "reactivated", Some(uuid), None, &caller.uuid)?;
    }
    by_seq(db, seq)?.wire()
}

pub(super) fn delete(db: &Connection, caller: &Caller, uuid: &str) -> Result<i64, Refusal> {
    let member = by_uuid(db, uuid)?.reachable(db, caller)?;
    let groups = groups::seqs_of(db, member.seq)?;
    db.prepare_cached("DELETE FROM wrapped_keys WHERE holder = ?")?
        .execute([uuid])?;
    // Removed first and by name, so that the triggers that count see each of them.
    db.prepare_cached("DELETE FROM memberships WHERE member = ?")?
        .execute([member.seq])?;
    for group in groups {
        groups::touch(db, group)?;
    }
    db.prepare_cached("DELETE FROM members WHERE seq = ?")?
        .execute([member.seq])?;
    journal::record(db, "deleted", Some(uuid), None, &caller.uuid)?;
    Ok(member.seq)
}

/// What is needed to confirm somebody.
pub(super) fn awaiting(db: &Connection, caller: &Caller, uuid: &str) -> Result<Awaiting, Refusal> {
    let member = by_uuid(db, uuid)?;
    let groups = groups::without_key(db, member.seq, uuid)?
        .into_iter()
        .map(|(seq, group)| {
            Ok(GroupKeyset {
                keyset: groups::keyset_within_reach(db, seq, caller)?,
                group,
            })
        })
        .collect::<Result<_, Refusal>>()?;
    Ok(Awaiting {
        member: member.wire()?,
        groups,
    })
}

pub(super) fn confirm(
    db: &Connection,
    caller: &Caller,
    uuid: &str,
    confirm: &Confirm,
) -> Result<Member, Refusal> {
    let attempt = journal::Attempt {
        caller: &caller.uuid,
        id: &confirm.request_id,
        subject: format!("confirm {uuid}"),
    };
    let work = || {
        let member = by_uuid(db, uuid)?.reachable(db, caller)?;
        let key = match (member.state.as_str(), member.public_key()?) {
            ("TRANSFER_ACCEPTED", Some(key)) => key,
            (state, _) => {
                return Err(Refusal::conflict(
                    reason::WRONG_STATE,
                    "only somebody who has signed up and waits can be confirmed",
                )
                .about(vec![state.to_owned()]));
            }
        };
        if key.fingerprint() != confirm.fingerprint {
            return Err(Refusal::conflict(
                reason::KEY_CHANGED,
                "the person's public key is not the expected one",
            ));
        }
        let mut missing = Vec::new();
        for (seq, group) in groups::without_key(db, member.seq, uuid)? {
            let given = confirm.keys.iter().find(|given| given.id == group);
            match given.and_then(|given| given.enc_sym_key.as_ref()) {
                Some(wrapped) => {
                    groups::store_key(db, seq, uuid, &key, wrapped, false)?;
                }
                None => missing.push(group),
            }
        }
        if !missing.is_empty() {
            return Err(Refusal::conflict(
                reason::KEYS_MISSING,
                "the keys of some of the person's groups are missing",
            )
            .about(missing));
        }
        set_state(db, member.seq, "ACTIVE", None)?;
        journal::send(db, &member.email, "confirmed", "You are in", None)?;
        journal::record(db, "confirmed", Some(uuid), None, &caller.uuid)?;
        Ok(uuid.to_owned())
    };
    attempt.once(db, |uuid| shown(db, uuid), work)
}

/// What the holder of an invitation may know.
pub(super) fn invited(db: &Connection, invitation: &str) -> Result<Stored, Refusal> {
    select(db, "invitation = ?", &invitation)?.ok_or_else(none)
}

pub(super) fn sign_up(
    db: &Connection,
    invitation: &str,
    secrets: &SignUpSecrets,
) -> Result<Member, Refusal> {
    let member = invited(db, invitation)?;
    if member.state != "TRANSFER_STARTED" {
        return Err(
            Refusal::conflict(reason::WRONG_STATE, "the invitation is suspended")
                .about(vec![member.state]),
        );
    }
    accept(db, &member, secrets, &member.uuid)?;
    by_seq(db, member.seq)?.wire()
}

/// Somebody has keys from here on, and waits to be confirmed.
pub(super) fn accept(
    db: &Connection,
    member: &Stored,
    secrets: &SignUpSecrets,
    actor: &str,
) -> Result<(), Refusal> {
    store_secrets(db, member.seq, secrets)?;
    let key = to_json(&secrets.keyset.pub_key)?;
    set(db, member.seq, "pub_key", &key)?;
    set(db, member.seq, "invitation", &None::<String>)?;
    set_state(db, member.seq, "TRANSFER_ACCEPTED", None)?;
    groups::join_everyone(db, member.seq)?;
    journal::record(db, "signed_up", Some(&member.uuid), None, actor)
}

/// Stores what a person's device made, after a look at its form.
fn store_secrets(db: &Connection, seq: i64, secrets: &SignUpSecrets) -> Result<(), Refusal> {
    let keyset = &secrets.keyset;
    keyset.pub_key.check()?;
    keyset.unlock_parameters()?;
    Verifier::parse(&secrets.verifier)?;
    let fits = keyset.encrypted_by == UNLOCK_KEY_ID
        && identifier::is_valid(&keyset.uuid)
        && keyset.pub_key.kid == keyset.uuid
        && matches!(secrets.secret_key_format.as_str(), "A2" | "A3")
        && secrets.secret_key_id.len() == 6
        && secrets.user_auth.salt()?.len() == 16;
    if !fits {
        return Err(Refusal::invalid("this is no primary keyset and verifier"));
    }
    db.prepare_cached(
        "UPDATE members SET secret_key_format = ?, secret_key_id = ?, user_auth = ?, \
         verifier = ?, keyset = ? WHERE seq = ?",
    )?
    .execute(params![
        secrets.secret_key_format,
        secrets.secret_key_id,
        to_json(&secrets.user_auth)?,
        &*secrets.verifier,
        to_json(keyset)?,
        seq
    ])?;
    Ok(())
}

/// Takes another verifier for the same key pair, to which so much else is wrapped.
fn replace_secrets(
    db: &Connection,
    caller: &Caller,
    secrets: &SignUpSecrets,
) -> Result<(), Refusal> {
    let old = keyset(db, caller.seq)?;
    if secrets.keyset.uuid != old.uuid || secrets.keyset.pub_key != old.pub_key {
        return Err(Refusal::conflict(
            reason::KEY_CHANGED,
            "the key pair has to stay the same",
        ));
    }
    store_secrets(db, caller.seq, secrets)
}

/// A new password, known by the verifier and the keyset that it makes necessary.
pub(super) fn change_password(
    db: &Connection,
    caller: &Caller,
    secrets: &SignUpSecrets,
) -> Result<Member, Refusal> {
    replace_secrets(db, caller, secrets)?;
    let uuid = Some(caller.uuid.as_str());
    journal::record(db, "password_changed", uuid, None, &caller.uuid)?;
    by_seq(db, caller.seq)?.wire()
}

/// Consent to a new address, with the verifier and the keyset that it makes necessary.
pub(super) fn accept_email(
    db: &Connection,
    caller: &Caller,
    accept: &AcceptEmail,
) -> Result<Member, Refusal> {
    let member = by_seq(db, caller.seq)?;
    let waits = member
        .pending_email
        .as_deref()
        .is_some_and(|pending| normal_email(pending) == normal_email(&accept.email));
    if !waits {
        return Err(Refusal::conflict(
            reason::WRONG_STATE,
            "no such address waits for consent",
        ));
    }
    replace_secrets(db, caller, &accept.secrets)?;
    release_address(db, &member.email, caller.seq)?;
    set(db, caller.seq, "email", &member.pending_email)?;
    set(db, caller.seq, "pending_email", &None::<String>)?;
    touch(db, caller.seq)?;
    journal::record(db, "email_accepted", Some(&caller.uuid), None, &caller.uuid)?;
    by_seq(db, caller.seq)?.wire()
}

pub(super) fn keyset(
    db: &Connection,
    seq: i64,
) -> Result<crate::onepassword::keyset::Keyset, Refusal> {
    let text: Option<String> = db
        .prepare_cached("SELECT keyset FROM members WHERE seq = ?")?
        .query_row([seq], |row| row.get(0))?;
    from_json(&text.ok_or_else(none)?)
}

/// What sign-in needs to know of somebody.
pub(super) struct SignIn {
    pub(super) member: Stored,
    pub(super) secret_key_format: String,
    pub(super) secret_key_id: String,
    pub(super) user_auth: UserAuth,
    pub(super) verifier: Verifier,
}

/// Somebody who has signed up, under their current address.
pub(super) fn sign_in(db: &Connection, email: &str) -> Result<Option<SignIn>, Refusal> {
    let Some(member) = found(by_email(db, email))? else {
        return Ok(None);
    };
    if normal_email(&member.email) != normal_email(email) {
        return Ok(None);
    }
    let secrets = db
        .prepare_cached(
            "SELECT secret_key_format, secret_key_id, user_auth, verifier FROM members \
             WHERE seq = ? AND verifier IS NOT NULL",
        )?
        .query_row([member.seq], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, String>(3)?,
            ))
        })
        .optional()?;
    let Some((secret_key_format, secret_key_id, user_auth, verifier)) = secrets else {
        return Ok(None);
    };
    Ok(Some(SignIn {
        member,
        secret_key_format,
        secret_key_id,
        user_auth: from_json(&user_auth)?,
        verifier: Verifier::parse(&verifier)?,
    }))
}

/// Makes somebody active without a confirmation: only while an account is made.
pub(super) fn activate(db: &Connection, seq: i64) -> Result<(), Refusal> {
    set_state(db, seq, "ACTIVE", None)
}

/// The member object in its public shape, as far as it is known.
pub(super) fn public_shape(db: &Connection, seq: i64) -> Result<Value, Refusal> {
    let member = by_seq(db, seq)?;
    let key = member.public_key()?;
    Ok(serde_json::json!({
        "uuid": member.uuid,
        "name": member.name,
        "email": member.email,
        "language": member.language,
        "state": if member.state == "ACTIVE" { "A" } else { "P" },
        "type": "R",
        "attrVersion": member.attr_version,
        "createdAt": member.created_at,
        "updatedAt": member.updated_at,
        "pubKey": key,
    }))
}

/// Checks that a wrapped key names the public key it is for.
pub(super) fn check_wrapped(key: &PublicKey, wrapped: &Envelope) -> Result<(), Refusal> {
    if wrapped.kid != key.kid || wrapped.enc != key.alg || wrapped.data.is_empty() {
        return Err(Refusal::invalid("a key is wrapped to another public key"));
    }
    Ok(())
}
