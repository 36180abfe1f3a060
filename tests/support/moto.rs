//! AWS's stand-in: one moto server for all tests of a process, which ends with the process.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

struct Moto {
    url: String,
    /// Holds the standard input at whose end the server ends.
    _server: Child,
}

/// The server's URL, or a loud `None` where it is not installed.
pub fn url() -> Option<&'static str> {
    static MOTO: OnceLock<Option<Moto>> = OnceLock::new();
    MOTO.get_or_init(start)
        .as_ref()
        .map(|moto| moto.url.as_str())
}

fn start() -> Option<Moto> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = root.join("target/tools");
    if !tools.join("installed").exists() {
        // Past the test harness, which shows only what failing tests print.
        let _ = std::io::stderr().write_all(
            b"SKIPPED: tests against AWS's stand-in, which is not installed: run make test-tools\n",
        );
        return None;
    }
    let log = tools.join("moto.log");
    let mut server = Command::new(tools.join("venv/bin/python"))
        .arg(root.join("tests/support/run_moto.py"))
        .env_remove("AWS_PROFILE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut port = String::new();
    let stdout = server.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut port).unwrap();
    let port: u16 = (port.trim().parse()).unwrap_or_else(|_| panic!("no moto: see {log:?}"));
    Some(Moto {
        url: format!("http://127.0.0.1:{port}"),
        _server: server,
    })
}
