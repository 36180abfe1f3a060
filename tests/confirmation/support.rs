//! An account server over loopback, people who sign up in it, and a store.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{extract::Request, middleware, middleware::Next};
use scim_bridge::{
    account::{Account, Attempt, GroupId, Invitation, MemberId, native::NativeAccount},
    bridge::{Bridge, Settings},
    onepassword::{
        identifier, keyset::OpenKeyset, newcomer::Newcomer, secret_key::SecretKey,
        secret_text::SecretText, sign_in_credentials::SignInCredentials,
    },
    outbound,
    sandbox::{
        NewAccount, NewPerson, Options, Sandbox,
        person::{self, Kit},
    },
    state::{
        AuditEntry, AuditOutcome, Confirmation, Person, StateStore, Timestamp, sqlite::SqliteStore,
    },
};
use time::{Duration, OffsetDateTime};

use crate::tap::{Tap, TappedAccount, TappedStore};

/// The least that is allowed: many people sign up.
const ROUNDS: u32 = 10_000;

pub const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

pub struct Place {
    pub dir: tempfile::TempDir,
    pub sandbox: Sandbox,
    pub account: Arc<NativeAccount>,
    pub store: SqliteStore,
    origin: String,
    http: reqwest::Client,
    credentials: SignInCredentials,
    requests: Arc<AtomicUsize>,
    /// Whose keys everybody has: to make a key pair takes longer than all the rest.
    first: Arc<Newcomer>,
}

impl Place {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            kdf_iterations: ROUNDS,
            ..Options::default()
        };
        let sandbox = Sandbox::open(&dir.path().join("account.db"), options).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let new = NewAccount {
            name: "Test".to_owned(),
            domains: Vec::new(),
            owner: NewPerson {
                email: "owner@example.com".to_owned(),
                password: password(),
            },
            sign_in_address: origin.clone(),
        };
        let manager = NewPerson {
            email: "bridge@example.com".to_owned(),
            password: password(),
        };
        let (maker, address) = (sandbox.clone(), origin.clone());
        let made = tokio::task::spawn_blocking(move || {
            let first = Newcomer::generate(&address, "first@example.com", &password(), ROUNDS);
            let account = maker.create_demo_account(&new, &manager);
            (first.unwrap(), account.unwrap().credentials)
        });
        let (first, credentials) = made.await.unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        let count = move |request: Request, next: Next| {
            counter.fetch_add(1, Ordering::SeqCst);
            next.run(request)
        };
        let router = sandbox.router().layer(middleware::from_fn(count));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            store: SqliteStore::open(&dir.path().join("state.db")).unwrap(),
            dir,
            sandbox,
            account: Arc::new(account(&credentials)),
            origin,
            http: outbound::client(None).unwrap(),
            credentials,
            requests,
            first: Arc::new(first),
        }
    }

    /// Another connection to the account.
    pub fn another_account(&self) -> NativeAccount {
        account(&self.credentials)
    }

    /// How many requests the account server has seen.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub fn bridge(&self, settings: Settings) -> Bridge {
        Bridge::new(
            Arc::<NativeAccount>::clone(&self.account),
            Arc::new(self.store.clone()),
            settings,
        )
    }

    /// A bridge with taps on its account and on its store.
    pub fn tapped(&self, settings: Settings, account: &Arc<Tap>, store: &Arc<Tap>) -> Bridge {
        let tapped_account = TappedAccount(
            Arc::<NativeAccount>::clone(&self.account),
            Arc::clone(account),
        );
        let tapped_store = TappedStore(Arc::new(self.store.clone()), Arc::clone(store));
        Bridge::new(Arc::new(tapped_account), Arc::new(tapped_store), settings)
    }

    /// A group with nobody in it.
    pub async fn group(&self, name: &str) -> GroupId {
        self.account
            .create_group(name, &attempt())
            .await
            .unwrap()
            .id
    }

    /// Somebody whom the bridge invited and put into groups, and who has signed up since.
    pub async fn waiting(&self, name: &str, groups: &[&GroupId]) -> Somebody {
        let somebody = self.invited(name, groups).await;
        let id = somebody.id.as_str();
        self.store.put_person(id, &person(name), 0).await.unwrap();
        somebody
    }

    /// The same, but the bridge knows nothing of it.
    pub async fn invited(&self, name: &str, groups: &[&GroupId]) -> Somebody {
        let email = format!("{name}@example.com");
        let invitation = Invitation {
            email: email.clone(),
            name: name.to_owned(),
            language: None,
        };
        let invited = self.account.invite(&invitation, &attempt()).await.unwrap();
        for group in groups {
            let members = std::slice::from_ref(&invited.id);
            self.account.grant(group, members).await.unwrap();
        }
        let kit = self.sign_up(&email).await;
        Somebody {
            id: invited.id,
            kit,
        }
    }

    /// The same for many: all have one Secret Key, and nobody can sign in.
    pub async fn waiting_with_first_keys(&self, name: &str, group: &GroupId) {
        let email = format!("{name}@example.com");
        let invitation = Invitation {
            email: email.clone(),
            name: name.to_owned(),
            language: None,
        };
        let id = self
            .account
            .invite(&invitation, &attempt())
            .await
            .unwrap()
            .id;
        let members = std::slice::from_ref(&id);
        self.account.grant(group, members).await.unwrap();
        self.store
            .put_person(id.as_str(), &person(name), 0)
            .await
            .unwrap();
        let secrets = serde_json::to_value(&self.first.secrets).unwrap();
        self.accept(&email, secrets).await;
    }

    /// Somebody accepts the invitation that they got.
    pub async fn accepts(&self, name: &str, id: &str) -> Somebody {
        Somebody {
            id: id.parse().unwrap(),
            kit: self.sign_up(&format!("{name}@example.com")).await,
        }
    }

    async fn sign_up(&self, email: &str) -> Kit {
        let (first, origin, address) = (
            Arc::clone(&self.first),
            self.origin.clone(),
            email.to_owned(),
        );
        let newcomer = tokio::task::spawn_blocking(move || {
            let keys =
                OpenKeyset::open_primary(&first.secrets.keyset, &first.credentials.unlock_key);
            let secret_key = SecretKey::parse(&first.credentials.secret_key).unwrap();
            let keys = keys.unwrap();
            Newcomer::with_keys(&origin, &address, &password(), ROUNDS, &secret_key, keys).unwrap()
        });
        let newcomer = newcomer.await.unwrap();
        self.accept(email, serde_json::to_value(&newcomer.secrets).unwrap())
            .await;
        Kit {
            email: email.to_owned(),
            secret_key: newcomer.credentials.secret_key,
            password: password(),
        }
    }

    /// Accepts the invitation of an address with what somebody's device made.
    async fn accept(&self, email: &str, mut secrets: serde_json::Value) {
        let mail = self.sandbox.mail(email).unwrap();
        let invitation = mail[0].invitation.as_ref().unwrap();
        secrets["invitation"] = invitation.to_string().into();
        let answer = self
            .http
            .post(format!("{}/sandbox/sign-up", self.origin))
            .header("content-type", "application/json")
            .body(secrets.to_string())
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// How often somebody was confirmed, by the account's own record.
    pub fn confirmed(&self, somebody: &Somebody) -> u64 {
        let id = somebody.id.as_str();
        self.sandbox.count_events("confirmed", id).unwrap()
    }

    /// The names of somebody's groups, every one of which has to open for them.
    pub async fn opens(&self, somebody: &Somebody) -> Vec<String> {
        let report = person::sign_in(&self.http, &self.origin, &somebody.kit);
        let groups = report.await.unwrap().groups;
        assert!(groups.iter().all(|group| group.opened), "{groups:?}");
        groups.into_iter().map(|group| group.name).collect()
    }

    pub async fn record(&self, somebody: &Somebody) -> Option<Confirmation> {
        let record = self.store.confirmation(somebody.id.as_str()).await;
        record.unwrap().map(|record| record.value)
    }

    /// What the audit says of somebody: what was done or refused, and more about it.
    pub async fn audit(&self, somebody: &Somebody) -> Vec<(String, AuditOutcome, String)> {
        let (lines, _) = self.store.audit(START, None, 1000).await.unwrap();
        let about = |line: &AuditEntry| line.target == somebody.id.as_str();
        lines
            .into_iter()
            .filter(about)
            .map(|line| (line.action, line.outcome, line.detail.unwrap_or_default()))
            .collect()
    }
}

/// Somebody who has signed up.
pub struct Somebody {
    pub id: MemberId,
    kit: Kit,
}

fn account(credentials: &SignInCredentials) -> NativeAccount {
    NativeAccount::new(credentials.clone(), outbound::client(None).unwrap())
}

pub fn attempt() -> Attempt {
    Attempt::new(identifier::upper().unwrap())
}

fn password() -> SecretText {
    SecretText::new("correct horse battery staple".to_owned())
}

/// Somebody of this name as the bridge remembers them whom it has invited.
pub fn person(name: &str) -> Person {
    Person {
        external_id: None,
        user_name: format!("{name}@example.com"),
        display_name: None,
        formatted: None,
        given_name: None,
        family_name: None,
        emails: Vec::new(),
        preferred_language: None,
        account_name: name.to_owned(),
        invited: true,
        removal: None,
        updated_at: START,
    }
}

/// With this delay in seconds.
pub fn delay(seconds: i64) -> Settings {
    let mut settings = Settings::default();
    settings.confirmation.delay = Duration::seconds(seconds);
    settings
}

pub fn at(seconds: i64) -> Timestamp {
    START + Duration::seconds(seconds)
}
