//! Groups and memberships.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use serde::Deserialize;

use super::{
    CHILDREN, OpAccount, Order, checked_name, cut, found, in_parallel,
    members::{User, time},
    version,
};
use crate::account::{
    Attempt, Belonging, Changed, Error, Group, GroupId, GroupName, GroupStanding, Listing,
    MemberId, Page, Result,
};

/// How many groups a page has: each costs two commands.
const GROUPS_PER_PAGE: usize = 24;
/// How long before its end a grant or a revocation begins nothing more.
const MARGIN: Duration = Duration::from_secs(5);

/// A group as `op` prints it: a list leaves type, permissions and the time of change out.
#[derive(Deserialize)]
struct Found {
    id: String,
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    state: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    permissions: Vec<String>,
    created_at: Option<String>,
    updated_at: Option<String>,
}

impl Found {
    fn group_id(&self) -> Result<GroupId> {
        self.id
            .parse()
            .map_err(|_| Error::Protocol(format!("{:?} is no id of a group", self.id)))
    }

    /// The group with these ids in it.
    fn with_members(self, members: &BTreeSet<String>) -> Result<Group> {
        let created_at = time(self.created_at.as_deref()).ok_or_else(|| {
            Error::Protocol(format!("the group {:?} has no time of creation", self.name))
        })?;
        let content = [&self.id, &self.name].into_iter().chain(members);
        Ok(Group {
            id: self.group_id()?,
            version: version(content.map(String::as_str)),
            permissions: self.permissions.iter().map(|text| right(text)).collect(),
            built_in: self.kind != "USER_DEFINED",
            member_count: members.len() as u64,
            updated_at: time(self.updated_at.as_deref()).unwrap_or(created_at),
            created_at,
            name: self.name,
        })
    }
}

/// A right under its published name, however a version prints it: `Manage Groups` as
/// `MANAGE_GROUPS`.
fn right(text: &str) -> String {
    text.to_uppercase().replace(' ', "_")
}

/// What a group is described as from its creation on: by it a repeat knows its own.
fn mark(attempt: &Attempt) -> String {
    format!("Made by scim-bridge, request {}", attempt.as_str())
}

impl OpAccount {
    /// When a call that begins now begins its last command.
    pub(super) fn last_start(&self) -> Instant {
        Instant::now() + self.deadline.saturating_sub(MARGIN)
    }

    /// One group with what it may and who is in it: two commands.
    pub(super) async fn find_group(&self, id: &GroupId) -> Result<Option<Group>> {
        Ok(self.look_at(id).await?.map(|(group, _)| group))
    }

    async fn look_at(&self, id: &GroupId) -> Result<Option<(Group, Vec<User>)>> {
        let order = Order::new("group get").about(id.as_str());
        let (group, members) = tokio::join!(self.ask::<Found>(order), self.users_in(id));
        let group = match found(group) {
            // An error worded in another way: the list decides.
            Err(error @ Error::Protocol(_)) => {
                let all = self.all_groups().await?;
                match all.iter().any(|group| group.id == id.as_str()) {
                    true => return Err(error),
                    false => None,
                }
            }
            answer => answer?,
        };
        // It finds groups by their names too.
        let same = |group: &Found| group.id == id.as_str() && group.state != "DELETED";
        let Some(group) = group.filter(same) else {
            return Ok(None);
        };
        let Some(members) = found(members)? else {
            return Ok(None);
        };
        let ids = members.iter().map(User::member_id);
        let ids = ids.map(|id| Ok(id?.to_string()));
        let group = group.with_members(&ids.collect::<Result<_>>()?)?;
        Ok(Some((group, members)))
    }

    /// A group, and how people stand to it: two commands, and one more if somebody is not in it.
    pub(super) async fn find_standing(
        &self,
        id: &GroupId,
        members: &[MemberId],
    ) -> Result<Option<GroupStanding>> {
        let Some((group, inside)) = self.look_at(id).await? else {
            return Ok(None);
        };
        let mut wanted: BTreeSet<&str> = members.iter().map(MemberId::as_str).collect();
        let mut people = Vec::with_capacity(wanted.len());
        let mut take = |users: Vec<User>, belongs: bool| {
            for user in users {
                if wanted.remove(user.member_id()?.as_str()) {
                    people.push(Belonging {
                        member: user.into_member(|_| false)?,
                        belongs,
                        key: None,
                    });
                }
            }
            Ok(!wanted.is_empty())
        };
        if take(inside, true)? {
            take(self.users().await?, false)?;
        }
        Ok(Some(GroupStanding { group, people }))
    }

    pub(super) async fn find_groups(&self, ids: &[GroupId]) -> Result<Vec<Group>> {
        let look_ups = ids.iter().map(|id| self.find_group(id)).collect();
        Ok(in_parallel(look_ups).await?.into_iter().flatten().collect())
    }

    /// One group by name: three commands, because a name could be taken for an id, and upper case
    /// for another name.
    pub(super) async fn find_group_by_name(&self, name: &str) -> Result<Option<Group>> {
        match self.named(name).await? {
            Some(group) => self.find_group(&group.group_id()?).await,
            None => Ok(None),
        }
    }

    pub(super) async fn list_groups(&self, page: &Page) -> Result<Listing<Group>> {
        let page = Page {
            limit: page.limit.min(GROUPS_PER_PAGE),
            ..page.clone()
        };
        let all = self.all_groups().await?;
        let Listing { items, total, next } = cut(all, &page, |group| &group.id);
        let ids = items.iter().map(Found::group_id);
        let ids = ids.collect::<Result<Vec<_>>>()?;
        Ok(Listing {
            items: self.find_groups(&ids).await?,
            total,
            next,
        })
    }

    /// The groups of a person: one command.
    pub(super) async fn list_groups_of(&self, member: &MemberId) -> Result<Vec<GroupName>> {
        let order = Order::new("group list").with("user", member.as_str());
        let groups: Vec<Found> = self.list(order).await?;
        groups
            .into_iter()
            .map(|group| {
                Ok(GroupName {
                    id: group.group_id()?,
                    name: group.name,
                })
            })
            .collect()
    }

    /// Makes a group that carries the name of the attempt, by which a repeat knows it. The account
    /// itself takes a name twice; we do not.
    pub(super) async fn make_group(&self, name: &str, attempt: &Attempt) -> Result<Group> {
        let name = checked_name(name)?;
        let mark = mark(attempt);
        if let Some(group) = self.named(name).await? {
            return match group.description == mark {
                true => self.present_group(&group.group_id()?).await,
                false => Err(Error::GroupNameTaken),
            };
        }
        let order = Order::new("group create").with("description", &mark);
        let made: Found = self.ask(order.about(name)).await?;
        made.with_members(&BTreeSet::new())
    }

    pub(super) async fn set_group_name(&self, id: &GroupId, name: &str) -> Result<Group> {
        let name = checked_name(name)?;
        if let Some(other) = self.named(name).await?
            && other.id != id.as_str()
        {
            return Err(Error::GroupNameTaken);
        }
        let order = Order::new("group edit").with("name", name);
        self.tell(order.about(id.as_str())).await?;
        self.present_group(id).await
    }

    /// A page of those in a group: three commands, of which two say who of them is protected.
    pub(super) async fn list_group_members(
        &self,
        id: &GroupId,
        page: &Page,
    ) -> Result<Listing<crate::account::Member>> {
        let own = self.own_id().await?;
        let (users, administrators) = tokio::try_join!(self.users_in(id), self.administrators())?;
        let users: Vec<(String, User)> = users
            .into_iter()
            .map(|user| Ok((user.member_id()?.to_string(), user)))
            .collect::<Result<_>>()?;
        let Listing { items, total, next } = cut(users, page, |(id, _)| id);
        let is_protected = |id: &MemberId| administrators.contains(id) || *id == own;
        let items = items
            .into_iter()
            .map(|(_, user)| user.into_member(is_protected));
        Ok(Listing {
            items: items.collect::<Result<_>>()?,
            total,
            next,
        })
    }

    /// Whether the bridge may let people into a group: it manages it, or manages all.
    pub(super) async fn may_manage(&self, id: &GroupId) -> Result<bool> {
        let own = self.own_id().await?;
        let users: Vec<User> = self.list(everybody_in(id)).await?;
        for user in users {
            if user.member_id()? == own && user.role.as_deref() == Some("MANAGER") {
                return Ok(true);
            }
        }
        let groups = self.list_groups_of(&own).await?;
        let rights = groups.iter().map(|group| self.rights_of(&group.id));
        let rights = in_parallel(rights.collect()).await?;
        Ok(rights
            .iter()
            .flatten()
            .any(|right| right == "MANAGE_GROUPS"))
    }

    /// What members of a group may do: one command.
    pub(super) async fn rights_of(&self, id: &GroupId) -> Result<Vec<String>> {
        let order = Order::new("group get").about(id.as_str());
        let group: Found = self.ask(order).await?;
        Ok(group.permissions.iter().map(|text| right(text)).collect())
    }

    /// Lets people in, each with a command. Those before a failure stay in.
    pub(super) async fn grant_members(
        &self,
        standing: &GroupStanding,
        members: &[MemberId],
        until: Instant,
    ) -> Result<Changed> {
        standing.check_known(members)?;
        let group = &standing.group.id;
        let own = self.own_id().await?;
        let outside = standing.among(members, false).into_iter();
        let outside = outside.map(|one| &one.member.id).filter(|id| **id != own);
        let changes = outside.map(|id| async move {
            let order = Order::new("group user grant")
                .with("group", group.as_str())
                .with("user", id.as_str())
                .with("role", "member");
            match self.tell(order).await {
                Err(Error::NotFound("member")) => Err(Error::UnknownMembers(vec![id.clone()])),
                // Somebody else was quicker.
                Err(Error::GroupNameTaken) => Ok(()),
                answer => answer,
            }
        });
        let granted = do_all(changes.collect(), until).await?;
        Ok(changed(standing, granted))
    }

    /// Takes people out, each with a command. Those before a failure stay out.
    pub(super) async fn revoke_members(
        &self,
        standing: &GroupStanding,
        members: &[MemberId],
        until: Instant,
    ) -> Result<Changed> {
        let group = &standing.group.id;
        let leaving = standing.among(members, true).into_iter();
        let leaving = leaving.map(|one| &one.member.id);
        let changes = leaving.map(|id| async move {
            let order = Order::new("group user revoke")
                .with("group", group.as_str())
                .with("user", id.as_str());
            match self.tell(order).await {
                Err(Error::NotFound("member")) => Ok(()),
                answer => answer,
            }
        });
        let revoked = do_all(changes.collect(), until).await?;
        Ok(changed(standing, revoked))
    }

    async fn present_group(&self, id: &GroupId) -> Result<Group> {
        let group = self.find_group(id).await?;
        group.ok_or(Error::NotFound("group"))
    }

    async fn all_groups(&self) -> Result<Vec<Found>> {
        let mut all: Vec<Found> = self.list(Order::new("group list")).await?;
        all.retain(|group| group.state != "DELETED");
        Ok(all)
    }

    async fn named(&self, name: &str) -> Result<Option<Found>> {
        let name = name.trim().to_lowercase();
        let mut all = self.all_groups().await?.into_iter();
        Ok(all.find(|group| group.name.trim().to_lowercase() == name))
    }

    /// Who is in a group. The bridge itself manages each group that it made, and is not a member in
    /// a provider's sense.
    async fn users_in(&self, id: &GroupId) -> Result<Vec<User>> {
        let own = self.own_id().await?;
        let mut users: Vec<User> = self.list(everybody_in(id)).await?;
        users.retain(|user| user.member_id().as_ref() != Ok(&own));
        Ok(users)
    }
}

fn everybody_in(id: &GroupId) -> Order {
    Order::new("group user list").about(id.as_str())
}

/// Does all of these, a few at a time, and returns how many there were. After a failure, or once
/// the time is over, nothing more is begun, and what is under way is waited for: a repeat finds
/// what is left.
async fn do_all(changes: Vec<impl Future<Output = Result<()>>>, until: Instant) -> Result<usize> {
    let all = changes.len();
    let (done, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut failure = None;
    let mut under_way = stream::iter(changes)
        .map(|change| async {
            if stopped.load(Ordering::Relaxed) || Instant::now() >= until {
                return Ok(());
            }
            let answer = change.await;
            match &answer {
                Ok(()) => drop(done.fetch_add(1, Ordering::Relaxed)),
                Err(_) => stopped.store(true, Ordering::Relaxed),
            }
            answer
        })
        .buffer_unordered(CHILDREN);
    while let Some(answer) = under_way.next().await {
        failure = failure.or(answer.err());
    }
    drop(under_way);
    let done = done.into_inner();
    match failure {
        Some(error) => {
            tracing::warn!(%error, done, all, "not all memberships were changed");
            Err(error)
        }
        None if done < all => Err(Error::Unavailable {
            reason: format!(
                "{done} of {all} memberships were changed in time: the rest follows when the \
                 request comes again"
            ),
        }),
        None => Ok(done),
    }
}

/// What a change came to. The commands say nothing of the group.
fn changed(standing: &GroupStanding, count: usize) -> Changed {
    match count {
        0 => standing.unchanged(),
        _ => Changed { count, group: None },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const GROUP: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn group(kind: &str, permissions: &str) -> Group {
        let text = format!(
            r#"{{"id": "{GROUP}", "name": "G", "type": "{kind}", "permissions": {permissions},
                "created_at": "2022-01-02T03:04:05Z"}}"#
        );
        let found: Found = serde_json::from_str(&text).unwrap();
        found.with_members(&BTreeSet::new()).unwrap()
    }

    #[test]
    fn power_over_the_account_is_told_by_type_and_rights() {
        for (kind, permissions, powerful) in [
            ("USER_DEFINED", "[]", false),
            ("USER_DEFINED", r#"["CREATE_VAULTS", "VIEW_PEOPLE"]"#, false),
            ("USER_DEFINED", r#"["Manage Groups"]"#, true),
            ("USER_DEFINED", r#"["RECOVER_ACCOUNTS"]"#, true),
            ("USER_DEFINED", r#"["ADD_PERSON"]"#, true),
            ("TEAM_MEMBERS", "[]", true),
            ("SECURITY", "[]", true),
            ("", "[]", true),
        ] {
            let group = group(kind, permissions);
            let found = group.has_account_wide_power();
            assert_eq!(found, powerful, "{kind} {permissions}");
        }
    }

    #[test]
    fn who_is_in_changes_the_version() {
        let found = || {
            serde_json::from_str::<Found>(&format!(
                r#"{{"id": "{GROUP}", "name": "G", "created_at": "2022-01-02T03:04:05Z"}}"#
            ))
            .unwrap()
        };
        let nobody = found().with_members(&BTreeSet::new()).unwrap();
        let ann = found().with_members(&["ANN".to_owned()].into()).unwrap();
        assert_ne!(nobody.version, ann.version);
        assert_eq!((nobody.member_count, ann.member_count), (0, 1));
    }

    #[tokio::test]
    async fn a_failure_begins_nothing_more_and_time_has_an_end() {
        let begun = AtomicUsize::new(0);
        let change = async || match begun.fetch_add(1, Ordering::Relaxed) {
            3 => Err(Error::Changing),
            _ => Ok(()),
        };
        let changes = || (0..32).map(|_| change()).collect();
        let later = Instant::now() + Duration::from_secs(60);
        assert_eq!(do_all(changes(), later).await, Err(Error::Changing));
        assert!(begun.swap(0, Ordering::Relaxed) <= 3 + CHILDREN);

        let late = do_all(changes(), Instant::now()).await;
        assert!(matches!(late, Err(Error::Unavailable { .. })), "{late:?}");
        assert_eq!(begun.load(Ordering::Relaxed), 0);
    }
}
