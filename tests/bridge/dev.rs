//! `scim-bridge dev`, as a new user meets it: the printed lines, pasted into a shell.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_scim-bridge");

struct Dev {
    process: Child,
    printed: String,
}

impl Dev {
    /// Starts it and reads what it prints.
    fn start(dir: &Path, account_port: Option<u16>) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["dev", "--port", "0", "--confirmation-delay", "1", "--dir"]);
        command
            .arg(dir)
            .env("SCIM_BRIDGE_CONFIRMATION_INTERVAL", "1");
        if let Some(port) = account_port {
            command.env("SCIM_BRIDGE_SANDBOX_PORT", port.to_string());
        }
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut printed = String::new();
        for line in BufReader::new(process.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            printed += &line;
            printed += "\n";
            if line.starts_with("Stop with") {
                break;
            }
        }
        Self { process, printed }
    }

    /// The lines of one step: those to paste behind its number.
    fn step(&self, number: usize) -> String {
        let lines = self
            .printed
            .lines()
            .filter_map(|line| line.strip_prefix("  "));
        let heading = |line: &&str| line.starts_with(&format!("# {number}."));
        let lines = lines.skip_while(|line| !heading(line)).skip(1);
        let step: Vec<&str> = lines
            .skip_while(|line| line.starts_with('#'))
            .take_while(|line| !line.starts_with('#') && !line.is_empty())
            .collect();
        assert!(!step.is_empty(), "no step {number} in:\n{}", self.printed);
        step.join("\n")
    }

    /// The lines that the steps build on.
    fn preparation(&self) -> String {
        let lines = self.printed.lines().map(str::trim);
        let lines: Vec<&str> = lines
            .skip_while(|line| !line.starts_with("TOKEN="))
            .take_while(|line| !line.is_empty())
            .collect();
        lines.join("\n")
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs lines as a shell would, and returns what it shows, errors too.
fn paste(lines: &str) -> String {
    let script = format!("exec 2>&1\n{lines}\n true");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_printed_lines_tell_the_whole_story() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("SKIPPED: curl is not installed, so nothing can be pasted");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // A space, as home directories have them.
    let dir = dir.path().join("my account");
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let dev = Dev::start(&dir, Some(port));

    let preparation = dev.preparation();
    let created = paste(&format!("{preparation}\n{}", dev.step(1)));
    let id = |who: &str| {
        let line = created
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{who} is ")));
        line.unwrap_or_else(|| panic!("no {who} in {created}"))
            .to_owned()
    };
    let (ann, finance) = (id("Ann"), id("Finance"));
    assert_eq!((ann.len(), finance.len()), (26, 26), "{created}");
    assert!(
        created.contains(&format!(r#""value":"{ann}""#)),
        "{created}"
    );

    let signed_up = paste(&dev.step(2));
    assert!(signed_up.contains("waits to be confirmed"), "{signed_up}");
    let sign_in = dev.step(3);
    let started = Instant::now();
    let shown = loop {
        let shown = paste(&sign_in);
        if shown.contains("Finance") && shown.contains("opens") {
            break shown;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{shown}");
        std::thread::sleep(Duration::from_millis(200));
    };
    assert!(shown.contains("ACTIVE"), "{shown}");

    let comes_and_goes = paste(&format!("{preparation}\nANN={ann}\n{}", dev.step(4)));
    let told: Vec<&str> = comes_and_goes.lines().collect();
    assert!(told[0].contains(r#""active":false"#), "{comes_and_goes}");
    assert!(told[1].contains("suspended"), "{comes_and_goes}");
    assert!(told[2].contains(r#""active":true"#), "{comes_and_goes}");
    assert!(comes_and_goes.ends_with("key opens\n"), "{comes_and_goes}");

    // Started again: the same account, the same token, the same people.
    drop(dev);
    let dev = Dev::start(&dir, None);
    let answer = paste(&format!(
        "{}\nscim \"$SCIM/Users?count=0\"",
        dev.preparation()
    ));
    assert!(answer.contains("totalResults"), "{answer}");
    assert!(paste(&sign_in).contains("Finance"));
}

#[test]
fn wrong_usage_is_explained() {
    let run = |arguments: &[&str]| {
        let output = Command::new(PROGRAM).args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), text)
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    let (status, text) = run(&["sandbox", "sign-in", "x@example.com", "--dir", &path]);
    assert_eq!(status, Some(1));
    assert!(text.contains("scim-bridge dev"), "{text}");
    assert_eq!(run(&["serve", "--port", "x"]).0, Some(2));
    let help = Command::new(PROGRAM).arg("--help").output().unwrap();
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for setting in scim_bridge::config::SETTINGS {
        assert!(help.contains(setting.name), "{}", setting.name);
    }
}
