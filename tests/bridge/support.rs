//! An account server, bridges as child processes, and a provider that speaks HTTP to them.

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    extract::Request,
    middleware::{self, Next},
    response::IntoResponse,
};
use flate2::read::GzDecoder;
use reqwest::{Method, StatusCode, header::HeaderMap};
use scim_bridge::{
    account::native::NativeAccount,
    credentials::{BearerToken, Connector, Credentials, Holder, NewRecipient, SweepKey},
    onepassword::{
        newcomer::Newcomer, secret_text::SecretText, sign_in_credentials::SignInCredentials,
    },
    outbound,
    sandbox::{
        self, NewAccount, NewPerson, Sandbox,
        person::{self, Kit, Report},
    },
};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::{net::TcpListener, task::JoinHandle};

use super::secrets;

/// An account with its Provision Manager's credentials sealed in a directory of its own.
pub struct World {
    pub dir: tempfile::TempDir,
    pub token: String,
    pub client: reqwest::Client,
    pub sandbox: Sandbox,
    pub owner: Kit,
    pub sweep_key: String,
    manager: Option<Kit>,
    credentials: Option<SignInCredentials>,
    /// What the account server was asked: method and path, in the order in which it came.
    asked: Arc<Mutex<Vec<String>>>,
    losing: Arc<Mutex<Option<&'static str>>>,
    in_front: Arc<Mutex<Option<StatusCode>>>,
    address: SocketAddr,
    server: Option<JoinHandle<()>>,
}

impl World {
    /// An account with a Provision Manager, and a scimsession for it.
    pub async fn new() -> Self {
        let (mut world, listener) = Self::found().await;
        let manager = NewPerson {
            email: "bridge@example.com".to_owned(),
            password: password(),
        };
        let (maker, new) = (world.sandbox.clone(), world.account());
        let account =
            tokio::task::spawn_blocking(move || maker.create_demo_account(&new, &manager).unwrap());
        let account = account.await.unwrap();
        world.owner = kit(account.owner);
        world.manager = Some(kit(account.provision_manager));
        let (token, key) = (
            BearerToken::generate().unwrap(),
            SweepKey::generate().unwrap(),
        );
        world.token = token.expose().to_string();
        world.sweep_key = key.expose().to_string();
        for secret in [&world.token, &world.sweep_key] {
            secrets::remember(secret);
        }
        let credentials = serde_json::to_value(&account.credentials).unwrap();
        for secret in [&credentials["srpX"], &credentials["muk"]["k"]] {
            secrets::remember(secret.as_str().unwrap());
        }
        let recipients = [
            NewRecipient::lasting(Holder::Provider(&token), "test"),
            NewRecipient::lasting(Holder::Sweep(&key), "sweep"),
        ];
        let file = Credentials::from(Connector::Native(account.credentials.clone()))
            .seal(&recipients, OffsetDateTime::now_utc())
            .unwrap();
        std::fs::write(
            world.dir.path().join("scimsession"),
            file.to_json().unwrap(),
        )
        .unwrap();
        world.credentials = Some(account.credentials);
        world.serve(listener);
        world
    }

    /// An account with nobody in it but its owner.
    pub async fn with_owner_only() -> Self {
        let (mut world, listener) = Self::found().await;
        let (maker, new) = (world.sandbox.clone(), world.account());
        let owner = tokio::task::spawn_blocking(move || maker.create_account(&new).unwrap());
        world.owner = kit(owner.await.unwrap());
        world.serve(listener);
        world
    }

    async fn found() -> (Self, TcpListener) {
        let dir = tempfile::tempdir().unwrap();
        let options = sandbox::Options {
            // Few rounds: tests sign up many people.
            kdf_iterations: 10_000,
            ..sandbox::Options::default()
        };
        let sandbox = Sandbox::open(&dir.path().join("account.db"), options).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        secrets::remember(PASSWORD);
        let nobody = Kit {
            email: String::new(),
            secret_key: SecretText::new(String::new()),
            password: SecretText::new(String::new()),
        };
        let world = Self {
            dir,
            token: String::new(),
            client: outbound::client(None).unwrap(),
            sandbox,
            owner: nobody,
            manager: None,
            credentials: None,
            asked: Arc::default(),
            losing: Arc::default(),
            in_front: Arc::default(),
            sweep_key: String::new(),
            address: listener.local_addr().unwrap(),
            server: None,
        };
        (world, listener)
    }

    fn account(&self) -> NewAccount {
        NewAccount {
            name: "Test".to_owned(),
            domains: Vec::new(),
            owner: NewPerson {
                email: "owner@example.com".to_owned(),
                password: password(),
            },
            sign_in_address: self.origin(),
        }
    }

    /// The Provision Manager, as a person.
    pub fn manager(&self) -> &Kit {
        self.manager.as_ref().unwrap()
    }

    fn serve(&mut self, listener: TcpListener) {
        let asked = Arc::clone(&self.asked);
        let losing = Arc::clone(&self.losing);
        let in_front = Arc::clone(&self.in_front);
        let between = move |request: Request, next: Next| {
            let path = request.uri().path();
            let line = format!("{} {path}", request.method());
            asked.lock().unwrap().push(line);
            let lost = losing
                .lock()
                .unwrap()
                .is_some_and(|end| path.ends_with(end));
            let in_front = *in_front.lock().unwrap();
            async move {
                if let Some(status) = in_front {
                    return (status, [("retry-after", "17")]).into_response();
                }
                let answer = next.run(request).await;
                match lost {
                    true => reqwest::StatusCode::BAD_GATEWAY.into_response(),
                    false => answer,
                }
            }
        };
        let router = self.sandbox.router().layer(middleware::from_fn(between));
        self.server = Some(tokio::spawn(async move {
            axum::serve(listener, router).await.unwrap();
        }));
    }

    /// From now on the account does what is asked at paths with this end, and its answer is lost.
    pub fn lose_answers_to(&self, path: &'static str) {
        *self.losing.lock().unwrap() = Some(path);
    }

    pub fn lose_nothing(&self) {
        *self.losing.lock().unwrap() = None;
    }

    /// From now on something in front of the account answers everything with this status.
    #[allow(dead_code, reason = "for another test binary")]
    pub fn answer_in_front(&self, status: StatusCode) {
        *self.in_front.lock().unwrap() = Some(status);
    }

    /// The account as the Provision Manager sees it, without a bridge between.
    pub fn provision_manager(&self) -> NativeAccount {
        NativeAccount::new(self.credentials.clone().unwrap(), self.client.clone())
    }

    /// How many requests the account server has seen, without those by which sweeps look who
    /// waits: a sweep may come at any time.
    pub fn requests(&self) -> usize {
        let asked = self.asked_about("");
        let by_sweeps = |line: &&String| line.ends_with("/v1/members/query");
        asked.len() - asked.iter().filter(by_sweeps).count()
    }

    /// How many sign-ins have begun.
    pub fn sign_ins(&self) -> usize {
        self.asked_about("/api/v3/auth/start").len()
    }

    /// What the account server was asked in whose path this text stands.
    pub fn asked_about(&self, text: &str) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .filter(|line| line.contains(text))
            .cloned()
            .collect()
    }

    /// The account server goes away, and its connections with it.
    pub async fn stop_account(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
            let _ = server.await;
        }
    }

    /// The account server comes back where it was.
    pub async fn start_account(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.serve(listener);
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Starts a bridge to this account. All bridges of a world share one state file.
    pub async fn bridge(&self, settings: &[(&str, &str)]) -> Bridge {
        Bridge::start(self, settings).await
    }

    pub async fn sign_up(&self, email: &str) -> Kit {
        let kit = person::sign_up(&self.client, &self.origin(), email, password())
            .await
            .unwrap();
        secrets::remember(&*kit.secret_key);
        kit
    }

    pub async fn sign_in(&self, kit: &Kit) -> Result<Report, person::Error> {
        person::sign_in(&self.client, &self.origin(), kit).await
    }

    /// Runs the command line on this world's scimsession, with the sweep key at hand.
    pub async fn run(&self, arguments: &[&str], settings: &[(&str, &str)]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scim-bridge"));
        command
            .args(arguments)
            .env(
                "SCIM_BRIDGE_SCIMSESSION",
                self.dir.path().join("scimsession"),
            )
            .env("SCIM_BRIDGE_STATE", self.dir.path().join("state.db"))
            .env("SCIM_BRIDGE_SWEEP_KEY", &self.sweep_key)
            .envs(settings.iter().copied())
            .stdin(Stdio::null());
        // The account's server runs on this thread and has to go on.
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = output.await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let run = Run {
            status: output.status.code().unwrap(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        secrets::assert_none_in("the command line", &run.stderr);
        run
    }

    /// Signs in again and again until the person's state and opened groups are as wanted.
    pub async fn until_opened(&self, kit: &Kit, group: &str) -> Report {
        until(async || {
            let report = self.sign_in(kit).await.ok()?;
            let opened = report.groups.iter().any(|g| g.name == group && g.opened);
            opened.then_some(report)
        })
        .await
    }

    /// How often something happened in the account, by the account's own record.
    pub async fn count(&self, event: &str) -> usize {
        let sandbox = self.sandbox.clone();
        let events = tokio::task::spawn_blocking(move || sandbox.events().unwrap());
        events
            .await
            .unwrap()
            .iter()
            .filter(|known| known.kind == event)
            .count()
    }

    /// Somebody who waits starts over with new keys, as the account does not offer it: what was
    /// stored of the first try is replaced.
    pub async fn sign_up_anew(&self, email: &str) -> Kit {
        let (origin, address) = (self.origin(), email.to_owned());
        let newcomer = tokio::task::spawn_blocking(move || {
            Newcomer::generate(&origin, &address, PASSWORD, 10_000).unwrap()
        });
        let newcomer = newcomer.await.unwrap();
        let new = serde_json::to_value(&newcomer.secrets).unwrap();
        let db = rusqlite::Connection::open(self.dir.path().join("account.db")).unwrap();
        db.busy_timeout(Duration::from_secs(5)).unwrap();
        let changed = db.execute(
            "UPDATE members SET secret_key_format = ?1, secret_key_id = ?2, user_auth = ?3,
             verifier = ?4, keyset = ?5, pub_key = ?6 WHERE email = ?7",
            [
                &newcomer.secrets.secret_key_format,
                &newcomer.secrets.secret_key_id,
                &new["userAuth"].to_string(),
                &*newcomer.secrets.verifier,
                &new["keyset"].to_string(),
                &new["keyset"]["pubKey"].to_string(),
                email,
            ],
        );
        assert_eq!(changed, Ok(1));
        let kit = Kit {
            email: email.to_owned(),
            secret_key: newcomer.credentials.secret_key,
            password: password(),
        };
        secrets::remember(&*kit.secret_key);
        kit
    }

    /// Makes somebody an administrator, which no bridge could.
    pub async fn empower(&self, id: &str) {
        let db = rusqlite::Connection::open(self.dir.path().join("account.db")).unwrap();
        db.busy_timeout(Duration::from_secs(5)).unwrap();
        let changed = db.execute(
            "INSERT INTO memberships (grp, member) SELECT g.seq, m.seq FROM groups g, members m
             WHERE g.name = 'Administrators' AND m.uuid = ?1",
            [id],
        );
        assert_eq!(changed, Ok(1));
    }

    /// Runs `scim-bridge confirmations` on the state that the bridges share.
    pub async fn confirmations(&self, arguments: &[&str]) -> Run {
        let state = self.dir.path().join("state.db");
        let settings = [("SCIM_BRIDGE_STATE", state.to_str().unwrap())];
        self.run(&[&["confirmations"], arguments].concat(), &settings)
            .await
    }

    /// What the list of confirmations says under `name` of somebody, as soon as it does.
    pub async fn until_listed(&self, email: &str, name: &str) -> String {
        until(async || {
            let listed = self.confirmations(&["list", "--json"]).await.json();
            let all = listed["confirmations"].as_array()?.clone();
            let theirs = all.into_iter().find(|one| one["email"] == email)?;
            Some(theirs[name].as_str()?.to_owned())
        })
        .await
    }

    /// The reason why somebody is held, as soon as they are.
    pub async fn until_held(&self, email: &str) -> String {
        self.until_listed(email, "reason").await
    }

    /// The account has confirmed somebody, once.
    pub async fn until_confirmed(&self) {
        until(async || (self.count("confirmed").await == 1).then_some(())).await;
    }
}

const PASSWORD: &str = "correct horse battery staple";

fn password() -> SecretText {
    SecretText::new(PASSWORD.to_owned())
}

/// What somebody signs in with, remembered as secret.
fn kit(login: sandbox::Login) -> Kit {
    secrets::remember(&*login.secret_key);
    Kit {
        email: login.email,
        secret_key: login.secret_key,
        password: login.password,
    }
}

/// A run of the command line.
pub struct Run {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    #[track_caller]
    pub fn done(&self) -> &Self {
        assert_eq!(self.status, 0, "{}", self.stderr);
        self
    }

    /// What was printed with `--json`.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.done().stdout).unwrap()
    }
}

/// Asks until there is an answer; a test that waits 30 seconds has failed.
pub async fn until<T>(ask: impl AsyncFn() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "waited in vain"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A bridge process, and a provider that calls it. Killed when dropped.
pub struct Bridge {
    process: Child,
    client: reqwest::Client,
    pub tenant: String,
    pub token: String,
    pub log: Arc<Mutex<String>>,
}

impl Bridge {
    async fn start(world: &World, settings: &[(&str, &str)]) -> Self {
        let dir: &Path = world.dir.path();
        let mut process = Command::new(env!("CARGO_BIN_EXE_scim-bridge"))
            .arg("serve")
            .env("SCIM_BRIDGE_PORT", "0")
            .env("SCIM_BRIDGE_SCIMSESSION", dir.join("scimsession"))
            .env("SCIM_BRIDGE_STATE", dir.join("state.db"))
            .env("SCIM_BRIDGE_SWEEP_KEY", &world.sweep_key)
            .env("SCIM_BRIDGE_LOG", "scim_bridge=trace,info")
            .env("SCIM_BRIDGE_CONFIRMATION_DELAY", "1")
            .env("SCIM_BRIDGE_CONFIRMATION_INTERVAL", "1")
            // Tests ask faster than any provider.
            .env("SCIM_BRIDGE_RATE_LIMIT", "0")
            .envs(settings.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let seen = Arc::clone(&log);
        let (found, address) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let mut found = Some(found);
            for line in lines.by_ref().map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("listening address=")
                    && let Some(found) = found.take()
                {
                    let _ = found.send(address.to_owned());
                }
                let mut seen = seen.lock().unwrap();
                seen.push_str(&line);
                seen.push('\n');
            }
        });
        let address = tokio::time::timeout(Duration::from_secs(30), address)
            .await
            .unwrap()
            .unwrap_or_else(|_| panic!("no bridge: {}", log.lock().unwrap()));
        Self {
            process,
            client: world.client.clone(),
            tenant: format!("http://{address}/scim/v2"),
            token: world.token.clone(),
            log,
        }
    }

    /// Tells the process to stop, as a platform does, and waits until it has.
    #[allow(dead_code, reason = "for another test binary")]
    pub async fn stop(mut self) {
        let pid = self.process.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(told.unwrap().success());
        // The account's server runs on this thread and has to go on.
        let ended = tokio::task::spawn_blocking(move || self.process.wait().unwrap());
        assert!(ended.await.unwrap().success());
    }

    /// Ends the process as a crash would.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Provider for Bridge {
    fn token(&self) -> &str {
        &self.token
    }

    async fn send(&self, call: Call<'_>) -> Answer {
        let url = match call.path.starts_with("http") {
            true => call.path.to_owned(),
            false => format!("{}{}", self.tenant, call.path),
        };
        call.at(&self.client, url).await
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        secrets::assert_none_in("a bridge's log", &self.log.lock().unwrap());
    }
}

/// What a provider does, wherever the bridge runs.
pub trait Provider {
    /// The token that it was given.
    fn token(&self) -> &str;

    /// Another provider at the same bridge, at another path or with another token.
    async fn send(&self, call: Call<'_>) -> Answer;

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        self.send(Call {
            method,
            path,
            token: Some(self.token()),
            headers: &[("content-type", "application/scim+json; charset=utf-8")],
            body: body.map(Value::to_string),
        })
        .await
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(&body)).await
    }

    async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, Some(&body)).await
    }

    /// A PATCH with these operations.
    async fn patch(&self, path: &str, operations: Value) -> Answer {
        let schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
        let body = json!({ "schemas": [schema], "Operations": operations });
        self.call(Method::PATCH, path, Some(&body)).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    /// The resources that a filter finds.
    async fn find(&self, endpoint: &str, filter: &str) -> Vec<Value> {
        let filter: String = filter.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = self.get(&format!("{endpoint}?filter={filter}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let found = answer.body["Resources"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        assert_eq!(answer.body["totalResults"], found.len());
        found
    }

    /// Invites somebody of whom only the address is known.
    async fn invite(&self, email: &str) -> String {
        self.post("/Users", user(email)).await.created()
    }
}

/// Somebody of whom only the address is known.
pub fn user(email: &str) -> Value {
    json!({ "schemas": [USER], "userName": email, "displayName": email,
        "emails": [{ "value": email, "type": "work", "primary": true }] })
}

pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// One request, with everything about it.
pub struct Call<'a> {
    pub method: Method,
    pub path: &'a str,
    pub token: Option<&'a str>,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: Option<String>,
}

impl Call<'_> {
    /// Makes the request over HTTP.
    pub async fn at(self, client: &reqwest::Client, url: String) -> Answer {
        let mut request = client.request(self.method, url);
        if let Some(token) = self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in self.headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = self.body {
            request = request.body(body);
        }
        Answer::read(request.send().await.unwrap()).await
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
    pub text: String,
}

impl Answer {
    pub async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        Self::new(status, headers, response.bytes().await.unwrap().to_vec())
    }

    /// Packed bodies are unpacked as clients do.
    pub fn new(status: StatusCode, headers: HeaderMap, mut body: Vec<u8>) -> Self {
        if headers
            .get("content-encoding")
            .is_some_and(|coding| coding == "gzip")
        {
            let mut unpacked = Vec::new();
            GzDecoder::new(&*body).read_to_end(&mut unpacked).unwrap();
            body = unpacked;
        }
        let text = String::from_utf8(body).unwrap();
        secrets::assert_none_in("an answer", &text);
        Self {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        }
    }

    /// The id of what was created: 201, Location and `meta.location` as they should be.
    #[track_caller]
    pub fn created(&self) -> String {
        assert_eq!(self.status, 201, "{}", self.text);
        let location = self.headers["location"].to_str().unwrap();
        assert_eq!(self.body["meta"]["location"], location);
        let id = self.body["id"].as_str().unwrap();
        assert!(location.ends_with(id));
        id.to_owned()
    }

    /// 200 with a body.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        assert_eq!(self.headers["content-type"], "application/scim+json");
        self.body
    }

    /// 200 with a body, or 204 without.
    #[track_caller]
    pub fn done(&self) {
        assert!(self.status == 200 || self.status == 204, "{}", self.text);
    }

    /// A SCIM error with this status and scimType. Returns the detail.
    #[track_caller]
    pub fn error(&self, status: u16, scim_type: Option<&str>) -> String {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.headers["content-type"], "application/scim+json");
        assert_eq!(self.body["schemas"], json!([ERROR]), "{}", self.text);
        assert_eq!(self.body["status"], status.to_string());
        assert_eq!(self.body.get("scimType").and_then(Value::as_str), scim_type);
        self.body["detail"].as_str().unwrap().to_owned()
    }
}
