//! Instructions of five paths that every request or confirmation goes, counted by valgrind, against
//! those that are committed. No clock is asked: the counts are the same on a busy machine.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../support/samples.rs"]
mod samples;
#[path = "../support/mod.rs"]
mod support;

use std::{
    collections::BTreeMap,
    fs,
    hint::black_box,
    process::{Command, ExitCode, Stdio},
};

use serde::{Deserialize, Serialize};
use support::results::table;

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/guard/baseline.json");
/// How much worse a path may get, in percent. Random bytes change less than one.
const TOLERANCE: f64 = 3.0;
/// Told to the program under valgrind.
const RUN: &str = "run";

/// A path, what it takes to go it, and how often it is gone at least.
struct Path {
    name: &'static str,
    times: u64,
    /// Makes what is needed, and goes the path so many times.
    go: fn(u64),
}

const PATHS: [Path; 5] = [
    Path {
        name: "filter: parse, ask, answer",
        times: 500,
        go: |times| {
            let (user, asked) = (samples::user(), samples::resource(&samples::user()));
            for _ in 0..times {
                let filter = samples::filter(black_box(samples::FILTER));
                assert!(filter.matches(&asked));
                black_box(samples::answer(&user));
            }
        },
    },
    Path {
        name: "PATCH: read, apply, check",
        times: 500,
        go: |times| {
            let user = samples::resource(&samples::user());
            for _ in 0..times {
                black_box(samples::patched(black_box(&user)));
            }
        },
    },
    Path {
        name: "token: check, open the scimsession",
        times: 200,
        go: |times| {
            let opening = samples::Opening::new();
            for _ in 0..times {
                black_box(black_box(&opening).open());
            }
        },
    },
    Path {
        name: "session: seal, open, sign",
        times: 1000,
        go: |times| {
            let (session, body) = (samples::session(), samples::body());
            for _ in 0..times {
                black_box(samples::exchange(&session, black_box(&body)));
            }
        },
    },
    Path {
        name: "group key: wrap for a member",
        times: 100,
        go: |times| {
            let (member, group) = (samples::public_key(), samples::group_key());
            for _ in 0..times {
                black_box(member.wrap(black_box(&group)).unwrap());
            }
        },
    },
];

/// What was counted, and by what: counts of another compiler or processor say nothing.
#[derive(Serialize, Deserialize)]
struct Counted {
    compiler: String,
    target: String,
    valgrind: String,
    /// What the processor has of that for which there are several ways to compute something.
    processor: String,
    /// By path, for going it once.
    instructions: BTreeMap<String, u64>,
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip_while(|word| word != RUN).skip(1);
    if let (Some(path), Some(times)) = (words.next(), words.next()) {
        let path: usize = path.parse().unwrap();
        (PATHS[path].go)(times.parse().unwrap());
        return ExitCode::SUCCESS;
    }
    let Some(valgrind) = said("valgrind", &["--version"]) else {
        println!("SKIPPED: instruction counts. They need valgrind.");
        return ExitCode::SUCCESS;
    };
    let now = count(valgrind);
    if std::env::var_os("UPDATE").is_some() {
        let text = serde_json::to_string_pretty(&now).unwrap();
        fs::write(BASELINE, text + "\n").unwrap();
        println!("benches/guard/baseline.json is written: commit it with what changed the counts.");
        return ExitCode::SUCCESS;
    }
    let Ok(text) = fs::read_to_string(BASELINE) else {
        println!("There is no benches/guard/baseline.json: UPDATE=1 writes one.");
        return ExitCode::FAILURE;
    };
    compare(&serde_json::from_str(&text).unwrap(), &now)
}

fn count(valgrind: String) -> Counted {
    let version = said("rustc", &["-vV"]).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let instructions = PATHS.iter().enumerate().map(|(at, path)| {
        // What it takes to get there is in both.
        let more = instructions(at, 2 * path.times) - instructions(at, path.times);
        (path.name.to_owned(), more / path.times)
    });
    Counted {
        compiler: version.lines().next().unwrap().to_owned(),
        target: host.unwrap().to_owned(),
        valgrind,
        processor: processor(),
        instructions: instructions.collect(),
    }
}

/// Instructions of a whole process that goes the path so many times.
fn instructions(path: usize, times: u64) -> u64 {
    let output = Command::new("valgrind")
        .args([
            "--tool=cachegrind",
            "--cache-sim=no",
            "--cachegrind-out-file=/dev/null",
        ])
        .arg(std::env::current_exe().unwrap())
        .args([RUN, &path.to_string(), &times.to_string()])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    // ==1234== I   refs:      1,234,567
    let line = log.lines().find(|line| line.contains("refs:")).unwrap();
    let figure = line.rsplit(' ').next().unwrap().replace(',', "");
    figure.parse().unwrap()
}

/// What a program says, if it is there.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// The extensions that cryptography and copying look for and valgrind passes on.
fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = text.lines().find(|line| line.starts_with("flags"));
    let mut known: Vec<&str> = flags.unwrap_or_default().split_whitespace().collect();
    known.retain(|flag| ["aes", "avx", "avx2", "bmi2", "fma", "pclmulqdq", "ssse3"].contains(flag));
    known.join(" ")
}

fn compare(before: &Counted, now: &Counted) -> ExitCode {
    let (mut worse, mut better) = (false, false);
    let mut rows = Vec::new();
    for (name, &count) in &now.instructions {
        let Some(&known) = before.instructions.get(name) else {
            worse = true;
            rows.push(vec![
                name.clone(),
                "none".into(),
                count.to_string(),
                "new".into(),
            ]);
            continue;
        };
        #[allow(clippy::cast_precision_loss)]
        let change = (count as f64 / known as f64 - 1.0) * 100.0;
        let verdict = match change {
            _ if change > TOLERANCE => "WORSE",
            _ if change < -TOLERANCE => "better",
            _ => "",
        };
        worse |= change > TOLERANCE;
        better |= change < -TOLERANCE;
        rows.push(vec![
            name.clone(),
            known.to_string(),
            count.to_string(),
            format!("{change:+.2} % {verdict}").trim_end().to_owned(),
        ]);
    }
    print!(
        "{}",
        table(&["instructions", "baseline", "now", "change"], &rows)
    );
    let others: Vec<String> = [
        ("compiler", &before.compiler, &now.compiler),
        ("target", &before.target, &now.target),
        ("valgrind", &before.valgrind, &now.valgrind),
        ("processor", &before.processor, &now.processor),
    ]
    .iter()
    .filter(|(_, before, now)| before != now)
    .map(|(what, before, now)| format!("{what}: {before}; here: {now}"))
    .collect();
    if !others.is_empty() {
        println!(
            "\nNothing to compare: the baseline is of another machine.\n{}",
            others.join("\n")
        );
        return ExitCode::SUCCESS;
    }
    if worse {
        println!(
            "\nA path takes over {TOLERANCE} % more instructions than before. If that is worth it, \
             UPDATE=1 writes a new baseline: commit it, and say why."
        );
        return ExitCode::FAILURE;
    }
    if better {
        println!("\nA path got better: UPDATE=1 writes the new baseline, commit it.");
    }
    ExitCode::SUCCESS
}
