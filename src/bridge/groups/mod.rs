//! SCIM Groups and the managed groups of the account.
//!
//! Only managed groups show. A change of members becomes grants and revokes and costs what was
//! changed, however large the group is; only a replacement has to read the list it replaces.

use std::collections::HashMap;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{
    Bridge, Context, Error, POLICY, Resource,
    audit::{Line, change, list_change, text_change},
    identify, shortened,
};
use crate::{
    account::{
        self, Attempt, Belonging, Group, GroupId, GroupStanding, Listing, MAX_BATCH, Member,
        MemberId, Page, Start,
    },
    scim::{
        self,
        meta::Meta,
        patch::PatchRequest,
        schema::{GROUP, GROUP_URN, SERVED_GROUP},
        version::Version,
    },
    state::{self, CreationKey, ManagedGroup, Versioned},
};
use changes::{Wanted, member_ids};
pub use managed::{AccountGroup, Adoption};

mod changes;
mod managed;
mod search;

/// Answers carry the members of groups up to this size. Above it only a GET of the one group does,
/// or a request that asks for `members` by name; a PATCH is answered with 204, as providers with
/// large groups want it.
pub(super) const MEMBERS_SHOWN: u64 = 100;

/// What the audit calls the changes of groups.
mod action {
    pub const CREATE: &str = "group.create";
    /// More than one of those that follow.
    pub const CHANGE: &str = "group.change";
    pub const RENAME: &str = "group.rename";
    pub const EXTERNAL_ID: &str = "group.external-id";
    pub const MEMBERS: &str = "group.members";
    pub const DELETE: &str = "group.delete";
    pub const MANAGE: &str = "group.manage";
    pub const UNMANAGE: &str = "group.unmanage";
}

/// A managed group as account and store know it.
pub(super) struct Known {
    group: Group,
    record: Versioned<ManagedGroup>,
    /// Everybody in it, where that is known.
    members: Option<Vec<Member>>,
}

impl Bridge {
    /// `POST /Groups`: creates a group, which is managed from then on.
    ///
    /// # Errors
    /// 400 if a value cannot be taken or a member is nobody, 409 `uniqueness` if a group has the
    /// name, 429 or 503 if the account is busy or out of reach.
    pub async fn create_group(&self, body: &Value, context: &Context) -> Result<Resource, Error> {
        let wanted = scim::group::Group::from_value(body, &POLICY)?;
        let name = wanted.display_name.clone();
        let creating = self.create_known_group(wanted, context).await;
        self.note_failure(action::CREATE, &name, creating).await
    }

    async fn create_known_group(
        &self,
        wanted: scim::group::Group,
        context: &Context,
    ) -> Result<Resource, Error> {
        let members = member_ids(wanted.members.unwrap_or_default())?;
        if let Some(external_id) = &wanted.external_id {
            self.check_group_external_id(external_id, None).await?;
        }
        let key = CreationKey::Group(wanted.display_name.clone());
        let name = &wanted.display_name;
        let make = async |attempt: &Attempt| {
            let external_id = wanted.external_id.clone();
            self.make_group(name, external_id, &members, attempt).await
        };
        let known = self.create_once(key, make).await?;
        self.group_resource(known, context, MEMBERS_SHOWN).await
    }

    async fn make_group(
        &self,
        name: &str,
        external_id: Option<String>,
        members: &[MemberId],
        attempt: &Attempt,
    ) -> Result<Known, Error> {
        let group = match self.account.create_group(name, attempt).await {
            Err(account::Error::GroupNameTaken) => return Err(self.name_taken(name).await?),
            answer => answer?,
        };
        let record = ManagedGroup {
            display_name: name.to_owned(),
            account_name: group.name.clone(),
            external_id,
            updated_at: OffsetDateTime::now_utc(),
        };
        let id = group.id.clone();
        let (known, entered) = match self.enter_group(group, record, members).await {
            Ok(entered) => entered,
            Err(error) => {
                // Nothing half done: a group that was refused its members is taken back. It is
                // this attempt's own, and no provider has heard of it.
                if !error.is_transient() {
                    self.account.delete_group(&id).await?;
                    self.store.remove_managed_group(id.as_str()).await?;
                }
                return Err(error);
            }
        };
        let name = change("displayName", None::<String>, Some(name));
        let external_id = known.record.value.external_id.as_deref();
        let external_id = text_change("externalId", None, external_id);
        self.done(Line {
            action: action::CREATE,
            target: id.as_str(),
            detail: known.group.name.clone(),
            changes: [name].into_iter().chain(external_id).collect(),
        })
        .await;
        if entered > 0 {
            self.done(Line {
                action: action::MEMBERS,
                target: id.as_str(),
                detail: format!("{}: +{entered} -0", known.group.name),
                changes: Vec::from_iter(list_change("members", &[""; 0], members)),
            })
            .await;
        }
        Ok(known)
    }

    async fn enter_group(
        &self,
        group: Group,
        record: ManagedGroup,
        members: &[MemberId],
    ) -> Result<(Known, usize), Error> {
        let id = group.id.as_str();
        let record = match self.store.put_managed_group(id, &record, 0).await {
            Ok(()) => Versioned {
                value: record,
                version: 1,
            },
            // An earlier try got this far: the record is its own.
            Err(state::Error::Conflict) => {
                let known = self.store.managed_group(id).await?;
                known.ok_or_else(|| no_group(id))?
            }
            Err(error) => return Err(error.into()),
        };
        if members.is_empty() {
            let known = Known {
                group,
                record,
                members: None,
            };
            return Ok((known, 0));
        }
        let standing = self.account.standing(&group.id, members).await?;
        let standing = standing.ok_or(account::Error::NotFound("group"))?;
        let entered = self.account.put_in(&standing, members).await?;
        let people = standing.people.into_iter().map(|one| one.member);
        let group = self.group_after(entered.group, &group.id).await?;
        let known = Known::with(group, record, people.collect());
        Ok((known, entered.count))
    }

    /// A group as a change of its members left it, which not every account's answer says.
    async fn group_after(&self, said: Option<Group>, id: &GroupId) -> Result<Group, Error> {
        let group = match said {
            Some(group) => Some(group),
            None => self.account.group(id).await?,
        };
        Ok(group.ok_or(account::Error::NotFound("group"))?)
    }

    /// Why this name cannot be had: a managed group has it, or one that is not managed.
    async fn name_taken(&self, name: &str) -> Result<Error, Error> {
        let taken = account::Error::GroupNameTaken.into();
        let Some(group) = self.account.group_by_name(name).await? else {
            return Ok(taken);
        };
        if self.store.managed_group(group.id.as_str()).await?.is_some() {
            return Ok(taken);
        }
        let mut why = why_unmanaged(&group);
        if !group.has_account_wide_power() {
            why += ", or choose another name";
        }
        Ok(scim::Error::uniqueness(why).into())
    }

    /// `GET /Groups/{id}`.
    ///
    /// # Errors
    /// 404 if no managed group has this id.
    pub async fn group(&self, id: &str, context: &Context) -> Result<Resource, Error> {
        let wanted = context.query.projection(&SERVED_GROUP, &POLICY);
        let known = match wanted.wants("members") {
            true => self.known_group_with_members(id).await?,
            false => self.known_groups(&[id.to_owned()]).await?.pop(),
        };
        let known = known.ok_or_else(|| no_group(id))?;
        self.group_resource(known, context, u64::MAX).await
    }

    /// `PUT /Groups/{id}`. Without `members` the members stay as they are.
    ///
    /// # Errors
    /// As for [`Bridge::create_group`]; 403 for groups that are not managed.
    pub async fn replace_group(
        &self,
        id: &str,
        body: &Value,
        context: &Context,
    ) -> Result<Resource, Error> {
        let sent = scim::group::Group::from_value(body, &POLICY)?;
        let mut wanted = Wanted {
            name: Some(sent.display_name),
            external_id: Some(sent.external_id),
            replace_members: sent.members.is_some(),
            ..Wanted::default()
        };
        wanted.put_in(sent.members.unwrap_or_default())?;
        let known = self.change_known_group(id, context, wanted).await?;
        self.group_resource(known, context, MEMBERS_SHOWN).await
    }

    /// `PATCH /Groups/{id}`: all operations, or none. The answer is nothing, unless the client asks
    /// for certain attributes or for all but the members: the whole group has its members in it, and
    /// to change one of them is to cost the same however many they are.
    ///
    /// # Errors
    /// As for [`Bridge::replace_group`], and 400 for operations that make no sense.
    pub async fn patch_group(
        &self,
        id: &str,
        body: &Value,
        context: &Context,
    ) -> Result<Resource, Error> {
        let changes = PatchRequest::parse(body, &GROUP, &POLICY)?.group_changes(id)?;
        let wanted = Wanted::from_changes(changes)?;
        let known = self.change_known_group(id, context, wanted).await?;
        let chosen = context.query.projection(&SERVED_GROUP, &POLICY);
        if chosen.wants("members") && !chosen.is_explicit() {
            return Ok(known.to_resource(&context.base, None));
        }
        self.group_resource(known, context, MEMBERS_SHOWN).await
    }

    async fn change_known_group(
        &self,
        id: &str,
        context: &Context,
        wanted: Wanted,
    ) -> Result<Known, Error> {
        let conditions = &context.conditions;
        self.change_under(conditions, id, async {
            let look = match (wanted.replace_members, wanted.members.is_empty()) {
                (true, _) => Look::Members,
                (false, true) => Look::Group,
                (false, false) => Look::People(wanted.members.keys().cloned().collect()),
            };
            let (known, people) = self.group_to_change(id, wanted.action(), look).await?;
            conditions.check_change(&known.version())?;
            self.change_group(known, people, wanted).await
        })
        .await
    }

    /// `DELETE /Groups/{id}`: the group goes, its members stay.
    ///
    /// # Errors
    /// 404 if there is no such group, 403 if it is not managed, 412 if it is not the version asked
    /// for.
    pub async fn delete_group(&self, id: &str, context: &Context) -> Result<(), Error> {
        let conditions = &context.conditions;
        self.change_under(conditions, id, async {
            let (known, _) = self
                .group_to_change(id, action::DELETE, Look::Group)
                .await?;
            conditions.check_change(&known.version())?;
            let deleted = self.delete_known_group(&known.group).await;
            self.note_refusal(action::DELETE, id, deleted).await
        })
        .await
    }

    async fn delete_known_group(&self, group: &Group) -> Result<(), Error> {
        self.check_emptying(group, group.member_count).await?;
        self.account.delete_group(&group.id).await?;
        let id = group.id.as_str();
        self.done(Line {
            action: action::DELETE,
            target: id,
            detail: group.name.clone(),
            changes: vec![change("displayName", Some(&*group.name), None::<&str>)],
        })
        .await;
        self.store.remove_managed_group(id).await?;
        self.forget_place(&group.id, |_| true).await
    }

    async fn group_resource(
        &self,
        known: Known,
        context: &Context,
        shown: u64,
    ) -> Result<Resource, Error> {
        let value = self.group_value(&known, context, shown).await?;
        Ok(known.to_resource(&context.base, Some(value)))
    }

    /// One group with the attributes that the client wants, and with its members if there are at
    /// most `shown`, or if the client asks for them by name.
    pub(super) async fn group_value(
        &self,
        known: &Known,
        context: &Context,
        shown: u64,
    ) -> Result<Value, Error> {
        let projection = context.query.projection(&SERVED_GROUP, &POLICY);
        let count = known.group.member_count;
        let few = count <= shown || projection.is_explicit();
        let read;
        let members = match projection.wants("members") && count > 0 && few {
            true => match &known.members {
                Some(members) => Some(members),
                None => {
                    read = self.all_members(&known.group.id).await?;
                    Some(&read)
                }
            },
            false => None,
        };
        let mut value = known.to_value(&context.base, members.map(Vec::as_slice));
        projection.apply(&mut value);
        Ok(value)
    }

    async fn all_members(&self, id: &GroupId) -> Result<Vec<Member>, Error> {
        let page = Page::first(MAX_BATCH);
        let first = self.account.group_members(id, &page).await?;
        self.all_from(id, first).await
    }

    /// A group and everybody in it.
    async fn group_and_all_members(
        &self,
        id: &GroupId,
    ) -> Result<Option<(Group, Vec<Member>)>, Error> {
        let page = Page::first(MAX_BATCH);
        let Some((group, members)) = self.account.group_with_members(id, &page).await? else {
            return Ok(None);
        };
        Ok(Some((group, self.all_from(id, members).await?)))
    }

    /// The members of a first page, and of those that follow.
    async fn all_from(&self, id: &GroupId, first: Listing<Member>) -> Result<Vec<Member>, Error> {
        let (mut members, mut next) = (first.items, first.next);
        while let Some(key) = next {
            let page = Page {
                start: Start::After(key),
                limit: MAX_BATCH,
            };
            let listing = self.account.group_members(id, &page).await?;
            members.extend(listing.items);
            next = listing.next;
        }
        Ok(members)
    }

    /// A page of the managed groups, and how many there are. Those that the account has deleted
    /// leave the list here, before anybody counts them.
    pub(super) async fn page_of_groups(
        &self,
        offset: u64,
        limit: usize,
    ) -> Result<(Vec<Known>, u64), Error> {
        loop {
            let (ids, total) = self.store.managed_groups(offset, limit).await?;
            let known = self.known_groups(&ids).await?;
            let mut forgotten = false;
            for id in &ids {
                if !known.iter().any(|known| known.group.id.as_str() == id) {
                    forgotten |= self.forget_if_gone(id).await?;
                }
            }
            if !forgotten {
                return Ok((known, total));
            }
        }
    }

    /// Stops managing a group if the account says that it does not have it.
    async fn forget_if_gone(&self, id: &str) -> Result<bool, Error> {
        let gone = match id.parse() {
            Ok(id) => self.account.group(&id).await?.is_none(),
            Err(account::NotAnId) => true,
        };
        if gone {
            self.store.remove_managed_group(id).await?;
        }
        Ok(gone)
    }

    /// Those of some groups of the account that show through SCIM.
    pub(super) async fn only_managed<G>(
        &self,
        groups: Vec<G>,
        id: impl Fn(&G) -> &GroupId,
    ) -> Result<Vec<G>, Error> {
        if groups.is_empty() {
            return Ok(groups);
        }
        let ids: Vec<&str> = groups.iter().map(|group| id(group).as_str()).collect();
        let records = self.store.managed_groups_by_id(&ids).await?;
        Ok(groups
            .into_iter()
            .zip(records)
            .filter(|(_, record)| record.is_some())
            .map(|(group, _)| group)
            .collect())
    }

    /// Those of these groups that are managed and exist, in their order.
    async fn known_groups(&self, ids: &[String]) -> Result<Vec<Known>, Error> {
        let mut known = Vec::with_capacity(ids.len());
        for batch in ids.chunks(MAX_BATCH) {
            let texts: Vec<&str> = batch.iter().map(String::as_str).collect();
            let records = self.store.managed_groups_by_id(&texts).await?;
            let managed: Vec<(GroupId, Versioned<ManagedGroup>)> = batch
                .iter()
                .zip(records)
                .filter_map(|(id, record)| Some((id.parse().ok()?, record?)))
                .collect();
            if managed.is_empty() {
                continue;
            }
            let wanted: Vec<GroupId> = managed.iter().map(|(id, _)| id.clone()).collect();
            let groups = self.account.groups_by_id(&wanted).await?;
            let mut groups: HashMap<GroupId, Group> = groups
                .into_iter()
                .map(|group| (group.id.clone(), group))
                .collect();
            known.extend(managed.into_iter().filter_map(|(id, record)| {
                let group = groups.remove(&id)?;
                Some(Known {
                    group,
                    record,
                    members: None,
                })
            }));
        }
        Ok(known)
    }

    /// One managed group and everybody in it.
    async fn known_group_with_members(&self, id: &str) -> Result<Option<Known>, Error> {
        let (Some(record), Ok(group)) = (self.store.managed_group(id).await?, id.parse()) else {
            return Ok(None);
        };
        let found = self.group_and_all_members(&group).await?;
        Ok(found.map(|(group, members)| Known {
            group,
            record,
            members: Some(members),
        }))
    }

    /// The managed group to change, and whom of its people the change has to know of, in one look;
    /// a group of the account that is not managed is refused with the reason, so that the
    /// provider's log says more than that it is not there.
    async fn group_to_change(
        &self,
        text: &str,
        action: &str,
        look: Look,
    ) -> Result<(Known, Vec<Belonging>), Error> {
        let id: GroupId = text.parse().map_err(|_| no_group(text))?;
        let record = self.store.managed_group(text).await?;
        let seen = match look {
            Look::People(people) if record.is_some() => self.account.standing(&id, &people).await?,
            Look::Members if record.is_some() => {
                let found = self.group_and_all_members(&id).await?;
                found.map(|(group, members)| GroupStanding::of_members(group, members))
            }
            _ => {
                let group = self.account.group(&id).await?;
                group.map(|group| GroupStanding::of_members(group, Vec::new()))
            }
        };
        let GroupStanding { group, people } = seen.ok_or_else(|| no_group(text))?;
        match record {
            Some(record) if !group.has_account_wide_power() => {
                let known = Known {
                    group,
                    record,
                    members: None,
                };
                Ok((known, people))
            }
            // It may have been managed before it came to power.
            _ => {
                let why = why_unmanaged(&group);
                self.refused(action, text, &why).await;
                Err(scim::Error::forbidden(why).into())
            }
        }
    }

    async fn check_group_external_id(
        &self,
        external_id: &str,
        own: Option<&GroupId>,
    ) -> Result<(), Error> {
        let holder = self.store.managed_group_by_external_id(external_id).await?;
        let Some(holder) = holder.filter(|id| own.is_none_or(|own| own.as_str() != id)) else {
            return Ok(());
        };
        // Reading it drops the record of a group that was deleted in the account.
        match self.known_groups(&[holder]).await?.is_empty() {
            true => Ok(()),
            false => Err(state::Error::ExternalIdTaken.into()),
        }
    }
}

/// What of a group has to be seen before it is changed.
enum Look {
    /// The group alone.
    Group,
    /// How these people stand to it.
    People(Vec<MemberId>),
    /// Everybody in it.
    Members,
}

/// Whether a list is to carry everybody who is in the groups.
pub(super) fn shows_members(context: &Context) -> bool {
    let wanted = context.query.projection(&SERVED_GROUP, &POLICY);
    wanted.wants("members")
}

impl Known {
    /// With these members, if those are all that the group has by now.
    fn with(group: Group, record: Versioned<ManagedGroup>, members: Vec<Member>) -> Self {
        let all = group.member_count == members.len() as u64;
        Self {
            group,
            record,
            members: all.then_some(members),
        }
    }

    pub(super) fn id(&self) -> &str {
        self.group.id.as_str()
    }

    /// Counts the changes of name, members and external id.
    fn version(&self) -> Version {
        Version::new(&[self.group.version, self.record.version])
    }

    fn location(&self, base: &str) -> String {
        format!("{base}/Groups/{}", self.group.id)
    }

    fn to_resource(&self, base: &str, value: Option<Value>) -> Resource {
        Resource {
            value,
            location: self.location(base),
            version: self.version(),
        }
    }

    /// The name as the provider sent it, if the account still has what it made of it.
    fn name(&self) -> &str {
        let record = &self.record.value;
        match record.account_name == self.group.name {
            true => &record.display_name,
            false => &self.group.name,
        }
    }

    fn to_value(&self, base: &str, members: Option<&[Member]>) -> Value {
        let id = self.group.id.as_str();
        let meta = Meta {
            resource_type: "Group",
            created: Some(self.group.created_at),
            last_modified: Some(self.record.value.updated_at.max(self.group.updated_at)),
            location: self.location(base),
            version: Some(self.version()),
        };
        let mut value = json!({
            "schemas": [GROUP_URN],
            "displayName": self.name(),
        });
        if let Some(external_id) = &self.record.value.external_id {
            value["externalId"] = external_id.as_str().into();
        }
        identify(&mut value, id, &meta);
        if let Some(members) = members.filter(|members| !members.is_empty())
            && let Some(object) = value.as_object_mut()
        {
            let members = members.iter().map(|member| {
                json!({
                    "value": member.id.as_str(),
                    "display": member.name,
                    "$ref": format!("{base}/Users/{}", member.id),
                    "type": "User",
                })
            });
            object.insert("members".to_owned(), members.collect());
        }
        value
    }
}

/// Why a group of the account is out of a provider's reach, and what an administrator may do.
fn why_unmanaged(group: &Group) -> String {
    if group.has_account_wide_power() {
        return format!(
            "the group {:?} has power over the whole account and can never be managed by a \
             provider",
            group.name
        );
    }
    format!(
        "the account has a group {:?} that the bridge does not manage: run scim-bridge groups \
         manage {:?}",
        group.name, group.name
    )
}

fn no_group(id: &str) -> Error {
    scim::Error::not_found(format!("there is no group {}", shortened(id))).into()
}
