//! The account server and its client, over loopback HTTP.
#![cfg(feature = "local")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    // A group of one reads better as an array.
    clippy::cloned_ref_to_slice_refs
)]

use std::{path::PathBuf, sync::Arc, time::Duration};

use scim_bridge::{
    account::{
        Account, Attempt, Error, GroupId, Invitation, Member, MemberEdit, MemberId, MemberState,
        Page, Start, native::NativeAccount,
    },
    onepassword::{identifier, secret_text::SecretText, sign_in_credentials::SignInCredentials},
    outbound,
    sandbox::{
        self, DemoAccount, NewAccount, NewPerson, Options, Sandbox,
        person::{self, GroupReport, Kit},
    },
};
use tokio::{net::TcpListener, task::JoinHandle};

mod first_generation;
mod power;

/// A server on a port of its own.
struct Server {
    folder: tempfile::TempDir,
    sandbox: Sandbox,
    origin: String,
    demo: DemoAccount,
    http: reqwest::Client,
    running: JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        Self::with(Duration::from_secs(600), &[]).await
    }

    async fn with(session_idle: Duration, domains: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = open(folder.path().join("account.db"), session_idle);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let new = NewAccount {
            name: "Example".to_owned(),
            domains: domains.iter().map(ToString::to_string).collect(),
            owner: NewPerson {
                email: "owner@example.com".to_owned(),
                password: secret("the owner's own"),
            },
            sign_in_address: origin.clone(),
        };
        let manager = NewPerson {
            email: "bridge@example.com".to_owned(),
            password: secret("the bridge's own"),
        };
        let making = sandbox.clone();
        let demo = tokio::task::spawn_blocking(move || making.create_demo_account(&new, &manager))
            .await
            .unwrap()
            .unwrap();
        let running = serve(listener, &sandbox);
        let http = outbound::client(None).unwrap();
        Self {
            folder,
            sandbox,
            origin,
            demo,
            http,
            running,
        }
    }

    fn account(&self) -> NativeAccount {
        NativeAccount::new(self.demo.credentials.clone(), self.http.clone())
    }

    async fn join(&self, email: &str) -> Kit {
        person::sign_up(&self.http, &self.origin, email, secret("pass phrase"))
            .await
            .unwrap()
    }

    async fn enter(&self, kit: &Kit) -> Result<person::Report, person::Error> {
        person::sign_in(&self.http, &self.origin, kit).await
    }

    fn login(&self, login: &sandbox::Login) -> Kit {
        Kit {
            email: login.email.clone(),
            secret_key: login.secret_key.clone(),
            password: login.password.clone(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running.abort();
    }
}

fn open(path: PathBuf, session_idle: Duration) -> Sandbox {
    let options = Options {
        session_idle,
        kdf_iterations: 10_000,
    };
    Sandbox::open(&path, options).unwrap()
}

fn serve(listener: TcpListener, sandbox: &Sandbox) -> JoinHandle<()> {
    let sandbox = sandbox.clone();
    tokio::spawn(async move { sandbox::serve(listener, sandbox).await.unwrap() })
}

fn secret(text: &str) -> SecretText {
    SecretText::new(text.to_owned())
}

fn person(email: &str) -> Invitation {
    Invitation {
        email: email.to_owned(),
        name: "Ann Example".to_owned(),
        language: None,
    }
}

async fn confirm(account: &NativeAccount, id: &MemberId) -> Result<Member, Error> {
    let member = account.member(id).await?.unwrap();
    account.confirm(id, &member.key_fingerprint.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invited_person_opens_exactly_their_groups_once_confirmed() {
    let server = Server::start().await;
    let account = server.account();
    assert_eq!(account.identity().await.unwrap().account_name, "Example");
    let finance = account.create_group("Finance", &attempt()).await.unwrap();
    let later = account.create_group("Later", &attempt()).await.unwrap();
    account.create_group("Others", &attempt()).await.unwrap();
    let ann = account
        .invite(&person("Ann@example.com"), &attempt())
        .await
        .unwrap();
    assert_eq!(ann.state, MemberState::TransferStarted);
    assert!(matches!(
        account.invite(&person("ann@EXAMPLE.com"), &attempt()).await,
        Err(Error::EmailTaken)
    ));
    assert_eq!(
        account.grant(&finance.id, &[ann.id.clone()]).await.unwrap(),
        1
    );
    assert_eq!(
        account.grant(&finance.id, &[ann.id.clone()]).await.unwrap(),
        0
    );

    let kit = server.join("ann@example.com").await;
    assert!(matches!(
        server.enter(&kit).await,
        Err(person::Error::NotConfirmed)
    ));
    let seen = account.member(&ann.id).await.unwrap().unwrap();
    assert_eq!(seen.state, MemberState::TransferAccepted);
    let stranger = scim_bridge::account::KeyFingerprint::new("SHA256:other");
    assert_eq!(
        account.confirm(&ann.id, &stranger).await,
        Err(Error::KeyChanged)
    );

    let confirmed = confirm(&account, &ann.id).await.unwrap();
    assert_eq!(confirmed.state, MemberState::Active);
    assert_eq!(
        confirm(&account, &ann.id).await,
        Err(Error::WrongState(MemberState::Active))
    );
    assert_eq!(
        server
            .sandbox
            .count_events("confirmed", ann.id.as_str())
            .unwrap(),
        1
    );
    account.grant(&later.id, &[ann.id.clone()]).await.unwrap();
    let report = server.enter(&kit).await.unwrap();
    assert_eq!(report.groups, groups(&["Team Members", "Finance", "Later"]));

    account
        .revoke(&finance.id, &[ann.id.clone()])
        .await
        .unwrap();
    assert!(!account.is_member(&finance.id, &ann.id).await.unwrap());
    assert!(account.is_member(&later.id, &ann.id).await.unwrap());
    let report = server.enter(&kit).await.unwrap();
    assert_eq!(report.groups, groups(&["Team Members", "Later"]));

    account.suspend(&ann.id).await.unwrap();
    account.suspend(&ann.id).await.unwrap();
    assert!(matches!(
        server.enter(&kit).await,
        Err(person::Error::Suspended)
    ));
    let back = account.reactivate(&ann.id).await.unwrap();
    assert_eq!(back.state, MemberState::Active);
    assert_eq!(server.enter(&kit).await.unwrap().groups.len(), 2);
    let mut wrong = kit.clone();
    wrong.password = secret("another");
    assert!(matches!(
        server.enter(&wrong).await,
        Err(person::Error::Refused)
    ));

    account.delete_member(&ann.id).await.unwrap();
    account.delete_member(&ann.id).await.unwrap();
    assert_eq!(account.member(&ann.id).await.unwrap(), None);
    assert!(matches!(
        server.enter(&kit).await,
        Err(person::Error::Refused)
    ));
    assert_eq!(
        account
            .group(&later.id)
            .await
            .unwrap()
            .unwrap()
            .member_count,
        0
    );
    account
        .invite(&person("ann@example.com"), &attempt())
        .await
        .unwrap();
    assert_eq!(account.sign_ins(), 1);
}

fn groups(names: &[&str]) -> Vec<GroupReport> {
    names
        .iter()
        .map(|name| GroupReport {
            name: (*name).to_owned(),
            opened: true,
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_reaches_the_key_of_a_group_that_the_bridge_made() {
    let server = Server::start().await;
    let account = server.account();
    let made = account.create_group("Finance", &attempt()).await.unwrap();
    assert_eq!(
        account.create_group(" finance ", &attempt()).await,
        Err(Error::GroupNameTaken)
    );
    let owner = server.login(&server.demo.owner);
    let report = server.enter(&owner).await.unwrap();
    assert!(report.groups.iter().all(|group| group.opened));
    assert_eq!(report.groups.len(), 4);
    let found = account.group_by_name("FINANCE").await.unwrap().unwrap();
    assert_eq!((found.id, found.member_count), (made.id.clone(), 0));
    let renamed = account.rename_group(&made.id, "Finances").await.unwrap();
    assert_eq!((renamed.name.as_str(), renamed.version), ("Finances", 2));
    account.delete_group(&made.id).await.unwrap();
    account.delete_group(&made.id).await.unwrap();
    assert_eq!(account.group(&made.id).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provision_manager_touches_neither_power_nor_itself() {
    let server = Server::with(Duration::from_secs(600), &["example.com"]).await;
    let account = server.account();
    let owner: MemberId = server.demo.owner.member.parse().unwrap();
    let itself: MemberId = server.demo.provision_manager.member.parse().unwrap();
    let edit = MemberEdit {
        name: Some("X".to_owned()),
        ..MemberEdit::default()
    };
    for who in [&owner, &itself] {
        assert!(account.member(who).await.unwrap().unwrap().protected);
        assert!(matches!(
            account.suspend(who).await,
            Err(Error::Protected(_))
        ));
        assert!(matches!(
            account.delete_member(who).await,
            Err(Error::Protected(_))
        ));
        assert!(matches!(
            account.edit_member(who, &edit).await,
            Err(Error::Protected(_))
        ));
    }
    let outsider = account
        .invite(&person("out@example.com"), &attempt())
        .await
        .unwrap()
        .id;
    let all = account.groups(&Page::first(100)).await.unwrap();
    assert_eq!(all.total, 5);
    for group in all.items {
        let id = &group.id;
        assert!(group.has_account_wide_power(), "{}", group.name);
        assert!(matches!(
            account.rename_group(id, "X").await,
            Err(Error::Protected(_))
        ));
        assert!(matches!(
            account.delete_group(id).await,
            Err(Error::Protected(_))
        ));
        assert!(matches!(
            account.grant(id, &[outsider.clone()]).await,
            Err(Error::Protected(_))
        ));
        for insider in account
            .group_members(id, &Page::first(1))
            .await
            .unwrap()
            .items
        {
            assert!(matches!(
                account.revoke(id, &[insider.id]).await,
                Err(Error::Protected(_))
            ));
        }
    }
    assert_eq!(
        account
            .invite(&person("ann@elsewhere.test"), &attempt())
            .await,
        Err(Error::DomainNotAllowed {
            domain: "elsewhere.test".to_owned()
        })
    );
    assert!(matches!(
        account.invite(&person("ann"), &attempt()).await,
        Err(Error::InvalidValue(_))
    ));

    // An ordinary member may do nothing of it.
    let ann = account
        .invite(&person("ann@example.com"), &attempt())
        .await
        .unwrap();
    let kit = server.join("ann@example.com").await;
    confirm(&account, &ann.id).await.unwrap();
    let ordinary = NativeAccount::new(credentials(&server, &kit).await, server.http.clone());
    assert_eq!(ordinary.identity().await.unwrap().member, ann.id);
    assert!(matches!(
        ordinary.members(&[], &Page::first(1)).await,
        Err(Error::NotPermitted(_))
    ));
    assert!(matches!(
        ordinary.invite(&person("b@example.com"), &attempt()).await,
        Err(Error::NotPermitted(_))
    ));
    let nothing: GroupId = "aaaaaaaaaaaaaaaaaaaaaaaaaa".parse().unwrap();
    assert!(matches!(
        ordinary.delete_group(&nothing).await,
        Err(Error::NotPermitted(_))
    ));
    assert!(matches!(
        ordinary.suspend(&owner).await,
        Err(Error::NotPermitted(_))
    ));
}

/// The credentials of a person, as a program would hold them.
async fn credentials(server: &Server, kit: &Kit) -> SignInCredentials {
    first_generation::derive(server.origin.clone(), &server.http, kit).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_address_waits_for_consent_and_the_old_one_signs_in_until_then() {
    let server = Server::start().await;
    let account = server.account();
    let ann = account
        .invite(&person("ann@example.com"), &attempt())
        .await
        .unwrap();
    let bob = account
        .invite(&person("bob@example.com"), &attempt())
        .await
        .unwrap();
    let to = |email: &str| MemberEdit {
        email: Some(email.to_owned()),
        ..MemberEdit::default()
    };
    // Not signed up: at once, and the old address is free.
    let ann = account
        .edit_member(&ann.id, &to("anne@example.com"))
        .await
        .unwrap();
    assert_eq!(
        (ann.email.as_str(), ann.pending_email.as_deref()),
        ("anne@example.com", None)
    );
    assert_eq!(
        account.member_by_email("ann@example.com").await.unwrap(),
        None
    );
    assert_eq!(
        account.edit_member(&bob.id, &to("Anne@example.com")).await,
        Err(Error::EmailTaken)
    );
    let finance = account.create_group("Finance", &attempt()).await.unwrap();
    account.grant(&finance.id, &[ann.id.clone()]).await.unwrap();
    let kit = server.join("anne@example.com").await;
    confirm(&account, &ann.id).await.unwrap();

    let waiting = account
        .edit_member(&ann.id, &to("annika@example.com"))
        .await
        .unwrap();
    assert_eq!(waiting.email, "anne@example.com");
    assert_eq!(waiting.requested_email(), "annika@example.com");
    for address in ["anne@example.com", "ANNIKA@example.com"] {
        let found = account.member_by_email(address).await.unwrap().unwrap();
        assert_eq!(found.id, ann.id);
        assert_eq!(
            account.invite(&person(address), &attempt()).await,
            Err(Error::EmailTaken)
        );
    }
    // Another address replaces the one that waits, and going back takes it away.
    account
        .edit_member(&ann.id, &to("anna@example.com"))
        .await
        .unwrap();
    assert_eq!(
        account.member_by_email("annika@example.com").await.unwrap(),
        None
    );
    let back = account
        .edit_member(&ann.id, &to("anne@example.com"))
        .await
        .unwrap();
    assert_eq!(back.pending_email, None);
    account
        .edit_member(&ann.id, &to("anna@example.com"))
        .await
        .unwrap();

    assert_eq!(
        server.enter(&kit).await.unwrap().pending_email.as_deref(),
        Some("anna@example.com")
    );
    let new = person::accept_email(&server.http, &server.origin, &kit)
        .await
        .unwrap();
    assert_eq!(new.email, "anna@example.com");
    assert!(matches!(
        server.enter(&kit).await,
        Err(person::Error::Refused)
    ));
    let report = server.enter(&new).await.unwrap();
    assert_eq!(report.groups, groups(&["Team Members", "Finance"]));
    assert_eq!(
        account.member_by_email("anne@example.com").await.unwrap(),
        None
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_opens_the_same_keys_and_ends_what_the_old_one_began() {
    let server = Server::start().await;
    let account = server.account();
    let made = account.create_group("Finance", &attempt()).await.unwrap();
    let old = server.login(&server.demo.provision_manager);
    let new = person::change_password(&server.http, &server.origin, &old, secret("another"))
        .await
        .unwrap();
    assert!(matches!(
        server.enter(&old).await,
        Err(person::Error::Refused)
    ));
    let report = server.enter(&new).await.unwrap();
    assert_eq!(
        report.groups,
        groups(&["Team Members", "Provision Managers"])
    );
    // The bridge was signed in, and what it holds is of the old password.
    let Err(Error::CredentialsRefused(why)) = account.group(&made.id).await else {
        panic!("let in");
    };
    assert!(why.contains("run setup again"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_suspended_before_joining_cannot_sign_up() {
    let server = Server::start().await;
    let account = server.account();
    let ann = account
        .invite(&person("ann@example.com"), &attempt())
        .await
        .unwrap();
    let suspended = account.suspend(&ann.id).await.unwrap();
    assert_eq!(suspended.state, MemberState::TransferSuspended);
    let sign_up = person::sign_up(&server.http, &server.origin, "ann@example.com", secret("x"));
    assert!(matches!(sign_up.await, Err(person::Error::Suspended)));
    let back = account.reactivate(&ann.id).await.unwrap();
    assert_eq!(back.state, MemberState::TransferStarted);
    server.join("ann@example.com").await;
    // Suspended while waiting for the confirmation.
    account.suspend(&ann.id).await.unwrap();
    assert_eq!(
        confirm(&account, &ann.id).await,
        Err(Error::WrongState(MemberState::TransferSuspended))
    );
    let back = account.reactivate(&ann.id).await.unwrap();
    assert_eq!(back.state, MemberState::TransferAccepted);
    let again = person::sign_up(&server.http, &server.origin, "ann@example.com", secret("x"));
    assert!(matches!(again.await, Err(person::Error::NoInvitation)));
    let nobody = person::sign_up(
        &server.http,
        &server.origin,
        "nobody@example.com",
        secret("x"),
    );
    assert!(matches!(nobody.await, Err(person::Error::NoInvitation)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_during_a_confirmation_reaches_the_person_with_its_key() {
    let server = Server::start().await;
    let account = Arc::new(server.account());
    let ann = account
        .invite(&person("ann@example.com"), &attempt())
        .await
        .unwrap();
    let kit = server.join("ann@example.com").await;
    let mut made = Vec::new();
    for number in 0..6 {
        made.push(
            account
                .create_group(&format!("Group {number}"), &attempt())
                .await
                .unwrap()
                .id,
        );
    }
    let confirming = confirm(&account, &ann.id);
    let granting = async {
        for group in &made {
            account.grant(group, &[ann.id.clone()]).await.unwrap();
        }
    };
    let (confirmed, ()) = tokio::join!(confirming, granting);
    confirmed.unwrap();
    let report = server.enter(&kit).await.unwrap();
    assert_eq!(report.groups.len(), 7);
    assert!(report.groups.iter().all(|group| group.opened), "{report:?}");
    assert_eq!(
        server
            .sandbox
            .count_events("confirmed", ann.id.as_str())
            .unwrap(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_confirmations_at_once_are_one() {
    let server = Server::start().await;
    let (one, two) = (server.account(), server.account());
    let ann = one
        .invite(&person("ann@example.com"), &attempt())
        .await
        .unwrap();
    server.join("ann@example.com").await;
    let results = tokio::join!(confirm(&one, &ann.id), confirm(&two, &ann.id));
    let confirmed = [&results.0, &results.1]
        .iter()
        .filter(|result| result.is_ok())
        .count();
    assert_eq!(confirmed, 1, "{results:?}");
    assert_eq!(
        server
            .sandbox
            .count_events("confirmed", ann.id.as_str())
            .unwrap(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_whole_whichever_way_they_are_paged() {
    let server = Server::start().await;
    let account = server.account();
    let mut ids = Vec::new();
    for number in 0..25 {
        let member = account
            .invite(&person(&format!("p{number}@example.com")), &attempt())
            .await
            .unwrap();
        ids.push(member.id);
    }
    account.suspend(&ids[3]).await.unwrap();
    account.delete_member(&ids[4]).await.unwrap();
    let started = [MemberState::TransferStarted];
    let mut page = Page::first(10);
    let mut walked = Vec::new();
    loop {
        let listing = account.members(&started, &page).await.unwrap();
        assert_eq!(listing.total, 23);
        walked.extend(listing.items.into_iter().map(|member| member.id));
        match listing.next {
            Some(next) => page.start = Start::After(next),
            None => break,
        }
    }
    let mut skipped = Vec::new();
    for offset in (0..30).step_by(7) {
        let page = Page {
            start: Start::Offset(offset),
            limit: 7,
        };
        let listing = account.members(&started, &page).await.unwrap();
        skipped.extend(listing.items.into_iter().map(|member| member.id));
    }
    assert_eq!(walked.len(), 23);
    assert_eq!(walked, skipped);
    let all = account
        .members(
            &[],
            &Page {
                start: Start::Offset(0),
                limit: 0,
            },
        )
        .await
        .unwrap();
    assert_eq!((all.total, all.items.len()), (26, 0));

    let group = account.create_group("Everyone", &attempt()).await.unwrap();
    let unknown: MemberId = "AAAAAAAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
    let mut with_unknown = ids.clone();
    with_unknown.remove(4);
    with_unknown.push(unknown.clone());
    assert_eq!(
        account.grant(&group.id, &with_unknown).await,
        Err(Error::UnknownMembers(vec![unknown.clone()]))
    );
    assert_eq!(
        account
            .group(&group.id)
            .await
            .unwrap()
            .unwrap()
            .member_count,
        0
    );
    with_unknown.pop();
    assert_eq!(account.grant(&group.id, &with_unknown).await.unwrap(), 24);
    let page = Page {
        start: Start::Offset(20),
        limit: 100,
    };
    let members = account.group_members(&group.id, &page).await.unwrap();
    assert_eq!(
        (members.total, members.items.len(), members.next),
        (24, 4, None)
    );
    assert_eq!(account.grant(&group.id, &with_unknown).await.unwrap(), 0);
    for changed in [1, 0] {
        let ids = [ids[0].clone(), unknown.clone()];
        assert_eq!(account.revoke(&group.id, &ids).await, Ok(changed));
    }
    assert_eq!(account.groups_of(&ids[1]).await.unwrap()[0].id, group.id);
    let nothing: GroupId = "aaaaaaaaaaaaaaaaaaaaaaaaaa".parse().unwrap();
    let found = account
        .groups_by_id(&[nothing.clone(), group.id.clone()])
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    let one = [ids[1].clone()];
    let gone = Err(Error::NotFound("group"));
    assert_eq!(account.grant(&nothing, &one).await, gone);
    assert_eq!(account.revoke(&nothing, &one).await, gone);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_signs_in_once_for_all_and_again_when_its_session_is_gone() {
    let server = Server::start().await;
    let account = Arc::new(server.account());
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let account = Arc::clone(&account);
            tokio::spawn(async move { account.identity().await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(account.sign_ins(), 1);
    server.sandbox.end_sessions();
    account.identity().await.unwrap();
    assert_eq!(account.sign_ins(), 2);
    account.sign_out().await;
    account.identity().await.unwrap();
    assert_eq!(account.sign_ins(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_session_ends() {
    let server = Server::with(Duration::from_secs(2), &[]).await;
    let account = server.account();
    account.identity().await.unwrap();
    tokio::time::sleep(Duration::from_millis(2200)).await;
    account.identity().await.unwrap();
    assert_eq!(account.sign_ins(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_outlives_a_server_that_goes_and_comes_back() {
    let server = Server::start().await;
    let account = server.account().with_deadline(Duration::from_secs(5));
    let ann = account
        .invite(&person("ann@example.com"), &attempt())
        .await
        .unwrap();
    let address = server.origin.strip_prefix("http://").unwrap().to_owned();
    server.running.abort();
    tokio::time::sleep(Duration::from_millis(100)).await;
    // A kept connection may still be served; a new client needs a new one.
    let other = NativeAccount::new(
        server.demo.credentials.clone(),
        outbound::client(None).unwrap(),
    )
    .with_deadline(Duration::from_secs(5));
    assert!(matches!(
        other.identity().await,
        Err(Error::Unavailable { .. })
    ));

    let sandbox = open(
        server.folder.path().join("account.db"),
        Duration::from_secs(600),
    );
    let running = serve(TcpListener::bind(&address).await.unwrap(), &sandbox);
    assert_eq!(
        other.member(&ann.id).await.unwrap().unwrap().email,
        "ann@example.com"
    );
    running.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_are_not_tried_again_at_once() {
    let server = Server::start().await;
    let mut wrong = server.demo.credentials.clone();
    wrong.srp_x[0] ^= 1;
    let account = NativeAccount::new(wrong, server.http.clone());
    assert!(matches!(
        account.identity().await,
        Err(Error::CredentialsRefused(_))
    ));
    server.running.abort();
    tokio::time::sleep(Duration::from_millis(50)).await;
    // Still the first answer, with the server gone.
    assert!(matches!(
        account.identity().await,
        Err(Error::CredentialsRefused(_))
    ));

    let server = Server::start().await;
    let mut old = server.demo.credentials.clone();
    old.user_auth.iterations += 1;
    let account = NativeAccount::new(old, server.http.clone());
    let Err(Error::CredentialsRefused(why)) = account.identity().await else {
        panic!("taken");
    };
    assert!(why.contains("run setup again"), "{why}");
    let mut lost = server.demo.credentials.clone();
    lost.sign_in_address = "nowhere at all".to_owned();
    let account = NativeAccount::new(lost, server.http.clone());
    assert!(matches!(
        account.identity().await,
        Err(Error::CredentialsRefused(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_for_newcomers_load_nothing_from_elsewhere() {
    let server = Server::start().await;
    server
        .account()
        .invite(&person("<b>@example.com"), &attempt())
        .await
        .unwrap();
    let mut pages = Vec::new();
    for path in ["/sandbox/", "/sandbox/join?invitation=x"] {
        let answer = server
            .http
            .get(format!("{}{path}", server.origin))
            .send()
            .await
            .unwrap();
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        let html = answer.text().await.unwrap();
        assert!(!html.contains("src=") && !html.contains("{{"), "{html}");
        pages.push((policy, html));
    }
    assert!(pages[0].1.contains("&lt;b&gt;@example.com"));
    let nonce = pages[1].0.split("nonce-").nth(1).unwrap();
    let nonce = nonce.split('\'').next().unwrap();
    assert_eq!(pages[1].1.matches(nonce).count(), 2);
}

/// The page's own script makes the keys, run by Node.js, and everything else treats them as any
/// other person's.
#[tokio::test(flavor = "multi_thread")]
async fn keys_made_by_the_page_sign_in_and_open_groups() {
    // `globalThis.crypto` came with Node.js 20.
    let modern = std::process::Command::new("node")
        .args(["-e", "process.exit(globalThis.crypto ? 0 : 1)"])
        .status()
        .is_ok_and(|status| status.success());
    if !modern {
        eprintln!(
            "SKIPPED: the sign-up page's script is run by Node.js 20 or later, which is not here"
        );
        return;
    }
    let server = Server::start().await;
    let account = server.account();
    let finance = account.create_group("Finance", &attempt()).await.unwrap();
    let ann = account
        .invite(&person("Ann@example.com"), &attempt())
        .await
        .unwrap();
    account.grant(&finance.id, &[ann.id.clone()]).await.unwrap();
    let secret = server.sandbox.mail("ann@example.com").unwrap()[0]
        .invitation
        .as_deref()
        .unwrap()
        .to_owned();
    let page = format!("{}/sandbox/join?invitation={secret}", server.origin);
    let html = server
        .http
        .get(page)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let script = html
        .split("<script")
        .nth(1)
        .unwrap()
        .split_once('>')
        .unwrap()
        .1;
    let making = script.split("// The page itself.").next().unwrap();
    let driver = format!(
        r#"{making}
        (async () => {{
            const offer = await (await fetch("{0}/sandbox/invitation?invitation={secret}")).json();
            const password = " päss wörd ";
            const made = await makeKeys(offer.email, password, offer.iterations);
            const answer = await fetch("{0}/sandbox/sign-up", {{
                method: "POST", body: JSON.stringify({{ invitation: "{secret}", ...made.secrets }}) }});
            if (!answer.ok) throw new Error(await answer.text());
            console.log(JSON.stringify({{ email: offer.email, secretKey: made.text, password }}));
        }})()"#,
        server.origin
    );
    let output = tokio::task::spawn_blocking(move || {
        std::process::Command::new("node")
            .arg("-e")
            .arg(driver)
            .output()
    })
    .await
    .unwrap()
    .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let kit: Kit = serde_json::from_slice(&output.stdout).unwrap();
    confirm(&account, &ann.id).await.unwrap();
    let report = server.enter(&kit).await.unwrap();
    assert_eq!(report.groups, groups(&["Team Members", "Finance"]));
}

/// A new attempt to create something.
fn attempt() -> Attempt {
    Attempt::new(identifier::upper().unwrap())
}
