//! Finding managed groups.

use serde_json::Value;

use super::Known;
use crate::{
    account::{self, Group, GroupName, MAX_BATCH, Member, MemberId},
    bridge::{Bridge, Error, list::Search},
    scim::filter::Equality,
};

impl Bridge {
    /// Finds groups one after another. Names, ids and people are look-ups; the rest is judged
    /// group by group.
    pub(in crate::bridge) async fn find_groups(
        &self,
        search: &Search,
        base: &str,
        mut found: impl FnMut(Known, &Value) + Send,
    ) -> Result<(), Error> {
        let equalities = search.equalities();
        let value_of = |path: &str| {
            let equality = equalities.iter().find(|equality| equality.path.is(path))?;
            equality.value.as_str()
        };
        let person = value_of("members.value").or(value_of("members"));
        // That one person is all that the filter has to see, unless it says more about members.
        let on_members = |equality: &&Equality| equality.path.attribute().name == "members";
        let alone = equalities.iter().filter(on_members).count() == 1;
        let alone = person.filter(|_| alone);
        let ids: Vec<String> = if let Some(id) = value_of("id") {
            vec![id.to_owned()]
        } else if let Some(name) = value_of("displayName") {
            let Some(group) = self.account.group_by_name(name).await? else {
                return Ok(());
            };
            if alone.is_none() {
                let known = self.if_managed(group).await?;
                return self
                    .judge_groups(known, None, search, base, &mut found)
                    .await;
            }
            vec![group.id.to_string()]
        } else if let Some(external_id) = value_of("externalId") {
            let id = self.store.managed_group_by_external_id(external_id).await?;
            id.into_iter().collect()
        } else if let Some(person) = person {
            let Some((member, groups)) = self.somebody(person).await? else {
                return Ok(());
            };
            let seen = alone.map(|_| vec![member]);
            let ids: Vec<String> = groups.iter().map(|group| group.id.to_string()).collect();
            for ids in ids.chunks(MAX_BATCH) {
                let known = self.known_groups(ids).await?;
                self.judge_groups(known, seen.as_deref(), search, base, &mut found)
                    .await?;
            }
            return Ok(());
        } else {
            self.ids_of_all().await?
        };
        for ids in ids.chunks(MAX_BATCH) {
            let (known, seen) = match (alone, ids) {
                (Some(person), [id]) => self.known_beside(id, person).await?,
                _ => (self.known_groups(ids).await?, None),
            };
            self.judge_groups(known, seen.as_deref(), search, base, &mut found)
                .await?;
        }
        Ok(())
    }

    /// Judges groups; `seen` is who of the members the filter has to see, if that is known.
    async fn judge_groups(
        &self,
        groups: impl IntoIterator<Item = Known>,
        seen: Option<&[Member]>,
        search: &Search,
        base: &str,
        found: &mut (impl FnMut(Known, &Value) + Send),
    ) -> Result<(), Error> {
        search.check_time()?;
        for known in groups {
            let read;
            let members = match seen {
                Some(seen) => seen,
                None if search.needs("members") => {
                    search.check_time()?;
                    read = self.all_members(&known.group.id).await?;
                    &read
                }
                None => &[],
            };
            let value = known.to_value(base, Some(members));
            if search.matches(&value) {
                found(known, &value);
            }
        }
        Ok(())
    }

    /// A managed group, and this person if they are in it, in one look.
    async fn known_beside(
        &self,
        id: &str,
        person: &str,
    ) -> Result<(Vec<Known>, Option<Vec<Member>>), Error> {
        let nothing = (Vec::new(), None);
        let (Some(record), Ok(group)) = (self.store.managed_group(id).await?, id.parse()) else {
            return Ok(nothing);
        };
        let person: Vec<MemberId> = person.parse().into_iter().collect();
        let Some(standing) = self.account.standing(&group, &person).await? else {
            return Ok(nothing);
        };
        let inside = standing.people.into_iter().filter(|one| one.belongs);
        let known = Known {
            group: standing.group,
            record,
            members: None,
        };
        Ok((vec![known], Some(inside.map(|one| one.member).collect())))
    }

    async fn if_managed(&self, group: Group) -> Result<Option<Known>, Error> {
        let record = self.store.managed_group(group.id.as_str()).await?;
        Ok(record.map(|record| Known {
            group,
            record,
            members: None,
        }))
    }

    /// How many managed groups come before the next one after this id, in the order of the list.
    pub(in crate::bridge) async fn groups_up_to(&self, id: &str) -> Result<u64, Error> {
        if id.is_empty() {
            return Ok(0);
        }
        let ids = self.ids_of_all().await?;
        Ok(ids.iter().filter(|known| known.as_str() <= id).count() as u64)
    }

    async fn ids_of_all(&self) -> Result<Vec<String>, Error> {
        let mut all = Vec::new();
        loop {
            let offset = all.len() as u64;
            let (ids, total) = self.store.managed_groups(offset, MAX_BATCH).await?;
            let end = ids.is_empty();
            all.extend(ids);
            if end || all.len() as u64 >= total {
                return Ok(all);
            }
        }
    }

    async fn somebody(&self, id: &str) -> Result<Option<(Member, Vec<GroupName>)>, Error> {
        match id.parse() {
            Ok(id) => Ok(self.account.member_with_groups(&id).await?),
            Err(account::NotAnId) => Ok(None),
        }
    }
}
