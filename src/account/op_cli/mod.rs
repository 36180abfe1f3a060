//! The connector that runs `op`, 1Password's published command line, and so administers real
//! accounts. It signs in with the account password: the command line takes nothing less.
//!
//! * `child`: running one command, with limits on everything.
//! * `session`: one session for all callers.
//! * `lists`: what one request need not ask for twice.
//! * `refusals`: what the command's complaints mean.
//! * `members`, `groups`: the operations.
//! * `standing`: what a set-up wants to know.
//!
//! Commands, flags and output are those of the published reference,
//! <https://developer.1password.com/docs/cli/reference>; `OP_SECRET_KEY` and `OP_DEVICE` are those of
//! programs that run `op` in public. Nothing is run before the first call, and nothing is remembered
//! between requests but the session: each request sees the account as it is then.

mod child;
mod groups;
mod lists;
mod members;
mod refusals;
mod session;
mod standing;

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{
    Account, Attempt, Changed, Editable, Error, Group, GroupId, GroupName, GroupStanding, Identity,
    Invitation, KeyFingerprint, Listing, Member, MemberEdit, MemberId, MemberState, Page, Result,
    Start, found,
};
pub use crate::onepassword::password_sign_in::SignIn;
pub use child::Program;
use child::{CHILDREN, Order};
use lists::Lists;
use session::Connection;
pub use standing::Standing;

/// How long a call may take in all, sign-in included.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// An account, administered with 1Password's command line.
pub struct OpAccount {
    connection: Connection,
    deadline: Duration,
    /// What was listed, if this is the account of one request.
    lists: Option<Lists>,
}

impl OpAccount {
    /// An account behind this sign-in. Runs nothing until it is first used; a program that is not
    /// there shows then, as [`Error::Unavailable`].
    pub fn new(sign_in: SignIn, program: Program) -> Self {
        Self {
            connection: Connection::new(sign_in, program),
            deadline: DEADLINE,
            lists: None,
        }
    }

    /// With another limit for each call.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    async fn within<T>(&self, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        tokio::time::timeout(self.deadline, call)
            .await
            .unwrap_or_else(|_| {
                Err(Error::Unavailable {
                    reason: format!("op took longer than {} s", self.deadline.as_secs_f32()),
                })
            })
    }

    async fn run(&self, order: Order) -> Result<Arc<Zeroizing<String>>> {
        match &self.lists {
            Some(lists) => lists.run(order, &self.connection).await,
            None => self.connection.run(order).await,
        }
    }

    /// Runs a command that answers in JSON.
    async fn ask<T: DeserializeOwned>(&self, order: Order) -> Result<T> {
        let name = order.name();
        let answer = self.run(order.in_json()).await?;
        serde_json::from_str(&answer)
            .map_err(|_| Error::Protocol(format!("op {name} printed something unexpected")))
    }

    /// The same for a list; one with nothing in it may come as null. Nothing at all is no list:
    /// it must not make a provider forget people.
    async fn list<T: DeserializeOwned>(&self, order: Order) -> Result<Vec<T>> {
        let list: Option<Vec<T>> = self.ask(order).await?;
        Ok(list.unwrap_or_default())
    }

    /// Runs a command that prints nothing of interest.
    async fn tell(&self, order: Order) -> Result<()> {
        self.run(order).await.map(drop)
    }

    /// Who the bridge is, without asking if that is known.
    async fn own_id(&self) -> Result<MemberId> {
        self.connection.own_id().await
    }
}

#[async_trait]
impl Account for OpAccount {
    async fn identity(&self) -> Result<Identity> {
        self.within(async {
            let (member, account) = tokio::try_join!(
                self.ask::<members::User>(Order::new("user get").set("me")),
                self.ask::<AccountDetails>(Order::new("account get")),
            )?;
            Ok(Identity {
                member: member.member_id()?,
                account_name: account.name,
                allowed_domains: Vec::new(),
            })
        })
        .await
    }

    async fn sign_out(&self) {
        // A session that is not signed out ends by itself.
        let _ = self.within(self.connection.sign_out()).await;
    }

    fn for_one_request(&self) -> Option<Arc<dyn Account>> {
        Some(Arc::new(Self {
            connection: self.connection.clone(),
            deadline: self.deadline,
            lists: Some(Lists::default()),
        }))
    }

    fn editable(&self) -> Editable {
        Editable {
            language: false,
            email: false,
        }
    }

    async fn invite(&self, person: &Invitation, attempt: &Attempt) -> Result<Member> {
        self.within(self.invite_member(person, attempt)).await
    }

    async fn member(&self, id: &MemberId) -> Result<Option<Member>> {
        self.within(self.find_member(id)).await
    }

    async fn members_by_id(&self, ids: &[MemberId]) -> Result<Vec<Member>> {
        self.within(self.find_members(ids)).await
    }

    async fn member_by_email(&self, email: &str) -> Result<Option<Member>> {
        self.within(self.find_member_by_email(email)).await
    }

    async fn members(&self, states: &[MemberState], page: &Page) -> Result<Listing<Member>> {
        self.within(self.list_members(states, page)).await
    }

    async fn edit_member(&self, id: &MemberId, edit: &MemberEdit) -> Result<Member> {
        self.within(self.change_member(id, edit)).await
    }

    async fn confirm(&self, id: &MemberId, fingerprint: &KeyFingerprint) -> Result<Member> {
        self.within(self.confirm_member(id, fingerprint)).await
    }

    async fn suspend(&self, id: &MemberId) -> Result<Member> {
        self.within(self.set_suspended(id, true)).await
    }

    async fn reactivate(&self, id: &MemberId) -> Result<Member> {
        self.within(self.set_suspended(id, false)).await
    }

    async fn delete_member(&self, id: &MemberId) -> Result<()> {
        self.within(self.remove(Order::new("user delete").about(id.as_str())))
            .await
    }

    async fn groups_of(&self, id: &MemberId) -> Result<Vec<GroupName>> {
        self.within(self.list_groups_of(id)).await
    }

    async fn create_group(&self, name: &str, attempt: &Attempt) -> Result<Group> {
        self.within(self.make_group(name, attempt)).await
    }

    async fn group(&self, id: &GroupId) -> Result<Option<Group>> {
        self.within(self.find_group(id)).await
    }

    async fn groups_by_id(&self, ids: &[GroupId]) -> Result<Vec<Group>> {
        self.within(self.find_groups(ids)).await
    }

    async fn group_by_name(&self, name: &str) -> Result<Option<Group>> {
        self.within(self.find_group_by_name(name)).await
    }

    async fn groups(&self, page: &Page) -> Result<Listing<Group>> {
        self.within(self.list_groups(page)).await
    }

    async fn rename_group(&self, id: &GroupId, name: &str) -> Result<Group> {
        self.within(self.set_group_name(id, name)).await
    }

    async fn delete_group(&self, id: &GroupId) -> Result<()> {
        self.within(self.remove(Order::new("group delete").about(id.as_str())))
            .await
    }

    async fn group_members(&self, id: &GroupId, page: &Page) -> Result<Listing<Member>> {
        self.within(self.list_group_members(id, page)).await
    }

    async fn standing(
        &self,
        group: &GroupId,
        members: &[MemberId],
    ) -> Result<Option<GroupStanding>> {
        self.within(self.find_standing(group, members)).await
    }

    async fn reaches_key(&self, group: &GroupId) -> Result<bool> {
        self.within(self.may_manage(group)).await
    }

    async fn put_in(&self, standing: &GroupStanding, members: &[MemberId]) -> Result<Changed> {
        let until = self.last_start();
        self.within(self.grant_members(standing, members, until))
            .await
    }

    async fn take_out(&self, standing: &GroupStanding, members: &[MemberId]) -> Result<Changed> {
        let until = self.last_start();
        self.within(self.revoke_members(standing, members, until))
            .await
    }
}

/// What `op account get` prints.
#[derive(Deserialize)]
struct AccountDetails {
    name: String,
}

impl OpAccount {
    /// Deletes; what is gone already is no error.
    async fn remove(&self, order: Order) -> Result<()> {
        match self.tell(order).await {
            Err(Error::NotFound(_)) => Ok(()),
            answer => answer,
        }
    }
}

/// Waits for all of these, a few at a time, in their order; the first that fails ends it.
async fn in_parallel<T>(calls: Vec<impl Future<Output = Result<T>>>) -> Result<Vec<T>> {
    stream::iter(calls).buffered(CHILDREN).try_collect().await
}

/// Cuts a page out of a list. The key of a row is its id.
fn cut<T>(mut rows: Vec<T>, page: &Page, id: impl Fn(&T) -> &str) -> Listing<T> {
    rows.sort_by(|left, right| id(left).cmp(id(right)));
    let total = rows.len();
    let start = match &page.start {
        Start::Offset(rows) => usize::try_from(*rows).unwrap_or(usize::MAX).min(total),
        Start::After(key) => rows.partition_point(|row| id(row) <= key.as_str()),
    };
    let end = start.saturating_add(page.limit).min(total);
    let items: Vec<T> = rows.drain(start..end).collect();
    let last = items.last().filter(|_| end < total);
    Listing {
        next: last.map(|row| id(row).to_owned()),
        total: total as u64,
        items,
    }
}

/// Stands for a counter of changes, which `op` has none of: another number for other content.
fn version<'a>(content: impl Iterator<Item = &'a str>) -> u64 {
    let mut hash = Sha256::new();
    for text in content {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.finalize()[..8]);
    // Some bits are left free for whoever counts on.
    u64::from_be_bytes(bytes) >> 16
}

/// A name as the account may have it.
fn checked_name(name: &str) -> Result<&str> {
    let name = name.trim();
    match name.is_empty() || name.chars().any(char::is_control) {
        true => Err(Error::InvalidValue(
            "a name is one line of text with something in it".to_owned(),
        )),
        false => Ok(name),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn rows(listing: Listing<&str>) -> (String, u64, Option<String>) {
        (listing.items.concat(), listing.total, listing.next)
    }

    #[test]
    fn pages_are_cut_in_the_order_of_ids() {
        for (start, limit, expected) in [
            (Start::Offset(0), 2, ("ab", Some("b"))),
            (Start::Offset(0), 4, ("abcd", None)),
            (Start::Offset(3), 9, ("d", None)),
            (Start::Offset(9), 9, ("", None)),
            (Start::Offset(0), 0, ("", None)),
            (Start::After("b".to_owned()), 1, ("c", Some("c"))),
            // Gone since.
            (Start::After("bb".to_owned()), 2, ("cd", None)),
            (Start::After("d".to_owned()), 2, ("", None)),
        ] {
            let page = Page { start, limit };
            let (items, next) = expected;
            let expected = (items.to_owned(), 4, next.map(str::to_owned));
            let listing = cut(vec!["c", "a", "d", "b"], &page, |row| *row);
            assert_eq!(rows(listing), expected, "{page:?}");
        }
    }

    #[test]
    fn a_version_is_of_all_the_content() {
        let of = |content: &[&str]| version(content.iter().copied());
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
        assert_ne!(of(&["a", "b"]), of(&["ab"]));
        assert_ne!(of(&["a", "b"]), of(&["b", "a"]));
    }

    #[test]
    fn a_name_is_one_line() {
        assert_eq!(checked_name(" -Finance "), Ok("-Finance"));
        for name in ["", "  ", "a\nb", "a\0b"] {
            assert!(checked_name(name).is_err(), "{name:?}");
        }
    }
}
