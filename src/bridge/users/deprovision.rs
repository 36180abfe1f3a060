//! What becomes of people whom the provider does not want any more, and of those whom it wants
//! again.
//!
//! The provider's word is written down before the account is told: nobody confirms the person
//! meanwhile, whatever the removal guard says, and a bridge that is cut off finds on the repeat what
//! is left to do.

use time::OffsetDateTime;

use super::{Bridge, Change, Deprovisioning, Known, mapping::record};
use crate::{
    account::{self, Attempt, Group, GroupId, GroupStanding, MemberId, MemberKind},
    bridge::{
        audit::{Line, change, list_change},
        confirmation::SweepError,
        guard::{Remover, Verdict, WINDOW},
    },
    state::{self, CreationKey, Person, Removal, Versioned},
};

/// How many people whose time is over are looked at together.
const BATCH: usize = 100;

impl Bridge {
    /// Takes a person out, if they are in: suspended, and whatever else the policy says.
    pub(super) async fn remove(&self, known: Known) -> Result<Known, Change> {
        let known = self.begin_removal(known).await?;
        self.finish_removal(known).await
    }

    /// Asks the guard whether a person may be taken out, and writes down that they are to be.
    pub(super) async fn begin_removal(&self, known: Known) -> Result<Known, Change> {
        known.refuse_if_protected()?;
        let id = known.member.id.clone();
        let is_in = !known.member.state.is_inactive();
        let now = OffsetDateTime::now_utc();
        let mut removal = known.removal().cloned().unwrap_or(Removal {
            since: now,
            admitted_at: None,
            groups: Vec::new(),
        });
        let mut refusal = None;
        if is_in {
            // What was admitted before has passed: somebody in the account took them in again.
            removal.admitted_at = removal.admitted_at.filter(|at| now - *at < WINDOW);
        }
        if removal.admitted_at.is_none() {
            let verdict = match is_in {
                true => {
                    self.admit_removal(id.as_str(), Remover::Provider, now)
                        .await?
                }
                // Somebody in the account has taken them out.
                false => Verdict::Admitted,
            };
            match verdict {
                Verdict::Admitted => (removal.since, removal.admitted_at) = (now, Some(now)),
                Verdict::Refused(error) => refusal = Some(error),
            }
        }
        let known = self.note_removal(known, removal).await?;
        if let Some(error) = refusal {
            let why = format!("{}: {}", known.member.email, error.outside.detail);
            self.refused("user.suspend", id.as_str(), &why).await;
            return Err(error.into());
        }
        Ok(known)
    }

    /// Does what was begun, or what is left of it.
    pub(super) async fn finish_removal(&self, mut known: Known) -> Result<Known, Change> {
        let id = known.member.id.clone();
        if !known.member.state.is_inactive() {
            known.member = self.account.suspend(&id).await?;
            self.done(Line {
                action: "user.suspend",
                target: id.as_str(),
                detail: known.member.email.clone(),
                changes: vec![change("active", Some(true), Some(false))],
            })
            .await;
        }
        match self.settings.deprovisioning {
            Deprovisioning::LeaveGroups => self.leave_groups(known).await,
            Deprovisioning::Suspend | Deprovisioning::DeleteAfter(_) => Ok(known),
        }
    }

    /// Takes a person out of the managed groups, and remembers of which.
    async fn leave_groups(&self, mut known: Known) -> Result<Known, Change> {
        // What was read before the suspension may be history.
        known.groups = None;
        self.read_groups(vec![&mut known]).await?;
        let ids = known.groups.iter().flatten().map(|group| group.id.clone());
        let ids: Vec<GroupId> = ids.collect();
        if ids.is_empty() {
            return Ok(known);
        }
        let groups = self.account.groups_by_id(&ids).await?;
        let groups = groups.into_iter().filter(|it| !it.has_account_wide_power());
        let groups: Vec<Group> = groups.collect();
        let Some(mut removal) = known.removal().cloned().filter(|_| !groups.is_empty()) else {
            return Ok(known);
        };
        let left: Vec<GroupId> = groups.iter().map(|group| group.id.clone()).collect();
        for group in &left {
            if !removal.groups.iter().any(|id| id == group.as_str()) {
                removal.groups.push(group.to_string());
            }
        }
        let mut known = self.note_removal(known, removal).await?;
        let id = std::slice::from_ref(&known.member.id);
        for group in groups {
            let standing = GroupStanding::of_members(group, vec![known.member.clone()]);
            match self.account.take_out(&standing, id).await {
                // Deleted meanwhile.
                Ok(_) | Err(account::Error::NotFound(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(groups) = &mut known.groups {
            groups.retain(|group| !left.contains(&group.id));
        }
        self.done(Line {
            action: "user.leave_groups",
            target: known.member.id.as_str(),
            detail: format!("{} groups", left.len()),
            changes: Vec::from_iter(list_change("groups", &left, &[""; 0])),
        })
        .await;
        Ok(known)
    }

    /// Takes a person in again, if they are out, and gives back what was taken from them. What is
    /// remembered of the removal goes with the record that the caller writes.
    pub(super) async fn restore(&self, mut known: Known) -> Result<Known, Change> {
        let id = known.member.id.clone();
        if known.member.state.is_inactive() {
            known.refuse_if_protected()?;
            known.member = match self.settings.deprovisioning {
                // Not while they are being deleted, nor deleted while they return.
                Deprovisioning::DeleteAfter(_) => {
                    let key = CreationKey::Return(id.to_string());
                    let back = async |_: &Attempt| Ok(self.account.reactivate(&id).await?);
                    self.create_once(key, back).await?
                }
                _ => self.account.reactivate(&id).await?,
            };
            self.done(Line {
                action: "user.reactivate",
                target: id.as_str(),
                detail: known.member.email.clone(),
                changes: vec![change("active", Some(false), Some(true))],
            })
            .await;
        }
        let places = known.removal().into_iter().flat_map(|it| &it.groups);
        let places: Vec<GroupId> = places.filter_map(|place| place.parse().ok()).collect();
        let mut returned = Vec::new();
        for group in self.only_managed(places, |id| id).await? {
            match self.put_back(&group, &id).await {
                Ok(true) => returned.push(group),
                Ok(false) => {}
                // An administrator has to look at this group; the others are not to wait for it.
                Err(error @ (account::Error::NotPermitted(_) | account::Error::Protected(_))) => {
                    let why = format!("group {group}: {error}");
                    self.refused("user.return_to_groups", id.as_str(), &why)
                        .await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if !returned.is_empty() {
            known.groups = None;
            self.done(Line {
                action: "user.return_to_groups",
                target: id.as_str(),
                detail: format!("{} groups", returned.len()),
                changes: Vec::from_iter(list_change("groups", &[""; 0], &returned)),
            })
            .await;
        }
        Ok(known)
    }

    /// Puts a person back into a group, if it is still there and a provider may do so.
    async fn put_back(&self, group: &GroupId, id: &MemberId) -> account::Result<bool> {
        let id = std::slice::from_ref(id);
        let standing = self.account.standing(group, id).await?;
        let Some(standing) = standing.filter(|it| !it.group.has_account_wide_power()) else {
            return Ok(false);
        };
        match self.account.put_in(&standing, id).await {
            Ok(_) => Ok(true),
            // Deleted meanwhile.
            Err(account::Error::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes down that the provider wants this person out.
    async fn note_removal(&self, known: Known, removal: Removal) -> Result<Known, Change> {
        if known.removal() == Some(&removal) {
            return Ok(known);
        }
        let before = match &known.person {
            Some(person) => person.value.clone(),
            // Nobody sent this person so far: what is kept is what the account knows.
            None => Person {
                invited: self.was_inviting(&known.member).await?,
                ..record(&known.to_user(), known.member.name.clone())
            },
        };
        let person = Person {
            removal: Some(removal),
            updated_at: OffsetDateTime::now_utc(),
            ..before
        };
        self.write_down(known, person).await
    }

    /// Deletes those who have been suspended for as long as the policy says, as many as the guard
    /// lets pass. If the account does not permit it they stay as they are, with a line in the log.
    ///
    /// # Errors
    /// If account or store are out of reach; the next run goes on.
    pub(in crate::bridge) async fn delete_removed(
        &self,
        now: OffsetDateTime,
    ) -> Result<usize, SweepError> {
        let Deprovisioning::DeleteAfter(period) = self.settings.deprovisioning else {
            return Ok(0);
        };
        let until = now - period;
        let mut deleted = 0;
        for text in self.store.people_removed(until, BATCH).await? {
            let Ok(id) = text.parse::<MemberId>() else {
                self.store.remove_person(&text).await?;
                continue;
            };
            let key = CreationKey::Return(text.clone());
            let deleting = self
                .create_once(key, async |_: &Attempt| {
                    Ok(self.delete_if_removed(&id, until, now).await)
                })
                .await;
            match deleting {
                Ok(Ok(Deletion::Done)) => deleted += 1,
                Ok(Ok(Deletion::NotDue)) => {}
                Ok(Ok(Deletion::NoPlace)) => break,
                // So it is for the next ones too.
                Ok(Err(SweepError::Account(
                    error @ (account::Error::NotPermitted(_) | account::Error::Unsupported(_)),
                ))) => {
                    tracing::warn!(%error, "people are not deleted, though their time is over");
                    break;
                }
                Ok(Err(error)) if error.concerns_everybody() => return Err(error),
                // Theirs alone, or they are coming back at this moment: the next run looks again.
                Ok(Err(_)) | Err(_) => tracing::warn!(member = text, "not deleted"),
            }
        }
        Ok(deleted)
    }

    async fn delete_if_removed(
        &self,
        id: &MemberId,
        until: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<Deletion, SweepError> {
        let text = id.as_str();
        let Some(known) = self.store.person(text).await? else {
            return Ok(Deletion::NotDue);
        };
        let due = known
            .value
            .removal
            .as_ref()
            .is_some_and(|removal| removal.admitted_at.is_some() && removal.since <= until);
        if !due {
            return Ok(Deletion::NotDue);
        }
        let Some(member) = self.account.member(id).await? else {
            self.store.remove_person(text).await?;
            return Ok(Deletion::NotDue);
        };
        let is_out = member.state.is_inactive();
        if !is_out || member.protected || member.kind == MemberKind::Guest {
            // Taken in again by somebody in the account, or not suspended yet: nobody to delete. That
            // the provider does not want them stays written down.
            self.forget_admission(text, known).await?;
            return Ok(Deletion::NotDue);
        }
        // Changed since, by whomever: the time begins anew.
        if member.updated_at.is_none_or(|at| at > until) {
            return Ok(Deletion::NotDue);
        }
        match self.admit_removal(text, Remover::Policy, now).await {
            Ok(Verdict::Admitted) => {}
            Ok(Verdict::Refused(_)) | Err(_) => return Ok(Deletion::NoPlace),
        }
        self.account.delete_member(id).await?;
        self.done(Line {
            action: "user.delete",
            target: text,
            detail: known.value.user_name.clone(),
            changes: vec![change(
                "userName",
                Some(known.value.user_name),
                None::<String>,
            )],
        })
        .await;
        self.store.remove_person(text).await?;
        Ok(Deletion::Done)
    }

    async fn forget_admission(
        &self,
        id: &str,
        mut known: Versioned<Person>,
    ) -> Result<(), state::Error> {
        if let Some(removal) = &mut known.value.removal {
            removal.admitted_at = None;
        }
        match self.store.put_person(id, &known.value, known.version).await {
            Err(state::Error::Conflict) => Ok(()),
            written => written,
        }
    }
}

/// What came of a person whose time is over.
enum Deletion {
    Done,
    NotDue,
    /// The guard lets nobody else pass for now.
    NoPlace,
}
