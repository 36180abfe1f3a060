//! People.

use std::collections::HashMap;

use reqwest::Method;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{NativeAccount, compute, found, groups::wire_ids, query, refusals::Failure};
use crate::{
    account::{
        Attempt, Error, GroupName, Invitation, KeyFingerprint, Listing, Member, MemberEdit,
        MemberId, MemberKind, MemberState, Page, Result, Waiting,
    },
    onepassword::{
        identifier,
        messages::administration::{self as wire, PREFIX, reason},
    },
};

/// How often a confirmation or a grant begins anew because the account changed meanwhile. The
/// deadline of the call is the real limit.
pub(super) const ROUNDS: usize = 30;

impl NativeAccount {
    pub(super) async fn invite_member(
        &self,
        person: &Invitation,
        attempt: &Attempt,
    ) -> Result<Member> {
        let invite = wire::Invite {
            request_id: attempt.as_str().to_owned(),
            email: person.email.clone(),
            name: person.name.clone(),
            language: person.language.clone(),
            enrolment: None,
        };
        self.add_member(&invite).await
    }

    pub(super) async fn add_member(&self, invite: &wire::Invite) -> Result<Member> {
        let path = format!("{PREFIX}/members");
        member(self.connection.post(&path, invite).await?)
    }

    pub(super) async fn find_member(&self, id: &MemberId) -> Result<Option<Member>> {
        let path = format!("{PREFIX}/members/{id}");
        found(self.connection.get(&path).await)?
            .map(member)
            .transpose()
    }

    pub(super) async fn find_member_with_groups(
        &self,
        id: &MemberId,
    ) -> Result<Option<(Member, Vec<GroupName>)>> {
        let found = self.with_groups(std::slice::from_ref(id)).await?.pop();
        found
            .map(|found| Ok((member(found.member)?, names(found.groups)?)))
            .transpose()
    }

    pub(super) async fn list_groups_of_each(
        &self,
        ids: &[MemberId],
    ) -> Result<Vec<Vec<GroupName>>> {
        let found = self.with_groups(ids).await?.into_iter();
        let mut found: HashMap<String, Vec<wire::GroupName>> = found
            .map(|found| (found.member.uuid, found.groups))
            .collect();
        let groups = ids.iter().map(|id| {
            let theirs = found.remove(id.as_str());
            names(theirs.unwrap_or_default())
        });
        groups.collect()
    }

    async fn with_groups(&self, ids: &[MemberId]) -> Result<Vec<wire::WithGroups>> {
        let path = format!("{PREFIX}/members/with-groups");
        self.connection.post(&path, &wire_ids(ids)).await
    }

    pub(super) async fn find_members(&self, ids: &[MemberId]) -> Result<Vec<Member>> {
        let path = format!("{PREFIX}/members/by-ids");
        let members: Vec<wire::Member> = self.connection.post(&path, &wire_ids(ids)).await?;
        members.into_iter().map(member).collect()
    }

    pub(super) async fn find_member_by_email(&self, email: &str) -> Result<Option<Member>> {
        let path = format!("{PREFIX}/members/by-email");
        let email = wire::ByEmail {
            email: email.to_owned(),
        };
        found(self.connection.post(&path, &email).await)?
            .map(member)
            .transpose()
    }

    pub(super) async fn list_members(
        &self,
        states: &[MemberState],
        page: &Page,
    ) -> Result<Listing<Member>> {
        let path = format!("{PREFIX}/members/query");
        members(self.connection.post(&path, &query(states, page)).await?)
    }

    pub(super) async fn change_member(&self, id: &MemberId, edit: &MemberEdit) -> Result<Member> {
        let edit = wire::EditMember {
            name: edit.name.clone(),
            language: edit.language.clone(),
            email: edit.email.clone(),
        };
        let path = format!("{PREFIX}/members/{id}");
        let answer = self
            .connection
            .call(Method::PATCH, &path, Some(&edit))
            .await;
        member(answer.map_err(Failure::into_error)?)
    }

    pub(super) async fn set_suspended(&self, id: &MemberId, suspended: bool) -> Result<Member> {
        let path = format!("{PREFIX}/members/{id}/suspension");
        let method = if suspended {
            Method::PUT
        } else {
            Method::DELETE
        };
        let answer = self.connection.call::<(), _>(method, &path, None).await;
        member(answer.map_err(Failure::into_error)?)
    }

    pub(super) async fn find_waiting(&self, id: &MemberId) -> Result<Option<Waiting>> {
        let path = format!("{PREFIX}/members/{id}/confirmation");
        let awaiting: Option<wire::Awaiting> = found(self.connection.get(&path).await)?;
        let waiting = awaiting.map(|awaiting| {
            Ok(Waiting {
                member: member(awaiting.member.clone())?,
                awaiting: Some(awaiting),
            })
        });
        waiting.transpose()
    }

    /// Confirms somebody as they were `seen`, if that still holds, or as they are now.
    pub(super) async fn confirm_member(
        &self,
        id: &MemberId,
        mut seen: Option<wire::Awaiting>,
        fingerprint: &KeyFingerprint,
    ) -> Result<Member> {
        let path = format!("{PREFIX}/members/{id}/confirmation");
        let request_id = identifier::upper().map_err(super::refusals::from_protocol)?;
        for _ in 0..ROUNDS {
            let awaiting = match seen.take() {
                Some(seen) => seen,
                None => self.connection.get(&path).await?,
            };
            let keys = self.keys_for(&awaiting, fingerprint).await?;
            let confirm = wire::Confirm {
                request_id: request_id.clone(),
                fingerprint: fingerprint.as_str().to_owned(),
                keys,
            };
            match self
                .connection
                .call(Method::POST, &path, Some(&confirm))
                .await
            {
                Ok(confirmed) => return member(confirmed),
                // Put into another group since we looked.
                Err(Failure::Refused { reason, .. }) if reason == reason::KEYS_MISSING => {}
                Err(failure) => return Err(failure.into_error()),
            }
        }
        Err(Error::Changing)
    }

    /// The key of each group that somebody waits for, wrapped to the public key with this
    /// fingerprint and no other.
    async fn keys_for(
        &self,
        awaiting: &wire::Awaiting,
        fingerprint: &KeyFingerprint,
    ) -> Result<Vec<wire::WrappedKey>> {
        let state = MemberState::from_name(&awaiting.member.state);
        let Some(public) = awaiting.member.pub_key.clone() else {
            return Err(Error::WrongState(state));
        };
        if !matches!(state, MemberState::TransferAccepted | MemberState::Pending) {
            return Err(Error::WrongState(state));
        }
        if public.fingerprint() != fingerprint.as_str() {
            return Err(Error::KeyChanged);
        }
        let mut keys = Vec::with_capacity(awaiting.groups.len());
        for held in &awaiting.groups {
            let keyset = held.keyset.clone().ok_or_else(|| {
                Error::NotPermitted(format!(
                    "the Provision Manager does not hold the key of the group {}, to which the \
                     person belongs",
                    held.group
                ))
            })?;
            let group = super::groups::id(&held.group)?;
            keys.push((held.group.clone(), self.open_group(&group, keyset).await?));
        }
        compute(move || {
            let public = public.ready()?;
            keys.into_iter()
                .map(|(id, key)| {
                    Ok(wire::WrappedKey {
                        id,
                        enc_sym_key: Some(public.wrap(&key)?),
                    })
                })
                .collect()
        })
        .await
    }
}

pub(super) fn id(text: &str) -> Result<MemberId> {
    text.parse()
        .map_err(|_| Error::Protocol(format!("{text:?} is no id of a person")))
}

pub(super) fn time(text: &str) -> Result<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| Error::Protocol(format!("{text:?} is no time")))
}

/// A page of people.
pub(super) fn members(listing: wire::Listing<wire::Member>) -> Result<Listing<Member>> {
    let items = listing.items.into_iter().map(member);
    Ok(Listing {
        items: items.collect::<Result<_>>()?,
        total: listing.total,
        next: listing.next,
    })
}

fn names(groups: Vec<wire::GroupName>) -> Result<Vec<GroupName>> {
    let names = groups.into_iter().map(|group| {
        Ok(GroupName {
            id: super::groups::id(&group.uuid)?,
            name: group.name,
        })
    });
    names.collect()
}

pub(super) fn member(wire: wire::Member) -> Result<Member> {
    Ok(Member {
        id: id(&wire.uuid)?,
        key_fingerprint: wire
            .pub_key
            .as_ref()
            .map(|key| KeyFingerprint::new(key.fingerprint())),
        email: wire.email,
        pending_email: wire.pending_email,
        name: wire.name,
        language: Some(wire.language),
        state: MemberState::from_name(&wire.state),
        kind: if wire.kind == "GUEST" {
            MemberKind::Guest
        } else {
            MemberKind::Member
        },
        protected: wire.protected,
        created_at: Some(time(&wire.created_at)?),
        updated_at: Some(time(&wire.updated_at)?),
        version: wire.attr_version,
    })
}
