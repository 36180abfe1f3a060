//! `scim-bridge credentials users-api`: credentials for 1Password's Users API, beside the
//! connector's.

use clap::{Subcommand, builder::NonEmptyStringValueParser};
use serde_json::json;
use time::OffsetDateTime;

use super::{
    Failure, Status, client,
    kept::{Kept, Place},
    terminal::{self, Output, progress},
};
use crate::{
    account::users_api,
    credentials::Credentials,
    onepassword::{
        secret_text::SecretText,
        users_api::{ClientCredentials, Server},
    },
};

#[derive(Subcommand)]
pub enum Command {
    /// Let the bridge suspend and reactivate by the Users API, with an OAuth application's
    /// credentials.
    ///
    /// They are tried, and sealed in the scimsession beside the connector's, in place of any that
    /// are there. The client secret is asked for, or taken from SCIM_BRIDGE_USERS_API_SECRET or a
    /// line of standard input. What opens the scimsession is needed too, as for `token add`.
    #[command(
        after_help = "Example:\n  scim-bridge credentials users-api set --server https://api.1password.eu \\\n      \
        --account-id ABCDEFGHIJKLMNOPQRSTUVWXYZ --client-id CLIENT"
    )]
    Set {
        /// Where the account's region has its Users API: https://api.1password.com,
        /// https://api.1password.ca or https://api.1password.eu.
        #[arg(long)]
        server: Server,
        /// The account's id.
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        account_id: String,
        /// The application's id.
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        client_id: String,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
    /// Let the connector do all again. Delete the OAuth application at 1Password, too.
    Remove {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
}

/// Does what is asked.
pub async fn run(command: Command) -> Result<(), Failure> {
    let now = OffsetDateTime::now_utc();
    match command {
        Command::Set {
            server,
            account_id,
            client_id,
            place,
            output,
        } => {
            let kept = Kept::read_to_change(&place).await?;
            let opener = kept.opener().await?;
            let connector = kept.credentials(&*opener)?.connector;
            let secret = terminal::secret(
                "SCIM_BRIDGE_USERS_API_SECRET",
                "Client secret of the OAuth application",
            )?;
            let new = ClientCredentials {
                server,
                account_id,
                client_id,
                client_secret: SecretText::new(secret.trim().to_owned()),
            };
            progress(&format!("asking {server} for a token"));
            users_api::check(new.clone(), client()?).await?;
            let mut value = shown(&new);
            let credentials = Credentials {
                connector,
                users_api: Some(new),
            };
            let file = credentials.reseal(&kept.file, &*opener, now)?;
            value["version"] = kept.replace(&file).await?.into();
            let text = format!(
                "{server} gives a token for these credentials, and they are sealed: the bridge uses \
                 them as soon as it has looked at the scimsession again.\nThat the application may \
                 suspend and reactivate, and that the account id is right, was not tried: it shows \
                 with the first person. If not, the connector does the work, and the log says why."
            );
            output.show(&value, &text)?;
        }
        Command::Remove { place, output } => {
            let kept = Kept::read_to_change(&place).await?;
            let opener = kept.opener().await?;
            let credentials = kept.credentials(&*opener)?;
            let Some(old) = credentials.users_api else {
                return Err(Failure {
                    status: Status::Missing,
                    reason: format!(
                        "{} holds no credentials for the Users API: nothing was done",
                        kept.source
                    ),
                });
            };
            let file =
                Credentials::from(credentials.connector).reseal(&kept.file, &*opener, now)?;
            let mut value = shown(&old);
            value["version"] = kept.replace(&file).await?.into();
            let text = format!(
                "The credentials for {} are removed: the connector suspends and reactivates as soon \
                 as the bridge has looked at the scimsession again. Delete the OAuth application {} \
                 at 1Password.",
                old.server, old.client_id
            );
            output.show(&value, &text)?;
        }
    }
    Ok(())
}

/// Such credentials for programs, without the secret.
pub fn shown(credentials: &ClientCredentials) -> serde_json::Value {
    json!({
        "server": credentials.server.to_string(),
        "accountId": credentials.account_id,
        "clientId": credentials.client_id,
    })
}
