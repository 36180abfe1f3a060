//! An administrator gives an account a Provision Manager, over loopback HTTP.
#![cfg(feature = "local")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    // A group of one reads better as an array.
    clippy::cloned_ref_to_slice_refs
)]

use scim_bridge::{
    account::{
        self, Account, Attempt, GroupId, Invitation, Member, MemberEdit, MemberId, MemberState,
        native::{
            NativeAccount,
            setup::{Administrator, Error, Login, NewManager, PROVISION_MANAGERS},
        },
    },
    onepassword::{
        identifier, messages::administration::right, secret_key::SecretKey,
        secret_text::SecretText, sign_in_credentials::SignInCredentials,
    },
    outbound,
    sandbox::{
        self, NewAccount, NewPerson, Options, Sandbox,
        person::{self, Kit},
    },
};
use tokio::{net::TcpListener, task::JoinHandle};

const BRIDGE: &str = "bridge@example.com";

/// An account that nobody is in but its owner.
struct Server {
    _folder: tempfile::TempDir,
    sandbox: Sandbox,
    owner: Login,
    http: reqwest::Client,
    running: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            kdf_iterations: 10_000,
            ..Options::default()
        };
        let sandbox = Sandbox::open(&folder.path().join("account.db"), options).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let new = NewAccount {
            name: "Example".to_owned(),
            domains: Vec::new(),
            owner: NewPerson {
                email: "owner@example.com".to_owned(),
                password: secret("the owner's own"),
            },
            sign_in_address: address.clone(),
        };
        let making = sandbox.clone();
        let owner = tokio::task::spawn_blocking(move || making.create_account(&new))
            .await
            .unwrap()
            .unwrap();
        let served = sandbox.clone();
        let running = tokio::spawn(async move { sandbox::serve(listener, served).await.unwrap() });
        Self {
            _folder: folder,
            sandbox,
            owner: Login {
                address,
                email: owner.email,
                secret_key: owner.secret_key,
                password: owner.password,
            },
            http: outbound::client(None).unwrap(),
            running,
        }
    }

    async fn sign_in(&self, login: &Login) -> Result<Administrator, Error> {
        Administrator::sign_in(self.http.clone(), login).await
    }

    async fn administrator(&self) -> Administrator {
        self.sign_in(&self.owner).await.unwrap()
    }

    fn account(&self, credentials: &SignInCredentials) -> NativeAccount {
        NativeAccount::new(credentials.clone(), self.http.clone())
    }

    /// Sets up a Provision Manager from beginning to end, but for a predecessor.
    async fn set_up(&self, administrator: &Administrator, email: &str) -> (Member, NativeAccount) {
        let group = administrator.provision_managers().await.unwrap();
        let new = self.new_manager(email).await;
        let made = administrator.create_manager(&new, "SCIM bridge", &group);
        let made = made.await.unwrap();
        administrator.admit(&made, &group).await.unwrap();
        (made, self.account(&new.credentials))
    }

    async fn new_manager(&self, email: &str) -> NewManager {
        NewManager::generate(&self.owner.address, email)
            .await
            .unwrap()
    }

    /// Somebody who signs up, and waits.
    async fn invite(&self, account: &NativeAccount, email: &str) -> (MemberId, Kit) {
        let invitation = Invitation {
            email: email.to_owned(),
            name: "Somebody".to_owned(),
            language: None,
        };
        let invited = account.invite(&invitation, &attempt()).await.unwrap();
        let origin = &self.owner.address;
        let kit = person::sign_up(&self.http, origin, email, secret("pass phrase"));
        (invited.id, kit.await.unwrap())
    }

    /// Whether each of a person's groups opens, by name.
    async fn groups(&self, kit: &Kit) -> Vec<(String, bool)> {
        let report = person::sign_in(&self.http, &self.owner.address, kit).await;
        let groups = report.unwrap().groups.into_iter();
        groups.map(|group| (group.name, group.opened)).collect()
    }

    /// The owner, as a person.
    fn kit(&self) -> Kit {
        Kit {
            email: self.owner.email.clone(),
            secret_key: self.owner.secret_key.clone(),
            password: self.owner.password.clone(),
        }
    }

    fn login(&self, kit: &Kit) -> Login {
        Login {
            address: self.owner.address.clone(),
            email: kit.email.clone(),
            secret_key: kit.secret_key.clone(),
            password: kit.password.clone(),
        }
    }
}

fn secret(text: &str) -> SecretText {
    SecretText::new(text.to_owned())
}

fn attempt() -> Attempt {
    Attempt::new(identifier::upper().unwrap())
}

fn opened(names: &[&str]) -> Vec<(String, bool)> {
    names
        .iter()
        .map(|name| ((*name).to_owned(), true))
        .collect()
}

async fn confirm(account: &NativeAccount, id: &MemberId) {
    let member = account.member(id).await.unwrap().unwrap();
    let fingerprint = member.key_fingerprint.unwrap();
    account.confirm(id, &fingerprint).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_goes_to_work_with_what_the_set_up_made() {
    let server = Server::start().await;
    let administrator = server.administrator().await;
    assert_eq!(administrator.account_name(), "Example");
    assert_eq!(administrator.email(), "owner@example.com");
    let (made, account) = server.set_up(&administrator, BRIDGE).await;
    administrator.sign_out().await;

    assert_eq!(account.identity().await.unwrap().member, made.id);
    let itself = account.member(&made.id).await.unwrap().unwrap();
    assert!(itself.protected);
    assert_eq!(itself.state, MemberState::Active);
    assert!(
        server
            .sandbox
            .mail(BRIDGE)
            .unwrap()
            .iter()
            .all(|mail| mail.invitation.is_none())
    );
    let group = account
        .group_by_name(PROVISION_MANAGERS)
        .await
        .unwrap()
        .unwrap();
    assert!(group.has_account_wide_power());
    assert_eq!(group.permissions.len(), right::OF_PROVISION_MANAGERS.len());
    assert_eq!(group.member_count, 1);

    let finance = account.create_group("Finance", &attempt()).await.unwrap();
    let (ann, kit) = server.invite(&account, "ann@example.com").await;
    account.grant(&finance.id, &[ann.clone()]).await.unwrap();
    confirm(&account, &ann).await;
    assert_eq!(
        server.groups(&kit).await,
        opened(&["Team Members", "Finance"])
    );
    let name = MemberEdit {
        name: Some("Ann".to_owned()),
        ..MemberEdit::default()
    };
    account.edit_member(&ann, &name).await.unwrap();
    account.suspend(&ann).await.unwrap();
    account.reactivate(&ann).await.unwrap();
    // It has no right to make another one.
    assert!(matches!(
        account.grant(&group.id, &[ann.clone()]).await,
        Err(account::Error::Protected(_))
    ));
    account.delete_member(&ann).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_is_repeated_does_nothing_twice() {
    let server = Server::start().await;
    let first = server.administrator().await;
    let (old, account) = server.set_up(&first, "old@example.com").await;
    account.create_group("Finance", &attempt()).await.unwrap();
    let new = server.new_manager(BRIDGE).await;
    let mut before = Vec::new();
    // The second time with a session of its own, as after a crash.
    for (again, administrator) in [(false, &first), (true, &server.administrator().await)] {
        let group = administrator.provision_managers().await.unwrap();
        let made = match again {
            false => {
                let made = administrator.create_manager(&new, "SCIM bridge", &group);
                made.await.unwrap()
            }
            true => {
                let made = administrator.manager_by_email(&group, BRIDGE).await;
                made.unwrap().unwrap()
            }
        };
        administrator.admit(&made, &group).await.unwrap();
        let given = administrator.hand_over(&old.id, &made.id).await.unwrap();
        assert_eq!(given, usize::from(!again));
        let managers = administrator.managers(&group).await.unwrap();
        let ids: Vec<_> = managers.into_iter().map(|manager| manager.id).collect();
        assert_eq!(ids, [old.id.clone(), made.id]);
        let events = server.sandbox.events().unwrap();
        assert!(!again || events == before, "{events:?}");
        before = events;
    }
    let group = first.provision_managers().await.unwrap();
    let again = first.create_manager(&new, "SCIM bridge", &group).await;
    assert_eq!(again.unwrap().email, BRIDGE);
    assert_eq!(server.sandbox.events().unwrap(), before);
    for _ in 0..2 {
        first.remove(&old.id, None).await.unwrap();
    }
    assert_eq!(first.managers(&group).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_half_made_is_found_and_replaced() {
    let server = Server::start().await;
    let administrator = server.administrator().await;
    let group = administrator.provision_managers().await.unwrap();
    let found = administrator.manager_by_email(&group, BRIDGE).await;
    assert_eq!(found, Ok(None));
    let lost = server.new_manager(BRIDGE).await;
    let half = administrator.create_manager(&lost, "SCIM bridge", &group);
    let half = half.await.unwrap();
    assert_eq!(half.state, MemberState::TransferAccepted);

    let new = server.new_manager(BRIDGE).await;
    let refused = administrator.create_manager(&new, "SCIM bridge", &group);
    assert_eq!(refused.await, Err(Error::ManagerExists(BRIDGE.to_owned())));
    let found = administrator.manager_by_email(&group, BRIDGE).await;
    assert_eq!(found, Ok(Some(half.clone())));
    administrator.remove(&half.id, None).await.unwrap();
    let made = administrator.create_manager(&new, "SCIM bridge", &group);
    administrator
        .admit(&made.await.unwrap(), &group)
        .await
        .unwrap();
    server.account(&new.credentials).identity().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_gets_the_key_of_a_group_that_a_person_made() {
    let server = Server::start().await;
    let administrator = server.administrator().await;
    let (manager, account) = server.set_up(&administrator, BRIDGE).await;
    let owner = server.kit();
    let name = "Finance";
    let finance = person::make_group(&server.http, &server.owner.address, &owner, name);
    let finance = finance.await.unwrap();
    let (ann, kit) = server.invite(&account, "ann@example.com").await;
    confirm(&account, &ann).await;

    assert_eq!(account.reaches_key(&finance).await, Ok(false));
    assert!(matches!(
        account.grant(&finance, &[ann.clone()]).await,
        Err(account::Error::NotPermitted(_))
    ));
    // Once more does no harm.
    for _ in 0..2 {
        let handed = administrator.hand_over_group(&finance, &manager.id).await;
        assert_eq!(handed, Ok(()));
    }
    assert_eq!(account.reaches_key(&finance).await, Ok(true));
    assert_eq!(account.grant(&finance, &[ann]).await, Ok(1));
    let all = opened(&["Team Members", "Finance"]);
    assert_eq!(server.groups(&kit).await, all);
    let nothing: GroupId = "aaaaaaaaaaaaaaaaaaaaaaaaaa".parse().unwrap();
    let gone = account::Error::NotFound("group");
    assert_eq!(account.reaches_key(&nothing).await, Err(gone.clone()));
    let handed = administrator.hand_over_group(&nothing, &manager.id).await;
    assert_eq!(handed, Err(gone.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_goes_on_with_the_groups_of_its_predecessor() {
    let server = Server::start().await;
    let administrator = server.administrator().await;
    let (old, predecessor) = server.set_up(&administrator, "old@example.com").await;
    let finance = predecessor
        .create_group("Finance", &attempt())
        .await
        .unwrap();
    let (ann, kit) = server.invite(&predecessor, "ann@example.com").await;
    confirm(&predecessor, &ann).await;
    let (bob, bobs) = server.invite(&predecessor, "bob@example.com").await;
    predecessor
        .grant(&finance.id, &[bob.clone()])
        .await
        .unwrap();

    let (new, successor) = server.set_up(&administrator, BRIDGE).await;
    assert!(matches!(
        successor.grant(&finance.id, &[ann.clone()]).await,
        Err(account::Error::NotPermitted(_))
    ));
    assert_eq!(administrator.hand_over(&old.id, &new.id).await, Ok(1));
    // Its bridge is still at work until it is removed.
    let late = predecessor.create_group("Late", &attempt()).await.unwrap();
    administrator.remove(&old.id, Some(&new.id)).await.unwrap();
    assert!(matches!(
        predecessor.identity().await,
        Err(account::Error::CredentialsRefused(_))
    ));

    for group in [&finance.id, &late.id] {
        successor.grant(group, &[ann.clone()]).await.unwrap();
    }
    let all = opened(&["Team Members", "Finance", "Late"]);
    assert_eq!(server.groups(&kit).await, all);
    confirm(&successor, &bob).await;
    assert_eq!(server.groups(&bobs).await, all[..2]);
}

/// Two cannot have one address: the administrator keeps the keys in between.
#[tokio::test(flavor = "multi_thread")]
async fn a_successor_may_take_over_the_address() {
    let server = Server::start().await;
    let administrator = server.administrator().await;
    let (old, predecessor) = server.set_up(&administrator, BRIDGE).await;
    let finance = predecessor
        .create_group("Finance", &attempt())
        .await
        .unwrap();
    let (ann, kit) = server.invite(&predecessor, "ann@example.com").await;
    confirm(&predecessor, &ann).await;
    let own = administrator.id();
    administrator.remove(&old.id, Some(own)).await.unwrap();
    let (new, successor) = server.set_up(&administrator, BRIDGE).await;
    assert_eq!(administrator.hand_over(own, &new.id).await, Ok(1));
    successor.grant(&finance.id, &[ann]).await.unwrap();
    assert_eq!(
        server.groups(&kit).await,
        opened(&["Team Members", "Finance"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_administrator_or_mistypes_is_told_so() {
    let server = Server::start().await;
    let administrator = server.administrator().await;
    let (_, account) = server.set_up(&administrator, BRIDGE).await;
    let (ann, kit) = server.invite(&account, "ann@example.com").await;
    let login = server.login(&kit);
    let refused = async |login: &Login| server.sign_in(login).await.err();
    assert_eq!(
        refused(&login).await,
        Some(Error::Inactive(MemberState::TransferAccepted))
    );
    confirm(&account, &ann).await;
    assert_eq!(
        refused(&login).await,
        Some(Error::NotAdministrator {
            email: "ann@example.com".to_owned(),
            right: right::MANAGE_SETTINGS
        })
    );
    account.suspend(&ann).await.unwrap();
    assert_eq!(
        refused(&login).await,
        Some(Error::Inactive(MemberState::Suspended))
    );

    let owner = &server.owner;
    let other_key = SecretText::new(SecretKey::generate().unwrap().text().to_string());
    let short_key = SecretText::new(owner.secret_key[..30].to_owned());
    let with = |change: &dyn Fn(&mut Login)| {
        let mut login = owner.clone();
        change(&mut login);
        login
    };
    for (login, error) in [
        (with(&|typed| typed.password = secret("x")), Error::Refused),
        (
            with(&|typed| typed.email = "nobody@example.com".into()),
            Error::Refused,
        ),
        (
            with(&|typed| typed.secret_key = other_key.clone()),
            Error::Refused,
        ),
        (
            with(&|typed| typed.secret_key = short_key.clone()),
            Error::SecretKey,
        ),
        (
            with(&|typed| typed.address = "not an address".into()),
            Error::Address("not an address".to_owned()),
        ),
    ] {
        assert_eq!(refused(&login).await, Some(error));
    }
    // As people copy it: with blanks around.
    let copied = with(&|typed| {
        typed.email = " Owner@Example.com ".into();
        typed.address = format!(" {}/ ", typed.address);
    });
    server.sign_in(&copied).await.unwrap();
    // A port that nobody listens on.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let nowhere = refused(&with(&|typed| typed.address = address.clone())).await;
    assert!(matches!(nowhere, Some(Error::OutOfReach(_))), "{nowhere:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_a_person_has_is_not_taken_from_them() {
    let server = Server::start().await;
    let administrator = server.administrator().await;
    let (_, account) = server.set_up(&administrator, BRIDGE).await;
    server.invite(&account, "ann@example.com").await;
    let group: GroupId = administrator.provision_managers().await.unwrap();
    let taken = Error::EmailTaken("Ann@example.com".to_owned());
    let found = administrator.manager_by_email(&group, "Ann@example.com");
    assert_eq!(found.await, Err(taken.clone()));
    let new = server.new_manager("Ann@example.com").await;
    let made = administrator.create_manager(&new, "SCIM bridge", &group);
    assert_eq!(made.await, Err(taken));
}
