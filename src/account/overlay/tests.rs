use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicUsize, Ordering},
};

use proptest::prelude::*;

use super::*;
use crate::account::Start;

/// An account in which nothing changes: people, groups, and who is in which.
#[derive(Default)]
struct Fixed {
    people: Vec<Member>,
    groups: Vec<Group>,
    memberships: Vec<(GroupId, MemberId)>,
    asked: AtomicUsize,
}

impl Fixed {
    fn asked(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
    }
}

/// A page of some rows, whose keys are their numbers.
fn page_of<T>(rows: Vec<T>, page: &Page) -> Listing<T> {
    let total = rows.len();
    let first = match &page.start {
        Start::Offset(offset) => usize::try_from(*offset).unwrap(),
        Start::After(key) => key.parse().unwrap(),
    };
    let end = (first + page.limit).min(total);
    let items = rows.into_iter().skip(first).take(page.limit);
    Listing {
        items: items.collect(),
        total: total as u64,
        next: (page.limit > 0 && end < total).then(|| end.to_string()),
    }
}

#[async_trait]
impl Account for Fixed {
    async fn identity(&self) -> Result<Identity> {
        Ok(Identity {
            member: "AAAAAAAAAAAAAAAAAAAAAAAAAA".parse().unwrap(),
            account_name: "Fixed".to_owned(),
            allowed_domains: vec!["Example.com".to_owned()],
        })
    }

    async fn sign_out(&self) {}

    async fn invite(&self, _: &Invitation, _: &Attempt) -> Result<Member> {
        unreachable!()
    }

    async fn member(&self, id: &MemberId) -> Result<Option<Member>> {
        self.asked();
        Ok(self.people.iter().find(|known| known.id == *id).cloned())
    }

    async fn members_by_id(&self, ids: &[MemberId]) -> Result<Vec<Member>> {
        self.asked();
        let known = |id: &MemberId| self.people.iter().find(|known| known.id == *id).cloned();
        Ok(ids.iter().filter_map(known).collect())
    }

    async fn reaches_key(&self, _: &GroupId) -> Result<bool> {
        self.asked();
        Ok(true)
    }

    async fn member_by_email(&self, email: &str) -> Result<Option<Member>> {
        self.asked();
        let address = normal_email(email);
        let mut people = self.people.iter();
        Ok(people
            .find(|known| people::has_address(known, &address))
            .cloned())
    }

    async fn members(&self, states: &[MemberState], page: &Page) -> Result<Listing<Member>> {
        self.asked();
        let listed = self
            .people
            .iter()
            .filter(|known| states.is_empty() || states.contains(&known.state));
        Ok(page_of(listed.cloned().collect(), page))
    }

    async fn edit_member(&self, _: &MemberId, _: &MemberEdit) -> Result<Member> {
        unreachable!()
    }

    async fn confirm(&self, _: &MemberId, _: &KeyFingerprint) -> Result<Member> {
        unreachable!()
    }

    async fn suspend(&self, _: &MemberId) -> Result<Member> {
        unreachable!()
    }

    async fn reactivate(&self, _: &MemberId) -> Result<Member> {
        unreachable!()
    }

    async fn delete_member(&self, _: &MemberId) -> Result<()> {
        unreachable!()
    }

    async fn groups_of(&self, id: &MemberId) -> Result<Vec<GroupName>> {
        self.asked();
        if self.people.iter().all(|known| known.id != *id) {
            return Err(Error::NotFound("member"));
        }
        let theirs = |group: &&Group| self.memberships.contains(&(group.id.clone(), id.clone()));
        let theirs = self.groups.iter().filter(theirs);
        Ok(theirs.cloned().map(GroupName::from).collect())
    }

    async fn create_group(&self, _: &str, _: &Attempt) -> Result<Group> {
        unreachable!()
    }

    async fn group(&self, id: &GroupId) -> Result<Option<Group>> {
        self.asked();
        Ok(self.groups.iter().find(|known| known.id == *id).cloned())
    }

    async fn groups_by_id(&self, ids: &[GroupId]) -> Result<Vec<Group>> {
        self.asked();
        let known = |id: &GroupId| self.groups.iter().find(|known| known.id == *id).cloned();
        Ok(ids.iter().filter_map(known).collect())
    }

    async fn group_by_name(&self, name: &str) -> Result<Option<Group>> {
        self.asked();
        let mut groups = self.groups.iter();
        Ok(groups
            .find(|known| name_key(&known.name) == name_key(name))
            .cloned())
    }

    async fn groups(&self, page: &Page) -> Result<Listing<Group>> {
        self.asked();
        Ok(page_of(self.groups.clone(), page))
    }

    async fn rename_group(&self, _: &GroupId, _: &str) -> Result<Group> {
        unreachable!()
    }

    async fn delete_group(&self, _: &GroupId) -> Result<()> {
        unreachable!()
    }

    async fn group_members(&self, id: &GroupId, page: &Page) -> Result<Listing<Member>> {
        self.asked();
        let is_in = |known: &&Member| self.memberships.contains(&(id.clone(), known.id.clone()));
        Ok(page_of(
            self.people.iter().filter(is_in).cloned().collect(),
            page,
        ))
    }

    async fn standing(&self, id: &GroupId, members: &[MemberId]) -> Result<Option<GroupStanding>> {
        self.asked();
        let known = self.people.iter();
        let people = known.filter(|known| members.contains(&known.id));
        let people = people.map(|known| Belonging {
            belongs: self.memberships.contains(&(id.clone(), known.id.clone())),
            member: known.clone(),
            key: None,
        });
        let group = self.groups.iter().find(|known| known.id == *id);
        Ok(group.map(|group| GroupStanding {
            group: group.clone(),
            people: people.collect(),
        }))
    }

    async fn put_in(&self, _: &GroupStanding, _: &[MemberId]) -> Result<Changed> {
        unreachable!()
    }

    async fn take_out(&self, _: &GroupStanding, _: &[MemberId]) -> Result<Changed> {
        unreachable!()
    }
}

fn attempt(text: &str) -> Attempt {
    Attempt::new(text)
}

fn invitation(email: &str) -> Invitation {
    Invitation {
        email: email.to_owned(),
        name: "Ann".to_owned(),
        language: None,
    }
}

async fn invite(account: &Overlay, email: &str, name: &str) -> Result<Member> {
    account.invite(&invitation(email), &attempt(name)).await
}

fn address(number: u8) -> String {
    format!("p{number}@example.com")
}

fn group_name(number: u8) -> String {
    format!("Group {number}")
}

/// Somebody of the account.
fn person(email: &str, state: MemberState, key: Option<&str>) -> Member {
    Member {
        id: new_id(identifier::upper()).unwrap(),
        email: email.to_owned(),
        pending_email: None,
        name: "Ann".to_owned(),
        language: Some("en".to_owned()),
        state,
        kind: MemberKind::Member,
        protected: false,
        key_fingerprint: key.map(KeyFingerprint::new),
        created_at: Some(OffsetDateTime::UNIX_EPOCH),
        updated_at: Some(OffsetDateTime::UNIX_EPOCH),
        version: 7,
    }
}

fn group(name: &str, permissions: &[&str]) -> Group {
    Group {
        id: new_id(identifier::lower()).unwrap(),
        name: name.to_owned(),
        permissions: permissions.iter().map(ToString::to_string).collect(),
        built_in: false,
        member_count: 0,
        created_at: OffsetDateTime::UNIX_EPOCH,
        updated_at: OffsetDateTime::UNIX_EPOCH,
        version: 3,
    }
}

fn over(people: &[Member], groups: &[Group]) -> (Overlay, Arc<Fixed>) {
    let fixed = Arc::new(Fixed {
        people: people.to_vec(),
        groups: groups.to_vec(),
        ..Fixed::default()
    });
    (Overlay::new(Arc::<Fixed>::clone(&fixed)), fixed)
}

#[tokio::test]
async fn a_repeat_of_an_attempt_is_answered_with_what_it_made() {
    let (account, _) = over(&[], &[]);
    let ann = "Ann@example.com";
    let invited = invite(&account, ann, "one").await.unwrap();
    assert_eq!(invited.state, MemberState::TransferStarted);
    let again = invite(&account, ann, "one").await;
    assert_eq!(again, Ok(invited.clone()));
    let other = invite(&account, "ANN@example.com", "two").await;
    assert_eq!(other, Err(Error::EmailTaken));
    let made = account.create_group("Finance", &attempt("three")).await;
    let again = account.create_group("Finance", &attempt("three")).await;
    assert_eq!(made, again);
    let taken = account.create_group(" finance ", &attempt("four")).await;
    assert_eq!(taken, Err(Error::GroupNameTaken));
    // Who was deleted is invited anew.
    account.delete_member(&invited.id).await.unwrap();
    let anew = invite(&account, ann, "one").await.unwrap();
    assert_ne!(anew.id, invited.id);
}

#[tokio::test]
async fn what_the_account_refuses_is_refused() {
    let mut owner = person("owner@example.com", MemberState::Active, Some("k"));
    owner.protected = true;
    let ann = person("ann@example.com", MemberState::Active, Some("k"));
    let owners = group("Owners", &["DELETE_TEAM"]);
    let sales = group("Sales", &[]);
    let (account, _) = over(&[owner.clone(), ann.clone()], &[owners.clone(), sales]);
    let elsewhere = invite(&account, "x@other.example", "a").await;
    let domain = "other.example".to_owned();
    assert_eq!(elsewhere, Err(Error::DomainNotAllowed { domain }));
    let taken = invite(&account, "ANN@example.com", "b").await;
    assert_eq!(taken, Err(Error::EmailTaken));
    let edit = |email: &str| MemberEdit {
        email: Some(email.to_owned()),
        ..MemberEdit::default()
    };
    let moved = edit("owner@example.com");
    let moved = account.edit_member(&ann.id, &moved).await;
    assert_eq!(moved, Err(Error::EmailTaken));
    let is_protected = |error: Error| matches!(error, Error::Protected(_));
    for refused in [
        account.suspend(&owner.id).await.map(drop),
        account.delete_member(&owner.id).await,
        account
            .edit_member(&owner.id, &edit("o@example.com"))
            .await
            .map(drop),
        account.rename_group(&owners.id, "Bosses").await.map(drop),
        account.delete_group(&owners.id).await,
        account
            .grant(&owners.id, std::slice::from_ref(&ann.id))
            .await
            .map(drop),
        account
            .revoke(&owners.id, std::slice::from_ref(&owner.id))
            .await
            .map(drop),
    ] {
        assert!(is_protected(refused.unwrap_err()));
    }
    let named = account.create_group("sales", &attempt("c")).await;
    assert_eq!(named, Err(Error::GroupNameTaken));
    let nobody: MemberId = new_id(identifier::upper()).unwrap();
    let made = account.create_group("Made", &attempt("d")).await.unwrap();
    let granted = account.grant(&made.id, &[ann.id, nobody.clone()]).await;
    assert_eq!(granted, Err(Error::UnknownMembers(vec![nobody.clone()])));
    assert_eq!(
        account.suspend(&nobody).await,
        Err(Error::NotFound("member"))
    );
    assert_eq!(account.delete_member(&nobody).await, Ok(()));
}

#[tokio::test]
async fn a_state_holds_until_the_account_says_something_new() {
    use MemberState as S;
    for (state, key, suspended, returned) in [
        (S::Active, Some("k"), S::Suspended, S::Active),
        (
            S::TransferStarted,
            None,
            S::TransferSuspended,
            S::TransferStarted,
        ),
        (
            S::TransferAccepted,
            Some("k"),
            S::TransferSuspended,
            S::TransferAccepted,
        ),
        (S::Suspended, Some("k"), S::Suspended, S::Active),
        (
            S::TransferSuspended,
            Some("k"),
            S::TransferSuspended,
            S::TransferAccepted,
        ),
        (
            S::TransferSuspended,
            None,
            S::TransferSuspended,
            S::TransferStarted,
        ),
    ] {
        let ann = person("ann@example.com", state, key);
        let (account, _) = over(std::slice::from_ref(&ann), &[]);
        for _ in 0..2 {
            let now = account.suspend(&ann.id).await.unwrap();
            assert_eq!(now.state, suspended, "{state:?}");
        }
        for _ in 0..2 {
            let now = account.reactivate(&ann.id).await.unwrap();
            assert_eq!(now.state, returned, "{state:?}");
        }
        let again = account.suspend(&ann.id).await.unwrap();
        assert_eq!(again.state, suspended, "{state:?}");
        // The account moves on, and is right.
        let mut person = Person::new(1, None);
        person.suspend(&ann, &ann);
        let moved_on = Member {
            state: S::RecoveryStarted,
            ..ann
        };
        let shown = person.shown(Some(moved_on)).unwrap();
        assert_eq!(shown.state, S::RecoveryStarted);
    }
}

#[tokio::test]
async fn only_who_waits_with_that_key_is_confirmed() {
    let waiting = person("ann@example.com", MemberState::TransferAccepted, Some("k"));
    let active = person("bob@example.com", MemberState::Active, Some("k"));
    let (account, _) = over(&[waiting.clone(), active.clone()], &[]);
    let (right, wrong) = (KeyFingerprint::new("k"), KeyFingerprint::new("other"));
    assert_eq!(
        account.confirm(&active.id, &right).await,
        Err(Error::WrongState(MemberState::Active))
    );
    assert_eq!(
        account.confirm(&waiting.id, &wrong).await,
        Err(Error::KeyChanged)
    );
    let confirmed = account.confirm(&waiting.id, &right).await.unwrap();
    assert_eq!(confirmed.state, MemberState::Active);
    let page = Page::first(9);
    let waits = account
        .members(&[MemberState::TransferAccepted], &page)
        .await;
    assert_eq!(waits.unwrap().total, 0);
    let members = account
        .members(&[MemberState::Active], &page)
        .await
        .unwrap();
    assert_eq!((members.total, members.items.len()), (2, 2));
}

#[tokio::test]
async fn who_has_signed_up_has_to_consent_to_a_new_address() {
    let ann = person("ann@example.com", MemberState::Active, Some("k"));
    let (account, _) = over(std::slice::from_ref(&ann), &[]);
    let edit = async |email: &str| {
        let edit = MemberEdit {
            email: Some(email.to_owned()),
            ..MemberEdit::default()
        };
        let member = account.edit_member(&ann.id, &edit).await.unwrap();
        (member.email, member.pending_email, member.version)
    };
    let both = |email: &str, pending: Option<&str>, version| {
        (email.to_owned(), pending.map(str::to_owned), version)
    };
    let (old, new) = ("ann@example.com", "anna@example.com");
    assert_eq!(edit(new).await, both(old, Some(new), 8));
    assert_eq!(edit(new).await, both(old, Some(new), 8));
    for address in [old, new] {
        let found = account.member_by_email(address).await.unwrap();
        assert_eq!(found.unwrap().id, ann.id);
    }
    let taken = invite(&account, new, "one").await;
    assert_eq!(taken, Err(Error::EmailTaken));
    assert_eq!(
        edit("Ann@example.com").await,
        both("Ann@example.com", None, 9)
    );
    assert_eq!(account.member_by_email(new).await, Ok(None));
}

#[tokio::test]
async fn the_account_is_asked_no_more_often_than_without() {
    let people: Vec<Member> = (0..40)
        .map(|number| person(&address(number), MemberState::Active, Some("k")))
        .collect();
    let sales = group("Sales", &[]);
    let (account, fixed) = over(&people, std::slice::from_ref(&sales));
    for number in 50..60 {
        let email = address(number);
        invite(&account, &email, &email).await.unwrap();
    }
    account.suspend(&people[3].id).await.unwrap();
    let asked = || fixed.asked.swap(0, Ordering::Relaxed);
    asked();
    let page = Page {
        start: Start::Offset(30),
        limit: 15,
    };
    let listing = account.members(&[], &page).await.unwrap();
    assert_eq!((listing.items.len(), listing.total), (15, 50));
    assert_eq!(asked(), 1);
    account
        .member_by_email(&address(55))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(asked(), 0);
    account.member_by_email(&address(3)).await.unwrap().unwrap();
    assert_eq!(asked(), 1);
    account.groups_of(&people[3].id).await.unwrap();
    assert_eq!(asked(), 1);
}

/// Something to do, to whoever has the address of this number, or the group that has the name.
#[derive(Clone, Debug)]
enum Step {
    Invite(u8),
    Move(u8, u8),
    Suspend(u8),
    Reactivate(u8),
    Delete(u8),
    Create(u8),
    Rename(u8, u8),
    DeleteGroup(u8),
    Grant(u8, BTreeSet<u8>),
    Revoke(u8, BTreeSet<u8>),
}

const PEOPLE: u8 = 8;
const GROUPS: u8 = 3;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let some = || prop::collection::btree_set(0..PEOPLE, 0..5);
    let step = prop_oneof![
        4 => (0..PEOPLE).prop_map(Step::Invite),
        1 => (0..PEOPLE, 0..PEOPLE).prop_map(|(who, to)| Step::Move(who, to)),
        1 => (0..PEOPLE).prop_map(Step::Suspend),
        1 => (0..PEOPLE).prop_map(Step::Reactivate),
        1 => (0..PEOPLE).prop_map(Step::Delete),
        2 => (0..GROUPS).prop_map(Step::Create),
        1 => (0..GROUPS, 0..GROUPS).prop_map(|(group, to)| Step::Rename(group, to)),
        1 => (0..GROUPS).prop_map(Step::DeleteGroup),
        3 => (0..GROUPS, some()).prop_map(|(group, who)| Step::Grant(group, who)),
        2 => (0..GROUPS, some()).prop_map(|(group, who)| Step::Revoke(group, who)),
    ];
    prop::collection::vec(step, 0..50)
}

async fn who(account: &Overlay, number: u8) -> Option<MemberId> {
    let member = account.member_by_email(&address(number)).await.unwrap();
    member.map(|member| member.id)
}

async fn which(account: &Overlay, number: u8) -> Option<GroupId> {
    let group = account.group_by_name(&group_name(number)).await.unwrap();
    group.map(|group| group.id)
}

async fn all_of(account: &Overlay, numbers: &BTreeSet<u8>) -> Vec<MemberId> {
    let mut ids = Vec::new();
    for number in numbers {
        ids.extend(who(account, *number).await);
    }
    ids
}

/// Does it, and tells what came of it without any id.
async fn take(account: &Overlay, step: &Step, name: &str) -> Option<String> {
    let told = |result: Result<Member>| format!("{:?}", result.map(|member| facts(&member)));
    let told_of_group = |result: Result<Group>| format!("{:?}", result.map(|it| group_facts(&it)));
    Some(match step {
        Step::Invite(number) => told(invite(account, &address(*number), name).await),
        Step::Move(number, to) => {
            let edit = MemberEdit {
                email: Some(address(*to)),
                name: Some(name.to_owned()),
                language: None,
            };
            told(
                account
                    .edit_member(&who(account, *number).await?, &edit)
                    .await,
            )
        }
        Step::Suspend(number) => told(account.suspend(&who(account, *number).await?).await),
        Step::Reactivate(number) => told(account.reactivate(&who(account, *number).await?).await),
        Step::Delete(number) => {
            let id = who(account, *number).await?;
            format!("{:?}", account.delete_member(&id).await)
        }
        Step::Create(number) => told_of_group(
            account
                .create_group(&group_name(*number), &attempt(name))
                .await,
        ),
        Step::Rename(number, to) => {
            let id = which(account, *number).await?;
            told_of_group(account.rename_group(&id, &group_name(*to)).await)
        }
        Step::DeleteGroup(number) => {
            let id = which(account, *number).await?;
            format!("{:?}", account.delete_group(&id).await)
        }
        Step::Grant(number, people) => {
            let id = which(account, *number).await?;
            let people = all_of(account, people).await;
            format!("{:?}", account.grant(&id, &people).await)
        }
        Step::Revoke(number, people) => {
            let id = which(account, *number).await?;
            let people = all_of(account, people).await;
            format!("{:?}", account.revoke(&id, &people).await)
        }
    })
}

type Facts = (String, Option<String>, String, &'static str, u64);

fn facts(member: &Member) -> Facts {
    (
        member.email.clone(),
        member.pending_email.clone(),
        member.name.clone(),
        member.state.name(),
        member.version,
    )
}

fn group_facts(group: &Group) -> (String, u64, u64) {
    (group.name.clone(), group.member_count, group.version)
}

/// A list in whole, read in pages of this size: by key, and the same by offset.
async fn walk<T: Clone, F: Future<Output = Result<Listing<T>>>>(
    limit: usize,
    read: impl Fn(Page) -> F,
    key: impl Fn(&T) -> String,
) -> Vec<T> {
    let mut page = Page::first(limit);
    let mut rows = Vec::new();
    let total = loop {
        let listing = read(page).await.unwrap();
        assert!(listing.items.len() <= limit);
        rows.extend(listing.items);
        let Some(next) = listing.next else {
            break listing.total;
        };
        page = Page {
            start: Start::After(next),
            limit,
        };
    };
    assert_eq!(rows.len() as u64, total);
    for offset in 0..rows.len() + 2 {
        let page = Page {
            start: Start::Offset(offset as u64),
            limit,
        };
        let listing = read(page).await.unwrap();
        let found: Vec<_> = listing.items.iter().map(&key).collect();
        let expected = rows.iter().skip(offset).take(limit).map(&key);
        assert_eq!(found, expected.collect::<Vec<_>>(), "from {offset}");
        assert_eq!(listing.total, total);
        assert!(listing.next.is_some() || offset + limit >= rows.len());
    }
    let only_total = read(Page::first(0)).await.unwrap();
    assert_eq!((only_total.total, only_total.next), (total, None));
    rows
}

async fn members(account: &Overlay, states: &[MemberState], limit: usize) -> Vec<Member> {
    let read = |page: Page| async move { account.members(states, &page).await };
    walk(limit, read, |member| member.email.clone()).await
}

async fn groups(account: &Overlay, limit: usize) -> Vec<Group> {
    let read = |page: Page| async move { account.groups(&page).await };
    walk(limit, read, |group| group.name.clone()).await
}

async fn members_of(account: &Overlay, group: &GroupId, limit: usize) -> Vec<Member> {
    let read = |page: Page| async move { account.group_members(group, &page).await };
    walk(limit, read, |member| member.email.clone()).await
}

/// Everything that can be known, without any id and in no order.
async fn everything(account: &Overlay, limit: usize) -> BTreeMap<String, String> {
    use MemberState as S;
    let mut known = BTreeMap::new();
    let mut note = |what: String, mut facts: Vec<String>| {
        facts.sort();
        assert_eq!(known.insert(what, facts.join("; ")), None);
    };
    let shown = |members: &[Member]| {
        members
            .iter()
            .map(|it| format!("{:?}", facts(it)))
            .collect()
    };
    for states in [
        &[][..],
        &[S::TransferStarted],
        &[S::TransferSuspended],
        &[S::TransferSuspended, S::TransferStarted],
    ] {
        let members = members(account, states, limit).await;
        note(format!("{states:?}"), shown(&members));
    }
    let people = members(account, &[], limit).await;
    for member in &people {
        let theirs = account.groups_of(&member.id).await.unwrap();
        let theirs = theirs.iter().map(|it| it.name.clone());
        note(format!("groups of {}", member.email), theirs.collect());
        assert_eq!(
            account.member(&member.id).await.unwrap().as_ref(),
            Some(member)
        );
    }
    for group in groups(account, limit).await {
        let members = members_of(account, &group.id, limit).await;
        assert_eq!(group.member_count, members.len() as u64);
        for person in &people {
            let is_in = members.iter().any(|member| member.id == person.id);
            let said = account.is_member(&group.id, &person.id).await;
            assert_eq!(said, Ok(is_in), "{} in {}", person.email, group.name);
        }
        note(format!("{:?}", group_facts(&group)), shown(&members));
    }
    for number in 0..PEOPLE {
        let found = account.member_by_email(&address(number)).await.unwrap();
        note(
            address(number),
            shown(&found.into_iter().collect::<Vec<_>>()),
        );
    }
    known
}

/// An account that is what an overlay shows.
async fn settled(account: &Overlay) -> Fixed {
    let groups = groups(account, 9).await;
    let mut memberships = Vec::new();
    for group in &groups {
        let members = members_of(account, &group.id, 9).await;
        memberships.extend(
            members
                .into_iter()
                .map(|member| (group.id.clone(), member.id)),
        );
    }
    let bare = |group: &Group| group.clone();
    Fixed {
        people: members(account, &[], 9).await,
        groups: groups.iter().map(bare).collect(),
        memberships,
        asked: AtomicUsize::default(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    /// Wherever the account ends and what was made up begins, the answers are the same.
    #[test]
    fn an_overlay_answers_as_the_account_would(
        steps in steps(), settled_after in 0..50usize, limit in 1..5usize
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let model = Overlay::new(Arc::new(Fixed::default()));
            let mut account = Overlay::new(Arc::new(Fixed::default()));
            for (number, step) in steps.iter().enumerate() {
                if number == settled_after {
                    account = Overlay::new(Arc::new(settled(&account).await));
                }
                let name = format!("step {number}");
                let expected = take(&model, step, &name).await;
                assert_eq!(take(&account, step, &name).await, expected, "{step:?}");
            }
            assert_eq!(everything(&account, limit).await, everything(&model, limit).await);
        });
    }
}
