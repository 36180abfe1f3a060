//! `scim-bridge token`: who can open the scimsession.

use std::str::FromStr;

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};
use time::{
    Date, Duration, OffsetDateTime, Time,
    format_description::well_known::{Iso8601, Rfc3339},
};

use super::{
    Failure,
    kept::{Kept, Place},
    terminal::Output,
};
use crate::credentials::{
    Access, BearerToken, Holder, NewRecipient, Opener, Recipient, Scope, SweepKey,
};

#[derive(Subcommand)]
pub enum Command {
    /// Issue a token beside those there are; they go on working.
    ///
    /// Needs a secret that opens the scimsession: any other valid token (SCIM_BRIDGE_TOKEN), the
    /// sweep key (SCIM_BRIDGE_SWEEP_KEY, or the file sweep-key beside the scimsession), or what is
    /// typed when asked.
    #[command(after_help = "Examples:\n  \
        scim-bridge token add --label \"Entra ID\" --expires 365d\n  \
        scim-bridge token add --label uptime --scope monitor --json\n  \
        scim-bridge token add --label \"status page\" --scope admin --expires 90d\n  \
        SCIM_BRIDGE_TOKEN=$(cat old-token) scim-bridge token add --label okta")]
    Add {
        /// What people call it; a sweep key is called "sweep" unless it is said otherwise.
        #[arg(long)]
        label: Option<String>,
        /// What it is good for.
        #[arg(long, value_enum, default_value_t = NewScope::Scim)]
        scope: NewScope,
        /// When it ends: `90d`, `12h`, `2027-01-31`, or `never`.
        #[arg(long, default_value = "never")]
        expires: Expiry,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
    /// Show who can open the scimsession. Needs no secret.
    List {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
    /// Take a token back: it is refused as soon as the bridge has looked at the scimsession again
    /// (60 seconds, unless SCIM_BRIDGE_CREDENTIALS_REFRESH says otherwise).
    #[command(after_help = "Example:\n  scim-bridge token revoke okta")]
    Revoke {
        /// Its label, or its key id.
        name: String,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
    /// Replace a token without an outage: the new one works at once, the old one for the grace
    /// period, and then ends by itself.
    #[command(after_help = "Example:\n  scim-bridge token rotate okta --grace 24h --expires 365d")]
    Rotate {
        /// Its label, or its key id.
        name: String,
        /// How long the old one goes on working.
        #[arg(long, default_value = "24h", value_parser = duration)]
        grace: Duration,
        /// When the new one ends.
        #[arg(long, default_value = "never")]
        expires: Expiry,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        output: Output,
    },
}

/// What a new secret is for.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NewScope {
    /// A provider's requests.
    Scim,
    /// The same, and what an administrator decides on the status page: for no provider.
    Admin,
    /// `/health`, `/metrics` and the status page without people, nothing else.
    Monitor,
    /// The scheduled sweep: a sweep key.
    Sweep,
}

/// When something ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Never.
    Never,
    /// So long after it was made.
    After(Duration),
    /// With the beginning of this day, UTC.
    On(Date),
}

impl FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self::Never);
        }
        match Date::parse(text, &Iso8601::DATE) {
            Ok(date) => Ok(Self::On(date)),
            Err(_) => duration(text).map(Self::After),
        }
    }
}

impl Expiry {
    /// The moment, for something made now.
    pub fn at(self, now: OffsetDateTime) -> Result<Option<OffsetDateTime>, Failure> {
        let end = match self {
            Self::Never => return Ok(None),
            Self::After(time) => now.checked_add(time),
            Self::On(date) => Some(date.with_time(Time::MIDNIGHT).assume_utc()),
        };
        match end.filter(|end| *end > now) {
            Some(end) => Ok(Some(end)),
            None => Err(Failure::usage("a token cannot end in the past")),
        }
    }
}

/// A length of time such as `90d` or `15m`.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .ok()
        .and_then(|time| Duration::try_from(time).ok())
        .ok_or_else(|| {
            "neither a time such as 24h or 90d, nor a date such as 2027-01-31".to_owned()
        })
}

/// Does what is asked.
pub async fn run(command: Command) -> Result<(), Failure> {
    let now = OffsetDateTime::now_utc();
    match command {
        Command::Add {
            label,
            scope,
            expires,
            place,
            output,
        } => {
            let label = match (label, scope) {
                (Some(label), _) => label,
                (None, NewScope::Sweep) => "sweep".to_owned(),
                (None, _) => return Err(Failure::usage("what is it to be called? --label")),
            };
            let kept = Kept::read_to_change(&place).await?;
            let is_known =
                |one: &Recipient| one.label == label && one.ends_at().is_none_or(|end| end > now);
            if kept.file.recipients().iter().any(is_known) {
                return Err(Failure::usage(format!(
                    "there is a token or key called {label:?} already: choose another label, by \
                     which the audit tells them apart, or replace it with scim-bridge token rotate"
                )));
            }
            let expires_at = expires.at(now)?;
            let opener = kept.opener().await?;
            let made = Made::new(scope)?;
            let new = NewRecipient {
                holder: made.holder(scope),
                label: &label,
                expires_at,
            };
            let file = kept.file.with_recipient(&*opener, &new, now)?;
            let added = file.recipient(made.opener(), now)?;
            let version = kept.replace(&file).await?;
            let mut value = shown(added);
            value["version"] = version.into();
            let before = format!(
                "{} is added and works as soon as the bridge has looked at the scimsession \
                 again.\nIt is shown this once:",
                named(added, now),
            );
            output.show_secret(&value, &before, &made.expose(), made.next_step(scope))?;
        }
        Command::List { place, output } => {
            let kept = Kept::read(&place).await?;
            let recipients = kept.file.recipients();
            let value = json!({
                "version": kept.version,
                "recipients": recipients.iter().map(shown).collect::<Vec<_>>(),
            });
            output.show(&value, &table(recipients, now))?;
        }
        Command::Revoke {
            name,
            place,
            output,
        } => {
            let kept = Kept::read_to_change(&place).await?;
            let revoked = kept.recipient(&name, |_| true)?;
            let opener = kept.opener().await?;
            let file = kept
                .file
                .without_recipient(&*opener, &revoked.key_id, now)?;
            let version = kept.replace(&file).await?;
            let mut value = shown(revoked);
            value["version"] = version.into();
            let text = format!(
                "{} is revoked: refused as soon as the bridge has looked at the scimsession again.",
                named(revoked, now)
            );
            output.show(&value, &text)?;
        }
        Command::Rotate {
            name,
            grace,
            expires,
            place,
            output,
        } => {
            let kept = Kept::read_to_change(&place).await?;
            // One that is being replaced already is not meant.
            let staying = |one: &Recipient| one.retires_at.is_none();
            let old = kept.recipient(&name, staying)?.clone();
            let scope = match old.access {
                Access::Bearer { scope: Scope::Scim } => NewScope::Scim,
                Access::Bearer {
                    scope: Scope::Admin,
                } => NewScope::Admin,
                Access::Bearer {
                    scope: Scope::Monitor,
                } => NewScope::Monitor,
                Access::Sweep => NewScope::Sweep,
            };
            let expires_at = expires.at(now)?;
            let opener = kept.opener().await?;
            let made = Made::new(scope)?;
            let new = NewRecipient {
                holder: made.holder(scope),
                label: &old.label,
                expires_at,
            };
            let end = now.checked_add(grace);
            let end = end.ok_or_else(|| Failure::usage("that grace period is too long"))?;
            let file = kept
                .file
                .with_recipient(&*opener, &new, now)?
                .with_retirement(&*opener, &old.key_id, end, now)?;
            let added = file.recipient(made.opener(), now)?;
            let version = kept.replace(&file).await?;
            let mut value = shown(added);
            value["version"] = version.into();
            value["replaces"] = json!({ "keyId": old.key_id, "retiresAt": moment(end) });
            let before = format!(
                "{} is added; the old one ({}) works until {}.\nThe new one is shown this once:",
                named(added, now),
                short(&old.key_id),
                moment(end),
            );
            output.show_secret(&value, &before, &made.expose(), made.next_step(scope))?;
        }
    }
    Ok(())
}

/// A secret just made.
enum Made {
    Token(BearerToken),
    Key(SweepKey),
}

impl Made {
    fn new(scope: NewScope) -> Result<Self, Failure> {
        Ok(match scope {
            NewScope::Scim | NewScope::Admin | NewScope::Monitor => {
                Self::Token(BearerToken::generate()?)
            }
            NewScope::Sweep => Self::Key(SweepKey::generate()?),
        })
    }

    fn holder(&self, scope: NewScope) -> Holder<'_> {
        match self {
            Self::Token(token) => match scope {
                NewScope::Admin => Holder::Administrator(token),
                NewScope::Monitor => Holder::Monitor(token),
                NewScope::Scim | NewScope::Sweep => Holder::Provider(token),
            },
            Self::Key(key) => Holder::Sweep(key),
        }
    }

    fn opener(&self) -> &dyn Opener {
        match self {
            Self::Token(token) => token,
            Self::Key(key) => key,
        }
    }

    fn expose(&self) -> zeroize::Zeroizing<String> {
        match self {
            Self::Token(token) => token.expose(),
            Self::Key(key) => key.expose(),
        }
    }

    fn next_step(&self, scope: NewScope) -> &'static str {
        match scope {
            NewScope::Scim => "Give it to the identity provider as its secret token.",
            NewScope::Admin => {
                "Enter it on the bridge's status page (/app), and keep it where administrators keep \
                 their secrets: never give it to a provider."
            }
            NewScope::Monitor => {
                "Give it to the monitor, as the bearer token of /health and /metrics."
            }
            NewScope::Sweep => {
                "Store it where only the sweep reads it (scim-bridge credentials push), or set it \
                 as SCIM_BRIDGE_SWEEP_KEY."
            }
        }
    }
}

/// A recipient for programs.
pub fn shown(recipient: &Recipient) -> Value {
    let mut value = json!({
        "label": recipient.label,
        "keyId": recipient.key_id,
        "createdAt": moment(recipient.created_at),
    });
    let (kind, scope) = names(recipient.access);
    value["kind"] = kind.into();
    if let Some(scope) = scope {
        value["scope"] = scope.into();
    }
    for (name, time) in [
        ("expiresAt", recipient.expires_at),
        ("retiresAt", recipient.retires_at),
    ] {
        if let Some(time) = time {
            value[name] = moment(time).into();
        }
    }
    value
}

/// Recipients as a table for people.
pub fn table(recipients: &[Recipient], now: OffsetDateTime) -> String {
    let widest = recipients.iter().map(|one| one.label.chars().count()).max();
    let width = widest.unwrap_or(0).max("LABEL".len());
    let mut text = format!("{:width$}  SCOPE    KEY ID    MADE        END\n", "LABEL");
    for one in recipients {
        text += &format!(
            "{:width$}  {:<7}  {}  {}  {}\n",
            one.label,
            what_for(one),
            short(&one.key_id),
            one.created_at.date(),
            end(one, now),
        );
    }
    text
}

/// A recipient in a sentence.
fn named(recipient: &Recipient, now: OffsetDateTime) -> String {
    format!(
        "{:?} ({}, {}, {})",
        recipient.label,
        what_for(recipient),
        short(&recipient.key_id),
        end(recipient, now),
    )
}

fn what_for(recipient: &Recipient) -> &'static str {
    let (kind, scope) = names(recipient.access);
    scope.unwrap_or(kind)
}

fn end(recipient: &Recipient, now: OffsetDateTime) -> String {
    let replaced = match recipient.retires_at {
        Some(_) => ", replaced",
        None => "",
    };
    match recipient.ends_at() {
        None => "never ends".to_owned(),
        Some(end) if end <= now => format!("ended {}{replaced}", moment(end)),
        Some(end) => format!("ends {}{replaced}", moment(end)),
    }
}

fn names(access: Access) -> (&'static str, Option<&'static str>) {
    match access {
        Access::Bearer { scope: Scope::Scim } => ("bearer", Some("scim")),
        Access::Bearer {
            scope: Scope::Admin,
        } => ("bearer", Some("admin")),
        Access::Bearer {
            scope: Scope::Monitor,
        } => ("bearer", Some("monitor")),
        Access::Sweep => ("sweep", None),
    }
}

fn short(key_id: &str) -> &str {
    key_id.get(..8).unwrap_or(key_id)
}

/// To the second, in UTC.
pub fn moment(time: OffsetDateTime) -> String {
    let whole = time.replace_nanosecond(0).unwrap_or(time);
    whole.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_time_a_date_or_never() {
        let now = OffsetDateTime::UNIX_EPOCH;
        let at = |text: &str| {
            let end = text.parse::<Expiry>().unwrap().at(now);
            end.map(|end| end.map(moment))
                .map_err(|failure| failure.reason)
        };
        assert_eq!(at("never"), Ok(None));
        assert_eq!(at("24h"), Ok(Some("1970-01-02T00:00:00Z".to_owned())));
        assert_eq!(at("2d 1h"), Ok(Some("1970-01-03T01:00:00Z".to_owned())));
        assert_eq!(
            at("2027-01-31"),
            Ok(Some("2027-01-31T00:00:00Z".to_owned()))
        );
        assert!(at("1970-01-01").is_err());
        assert!(at("0s").is_err());
        assert!(at("99999y").is_err());
        for wrong in ["", "soon", "31.1.2027", "2027-02-30", "-1d"] {
            assert!(wrong.parse::<Expiry>().is_err(), "{wrong}");
        }
    }
}
