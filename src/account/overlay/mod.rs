//! An account that answers as if: what a bridge that only observes works on.
//!
//! Reads go to the account and come back with what was changed here; writes change nothing but this
//! process's memory, and are refused where the account would refuse them. What the account itself
//! changes meanwhile shows as ever. Memory grows with the people, the groups and the memberships
//! that were changed, and is gone with the process.
//!
//! * `people`, `groups`: what was changed about one of them, as pure values.
//! * `pages`: the account's lists with our own rows behind them.

mod groups;
mod pages;
mod people;

use std::{
    cmp::Ordering,
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use futures_util::FutureExt;
use time::OffsetDateTime;

use self::{groups::ChangedGroup, pages::Merge, people::Person};
use super::{
    Account, Attempt, Belonging, Changed, Editable, Error, Group, GroupId, GroupName,
    GroupStanding, Identity, Invitation, KeyFingerprint, Listing, MAX_BATCH, Member, MemberEdit,
    MemberId, MemberKind, MemberState, Page, Result,
};
use crate::onepassword::{derivation::normal_email, identifier};

/// An [`Account`] over another one, which stays as it is.
pub struct Overlay {
    inner: Arc<dyn Account>,
    changes: Mutex<Changes>,
}

/// What was changed.
#[derive(Default)]
struct Changes {
    /// The number of what was last changed for the first time.
    last: u64,
    people: HashMap<MemberId, Person>,
    /// Whose an address is, of those who were changed.
    addresses: HashMap<String, MemberId>,
    groups: HashMap<GroupId, ChangedGroup>,
    invited: HashMap<String, MemberId>,
    created: HashMap<String, GroupId>,
}

impl Changes {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Whether only the account can say what this person is.
    fn needs_account_for(&self, id: &MemberId) -> bool {
        let person = self.people.get(id);
        person.is_none_or(|person| person.made.is_none() && !person.is_deleted())
    }

    fn needs_account_for_group(&self, id: &GroupId) -> bool {
        let group = self.groups.get(id);
        group.is_none_or(|group| group.made.is_none() && !group.deleted)
    }

    /// A person, given what the account has.
    fn member(&self, id: &MemberId, inner: Option<Member>) -> Option<Member> {
        match self.people.get(id) {
            Some(person) => person.shown(inner),
            None => inner,
        }
    }

    /// A group, given what the account has.
    fn group(&self, id: &GroupId, inner: Option<Group>) -> Option<Group> {
        match self.groups.get(id) {
            Some(group) => group.shown(inner),
            None => inner,
        }
    }

    /// The same for what a person's list names.
    fn group_name(&self, inner: GroupName) -> Option<GroupName> {
        match self.groups.get(&inner.id) {
            Some(group) => group.shown_name(inner),
            None => Some(inner),
        }
    }

    /// Changes a person whom the account lets itself be told about.
    fn change_member(
        &mut self,
        id: &MemberId,
        inner: Option<Member>,
        change: impl FnOnce(&mut Person, &Member, &Member) -> Result<()>,
    ) -> Result<Member> {
        let before = self.member(id, inner.clone());
        let before = before.ok_or(Error::NotFound("member"))?;
        if before.protected {
            return Err(Error::Protected(format!(
                "{} is an owner, an administrator or a Provision Manager",
                before.email
            )));
        }
        let known = self.people.remove(id);
        let mut person = known.unwrap_or_else(|| Person::new(self.next(), None));
        let beneath = person.made.clone().or(inner);
        let changed = change(&mut person, beneath.as_ref().unwrap_or(&before), &before);
        let now = person.shown(beneath);
        for address in people::addresses(&before) {
            if self.addresses.get(&address) == Some(id) {
                self.addresses.remove(&address);
            }
        }
        if person.matters() {
            self.people.insert(id.clone(), person);
            for address in now.iter().flat_map(people::addresses) {
                self.addresses.insert(address, id.clone());
            }
        }
        changed?;
        Ok(now.unwrap_or(before))
    }

    /// What was changed about a group, to change more.
    fn changed_group(&mut self, id: &GroupId) -> &mut ChangedGroup {
        let number = self.next();
        self.groups
            .entry(id.clone())
            .or_insert_with(|| ChangedGroup::new(number, None))
    }
}

impl Overlay {
    /// Over this account.
    pub fn new(inner: Arc<dyn Account>) -> Self {
        Self {
            inner,
            changes: Mutex::default(),
        }
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the account has of a person, as far as that matters.
    async fn beneath(&self, id: &MemberId) -> Result<Option<Member>> {
        let ask = self.changes().needs_account_for(id);
        match ask {
            true => self.inner.member(id).await,
            false => Ok(None),
        }
    }

    async fn group_beneath(&self, id: &GroupId) -> Result<Option<Group>> {
        let ask = self.changes().needs_account_for_group(id);
        match ask {
            true => self.inner.group(id).await,
            false => Ok(None),
        }
    }

    /// Refuses an address in whose domain the account invites nobody.
    async fn check_domain(&self, email: &str) -> Result<()> {
        let allowed = self.inner.identity().await?.allowed_domains;
        let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
        let is_it = |allowed: &String| allowed.eq_ignore_ascii_case(domain);
        match allowed.is_empty() || allowed.iter().any(is_it) {
            true => Ok(()),
            false => Err(Error::DomainNotAllowed {
                domain: domain.to_lowercase(),
            }),
        }
    }

    /// A group whose name and members may be changed.
    async fn ordinary_group(&self, id: &GroupId) -> Result<Group> {
        let group = self.group(id).await?.ok_or(Error::NotFound("group"))?;
        if group.built_in || !group.permissions.is_empty() {
            return Err(Error::Protected(format!(
                "the group {} has power over the whole account",
                group.name
            )));
        }
        Ok(group)
    }

    /// Those of some people that the account's own group has.
    async fn members_beneath(&self, id: &GroupId, ids: &[MemberId]) -> Result<HashSet<MemberId>> {
        let seen = self.standing_beneath(id, ids).await?.into_iter();
        let people = seen.flat_map(|seen| seen.people).filter(|one| one.belongs);
        Ok(people.map(|one| one.member.id).collect())
    }

    /// How those of some people stand to a group of whom the account knows, if it knows of the
    /// group.
    async fn standing_beneath(
        &self,
        id: &GroupId,
        ids: &[MemberId],
    ) -> Result<Option<GroupStanding>> {
        let asked: Vec<MemberId> = {
            let changes = self.changes();
            if !changes.needs_account_for_group(id) {
                return Ok(None);
            }
            let ids = ids.iter().filter(|id| changes.needs_account_for(id));
            ids.cloned().collect()
        };
        self.inner.standing(id, &asked).await
    }
}

#[async_trait]
impl Account for Overlay {
    async fn identity(&self) -> Result<Identity> {
        self.inner.identity().await
    }

    async fn sign_out(&self) {
        self.inner.sign_out().await;
    }

    fn editable(&self) -> Editable {
        self.inner.editable()
    }

    async fn invite(&self, person: &Invitation, attempt: &Attempt) -> Result<Member> {
        let invited = self.changes().invited.get(attempt.as_str()).cloned();
        if let Some(id) = invited
            && let Some(member) = self.member(&id).await?
        {
            return Ok(member);
        }
        let (email, name) = (person.email.trim(), name(&person.name)?);
        let (holder, domain) = tokio::join!(self.member_by_email(email), self.check_domain(email));
        domain?;
        if holder?.is_some() {
            return Err(Error::EmailTaken);
        }
        let now = OffsetDateTime::now_utc();
        let member = Member {
            id: new_id(identifier::upper())?,
            email: email.to_owned(),
            pending_email: None,
            name,
            language: Some(person.language.clone().unwrap_or_else(|| "en".to_owned())),
            state: MemberState::TransferStarted,
            kind: MemberKind::Member,
            protected: false,
            key_fingerprint: None,
            created_at: Some(now),
            updated_at: Some(now),
            version: 1,
        };
        let mut changes = self.changes();
        // Since we looked.
        if let Some(holder) = changes.addresses.get(&normal_email(email))
            && !changes.needs_account_for(holder)
        {
            return Err(Error::EmailTaken);
        }
        let person = Person::new(changes.next(), Some(member.clone()));
        changes.people.insert(member.id.clone(), person);
        changes
            .addresses
            .insert(normal_email(email), member.id.clone());
        let attempt = attempt.as_str().to_owned();
        changes.invited.insert(attempt, member.id.clone());
        Ok(member)
    }

    async fn member(&self, id: &MemberId) -> Result<Option<Member>> {
        let inner = self.beneath(id).await?;
        Ok(self.changes().member(id, inner))
    }

    async fn members_by_id(&self, ids: &[MemberId]) -> Result<Vec<Member>> {
        let asked: Vec<MemberId> = {
            let changes = self.changes();
            let ids = ids.iter().filter(|id| changes.needs_account_for(id));
            ids.cloned().collect()
        };
        let inner = match asked.is_empty() {
            true => Vec::new(),
            false => self.inner.members_by_id(&asked).await?,
        };
        let inner: HashMap<MemberId, Member> = inner
            .into_iter()
            .map(|member| (member.id.clone(), member))
            .collect();
        let changes = self.changes();
        let members = ids
            .iter()
            .filter_map(|id| changes.member(id, inner.get(id).cloned()));
        Ok(members.collect())
    }

    async fn member_by_email(&self, email: &str) -> Result<Option<Member>> {
        let address = normal_email(email);
        let known = self.changes().addresses.get(&address).cloned();
        if let Some(id) = known
            && let Some(member) = self.member(&id).await?
            && people::has_address(&member, &address)
        {
            return Ok(Some(member));
        }
        let Some(inner) = self.inner.member_by_email(email).await? else {
            return Ok(None);
        };
        let id = inner.id.clone();
        let member = self.changes().member(&id, Some(inner));
        Ok(member.filter(|member| people::has_address(member, &address)))
    }

    async fn members(&self, states: &[MemberState], page: &Page) -> Result<Listing<Member>> {
        let is_listed = |state: MemberState| match states {
            [] => state != MemberState::Deleted,
            _ => states.contains(&state),
        };
        let (gone, mut own) = {
            let changes = self.changes();
            let (mut gone, mut own) = (0, Vec::new());
            for (id, person) in &changes.people {
                match person.compared(is_listed) {
                    Ordering::Less => gone += 1,
                    Ordering::Equal => {}
                    Ordering::Greater => own.push((person.number, id.clone())),
                }
            }
            (gone, own)
        };
        own.sort_unstable();
        let (numbers, ids): (Vec<u64>, Vec<MemberId>) = own.into_iter().unzip();
        let merge = Merge {
            read: |page: Page| {
                let (inner, states) = (Arc::clone(&self.inner), states.to_vec());
                async move { inner.members(&states, &page).await }.boxed()
            },
            shown: |member: Member| {
                let id = member.id.clone();
                let shown = self.changes().member(&id, Some(member));
                shown.filter(|member| is_listed(member.state))
            },
            gone,
            own: &numbers,
        };
        let merged = merge.page(page).await?;
        let own = self.members_by_id(&ids[merged.own.clone()]).await?;
        Ok(merged.with(own))
    }

    async fn edit_member(&self, id: &MemberId, edit: &MemberEdit) -> Result<Member> {
        let edit = MemberEdit {
            name: edit.name.as_deref().map(name).transpose()?,
            language: edit.language.clone(),
            email: edit.email.as_deref().map(|email| email.trim().to_owned()),
        };
        let inner = self.beneath(id).await?;
        if let Some(email) = &edit.email {
            match self.member_by_email(email).await? {
                Some(holder) if holder.id != *id => return Err(Error::EmailTaken),
                Some(_) => {}
                None => self.check_domain(email).await?,
            }
        }
        self.changes().change_member(id, inner, |person, _, shown| {
            person.edit(shown, &edit);
            Ok(())
        })
    }

    async fn confirm(&self, id: &MemberId, fingerprint: &KeyFingerprint) -> Result<Member> {
        let inner = self.beneath(id).await?;
        self.changes()
            .change_member(id, inner, |person, beneath, shown| {
                person.confirm(beneath, shown, fingerprint)
            })
    }

    async fn suspend(&self, id: &MemberId) -> Result<Member> {
        let inner = self.beneath(id).await?;
        self.changes()
            .change_member(id, inner, |person, beneath, shown| {
                person.suspend(beneath, shown);
                Ok(())
            })
    }

    async fn reactivate(&self, id: &MemberId) -> Result<Member> {
        let inner = self.beneath(id).await?;
        self.changes()
            .change_member(id, inner, |person, beneath, shown| {
                person.reactivate(beneath, shown);
                Ok(())
            })
    }

    async fn delete_member(&self, id: &MemberId) -> Result<()> {
        let inner = self.beneath(id).await?;
        let groups = match &inner {
            Some(_) => self.inner.groups_of(id).await,
            None => Ok(Vec::new()),
        };
        let groups = match groups {
            // Gone in the meantime.
            Err(Error::NotFound(_)) => Vec::new(),
            groups => groups?,
        };
        let mut changes = self.changes();
        let deleted = changes.change_member(id, inner, |person, beneath, shown| {
            person.delete(beneath, shown);
            Ok(())
        });
        match deleted {
            Err(Error::NotFound(_)) => return Ok(()),
            deleted => drop(deleted?),
        }
        for group in &groups {
            let group = changes.changed_group(&group.id);
            if group.has(id, true) {
                group.take_out(id);
                group.touch();
            }
        }
        for group in changes.groups.values_mut() {
            if group.joined.remove(id).is_some() {
                group.touch();
            }
        }
        // Whom only we knew, nobody knows any more.
        if changes
            .people
            .get(id)
            .is_some_and(|person| person.made.is_some())
        {
            changes.people.remove(id);
        }
        Ok(())
    }

    async fn groups_of(&self, id: &MemberId) -> Result<Vec<GroupName>> {
        let (known, ask) = {
            let changes = self.changes();
            (changes.member(id, None), changes.needs_account_for(id))
        };
        let inner = match ask {
            true => self.inner.groups_of(id).await?,
            false => {
                known.ok_or(Error::NotFound("member"))?;
                Vec::new()
            }
        };
        let (mut groups, joined) = {
            let changes = self.changes();
            let is_in = |group: &GroupName| {
                let changed = changes.groups.get(&group.id);
                changed.is_none_or(|changed| changed.has(id, true))
            };
            let groups: Vec<GroupName> = inner
                .into_iter()
                .filter(is_in)
                .filter_map(|group| changes.group_name(group))
                .collect();
            let mut joined: Vec<(u64, GroupId)> = changes
                .groups
                .iter()
                .filter_map(|(group, changed)| Some((*changed.joined.get(id)?, group.clone())))
                .collect();
            joined.sort_unstable();
            (groups, joined)
        };
        let joined: Vec<GroupId> = joined.into_iter().map(|(_, group)| group).collect();
        for batch in joined.chunks(MAX_BATCH) {
            let joined = self.groups_by_id(batch).await?.into_iter();
            groups.extend(joined.map(GroupName::from));
        }
        Ok(groups)
    }

    async fn create_group(&self, group_name: &str, attempt: &Attempt) -> Result<Group> {
        let created = self.changes().created.get(attempt.as_str()).cloned();
        if let Some(id) = created
            && let Some(group) = self.group(&id).await?
        {
            return Ok(group);
        }
        let group_name = name(group_name)?;
        if self.group_by_name(&group_name).await?.is_some() {
            return Err(Error::GroupNameTaken);
        }
        let now = OffsetDateTime::now_utc();
        let group = Group {
            id: new_id(identifier::lower())?,
            name: group_name,
            permissions: Vec::new(),
            built_in: false,
            member_count: 0,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        let mut changes = self.changes();
        let made = ChangedGroup::new(changes.next(), Some(group.clone()));
        changes.groups.insert(group.id.clone(), made);
        let attempt = attempt.as_str().to_owned();
        changes.created.insert(attempt, group.id.clone());
        Ok(group)
    }

    async fn group(&self, id: &GroupId) -> Result<Option<Group>> {
        let inner = self.group_beneath(id).await?;
        Ok(self.changes().group(id, inner))
    }

    async fn groups_by_id(&self, ids: &[GroupId]) -> Result<Vec<Group>> {
        let asked: Vec<GroupId> = {
            let changes = self.changes();
            let ids = ids.iter().filter(|id| changes.needs_account_for_group(id));
            ids.cloned().collect()
        };
        let inner = match asked.is_empty() {
            true => Vec::new(),
            false => self.inner.groups_by_id(&asked).await?,
        };
        let inner: HashMap<GroupId, Group> = inner
            .into_iter()
            .map(|group| (group.id.clone(), group))
            .collect();
        let changes = self.changes();
        let groups = ids
            .iter()
            .filter_map(|id| changes.group(id, inner.get(id).cloned()));
        Ok(groups.collect())
    }

    async fn group_by_name(&self, name: &str) -> Result<Option<Group>> {
        let wanted = name_key(name);
        let has_it = |group: &Group| name_key(&group.name) == wanted;
        let (known, renamed) = {
            let changes = self.changes();
            let mut made = changes
                .groups
                .values()
                .filter_map(|group| group.shown(None));
            let known = made.find(has_it);
            let mut renamed = changes.groups.iter().filter_map(|(id, group)| {
                let name = group.name.as_deref().filter(|_| group.made.is_none())?;
                (name_key(name) == wanted).then(|| id.clone())
            });
            (known, renamed.next())
        };
        if known.is_some() {
            return Ok(known);
        }
        if let Some(id) = renamed
            && let Some(group) = self.group(&id).await?
        {
            return Ok(Some(group));
        }
        let Some(inner) = self.inner.group_by_name(name).await? else {
            return Ok(None);
        };
        let id = inner.id.clone();
        let group = self.changes().group(&id, Some(inner));
        Ok(group.filter(has_it))
    }

    async fn groups(&self, page: &Page) -> Result<Listing<Group>> {
        let (gone, mut own) = {
            let changes = self.changes();
            let deleted = changes.groups.values().filter(|group| group.deleted);
            let made = changes.groups.iter().filter_map(|(id, group)| {
                let number = group.made.as_ref().map(|_| group.number)?;
                Some((number, id.clone()))
            });
            (deleted.count() as u64, made.collect::<Vec<_>>())
        };
        own.sort_unstable();
        let (numbers, ids): (Vec<u64>, Vec<GroupId>) = own.into_iter().unzip();
        let merge = Merge {
            read: |page: Page| {
                let inner = Arc::clone(&self.inner);
                async move { inner.groups(&page).await }.boxed()
            },
            shown: |group: Group| self.changes().group(&group.id.clone(), Some(group)),
            gone,
            own: &numbers,
        };
        let merged = merge.page(page).await?;
        let own = self.groups_by_id(&ids[merged.own.clone()]).await?;
        Ok(merged.with(own))
    }

    async fn rename_group(&self, id: &GroupId, new_name: &str) -> Result<Group> {
        let group = self.ordinary_group(id).await?;
        let new_name = name(new_name)?;
        if self
            .group_by_name(&new_name)
            .await?
            .is_some_and(|holder| holder.id != *id)
        {
            return Err(Error::GroupNameTaken);
        }
        if new_name == group.name {
            return Ok(group);
        }
        {
            let mut changes = self.changes();
            let changed = changes.changed_group(id);
            changed.name = Some(new_name);
            changed.touch();
        }
        self.group(id).await?.ok_or(Error::NotFound("group"))
    }

    async fn delete_group(&self, id: &GroupId) -> Result<()> {
        match self.ordinary_group(id).await {
            Err(Error::NotFound(_)) => return Ok(()),
            group => drop(group?),
        }
        let mut changes = self.changes();
        let number = changes.next();
        let made = changes.groups.remove(id).and_then(|group| group.made);
        if made.is_none() {
            let mut gone = ChangedGroup::new(number, None);
            gone.deleted = true;
            changes.groups.insert(id.clone(), gone);
        }
        Ok(())
    }

    async fn group_members(&self, id: &GroupId, page: &Page) -> Result<Listing<Member>> {
        let (gone, mut own, ask) = {
            let changes = self.changes();
            let ask = changes.needs_account_for_group(id);
            match changes.groups.get(id) {
                Some(group) if group.deleted => return Err(Error::NotFound("group")),
                Some(group) => {
                    let joined = group.joined.iter();
                    let own = joined.map(|(id, number)| (*number, id.clone())).collect();
                    (group.left.len() as u64, own, ask)
                }
                None => (0, Vec::new(), ask),
            }
        };
        own.sort_unstable();
        let (numbers, ids): (Vec<u64>, Vec<MemberId>) = own.into_iter().unzip();
        let merge = Merge {
            read: |page: Page| {
                let (inner, id) = (Arc::clone(&self.inner), id.clone());
                async move {
                    match ask {
                        true => inner.group_members(&id, &page).await,
                        false => Ok(Listing {
                            items: Vec::new(),
                            total: 0,
                            next: None,
                        }),
                    }
                }
                .boxed()
            },
            shown: |member: Member| {
                let changes = self.changes();
                let group = changes.groups.get(id);
                let stays = group.is_none_or(|group| {
                    group.has(&member.id, true) && !group.joined.contains_key(&member.id)
                });
                let id = member.id.clone();
                changes.member(&id, Some(member).filter(|_| stays))
            },
            gone,
            own: &numbers,
        };
        let merged = merge.page(page).await?;
        let own = self.members_by_id(&ids[merged.own.clone()]).await?;
        Ok(merged.with(own))
    }

    async fn reaches_key(&self, group: &GroupId) -> Result<bool> {
        let ask = self.changes().needs_account_for_group(group);
        match ask {
            true => self.inner.reaches_key(group).await,
            // Whoever makes a group has its key.
            false => Ok(true),
        }
    }

    async fn standing(&self, id: &GroupId, members: &[MemberId]) -> Result<Option<GroupStanding>> {
        let beneath = self.standing_beneath(id, members).await?;
        let (inner, people) = match beneath {
            Some(beneath) => (Some(beneath.group), beneath.people),
            None => (None, Vec::new()),
        };
        let Some(group) = self.changes().group(id, inner) else {
            return Ok(None);
        };
        let inside = people.into_iter().filter(|one| one.belongs);
        let inside: HashSet<MemberId> = inside.map(|one| one.member.id).collect();
        let ids: BTreeSet<&MemberId> = members.iter().collect();
        let ids: Vec<MemberId> = ids.into_iter().cloned().collect();
        let mut people = Vec::with_capacity(ids.len());
        for batch in ids.chunks(MAX_BATCH) {
            let members = self.members_by_id(batch).await?;
            let changes = self.changes();
            let changed = changes.groups.get(id);
            people.extend(members.into_iter().map(|member| {
                let is_in = inside.contains(&member.id);
                Belonging {
                    belongs: changed.map_or(is_in, |group| group.has(&member.id, is_in)),
                    key: None,
                    member,
                }
            }));
        }
        Ok(Some(GroupStanding { group, people }))
    }

    async fn put_in(&self, standing: &GroupStanding, members: &[MemberId]) -> Result<Changed> {
        standing.check_known(members)?;
        let group = &standing.group.id;
        self.ordinary_group(group).await?;
        let beneath = self.members_beneath(group, members).await?;
        let mut granted = 0;
        {
            let mut changes = self.changes();
            for id in members {
                let number = changes.next();
                let changed = changes.changed_group(group);
                if !changed.has(id, beneath.contains(id)) {
                    changed.let_in(id, number);
                    granted += 1;
                }
            }
            if granted > 0 {
                changes.changed_group(group).touch();
            }
        }
        self.changed(group, granted).await
    }

    async fn take_out(&self, standing: &GroupStanding, members: &[MemberId]) -> Result<Changed> {
        let group = &standing.group.id;
        self.ordinary_group(group).await?;
        let beneath = self.members_beneath(group, members).await?;
        let mut revoked = 0;
        {
            let mut changes = self.changes();
            let changed = changes.changed_group(group);
            for id in members {
                if changed.has(id, beneath.contains(id)) {
                    changed.take_out(id);
                    revoked += 1;
                }
            }
            if revoked > 0 {
                changed.touch();
            }
        }
        self.changed(group, revoked).await
    }
}

impl Overlay {
    async fn changed(&self, id: &GroupId, count: usize) -> Result<Changed> {
        // It holds by now, whether the group can be read or not.
        let group = self.group(id).await.unwrap_or_default();
        Ok(Changed { count, group })
    }
}

/// A name as the account keeps it.
fn name(text: &str) -> Result<String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 200 || text.chars().any(char::is_control) {
        return Err(Error::InvalidValue(
            "a name has 1 to 200 characters".to_owned(),
        ));
    }
    Ok(text.to_owned())
}

/// What is unique about a group's name.
fn name_key(name: &str) -> String {
    name.trim().to_lowercase()
}

/// An id that nobody has.
fn new_id<T: std::str::FromStr>(random: crate::onepassword::Result<String>) -> Result<T> {
    let text = random.map_err(|error| Error::Protocol(error.to_string()))?;
    text.parse()
        .map_err(|_| Error::Protocol(format!("{text:?} is no id")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
