//! `scim-bridge setup --connector op`, and `scim-bridge credentials` on what it makes.

use std::{fs, io::Write, os::unix::fs::PermissionsExt, path::PathBuf, process::Stdio};

use libtest_mimic::Trial;
use scim_bridge::{
    credentials::{Credentials, ScimSession, Secret, SweepKey},
    onepassword::{secret_text::SecretText, users_api::ClientCredentials},
};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    op::{Account, EMAIL, PASSWORD, SECRET_KEY, What},
    story::command,
    support::{World, trial},
};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_set_up_makes_all_that_a_bridge_needs", a_set_up),
        trial("a_person_is_told_what_to_do_next", for_a_person),
        trial("who_may_not_set_up_is_told_why", refusals),
        trial("a_check_looks_again", a_check),
        trial("a_replacement_keeps_the_users_api", a_replacement),
    ]
}

const ADDRESS: &str = "https://test.1password.com";
const CLIENT_SECRET: &str = "the-client-secret";

/// What a run of the command line left.
struct Run {
    status: i32,
    out: String,
    err: String,
}

impl Run {
    fn json(&self) -> Value {
        assert_eq!(self.status, 0, "{}", self.err);
        serde_json::from_str(&self.out).unwrap()
    }
}

fn dir(world: &World) -> PathBuf {
    world.dir.path().join("made")
}

fn run(world: &World, name: &str, more: &[&str], settings: &[(&str, &str)]) -> Run {
    let run = command(world, name)
        .args(more)
        .env("SCIM_BRIDGE_SCIMSESSION", dir(world).join("scimsession"))
        .env("SCIM_BRIDGE_ADMIN_SECRET_KEY", SECRET_KEY)
        .env("SCIM_BRIDGE_ADMIN_PASSWORD", PASSWORD)
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let [out, err] = [run.stdout, run.stderr].map(|text| String::from_utf8(text).unwrap());
    for secret in [PASSWORD, SECRET_KEY, CLIENT_SECRET] {
        assert!(!out.contains(secret) && !err.contains(secret), "{out}{err}");
    }
    Run {
        status: run.status.code().unwrap(),
        out,
        err,
    }
}

fn set_up(world: &World, more: &[&str], settings: &[(&str, &str)]) -> Run {
    let made = dir(world);
    let mut all = vec!["--connector", "op", "--dir", made.to_str().unwrap()];
    all.extend(["--address", ADDRESS, "--email", EMAIL, "--json"]);
    all.extend(more);
    run(world, "setup", &all, settings)
}

/// How many people and groups there are.
fn size(world: &World) -> (usize, usize) {
    world.op.with(|it| (it.people.len(), it.groups.len()))
}

async fn a_set_up() {
    let world = World::new();
    let before = size(&world);
    let made = set_up(&world, &["--label", "okta"], &[]).json();
    assert_eq!(made["account"], "Test");
    assert_eq!(
        made["op"],
        json!({"version": "2.32.1",
            "rights": ["CREATE_VAULTS", "PROVISION_PEOPLE", "RECOVER_ACCOUNTS"]})
    );
    for file in ["scimsession", "sweepKey"] {
        let data = fs::metadata(made[file].as_str().unwrap()).unwrap();
        assert_eq!(data.permissions().mode() & 0o777, 0o600, "{file}");
    }
    let token = made["token"].as_str().unwrap();
    let opened = [("SCIM_BRIDGE_TOKEN", token)];
    let checked = run(&world, "credentials check", &["--json"], &opened).json();
    assert_eq!(
        (&checked["email"], &checked["op"]),
        (&json!(EMAIL), &made["op"])
    );
    // Once more: it is looked at, nothing is made, and no token is shown.
    let file = fs::read(dir(&world).join("scimsession")).unwrap();
    let again = set_up(&world, &[], &[]).json();
    assert_eq!((&again["token"], &again["op"]), (&Value::Null, &made["op"]));
    assert_eq!(fs::read(dir(&world).join("scimsession")).unwrap(), file);
    // In strict mode there is no key.
    let strict = set_up(&world, &["--replace", "--strict"], &[]).json();
    assert_eq!(strict["sweepKey"], Value::Null);
    assert!(!dir(&world).join("sweep-key").exists());
    assert_eq!(size(&world), before);
    let changes = ["user provision", "group create", "group user grant"];
    let changes = changes.map(|command| world.op.with(|it| it.count(command)));
    assert_eq!(changes, [0; 3]);
}

/// The secrets come as lines, and the token is shown on a line of its own.
async fn for_a_person() {
    let world = World::new();
    let mut setup = command(&world, "setup --connector op")
        .args(["--address", "test.1password.com", "--email", EMAIL])
        .arg("--dir")
        .arg(dir(&world))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = format!("{SECRET_KEY}\n{PASSWORD}\n");
    let mut input = setup.stdin.take().unwrap();
    input.write_all(lines.as_bytes()).unwrap();
    drop(input);
    let done = setup.wait_with_output().unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{text}");
    let token = text
        .lines()
        .find(|line| line.trim().starts_with("scimbridge_"));
    let opened = [("SCIM_BRIDGE_TOKEN", token.unwrap().trim())];
    let checked = run(&world, "credentials check", &[], &opened);
    assert_eq!(checked.status, 0, "{}", checked.err);
    for part in [
        "op is of version 2.32.1",
        "Test lets the bridge in as bridge@example.com",
        "scim-bridge serve",
        "Wherever the bridge runs, op has to be",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for secret in [PASSWORD, SECRET_KEY] {
        assert!(!text.contains(secret), "{text}");
    }
}

/// What is wrong in the account; then what is given, and the status and the words that tell it.
type Refusal = (
    fn(&mut Account),
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
    i32,
    &'static str,
);

const NOTHING: fn(&mut Account) = |_| {};

const REFUSALS: [Refusal; 12] = [
    (
        NOTHING,
        &[],
        &[("SCIM_BRIDGE_ADMIN_PASSWORD", "wrong")],
        3,
        "refuses the bridge's credentials",
    ),
    (
        NOTHING,
        &[],
        &[("SCIM_BRIDGE_ADMIN_SECRET_KEY", "A3-1")],
        3,
        "Emergency Kit",
    ),
    (
        NOTHING,
        &[],
        &[("SCIM_BRIDGE_ADMIN_PASSWORD", "")],
        2,
        "SCIM_BRIDGE_ADMIN_PASSWORD",
    ),
    (
        NOTHING,
        &[],
        &[("SCIM_BRIDGE_OP", "/nowhere/op")],
        5,
        "install 1Password's command line",
    ),
    (
        |it| it.version = "1.12.9".to_owned(),
        &[],
        &[],
        1,
        "install version 2",
    ),
    (
        |it| {
            let says = "[ERROR] 2026/01/02 03:04:05 two-factor authentication is on".to_owned();
            it.trouble("account add", "", 1, What::Says(says, 1));
        },
        &[],
        &[],
        3,
        "cannot be automated",
    ),
    (
        |it| it.group("Provision Managers").unwrap().members.clear(),
        &[],
        &[],
        1,
        "into the group Provision Managers",
    ),
    (
        |it| it.person(EMAIL).unwrap().kind = "GUEST".to_owned(),
        &[],
        &[],
        1,
        "no active member",
    ),
    (
        |it| it.person(EMAIL).unwrap().state = "SUSPENDED".to_owned(),
        &[],
        &[],
        1,
        "no active member",
    ),
    (NOTHING, &["--remove", EMAIL], &[], 2, "--remove"),
    (NOTHING, &["--replace", EMAIL], &[], 2, "--replace"),
    (
        NOTHING,
        &["--manager-email", EMAIL],
        &[],
        2,
        "--manager-email",
    ),
];

async fn refusals() {
    for (wrong, more, settings, status, says) in REFUSALS {
        let world = World::new();
        world.op.with(wrong);
        let run = set_up(&world, more, settings);
        assert_eq!(run.status, status, "{says}: {}", run.err);
        assert!(run.err.contains(says), "{says}: {}", run.err);
        assert!(run.out.is_empty(), "{says}: {}", run.out);
        for file in ["scimsession", "sweep-key"] {
            assert!(!dir(&world).join(file).exists(), "{says}: {file}");
        }
    }
    // Another account in the same directory.
    let world = World::new();
    set_up(&world, &[], &[]).json();
    for more in [&[][..], &["--replace"]] {
        let other = [&["--address", "other.1password.com"][..], more].concat();
        let made = dir(&world);
        let mut all = vec!["--connector", "op", "--dir", made.to_str().unwrap()];
        all.extend(["--email", EMAIL]);
        all.extend(other);
        let run = run(&world, "setup", &all, &[]);
        assert_eq!(run.status, 1, "{}", run.err);
        assert!(run.err.contains("another --dir"), "{}", run.err);
    }
}

/// Rights that are not told are not taken for rights that are not there.
async fn a_check() {
    let world = World::new();
    set_up(&world, &[], &[]).json();
    let check = || run(&world, "credentials check", &[], &[]);
    let told = check();
    assert!(
        told.status == 0
            && told
                .out
                .contains("certainly    invite and confirm people\n"),
        "{}{}",
        told.out,
        told.err
    );
    // The doctor says the same of the credentials at hand.
    let doctor = || run(&world, "doctor", &["--json"], &[]);
    let seen = doctor().json()["checks"][0]["seen"].clone();
    assert_eq!(seen.as_str().unwrap(), told.out.trim());
    world.op.with(|it| {
        let of_provisioners = &mut it.group("Provision Managers").unwrap().permissions;
        *of_provisioners = vec!["VIEW_PEOPLE".to_owned()];
    });
    let told = check();
    assert_eq!(told.status, 1, "{}", told.out);
    assert!(told.err.contains("may not invite"), "{}", told.err);
    let told = doctor();
    assert_eq!(told.status, 1, "{}", told.out);
    assert!(told.out.contains("may not invite"), "{}", told.out);
    world.op.with(|it| {
        let id = it.group("Provision Managers").unwrap().id.clone();
        let says = "[ERROR] 2026/01/02 03:04:05 (403) Forbidden".to_owned();
        it.trouble("group get", &id, 1, What::Says(says, 1));
    });
    let told = check();
    assert_eq!(told.status, 0, "{}", told.err);
    assert!(
        told.out.contains("not certain  invite and confirm people,"),
        "{}",
        told.out
    );
    world.op.with(|it| {
        for group in &mut it.groups {
            group.permissions.clear();
        }
    });
    let told = check();
    assert_eq!(told.status, 0, "{}", told.err);
    assert!(told.out.contains("certainly    -\n"), "{}", told.out);
}

async fn a_replacement() {
    let world = World::new();
    set_up(&world, &[], &[]).json();
    let (path, key) = (
        dir(&world).join("scimsession"),
        dir(&world).join("sweep-key"),
    );
    let file = ScimSession::read(&fs::read_to_string(&path).unwrap()).unwrap();
    let opener = SweepKey::read(&fs::read_to_string(&key).unwrap()).unwrap();
    let now = OffsetDateTime::now_utc();
    let credentials = Credentials {
        users_api: Some(ClientCredentials {
            server: "https://api.1password.eu".parse().unwrap(),
            account_id: "ACCOUNT".to_owned(),
            client_id: "the-client".to_owned(),
            client_secret: SecretText::new(CLIENT_SECRET.to_owned()),
        }),
        ..Credentials::open(&file, &opener, now).unwrap()
    };
    let file = credentials.reseal(&file, &opener, now).unwrap();
    fs::write(&path, file.to_json().unwrap()).unwrap();
    let inspect = || run(&world, "credentials inspect", &["--json"], &[]).json();
    let users_api = json!({"server": "https://api.1password.eu", "accountId": "ACCOUNT",
        "clientId": "the-client"});
    set_up(&world, &["--replace"], &[]).json();
    let inside = inspect();
    assert_eq!(
        (&inside["connector"], &inside["usersApi"]),
        (&json!("op"), &users_api)
    );
    // What nothing opens cannot be carried over, and nobody can see it.
    fs::remove_file(&key).unwrap();
    assert_eq!(inspect().get("usersApi"), None);
    let replaced = set_up(&world, &["--replace"], &[]);
    assert!(
        replaced.err.contains("not carried over"),
        "{}",
        replaced.err
    );
    assert_eq!(inspect()["usersApi"], Value::Null);
}
