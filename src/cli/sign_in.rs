//! Signing in as the bridge does, and what that shows.

use serde_json::{Value, json};

use super::op;
use crate::{
    account::{
        self, Identity,
        op_cli::{OpAccount, Standing},
    },
    credentials::{Connector, Credentials},
    service,
};

/// What a bridge does at 1Password, and the rights of which one lets it, as they are published.
const STEPS: [(&str, &[&str]); 5] = [
    (
        "invite and confirm people",
        &["PROVISION_PEOPLE", "ADD_PERSON"],
    ),
    ("suspend and reactivate people", &["SUSPEND_PERSON"]),
    ("delete people", &["DELETE_PERSON"]),
    ("rename people", &["CHANGE_PERSON_NAME"]),
    ("change groups that others made", &["MANAGE_GROUPS"]),
];

/// What a sign-in as the bridge showed.
pub struct SignedIn {
    /// Who the bridge is.
    pub identity: Identity,
    /// What 1Password's command line tells beside that.
    op: Option<Standing>,
}

/// Signs in as the bridge does, and out again. At 1Password what the user may do is looked at too.
pub async fn sign_in(
    http: reqwest::Client,
    credentials: Credentials,
) -> Result<SignedIn, account::Error> {
    if let Connector::OpCli(sign_in) = credentials.connector {
        let account = OpAccount::new(sign_in, op());
        let standing = account.standing().await;
        account::Account::sign_out(&account).await;
        let standing = standing?;
        return Ok(SignedIn {
            identity: standing.identity.clone(),
            op: Some(standing),
        });
    }
    let account = service::account(credentials, http, &op(), None);
    let identity = account.identity().await;
    account.sign_out().await;
    Ok(SignedIn {
        identity: identity?,
        op: None,
    })
}

impl SignedIn {
    /// What else there is to say to a person: with 1Password's command line, what shows of the
    /// user's rights, and what does not. Empty, or ends with a line break.
    pub fn more(&self) -> String {
        let Some(Standing {
            version, rights, ..
        }) = &self.op
        else {
            return String::new();
        };
        let mut text =
            format!("\nop is of version {version}. By the rights of its groups the bridge may");
        let may = |names: &[&str]| names.iter().any(|name| rights.contains(*name));
        let (shown, hidden): (Vec<_>, Vec<_>) = STEPS.iter().partition(|(_, names)| may(names));
        let list = |steps: Vec<&(&str, _)>| {
            let steps: Vec<&str> = steps.into_iter().map(|(step, _)| *step).collect();
            match steps[..] {
                [] => "-".to_owned(),
                _ => steps.join(", "),
            }
        };
        text += &format!(
            "\n  certainly    {}\n  not certain  {}\n",
            list(shown),
            list(hidden)
        );
        text += "op shows no more without changing something. What is not certain, 1Password may \
                 let its group Provision Managers do all the same: try each with a person who can \
                 be spared. Groups that the bridge makes it manages; of others make it a manager.\n";
        text
    }

    /// The same for a program, into an object.
    pub fn put_into(&self, value: &mut Value) {
        if let Some(Standing {
            version, rights, ..
        }) = &self.op
        {
            value["op"] = json!({ "version": version, "rights": rights });
        }
    }
}
