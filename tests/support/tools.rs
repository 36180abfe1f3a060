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
    let read = |path: &Path| fs::read(path).ok();
    let wanted = read(&root().join("tests/support/requirements.txt"));
    if read(&directory().join("installed")) == wanted {
        return Some(directory().join("venv/bin/python"));
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
