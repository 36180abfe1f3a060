//! Finding people.

use super::Known;
use crate::{
    account::{GroupId, MAX_BATCH, Member, MemberKind, Page, Start},
    bridge::{Bridge, Error, list::Search},
};

/// Rows whose groups are read, which may cost a request each, between two looks at the clock.
const COSTLY_BATCH: usize = 100;

/// Where those can be whom a search may find.
enum Candidates {
    /// Among all.
    Everybody,
    /// In this group.
    MembersOf(GroupId),
    /// Only these.
    These(Vec<Member>),
}

impl Bridge {
    /// Finds people one after another. What a provider asks all day is one look-up; the rest is
    /// judged page by page.
    pub(in crate::bridge) async fn find_people(
        &self,
        search: &Search,
        base: &str,
        mut found: impl FnMut(Known, &serde_json::Value) + Send,
    ) -> Result<(), Error> {
        let group = match self.candidates(search).await? {
            Candidates::These(members) => {
                return self.judge_people(members, search, base, &mut found).await;
            }
            Candidates::MembersOf(group) => Some(group),
            Candidates::Everybody => None,
        };
        let mut page = Page::first(match search.needs("groups") {
            true => COSTLY_BATCH,
            false => MAX_BATCH,
        });
        loop {
            let people = match &group {
                Some(group) => self.account.group_members(group, &page).await?,
                None => self.account.members(&[], &page).await?,
            };
            self.judge_people(people.items, search, base, &mut found)
                .await?;
            let Some(next) = people.next else {
                return Ok(());
            };
            page.start = Start::After(next);
        }
    }

    async fn judge_people(
        &self,
        mut members: Vec<Member>,
        search: &Search,
        base: &str,
        found: &mut (impl FnMut(Known, &serde_json::Value) + Send),
    ) -> Result<(), Error> {
        search.check_time()?;
        // Guests are nobody's business but the account's.
        members.retain(|member| member.kind == MemberKind::Member);
        let mut people = self.with_records(members).await?;
        if search.needs("groups") {
            self.read_groups(people.iter_mut().collect()).await?;
        }
        for known in people {
            let value = known.to_value(base, known.groups.as_deref());
            if search.matches(&value) {
                found(known, &value);
            }
        }
        Ok(())
    }

    /// The few people whom a search can find, if one of its equalities is on an index.
    async fn candidates(&self, search: &Search) -> Result<Candidates, Error> {
        let equalities = search.equalities();
        let value_of = |path: &str| {
            let equality = equalities.iter().find(|equality| equality.path.is(path))?;
            equality.value.as_str()
        };
        let mut ids: Vec<String> = Vec::new();
        let mut members = Vec::new();
        if let Some(id) = value_of("id") {
            ids.push(id.to_owned());
        } else if let Some(address) = value_of("userName") {
            members.extend(self.account.member_by_email(address).await?);
        } else if let Some(external_id) = value_of("externalId") {
            ids.extend(self.store.person_by_external_id(external_id).await?);
        } else if let Some(address) = value_of("emails.value").or(value_of("emails")) {
            // Either the address to sign in with, or one that the provider sent beside it.
            members.extend(self.account.member_by_email(address).await?);
            ids = self.store.people_by_email(address).await?;
            ids.retain(|id| {
                members
                    .iter()
                    .all(|member: &Member| member.id.as_str() != id)
            });
        } else if let Some(group) = value_of("groups.value").or(value_of("groups")) {
            if let Ok(id) = group.parse()
                && self.store.managed_group(group).await?.is_some()
            {
                return match self.account.group(&id).await? {
                    Some(_) => Ok(Candidates::MembersOf(id)),
                    None => Ok(Candidates::These(Vec::new())),
                };
            }
        } else {
            return Ok(Candidates::Everybody);
        }
        for id in ids {
            if let Ok(id) = id.parse() {
                members.extend(self.account.member(&id).await?);
            }
        }
        Ok(Candidates::These(members))
    }
}
