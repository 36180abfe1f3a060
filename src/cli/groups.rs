//! `scim-bridge groups`: which groups of the account providers see and change.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    Failure,
    administrator::{self, SignIn},
    bridge,
    kept::{Kept, Place},
    terminal::{Output, progress},
};
use crate::{
    account::MemberId,
    bridge::{AccountGroup, Adoption, Bridge},
    credentials::Connector,
};

#[derive(Subcommand)]
pub enum Command {
    /// Show the groups of the account, and which of them are managed: seen and changed by
    /// providers.
    #[command(after_help = "Example:\n  scim-bridge groups list --json")]
    List {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
    /// Have groups of the account managed. Those that a provider made are managed already.
    ///
    /// From then on a group is known by its id: whoever renames it changes nothing about that. Of a
    /// group that a person made the bridge lacks the key, without which nobody can be let in: then
    /// an administrator signs in here, once, and hands the key over.
    #[command(after_help = "Examples:\n  \
        scim-bridge groups manage Finance \"Human Resources\"\n  \
        scim-bridge groups manage Finance --email admin@example.com\n  \
        printf '%s\\n%s\\n' \"$SECRET_KEY\" \"$PASSWORD\" | \\\n    \
        scim-bridge groups manage Finance --email admin@example.com --json")]
    Manage {
        /// Their whole names, in any case, or their ids.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        #[command(flatten)]
        sign_in: SignIn,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
    /// Take groups out of providers' sight. They, their members and their vaults stay as they are.
    #[command(after_help = "Example:\n  scim-bridge groups unmanage Finance")]
    Unmanage {
        /// Their whole names, in any case, or their ids.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
}

/// Does what is asked.
pub async fn run(command: Command) -> Result<(), Failure> {
    let (Command::List { place, .. }
    | Command::Manage { place, .. }
    | Command::Unmanage { place, .. }) = &command;
    let bridge = bridge::open(place).await?;
    let result = work(&command, &bridge).await;
    bridge.sign_out().await;
    result
}

async fn work(command: &Command, bridge: &Bridge) -> Result<(), Failure> {
    match command {
        Command::List { output, .. } => {
            let groups = bridge.account_groups().await?;
            output.show(&shown(&groups, |group| group.managed), &table(&groups))?;
        }
        Command::Manage {
            names,
            sign_in,
            place,
            output,
        } => {
            let before = manage(names, sign_in, place, bridge).await?;
            let text = sentences(&before, |group| match group.managed {
                true => "was managed already",
                false => "is managed from now on",
            });
            output.show(&shown(&before, |_| true), &text)?;
        }
        Command::Unmanage { names, output, .. } => {
            let before = bridge.unmanage_groups(names).await?;
            let text = sentences(&before, |group| match group.managed {
                true => "is not managed any more; it and its members stay as they are",
                false => "was not managed",
            });
            output.show(&shown(&before, |_| false), &text)?;
        }
    }
    Ok(())
}

/// Has groups managed, if need be with an administrator's help.
async fn manage(
    names: &[String],
    sign_in: &SignIn,
    place: &Place,
    bridge: &Bridge,
) -> Result<Vec<AccountGroup>, Failure> {
    match bridge.manage_groups(names).await? {
        Adoption::Done(groups) => return Ok(groups),
        Adoption::KeysMissing { groups, bridge } => {
            hand_over(&groups, &bridge, sign_in, place).await?;
        }
    }
    match bridge.manage_groups(names).await? {
        Adoption::Done(groups) => Ok(groups),
        Adoption::KeysMissing { groups, .. } => Err(Failure::failed(format!(
            "the bridge does not reach {} although it was handed over: nothing is managed that was \
             not before",
            keys_of(&groups)
        ))),
    }
}

/// Gives the bridge the keys of groups, as an administrator.
async fn hand_over(
    groups: &[AccountGroup],
    bridge: &MemberId,
    sign_in: &SignIn,
    place: &Place,
) -> Result<(), Failure> {
    let kept = Kept::read(place).await?;
    if let Some(opener) = kept.opener_at_hand().await?
        && let Connector::OpCli(sign_in) = kept.credentials(&*opener)?.connector
    {
        let names: Vec<String> = groups.iter().map(|one| format!("{:?}", one.name)).collect();
        return Err(Failure::failed(format!(
            "the bridge may not let people into {}: at 1Password.com, make {} a manager there",
            names.join(", "),
            sign_in.email
        )));
    }
    let login = sign_in.login(
        administrator::ADMINISTRATOR,
        Some(kept.file.sign_in_address()),
    );
    let login = login.map_err(|Failure { reason, status }| Failure {
        reason: format!(
            "the bridge lacks {}, which an administrator has to hand over; give --email or \
             SCIM_BRIDGE_ADMIN_EMAIL, SCIM_BRIDGE_ADMIN_SECRET_KEY and SCIM_BRIDGE_ADMIN_PASSWORD, \
             or run it at a terminal: {reason}",
            keys_of(groups)
        ),
        status,
    })?;
    let administrator = administrator::sign_in(&login).await?;
    let work = async {
        for group in groups {
            progress(&format!("handing over the key of {:?}", group.name));
            administrator.hand_over_group(&group.id, bridge).await?;
        }
        Ok(())
    };
    let result = work.await;
    administrator.sign_out().await;
    result
}

fn keys_of(groups: &[AccountGroup]) -> String {
    let names: Vec<String> = groups.iter().map(|one| format!("{:?}", one.name)).collect();
    match names.as_slice() {
        [name] => format!("the key of the group {name}"),
        names => format!("the keys of the groups {}", names.join(", ")),
    }
}

/// Groups for programs.
fn shown(groups: &[AccountGroup], managed: impl Fn(&AccountGroup) -> bool) -> Value {
    let groups = groups.iter().map(|group| {
        let mut value = json!({
            "id": group.id.as_str(),
            "name": group.name,
            "members": group.members,
            "managed": managed(group),
        });
        if group.powerful {
            value["unmanageable"] = "it has power over the whole account".into();
        }
        value
    });
    json!({ "groups": groups.collect::<Vec<_>>() })
}

/// Groups as a table for people.
fn table(groups: &[AccountGroup]) -> String {
    let widest = groups.iter().map(|one| one.name.chars().count()).max();
    let width = widest.unwrap_or(0).max("NAME".len());
    let mut text = format!("{:width$}  MEMBERS  MANAGED  ID\n", "NAME");
    for group in groups {
        let managed = match (group.managed, group.powerful) {
            (true, false) => "yes",
            (false, false) => "no",
            (true, true) => "shown",
            (false, true) => "never",
        };
        text += &format!(
            "{:width$}  {:>7}  {managed:<7}  {}\n",
            group.name, group.members, group.id
        );
    }
    text += "\nnever: it has power over the whole account. shown: it came to such power when it was \
             managed already; providers see it and change nothing.";
    text
}

fn sentences(groups: &[AccountGroup], what: impl Fn(&AccountGroup) -> &'static str) -> String {
    let lines = groups.iter().map(|group| {
        let (name, members) = (&group.name, group.members);
        format!("{name:?} ({members} members) {}.\n", what(group))
    });
    lines.collect()
}
