//! Finding managed groups.

use serde_json::Value;

use super::Known;
use crate::{
    account::{self, MAX_BATCH, Member},
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
        let mut are_theirs = false;
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
            are_theirs = true;
            self.ids_of_groups_of(person).await?
        } else {
            self.ids_of_all().await?
        };
        // That one person is all that the filter has to see, unless it says more about members.
        let on_members = |equality: &&Equality| equality.path.attribute().name == "members";
        let person = match person {
            Some(person) if equalities.iter().filter(on_members).count() == 1 => {
                Some(self.somebody(person).await?)
            }
            _ => None,
        };
        for ids in ids.chunks(MAX_BATCH) {
            search.check_time()?;
            for known in self.known_groups(ids).await? {
                let members = match &person {
                    Some(Some(person))
                        if are_theirs
                            || self.account.is_member(&known.group.id, &person.id).await? =>
                    {
                        vec![person.clone()]
                    }
                    Some(_) => Vec::new(),
                    None if search.needs("members") => {
                        search.check_time()?;
                        self.all_members(&known.group.id).await?
                    }
                    None => Vec::new(),
                };
                let value = known.to_value(base, Some(&members));
                if search.matches(&value) {
                    found(known, &value);
                }
            }
        }
        Ok(())
    }

    /// How many managed groups come before the next one after this id, in the order of the list.
    pub(in crate::bridge) async fn groups_up_to(&self, id: &str) -> Result<u64, Error> {
        if id.is_empty() {
            return Ok(0);
        }
        let ids = self.ids_of_all().await?;
        Ok(ids.iter().filter(|known| known.as_str() <= id).count() as u64)
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

    async fn somebody(&self, id: &str) -> Result<Option<Member>, Error> {
        match id.parse() {
            Ok(id) => Ok(self.account.member(&id).await?),
            Err(account::NotAnId) => Ok(None),
        }
    }
}
