//! What a figure was measured on.

use std::{fs, process::Command};

use time::{OffsetDateTime, format_description::well_known::Iso8601};

/// One line: when, which commit, which processor, how many of it, how much memory, which kernel.
pub fn facts() -> String {
    let today = OffsetDateTime::now_utc().date();
    let today = today.format(&Iso8601::DATE).unwrap();
    let processor = first_value("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into());
    let cores = std::thread::available_parallelism().unwrap();
    let memory = first_value("/proc/meminfo", "MemTotal").unwrap_or_default();
    let memory: f64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{today}, commit {}, {processor}, {cores} cores, {:.0} GiB, Linux {}",
        commit(),
        memory / 1024.0 / 1024.0,
        kernel.trim(),
    )
}

/// What was built, and whether it was changed since.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let Some(hash) = git(&["rev-parse", "--short", "HEAD"]) else {
        return "unknown".to_owned();
    };
    // The results themselves change with each run.
    let changed = git(&["status", "--porcelain", "--", ".", ":!benches/RESULTS.md"]);
    match changed.is_none_or(|list| list.is_empty()) {
        true => hash,
        false => format!("{hash} and changes"),
    }
}

fn first_value(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
