//! Which groups of the account a provider sees: what an administrator chooses.

use time::OffsetDateTime;

use super::{action, why_unmanaged};
use crate::{
    account::{Group, GroupId, MAX_BATCH, MemberId, Page, Start},
    bridge::{
        Bridge, Error,
        audit::{Line, change},
    },
    scim,
    state::{self, ManagedGroup},
};

/// A group of the account, as an administrator chooses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountGroup {
    /// Stable id.
    pub id: GroupId,
    /// Unique in the account, without regard to case.
    pub name: String,
    /// How many members it has.
    pub members: u64,
    /// Whether it shows through SCIM.
    pub managed: bool,
    /// Whether it has power over the whole account: then no provider may ever change it.
    pub powerful: bool,
}

/// What came of the wish to manage groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Adoption {
    /// They are managed now, all of them. Each as it was before.
    Done(Vec<AccountGroup>),
    /// Nothing was done: nobody could be let into these groups, because their keys are out of the
    /// bridge's reach. An administrator has to hand them over first.
    KeysMissing {
        /// Those of the groups.
        groups: Vec<AccountGroup>,
        /// Who the bridge is in the account.
        bridge: MemberId,
    },
}

impl Bridge {
    /// All groups of the account, by name.
    ///
    /// # Errors
    /// If the account or the store is out of reach.
    pub async fn account_groups(&self) -> Result<Vec<AccountGroup>, Error> {
        let (mut all, mut page) = (Vec::new(), Page::first(MAX_BATCH));
        loop {
            let listing = self.account.groups(&page).await?;
            all.extend(self.as_chosen(listing.items).await?);
            match listing.next {
                Some(next) => page.start = Start::After(next),
                None => break,
            }
        }
        all.sort_by_cached_key(|group| group.name.to_lowercase());
        Ok(all)
    }

    /// The first managed groups, by name, and how many there are in all. Those that the account has
    /// no more are not shown.
    ///
    /// # Errors
    /// If the account or the store is out of reach.
    pub async fn managed_groups(&self, limit: usize) -> Result<(Vec<AccountGroup>, u64), Error> {
        let (ids, total) = self.store.managed_groups(0, limit).await?;
        let ids: Vec<GroupId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        if ids.is_empty() {
            return Ok((Vec::new(), total));
        }
        let groups = self.account.groups_by_id(&ids).await?;
        let mut shown: Vec<AccountGroup> = groups
            .iter()
            .map(|group| AccountGroup::from_group(group, true))
            .collect();
        shown.sort_by_cached_key(|group| group.name.to_lowercase());
        Ok((shown, total))
    }

    /// Groups that could be managed and are not, by name, among the first `limit` of the account.
    ///
    /// # Errors
    /// If the account or the store is out of reach.
    pub async fn groups_to_manage(&self, limit: usize) -> Result<Vec<AccountGroup>, Error> {
        let listing = self.account.groups(&Page::first(limit)).await?;
        let mut groups = self.as_chosen(listing.items).await?;
        groups.retain(|group| !group.managed && !group.powerful);
        groups.sort_by_cached_key(|group| group.name.to_lowercase());
        Ok(groups)
    }

    /// Has groups managed, given by their names or ids: all of them, or none. One that is managed
    /// already stays so.
    ///
    /// # Errors
    /// 404 if there is no such group, 403 for one with power over the whole account.
    pub async fn manage_groups(&self, which: &[String]) -> Result<Adoption, Error> {
        let groups = self.chosen(which).await?;
        let mut out_of_reach = Vec::new();
        for group in &groups {
            let reaches = self.reaches(group).await;
            let id = group.id.as_str();
            if !self.note_refusal(action::MANAGE, id, reaches).await? {
                out_of_reach.push(group.clone());
            }
        }
        if !out_of_reach.is_empty() {
            return Ok(Adoption::KeysMissing {
                groups: self.as_chosen(out_of_reach).await?,
                bridge: self.account.identity().await?.member,
            });
        }
        let mut adopted = Vec::with_capacity(groups.len());
        for group in groups {
            let id = group.id.as_str();
            let record = ManagedGroup {
                display_name: group.name.clone(),
                account_name: group.name.clone(),
                external_id: None,
                updated_at: OffsetDateTime::now_utc(),
            };
            let managed = match self.store.put_managed_group(id, &record, 0).await {
                Ok(()) => false,
                Err(state::Error::Conflict) => true,
                Err(error) => return Err(error.into()),
            };
            if !managed {
                self.done(Line {
                    action: action::MANAGE,
                    target: id,
                    detail: group.name.clone(),
                    changes: vec![change("managed", Some(false), Some(true))],
                })
                .await;
            }
            adopted.push(AccountGroup::from_group(&group, managed));
        }
        Ok(Adoption::Done(adopted))
    }

    /// Whether the bridge could let people into a group, if anybody may ask it to.
    async fn reaches(&self, group: &Group) -> Result<bool, Error> {
        if group.has_account_wide_power() {
            return Err(scim::Error::forbidden(why_unmanaged(group)).into());
        }
        Ok(self.account.reaches_key(&group.id).await?)
    }

    /// Leaves groups to the account alone, given by their names or ids; they and their members stay
    /// as they are. Returns each as it was before.
    ///
    /// # Errors
    /// 404 if there is no such group; then nothing was done.
    pub async fn unmanage_groups(&self, which: &[String]) -> Result<Vec<AccountGroup>, Error> {
        let groups = self.chosen(which).await?;
        let groups = self.as_chosen(groups).await?;
        for group in groups.iter().filter(|group| group.managed) {
            let id = group.id.as_str();
            self.store.remove_managed_group(id).await?;
            self.done(Line {
                action: action::UNMANAGE,
                target: id,
                detail: group.name.clone(),
                changes: vec![change("managed", Some(true), Some(false))],
            })
            .await;
        }
        Ok(groups)
    }

    /// The groups with these names or ids, each once.
    async fn chosen(&self, which: &[String]) -> Result<Vec<Group>, Error> {
        let mut groups: Vec<Group> = Vec::with_capacity(which.len());
        for which in which {
            let by_id = match which.parse() {
                Ok(id) => self.account.group(&id).await?,
                Err(_) => None,
            };
            let found = match by_id {
                Some(group) => Some(group),
                None => self.account.group_by_name(which).await?,
            };
            let group = found.ok_or_else(|| {
                let detail =
                    format!("the account has no group {which:?}: see scim-bridge groups list");
                scim::Error::not_found(detail)
            })?;
            if !groups.iter().any(|known| known.id == group.id) {
                groups.push(group);
            }
        }
        Ok(groups)
    }

    async fn as_chosen(&self, groups: Vec<Group>) -> Result<Vec<AccountGroup>, Error> {
        let ids: Vec<&str> = groups.iter().map(|group| group.id.as_str()).collect();
        let records = self.store.managed_groups_by_id(&ids).await?;
        let known = groups.iter().zip(records);
        Ok(known
            .map(|(group, record)| AccountGroup::from_group(group, record.is_some()))
            .collect())
    }
}

impl AccountGroup {
    fn from_group(group: &Group, managed: bool) -> Self {
        Self {
            id: group.id.clone(),
            name: group.name.clone(),
            members: group.member_count,
            managed,
            powerful: group.has_account_wide_power(),
        }
    }
}
