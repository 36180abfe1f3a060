//! What a PATCH or PUT makes of a group, and how it is carried out.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;
use time::OffsetDateTime;

use super::{Known, action, no_group};
use crate::{
    account::{
        self, Belonging, Group, GroupId, GroupStanding, MAX_BATCH, Member, MemberId, MemberKind,
    },
    bridge::{
        ATTEMPTS, Bridge, Deprovisioning, Error,
        audit::{Line, change, list_change, text_change},
        shortened,
    },
    scim::{self, patch::GroupChange},
    state::{self, AuditChange, ManagedGroup, Versioned},
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

    /// What is asked for, for the audit.
    pub(super) fn action(&self) -> &'static str {
        let members = self.replace_members || !self.members.is_empty();
        match (self.name.is_some(), self.external_id.is_some(), members) {
            (true, false, false) => action::RENAME,
            (false, true, false) => action::EXTERNAL_ID,
            (false, false, true) => action::MEMBERS,
            _ => action::CHANGE,
        }
    }

    /// Who is named to be in, and who to be out.
    fn named(&self) -> (Vec<MemberId>, Vec<MemberId>) {
        let (mut add, mut remove) = (Vec::new(), Vec::new());
        for (id, membership) in &self.members {
            match membership {
                Membership::In => add.push(id.clone()),
                Membership::Out => remove.push(id.clone()),
            }
        }
        (add, remove)
    }

    /// Whether this person is to be out, named or not.
    fn takes_out(&self, person: &str) -> bool {
        let named = person.parse().ok().and_then(|id| self.members.get(&id));
        named.map_or(self.replace_members, |named| *named == Membership::Out)
    }

    /// These people are to be in.
    pub(super) fn put_in(&mut self, ids: Vec<String>) -> Result<(), Error> {
        let ids = member_ids(ids)?;
        self.members
            .extend(ids.into_iter().map(|id| (id, Membership::In)));
        Ok(())
    }
}

/// What a change came to, for the audit.
#[derive(Default)]
struct Done {
    renamed: Option<(String, String)>,
    external_id: Option<AuditChange>,
    added: usize,
    removed: usize,
    /// Of whom `added` were not in before, and `removed` were.
    asked_in: Vec<MemberId>,
    asked_out: Vec<MemberId>,
}

impl Bridge {
    /// Makes a group what is wanted. What can be refused comes first, and is taken back if what
    /// follows is refused; what is left after a failure is found by the provider's repeat.
    /// `people` are those whom it names as they stood to the group, or all of its members if
    /// they are to be replaced.
    pub(super) async fn change_group(
        &self,
        known: Known,
        people: Vec<Belonging>,
        wanted: Wanted,
    ) -> Result<Known, Error> {
        let (id, name) = (known.group.id.to_string(), known.group.name.clone());
        let shown = known.name().to_owned();
        let mut done = Done::default();
        let result = self.apply(known, people, &wanted, &mut done).await;
        let renamed = match (done.renamed, &result) {
            // The account calls it as before, and the provider does not.
            (None, Ok(now)) if now.name() != shown => Some((shown, now.name().to_owned())),
            (renamed, _) => renamed,
        };
        if let Some((old, new)) = renamed {
            self.done(Line {
                action: action::RENAME,
                target: &id,
                detail: format!("{old} → {new}"),
                changes: vec![change("displayName", Some(old), Some(new))],
            })
            .await;
        }
        if let Some(external_id) = done.external_id {
            let now = external_id.after.as_ref().and_then(Value::as_str);
            self.done(Line {
                action: action::EXTERNAL_ID,
                target: &id,
                detail: now.unwrap_or_default().to_owned(),
                changes: vec![external_id],
            })
            .await;
        }
        if done.added + done.removed > 0 {
            let (came, left) = (done.asked_in, done.asked_out);
            self.done(Line {
                action: action::MEMBERS,
                target: &id,
                detail: format!("{name}: +{} -{}", done.added, done.removed),
                changes: Vec::from_iter(list_change("members", &left, &came)),
            })
            .await;
        }
        result
    }

    async fn apply(
        &self,
        known: Known,
        people: Vec<Belonging>,
        wanted: &Wanted,
        done: &mut Done,
    ) -> Result<Known, Error> {
        let id = known.group.id.clone();
        let asked = wanted.name.as_deref();
        let rename = asked.filter(|name| *name != known.name() && *name != known.group.name);
        if let Some(Some(external_id)) = &wanted.external_id
            && known.record.value.external_id.as_ref() != Some(external_id)
        {
            self.check_group_external_id(external_id, Some(&id)).await?;
        }
        let change = self.members_to_change(&known.group, &people, wanted).await;
        let (add, remove) = self
            .note_refusal(action::MEMBERS, id.as_str(), change)
            .await?;

        let mut group = known.group;
        let seen = GroupStanding {
            group: group.clone(),
            people,
        };
        let old_name = group.name.clone();
        if let Some(name) = rename {
            let renaming = match self.account.rename_group(&id, name).await {
                Err(account::Error::GroupNameTaken) => Err(self.name_taken(name).await?),
                answer => answer.map_err(Error::from),
            };
            group = self
                .note_refusal(action::RENAME, id.as_str(), renaming)
                .await?;
            done.renamed = Some((old_name.clone(), group.name.clone()));
        }
        let mut left = Some(group);
        let mut came = Vec::new();
        if !add.is_empty() {
            let granting = self.put_in(&seen, &add, wanted.replace_members).await;
            match self
                .note_refusal(action::MEMBERS, id.as_str(), granting)
                .await
            {
                Ok((granted, people)) => {
                    done.added = granted.count;
                    if granted.count > 0 {
                        left = granted.group;
                    }
                    // Who of several came the account does not say.
                    if granted.count == add.len() {
                        done.asked_in = add;
                    }
                    came = people;
                }
                Err(error) => {
                    if rename.is_some() && !error.is_transient() {
                        self.account.rename_group(&id, &old_name).await?;
                        done.renamed = None;
                    }
                    return Err(error);
                }
            }
        }
        if !remove.is_empty() {
            let revoking = self.account.take_out(&seen, &remove).await;
            let revoked = self
                .note_refusal(action::MEMBERS, id.as_str(), revoking.map_err(Error::from))
                .await?;
            done.removed = revoked.count;
            if revoked.count > 0 {
                left = revoked.group;
            }
            if done.removed == remove.len() {
                done.asked_out.clone_from(&remove);
            }
        }
        // Whoever is not in may be somebody who is to come back, and so may be who was put in while
        // out of the account.
        let may_come_back = self.settings.deprovisioning == Deprovisioning::LeaveGroups;
        if wanted.replace_members
            || done.removed < remove.len()
            || may_come_back && !remove.is_empty()
        {
            self.forget_place(&id, |person| wanted.takes_out(person))
                .await?;
        }
        let group = self.group_after(left, &id).await?;
        let named = asked.map(|name| (name, group.name.as_str()));
        let external_id = known.record.value.external_id.clone();
        let record = self
            .note_group(&id, known.record, named, &wanted.external_id)
            .await?;
        let now = record.value.external_id.as_deref();
        done.external_id = text_change("externalId", external_id.as_deref(), now);
        if !wanted.replace_members {
            return Ok(Known {
                group,
                record,
                members: None,
            });
        }
        let gone: HashSet<MemberId> = remove.into_iter().collect();
        let stayed = seen.people.into_iter().map(|one| one.member);
        let stayed = stayed.filter(|member| !gone.contains(&member.id));
        Ok(Known::with(group, record, stayed.chain(came).collect()))
    }

    /// Puts people in as they stood to a group or, if nobody has asked about them so far, as they
    /// stand now: then they are returned too.
    async fn put_in(
        &self,
        seen: &GroupStanding,
        people: &[MemberId],
        are_new: bool,
    ) -> Result<(account::Changed, Vec<Member>), Error> {
        if !are_new {
            return Ok((self.account.put_in(seen, people).await?, Vec::new()));
        }
        let standing = self.account.standing(&seen.group.id, people).await?;
        let standing = standing.ok_or(account::Error::NotFound("group"))?;
        let changed = self.account.put_in(&standing, people).await?;
        let people = standing.people.into_iter().map(|one| one.member);
        Ok((changed, people.collect()))
    }

    /// Who has to be put in, and who taken out. For a replacement everybody who is in has been
    /// read. For a removal that names enough people to empty a group that the guard is for they are
    /// read here; never else.
    ///
    /// # Errors
    /// 403 if the guard is against it.
    async fn members_to_change(
        &self,
        group: &Group,
        people: &[Belonging],
        wanted: &Wanted,
    ) -> Result<(Vec<MemberId>, Vec<MemberId>), Error> {
        let (mut add, mut remove) = wanted.named();
        let many = group.member_count > self.settings.guards.empty_group;
        if wanted.replace_members {
            let present = people.iter().map(|one| &one.member);
            let beyond: HashSet<MemberId> = present
                .clone()
                .filter(|one| one.protected || one.kind == MemberKind::Guest)
                .map(|one| one.id.clone())
                .collect();
            let present: BTreeSet<MemberId> = present.map(|one| one.id.clone()).collect();
            let named: BTreeSet<MemberId> = add.into_iter().collect();
            // Whoever comes instead: those who are in lose what the group gives them.
            if present.is_disjoint(&named) {
                self.check_emptying(group, present.len() as u64).await?;
            }
            // Who is in and stays in needs nothing; who is in and not named goes, but for those of
            // whom a provider knows nothing.
            remove = present
                .difference(&named)
                .filter(|id| !beyond.contains(*id))
                .cloned()
                .collect();
            add = named.difference(&present).cloned().collect();
        } else if many && remove.len() as u64 >= group.member_count {
            let present = self.all_members(&group.id).await?;
            let named: HashSet<&MemberId> = remove.iter().collect();
            if present.iter().all(|member| named.contains(&member.id)) {
                self.check_emptying(group, present.len() as u64).await?;
            }
        }
        Ok((add, remove))
    }

    /// Guards against a request that leaves a group without any of its `members`.
    ///
    /// # Errors
    /// 403 if they are many, and no administrator has lifted the guard.
    pub(super) async fn check_emptying(&self, group: &Group, members: u64) -> Result<(), Error> {
        let most = self.settings.guards.empty_group;
        if members <= most {
            return Ok(());
        }
        if self.guards_lifted(OffsetDateTime::now_utc()).await? {
            return Ok(());
        }
        Err(scim::Error::forbidden(format!(
            "the request would take all {members} members out of the group {:?}, and the bridge \
             lets no request empty or delete a group of more than {most}: nothing was done; if it \
             is meant, an administrator runs scim-bridge guard lift, and the request is sent again",
            group.name
        ))
        .into())
    }

    /// Those of the people set aside whom `leaves` names are not put back into this group when they
    /// return. Other requests may change the same people at the same time.
    pub(super) async fn forget_place(
        &self,
        group: &GroupId,
        leaves: impl Fn(&str) -> bool + Send + Sync,
    ) -> Result<(), Error> {
        let mut after: Option<String> = None;
        loop {
            let people = self
                .store
                .people_out_of(group.as_str(), after.as_deref(), MAX_BATCH)
                .await?;
            for person in people.iter().filter(|person| leaves(person)) {
                self.forget_place_of(person, group).await?;
            }
            if people.len() < MAX_BATCH {
                return Ok(());
            }
            after = people.into_iter().next_back();
        }
    }

    async fn forget_place_of(&self, person: &str, group: &GroupId) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            let Some(mut known) = self.store.person(person).await? else {
                return Ok(());
            };
            let Some(removal) = &mut known.value.removal else {
                return Ok(());
            };
            let places = removal.groups.len();
            removal.groups.retain(|place| place != group.as_str());
            if removal.groups.len() == places {
                return Ok(());
            }
            let writing = self.store.put_person(person, &known.value, known.version);
            match writing.await {
                Err(state::Error::Conflict) => {}
                answer => return Ok(answer?),
            }
        }
        Err(state::Error::Conflict.into())
    }

    /// Writes down what the provider calls a group: its name as sent, with what the account made
    /// of it, and its external id. Other requests may do the same at the same time.
    async fn note_group(
        &self,
        id: &GroupId,
        mut record: Versioned<ManagedGroup>,
        named: Option<(&str, &str)>,
        external_id: &Option<Option<String>>,
    ) -> Result<Versioned<ManagedGroup>, Error> {
        for _ in 0..ATTEMPTS {
            let mut noted = record.value.clone();
            if let Some((sent, account_name)) = named {
                sent.clone_into(&mut noted.display_name);
                account_name.clone_into(&mut noted.account_name);
            }
            if let Some(external_id) = external_id {
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
                let detail = match id.parse::<GroupId>() {
                    Ok(group) => format!(
                        "member {group} is a group: groups in groups are not supported; assign \
                         the people in it instead"
                    ),
                    Err(_) => format!("there is no user {} to be a member", shortened(id)),
                };
                scim::Error::invalid_value(&detail).into()
            })
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ANN: &str = "ANNAAAAAAAAAAAAAAAAAAAAAAA";
    const BOB: &str = "BOBAAAAAAAAAAAAAAAAAAAAAAA";
    const GROUP: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_last_word_on_a_person_decides_who_is_to_be_out() {
        use GroupChange::{AddMembers, RemoveAllMembers, RemoveMembers, ReplaceMembers};
        for (changes, ann, bob) in [
            (vec![RemoveMembers(ids(&[ANN, "nobody"]))], true, false),
            (vec![AddMembers(ids(&[ANN]))], false, false),
            (vec![ReplaceMembers(ids(&[ANN]))], false, true),
            (vec![RemoveAllMembers], true, true),
            (vec![RemoveAllMembers, AddMembers(ids(&[BOB]))], true, false),
            (
                vec![ReplaceMembers(ids(&[ANN])), RemoveMembers(ids(&[ANN]))],
                true,
                true,
            ),
            (vec![GroupChange::Rename("X".to_owned())], false, false),
        ] {
            let wanted = Wanted::from_changes(changes.clone()).unwrap();
            let out = (wanted.takes_out(ANN), wanted.takes_out(BOB));
            assert_eq!(out, (ann, bob), "{changes:?}");
        }
    }

    #[test]
    fn what_is_asked_for_has_one_name() {
        use GroupChange::{ExternalId, RemoveAllMembers, Rename};
        let rename = Rename("X".to_owned());
        for (changes, action) in [
            (vec![], action::CHANGE),
            (vec![rename.clone()], action::RENAME),
            (vec![ExternalId(None)], action::EXTERNAL_ID),
            (vec![RemoveAllMembers], action::MEMBERS),
            (vec![rename, RemoveAllMembers], action::CHANGE),
        ] {
            assert_eq!(Wanted::from_changes(changes).unwrap().action(), action);
        }
    }

    #[test]
    fn a_member_that_is_a_group_is_refused_as_one() {
        let refused = |id: &str| member_ids(ids(&[ANN, id])).unwrap_err().outside;
        for (id, says) in [(GROUP, "groups in groups"), ("x", "there is no user x")] {
            let error = refused(id);
            assert_eq!(error.status, 400);
            assert!(error.detail.contains(says), "{error}");
        }
    }
}
