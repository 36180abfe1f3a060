//! The command line.

use std::{
    collections::HashMap,
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::{
    account::{self, op_cli::Program, users_api::NotTaken},
    bridge::{Error as BridgeError, NotDecided},
    config::{Config, Invalid, SETTINGS, Setting},
    credentials::{BearerToken, Error as NotOpened, NoSweepKey, StoreError, Stores, SweepKey},
    function::environment,
    log, outbound, state,
};

mod administrator;
mod audit;
mod bridge;
mod confirmations;
mod credentials;
mod demo;
mod dev;
mod doctor;
mod files;
mod groups;
mod guard;
mod instructions;
mod kept;
mod preview;
mod sandbox;
mod serve;
mod setup;
mod sign_in;
mod terminal;
mod token;
mod users_api;

/// SCIM 2.0 on one side, a 1Password account on the other.
#[derive(Parser)]
#[command(name = "scim-bridge", version, after_help = format!("{STATUSES}\n\n{}", settings_help()))]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one of it")]
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
    /// Make credentials for the bridge, and seal them.
    ///
    /// For the account server that the bridge brings along an administrator signs in, and a
    /// Provision Manager is made. For an account at 1Password.com (--connector op) the bridge's own
    /// user signs in with 1Password's command line, and nothing is made in the account.
    ///
    /// May be run again at any time: what is half done is finished, what is done is checked.
    #[command(after_help = setup::EXAMPLES)]
    Setup(setup::Setup),
    /// The sealed credentials: copy them to a cloud, look at them, try them.
    #[command(subcommand, after_help = STATUSES)]
    Credentials(credentials::Command),
    /// Bearer tokens: add, list, revoke, rotate.
    #[command(subcommand, after_help = STATUSES)]
    Token(token::Command),
    /// The guard against a provider that removes too many people.
    #[command(subcommand, after_help = STATUSES)]
    Guard(guard::Command),
    /// People who have signed up: who waits and who is held, release, reject.
    #[command(subcommand, after_help = STATUSES)]
    Confirmations(confirmations::Command),
    /// Groups of the account that providers see and change: list, manage, unmanage.
    #[command(subcommand, after_help = STATUSES)]
    Groups(groups::Command),
    /// Show what was done, refused or failed, and who asked for it; the newest last.
    Audit(audit::Audit),
    /// Show what a bridge that only observes (SCIM_BRIDGE_MODE=observe) would have done.
    Preview(preview::Preview),
    /// Look at a bridge from outside, as an identity provider does: what works, what does not, and
    /// what to do.
    #[command(after_help = doctor::help())]
    Doctor(doctor::Doctor),
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

/// What ends the program early: one sentence for the person at the terminal, and a status for
/// scripts.
struct Failure {
    reason: String,
    status: Status,
}

/// The program's exit statuses besides 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// None of the others.
    Failed = 1,
    /// Wrong usage; the command line's own too.
    Usage = 2,
    /// A secret opens nothing, or somebody refuses it.
    Refused = 3,
    /// What it is about does not exist.
    Missing = 4,
    /// Out of reach at the moment: try again.
    Unreachable = 5,
}

/// What secrets begin with.
const SECRET_PREFIXES: [&str; 2] = [BearerToken::PREFIX, SweepKey::PREFIX];

const STATUSES: &str = "\
Exit status:
  0  done
  1  failed; the reason is on standard error
  2  wrong usage
  3  a token, key or password is mistyped, unknown, expired or refused
  4  what was asked for (a scimsession, token, account, person or group) does not exist
  5  out of reach at the moment: try again";

impl Failure {
    fn usage(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            status: Status::Usage,
        }
    }

    fn failed(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            status: Status::Failed,
        }
    }
}

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            status: status(&error),
            reason: reason(&error),
        }
    }
}

/// An error as a sentence. What the bridge keeps from providers an administrator may know.
fn reason(error: &(dyn Error + 'static)) -> String {
    match error.downcast_ref::<BridgeError>() {
        Some(error) => {
            let inside = error.inside.as_deref();
            let inside = inside.map_or_else(String::new, |inside| format!(" ({inside})"));
            format!("{}{inside}", error.outside.detail)
        }
        None => error.to_string(),
    }
}

fn status(error: &(dyn Error + 'static)) -> Status {
    if let Some(error) = error.downcast_ref::<NotOpened>() {
        return match error {
            NotOpened::NotARecipient
            | NotOpened::Expired
            | NotOpened::OutOfScope
            | NotOpened::Mistyped(_) => Status::Refused,
            NotOpened::Store(error) => status(error),
            _ => Status::Failed,
        };
    }
    if error.is::<NoSweepKey>() {
        return Status::Refused;
    }
    if let Some(error) = error.downcast_ref::<StoreError>() {
        return match error {
            StoreError::Missing { .. } => Status::Missing,
            StoreError::Denied { .. } => Status::Refused,
            StoreError::Unreachable { .. } => Status::Unreachable,
            StoreError::Unusable { .. } => Status::Failed,
        };
    }
    if let Some(error) = error.downcast_ref::<setup::NotSetUp>() {
        use setup::NotSetUp as E;
        return match error {
            E::SecretKey
            | E::Refused
            | E::SecondFactor
            | E::Inactive(_)
            | E::NotAdministrator { .. } => Status::Refused,
            E::OutOfReach(_) => Status::Unreachable,
            E::Account(error) => status(error),
            _ => Status::Failed,
        };
    }
    if let Some(error) = error.downcast_ref::<NotTaken>() {
        return match error {
            NotTaken::Refused(_) => Status::Refused,
            NotTaken::OutOfReach(_) => Status::Unreachable,
        };
    }
    if let Some(error) = error.downcast_ref::<NotDecided>() {
        return match error {
            NotDecided::Nobody(_) | NotDecided::NotHeld(_) => Status::Missing,
            NotDecided::Ambiguous(_) => Status::Usage,
            NotDecided::UnderWay(_) => Status::Unreachable,
            NotDecided::OutOfReach { .. } => Status::Failed,
            NotDecided::State(error) => status(error),
        };
    }
    match error.downcast_ref::<state::Error>() {
        Some(state::Error::Unavailable(_)) => return Status::Unreachable,
        Some(state::Error::Refused(_)) => return Status::Refused,
        _ => {}
    }
    if let Some(error) = error.downcast_ref::<BridgeError>() {
        return match error.outside.status {
            404 => Status::Missing,
            429 | 503 => Status::Unreachable,
            _ => Status::Failed,
        };
    }
    match error.downcast_ref::<account::Error>() {
        Some(account::Error::CredentialsRefused(_)) => Status::Refused,
        Some(account::Error::NotFound(_)) => Status::Missing,
        Some(account::Error::Unavailable { .. } | account::Error::Busy { .. }) => {
            Status::Unreachable
        }
        _ => Status::Failed,
    }
}

/// Runs the command line. `--help` lists the exit statuses.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    start_log();
    // One thread for all that waits; what computes or blocks has threads of its own.
    let runtime = match tokio::runtime::Builder::new_current_thread()
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
            } => dev::run(&dir, account.number()?, &flags).await,
            Command::Setup(setup) => setup::run(setup).await,
            Command::Credentials(command) => credentials::run(command).await,
            Command::Token(command) => token::run(command).await,
            Command::Guard(command) => guard::run(command).await,
            Command::Confirmations(command) => confirmations::run(command).await,
            Command::Groups(command) => groups::run(command).await,
            Command::Audit(audit) => audit::run(audit).await,
            Command::Preview(preview) => preview::run(preview).await,
            Command::Doctor(doctor) => doctor::run(doctor).await,
            Command::Sandbox(command) => sandbox::run(command).await,
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

/// Says how the program is used. What was given is repeated, unless it may be a secret.
fn misused(error: &clap::Error) -> ExitCode {
    let text = error.to_string();
    if SECRET_PREFIXES.iter().any(|prefix| text.contains(prefix)) {
        return fail(&Failure::usage(
            "an argument is a secret itself: secrets belong in no argument; see --help",
        ));
    }
    // Nothing is to be done about a terminal that is gone.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Status::Usage as u8))
}

#[allow(clippy::print_stderr)]
fn fail(Failure { reason, status }: &Failure) -> ExitCode {
    eprintln!("scim-bridge: {reason}");
    ExitCode::from(*status as u8)
}

/// `SCIM_BRIDGE_LOG` chooses the lines, `SCIM_BRIDGE_LOG_FORMAT=json` makes each one JSON object.
fn start_log() {
    let form = match environment("SCIM_BRIDGE_LOG_FORMAT").as_deref() {
        Some("json") => log::Form::Json,
        _ => log::Form::Text,
    };
    log::start(
        environment("SCIM_BRIDGE_LOG").as_deref(),
        form,
        log::To::StandardError,
    );
}

/// 1Password's command line, for credentials that need it.
fn op() -> Program {
    environment("SCIM_BRIDGE_OP")
        .map(Program::new)
        .unwrap_or_default()
}

/// The HTTP client of a command.
fn client() -> Result<reqwest::Client, Failure> {
    Ok(outbound::client(extra_roots()?.as_deref())?)
}

/// Certificate authorities that a command trusts beside the public ones, in PEM.
fn extra_roots() -> Result<Option<String>, Failure> {
    let path = environment("SCIM_BRIDGE_ROOT_CERTIFICATES").map(PathBuf::from);
    read_roots(path.as_deref())
}

/// The HTTP client, with further certificate authorities to trust.
fn client_trusting(roots: Option<&Path>) -> Result<reqwest::Client, Failure> {
    Ok(outbound::client(read_roots(roots)?.as_deref())?)
}

fn read_roots(path: Option<&Path>) -> Result<Option<String>, Failure> {
    let pem = path.map(|path| {
        std::fs::read_to_string(path).map_err(|error| {
            Failure::failed(format!(
                "SCIM_BRIDGE_ROOT_CERTIFICATES {}: {error}",
                path.display()
            ))
        })
    });
    pem.transpose()
}

/// The places that keep secrets, as this person or machine may use them.
fn stores() -> Result<Stores, Failure> {
    Ok(Stores::new(client()?, environment))
}

fn settings_help() -> String {
    let mut help = String::from("Settings (environment variables):");
    let width = SETTINGS.iter().map(|s| s.name.len()).max().unwrap_or(0);
    for setting in SETTINGS {
        let Setting {
            name,
            meaning,
            values,
            default,
        } = setting;
        help += &format!("\n  {name:width$}  {meaning}: {values} ({default})");
    }
    help
}
