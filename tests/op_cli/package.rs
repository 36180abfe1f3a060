//! What `infra/package.py` says of a command line that it is given to pack. It looks before it
//! builds, so that nothing is built here.

use std::{fs, process::Command};

use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    vec![Trial::test("what_cannot_run_is_not_packed", || {
        refusals();
        Ok(())
    })]
}

/// The beginning of a Linux program of 64 bits for this machine (`e_machine`), which this loader
/// loads.
fn program(machine: u16, loader: Option<&str>, more: &str) -> Vec<u8> {
    const HEADER: usize = 64;
    const PART: usize = 56;
    let loader = loader.map(|path| format!("{path}\0")).unwrap_or_default();
    let mut file = vec![0; HEADER + PART];
    file[..6].copy_from_slice(b"\x7fELF\x02\x01");
    file[18..20].copy_from_slice(&machine.to_le_bytes());
    file[32..40].copy_from_slice(&(HEADER as u64).to_le_bytes());
    file[54..56].copy_from_slice(&(PART as u16).to_le_bytes());
    file[56..58].copy_from_slice(&u16::from(!loader.is_empty()).to_le_bytes());
    // PT_INTERP, its place and its length.
    file[64..68].copy_from_slice(&3u32.to_le_bytes());
    file[72..80].copy_from_slice(&((HEADER + PART) as u64).to_le_bytes());
    file[96..104].copy_from_slice(&(loader.len() as u64).to_le_bytes());
    file.extend(loader.into_bytes());
    file.extend(more.bytes());
    file
}

fn refusals() {
    const ARM: u16 = 183;
    const GLIBC: Option<&str> = Some("/lib/ld-linux-aarch64.so.1");
    let dir = tempfile::tempdir().unwrap();
    let op = dir.path().join("op");
    let fine = program(ARM, GLIBC, "GLIBC_2.17");
    for (what, file, sha256, said) in [
        ("no file", None, None, "cannot be read"),
        ("another file", Some(&fine[..]), Some("00"), "OP_SHA256"),
        ("a text", Some(&b"#!/bin/sh"[..]), None, "no Linux program"),
        ("half a header", Some(&fine[..60]), None, "no Linux program"),
        (
            "another machine's",
            Some(&program(62, None, "")),
            None,
            "no Linux program for arm64",
        ),
        (
            "another loader's",
            Some(&program(ARM, Some("/lib/ld-musl-aarch64.so.1"), "")),
            None,
            "/lib/ld-musl-aarch64.so.1",
        ),
        (
            "one that is too new",
            Some(&program(ARM, GLIBC, "GLIBC_2.17 GLIBC_2.99")),
            None,
            "glibc 2.99",
        ),
    ] {
        let _ = fs::remove_file(&op);
        if let Some(file) = file {
            fs::write(&op, file).unwrap();
        }
        let mut command = Command::new("python3");
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command.args(["infra/package.py", "aws", "arm64", "--op"]);
        command.arg(&op);
        if let Some(sha256) = sha256 {
            command.args(["--op-sha256", sha256]);
        }
        let Ok(done) = command.output() else {
            eprintln!("SKIPPED: what infra/package.py refuses. It needs Python 3.");
            return;
        };
        let error = String::from_utf8_lossy(&done.stderr);
        assert!(!done.status.success(), "{what}");
        assert!(error.contains(said), "{what}: {error}");
        assert!(!error.contains("Traceback"), "{what}: {error}");
    }
}
