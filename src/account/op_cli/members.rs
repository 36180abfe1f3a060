//! People.

use std::collections::HashSet;

use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{OpAccount, Order, checked_name, cut, found, in_parallel, version};
use crate::account::{
    Attempt, Error, Invitation, KeyFingerprint, Listing, Member, MemberEdit, MemberId, MemberKind,
    MemberState, Page, Result,
};

/// So many people are looked up one by one; for more the list is read.
const LOOK_UPS: usize = 8;
/// How many public keys are asked for with one page of people who wait.
const KEYS_PER_PAGE: usize = 48;
/// The groups whose members a provider may not touch. Their names cannot be changed.
pub(super) const ADMINISTRATORS: [&str; 2] = ["Owners", "Administrators"];

/// A person as `op` prints them: `user list` leaves the times out, and only a group's list has a
/// role.
#[derive(Deserialize)]
pub(super) struct User {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    state: String,
    created_at: Option<String>,
    updated_at: Option<String>,
    pub(super) role: Option<String>,
}

impl User {
    pub(super) fn member_id(&self) -> Result<MemberId> {
        self.id
            .parse()
            .map_err(|_| Error::Protocol(format!("{:?} is no id of a person", self.id)))
    }

    fn is_member(&self) -> bool {
        self.kind == "MEMBER"
    }

    fn state(&self) -> MemberState {
        MemberState::from_name(&self.state)
    }

    /// The person, who may be one of the protected.
    pub(super) fn into_member(self, is_protected: impl Fn(&MemberId) -> bool) -> Result<Member> {
        let id = self.member_id()?;
        let content = [&self.id, &self.name, &self.email, &self.state];
        Ok(Member {
            version: version(content.into_iter().map(String::as_str)),
            protected: is_protected(&id),
            state: self.state(),
            // Whatever else there is, a provider has no business with it either.
            kind: match self.is_member() {
                true => MemberKind::Member,
                false => MemberKind::Guest,
            },
            created_at: time(self.created_at.as_deref()),
            updated_at: time(self.updated_at.as_deref()),
            id,
            email: self.email,
            pending_email: None,
            name: self.name,
            language: None,
            key_fingerprint: None,
        })
    }
}

/// A time; none if it is missing, or the year 1, with which `op` says that it does not know.
pub(super) fn time(text: Option<&str>) -> Option<OffsetDateTime> {
    let time = OffsetDateTime::parse(text?, &Rfc3339).ok()?;
    (time.year() > 1).then_some(time)
}

/// Whether somebody has not been in yet.
fn is_on_the_way(state: MemberState) -> bool {
    use MemberState::{TransferPending, TransferStarted, TransferSuspended};
    waits(state) || matches!(state, TransferStarted | TransferPending | TransferSuspended)
}

/// Whether a member waits, and so has a key that will be asked about.
fn waits(state: MemberState) -> bool {
    matches!(state, MemberState::TransferAccepted | MemberState::Pending)
}

impl OpAccount {
    /// Looks the address up first, because `op` has no names for attempts.
    pub(super) async fn invite_member(
        &self,
        person: &Invitation,
        attempt: &Attempt,
    ) -> Result<Member> {
        let email = person.email.trim();
        if !is_address(email) {
            return Err(Error::InvalidValue(format!(
                "{email:?} is not an e-mail address"
            )));
        }
        let name = checked_name(&person.name)?;
        if let Some(member) = self.find_member_by_email(email).await? {
            let ours =
                attempt.is_repeat() && !member.has_signed_up() && !member.state.is_inactive();
            return match ours && member.name == name {
                true => Ok(member),
                false => Err(Error::EmailTaken),
            };
        }
        let mut order = Order::new("user provision")
            .with("email", email)
            .with("name", name);
        if let Some(language) = &person.language {
            order = order.with("language", language);
        }
        let made: User = self.ask(order).await.map_err(|error| match error {
            Error::DomainNotAllowed { .. } => Error::DomainNotAllowed {
                domain: email.rsplit('@').next().unwrap_or_default().to_owned(),
            },
            other => other,
        })?;
        made.into_member(|_| false)
    }

    /// One person, with their key if they wait, and whether they are protected: two commands, or
    /// three.
    pub(super) async fn find_member(&self, id: &MemberId) -> Result<Option<Member>> {
        let own = self.own_id().await?;
        let (user, groups) = tokio::join!(self.user(id.as_str()), self.list_groups_of(id));
        let Some(user) = user?.filter(|user| user.state() != MemberState::Deleted) else {
            return Ok(None);
        };
        let groups = match groups {
            // Whoever has not joined yet may be nobody to it. Of the others it would mean that
            // owners are not known.
            Err(Error::NotFound(_)) if is_on_the_way(user.state()) => Vec::new(),
            groups => groups?,
        };
        let administers = groups
            .iter()
            .any(|group| ADMINISTRATORS.contains(&group.name.as_str()));
        let member = user.into_member(|id| administers || *id == own)?;
        self.with_key(member).await.map(Some)
    }

    pub(super) async fn find_members(&self, ids: &[MemberId]) -> Result<Vec<Member>> {
        if ids.len() <= LOOK_UPS {
            let look_ups = ids.iter().map(|id| self.find_member(id)).collect();
            return Ok(in_parallel(look_ups).await?.into_iter().flatten().collect());
        }
        let own = self.own_id().await?;
        let wanted: HashSet<&str> = ids.iter().map(MemberId::as_str).collect();
        let (users, administrators) = tokio::try_join!(self.users(), self.administrators())?;
        let users = users.into_iter().filter(|user| {
            wanted.contains(user.id.as_str()) && user.state() != MemberState::Deleted
        });
        let is_protected = |id: &MemberId| administrators.contains(id) || *id == own;
        let members = users.map(|user| user.into_member(is_protected));
        let members = members.collect::<Result<Vec<_>>>()?;
        let mut members = self.with_keys(members).await?;
        let place = |member: &Member| ids.iter().position(|id| *id == member.id);
        members.sort_by_cached_key(place);
        Ok(members)
    }

    /// One person by address, at the cost of one command.
    pub(super) async fn find_member_by_email(&self, email: &str) -> Result<Option<Member>> {
        if !is_address(email) {
            return Ok(None);
        }
        let own = self.own_id().await?;
        let user = self
            .user(email)
            .await?
            .filter(|user| user.state() != MemberState::Deleted);
        user.map(|user| user.into_member(|id| *id == own))
            .transpose()
    }

    /// A page of people. Keys are asked for only where those who wait are: they cost a command
    /// each, so such a page is short.
    pub(super) async fn list_members(
        &self,
        states: &[MemberState],
        page: &Page,
    ) -> Result<Listing<Member>> {
        let own = self.own_id().await?;
        let wanted = |user: &User| match states {
            [] => user.state() != MemberState::Deleted,
            states => states.contains(&user.state()),
        };
        let users = self.users().await?.into_iter();
        let users: Vec<User> = users
            .filter(|user| user.is_member() && wanted(user))
            .collect();
        let with_keys = states.iter().any(|state| waits(*state));
        let page = match with_keys {
            true => Page {
                limit: page.limit.min(KEYS_PER_PAGE),
                ..page.clone()
            },
            false => page.clone(),
        };
        let Listing { items, total, next } = cut(users, &page, |user| &user.id);
        let items = items
            .into_iter()
            .map(|user| user.into_member(|id| *id == own));
        let mut items = items.collect::<Result<Vec<_>>>()?;
        if with_keys {
            items = self.with_keys(items).await?;
        }
        Ok(Listing { items, total, next })
    }

    pub(super) async fn change_member(&self, id: &MemberId, edit: &MemberEdit) -> Result<Member> {
        if edit.email.is_some() || edit.language.is_some() {
            return Err(Error::Unsupported(
                "1Password's command line changes neither addresses nor languages".to_owned(),
            ));
        }
        if let Some(name) = &edit.name {
            let order = Order::new("user edit").with("name", checked_name(name)?);
            self.tell(order.about(id.as_str())).await?;
        }
        self.present(id).await
    }

    /// Suspends or reactivates. If that is refused because it is so already, it is done.
    pub(super) async fn set_suspended(&self, id: &MemberId, suspended: bool) -> Result<Member> {
        let order = Order::new(match suspended {
            true => "user suspend",
            false => "user reactivate",
        });
        let done = self.tell(order.about(id.as_str())).await;
        match done {
            Ok(()) => self.present(id).await,
            Err(Error::WrongState(_) | Error::Protocol(_)) => {
                let member = self.present(id).await?;
                match member.state.is_inactive() == suspended {
                    true => Ok(member),
                    false => done.and(Err(Error::WrongState(member.state))),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Confirms whom we have just seen with the right key: `op` does not take a fingerprint, so
    /// this is as close as it can be.
    pub(super) async fn confirm_member(
        &self,
        id: &MemberId,
        fingerprint: &KeyFingerprint,
    ) -> Result<Member> {
        let member = self.with_key(self.present(id).await?).await?;
        if !waits(member.state) {
            return Err(Error::WrongState(member.state));
        }
        if member.key_fingerprint.as_ref() != Some(fingerprint) {
            return Err(Error::KeyChanged);
        }
        match self
            .tell(Order::new("user confirm").about(id.as_str()))
            .await
        {
            Err(Error::WrongState(_)) => Err(Error::WrongState(self.present(id).await?.state)),
            done => {
                done?;
                self.present(id).await
            }
        }
    }

    /// Everybody in the account.
    pub(super) async fn users(&self) -> Result<Vec<User>> {
        self.list(Order::new("user list")).await
    }

    /// Owners and administrators. If one of the two groups is not there under its name, nobody
    /// knows whom a provider may touch.
    pub(super) async fn administrators(&self) -> Result<HashSet<MemberId>> {
        let lists = ADMINISTRATORS.map(|group| async move {
            let order = Order::new("user list").with("group", group);
            match self.list::<User>(order).await {
                Err(Error::NotFound(_)) => Err(Error::Protocol(format!(
                    "the account shows no group {group}, whose members no provider may touch"
                ))),
                users => users,
            }
        });
        let lists = in_parallel(lists.into()).await?;
        let users = lists.into_iter().flatten();
        users.map(|user| user.member_id()).collect()
    }

    /// Somebody who has to be there.
    async fn present(&self, id: &MemberId) -> Result<Member> {
        let own = self.own_id().await?;
        let user = self.user(id.as_str()).await?;
        let user = user.ok_or(Error::NotFound("member"))?;
        user.into_member(|id| *id == own)
    }

    /// One person by id or address. If what `op` says is not understood, the list decides whether
    /// there is nobody: an error that is worded in another way must not stop all provisioning, nor
    /// make a provider forget people.
    async fn user(&self, who: &str) -> Result<Option<User>> {
        let same = |user: &User| user.id == who || user.email.to_lowercase() == who.to_lowercase();
        match found(self.ask(Order::new("user get").about(who)).await) {
            Err(error @ Error::Protocol(_)) => match self.users().await?.iter().any(same) {
                true => Err(error),
                false => Ok(None),
            },
            // It finds people by their names too.
            answer => Ok(answer?.filter(same)),
        }
    }

    async fn with_keys(&self, members: Vec<Member>) -> Result<Vec<Member>> {
        let members = members.into_iter().map(|member| self.with_key(member));
        in_parallel(members.collect()).await
    }

    async fn with_key(&self, member: Member) -> Result<Member> {
        if !waits(member.state) {
            return Ok(member);
        }
        let order = Order::new("user get").set("fingerprint");
        let answer = self.run(order.about(member.id.as_str())).await;
        let problem = match answer {
            Ok(answer) => {
                let text = answer.trim();
                if !text.is_empty() && !text.contains(char::is_control) {
                    let key_fingerprint = Some(KeyFingerprint::new(text));
                    return Ok(Member {
                        key_fingerprint,
                        ..member
                    });
                }
                "it printed none".to_owned()
            }
            Err(
                error @ (Error::Protocol(_)
                | Error::NotFound(_)
                | Error::NotPermitted(_)
                | Error::WrongState(_)),
            ) => error.to_string(),
            Err(error) => return Err(error),
        };
        // One of them must not be in the way of all others. Without a fingerprint nobody is
        // confirmed.
        let member_id = member.id.as_str();
        tracing::warn!(member = member_id, problem, "op shows no fingerprint");
        Ok(member)
    }
}

/// Whether `op` can be asked about this as an address and nothing else.
fn is_address(text: &str) -> bool {
    let parts: Vec<&str> = text.split('@').collect();
    let part = |part: &str| {
        !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    matches!(parts.as_slice(), [local, domain] if part(local) && part(domain))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ID: &str = "ANNAAAAAAAAAAAAAAAAAAAAAAA";

    fn user(more: &str) -> User {
        let text = format!(r#"{{"id": "{ID}", "name": "Ann", "email": "a@b", {more}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn lists_and_look_ups_show_the_same_person() {
        let listed = user(r#""type": "MEMBER", "state": "ACTIVE""#);
        let looked_up = user(
            r#""type": "MEMBER", "state": "ACTIVE", "created_at": "2022-01-02T03:04:05Z",
               "updated_at": "2022-01-02T03:04:05Z", "last_auth_at": null, "news": 1"#,
        );
        let (listed, looked_up) = (
            listed.into_member(|_| false).unwrap(),
            looked_up.into_member(|_| false).unwrap(),
        );
        assert_eq!(listed.version, looked_up.version);
        assert_eq!((listed.created_at, listed.kind), (None, MemberKind::Member));
        assert_eq!(looked_up.created_at.unwrap().year(), 2022);
        let suspended = user(r#""type": "MEMBER", "state": "SUSPENDED""#);
        let suspended = suspended.into_member(|_| false).unwrap();
        assert_ne!(suspended.version, listed.version);
    }

    #[test]
    fn whoever_is_no_member_is_none_of_a_providers_business() {
        for kind in ["GUEST", "SERVICE_ACCOUNT", "UNKNOWN", "else"] {
            let other = user(&format!(r#""type": "{kind}", "state": "NEWS""#));
            let other = other.into_member(|_| false).unwrap();
            assert_eq!(other.kind, MemberKind::Guest, "{kind}");
            assert_eq!(other.state, MemberState::Unknown);
        }
    }

    #[test]
    fn a_time_that_is_not_known_is_none() {
        for text in [None, Some(""), Some("0001-01-01T00:00:00Z")] {
            assert_eq!(time(text), None, "{text:?}");
        }
    }

    #[test]
    fn only_addresses_are_asked_about() {
        for address in ["-a@b", "a.b+c@example.com"] {
            assert!(is_address(address), "{address}");
        }
        for other in ["", "-", "Ann", ID, "a@b\n", "a b@c", "@b", "a@", "a@b@c"] {
            assert!(!is_address(other), "{other:?}");
        }
    }
}
