//! `scim-bridge credentials`: the scimsession as a whole.

use std::collections::BTreeSet;

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{
    Failure, client,
    kept::{Kept, Place},
    sign_in::sign_in,
    stores,
    terminal::{Output, progress},
    token, users_api,
};
use crate::{
    account,
    credentials::{
        Access, Connector, Credentials, Opener, ScimSession, Secret, Source, StoreError, SweepKey,
    },
};

#[derive(Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one of it")]
pub enum Command {
    /// Copy the scimsession, and the sweep key if wanted, to where a bridge reads them.
    ///
    /// Each becomes a new version of a secret that exists; a running bridge notices it by itself.
    #[command(after_help = "Examples:\n  \
        scim-bridge credentials push aws --to arn:aws:secretsmanager:eu-west-1:123456789012:secret:scimsession-AbCdEf \\\n      \
        --sweep-key-to arn:aws:secretsmanager:eu-west-1:123456789012:secret:sweep-key-AbCdEf\n  \
        scim-bridge credentials push azure --to https://example.vault.azure.net/secrets/scimsession \\\n      \
        --sweep-key-to https://example.vault.azure.net/secrets/sweep-key\n  \
        scim-bridge credentials push file --to /etc/scim-bridge/scimsession")]
    Push {
        /// What sort of place it goes to.
        #[arg(value_enum)]
        target: Target,
        /// Where the scimsession goes: an ARN, the URL of a Key Vault secret, or a path.
        #[arg(long, value_name = "PLACE")]
        to: Source,
        /// Where the sweep key goes, a secret of its own; it is not copied if absent.
        #[arg(long, value_name = "PLACE")]
        sweep_key_to: Option<Source>,
        /// The sweep key to copy [default: the file sweep-key beside the scimsession].
        #[arg(long, value_name = "PLACE")]
        sweep_key: Option<Source>,
        /// Replace the scimsession there even if somebody can open it who cannot open this one.
        #[arg(long, conflicts_with = "unless_there")]
        force: bool,
        /// Leave a scimsession alone that is there already, and everything with it.
        #[arg(long)]
        unless_there: bool,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
    /// Show what a scimsession says of itself. Needs no secret and shows none; with one at hand that
    /// opens it, it also tells what sort of credentials are inside.
    #[command(after_help = "Example:\n  scim-bridge credentials inspect --json")]
    Inspect {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
    /// Open the scimsession and sign in to the account with it, as the bridge does.
    ///
    /// At 1Password it also looks at the version of `op` and at what the bridge's user may do, and
    /// asks the Users API for a token if there are credentials for it. Nothing is changed.
    #[command(
        after_help = "Example:\n  SCIM_BRIDGE_TOKEN=$(cat .local/bearer-token) scim-bridge credentials check"
    )]
    Check {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
    /// Credentials for 1Password's Users API, which suspends and reactivates faster than op.
    #[command(subcommand)]
    UsersApi(users_api::Command),
}

/// Whether credentials work: opens them and signs in as the bridge does. What that showed, for
/// programs and for people.
pub async fn check(kept: &Kept, opener: &dyn Opener) -> Result<(Value, String), Failure> {
    let credentials = kept.credentials(opener)?;
    let (email, address) = (credentials.email().to_owned(), credentials.origin());
    let users_api = credentials.users_api.clone();
    progress(&format!("signing in at {address}"));
    let signed_in = sign_in(client()?, credentials).await?;
    let mut value = json!({
        "version": kept.version,
        "signInAddress": address,
        "email": email,
        "account": signed_in.identity.account_name,
        "member": signed_in.identity.member.as_str(),
    });
    signed_in.put_into(&mut value);
    let mut text = format!(
        "The scimsession is intact, and {} at {address} lets {email} in.\n{}",
        signed_in.identity.account_name,
        signed_in.more(),
    );
    if let Some(users_api) = users_api {
        value["usersApi"] = users_api::shown(&users_api);
        progress(&format!("asking {} for a token", users_api.server));
        let server = users_api.server;
        account::users_api::check(users_api, client()?).await?;
        text += &format!("\n{server} gives a token.");
    }
    Ok((value, text))
}

/// A sort of place.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// AWS Secrets Manager.
    Aws,
    /// Azure Key Vault.
    Azure,
    /// A file on this machine.
    File,
}

impl Target {
    /// Refuses a place of another sort: a typing mistake in an ARN must not become a file.
    fn accept(self, place: &Source) -> Result<(), Failure> {
        let (sort, wanted) = match place {
            Source::SecretsManager(_) => (Self::Aws, self),
            Source::KeyVault(_) => (Self::Azure, self),
            Source::File(_) => (Self::File, self),
        };
        if sort == wanted {
            return Ok(());
        }
        let right = match wanted {
            Self::Aws => "the ARN of a secret in Secrets Manager",
            Self::Azure => {
                "the URL of a Key Vault secret, https://VAULT.vault.azure.net/secrets/NAME"
            }
            Self::File => "a path",
        };
        Err(Failure::usage(format!("{place} is not {right}")))
    }
}

/// What is inside, for people.
fn contents(credentials: &Credentials) -> String {
    let connector = match credentials.connector {
        Connector::Native(_) => "the bridge's own connector, without a password",
        Connector::OpCli(_) => "op, the account password among them",
    };
    let users_api = match &credentials.users_api {
        Some(one) => format!("{}, application {}", one.server, one.client_id),
        None => "none".to_owned(),
    };
    format!("Inside are credentials for {connector}; for the Users API {users_api}.\n")
}

/// The name that `setup --connector` has for it.
fn connector_name(connector: &Connector) -> &'static str {
    match connector {
        Connector::Native(_) => "native",
        Connector::OpCli(_) => "op",
    }
}

/// Whether an account server's address is this machine's own.
fn is_here(address: &str) -> bool {
    let url = reqwest::Url::parse(address);
    url.is_ok_and(|url| crate::azure_identity::is_loopback(&url))
}

/// Refuses to replace a scimsession for the same device that others can open: tokens were added
/// there, and would be refused. That it brings back some that were revoked there is the same
/// mistake.
fn keeps_everybody(file: &ScimSession, present: &str) -> Result<(), Failure> {
    let Ok(present) = ScimSession::parse(present) else {
        return Ok(());
    };
    let ids = |file: &ScimSession| -> BTreeSet<String> {
        file.recipients()
            .iter()
            .map(|one| one.key_id.clone())
            .collect()
    };
    if present.device_uuid() != file.device_uuid() || ids(&present) == ids(file) {
        return Ok(());
    }
    Err(Failure::failed(
        "the scimsession there is newer or older than this one: other tokens open it; compare them \
         with scim-bridge token list, or replace it with --force",
    ))
}

/// Does what is asked.
pub async fn run(command: Command) -> Result<(), Failure> {
    let now = OffsetDateTime::now_utc();
    match command {
        Command::Push {
            target,
            to,
            sweep_key_to,
            sweep_key,
            force,
            unless_there,
            place,
            output,
        } => {
            for place in [Some(&to), sweep_key_to.as_ref()].into_iter().flatten() {
                target.accept(place)?;
            }
            let stores = stores()?;
            let mut value = json!({ "scimsession": to.to_string() });
            let present = match stores.read(&to).await {
                Ok(present) => Some(present),
                Err(StoreError::Missing { .. }) => None,
                Err(_) if force => None,
                Err(error) => return Err(error.into()),
            };
            if let Some(present) = present.as_ref().filter(|_| unless_there) {
                value["scimsessionVersion"] = present.version.clone().into();
                let text = format!(
                    "There is a scimsession in {to}, version {}: it is left as it is.",
                    present.version
                );
                return Ok(output.show(&value, &text)?);
            }
            let kept = Kept::read(&place).await?;
            if let Some(present) = present.filter(|_| !force) {
                keeps_everybody(&kept.file, &present.text)?;
            }
            if target != Target::File && is_here(kept.file.sign_in_address()) {
                progress(
                    "warning: these credentials are for an account server on this machine, which a \
                     bridge in a cloud cannot reach",
                );
            }
            let mut text = String::new();
            // The key first: a new file without its key would stop the sweep.
            if let Some(key_to) = sweep_key_to {
                let sweep_key = sweep_key.or_else(|| kept.sweep_key_beside());
                let sweep_key = sweep_key.ok_or_else(|| {
                    Failure::usage("there is no file sweep-key beside the scimsession: --sweep-key")
                })?;
                let key = SweepKey::read(&stores.read(&sweep_key).await?.text)?;
                kept.file.recipient(&key, now)?;
                progress(&format!("writing the sweep key to {key_to}"));
                let version = stores.write(&key_to, &key.expose()).await?;
                text += &format!("The sweep key is in {key_to}, version {version}.\n");
                value["sweepKey"] = key_to.to_string().into();
                value["sweepKeyVersion"] = version.into();
            }
            progress(&format!("writing the scimsession to {to}"));
            let version = stores.write(&to, &kept.file.to_json()?).await?;
            text += &format!(
                "The scimsession is in {to}, version {version}.\nA bridge reads it there with \
                 SCIM_BRIDGE_SCIMSESSION={to}"
            );
            value["scimsessionVersion"] = version.into();
            output.show(&value, &text)?;
        }
        Command::Inspect { place, output } => {
            let kept = Kept::read(&place).await?;
            let recipients = kept.file.recipients();
            // A secret that does not open it is the matter of check.
            let opener = kept.opener_at_hand().await.ok().flatten();
            let inside = opener.and_then(|opener| kept.credentials(&*opener).ok());
            let mut value = json!({
                "place": kept.source.to_string(),
                "version": kept.version,
                "signInAddress": kept.file.sign_in_address(),
                "deviceUuid": kept.file.device_uuid(),
                "recipients": recipients.iter().map(token::shown).collect::<Vec<_>>(),
            });
            let mut text = format!(
                "{}, version {}\naccount  {}\ndevice   {}\n",
                kept.source,
                kept.version,
                kept.file.sign_in_address(),
                kept.file.device_uuid(),
            );
            text += &format!("\n{}\n", token::table(recipients, now));
            if !recipients.iter().any(|one| one.access == Access::Sweep) {
                text += "There is no sweep key: nobody is confirmed before the provider's first \
                         request (strict mode).\n";
            }
            match &inside {
                Some(inside) => {
                    value["connector"] = connector_name(&inside.connector).into();
                    value["usersApi"] = inside.users_api.as_ref().map(users_api::shown).into();
                    text += &contents(inside);
                }
                None => {
                    text += "What sort of credentials are inside shows with a secret that opens \
                             it.\n";
                }
            }
            text += "Whether they work shows with scim-bridge credentials check";
            output.show(&value, &text)?;
        }
        Command::Check { place, output } => {
            let kept = Kept::read(&place).await?;
            let opener = kept.opener().await?;
            let (value, text) = check(&kept, &*opener).await?;
            output.show(&value, &text)?;
        }
        Command::UsersApi(command) => users_api::run(command).await?,
    }
    Ok(())
}
