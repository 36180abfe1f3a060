//! What becomes of people whom the provider does not want any more, and of those whom it wants
//! again.
//!
//! The provider's word is written down before the account is told: nobody confirms the person
//! meanwhile, whatever the removal guard says, and a bridge that is cut off finds on the repeat what
//! is left to do.

use time::OffsetDateTime;

use super::{Bridge, Change, Deprovisioning, Known, mapping::record};
use crate::{
    account::{self, GroupId, MemberId, MemberState},
    bridge::{confirmation::SweepError, guard::WINDOW},
    state::{self, Person, Removal, Versioned},
};

/// How many people whose time is over are looked at together.
const BATCH: usize = 100;

impl Bridge {
    /// Takes a person out, if they are in: suspended, and whatever else the policy says.
    pub(super) async fn remove(&self, known: Known) -> Result<Known, Change> {
        let is_in = !known.member.state.is_inactive();
        if is_in {
            known.refuse_if_protected()?;
        }
        let now = OffsetDateTime::now_utc();
        let mut removal = known.removal().cloned().unwrap_or(Removal {
            since: now,
            admitted_at: (!is_in).then_some(now),
            groups: Vec::new(),
        });
        // Admitted long ago and in: somebody in the account has taken them in again since.
        let admitted = removal.admitted_at.is_some_and(|at| now - at < WINDOW);
        let mut refusal = None;
        if is_in && !admitted {
            removal.admitted_at = None;
            match self.admit_removal(now).await {
                Ok(()) => (removal.since, removal.admitted_at) = (now, Some(now)),
                Err(error) => refusal = Some(error),
            }
        }
        let mut known = self.note_removal(known, removal).await?;
        if let Some(error) = refusal {
            let (id, why) = (known.member.id.as_str(), error.to_string());
            self.refused("user.suspend", id, &why).await;
            return Err(error.into());
        }
        if is_in {
            known.member = self.account.suspend(&known.member.id).await?;
            let (id, email) = (known.member.id.as_str(), known.member.email.clone());
            self.done("user.suspend", id, email).await;
        }
        match self.settings.deprovisioning {
            Deprovisioning::LeaveGroups => self.leave_groups(known).await,
            Deprovisioning::Suspend | Deprovisioning::DeleteAfter(_) => Ok(known),
        }
    }

    /// Takes a person out of the managed groups, and remembers of which.
    async fn leave_groups(&self, known: Known) -> Result<Known, Change> {
        let groups = self.groups_shown(&known.member.id).await?;
        let groups: Vec<GroupId> = groups
            .into_iter()
            .filter(|group| !group.has_account_wide_power())
            .map(|group| group.id)
            .collect();
        let Some(mut removal) = known.removal().cloned().filter(|_| !groups.is_empty()) else {
            return Ok(known);
        };
        for group in &groups {
            if !removal.groups.iter().any(|id| id == group.as_str()) {
                removal.groups.push(group.to_string());
            }
        }
        let known = self.note_removal(known, removal).await?;
        let id = std::slice::from_ref(&known.member.id);
        for group in &groups {
            self.account.revoke(group, id).await?;
        }
        let detail = format!("{} groups", groups.len());
        self.done("user.leave_groups", known.member.id.as_str(), detail)
            .await;
        Ok(known)
    }

    /// Takes a person in again, if they are out, and gives back what was taken from them. What is
    /// remembered of the removal goes with the record that the caller writes.
    pub(super) async fn restore(&self, mut known: Known) -> Result<Known, Change> {
        let id = known.member.id.clone();
        if known.member.state.is_inactive() {
            known.refuse_if_protected()?;
            known.member = self.account.reactivate(&id).await?;
            let email = known.member.email.clone();
            self.done("user.reactivate", id.as_str(), email).await;
        }
        let groups = known.removal().map(|removal| removal.groups.clone());
        let groups = self.still_managed(&groups.unwrap_or_default()).await?;
        for group in &groups {
            match self.account.grant(group, std::slice::from_ref(&id)).await {
                // Deleted meanwhile.
                Ok(_) | Err(account::Error::NotFound(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if !groups.is_empty() {
            let detail = format!("{} groups", groups.len());
            self.done("user.return_to_groups", id.as_str(), detail)
                .await;
        }
        Ok(known)
    }

    /// Those of the groups that a provider may put people into.
    async fn still_managed(&self, groups: &[String]) -> Result<Vec<GroupId>, Change> {
        let ids: Vec<GroupId> = groups.iter().filter_map(|id| id.parse().ok()).collect();
        if ids.is_empty() {
            return Ok(ids);
        }
        let groups = self.account.groups_by_id(&ids).await?;
        let groups = self.only_managed(groups).await?;
        Ok(groups
            .into_iter()
            .filter(|group| !group.has_account_wide_power())
            .map(|group| group.id)
            .collect())
    }

    /// Writes down that the provider wants this person out.
    async fn note_removal(&self, mut known: Known, removal: Removal) -> Result<Known, Change> {
        if known.removal() == Some(&removal) {
            return Ok(known);
        }
        let (before, version) = match known.person.take() {
            Some(person) => (person.value, person.version),
            // Nobody sent this person so far: what is kept is what the account knows.
            None => (record(&known.to_user(), known.member.name.clone()), 0),
        };
        let person = Person {
            removal: Some(removal),
            updated_at: OffsetDateTime::now_utc(),
            ..before
        };
        let id = known.member.id.as_str();
        match self.store.put_person(id, &person, version).await {
            Err(state::Error::Conflict) => Err(Change::Conflict),
            Err(error) => Err(error.into()),
            Ok(()) => {
                known.person = Some(Versioned {
                    value: person,
                    version: version + 1,
                });
                Ok(known)
            }
        }
    }

    /// Deletes those who have been suspended for as long as the policy says. If the account does
    /// not permit it they stay as they are, with a line in the log.
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
        let mut deleted = 0;
        for id in self.store.people_removed(now - period, BATCH).await? {
            let Some(person) = self.store.person(&id).await? else {
                continue;
            };
            let Ok(member) = id.parse::<MemberId>() else {
                self.store.remove_person(&id).await?;
                continue;
            };
            match self.delete_if_removed(&member, person).await {
                Ok(gone) => deleted += usize::from(gone),
                // So it is for the next ones too.
                Err(SweepError::Account(
                    error @ (account::Error::NotPermitted(_) | account::Error::Unsupported(_)),
                )) => {
                    tracing::warn!(%error, "people are not deleted, though their time is over");
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(deleted)
    }

    async fn delete_if_removed(
        &self,
        id: &MemberId,
        person: Versioned<Person>,
    ) -> Result<bool, SweepError> {
        let text = id.as_str();
        match self.account.member(id).await?.map(|member| member.state) {
            Some(MemberState::Suspended | MemberState::TransferSuspended) => {}
            None | Some(MemberState::Deleted) => {
                self.store.remove_person(text).await?;
                return Ok(false);
            }
            // Somebody in the account has taken them in again: that is the later word.
            Some(_) => {
                let kept = Person {
                    removal: None,
                    ..person.value
                };
                return match self.store.put_person(text, &kept, person.version).await {
                    Ok(()) | Err(state::Error::Conflict) => Ok(false),
                    Err(error) => Err(error.into()),
                };
            }
        }
        self.account.delete_member(id).await?;
        self.store.remove_person(text).await?;
        self.done("user.delete", text, person.value.user_name).await;
        Ok(true)
    }
}
