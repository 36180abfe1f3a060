//! The stand-in for `op`: what the published reference says of the commands that the bridge uses,
//! on an account in a file.
//!
//! It is this test binary itself, started by a script of the name `op`: a program of its own would
//! be another build target, and an interpreter takes longer to start than all that it does.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    io::{BufRead, stdin},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode, exit},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The first argument by which the script tells that this is not a run of the tests.
pub const AS_OP: &str = "--as-op";

pub const EMAIL: &str = "bridge@example.com";
pub const PASSWORD: &str = "correct horse battery staple";
pub const SECRET_KEY: &str = "A3-ABCDEF-GHJKLM-NPQRS-TVWXY-Z2345-6789A";

/// An account, what is to go wrong with it, and what was asked of it.
#[derive(Default, Serialize, Deserialize)]
pub struct Account {
    pub people: Vec<Person>,
    pub groups: Vec<Group>,
    sessions: BTreeMap<String, f64>,
    made: usize,
    running: usize,
    /// How many commands ran at the same time at most.
    pub most_running: usize,
    pub calls: Vec<Call>,
    /// What no run should ever see, such as a password among the arguments.
    pub violations: Vec<String>,
    pub version: String,
    /// Seconds after which a session that is not used is over.
    pub idle: f64,
    pub troubles: Vec<Trouble>,
    /// What stands on standard error whatever happens.
    pub warning: Option<String>,
    /// Processes that outlive the command that started them.
    pub left_behind: Vec<u32>,
    /// How long each command takes, in milliseconds.
    pub pace: u64,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Person {
    pub id: String,
    pub email: String,
    pub name: String,
    pub language: String,
    pub kind: String,
    pub state: String,
    pub fingerprint: Option<String>,
    created_at: String,
    updated_at: String,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Group {
    pub id: String,
    pub name: String,
    pub description: String,
    pub kind: String,
    pub permissions: Vec<String>,
    /// Ids, and the role of each.
    pub members: BTreeMap<String, String>,
    created_at: String,
    updated_at: String,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Call {
    pub pid: u32,
    pub arguments: Vec<String>,
    /// The directory that it was given.
    pub home: PathBuf,
}

impl Call {
    pub fn is(&self, command: &str) -> bool {
        self.arguments.join(" ").starts_with(command)
    }
}

/// What goes wrong with commands that begin so and hold this text, and how often.
#[derive(Clone, Serialize, Deserialize)]
pub struct Trouble {
    pub command: String,
    pub about: String,
    pub times: usize,
    pub what: What,
}

#[derive(Clone, Serialize, Deserialize)]
pub enum What {
    /// It says this, and ends with this status.
    Says(String, u8),
    /// It never ends.
    Hangs,
    /// A signal ends it.
    IsKilled,
    /// It leaves somebody behind who holds its output for a minute.
    LeavesBehind,
    /// It does what it is asked, and its end is never heard of.
    DoesAndFails(String),
}

/// The account in a directory, for the tests and for the commands.
#[derive(Clone)]
pub struct Place(pub PathBuf);

impl Place {
    /// An account with an owner and with the bridge's user in it.
    pub fn found(dir: &Path) -> Self {
        let place = Self(dir.to_owned());
        let mut account = Account {
            version: "2.32.1".to_owned(),
            idle: 1800.0,
            ..Account::default()
        };
        let owner = account.add("owner@example.com", "Olive Owner", "ACTIVE");
        let bridge = account.add(EMAIL, "Bridge", "ACTIVE");
        for (name, kind, permissions, member) in [
            ("Owners", "OWNERS", &["DELETE_TEAM"][..], &owner),
            (
                "Administrators",
                "ADMINISTRATORS",
                &["MANAGE_GROUPS"],
                &owner,
            ),
            ("Team Members", "TEAM_MEMBERS", &["CREATE_VAULTS"], &bridge),
            (
                "Provision Managers",
                "USER_DEFINED",
                &["PROVISION_PEOPLE", "RECOVER_ACCOUNTS"],
                &bridge,
            ),
        ] {
            let group = account.add_group(name);
            group.kind = kind.to_owned();
            group.permissions = permissions.iter().map(ToString::to_string).collect();
            group.members = [(member.clone(), "MEMBER".to_owned())].into();
        }
        fs::write(place.file(), serde_json::to_vec(&account).unwrap()).unwrap();
        let program = env::current_exe().unwrap();
        let script = format!(
            "#!/bin/sh\nexec '{}' {AS_OP} '{}' \"$@\"\n",
            program.display(),
            dir.display()
        );
        fs::write(place.program(), script).unwrap();
        fs::set_permissions(place.program(), PermissionsExt::from_mode(0o755)).unwrap();
        place
    }

    pub fn program(&self) -> PathBuf {
        self.0.join("op")
    }

    fn file(&self) -> PathBuf {
        self.0.join("account.json")
    }

    /// Looks at the account, and changes it, while no command does.
    pub fn with<T>(&self, work: impl FnOnce(&mut Account) -> T) -> T {
        let lock = File::create(self.0.join("lock")).unwrap();
        lock.lock().unwrap();
        let mut account = serde_json::from_slice(&fs::read(self.file()).unwrap()).unwrap();
        let result = work(&mut account);
        let draft = self.0.join("draft");
        fs::write(&draft, serde_json::to_vec(&account).unwrap()).unwrap();
        fs::rename(&draft, self.file()).unwrap();
        result
    }
}

impl Account {
    /// An id of 26 letters, told from others by a number.
    fn new_id(&mut self) -> String {
        self.made += 1;
        let mut number = self.made;
        let mut id: Vec<u8> = (0..26)
            .map(|_| {
                let letter = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[number % 32];
                number /= 32;
                letter
            })
            .collect();
        id.reverse();
        String::from_utf8(id).unwrap()
    }

    pub fn add(&mut self, email: &str, name: &str, state: &str) -> String {
        let id = self.new_id();
        self.people.push(Person {
            id: id.clone(),
            email: email.to_owned(),
            name: name.to_owned(),
            language: "en".to_owned(),
            kind: "MEMBER".to_owned(),
            state: state.to_owned(),
            fingerprint: (state == "ACTIVE").then(|| format!("key of {email}")),
            created_at: now(),
            updated_at: now(),
        });
        id
    }

    pub fn add_group(&mut self, name: &str) -> &mut Group {
        let id = self.new_id().to_lowercase();
        self.groups.push(Group {
            id,
            name: name.to_owned(),
            description: String::new(),
            kind: "USER_DEFINED".to_owned(),
            permissions: Vec::new(),
            members: BTreeMap::new(),
            created_at: now(),
            updated_at: now(),
        });
        self.groups.last_mut().unwrap()
    }

    /// Somebody accepts their invitation with this key.
    pub fn sign_up(&mut self, email: &str, key: &str) {
        let person = self.person(email).unwrap();
        assert!(matches!(
            &*person.state,
            "TRANSFER_STARTED" | "TRANSFER_ACCEPTED"
        ));
        person.state = "TRANSFER_ACCEPTED".to_owned();
        person.fingerprint = Some(key.to_owned());
    }

    /// By id, address or name.
    pub fn person(&mut self, who: &str) -> Option<&mut Person> {
        let fits = |one: &&mut Person| {
            one.id == who || one.email.eq_ignore_ascii_case(who) || one.name == who
        };
        self.people.iter_mut().find(fits)
    }

    pub fn group(&mut self, which: &str) -> Option<&mut Group> {
        let fits = |one: &&mut Group| one.id == which || one.name == which;
        self.groups.iter_mut().find(fits)
    }

    /// How many commands began so.
    pub fn count(&self, command: &str) -> usize {
        self.calls.iter().filter(|call| call.is(command)).count()
    }

    pub fn end_sessions(&mut self) {
        self.sessions.clear();
    }

    pub fn trouble(&mut self, command: &str, about: &str, times: usize, what: What) {
        self.troubles.push(Trouble {
            command: command.to_owned(),
            about: about.to_owned(),
            times,
            what,
        });
    }

    fn next_trouble(&mut self, arguments: &[String]) -> Option<What> {
        let line = arguments.join(" ");
        let fits = |one: &&mut Trouble| {
            one.times > 0 && line.starts_with(&one.command) && line.contains(&one.about)
        };
        let trouble = self.troubles.iter_mut().find(fits)?;
        trouble.times -= 1;
        Some(trouble.what.clone())
    }
}

fn now() -> String {
    OffsetDateTime::now_utc().format(&Rfc3339).unwrap()
}

fn seconds() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs_f64()
}

/// Runs one command as `op` would.
pub fn run(mut arguments: env::Args) -> ExitCode {
    let place = Place(arguments.next().unwrap().into());
    let arguments: Vec<String> = arguments.collect();
    let (trouble, warning, pace) = place.with(|account| {
        account.running += 1;
        account.most_running = account.most_running.max(account.running);
        account.calls.push(Call {
            pid: std::process::id(),
            arguments: arguments.clone(),
            home: env::var_os("HOME").unwrap_or_default().into(),
        });
        let seen = violations(&arguments);
        account.violations.extend(seen);
        let trouble = account.next_trouble(&arguments);
        (trouble, account.warning.clone(), account.pace)
    });
    if let Some(warning) = warning {
        eprintln!("{warning}");
    }
    thread::sleep(Duration::from_millis(pace));
    let answer = match &trouble {
        Some(What::Says(text, status)) => {
            place.with(|account| account.running -= 1);
            eprintln!("{text}");
            return ExitCode::from(*status);
        }
        Some(What::IsKilled) => {
            place.with(|account| account.running -= 1);
            let kill = format!("kill -KILL {}", std::process::id());
            let _ = Command::new("sh").args(["-c", &kill]).status();
            return ExitCode::FAILURE;
        }
        Some(What::Hangs) => loop {
            thread::sleep(Duration::from_secs(60));
        },
        trouble => {
            if let Some(What::LeavesBehind) = trouble {
                #[allow(clippy::zombie_processes, reason = "it is to outlive us")]
                let left = Command::new("sleep").arg("60").spawn().unwrap();
                place.with(|account| account.left_behind.push(left.id()));
            }
            Order::read(&arguments).and_then(|order| {
                // Not while the account is held.
                let line = order.spec.takes_password.then(|| {
                    let mut line = String::new();
                    stdin().lock().read_line(&mut line).unwrap();
                    line
                });
                place.with(|account| order.obey(account, line.as_deref()))
            })
        }
    };
    place.with(|account| account.running -= 1);
    let answer = match trouble {
        Some(What::DoesAndFails(text)) => answer.and(Err(text)),
        _ => answer,
    };
    match answer {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("[ERROR] 2026/01/02 03:04:05 {text}");
            exit(1)
        }
    }
}

/// What is wrong with how the bridge runs a command.
fn violations(arguments: &[String]) -> Vec<String> {
    let mut seen = Vec::new();
    let line = arguments.join(" ");
    let is = |command: &str| line.starts_with(command);
    let needs_session = !["--version", "account add", "account list", "signin"]
        .iter()
        .any(|command| is(command));
    for secret in [PASSWORD, SECRET_KEY] {
        if line.contains(secret) {
            seen.push("a secret among the arguments".to_owned());
        }
    }
    for (name, value) in env::vars() {
        let known = match &*name {
            "OP_SECRET_KEY" => is("account add") && value == SECRET_KEY,
            "OP_BIOMETRIC_UNLOCK_ENABLED" | "OP_CACHE" => value == "false",
            "OP_DEVICE" => value.len() == 26,
            "PATH" | "HOME" | "TMPDIR" | "OP_CONFIG_DIR" => true,
            // The shell's own.
            "PWD" | "OLDPWD" | "SHLVL" | "_" => true,
            _ if name.starts_with("OP_SESSION_") => needs_session,
            _ => name.starts_with("XDG_"),
        };
        if !known || value.contains(PASSWORD) {
            seen.push(format!("{name} in the environment of {line}"));
        }
    }
    let home = PathBuf::from(env::var_os("OP_CONFIG_DIR").unwrap_or_default());
    let mode = fs::metadata(&home).map(|data| data.permissions().mode() & 0o777);
    if mode.ok() != Some(0o700) {
        seen.push(format!("{} is not private", home.display()));
    }
    if env::var_os("HOME").as_deref() != Some(home.as_os_str()) {
        seen.push("another home".to_owned());
    }
    if needs_session && !is("signout") && !line.contains("--cache=false") {
        seen.push(format!("a cache for {line}"));
    }
    seen
}

/// A command of the reference: its flags with a value, those without, and whether it names one
/// thing.
struct Spec {
    name: &'static str,
    values: &'static [&'static str],
    switches: &'static [&'static str],
    object: bool,
    takes_password: bool,
}

const fn spec(
    name: &'static str,
    values: &'static [&'static str],
    switches: &'static [&'static str],
    object: bool,
) -> Spec {
    Spec {
        name,
        values,
        switches,
        object,
        takes_password: false,
    }
}

const fn with_password(spec: Spec) -> Spec {
    Spec {
        takes_password: true,
        ..spec
    }
}

const SPECS: [Spec; 21] = [
    spec("--version", &[], &[], false),
    with_password(spec(
        "account add",
        &["address", "email", "shorthand"],
        &["raw", "signin"],
        false,
    )),
    spec("account list", &[], &[], false),
    spec("account get", &[], &[], false),
    with_password(spec("signin", &[], &["force", "raw"], false)),
    spec("signout", &[], &["all", "forget"], false),
    spec("user list", &["group", "vault"], &[], false),
    spec("user get", &[], &["me", "fingerprint", "public-key"], true),
    spec("user provision", &["email", "name", "language"], &[], false),
    spec("user confirm", &[], &["all"], true),
    spec("user edit", &["name", "travel-mode"], &[], true),
    spec("user suspend", &["deauthorize-devices-after"], &[], true),
    spec("user reactivate", &[], &[], true),
    spec("user delete", &[], &[], true),
    spec("group create", &["description"], &[], true),
    spec("group get", &[], &[], true),
    spec("group list", &["user", "vault"], &[], false),
    spec("group edit", &["name", "description"], &[], true),
    spec("group delete", &[], &[], true),
    spec("group user list", &[], &[], true),
    spec("group user grant", &["group", "user", "role"], &[], false),
];
const REVOKE: Spec = spec("group user revoke", &["group", "user"], &[], false);

/// For every command.
const GLOBAL_VALUES: [&str; 4] = ["account", "config", "encoding", "format"];
const GLOBAL_SWITCHES: [&str; 4] = ["cache", "debug", "iso-timestamps", "no-color"];

struct Order {
    spec: &'static Spec,
    flags: BTreeMap<String, String>,
    object: Option<String>,
}

type Answer = Result<String, String>;

impl Order {
    fn read(arguments: &[String]) -> Result<Self, String> {
        let specs = SPECS.iter().chain([&REVOKE]);
        let named = |spec: &&Spec| {
            let words: Vec<&str> = spec.name.split(' ').collect();
            arguments.len() >= words.len() && arguments.iter().zip(&words).all(|(a, b)| a == b)
        };
        let spec = specs.filter(named).max_by_key(|spec| spec.name.len());
        let spec =
            spec.ok_or_else(|| format!("unknown command {:?} for \"op\"", arguments.join(" ")))?;
        let mut rest = arguments.iter().skip(spec.name.split(' ').count());
        let (mut flags, mut objects) = (BTreeMap::new(), Vec::new());
        while let Some(argument) = rest.next() {
            let Some(flag) = argument.strip_prefix("--") else {
                objects.push(argument.clone());
                continue;
            };
            if flag.is_empty() {
                objects.extend(rest.by_ref().cloned());
                break;
            }
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (flag, None),
            };
            let has = |all: &[&str]| all.contains(&name);
            let value = if has(spec.values) || has(&GLOBAL_VALUES) {
                value.or_else(|| rest.next().cloned())
            } else if has(spec.switches) || has(&GLOBAL_SWITCHES) {
                Some(value.unwrap_or_default())
            } else {
                return Err(format!("unknown flag: --{name}"));
            };
            flags.insert(name.to_owned(), value.unwrap_or_default());
        }
        if objects.len() > usize::from(spec.object) {
            return Err(format!("accepts {} arg(s)", u8::from(spec.object)));
        }
        Ok(Self {
            spec,
            flags,
            object: objects.pop(),
        })
    }

    fn flag(&self, name: &str) -> Option<&str> {
        self.flags.get(name).map(String::as_str)
    }

    fn needed(&self, name: &str) -> Result<&str, String> {
        let missing = || format!("required flag(s) \"{name}\" not set");
        self.flag(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(missing)
    }

    fn object(&self) -> Result<&str, String> {
        // A hyphen means standard input, which is not stood in for.
        let object = self.object.as_deref().filter(|object| *object != "-");
        object.ok_or_else(|| "accepts 1 arg(s), received 0".to_owned())
    }

    fn in_json(&self, value: &Value) -> Answer {
        match self.flag("format") {
            Some("json") => Ok(format!("{value:#}\n")),
            _ => Ok("ID    NAME\n".to_owned()),
        }
    }

    fn obey(&self, account: &mut Account, line: Option<&str>) -> Answer {
        match self.spec.name {
            "--version" => return Ok(format!("{}\n", account.version)),
            "account add" => return self.add_account(account, line.unwrap_or_default()),
            "account list" => return self.in_json(&config().unwrap_or(json!([]))),
            "signin" => return self.sign_in(account, line.unwrap_or_default()),
            _ => {}
        }
        let own = self.session(account)?;
        match self.spec.name {
            "signout" => {
                account.end_sessions();
                Ok(String::new())
            }
            "account get" => self.in_json(&json!({"id": "TEST", "name": "Test", "domain": "test",
                "type": "BUSINESS", "state": "ACTIVE", "created_at": now()})),
            name if name.starts_with("user ") => self.about_people(account, &own),
            _ => self.about_groups(account, &own),
        }
    }

    fn add_account(&self, account: &mut Account, line: &str) -> Answer {
        let (_, email) = (self.needed("address")?, self.needed("email")?);
        check_secrets(line)?;
        let key = env::var("OP_SECRET_KEY").unwrap_or_default();
        match account.person(email) {
            Some(person) if key == SECRET_KEY && person.email == EMAIL => {
                let accounts = json!([{"url": self.needed("address")?, "email": email,
                    "user_uuid": person.id, "account_uuid": "TEST"}]);
                fs::write(config_file(), accounts.to_string()).unwrap();
                Ok(String::new())
            }
            _ => Err("(401) Unauthorized: invalid credentials".to_owned()),
        }
    }

    fn sign_in(&self, account: &mut Account, line: &str) -> Answer {
        let known = config().ok_or("no account found for filter")?;
        if known[0]["user_uuid"] != self.needed("account")? {
            return Err("no account found for filter".to_owned());
        }
        check_secrets(line)?;
        let token = format!("session-{}-of-the-bridge", account.calls.len());
        account.sessions.insert(token.clone(), seconds());
        Ok(format!("{token}\n"))
    }

    /// Whose session it is, if it is one.
    fn session(&self, account: &mut Account) -> Result<String, String> {
        let variable = env::vars().find(|(name, _)| name.starts_with("OP_SESSION_"));
        let (name, token) = variable.ok_or(
            "You are not currently signed in. Please run `op signin --help` for instructions",
        )?;
        let idle = account.idle;
        match account.sessions.get_mut(&token) {
            Some(used) if seconds() - *used < idle => *used = seconds(),
            _ => return Err("session expired, sign in to create a new session".to_owned()),
        }
        Ok(name.trim_start_matches("OP_SESSION_").to_owned())
    }

    fn about_people(&self, account: &mut Account, own: &str) -> Answer {
        match self.spec.name {
            "user list" => {
                let members = match self.flag("group") {
                    Some(group) => {
                        Some(account.group(group).ok_or(no_group(group))?.members.clone())
                    }
                    None => None,
                };
                let people = account.people.iter().filter_map(|person| {
                    let mut value = short(person);
                    if let Some(members) = &members {
                        value["role"] = members.get(&person.id)?.clone().into();
                    }
                    Some(value)
                });
                return self.in_json(&people.collect());
            }
            "user provision" => {
                let (email, name) = (self.needed("email")?, self.needed("name")?);
                if account
                    .person(email)
                    .is_some_and(|one| one.email.eq_ignore_ascii_case(email))
                {
                    return Err("(409) Conflict: a user with this email already exists".to_owned());
                }
                account.add(email, name, "TRANSFER_STARTED");
                let person = account.person(email).unwrap();
                if let Some(language) = self.flag("language") {
                    person.language = language.to_owned();
                }
                let made = long(person);
                return self.in_json(&made);
            }
            _ => {}
        }
        let who = match self.flag("me") {
            Some(_) => own,
            None => self.object()?,
        };
        let is_owner = account.group("Owners").unwrap().members.contains_key(who);
        let person = account.person(who).ok_or_else(|| {
            format!(
                "\"{who}\" isn't a user in this account. Specify the user with their name, email \
                 address, or ID."
            )
        })?;
        let id = person.id.clone();
        match (self.spec.name, &*person.state) {
            ("user get", _) if self.flag("fingerprint").is_some() => {
                let key = person
                    .fingerprint
                    .as_ref()
                    .ok_or("the user has no public key")?;
                return Ok(format!("{key}\n"));
            }
            ("user get", _) => return self.in_json(&long(person)),
            ("user confirm", "TRANSFER_ACCEPTED" | "PENDING") => person.state = "ACTIVE".to_owned(),
            ("user confirm", _) => return Err("the user isn't pending confirmation".to_owned()),
            ("user edit", _) => person.name = self.needed("name")?.to_owned(),
            ("user suspend", _) if is_owner || id == own => {
                return Err("(403) Forbidden: You aren't authorized to do that.".to_owned());
            }
            ("user suspend", "SUSPENDED" | "TRANSFER_SUSPENDED") => {
                return Err("the user is already suspended".to_owned());
            }
            ("user suspend", "ACTIVE") => person.state = "SUSPENDED".to_owned(),
            ("user suspend", _) => person.state = "TRANSFER_SUSPENDED".to_owned(),
            ("user reactivate", "SUSPENDED") => person.state = "ACTIVE".to_owned(),
            ("user reactivate", "TRANSFER_SUSPENDED") => {
                person.state = match person.fingerprint {
                    Some(_) => "TRANSFER_ACCEPTED".to_owned(),
                    None => "TRANSFER_STARTED".to_owned(),
                };
            }
            ("user reactivate", _) => return Err("the user is not suspended".to_owned()),
            ("user delete", _) => {
                account.people.retain(|one| one.id != id);
                for group in &mut account.groups {
                    group.members.remove(&id);
                }
                return Ok(String::new());
            }
            other => unreachable!("{other:?}"),
        }
        person.updated_at = now();
        Ok(String::new())
    }

    fn about_groups(&self, account: &mut Account, own: &str) -> Answer {
        match self.spec.name {
            "group list" => {
                let user = match self.flag("user") {
                    Some(who) => {
                        let missing = format!("\"{who}\" isn't a user in this account.");
                        Some(account.person(who).ok_or(missing)?.id.clone())
                    }
                    None => None,
                };
                let theirs = |group: &&Group| {
                    user.as_ref()
                        .is_none_or(|user| group.members.contains_key(user))
                };
                let groups = account.groups.iter().filter(theirs).map(|group| {
                    json!({"id": group.id, "name": group.name, "description": group.description,
                        "state": "ACTIVE", "created_at": group.created_at})
                });
                return self.in_json(&groups.collect());
            }
            "group create" => {
                let name = self.object()?;
                let group = account.add_group(name);
                group.description = self.flag("description").unwrap_or_default().to_owned();
                group.members.insert(own.to_owned(), "MANAGER".to_owned());
                let made = json!({"id": group.id, "name": group.name, "state": "ACTIVE",
                    "created_at": group.created_at, "updated_at": group.updated_at,
                    "type": group.kind});
                return self.in_json(&made);
            }
            "group user grant" | "group user revoke" => {
                let (group, who) = (self.needed("group")?, self.needed("user")?);
                let missing = format!("\"{who}\" isn't a user in this account.");
                let id = account.person(who).ok_or(missing)?.id.clone();
                let group = account.group(group).ok_or(no_group(group))?;
                if self.spec.name == "group user grant" {
                    let role = self.flag("role").unwrap_or("member").to_uppercase();
                    group.members.entry(id).or_insert(role);
                } else {
                    let missing = "the accessor doesn't have any permissions";
                    group.members.remove(&id).ok_or(missing)?;
                }
                return Ok(String::new());
            }
            _ => {}
        }
        let which = self.object()?;
        let people = account.people.clone();
        let group = account.group(which).ok_or(no_group(which))?;
        match self.spec.name {
            "group get" => {
                let mut value = json!({"id": group.id, "name": group.name, "type": group.kind,
                    "description": group.description, "state": "ACTIVE",
                    "created_at": group.created_at, "updated_at": group.updated_at});
                value["permissions"] = group.permissions.clone().into();
                self.in_json(&value)
            }
            "group user list" => {
                let members = people.iter().filter_map(|person| {
                    let mut value = short(person);
                    value["role"] = group.members.get(&person.id)?.clone().into();
                    Some(value)
                });
                self.in_json(&members.collect())
            }
            "group edit" => {
                group.name = self.needed("name")?.to_owned();
                group.updated_at = now();
                Ok(String::new())
            }
            "group delete" => {
                let id = group.id.clone();
                account.groups.retain(|one| one.id != id);
                Ok(String::new())
            }
            other => unreachable!("{other}"),
        }
    }
}

fn no_group(which: &str) -> String {
    format!("\"{which}\" isn't a group in this account. Specify the group with its ID or name.")
}

fn short(person: &Person) -> Value {
    json!({"id": person.id, "name": person.name, "email": person.email, "type": person.kind,
        "state": person.state})
}

fn long(person: &Person) -> Value {
    let mut value = short(person);
    value["created_at"] = person.created_at.clone().into();
    value["updated_at"] = person.updated_at.clone().into();
    value["last_auth_at"] = Value::Null;
    value
}

fn check_secrets(line: &str) -> Result<(), String> {
    match line.trim_end_matches('\n') == PASSWORD {
        true => Ok(()),
        false => Err("(401) Unauthorized: invalid credentials".to_owned()),
    }
}

fn config_file() -> PathBuf {
    PathBuf::from(env::var_os("OP_CONFIG_DIR").unwrap()).join("config")
}

fn config() -> Option<Value> {
    serde_json::from_slice(&fs::read(config_file()).ok()?).ok()
}
