//! `scim-bridge confirmations`: people who have signed up, and what stands between them and the
//! account.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Failure, SECRET_PREFIXES, bridge, kept::Place, terminal::Output, token::moment};
use crate::{bridge::OpenConfirmation, state::ConfirmationStatus};

/// How many records are read at once.
const PAGE: usize = 1000;

#[derive(Subcommand)]
pub enum Command {
    /// Show who waits to be confirmed, who is held, why, and what to do.
    ///
    /// Works on the bridge's state (SCIM_BRIDGE_STATE), and needs a secret that opens the
    /// scimsession: a token (SCIM_BRIDGE_TOKEN), the sweep key (SCIM_BRIDGE_SWEEP_KEY, or the file
    /// sweep-key beside the scimsession), or what is typed when asked.
    #[command(after_help = "Examples:\n  \
        scim-bridge confirmations list\n  \
        scim-bridge confirmations list --json")]
    List {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
    /// Let somebody in who is held or was rejected: the next sweep confirms them.
    ///
    /// Good for the public key that they had when they were held, and no other. That the provider
    /// wants them suspended, and the removal guard held it up, is forgotten until the provider says
    /// it again; whom it has suspended, it has to activate.
    #[command(after_help = "Examples:\n  \
        scim-bridge confirmations release ann@example.com\n  \
        scim-bridge confirmations release QYJ3DOOBAC4LSZXHLWSHLNYQQE --json")]
    Release {
        /// E-mail address, or id.
        person: String,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
    /// Keep somebody out: this bridge does not confirm them until they are released.
    #[command(after_help = "Example:\n  scim-bridge confirmations reject ann@example.com")]
    Reject {
        /// E-mail address, or id.
        person: String,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
}

/// Does what is asked.
pub async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::List { place, output } => {
            let bridge = bridge::open(&place).await?;
            let mut all: Vec<OpenConfirmation> = Vec::new();
            loop {
                let after = all.last().map(|last| last.id.clone());
                let page = bridge.confirmations(after.as_deref(), PAGE).await?;
                if page.is_empty() {
                    break;
                }
                all.extend(page);
            }
            let value = json!({ "confirmations": all.iter().map(shown).collect::<Vec<_>>() });
            output.show(&value, &table(&all))?;
        }
        Command::Release {
            person,
            place,
            output,
        } => {
            let bridge = bridge::open(&place).await?;
            let released = bridge.release(no_secret(&person)?).await?;
            let text = format!(
                "{} is released: the next sweep confirms them, as long as the provider wants them \
                 in and their key stays the same.",
                name(&released)
            );
            output.show(&shown(&released), &text)?;
        }
        Command::Reject {
            person,
            place,
            output,
        } => {
            let bridge = bridge::open(&place).await?;
            let rejected = bridge.reject(no_secret(&person)?).await?;
            let text = format!(
                "{} is rejected: this bridge does not confirm them until they are released.",
                name(&rejected)
            );
            output.show(&shown(&rejected), &text)?;
        }
    }
    Ok(())
}

/// What names a person is repeated in answers, which a secret must not be.
fn no_secret(person: &str) -> Result<&str, Failure> {
    match SECRET_PREFIXES.iter().any(|prefix| person.contains(prefix)) {
        true => Err(Failure::usage(
            "that is a secret, which belongs in no argument: give an e-mail address or an id",
        )),
        false => Ok(person),
    }
}

/// A confirmation for programs.
fn shown(listed: &OpenConfirmation) -> Value {
    let record = &listed.record;
    let mut value = json!({
        "id": listed.id,
        "email": record.email,
        "since": moment(record.since),
        "state": listed.state(),
    });
    if let Some(due) = listed.due {
        value["due"] = moment(due).into();
    }
    match &record.status {
        ConfirmationStatus::Waiting {
            failures,
            last_error: Some(error),
            ..
        } => {
            value["failures"] = (*failures).into();
            value["lastError"] = error.as_str().into();
        }
        ConfirmationStatus::Held { reason, .. } => {
            value["reason"] = json!(reason);
            value["explanation"] = reason.to_string().into();
        }
        _ => {}
    }
    if let Some(remedy) = listed.remedy() {
        value["remedy"] = remedy.into();
    }
    value
}

/// Confirmations as a table for people.
fn table(all: &[OpenConfirmation]) -> String {
    if all.is_empty() {
        return "Nobody waits to be confirmed.".to_owned();
    }
    let widest = all.iter().map(|one| name(one).chars().count()).max();
    let width = widest.unwrap_or(0).max("E-MAIL".len());
    let mut text = format!(
        "{:width$}  {:26}  {:20}  {:20}  STATE\n",
        "E-MAIL", "ID", "SINCE", "DUE"
    );
    for one in all {
        let (due, why) = (one.due.map(moment), one.why());
        text += &format!(
            "{:width$}  {:26}  {:20}  {:20}  {}{}\n",
            name(one),
            one.id,
            moment(one.record.since),
            due.as_deref().unwrap_or("-"),
            one.state(),
            why.map_or_else(String::new, |why| format!(": {why}")),
        );
        if let Some(remedy) = one.remedy() {
            text += &format!("{:width$}  → {remedy}\n", "");
        }
    }
    text
}

fn name(listed: &OpenConfirmation) -> &str {
    match listed.record.email.as_str() {
        "" => &listed.id,
        email => email,
    }
}
