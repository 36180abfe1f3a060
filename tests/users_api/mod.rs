//! The Users API beside the account client: nobody can tell, except by the time it takes.

mod stand_in;

use std::io;

use scim_bridge::{
    account::{
        GroupId, Identity, Listing, Member, MemberEdit, MemberId, MemberKind, Result, Start,
        users_api::UsersApi,
    },
    bridge::Context,
    config::Config,
    credentials::{BearerToken, Connector, Credentials, Holder, NewRecipient},
    http::{Admission, Gate},
    scim::{list::ListQuery, version::Conditions},
    service::Service as BridgeService,
};
use stand_in::{SECRET, StandIn, TOKEN, user};
use time::OffsetDateTime;

use super::*;

const LIFE: u64 = 900;
const SUSPEND: &str = ":suspend";
const REACTIVATE: &str = ":reactivate";

/// An account with a stand-in beside it.
struct World {
    service: Service,
    plain: Arc<dyn Account>,
    api: StandIn,
    account: UsersApi,
}

async fn world(life: u64) -> World {
    let service = service().await;
    let http = outbound::client(None).unwrap();
    let plain: Arc<dyn Account> = Arc::new(NativeAccount::new(
        service.credentials.clone(),
        http.clone(),
    ));
    let api = StandIn::start(Arc::clone(&plain), life).await;
    let account = UsersApi::new(api.credentials(), http, Arc::clone(&plain));
    World {
        service,
        plain,
        api,
        account,
    }
}

impl World {
    async fn invited(&self, name: &str) -> Member {
        let person = Invitation {
            email: format!("{name}@example.com"),
            name: name.to_owned(),
            language: None,
        };
        self.plain.invite(&person, &attempt()).await.unwrap()
    }

    async fn waiting(&self, name: &str) -> Member {
        let invited = self.invited(name).await;
        let http = outbound::client(None).unwrap();
        let password = SecretText::new("three".to_owned());
        person::sign_up(&http, &self.service.origin, &invited.email, password)
            .await
            .unwrap();
        self.plain.member(&invited.id).await.unwrap().unwrap()
    }

    async fn active(&self, name: &str) -> Member {
        let waiting = self.waiting(name).await;
        let key = waiting.key_fingerprint.unwrap();
        self.plain.confirm(&waiting.id, &key).await.unwrap()
    }

    /// Somebody of every sort that there is at the beginning.
    async fn everybody(&self) -> Vec<(&'static str, MemberId)> {
        let owner = self.plain.member_by_email("owner@example.com").await;
        let bridge = self.plain.identity().await.unwrap().member;
        let nobody = "NOBODYAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
        vec![
            ("active", self.active("ann").await.id),
            ("waiting", self.waiting("bob").await.id),
            ("invited", self.invited("eve").await.id),
            ("owner", owner.unwrap().unwrap().id),
            ("bridge", bridge),
            ("nobody", nobody),
        ]
    }

    async fn state(&self, id: &MemberId) -> MemberState {
        self.plain.member(id).await.unwrap().unwrap().state
    }
}

/// What can be compared between two accounts.
fn comparable(answer: Result<Member>) -> Result<impl PartialEq + std::fmt::Debug> {
    answer.map(|member| {
        let is_guest = member.kind == MemberKind::Guest;
        let Member { email, name, .. } = member;
        (
            email,
            name,
            member.state,
            is_guest,
            member.protected,
            member.version,
        )
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_suspended_and_reactivated_as_by_the_connector() {
    let (one, other) = tokio::join!(world(LIFE), world(LIFE));
    let (people, twins) = tokio::join!(one.everybody(), other.everybody());
    for ((who, id), (_, twin)) in people.into_iter().zip(twins) {
        let before = [SUSPEND, REACTIVATE].map(|verb| one.api.faults.seen(verb));
        for (step, suspend) in [true, true, false, false].into_iter().enumerate() {
            let (answer, expected) = match suspend {
                true => tokio::join!(one.account.suspend(&id), other.plain.suspend(&twin)),
                false => tokio::join!(one.account.reactivate(&id), other.plain.reactivate(&twin)),
            };
            assert_eq!(
                answer.is_ok(),
                !["owner", "bridge", "nobody"].contains(&who)
            );
            let expected = comparable(expected);
            assert_eq!(comparable(answer.clone()), expected, "{who}, step {step}");
            if let Ok(member) = answer {
                assert_eq!(one.plain.member(&id).await, Ok(Some(member)));
            }
        }
        let asked = [SUSPEND, REACTIVATE].map(|verb| one.api.faults.seen(verb));
        let times = usize::from(who == "active");
        assert_eq!(asked, before.map(|before| before + times), "{who}");
    }
    assert_eq!(one.api.faults.seen(TOKEN), 1);
    assert_eq!(other.api.faults.seen(""), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_just_read_is_not_read_again() {
    let world = world(LIFE).await;
    let ann = world.active("ann").await.id;
    let path = format!("/members/{ann}");
    let read = || world.service.faults.seen(&path);
    let before = read();
    world.account.suspend(&ann).await.unwrap();
    assert_eq!(read() - before, 3, "before, by the stand-in, and after");
    world.account.reactivate(&ann).await.unwrap();
    assert_eq!(read() - before, 5, "by the stand-in, and after");
    // Nor is the API asked about somebody who was deleted since.
    world.account.delete_member(&ann).await.unwrap();
    assert_eq!(
        world.account.suspend(&ann).await,
        Err(Error::NotFound("member"))
    );
    assert_eq!(world.api.faults.seen(SUSPEND), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_else_is_the_connectors() {
    let world = world(LIFE).await;
    let (account, plain) = (&world.account, &world.plain);
    let Identity { member: own, .. } = account.identity().await.unwrap();
    assert_eq!(account.identity().await, plain.identity().await);
    let bob = world.waiting("bob").await;
    let ann = account.invite(&ann(), &attempt()).await.unwrap();
    let edit = MemberEdit {
        name: Some("Annie".to_owned()),
        ..MemberEdit::default()
    };
    let ann = account.edit_member(&ann.id, &edit).await.unwrap();
    let bob = account
        .confirm(&bob.id, &bob.key_fingerprint.unwrap())
        .await
        .unwrap();
    assert_eq!((&*ann.name, bob.state), ("Annie", MemberState::Active));
    let team = account.create_group("Team", &attempt()).await.unwrap();
    let people = [ann.id.clone(), bob.id.clone()];
    assert_eq!(account.grant(&team.id, &people).await, Ok(2));
    assert_eq!(account.revoke(&team.id, &people[..1]).await, Ok(1));
    let team = account.rename_group(&team.id, "Crew").await.unwrap();
    assert_eq!((&*team.name, team.member_count), ("Crew", 1));

    let ids = [bob.id.clone(), own, ann.id.clone()];
    let page = Page {
        start: Start::Offset(1),
        limit: 2,
    };
    let states = [MemberState::TransferStarted, MemberState::Active];
    assert_eq!(account.members_by_id(&ids).await.unwrap().len(), 3);
    assert_eq!(
        account.members_by_id(&ids).await,
        plain.members_by_id(&ids).await
    );
    for id in &ids {
        assert_eq!(account.member(id).await, plain.member(id).await);
    }
    for address in ["ANN@example.com", "nobody@example.com"] {
        let found = account.member_by_email(address).await;
        assert_eq!(found, plain.member_by_email(address).await);
    }
    let Listing { items, total, .. } = account.members(&states, &page).await.unwrap();
    assert_eq!((items.len(), total), (2, 4));
    assert_eq!(
        account.members(&states, &page).await,
        plain.members(&states, &page).await
    );
    assert_eq!(account.groups(&page).await, plain.groups(&page).await);
    let groups = account.groups_of(&bob.id).await.unwrap();
    assert!(groups.iter().any(|group| group.id == team.id));
    assert_eq!(plain.groups_of(&bob.id).await, Ok(groups));
    assert_eq!(account.group(&team.id).await, Ok(Some(team.clone())));
    let ids: [GroupId; 1] = [team.id.clone()];
    assert_eq!(account.groups_by_id(&ids).await, Ok(vec![team.clone()]));
    assert_eq!(account.group_by_name("crew").await, Ok(Some(team.clone())));
    let members = account
        .group_members(&team.id, &Page::first(5))
        .await
        .unwrap();
    assert_eq!(
        members.items,
        [account.member(&bob.id).await.unwrap().unwrap()]
    );
    assert_eq!(account.is_member(&team.id, &bob.id).await, Ok(true));
    assert_eq!(account.is_member(&team.id, &ann.id).await, Ok(false));
    assert_eq!(account.reaches_key(&team.id).await, Ok(true));
    account.delete_group(&team.id).await.unwrap();
    account.delete_member(&ann.id).await.unwrap();
    assert_eq!(plain.group(&team.id).await, Ok(None));
    assert_eq!(plain.member(&ann.id).await, Ok(None));
    account.sign_out().await;
    assert_eq!(world.api.faults.seen(""), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_serves_until_shortly_before_its_end_or_until_it_is_revoked() {
    for (life, expected) in [(LIFE, 1), (30, 2)] {
        let world = world(life).await;
        let ann = world.active("ann").await.id;
        world.account.suspend(&ann).await.unwrap();
        world.account.reactivate(&ann).await.unwrap();
        assert_eq!(world.api.faults.seen(TOKEN), expected, "{life}");
        if life == LIFE {
            world.api.revoke();
            world.account.suspend(&ann).await.unwrap();
            assert_eq!(world.api.faults.seen(TOKEN), 2);
            assert_eq!(
                world.api.faults.seen(SUSPEND),
                3,
                "one, then one more to renew"
            );
            // The API did it: it is not left alone.
            world.account.reactivate(&ann).await.unwrap();
            assert_eq!(world.api.faults.seen(REACTIVATE), 2);
        }
    }
}

const SOMEBODY_ELSE: &str = r#"{"id": "BOBAAAAAAAAAAAAAAAAAAAAAAA", "state": "SUSPENDED"}"#;

/// What the API says that says nothing of the person, and how often it is asked.
const NO_HELP: [(&str, &[Fault], usize); 11] = [
    (SUSPEND, &[Fault::Before(429, Some(30))], 1),
    (SUSPEND, &[Fault::Before(503, Some(30))], 1),
    (SUSPEND, &[Fault::Before(501, None)], 1),
    (
        SUSPEND,
        &[Fault::Says(401, "{}"), Fault::Says(401, "{}")],
        2,
    ),
    (SUSPEND, &[Fault::Says(403, "<html>blocked</html>")], 1),
    (
        SUSPEND,
        &[Fault::Says(403, r#"{"code": 7, "message": "no scope"}"#)],
        1,
    ),
    (
        SUSPEND,
        &[Fault::Says(404, r#"{"code": 5, "message": "no"}"#)],
        1,
    ),
    (SUSPEND, &[Fault::Says(200, "{}")], 1),
    (SUSPEND, &[Fault::Says(200, SOMEBODY_ELSE)], 1),
    (
        TOKEN,
        &[Fault::Says(401, r#"{"error": "invalid_client"}"#)],
        0,
    ),
    (TOKEN, &[Fault::Says(200, r#"{"token_type": "bearer"}"#)], 0),
];

#[tokio::test]
async fn an_api_that_is_of_no_help_is_left_alone_and_nobody_has_to_know() {
    let world = world(LIFE).await;
    let ann = world.active("ann").await.id;
    for (path, faults, asked) in NO_HELP {
        let (log, _guard) = Log::hear();
        let http = outbound::client(None).unwrap();
        let plain = Arc::clone(&world.plain);
        let account = UsersApi::new(world.api.credentials(), http, plain);
        let before = world.api.faults.seen(SUSPEND);
        world.api.faults.plan(path, faults);
        let suspended = account.suspend(&ann).await.unwrap();
        assert_eq!(suspended.state, MemberState::Suspended, "{faults:?}");
        assert_eq!(world.state(&ann).await, MemberState::Suspended);
        assert_eq!(world.api.faults.left(), 0, "{faults:?}");
        assert_eq!(world.api.faults.seen(SUSPEND), before + asked, "{faults:?}");
        // Not asked again so soon, and not complained of again.
        let active = account.reactivate(&ann).await.unwrap();
        assert_eq!(active.state, MemberState::Active);
        assert_eq!(world.api.faults.seen(REACTIVATE), 0);
        assert_eq!(log.warnings(), 1, "{faults:?}");
    }
}

#[tokio::test]
async fn an_api_that_is_down_is_asked_again_after_the_pause() {
    let world = world(LIFE).await;
    let ann = world.active("ann").await.id;
    let account = world.account.with_pause(Duration::ZERO);
    world
        .api
        .faults
        .plan(SUSPEND, &[Fault::Before(503, Some(30))]);
    account.suspend(&ann).await.unwrap();
    account.reactivate(&ann).await.unwrap();
    assert_eq!(world.api.faults.seen(REACTIVATE), 1);
    // Nobody listens at all.
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", port.local_addr().unwrap());
    drop(port);
    let mut credentials = world.api.credentials();
    credentials.server = nobody.parse().unwrap();
    let http = outbound::client(None).unwrap();
    let account = UsersApi::new(credentials, http, Arc::clone(&world.plain));
    let suspended = account.suspend(&ann).await.unwrap();
    assert_eq!(suspended.state, MemberState::Suspended);
}

#[tokio::test]
async fn what_passes_is_tried_again_and_what_was_not_done_is_done() {
    let world = world(LIFE).await;
    let ann = world.active("ann").await;
    let faults = [Fault::Before(503, None), Fault::After(502)];
    world.api.faults.plan(SUSPEND, &faults);
    let (log, _guard) = Log::hear();
    let suspended = world.account.suspend(&ann.id).await.unwrap();
    assert_eq!(suspended.state, MemberState::Suspended);
    assert_eq!((world.api.faults.seen(SUSPEND), log.warnings()), (3, 0));
    // It says that it is done, and it is not.
    let said = user(&ann).to_string();
    world
        .api
        .faults
        .plan(REACTIVATE, &[Fault::Says(200, said.leak())]);
    let active = world.account.reactivate(&ann.id).await.unwrap();
    assert_eq!(active.state, MemberState::Active);
    assert_eq!(world.state(&ann.id).await, MemberState::Active);
}

#[tokio::test]
async fn that_somebody_is_the_last_owner_is_the_last_word() {
    let world = world(LIFE).await;
    let ann = world.active("ann").await.id;
    let (log, _guard) = Log::hear();
    let owner = r#"{"code": 7, "message": "no_owner_remain", "details": []}"#;
    world.api.faults.plan(SUSPEND, &[Fault::Says(403, owner)]);
    let answer = world.account.suspend(&ann).await;
    assert!(matches!(answer, Err(Error::Protected(why)) if why.contains("last owner")));
    assert_eq!(world.state(&ann).await, MemberState::Active);
    assert_eq!(log.warnings(), 0);
}

#[tokio::test]
async fn no_secret_is_shown() {
    let world = world(LIFE).await;
    let ann = world.active("ann").await.id;
    let (log, _guard) = Log::hear();
    let account = world.account.with_pause(Duration::ZERO);
    account.suspend(&ann).await.unwrap();
    account.reactivate(&ann).await.unwrap();
    let tokens = world.api.tokens();
    for secret in [SECRET, &tokens[0]] {
        let echo = format!(r#"{{"code": 7, "message": "who is {secret}?"}}"#).leak();
        for status in [400, 403, 404] {
            world.api.faults.plan(SUSPEND, &[Fault::Says(status, echo)]);
            account.suspend(&ann).await.unwrap();
            account.reactivate(&ann).await.unwrap();
        }
    }
    assert_eq!((log.warnings(), tokens.len()), (6, 1));
    let shown = log.text();
    assert!(shown.contains("(who is …)"), "{shown}");
    for secret in [SECRET, &tokens[0]] {
        let encoded = data_encoding::BASE64.encode(format!("the-client:{secret}").as_bytes());
        assert!(
            !shown.contains(secret) && !shown.contains(&encoded),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn a_bridge_uses_the_api_that_its_scimsession_names() {
    let world = world(LIFE).await;
    let ann = world.active("ann").await.id;
    let token = BearerToken::generate().unwrap();
    let credentials = Credentials {
        connector: Connector::Native(world.service.credentials.clone()),
        users_api: Some(world.api.credentials()),
    };
    let recipient = NewRecipient::lasting(Holder::Provider(&token), "test");
    let file = credentials.seal(&[recipient], OffsetDateTime::now_utc());
    let folder = tempfile::tempdir().unwrap();
    let (path, state) = (
        folder.path().join("scimsession"),
        folder.path().join("state"),
    );
    std::fs::write(&path, file.unwrap().to_json().unwrap()).unwrap();
    let config = Config::read(|name| match name {
        "SCIM_BRIDGE_SCIMSESSION" => path.to_str().map(str::to_owned),
        "SCIM_BRIDGE_STATE" => state.to_str().map(str::to_owned),
        _ => None,
    });
    let config = config.unwrap();
    let http = outbound::client(None).unwrap();
    let store = config.state.open(http.clone(), |_| None).unwrap();
    let bridge = BridgeService::new(config.secrets, store, http, config.op, config.bridge);
    let Ok(Admission::Provider(provider)) = bridge.admit(&token.expose()).await else {
        panic!("not admitted");
    };
    let context = Context {
        base: "https://bridge.example.com".to_owned(),
        query: ListQuery::minimal(),
        conditions: Conditions::default(),
    };
    provider.delete_user(ann.as_str(), &context).await.unwrap();
    assert_eq!(world.state(&ann).await, MemberState::Suspended);
    assert_eq!(world.api.faults.seen(SUSPEND), 1);
    bridge.sign_out().await;
}

/// What this thread logs, at the loudest level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn hear() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let lines = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || lines.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// How often somebody was warned of the Users API.
    fn warnings(&self) -> usize {
        let text = self.text();
        let lines = text.lines().filter(|line| line.contains(" WARN "));
        lines.filter(|line| line.contains("Users API")).count()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
