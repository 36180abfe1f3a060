//! Accounts with many people: made once, through the public door, and kept in `target/bench`.

use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use futures_util::future;
use hyper::body::Bytes;
use serde_json::Value;

use crate::{
    client::{Call, Connection},
    load::{COMERS, CONNECTIONS, Target},
    provider,
    world::{self, World},
};

/// How large an account is.
pub struct Plan {
    pub people: usize,
    /// Members of each group; the first one is the provider's.
    pub groups: &'static [usize],
    /// Where the account server listens: its address is part of the credentials.
    pub port: u16,
}

impl Plan {
    pub const SMALL: Self = Self {
        people: 1_100,
        groups: &[100],
        port: 4211,
    };
    pub const MIDDLE: Self = Self {
        people: 11_000,
        groups: &[10_000],
        port: 4212,
    };
    pub const LARGE: Self = Self {
        people: 101_000,
        groups: &[10_000, 100, 50_000],
        port: 4213,
    };
}

/// So many of those who come and go have signed up and were confirmed, so that keys are wrapped
/// for them. The others are invited.
const SIGNED_UP: usize = COMERS / 2;

/// How many members one request brings.
const AT_ONCE: usize = 1_000;

/// An account that lies in a directory.
pub struct Seed {
    dir: PathBuf,
    port: u16,
    pub ids: Vec<String>,
    pub groups: Vec<String>,
}

impl Seed {
    /// The account of this size, made now if there is none, or if what it is made of has changed.
    pub async fn of(plan: &Plan) -> Self {
        let dir = world::folder().join(format!("seed-{}", plan.people));
        let stamp = stamp(plan);
        if fs::read_to_string(dir.join("stamp")).ok().as_deref() != Some(&*stamp) {
            let begun = Instant::now();
            let _ = fs::remove_dir_all(&dir);
            fs::create_dir_all(&dir).unwrap();
            make(plan, &dir).await;
            // Last: with it the directory is complete.
            fs::write(dir.join("stamp"), stamp).unwrap();
            let taken = begun.elapsed().as_secs();
            eprintln!("seeded {} people in {taken} s", plan.people);
        }
        Self {
            ids: lines(&dir.join("ids")),
            groups: lines(&dir.join("groups")),
            port: plan.port,
            dir,
        }
    }

    /// A copy of it, with its server and a bridge running.
    pub fn start(&self) -> World {
        let dir = tempfile::tempdir_in(world::folder()).unwrap();
        for entry in fs::read_dir(&self.dir).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
            }
        }
        World::start(dir.path(), self.port, &[]).in_copy(dir)
    }

    /// What a load is sent to.
    pub fn target(&self, world: &World) -> Target {
        Target {
            ids: self.ids.clone(),
            group: self.groups[0].clone(),
            ..world.target()
        }
    }
}

/// What a seed is made of: how large it is, how it is made, how it is kept.
fn stamp(plan: &Plan) -> String {
    let mut hasher = DefaultHasher::new();
    (plan.people, plan.groups, plan.port).hash(&mut hasher);
    include_str!("seed.rs").hash(&mut hasher);
    include_str!("provider.rs").hash(&mut hasher);
    include_str!("../../src/sandbox/schema.sql").hash(&mut hasher);
    include_str!("../../src/state/sqlite.rs").hash(&mut hasher);
    include_str!("../../src/state/records.rs").hash(&mut hasher);
    include_str!("../../src/state/overlay.rs").hash(&mut hasher);
    format!("{:016x}\n", hasher.finish())
}

async fn make(plan: &Plan, dir: &Path) {
    let at_once = [
        ("SCIM_BRIDGE_CONFIRMATION_DELAY", "0"),
        ("SCIM_BRIDGE_CONFIRMATION_INTERVAL", "1"),
    ];
    let world = World::start(dir, plan.port, &at_once);
    let mut target = world.target();
    target.ids = people(&target, plan.people, Duration::from_secs(600))
        .await
        .unwrap();
    let mut groups = Vec::new();
    for members in plan.groups {
        let name = format!("Group of {members}");
        groups.push(
            group(&target, &name, &target.ids[..*members], AT_ONCE)
                .await
                .unwrap(),
        );
    }
    sign_up(dir, plan.people);
    until_confirmed(&target).await;
    fs::write(dir.join("ids"), target.ids.join("\n")).unwrap();
    fs::write(dir.join("groups"), groups.join("\n")).unwrap();
}

/// Creates so many people over all connections, fewer if the time is over before. Returns their
/// ids.
///
/// # Errors
/// What the server answered instead.
pub async fn people(target: &Target, count: usize, limit: Duration) -> Result<Vec<String>, String> {
    let begun = Instant::now();
    let calls = (0..CONNECTIONS).map(|first| async move {
        let mut connection = Connection::new(target.address, &target.token);
        let mut ids = Vec::new();
        for person in (first..count).step_by(CONNECTIONS) {
            if begun.elapsed() > limit {
                break;
            }
            let call = provider::create(target.base, &provider::address(person));
            ids.push(id(&done(&mut connection, &call).await?));
        }
        Ok::<_, String>(ids)
    });
    let shares: Vec<Vec<String>> = future::try_join_all(calls).await?;
    // Of each round over the connections that all of them have finished.
    let rounds = shares.iter().map(Vec::len).min().unwrap();
    let all: usize = shares.iter().map(Vec::len).sum();
    let whole = if all == count {
        count
    } else {
        rounds * CONNECTIONS
    };
    let nth = |person: usize| shares[person % CONNECTIONS][person / CONNECTIONS].clone();
    Ok((0..whole).map(nth).collect())
}

/// Makes a group, and brings the members in, so many at once. Returns its id.
///
/// # Errors
/// What the server answered instead.
pub async fn group(
    target: &Target,
    name: &str,
    members: &[String],
    at_once: usize,
) -> Result<String, String> {
    let mut connection = Connection::new(target.address, &target.token);
    let call = provider::create_group(target.base, name);
    let group = id(&done(&mut connection, &call).await?);
    for members in members.chunks(at_once) {
        let call = provider::add(target.base, &group, members);
        done(&mut connection, &call).await?;
    }
    Ok(group)
}

/// The body of an answer that says that it was done.
async fn done(connection: &mut Connection, call: &Call) -> Result<Bytes, String> {
    let answer = connection.send(call).await;
    let answer = answer.map_err(|error| error.to_string())?;
    match answer.status {
        200..300 => Ok(answer.body),
        status => Err(format!("{status} {:?}", answer.body)),
    }
}

fn id(body: &[u8]) -> String {
    let resource: Value = serde_json::from_slice(body).unwrap();
    resource["id"].as_str().unwrap().to_owned()
}

/// The last people accept their invitations: as many at a time as there are processors.
fn sign_up(dir: &Path, people: usize) {
    let together = std::thread::available_parallelism().unwrap().get();
    let newcomers: Vec<_> = (people - SIGNED_UP..people)
        .map(provider::address)
        .collect();
    for newcomers in newcomers.chunks(together) {
        let started: Vec<_> = newcomers
            .iter()
            .map(|address| {
                let mut command = Command::new(world::program());
                command
                    .args(["sandbox", "sign-up", address, "--dir"])
                    .arg(dir);
                command.stdin(Stdio::null()).stdout(Stdio::null());
                command.spawn().unwrap()
            })
            .collect();
        for mut process in started {
            assert!(process.wait().unwrap().success(), "somebody cannot sign up");
        }
    }
}

async fn until_confirmed(target: &Target) {
    let begun = Instant::now();
    let mut connection = Connection::new(target.address, &target.token);
    let done = format!("scim_bridge_confirmed_total {SIGNED_UP}");
    loop {
        let answer = connection
            .send(&provider::get("/metrics".to_owned()))
            .await
            .unwrap();
        if String::from_utf8_lossy(&answer.body)
            .lines()
            .any(|line| line == done)
        {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "nobody is confirmed"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(str::to_owned).collect()
}
