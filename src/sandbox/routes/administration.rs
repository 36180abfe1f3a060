//! The account, as its members and administrators see it: extract, check the right, do, answer.

use axum::{
    Extension,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use rusqlite::Connection;
use serde::Serialize;
use serde_json::json;

use super::Body;
use crate::{
    onepassword::messages::{
        administration::{
            AcceptEmail, ByEmail, Confirm, CreateGroup, EditMember, Grant, Ids, Invite, Myself,
            Name, Query, SignUpSecrets, right,
        },
        sign_in::{Keysets, Success},
    },
    sandbox::{
        Sandbox,
        caller::Caller,
        groups, members,
        pages::List,
        refusal::{Refusal, json as answer},
        store::{blocking, from_json},
    },
};

type Answer = Result<Response, Refusal>;
type Here = State<Sandbox>;
type By = Extension<Caller>;

/// Reads on behalf of somebody who has the right.
async fn read<T: Serialize + Send + 'static>(
    State(sandbox): Here,
    Extension(caller): By,
    right: &'static str,
    work: impl FnOnce(&Connection, &Caller) -> Result<T, Refusal> + Send + 'static,
) -> Answer {
    let value = sandbox
        .0
        .store
        .read(move |db| {
            caller.require(db, right)?;
            work(db, &caller)
        })
        .await?;
    Ok(answer(StatusCode::OK, &value))
}

/// Writes on behalf of somebody who has the right.
async fn write<T: Serialize + Send + 'static>(
    State(sandbox): Here,
    Extension(caller): By,
    right: &'static str,
    work: impl FnOnce(&Connection, &Caller) -> Result<T, Refusal> + Send + 'static,
) -> Answer {
    let value = sandbox
        .0
        .store
        .write(move |db| {
            caller.require(db, right)?;
            work(db, &caller)
        })
        .await?;
    Ok(answer(StatusCode::OK, &value))
}

/// Writes, and ends the sessions of the person that it was about. Both happen in one task that
/// goes on to its end: a handler is dropped halfway when its client hangs up.
async fn write_and_end<T: Send + 'static>(
    sandbox: Sandbox,
    work: impl FnOnce(&Connection) -> Result<(i64, T), Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    blocking(move || {
        let (seq, value) = sandbox.0.store.write_now(work)?;
        sandbox.0.sessions.end_all(seq);
        Ok(value)
    })
    .await
}

/// `GET /api/v1/account`, the members that are known of it.
pub(super) async fn account(State(sandbox): Here, Extension(caller): By) -> Answer {
    let value = sandbox
        .0
        .store
        .read(move |db| {
            let (uuid, name, created): (String, String, String) =
                db.query_row("SELECT uuid, name, created_at FROM account", [], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?;
            Ok(json!({
                "uuid": uuid,
                "name": name,
                "type": "B",
                "state": "A",
                "createdAt": created,
                "me": members::public_shape(db, caller.seq)?,
            }))
        })
        .await?;
    Ok(answer(StatusCode::OK, &value))
}

/// `GET /api/v1/account/keysets`.
pub(super) async fn keysets(State(sandbox): Here, Extension(caller): By) -> Answer {
    let value = sandbox
        .0
        .store
        .read(move |db| {
            let mut keysets = vec![members::keyset(db, caller.seq)?];
            keysets.extend(groups::keysets_of(db, caller.seq, &caller.uuid)?);
            Ok(Keysets {
                version: 1,
                keysets,
            })
        })
        .await?;
    Ok(answer(StatusCode::OK, &value))
}

/// Everybody may know who they are.
pub(super) async fn myself(State(sandbox): Here, Extension(caller): By) -> Answer {
    let value = sandbox
        .0
        .store
        .read(move |db| {
            let (account_uuid, account_name, domains): (String, String, String) =
                db.query_row("SELECT uuid, name, domains FROM account", [], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?;
            Ok(Myself {
                member: members::by_seq(db, caller.seq)?.wire()?,
                account_uuid,
                account_name,
                allowed_domains: from_json(&domains)?,
                permissions: caller.rights(db)?,
                keyset: members::keyset(db, caller.seq)?,
                administrators: groups::administrators(db)?,
            })
        })
        .await?;
    Ok(answer(StatusCode::OK, &value))
}

/// Everybody may know the groups they belong to.
pub(super) async fn own_groups(State(sandbox): Here, Extension(caller): By) -> Answer {
    let groups = sandbox
        .0
        .store
        .read(move |db| groups::of_member(db, &caller.uuid))
        .await?;
    Ok(answer(StatusCode::OK, &groups))
}

/// Everybody may consent to their own new address.
pub(super) async fn accept_email(
    State(sandbox): Here,
    Extension(caller): By,
    Body(accept): Body<AcceptEmail>,
) -> Answer {
    // The verifier is another one afterwards.
    let member = write_and_end(sandbox, move |db| {
        Ok((caller.seq, members::accept_email(db, &caller, &accept)?))
    })
    .await?;
    Ok(answer(StatusCode::OK, &member))
}

/// Everybody may change their own password.
pub(super) async fn change_password(
    State(sandbox): Here,
    Extension(caller): By,
    Body(secrets): Body<SignUpSecrets>,
) -> Answer {
    // The verifier is another one afterwards.
    let member = write_and_end(sandbox, move |db| {
        let member = members::change_password(db, &caller, &secrets)?;
        Ok((caller.seq, member))
    })
    .await?;
    Ok(answer(StatusCode::OK, &member))
}

pub(super) async fn invite(here: Here, by: By, Body(invite): Body<Invite>) -> Answer {
    write(here, by, right::ADD_PERSON, move |db, caller| {
        members::invite(db, caller, &invite)
    })
    .await
}

pub(super) async fn list_members(here: Here, by: By, Body(query): Body<Query>) -> Answer {
    read(here, by, right::VIEW_PEOPLE, move |db, _| {
        members::page(db, &List::Members, &query)
    })
    .await
}

pub(super) async fn member_by_email(here: Here, by: By, Body(body): Body<ByEmail>) -> Answer {
    read(here, by, right::VIEW_PEOPLE, move |db, _| {
        members::by_email(db, &body.email)?.wire()
    })
    .await
}

pub(super) async fn members_by_ids(here: Here, by: By, Body(ids): Body<Ids>) -> Answer {
    read(here, by, right::VIEW_PEOPLE, move |db, _| {
        members::by_ids(db, &ids)
    })
    .await
}

pub(super) async fn members_with_groups(here: Here, by: By, Body(ids): Body<Ids>) -> Answer {
    read(here, by, right::VIEW_PEOPLE, move |db, _| {
        members::with_groups(db, &ids)
    })
    .await
}

pub(super) async fn member(here: Here, by: By, Path(id): Path<String>) -> Answer {
    read(here, by, right::VIEW_PEOPLE, move |db, _| {
        members::by_uuid(db, &id)?.wire()
    })
    .await
}

pub(super) async fn edit_member(
    here: Here,
    by: By,
    Path(id): Path<String>,
    Body(edit): Body<EditMember>,
) -> Answer {
    write(here, by, right::CHANGE_PERSON_NAME, move |db, caller| {
        members::edit(db, caller, &id, &edit)
    })
    .await
}

pub(super) async fn delete_member(
    State(sandbox): Here,
    Extension(caller): By,
    Path(id): Path<String>,
) -> Answer {
    write_and_end(sandbox, move |db| {
        caller.require(db, right::DELETE_PERSON)?;
        Ok((members::delete(db, &caller, &id)?, ()))
    })
    .await?;
    Ok(answer(StatusCode::OK, &Success { success: 1 }))
}

pub(super) async fn groups_of(here: Here, by: By, Path(id): Path<String>) -> Answer {
    read(here, by, right::VIEW_PEOPLE, move |db, _| {
        groups::of_member(db, &id)
    })
    .await
}

pub(super) async fn keys_of(here: Here, by: By, Path(id): Path<String>) -> Answer {
    read(here, by, right::VIEW_PEOPLE, move |db, _| {
        groups::managed_by(db, &id)
    })
    .await
}

pub(super) async fn awaiting(here: Here, by: By, Path(id): Path<String>) -> Answer {
    read(here, by, right::PROVISION_PEOPLE, move |db, caller| {
        members::awaiting(db, caller, &id)
    })
    .await
}

pub(super) async fn confirm(
    here: Here,
    by: By,
    Path(id): Path<String>,
    Body(confirm): Body<Confirm>,
) -> Answer {
    write(here, by, right::PROVISION_PEOPLE, move |db, caller| {
        members::confirm(db, caller, &id, &confirm)
    })
    .await
}

pub(super) async fn suspend(
    State(sandbox): Here,
    Extension(caller): By,
    Path(id): Path<String>,
) -> Answer {
    let member = write_and_end(sandbox, move |db| {
        caller.require(db, right::SUSPEND_PERSON)?;
        members::suspend(db, &caller, &id)
    })
    .await?;
    Ok(answer(StatusCode::OK, &member))
}

pub(super) async fn reactivate(here: Here, by: By, Path(id): Path<String>) -> Answer {
    write(here, by, right::SUSPEND_PERSON, move |db, caller| {
        members::reactivate(db, caller, &id)
    })
    .await
}

pub(super) async fn create_group(here: Here, by: By, Body(create): Body<CreateGroup>) -> Answer {
    write(here, by, right::MANAGE_GROUPS, move |db, caller| {
        groups::create(db, caller, &create)
    })
    .await
}

pub(super) async fn list_groups(here: Here, by: By, Body(query): Body<Query>) -> Answer {
    read(here, by, right::VIEW_PEOPLE, move |db, _| {
        groups::page(db, &query)
    })
    .await
}

pub(super) async fn group_by_name(here: Here, by: By, Body(body): Body<Name>) -> Answer {
    read(here, by, right::VIEW_PEOPLE, move |db, _| {
        groups::by_name(db, &body.name)
    })
    .await
}

pub(super) async fn groups_by_ids(here: Here, by: By, Body(ids): Body<Ids>) -> Answer {
    read(here, by, right::VIEW_PEOPLE, move |db, _| {
        groups::by_ids(db, &ids)
    })
    .await
}

pub(super) async fn group(here: Here, by: By, Path(id): Path<String>) -> Answer {
    read(here, by, right::VIEW_PEOPLE, move |db, _| {
        Ok(groups::by_uuid(db, &id)?.1)
    })
    .await
}

pub(super) async fn rename_group(
    here: Here,
    by: By,
    Path(id): Path<String>,
    Body(body): Body<Name>,
) -> Answer {
    write(here, by, right::MANAGE_GROUPS, move |db, caller| {
        groups::rename(db, caller, &id, &body.name)
    })
    .await
}

pub(super) async fn delete_group(here: Here, by: By, Path(id): Path<String>) -> Answer {
    write(here, by, right::MANAGE_GROUPS, move |db, caller| {
        groups::delete(db, caller, &id)?;
        Ok(Success { success: 1 })
    })
    .await
}

pub(super) async fn group_keyset(here: Here, by: By, Path(id): Path<String>) -> Answer {
    read(here, by, right::MANAGE_GROUPS, move |db, caller| {
        groups::keyset(db, caller, &id)
    })
    .await
}

pub(super) async fn give_key(
    here: Here,
    by: By,
    Path(id): Path<String>,
    Body(keys): Body<Grant>,
) -> Answer {
    write(here, by, right::MANAGE_SETTINGS, move |db, caller| {
        groups::give_key(db, caller, &id, &keys)
    })
    .await
}

pub(super) async fn group_members(
    here: Here,
    by: By,
    Path(id): Path<String>,
    Body(query): Body<Query>,
) -> Answer {
    read(here, by, right::VIEW_PEOPLE, move |db, _| {
        groups::members(db, &id, &query)
    })
    .await
}

pub(super) async fn standing(
    here: Here,
    by: By,
    Path(id): Path<String>,
    Body(ids): Body<Ids>,
) -> Answer {
    read(here, by, right::VIEW_PEOPLE, move |db, _| {
        groups::standing(db, &id, &ids)
    })
    .await
}

pub(super) async fn grant(
    here: Here,
    by: By,
    Path(id): Path<String>,
    Body(grant): Body<Grant>,
) -> Answer {
    write(here, by, right::MANAGE_GROUPS, move |db, caller| {
        groups::grant(db, caller, &id, &grant)
    })
    .await
}

pub(super) async fn revoke(
    here: Here,
    by: By,
    Path(id): Path<String>,
    Body(ids): Body<Ids>,
) -> Answer {
    write(here, by, right::MANAGE_GROUPS, move |db, caller| {
        groups::revoke(db, caller, &id, &ids)
    })
    .await
}
