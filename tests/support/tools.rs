//! What `make test-tools` installs beside Rust.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where the tools are, and their logs.
pub fn directory() -> PathBuf {
    root().join("target/tools")
}

/// The Python that has the packages of `requirements.txt`, or a loud `None`.
pub fn python(wanted_by: &str) -> Option<PathBuf> {
    installed("installed", "requirements.txt", wanted_by)?;
    Some(directory().join("venv/bin/python"))
}

/// Where the packages of `package.json` are, or a loud `None`.
#[allow(dead_code, reason = "not every test binary has tools in JavaScript")]
pub fn node_modules(wanted_by: &str) -> Option<PathBuf> {
    installed("node/installed", "package.json", wanted_by)?;
    Some(directory().join("node/node_modules"))
}

/// Whether what `wanted` lists is installed: the stamp is a copy of the list.
fn installed(stamp: &str, wanted: &str, wanted_by: &str) -> Option<()> {
    let read = |path: &Path| fs::read(path).ok();
    if read(&directory().join(stamp)) == read(&root().join("tests/support").join(wanted)) {
        return Some(());
    }
    skipped(&format!(
        "{wanted_by}, which is not installed: run make test-tools"
    ));
    None
}

/// Says loudly what is not tested here, and why.
pub fn skipped(what: &str) {
    // Past the test harness, which shows only what failing tests print.
    let _ = std::io::stderr().write_all(format!("SKIPPED: {what}\n").as_bytes());
}
