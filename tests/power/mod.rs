//! Who may give power over the account, and the keys of groups: refusals that no client of ours
//! provokes, so that requests are made by hand.

use reqwest::Method;
use scim_bridge::account::native::setup;
use scim_bridge::onepassword::{
    keyset::OpenKeyset,
    messages::administration::{Myself, PREFIX, right},
    newcomer::Newcomer,
    rsa::PublicKey,
    session::Session,
};
use serde_json::{Value, json};

use super::*;

/// A session, and requests within it.
struct Raw {
    origin: String,
    http: reqwest::Client,
    session: Session,
}

impl Raw {
    async fn begin(server: &Server, kit: &Kit) -> Self {
        Self::at(&server.origin, &server.http, kit).await
    }

    async fn at(origin: &str, http: &reqwest::Client, kit: &Kit) -> Self {
        Self {
            origin: origin.to_owned(),
            http: http.clone(),
            session: first_generation::sign_in(origin, http, kit).await,
        }
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let path = format!("{PREFIX}{path}");
        let mac = self.session.sign(method.as_str(), "127.0.0.1", &path);
        let body = (!body.is_null()).then(|| self.session.seal(body).unwrap());
        let (origin, session) = (&self.origin, &self.session);
        let (status, answer) =
            first_generation::send(&self.http, origin, session, method, &path, &mac, body).await;
        let answer = session.open(&answer).unwrap_or_default();
        (status.as_u16(), answer)
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask(Method::GET, path, &Value::Null).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(Method::POST, path, &body).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Asks, and returns the status, the reason, and what it is about.
    async fn refused(&self, method: Method, path: &str, body: Value) -> (u16, String, Vec<String>) {
        let (status, answer) = self.ask(method, path, &body).await;
        let reason = answer["reason"].as_str().unwrap_or_default().to_owned();
        let data = serde_json::from_value(answer["data"].clone()).unwrap_or_default();
        (status, reason, data)
    }

    /// The body that creates a group with these rights.
    async fn group(&self, name: &str, permissions: &[&str]) -> Value {
        let myself: Myself = serde_json::from_value(self.get("/self").await).unwrap();
        let keys = OpenKeyset::generate().unwrap();
        let administrators = myself.administrators;
        json!({
            "requestId": identifier::upper().unwrap(),
            "name": name,
            "keyset": keys.wrapped_for(&myself.keyset.pub_key).unwrap(),
            "keys": [{
                "id": administrators.uuid,
                "encSymKey": administrators.pub_key.wrap(keys.symmetric_key()).unwrap(),
            }],
            "permissions": permissions,
        })
    }

    async fn group_named(&self, name: &str) -> String {
        let group = self.post("/groups/by-name", json!({"name": name})).await;
        group["uuid"].as_str().unwrap().to_owned()
    }

    /// Somebody's id and some key that is wrapped to them: nobody opens it here.
    async fn keyed(&self, id: &str) -> Value {
        let member = self.get(&format!("/members/{id}")).await;
        let public: PublicKey = serde_json::from_value(member["pubKey"].clone()).unwrap();
        let keys = OpenKeyset::generate().unwrap();
        json!({"id": id, "encSymKey": public.wrap(keys.symmetric_key()).unwrap()})
    }
}

/// Somebody who is in, by the ordinary way.
async fn newcomer(server: &Server, email: &str) -> (String, Kit) {
    let account = server.account();
    let invited = account.invite(&person(email), &attempt()).await.unwrap();
    let kit = server.join(email).await;
    confirm(&account, &invited.id).await.unwrap();
    (invited.id.to_string(), kit)
}

fn not_permitted(right: &str) -> (u16, String, Vec<String>) {
    (403, "not_permitted".to_owned(), vec![right.to_owned()])
}

fn protected() -> (u16, String, Vec<String>) {
    (403, "protected".to_owned(), Vec::new())
}

#[tokio::test(flavor = "multi_thread")]
async fn power_is_given_by_who_has_it_and_no_further() {
    let server = Server::start().await;
    let owner = Raw::begin(&server, &server.login(&server.demo.owner)).await;
    let manager = Raw::begin(&server, &server.login(&server.demo.provision_manager)).await;
    let (ann, kit) = newcomer(&server, "ann@example.com").await;
    let settings = right::MANAGE_SETTINGS;
    let post = Method::POST;

    // A Provision Manager gives none, and an owner none that there is not.
    let body = manager.group("Rights", &[right::VIEW_PEOPLE]).await;
    let refused = manager.refused(post.clone(), "/groups", body).await;
    assert_eq!(refused, not_permitted(settings));
    let body = owner.group("Rights", &["FLY"]).await;
    let refused = owner.refused(post.clone(), "/groups", body).await;
    assert_eq!(refused, not_permitted("FLY"));
    let rights = [settings, right::MANAGE_GROUPS, right::DELETE_PERSON];
    let body = owner
        .group("Rights", &[&rights[..], &rights].concat())
        .await;
    let group = owner.post("/groups", body).await;
    assert_eq!(group["permissions"].as_array().unwrap().len(), 3);
    assert_eq!(group["builtIn"], false);

    // Nobody but who may give power puts people in; nobody changes the group itself.
    let at = |path: &str| format!("/groups/{}{path}", group["uuid"].as_str().unwrap());
    let grant = json!({"members": [owner.keyed(&ann).await]});
    let refused = manager
        .refused(post.clone(), &at("/grants"), grant.clone())
        .await;
    assert_eq!(refused, protected());
    let name = json!({"name": "X"});
    assert_eq!(
        owner.refused(Method::PATCH, &at(""), name).await,
        protected()
    );
    let gone = owner.refused(Method::DELETE, &at(""), Value::Null).await;
    assert_eq!(gone, protected());
    let recovery = owner.group_named("Recovery").await;
    let into = format!("/groups/{recovery}/grants");
    let refused = owner.refused(post.clone(), &into, grant.clone()).await;
    assert_eq!(refused, protected());
    let keys = owner
        .refused(post.clone(), &at("/keys"), grant.clone())
        .await;
    assert_eq!(keys, protected());

    // Ann comes to power, out of the manager's reach, but gives no more than she has, and not to
    // herself, and touches no owner.
    owner.post(&at("/grants"), grant).await;
    let member = format!("/members/{ann}");
    assert_eq!(owner.get(&member).await["protected"], true);
    let suspension = format!("{member}/suspension");
    let refused = manager.refused(Method::PUT, &suspension, Value::Null).await;
    assert_eq!(refused, protected());
    let (status, _) = owner.ask(Method::PUT, &suspension, &Value::Null).await;
    assert_eq!(status, 200);
    let (status, _) = owner.ask(Method::DELETE, &suspension, &Value::Null).await;
    assert_eq!(status, 200);
    let powerful = Raw::begin(&server, &kit).await;
    let managers = owner.group_named("Provision Managers").await;
    let into = format!("/groups/{managers}/grants");
    let itself = json!({"members": [owner.keyed(&ann).await]});
    let refused = powerful.refused(post.clone(), &into, itself).await;
    assert_eq!(refused, not_permitted(right::VIEW_PEOPLE));
    for untouchable in [&server.demo.owner.member, &ann] {
        let path = format!("/members/{untouchable}");
        let refused = powerful.refused(Method::DELETE, &path, Value::Null).await;
        assert_eq!(refused, protected());
    }

    // Power ends with the membership.
    owner.post(&at("/revocations"), json!({"ids": [ann]})).await;
    assert_eq!(owner.get(&member).await["protected"], false);
    let path = format!("/members/{}", server.demo.provision_manager.member);
    let refused = powerful.refused(Method::DELETE, &path, Value::Null).await;
    assert_eq!(refused, not_permitted(right::DELETE_PERSON));

    // An owner deletes a Provision Manager, but not themselves.
    let own = format!("/members/{}", server.demo.owner.member);
    assert_eq!(
        owner.refused(Method::DELETE, &own, Value::Null).await,
        protected()
    );
    let (status, _) = owner.ask(Method::DELETE, &path, &Value::Null).await;
    assert_eq!(status, 200);
    let (status, _) = manager.ask(Method::GET, "/self", &Value::Null).await;
    assert_eq!(status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_made_without_an_invitation_by_who_may_give_power() {
    let server = Server::start().await;
    let owner = Raw::begin(&server, &server.login(&server.demo.owner)).await;
    let manager = Raw::begin(&server, &server.login(&server.demo.provision_manager)).await;
    let email = "new@example.com";
    let newcomer = Newcomer::generate(&server.origin, email, "pass", 10_000).unwrap();
    let body = |groups: &[&str]| {
        let mut enrolment = serde_json::to_value(&newcomer.secrets).unwrap();
        enrolment["groups"] = json!(groups);
        json!({"requestId": "once", "email": email, "name": "New", "enrolment": enrolment})
    };
    let managers = owner.group_named("Provision Managers").await;
    let post = Method::POST;
    let refused = manager
        .refused(post.clone(), "/members", body(&[&managers]))
        .await;
    assert_eq!(refused, not_permitted(right::MANAGE_SETTINGS));
    let mut broken = body(&[]);
    broken["enrolment"]["secretKeyId"] = "SHORT".into();
    let recovery = owner.group_named("Recovery").await;
    let nothing = "a".repeat(26);
    for (body, reason) in [
        (body(&[&managers, &recovery]), "protected"),
        (body(&[&nothing]), "no_such_group"),
        (broken, "invalid_value"),
    ] {
        let refused = owner.refused(post.clone(), "/members", body).await;
        assert_eq!(refused.1, reason);
    }
    // What was refused has done nothing.
    let who = json!({"email": email});
    let refused = owner.refused(post.clone(), "/members/by-email", who).await;
    assert_eq!(refused.1, "no_such_member");

    let made = owner.post("/members", body(&[&managers])).await;
    assert_eq!(made["state"], "TRANSFER_ACCEPTED");
    assert_eq!(made["protected"], true);
    assert_eq!(owner.post("/members", body(&[&managers])).await, made);
    assert!(server.sandbox.mail(email).unwrap().is_empty());
    // Of those who confirm, only who may give power confirms somebody who has it.
    let id: MemberId = made["uuid"].as_str().unwrap().parse().unwrap();
    assert!(matches!(
        confirm(&server.account(), &id).await,
        Err(Error::Protected(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_group_goes_to_who_may_have_it_and_stays_there() {
    let server = Server::start().await;
    let owner = Raw::begin(&server, &server.login(&server.demo.owner)).await;
    let manager = Raw::begin(&server, &server.login(&server.demo.provision_manager)).await;
    let account = server.account();
    let finance = account.create_group("Finance", &attempt()).await.unwrap();
    let (ann, kit) = newcomer(&server, "ann@example.com").await;
    let waiting = account
        .invite(&person("bob@example.com"), &attempt())
        .await
        .unwrap();
    let path = format!("/groups/{}/keys", finance.id);
    let held = format!("/members/{ann}/keys");
    let gift = json!({"members": [owner.keyed(&ann).await]});
    let post = Method::POST;
    let refused = manager.refused(post.clone(), &path, gift.clone()).await;
    assert_eq!(refused, not_permitted(right::MANAGE_SETTINGS));
    for (id, reason) in [
        (ann.as_str(), "key_required"),
        (waiting.id.as_str(), "wrong_state"),
        ("AAAAAAAAAAAAAAAAAAAAAAAAAA", "unknown_members"),
    ] {
        let body = json!({"members": [owner.keyed(&ann).await, {"id": id}]});
        let refused = owner.refused(post.clone(), &path, body).await;
        assert_eq!(refused.1, reason);
    }
    assert_eq!(owner.get(&held).await, json!([]));
    // Who may give power, but does not reach the key, cannot pass on what they do not have.
    let body = owner.group("Rights", &[right::MANAGE_SETTINGS]).await;
    let rights = owner.post("/groups", body).await;
    let into = format!("/groups/{}/grants", rights["uuid"].as_str().unwrap());
    owner.post(&into, gift.clone()).await;
    let powerful = Raw::begin(&server, &kit).await;
    let refused = powerful.refused(post.clone(), &path, gift.clone()).await;
    assert_eq!(refused.1, "no_key");

    assert_eq!(owner.post(&path, gift.clone()).await["changed"], 1);
    assert_eq!(owner.post(&path, gift).await["changed"], 0);
    let id: MemberId = ann.parse().unwrap();
    assert!(!account.is_member(&finance.id, &id).await.unwrap());
    account.grant(&finance.id, &[id.clone()]).await.unwrap();
    account.revoke(&finance.id, &[id]).await.unwrap();
    let groups = owner.get(&held).await;
    assert_eq!(groups[0]["name"], "Finance");
    // A member becomes a key manager too, and loses nothing with the membership.
    let later = account.create_group("Later", &attempt()).await.unwrap();
    let id: MemberId = ann.parse().unwrap();
    account.grant(&later.id, &[id.clone()]).await.unwrap();
    let path = format!("/groups/{}/keys", later.id);
    let gift = json!({"members": [owner.keyed(&ann).await]});
    assert_eq!(owner.post(&path, gift).await["changed"], 1);
    account.revoke(&later.id, &[id]).await.unwrap();
    assert_eq!(owner.get(&held).await.as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_belongs_is_told_of_those_who_exist_in_the_order_asked() {
    let server = Server::start().await;
    let manager = Raw::begin(&server, &server.login(&server.demo.provision_manager)).await;
    let account = server.account();
    let finance = account.create_group("Finance", &attempt()).await.unwrap();
    let (ann, kit) = newcomer(&server, "ann@example.com").await;
    let (bob, _) = newcomer(&server, "bob@example.com").await;
    let id: MemberId = ann.parse().unwrap();
    account.grant(&finance.id, &[id]).await.unwrap();
    let path = format!("/groups/{}/members/by-ids", finance.id);
    let nobody = "A".repeat(26);
    let asked = json!({"ids": [bob, nobody, ann]});
    let answer = manager.post(&path, asked.clone()).await;
    assert_eq!(answer["group"]["name"], "Finance");
    let told: Vec<_> = answer["people"].as_array().unwrap().iter().collect();
    assert_eq!(told.len(), 2);
    for (one, id, belongs) in [(told[0], &bob, false), (told[1], &ann, true)] {
        assert_eq!(one["member"], manager.get(&format!("/members/{id}")).await);
        assert_eq!(one["belongs"], belongs);
    }
    let post = Method::POST;
    let nothing = format!("/groups/{}/members/by-ids", "a".repeat(26));
    let refused = manager.refused(post.clone(), &nothing, asked.clone()).await;
    assert_eq!(refused.1, "no_such_group");
    let many = json!({"ids": vec![ann.clone(); 1001]});
    let refused = manager.refused(post.clone(), &path, many).await;
    assert_eq!(refused.1, "invalid_value");
    let ordinary = Raw::begin(&server, &kit).await;
    let refused = ordinary.refused(post, &path, asked).await;
    assert_eq!(refused, not_permitted(right::VIEW_PEOPLE));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_password_brings_the_same_key_pair() {
    let server = Server::start().await;
    let owner = Raw::begin(&server, &server.login(&server.demo.owner)).await;
    let email = server.demo.owner.email.as_str();
    let other = Newcomer::generate(&server.origin, email, "other", 10_000).unwrap();
    let body = serde_json::to_value(&other.secrets).unwrap();
    let refused = owner.refused(Method::PUT, "/self/password", body).await;
    assert_eq!(refused.1, "key_changed");
    assert_eq!(owner.get("/self").await["member"]["email"], email);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_has_only_the_name_is_not_the_bridges() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = open(folder.path().join("account.db"), Duration::from_secs(600));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let new = NewAccount {
        name: "Example".to_owned(),
        domains: Vec::new(),
        owner: NewPerson {
            email: "owner@example.com".to_owned(),
            password: secret("the owner's own"),
        },
        sign_in_address: origin.clone(),
    };
    let making = sandbox.clone();
    let owner = tokio::task::spawn_blocking(move || making.create_account(&new))
        .await
        .unwrap()
        .unwrap();
    let running = serve(listener, &sandbox);
    let http = outbound::client(None).unwrap();
    let kit = Kit {
        email: owner.email.clone(),
        secret_key: owner.secret_key.clone(),
        password: owner.password.clone(),
    };
    let raw = Raw::at(&origin, &http, &kit).await;
    let body = raw.group("provision managers", &[right::VIEW_PEOPLE]).await;
    raw.post("/groups", body).await;
    let login = setup::Login {
        address: origin,
        email: owner.email,
        secret_key: owner.secret_key,
        password: owner.password,
    };
    let administrator = setup::Administrator::sign_in(http, &login).await.unwrap();
    assert_eq!(
        administrator.provision_managers().await,
        Err(setup::Error::GroupTaken)
    );
    running.abort();
}
