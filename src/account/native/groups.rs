//! Groups and memberships.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use reqwest::Method;

use super::{
    NativeAccount, compute, found,
    keys::Own,
    members::{ROUNDS, time},
    query,
    refusals::Failure,
};
use crate::{
    account::{
        Attempt, Belonging, Changed, Error, Group, GroupId, GroupName, GroupStanding, Listing,
        Member, MemberId, Page, Result,
    },
    onepassword::{
        keyset::OpenKeyset,
        messages::administration::{self as wire, MAX_BATCH, PREFIX, reason},
        rsa::PublicKey,
    },
};

/// Somebody's id, and the public key that a group's key has to be wrapped to: `None` for people who
/// get it at their confirmation.
pub(super) type KeyHolder = (String, Option<PublicKey>);

impl NativeAccount {
    pub(super) async fn find_group(&self, id: &GroupId) -> Result<Option<Group>> {
        let path = format!("{PREFIX}/groups/{id}");
        found(self.connection.get(&path).await)?
            .map(group)
            .transpose()
    }

    pub(super) async fn find_groups(&self, ids: &[GroupId]) -> Result<Vec<Group>> {
        let path = format!("{PREFIX}/groups/by-ids");
        let mut groups = Vec::with_capacity(ids.len());
        for batch in ids.chunks(MAX_BATCH) {
            let found: Vec<wire::Group> = self.connection.post(&path, &wire_ids(batch)).await?;
            for wire in found {
                groups.push(group(wire)?);
            }
        }
        Ok(groups)
    }

    pub(super) async fn find_group_by_name(&self, name: &str) -> Result<Option<Group>> {
        let path = format!("{PREFIX}/groups/by-name");
        let name = wire::Name {
            name: name.to_owned(),
        };
        found(self.connection.post(&path, &name).await)?
            .map(group)
            .transpose()
    }

    pub(super) async fn list_groups(&self, page: &Page) -> Result<Listing<Group>> {
        let path = format!("{PREFIX}/groups/query");
        let listing: wire::Listing<wire::Group> =
            self.connection.post(&path, &query(&[], page)).await?;
        Ok(Listing {
            items: listing
                .items
                .into_iter()
                .map(group)
                .collect::<Result<_>>()?,
            total: listing.total,
            next: listing.next,
        })
    }

    pub(super) async fn list_groups_of(&self, member: &MemberId) -> Result<Vec<GroupName>> {
        let path = format!("{PREFIX}/members/{member}/groups");
        let groups: Vec<wire::Group> = self.connection.get(&path).await?;
        groups
            .into_iter()
            .map(|wire| group(wire).map(GroupName::from))
            .collect()
    }

    /// Makes a group whose key we and the Administrators hold, and whose members get these rights.
    pub(super) async fn make_group(
        &self,
        name: &str,
        permissions: &[&str],
        attempt: &Attempt,
    ) -> Result<Group> {
        let Own {
            keyset: own,
            administrators,
        } = self.own().await?.clone();
        let (keyset, recovery) = compute(move || {
            let made = OpenKeyset::generate()?;
            let keyset = made.wrapped_for(&own.public_key())?;
            let recovery = wire::WrappedKey {
                enc_sym_key: Some(administrators.pub_key.wrap(made.symmetric_key())?),
                id: administrators.uuid,
            };
            Ok((keyset, recovery))
        })
        .await?;
        let create = wire::CreateGroup {
            request_id: attempt.as_str().to_owned(),
            name: name.to_owned(),
            keyset,
            keys: vec![recovery],
            permissions: permissions.iter().map(ToString::to_string).collect(),
        };
        // The key just made is not kept: the answer to a repetition is the group of the first
        // request, which has the key that was made then.
        group(
            self.connection
                .post(&format!("{PREFIX}/groups"), &create)
                .await?,
        )
    }

    pub(super) async fn set_group_name(&self, id: &GroupId, name: &str) -> Result<Group> {
        let path = format!("{PREFIX}/groups/{id}");
        let name = wire::Name {
            name: name.to_owned(),
        };
        let answer = self
            .connection
            .call(Method::PATCH, &path, Some(&name))
            .await;
        group(answer.map_err(Failure::into_error)?)
    }

    pub(super) async fn list_group_members(
        &self,
        id: &GroupId,
        page: &Page,
    ) -> Result<(Group, Listing<Member>)> {
        let path = format!("{PREFIX}/groups/{id}/members/query");
        let found: wire::GroupMembers = self.connection.post(&path, &query(&[], page)).await?;
        Ok((group(found.group)?, super::members::members(found.members)?))
    }

    /// How people stand to a group, each asked about once.
    pub(super) async fn find_standing(
        &self,
        id: &GroupId,
        members: &[MemberId],
    ) -> Result<Option<GroupStanding>> {
        let path = format!("{PREFIX}/groups/{id}/members/by-ids");
        let ids: BTreeSet<&str> = members.iter().map(MemberId::as_str).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        let mut seen: Option<GroupStanding> = None;
        // About nobody it is still a question about the group.
        for batch in ids
            .chunks(MAX_BATCH)
            .chain(ids.is_empty().then_some(&[][..]))
        {
            let answer = self.connection.post(&path, &wire_ids(batch)).await;
            let Some(batch) = found::<wire::Standing>(answer)? else {
                return Ok(None);
            };
            let people = batch.people.into_iter().map(belonging);
            let mut people = people.collect::<Result<Vec<_>>>()?;
            if let Some(before) = &mut seen {
                people.splice(..0, before.people.drain(..));
            }
            seen = Some(GroupStanding {
                group: group(batch.group)?,
                people,
            });
        }
        Ok(seen)
    }

    /// Grants in batches; nobody is let in before everybody is known to the account.
    pub(super) async fn grant_members(
        &self,
        standing: &GroupStanding,
        members: &[MemberId],
    ) -> Result<Changed> {
        standing.check_known(members)?;
        let outside = standing.among(members, false);
        let mut changed = standing.unchanged();
        for batch in outside.chunks(MAX_BATCH) {
            let holders = batch
                .iter()
                .map(|one| (one.member.id.to_string(), one.key.clone()));
            let granted = self.grant_batch(&standing.group.id, holders.collect());
            changed.group = Some(granted.await?);
        }
        changed.count = outside.len();
        Ok(changed)
    }

    async fn grant_batch(
        &self,
        id: &GroupId,
        mut holders: BTreeMap<String, Option<PublicKey>>,
    ) -> Result<Group> {
        let path = format!("{PREFIX}/groups/{id}/grants");
        for _ in 0..ROUNDS {
            let batch = holders.clone().into_iter().collect();
            let grant = wire::Grant {
                members: self.wrap_for(id, batch).await?,
            };
            let answer = self
                .connection
                .call::<_, wire::Changed>(Method::POST, &path, Some(&grant))
                .await;
            match answer {
                Ok(changed) => return group(changed.group),
                // Confirmed since we looked: they need the key now.
                Err(Failure::Refused { reason, data, .. }) if reason == reason::KEY_REQUIRED => {
                    let data: Vec<&str> = data.iter().map(String::as_str).collect();
                    for batch in data.chunks(MAX_BATCH) {
                        holders.extend(self.key_holders(batch).await?);
                    }
                }
                Err(failure) => return Err(failure.into_error()),
            }
        }
        Err(Error::Changing)
    }

    /// Those of the people that exist, each as a [`KeyHolder`].
    pub(super) async fn key_holders(
        &self,
        ids: &[&str],
    ) -> Result<HashMap<String, Option<PublicKey>>> {
        let path = format!("{PREFIX}/members/by-ids");
        let members: Vec<wire::Member> = self.connection.post(&path, &wire_ids(ids)).await?;
        Ok(members.into_iter().map(key_holder).collect())
    }

    pub(super) async fn wrap_for(
        &self,
        group: &GroupId,
        members: Vec<KeyHolder>,
    ) -> Result<Vec<wire::WrappedKey>> {
        let key = match members.iter().any(|(_, public)| public.is_some()) {
            true => Some(self.group_key(group).await?),
            false => None,
        };
        compute(move || {
            members
                .into_iter()
                .map(|(id, public)| {
                    let enc_sym_key = match (&public, &key) {
                        (Some(public), Some(key)) => Some(public.wrap(key)?),
                        _ => None,
                    };
                    Ok(wire::WrappedKey { id, enc_sym_key })
                })
                .collect()
        })
        .await
    }

    pub(super) async fn revoke_members(
        &self,
        standing: &GroupStanding,
        members: &[MemberId],
    ) -> Result<Changed> {
        let path = format!("{PREFIX}/groups/{}/revocations", standing.group.id);
        let inside = standing.among(members, true);
        let mut changed = standing.unchanged();
        for batch in inside.chunks(MAX_BATCH) {
            let ids: Vec<&MemberId> = batch.iter().map(|one| &one.member.id).collect();
            let revoked: wire::Changed = self.connection.post(&path, &wire_ids(&ids)).await?;
            changed.group = Some(group(revoked.group)?);
        }
        changed.count = inside.len();
        Ok(changed)
    }
}

pub(super) fn wire_ids(ids: &[impl ToString]) -> wire::Ids {
    wire::Ids {
        ids: ids.iter().map(ToString::to_string).collect(),
    }
}

/// With the key, if a group's key is to be wrapped to it now.
fn belonging(wire: wire::Belonging) -> Result<Belonging> {
    let holds_keys = wire::holds_keys(&wire.member.state);
    Ok(Belonging {
        key: wire.member.pub_key.clone().filter(|_| holds_keys),
        member: super::members::member(wire.member)?,
        belongs: wire.belongs,
    })
}

fn key_holder(member: wire::Member) -> KeyHolder {
    let key = wire::holds_keys(&member.state)
        .then_some(member.pub_key)
        .flatten();
    (member.uuid, key)
}

pub(super) fn id(text: &str) -> Result<GroupId> {
    text.parse()
        .map_err(|_| Error::Protocol(format!("{text:?} is no id of a group")))
}

pub(super) fn group(wire: wire::Group) -> Result<Group> {
    Ok(Group {
        id: id(&wire.uuid)?,
        name: wire.name,
        permissions: wire.permissions,
        built_in: wire.built_in,
        member_count: wire.member_count,
        created_at: time(&wire.created_at)?,
        updated_at: time(&wire.updated_at)?,
        version: wire.attr_version,
    })
}
