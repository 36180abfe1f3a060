//! The command line: `scim-bridge serve`, `dev` and `sandbox`.

use std::{collections::HashMap, fmt, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::config::{Config, Invalid, SETTINGS};

mod demo;
mod dev;
mod files;
mod instructions;
mod sandbox;
mod serve;

/// SCIM 2.0 on one side, a 1Password account on the other.
#[derive(Parser)]
#[command(name = "scim-bridge", version, after_help = settings_help())]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the bridge alone, with credentials and settings that exist.
    #[command(after_help = settings_help())]
    Serve(Flags),
    /// Run a demo account and a bridge to it, both on this machine.
    #[command(after_help = settings_help())]
    Dev {
        /// Directory that keeps the account, its credentials and the bridge's state.
        #[arg(long, default_value = ".local")]
        dir: PathBuf,
        #[command(flatten)]
        account: sandbox::Port,
        #[command(flatten)]
        flags: Flags,
    },
    /// The account server alone, and what people do in it.
    #[command(subcommand)]
    Sandbox(sandbox::Command),
}

/// Settings that are often given on the command line; they win over the environment.
#[derive(clap::Args)]
struct Flags {
    /// Port of the bridge [SCIM_BRIDGE_PORT]
    #[arg(long)]
    port: Option<u16>,
    /// Seconds between sign-up and confirmation [SCIM_BRIDGE_CONFIRMATION_DELAY]
    #[arg(long)]
    confirmation_delay: Option<u32>,
}

impl Flags {
    /// All settings, with `defaults` for what neither flag nor environment says.
    fn config(&self, defaults: HashMap<&str, String>) -> Result<Config, Invalid> {
        let flags = HashMap::from([
            ("SCIM_BRIDGE_PORT", self.port.map(|port| port.to_string())),
            (
                "SCIM_BRIDGE_CONFIRMATION_DELAY",
                self.confirmation_delay.map(|delay| delay.to_string()),
            ),
        ]);
        Config::read(|name| {
            let flag = flags.get(name).cloned().flatten();
            flag.or_else(|| environment(name))
                .or_else(|| defaults.get(name).cloned())
        })
    }
}

/// An environment variable; an empty one counts as none.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// What ends the program early: one sentence for the person at the terminal.
struct Failure(String);

impl<E: fmt::Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Runs the command line. Exit status 0: done; 1: failed, with the reason on standard error;
/// 2: wrong usage.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    start_log();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Serve(flags) => serve::run(&flags).await,
            Command::Dev {
                dir,
                account,
                flags,
            } => dev::run(&dir, account.sandbox_port, &flags).await,
            Command::Sandbox(command) => sandbox::run(command).await,
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

#[allow(clippy::print_stderr)]
fn fail(Failure(reason): &Failure) -> ExitCode {
    eprintln!("scim-bridge: {reason}");
    ExitCode::FAILURE
}

/// Log lines go to standard error; `SCIM_BRIDGE_LOG` chooses which (`debug`, or a filter such as
/// `scim_bridge::http=debug`), `SCIM_BRIDGE_LOG_FORMAT=json` makes each one JSON object.
fn start_log() {
    let filter = environment("SCIM_BRIDGE_LOG").unwrap_or_else(|| "info".to_owned());
    let log = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_target(false);
    if environment("SCIM_BRIDGE_LOG_FORMAT").is_some_and(|format| format == "json") {
        log.json().init();
    } else {
        log.with_ansi(false).init();
    }
}

fn settings_help() -> String {
    let mut help = String::from("Settings (environment variables):\n");
    let width = SETTINGS.iter().map(|s| s.name.len()).max().unwrap_or(0);
    for setting in SETTINGS {
        help += &format!("  {:width$}  {}\n", setting.name, setting.meaning);
    }
    help += &format!(
        "  {:width$}  {}\n",
        "SCIM_BRIDGE_LOG", "which log lines (info)"
    );
    help += &format!(
        "  {:width$}  {}",
        "SCIM_BRIDGE_LOG_FORMAT", "text or json (text)"
    );
    help
}
