//! What a PATCH or PUT makes of a group, and how it is carried out.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::{Known, no_group};
use crate::{
    account::{self, GroupId, MemberId},
    bridge::{ATTEMPTS, Bridge, Error, shortened},
    scim::{self, patch::GroupChange},
    state::{self, ManagedGroup, Versioned},
};

/// What a PATCH or PUT wants of a group, all operations taken together.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) name: Option<String>,
    pub(super) external_id: Option<Option<String>>,
    /// Whether the members that are not named are to go.
    pub(super) replace_members: bool,
    /// Who is to be in, and who is not. The last operation on a person decides.
    pub(super) members: BTreeMap<MemberId, Membership>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Membership {
    In,
    Out,
}

impl Wanted {
    pub(super) fn from_changes(changes: Vec<GroupChange>) -> Result<Self, Error> {
        let mut wanted = Self::default();
        for change in changes {
            match change {
                GroupChange::Rename(name) => wanted.name = Some(name),
                GroupChange::ExternalId(id) => wanted.external_id = Some(id),
                GroupChange::AddMembers(ids) => wanted.put_in(ids)?,
                GroupChange::ReplaceMembers(ids) => {
                    wanted.replace_members = true;
                    wanted.members.clear();
                    wanted.put_in(ids)?;
                }
                // What cannot be an id is nobody's: nobody to take out.
                GroupChange::RemoveMembers(ids) => wanted.members.extend(
                    ids.iter()
                        .filter_map(|id| Some((id.parse().ok()?, Membership::Out))),
                ),
                GroupChange::RemoveAllMembers => {
                    wanted.replace_members = true;
                    wanted.members.clear();
                }
            }
        }
        Ok(wanted)
    }

    /// These people are to be in.
    pub(super) fn put_in(&mut self, ids: Vec<String>) -> Result<(), Error> {
        let ids = member_ids(ids)?;
        self.members
            .extend(ids.into_iter().map(|id| (id, Membership::In)));
        Ok(())
    }
}

impl Bridge {
    /// Makes a group what is wanted. What can be refused comes first, and is taken back if what
    /// follows is refused; what is left after a failure is found by the provider's repeat.
    pub(super) async fn change_group(&self, known: Known, wanted: Wanted) -> Result<Known, Error> {
        let id = known.group.id.clone();
        let asked = wanted.name.as_deref();
        let rename = asked.filter(|name| *name != known.name() && *name != known.group.name);
        if let Some(Some(external_id)) = &wanted.external_id
            && known.record.value.external_id.as_ref() != Some(external_id)
        {
            self.check_group_external_id(external_id, Some(&id)).await?;
        }
        let (add, remove) = self
            .members_to_change(&id, wanted.members, wanted.replace_members)
            .await?;

        let mut group = known.group;
        let old_name = group.name.clone();
        let mut changed = 0;
        if let Some(name) = rename {
            group = match self.account.rename_group(&id, name).await {
                Err(account::Error::GroupNameTaken) => return Err(self.name_taken(name).await?),
                answer => answer?,
            };
        }
        if !add.is_empty() {
            match self.account.grant(&id, &add).await.map_err(Error::from) {
                Ok(granted) => changed += granted,
                Err(error) => {
                    if rename.is_some() && !error.is_transient() {
                        self.account.rename_group(&id, &old_name).await?;
                    }
                    return Err(error);
                }
            }
        }
        if !remove.is_empty() {
            changed += self.account.revoke(&id, &remove).await?;
        }
        let named = asked.map(|name| (name, group.name.as_str()));
        let record = self
            .note_group(&id, known.record, named, wanted.external_id)
            .await?;
        if changed > 0 {
            let gone = || account::Error::NotFound("group");
            group = self.account.group(&id).await?.ok_or_else(gone)?;
        }
        if changed > 0 || rename.is_some() {
            tracing::info!(group = %id, changed, "group changed");
        }
        Ok(Known { group, record })
    }

    /// Who has to be put in, and who taken out. Only a replacement reads who is in.
    async fn members_to_change(
        &self,
        id: &GroupId,
        mut wanted: BTreeMap<MemberId, Membership>,
        replace: bool,
    ) -> Result<(Vec<MemberId>, Vec<MemberId>), Error> {
        if replace {
            wanted.retain(|_, membership| *membership == Membership::In);
            for member in self.all_members(id).await? {
                // Who is in and stays in needs nothing; who is in and not named goes.
                if wanted.remove(&member.id).is_none() {
                    wanted.insert(member.id, Membership::Out);
                }
            }
        }
        let (mut add, mut remove) = (Vec::new(), Vec::new());
        for (id, membership) in wanted {
            match membership {
                Membership::In => add.push(id),
                Membership::Out => remove.push(id),
            }
        }
        Ok((add, remove))
    }

    /// Writes down what the provider calls a group: its name as sent, with what the account made
    /// of it, and its external id. Other requests may do the same at the same time.
    async fn note_group(
        &self,
        id: &GroupId,
        mut record: Versioned<ManagedGroup>,
        named: Option<(&str, &str)>,
        external_id: Option<Option<String>>,
    ) -> Result<Versioned<ManagedGroup>, Error> {
        for _ in 0..ATTEMPTS {
            let mut noted = record.value.clone();
            if let Some((sent, account_name)) = named {
                sent.clone_into(&mut noted.display_name);
                account_name.clone_into(&mut noted.account_name);
            }
            if let Some(external_id) = &external_id {
                noted.external_id.clone_from(external_id);
            }
            if noted == record.value {
                return Ok(record);
            }
            noted.updated_at = OffsetDateTime::now_utc();
            let writing = self
                .store
                .put_managed_group(id.as_str(), &noted, record.version);
            match writing.await {
                Ok(()) => {
                    return Ok(Versioned {
                        value: noted,
                        version: record.version + 1,
                    });
                }
                Err(state::Error::Conflict) => {
                    let current = self.store.managed_group(id.as_str()).await?;
                    record = current.ok_or_else(|| no_group(id.as_str()))?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(state::Error::Conflict.into())
    }
}

/// Ids of members to be; one that cannot be an id is nobody's.
pub(super) fn member_ids(ids: Vec<String>) -> Result<Vec<MemberId>, Error> {
    ids.iter()
        .map(|id| {
            id.parse().map_err(|_| {
                let detail = format!("there is no user {} to be a member", shortened(id));
                scim::Error::invalid_value(&detail).into()
            })
        })
        .collect()
}
