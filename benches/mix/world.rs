//! An account server and a bridge, as two processes.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    load::Target,
    support::process::{Process, free_port},
};

/// Where seeds and runs are.
pub fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The program under measurement.
pub fn program() -> PathBuf {
    let path = std::env::var_os("SCIM_BRIDGE").expect("SCIM_BRIDGE is the path of scim-bridge");
    PathBuf::from(path)
        .canonicalize()
        .expect("SCIM_BRIDGE leads to a program")
}

/// Both processes; ended when dropped.
pub struct World {
    pub account: Process,
    pub bridge: Process,
    port: u16,
    token: String,
    dir: PathBuf,
    /// Removed in the end.
    _copy: Option<TempDir>,
}

impl World {
    /// Starts both with what is in the directory; the account server makes an account if there is
    /// none. Settings are the defaults but for the limits, which a provider would wait for.
    pub fn start(dir: &Path, account_port: u16, settings: &[(&str, &str)]) -> Self {
        let command = || {
            let mut command = Command::new(program());
            command.env_clear();
            command
        };
        let mut account = command();
        account.args(["sandbox", "serve", "--dir"]).arg(dir);
        account.env("SCIM_BRIDGE_SANDBOX_PORT", account_port.to_string());
        let mut account = Process::start(&mut account);
        account.until_listening(account_port);
        // The last file of a new account.
        while !dir.join("scimsession").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }

        let port = free_port();
        let mut bridge = command();
        bridge.args(["serve", "--port", &port.to_string()]);
        bridge.env("SCIM_BRIDGE_SCIMSESSION", dir.join("scimsession"));
        bridge.env("SCIM_BRIDGE_SWEEP_KEY", dir.join("sweep-key"));
        bridge.env("SCIM_BRIDGE_STATE", dir.join("state.db"));
        bridge.env("SCIM_BRIDGE_RATE_LIMIT", "0");
        bridge.env("SCIM_BRIDGE_GUARD_PEOPLE", "1000000");
        bridge.env("SCIM_BRIDGE_LOG", "info");
        bridge.envs(settings.iter().copied());
        // It writes its log there.
        bridge.stderr(Stdio::null());
        let mut bridge = Process::start(&mut bridge);
        bridge.until_listening(port);
        let token = fs::read_to_string(dir.join("bearer-token")).unwrap();
        Self {
            account,
            bridge,
            port,
            token: token.trim().to_owned(),
            dir: dir.to_owned(),
            _copy: None,
        }
    }

    /// Keeps the directory for as long as both run.
    pub fn in_copy(self, dir: TempDir) -> Self {
        Self {
            _copy: Some(dir),
            ..self
        }
    }

    /// The bridge, with nobody known yet.
    pub fn target(&self) -> Target {
        Target {
            address: (Ipv4Addr::LOCALHOST, self.port).into(),
            base: "/scim/v2",
            token: self.token.clone(),
            ids: Vec::new(),
            group: String::new(),
            looks_up: true,
        }
    }

    /// Where its files are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Processor time of both by now.
    pub fn cpu(&self) -> Duration {
        self.bridge.cpu() + self.account.cpu()
    }
}
