//! What a cold start takes, from the start of a process to the answer to its first event: of the
//! bridge's functions, and of functions that only say hello.
//!
//! AWS is a stand-in in this process, the account is the sandbox as a process of its own, and the
//! way there can be made longer. Programs are given as paths: `SCIM_BRIDGE`, `BOOTSTRAP`, `HANDLER`,
//! `HELLO`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod account;
mod aws;
mod expressions;
mod runtime;
mod seen;
mod sign_in;
mod start;
#[path = "../support/mod.rs"]
mod support;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use flate2::{Compression, write::DeflateEncoder};
use serde_json::{Value, json};

use account::Account;
use aws::{Aws, TABLE, arn};
use seen::{Exchange, Seen};
use sign_in::{SignIn, is_sign_in};
use start::{Start, Took, under_the_host, under_the_runtime};
use support::{
    results,
    stats::{median, short},
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/cold");
/// What a provider asks first: path and query.
const START: (&str, &str) = (
    "/scim/v2/Users",
    "filter=userName%20eq%20%22owner%40example.com%22",
);

/// Everything around the programs under measurement.
pub struct World {
    seen: Seen,
    account: Account,
    /// The file that holds the scimsession.
    secret: PathBuf,
    aws: Aws,
    programs: Programs,
}

struct Programs {
    bootstrap: PathBuf,
    handler: PathBuf,
    hello: PathBuf,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let rounds = if std::env::var_os("QUICK").is_some() {
        5
    } else {
        20
    };
    let dir = tempfile::tempdir().unwrap();
    let world = World::new(dir.path()).await;
    let starts = starts(&world, rounds).await;
    let sign_in = sign_in::measure(&world, rounds).await;
    let text = [
        format!(
            "Medians of {rounds} starts of each kind, taken in turns, each after one that does not count.\n"
        ),
        table_of_starts(&starts),
        table_of_phases(&starts),
        table_of_aims(&world, &starts, &sign_in),
    ];
    results::write("cold", "Cold start", &text.join("\n"));
}

impl World {
    async fn new(dir: &Path) -> Self {
        let seen = Seen::default();
        let account = Account::start(&program("SCIM_BRIDGE"), dir, &seen).await;
        let secrets = [
            ("scimsession", account.scimsession.clone()),
            ("sweep-key", account.sweep_key.clone()),
        ];
        // Azure's handler reads it here.
        let secret = dir.join("secret");
        fs::write(&secret, &account.scimsession).unwrap();
        let aws = Aws::start(&secrets, &seen).await;
        Self {
            seen,
            account,
            secret,
            aws,
            programs: Programs {
                bootstrap: program("BOOTSTRAP"),
                handler: program("HANDLER"),
                hello: program("HELLO"),
            },
        }
    }

    /// The bridge as one of its two functions.
    fn bootstrap(&self, handler: &str) -> Command {
        let mut command = function(&self.programs.bootstrap);
        command
            .env("_HANDLER", handler)
            .env("AWS_ENDPOINT_URL", &self.aws.url)
            .env("SCIM_BRIDGE_SCIMSESSION", arn("scimsession"))
            .env("SCIM_BRIDGE_STATE", TABLE)
            .env("SCIM_BRIDGE_LOG", "info");
        if handler == "sweep" {
            command.env("SCIM_BRIDGE_SWEEP_KEY", arn("sweep-key"));
        }
        command
    }

    /// Azure's handler, with a table that is not there: neither request needs it.
    fn handler(&self) -> Command {
        let state = format!("{}/devstoreaccount1/state", self.aws.url);
        let mut command = Command::new(&self.programs.handler);
        command
            .env_clear()
            .env("SCIM_BRIDGE_SCIMSESSION", &self.secret)
            .env("SCIM_BRIDGE_STATE", state)
            .env("SCIM_BRIDGE_LOG", "info");
        command
    }

    /// A GET as an HTTP API hands it on.
    fn event(&self, path: &str, query: &str) -> Value {
        let host = "abcdefghij.execute-api.eu-west-1.amazonaws.com";
        json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "headers": {
                "host": host,
                "authorization": format!("Bearer {}", self.account.token),
                "accept-encoding": "gzip",
                "x-forwarded-proto": "https",
                "x-forwarded-port": "443",
                "x-forwarded-for": "192.0.2.1",
            },
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "abcdefghij",
                "domainName": host,
                "domainPrefix": "abcdefghij",
                "http": {
                    "method": "GET",
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1",
                    "userAgent": "provider",
                },
                "requestId": "JKJaXmPLvHcESHA=",
                "routeKey": "$default",
                "stage": "$default",
                "time": "10/Mar/2026:05:16:23 +0000",
                "timeEpoch": 1_773_119_783_000_u64,
            },
            "isBase64Encoded": false,
        })
    }
}

fn program(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable);
    let path = path.unwrap_or_else(|| panic!("{variable} is the path of a program"));
    PathBuf::from(path).canonicalize().unwrap()
}

/// A program in the environment that Lambda gives it.
fn function(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_LAMBDA_FUNCTION_NAME", "scim-bridge")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "example")
        .env("AWS_SESSION_TOKEN", "example");
    command
}

/// Makes a process anew.
type Starter<'a> = Box<dyn Fn() -> Command + 'a>;

/// A kind of start, and all of its runs.
#[derive(Default)]
struct Kind {
    name: &'static str,
    runs: Vec<Took>,
    /// For those that ask the account: how long each phase took.
    phases: Vec<[Duration; PHASES.len()]>,
    /// Requests of a sign-in in the last run.
    sign_in_requests: usize,
}

const HELLO: &str = "hello in Rust";
const PING: &str = "`bootstrap` as `scim`: `/ping`";
const SIGNS_IN: &str = "`bootstrap` as `scim`: filter by userName, signs in";
const TAKES_OVER: &str = "`bootstrap` as `scim`: the same after another process";
const SWEEP: &str = "`bootstrap` as `sweep`: the schedule's event, signs in";
const HANDLER: &str = "`handler`: `/ping`";
const HANDLER_OPENS: &str = "`handler`: a filter that is refused, opens the scimsession";

/// Medians of this many starts of each kind, taken in turns.
async fn starts(world: &World, rounds: usize) -> Vec<Kind> {
    let interpreters: Vec<(&str, PathBuf, &str)> = [
        ("hello in Node", "node", "hello.js"),
        ("hello in Python", "python3", "hello.py"),
    ]
    .into_iter()
    .filter_map(|(name, program, script)| Some((name, interpreter(name, program)?, script)))
    .collect();
    let client = reqwest::Client::builder().pool_max_idle_per_host(0);
    let client = client.tls_backend_preconfigured(scim_bridge::outbound::tls(None).unwrap());
    let client = client.build().unwrap();
    let ping = world.event("/ping", "");
    let filter = world.event(START.0, START.1);
    let schedule = json!({ "source": "scim-bridge.schedule" });
    let mut kinds = Vec::new();
    // The first round warms the machine's caches.
    for round in 0..=rounds {
        if round == 1 {
            kinds.clear();
        }
        let hello = || function(&world.programs.hello);
        let mut commands: Vec<(_, Starter, _, _)> = vec![(HELLO, Box::new(hello), &ping, false)];
        for (name, path, script) in &interpreters {
            let command = move || {
                let mut command = function(path);
                command.arg(Path::new(FOLDER).join(script));
                command
            };
            commands.push((name, Box::new(command), &ping, false));
        }
        let bootstrap = |handler: &'static str| Box::new(move || world.bootstrap(handler));
        commands.extend([
            (PING, bootstrap("scim") as _, &ping, true),
            (SIGNS_IN, bootstrap("scim") as _, &filter, true),
            // What the one before left in the table is still there.
            (TAKES_OVER, bootstrap("scim") as _, &filter, false),
            (SWEEP, bootstrap("sweep") as _, &schedule, true),
        ]);
        for (name, command, event, anew) in commands {
            if anew {
                world.aws.forget();
            }
            // So that what a start finds in the processor's caches is its own, whoever came before.
            drop(Start::of(command()).await);
            world.seen.take();
            let (took, start, answered) = under_the_runtime(command(), event).await;
            let is_well = match answered.answer.get("statusCode") {
                Some(status) => status == 200,
                None => answered.answer["confirmed"] == 0,
            };
            assert!(is_well, "{name}: {}", answered.answer);
            let exchanges = world.seen.take();
            let kind = of_name(&mut kinds, name);
            kind.runs.push(took);
            kind.sign_in_requests = exchanges.iter().filter(|one| is_sign_in(&one.what)).count();
            let ends = [start.begun, start.ready, answered.at];
            kind.phases.extend(phases(ends, &exchanges));
        }
        for (name, path, status) in [
            (HANDLER, "/ping", 200),
            (HANDLER_OPENS, "/scim/v2/Users?filter=x", 400),
        ] {
            let once = async || {
                let (command, token) = (world.handler(), &world.account.token);
                under_the_host(command, &client, path, token, status).await
            };
            once().await;
            of_name(&mut kinds, name).runs.push(once().await);
        }
    }
    kinds
}

fn of_name<'a>(kinds: &'a mut Vec<Kind>, name: &'static str) -> &'a mut Kind {
    let at = kinds.iter().position(|kind| kind.name == name);
    let at = at.unwrap_or_else(|| {
        kinds.push(Kind {
            name,
            ..Kind::default()
        });
        kinds.len() - 1
    });
    &mut kinds[at]
}

/// Where an interpreter is itself: what stands in `PATH` may be a script that looks for it.
fn interpreter(name: &str, program: &str) -> Option<PathBuf> {
    let asks = match program {
        "node" => ["-p", "process.execPath"],
        _ => ["-c", "import sys; print(sys.executable)"],
    };
    let path = Command::new(program).args(asks).output().ok();
    let path = path.filter(|output| output.status.success());
    if path.is_none() {
        println!("SKIPPED: {name}. {program} is not installed.");
    }
    Some(String::from_utf8(path?.stdout).unwrap().trim().into())
}

const PHASES: [&str; 5] = [
    "start to ready",
    "secret",
    "session",
    "account's answer",
    "answer",
];

/// A start cut where one thing ends and the next begins: ready, the secret is there, the first
/// request in the session goes out, the last answer of the account is there, answered.
fn phases([begun, ready, end]: [Instant; 3], exchanges: &[Exchange]) -> Option<[Duration; 5]> {
    let secret = exchanges.iter().rfind(|one| one.what == "GetSecretValue")?;
    let mut within = exchanges
        .iter()
        .filter(|one| one.what.starts_with('/') && !is_sign_in(&one.what));
    let first = within.next()?;
    let last = within.next_back().unwrap_or(first);
    let cuts = [
        begun,
        ready,
        secret.delivered,
        first.came,
        last.delivered,
        end,
    ];
    Some(std::array::from_fn(|at| cuts[at + 1] - cuts[at]))
}

fn table_of_starts(kinds: &[Kind]) -> String {
    let head = [
        "process",
        "start to ready",
        "start to answer",
        "CPU until ready",
        "CPU of the answer",
        "peak memory",
    ];
    let rows: Vec<Vec<String>> = kinds
        .iter()
        .map(|kind| {
            vec![
                kind.name.to_owned(),
                short(kind.median(|took| took.ready)),
                short(kind.median(|took| took.answered)),
                short(kind.median(|took| took.cpu_until_ready)),
                short(kind.median(|took| took.cpu_of_answer)),
                mebibytes(kind.peak_memory()),
            ]
        })
        .collect();
    results::table(&head, &rows)
}

fn table_of_phases(kinds: &[Kind]) -> String {
    let head: Vec<&str> = std::iter::once("phase of").chain(PHASES).collect();
    let rows: Vec<Vec<String>> = kinds
        .iter()
        .filter(|kind| !kind.phases.is_empty())
        .map(|kind| {
            let of = |at: usize| kind.phases.iter().map(|one| one[at]).collect::<Vec<_>>();
            let phases = (0..PHASES.len()).map(|at| short(median(&mut of(at))));
            std::iter::once(kind.name.to_owned())
                .chain(phases)
                .collect()
        })
        .collect();
    results::table(&head, &rows)
}

fn table_of_aims(world: &World, kinds: &[Kind], sign_in: &SignIn) -> String {
    let kind = |name: &str| kinds.iter().find(|kind| kind.name == name).unwrap();
    let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64();
    let mut rows = Vec::new();
    let mut row = |id: &str, aim: &str, seen: String, met: bool| {
        let met = if met { "met" } else { "not met" };
        rows.push(vec![format!("{id}: {aim}"), seen, met.to_owned()]);
    };

    let (bridge, hello) = (kind(PING), kind(HELLO));
    let ready = |kind: &Kind| kind.median(|took| took.ready);
    let slower = ratio(ready(bridge), ready(hello));
    let until_ready = |kind: &Kind| kind.median(|took| took.cpu_until_ready);
    let costs = ratio(until_ready(bridge), until_ready(hello));
    row(
        "P5",
        "ready after at most 1.5 × hello in Rust",
        format!("{slower:.2} ×, with {costs:.2} × its CPU"),
        slower <= 1.5,
    );
    let cpu = |kind: &Kind| kind.median(|took| took.cpu_of_answer);
    let first = cpu(kind(SIGNS_IN));
    let limit = Duration::from_millis(15);
    row(
        "P5",
        "first filter answer at most 15 ms of CPU",
        short(first),
        first <= limit,
    );
    let over = kind(TAKES_OVER);
    row(
        "P5",
        "a session is taken over: no exponentiation",
        format!(
            "{} requests to sign in, {} of CPU",
            over.sign_in_requests,
            short(cpu(over))
        ),
        over.sign_in_requests == 0,
    );
    let more = ratio(sign_in.cpu, sign_in.exponentiations);
    row(
        "P7",
        "CPU of a sign-in at most 1.2 × its two exponentiations",
        format!(
            "{} / {} = {more:.2} ×",
            short(sign_in.cpu),
            short(sign_in.exponentiations)
        ),
        more <= 1.2,
    );
    let longer = ratio(sign_in.wall, sign_in.on_the_way);
    row(
        "P7",
        "a sign-in over a way of 50 ms at most 1.1 × its round trips",
        format!(
            "{} / {} for {} = {longer:.2} ×",
            short(sign_in.wall),
            short(sign_in.on_the_way),
            sign_in.round_trips
        ),
        longer <= 1.1,
    );
    let program = fs::read(&world.programs.bootstrap).unwrap();
    let mut zip = DeflateEncoder::new(Vec::new(), Compression::best());
    zip.write_all(&program).unwrap();
    let zip = zip.finish().unwrap().len();
    #[allow(clippy::cast_precision_loss)]
    let megabytes = |size: usize| format!("{:.2} MB", size as f64 / 1e6);
    row(
        "P10",
        "`bootstrap` packed at most 5 MB",
        format!("{} of {}", megabytes(zip), megabytes(program.len())),
        zip <= 5_000_000,
    );
    let most = [PING, SIGNS_IN, TAKES_OVER, SWEEP].map(|name| kind(name).peak_memory());
    let most = most.into_iter().max().unwrap();
    row(
        "P10",
        "memory of `bootstrap` under 40 MB",
        mebibytes(most),
        most * 1024 < 40_000_000,
    );
    results::table(&["aim", "seen", ""], &rows)
}

impl Kind {
    fn median(&self, of: fn(&Took) -> Duration) -> Duration {
        median(&mut self.runs.iter().map(of).collect::<Vec<_>>())
    }

    /// The most of any run, in KiB.
    fn peak_memory(&self) -> u64 {
        self.runs.iter().map(|took| took.peak_memory).max().unwrap()
    }
}

fn mebibytes(kibibytes: u64) -> String {
    #[allow(clippy::cast_precision_loss)]
    let mebibytes = kibibytes as f64 / 1024.0;
    format!("{mebibytes:.1} MiB")
}
