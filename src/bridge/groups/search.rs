//! Finding managed groups.

use super::Known;
use crate::{
    account::{self, MAX_BATCH, Member, MemberId},
    bridge::{Bridge, Error},
    scim::filter::Filter,
};

impl Bridge {
    /// The managed groups that a filter matches. Names, ids and people are look-ups; the rest is
    /// judged group by group.
    pub(super) async fn groups_matching(
        &self,
        filter: &Filter,
        base: &str,
    ) -> Result<Vec<Known>, Error> {
        let equalities = filter.equalities();
        let value_of = |path: &str| {
            let found = equalities
                .as_ref()?
                .iter()
                .find(|equality| equality.path.is(path))?;
            found.value.as_str()
        };
        let person = value_of("members.value").or(value_of("members"));
        let mut matches = Vec::new();
        let ids: Vec<String> = if let Some(id) = value_of("id") {
            vec![id.to_owned()]
        } else if let Some(name) = value_of("displayName") {
            let group = self.account.group_by_name(name).await?;
            group
                .map(|group| group.id.to_string())
                .into_iter()
                .collect()
        } else if let Some(external_id) = value_of("externalId") {
            let id = self.store.managed_group_by_external_id(external_id).await?;
            id.into_iter().collect()
        } else if let Some(person) = person {
            self.ids_of_groups_of(person).await?
        } else {
            self.ids_of_all().await?
        };
        let candidates = self.known_groups(&ids).await?;
        for known in candidates {
            let members = match (person, tests_members(filter)) {
                (Some(person), _) => self.as_member(&known, person).await?,
                (None, true) => self.all_members(&known.group.id).await?,
                (None, false) => Vec::new(),
            };
            if filter.matches(&known.to_value(base, Some(&members))) {
                matches.push(known);
            }
        }
        Ok(matches)
    }

    async fn ids_of_groups_of(&self, person: &str) -> Result<Vec<String>, Error> {
        let Ok(person) = person.parse() else {
            return Ok(Vec::new());
        };
        match self.account.groups_of(&person).await {
            Err(account::Error::NotFound(_)) => Ok(Vec::new()),
            answer => Ok(answer?.iter().map(|group| group.id.to_string()).collect()),
        }
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

    /// This person, if they belong to the group: all that a filter on one member has to see.
    async fn as_member(&self, known: &Known, person: &str) -> Result<Vec<Member>, Error> {
        let Ok(id) = person.parse::<MemberId>() else {
            return Ok(Vec::new());
        };
        if !self.account.is_member(&known.group.id, &id).await? {
            return Ok(Vec::new());
        }
        Ok(self.account.member(&id).await?.into_iter().collect())
    }
}

/// Whether a filter looks at members, so that they have to be read to judge it.
pub(super) fn tests_members(filter: &Filter) -> bool {
    let paths = filter.attributes();
    paths.iter().any(|path| path.attribute().name == "members")
}
