//! `scim-bridge sandbox`: the account server alone, and what people do in it.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use zeroize::Zeroizing;

use super::{
    Failure, demo, environment,
    files::{self, Layout},
};
use crate::{
    credentials::ScimSession,
    http,
    onepassword::secret_text::SecretText,
    outbound,
    sandbox::person::{self, Kit, Report},
};

#[derive(Subcommand)]
pub enum Command {
    /// Run the account server alone, to develop an account client against.
    Serve {
        /// Directory that keeps the account and its credentials; made if there is none.
        #[arg(long, default_value = ".local")]
        dir: PathBuf,
        #[command(flatten)]
        port: Port,
        /// Make an account with nobody in it but its owner: a place to try `scim-bridge setup` in.
        #[arg(long)]
        owner_only: bool,
    },
    /// Accept the invitation of somebody: make their Secret Key, their keys, and sign them up.
    ///
    /// The password is read from SCIM_BRIDGE_SANDBOX_PASSWORD, or generated. Password and Secret
    /// Key are kept in the directory, for `sign-in`.
    SignUp(Person),
    /// Sign in as somebody, and show which groups' keys open for them.
    SignIn {
        #[command(flatten)]
        person: Person,
        /// Consent to a change of the e-mail address that waits.
        #[arg(long)]
        accept_email: bool,
    },
}

#[derive(clap::Args)]
pub struct Port {
    /// Port of the account server, when the account is made (3003) [SCIM_BRIDGE_SANDBOX_PORT].
    #[arg(long)]
    sandbox_port: Option<u16>,
}

impl Port {
    /// The port, whoever says it.
    pub fn number(&self) -> Result<Option<u16>, Failure> {
        let environment = || environment("SCIM_BRIDGE_SANDBOX_PORT").map(|text| text.parse());
        match self.sandbox_port {
            Some(port) => Ok(Some(port)),
            None => environment()
                .transpose()
                .map_err(|_| Failure::usage("SCIM_BRIDGE_SANDBOX_PORT is no port")),
        }
    }
}

#[derive(clap::Args)]
pub struct Person {
    /// The person's e-mail address.
    email: String,
    /// The directory of `scim-bridge dev`.
    #[arg(long, default_value = ".local")]
    dir: PathBuf,
}

/// Does what somebody wants to do in the account.
pub async fn run(command: Command) -> Result<(), Failure> {
    let client = outbound::client(None)?;
    match command {
        Command::Serve {
            dir,
            port,
            owner_only,
        } => {
            let account = demo::Account::open(&Layout(&dir), port.number()?, owner_only).await?;
            print(&format!(
                "The account server listens on http://{0}; its mailbox is http://{0}/sandbox/.",
                account.address
            ))?;
            tokio::select! {
                served = account.serve() => served?,
                () = http::told_to_stop() => {}
            }
        }
        Command::SignUp(Person { email, dir }) => {
            let origin = origin(&dir)?;
            let password = match environment("SCIM_BRIDGE_SANDBOX_PASSWORD") {
                Some(given) => SecretText::new(given),
                None => SecretText::new(files::password()?.to_string()),
            };
            let kit = person::sign_up(&client, &origin, &email, password).await?;
            let path = Layout(&dir).keep_kit(&kit)?;
            print(&format!(
                "{email} has signed up and waits to be confirmed.\nSecret Key and password are \
                 in {}.",
                path.display()
            ))?;
        }
        Command::SignIn {
            person: Person { email, dir },
            accept_email,
        } => {
            let origin = origin(&dir)?;
            let mut kit = kit(&dir, &email)?;
            if accept_email {
                kit = person::accept_email(&client, &origin, &kit).await?;
                Layout(&dir).keep_kit(&kit)?;
                print(&format!("The address is {} from now on.", kit.email))?;
            }
            let report = person::sign_in(&client, &origin, &kit).await?;
            print(&shown(&report))?;
        }
    }
    Ok(())
}

fn origin(dir: &Path) -> Result<String, Failure> {
    let path = Layout(dir).scimsession();
    let file = std::fs::read_to_string(&path).map_err(|error| {
        Failure::failed(format!(
            "{}: {error}; is this the directory of `scim-bridge dev`?",
            path.display()
        ))
    })?;
    Ok(ScimSession::parse(&file)?.sign_in_address().to_owned())
}

fn kit(dir: &Path, email: &str) -> Result<Kit, Failure> {
    let path = Layout(dir).kit(email);
    let json = std::fs::read_to_string(&path).map_err(|error| {
        Failure::failed(format!(
            "{}: {error}; whoever signed up in the browser can save their kit there",
            path.display()
        ))
    })?;
    Ok(serde_json::from_str(&Zeroizing::new(json))?)
}

fn shown(report: &Report) -> String {
    let mut text = format!("{} is {}.", report.name, report.state);
    if let Some(email) = &report.pending_email {
        text += &format!("\nThe address {email} waits for consent: --accept-email");
    }
    for group in &report.groups {
        let key = match group.opened {
            true => "key opens",
            false => "no key yet",
        };
        text += &format!("\n  {:<24} {key}", group.name);
    }
    text
}

fn print(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}
