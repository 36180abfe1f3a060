//! Groups and memberships.

use std::collections::{BTreeSet, HashMap};

use reqwest::Method;

use super::{
    NativeAccount, compute, found,
    members::{ROUNDS, time},
    query,
    refusals::Failure,
};
use crate::{
    account::{Attempt, Error, Group, GroupId, Listing, MemberId, Page, Result},
    onepassword::{
        keyset::OpenKeyset,
        messages::administration::{self as wire, MAX_BATCH, PREFIX, reason},
        rsa::PublicKey,
    },
};

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
            let ids = wire::Ids {
                ids: batch.iter().map(ToString::to_string).collect(),
            };
            let found: Vec<wire::Group> = self.connection.post(&path, &ids).await?;
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

    pub(super) async fn list_groups_of(&self, member: &MemberId) -> Result<Vec<Group>> {
        let path = format!("{PREFIX}/members/{member}/groups");
        let groups: Vec<wire::Group> = self.connection.get(&path).await?;
        groups.into_iter().map(group).collect()
    }

    /// Makes a group whose key we and the Administrators hold, and whose members get these rights.
    pub(super) async fn make_group(
        &self,
        name: &str,
        permissions: &[&str],
        attempt: &Attempt,
    ) -> Result<Group> {
        let own = self.own_keyset().await?;
        let administrators = self.myself().await?.administrators;
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

    /// Grants in batches; nobody is let in before everybody is known to the account.
    pub(super) async fn grant_members(&self, id: &GroupId, members: &[MemberId]) -> Result<usize> {
        let ids: BTreeSet<&str> = members.iter().map(MemberId::as_str).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        let mut holders = HashMap::with_capacity(ids.len());
        for batch in ids.chunks(MAX_BATCH) {
            holders.extend(self.key_holders(batch).await?);
        }
        let unknown: Vec<MemberId> = members
            .iter()
            .filter(|id| !holders.contains_key(id.as_str()))
            .cloned()
            .collect();
        if !unknown.is_empty() {
            return Err(Error::UnknownMembers(unknown));
        }
        let mut changed = 0;
        for batch in ids.chunks(MAX_BATCH) {
            changed += self.grant_batch(id, batch, &mut holders).await?;
        }
        Ok(changed)
    }

    async fn grant_batch(
        &self,
        group: &GroupId,
        ids: &[&str],
        holders: &mut HashMap<String, Option<PublicKey>>,
    ) -> Result<usize> {
        let path = format!("{PREFIX}/groups/{group}/grants");
        for _ in 0..ROUNDS {
            let batch: Vec<(String, Option<PublicKey>)> = ids
                .iter()
                .map(|id| ((*id).to_owned(), holders.get(*id).cloned().flatten()))
                .collect();
            let grant = wire::Grant {
                members: self.wrap_for(group, batch).await?,
            };
            let answer = self
                .connection
                .call(Method::POST, &path, Some(&grant))
                .await;
            match answer {
                Ok(wire::Changed { changed }) => return Ok(changed),
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

    /// Those of the people that exist, each with the public key that the group's key has to be
    /// wrapped to: `None` for people who get it at their confirmation.
    pub(super) async fn key_holders(
        &self,
        ids: &[&str],
    ) -> Result<HashMap<String, Option<PublicKey>>> {
        let ids = wire::Ids {
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        };
        let path = format!("{PREFIX}/members/by-ids");
        let members: Vec<wire::Member> = self.connection.post(&path, &ids).await?;
        Ok(members
            .into_iter()
            .map(|member| {
                let key = wire::holds_keys(&member.state)
                    .then_some(member.pub_key)
                    .flatten();
                (member.uuid, key)
            })
            .collect())
    }

    pub(super) async fn wrap_for(
        &self,
        group: &GroupId,
        members: Vec<(String, Option<PublicKey>)>,
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

    pub(super) async fn revoke_members(&self, id: &GroupId, members: &[MemberId]) -> Result<usize> {
        let path = format!("{PREFIX}/groups/{id}/revocations");
        let mut changed = 0;
        for batch in members.chunks(MAX_BATCH) {
            let ids = wire::Ids {
                ids: batch.iter().map(ToString::to_string).collect(),
            };
            let answer: wire::Changed = self.connection.post(&path, &ids).await?;
            changed += answer.changed;
        }
        Ok(changed)
    }
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
