//! `scim-bridge audit`: what was done, and what was not, line by line.

use std::{
    io::{self, Write},
    str::FromStr,
};

use serde_json::Value;
use time::{Date, Duration, OffsetDateTime, Time, format_description::well_known::Iso8601};

use super::{
    Failure, bridge,
    kept::Place,
    terminal::plain,
    token::{duration, moment},
};
use crate::{
    bridge::Bridge,
    state::{AuditChange, AuditEntry, AuditOutcome},
};

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    scim-bridge audit\n  \
    scim-bridge audit --since 7d --outcome refused\n  \
    scim-bridge audit --since 2026-11-22 --target ann@example.com --json")]
pub struct Audit {
    /// From when on: `24h`, `7d`, or a day such as `2026-11-22` (UTC).
    #[arg(long, default_value = "24h")]
    since: Since,
    /// Only what came to this: done, refused, failed or observed.
    #[arg(long, value_parser = outcome)]
    outcome: Option<AuditOutcome>,
    /// Only what is about this: a person's or group's id, or a name that the line has.
    #[arg(long)]
    target: Option<String>,
    /// Print one JSON object a line, for scripts.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// Where a look back begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// So long ago.
    Ago(Duration),
    /// With the beginning of this day, UTC.
    Day(Date),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match Date::parse(text, &Iso8601::DATE) {
            Ok(date) => Ok(Self::Day(date)),
            Err(_) => duration(text).map(Self::Ago),
        }
    }
}

impl Since {
    /// The moment, seen from `now`.
    pub fn at(self, now: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::Ago(time) => now.checked_sub(time).unwrap_or(OffsetDateTime::UNIX_EPOCH),
            Self::Day(date) => date.with_time(Time::MIDNIGHT).assume_utc(),
        }
    }
}

fn outcome(text: &str) -> Result<AuditOutcome, String> {
    let all = AuditOutcome::ALL;
    let known = all.into_iter().find(|outcome| outcome.as_str() == text);
    known.ok_or_else(|| format!("is one of {}", all.map(AuditOutcome::as_str).join(", ")))
}

impl Audit {
    fn concerns(&self, line: &AuditEntry) -> bool {
        // Details begin with the name of whom or what they are about.
        let is_about = |target: &str| {
            let detail = line.detail.as_deref().unwrap_or_default();
            let named = detail.strip_prefix(target);
            line.target.eq_ignore_ascii_case(target)
                || named.is_some_and(|rest| rest.is_empty() || rest.starts_with(": "))
        };
        self.outcome.is_none_or(|outcome| line.outcome == outcome)
            && self.target.as_deref().is_none_or(is_about)
    }
}

/// Prints the lines as they are read, the newest last.
pub async fn run(audit: Audit) -> Result<(), Failure> {
    let since = audit.since.at(OffsetDateTime::now_utc());
    let bridge = bridge::open(&audit.place).await?;
    let mut out = io::BufWriter::new(io::stdout());
    each(&bridge, since, |line| {
        if audit.concerns(line) {
            match audit.json {
                true => {
                    serde_json::to_writer(&mut out, line)?;
                    writeln!(out)?;
                }
                false => writeln!(out, "{}", shown(line))?,
            }
        }
        Ok(())
    })
    .await?;
    Ok(out.flush()?)
}

/// Goes through the lines in the order of time, page by page.
pub async fn each(
    bridge: &Bridge,
    since: OffsetDateTime,
    mut see: impl FnMut(&AuditEntry) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let (lines, next) = bridge.audit_lines(since, after.as_deref()).await?;
        lines.iter().try_for_each(&mut see)?;
        after = next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// A line for people.
fn shown(line: &AuditEntry) -> String {
    let who = match &line.provider {
        Some(provider) => format!("{} ({provider})", line.actor),
        None => line.actor.clone(),
    };
    let outcome = line.outcome.as_str();
    let mut text = format!(
        "{}  {outcome:8}  {}  {}  by {who}",
        moment(line.at),
        line.action,
        line.target
    );
    let request = line.request_id.as_ref().map(|id| format!("request {id}"));
    let parts = [line.detail.clone(), changes(&line.changes), request];
    for part in parts.into_iter().flatten() {
        text += &format!("  {part}");
    }
    plain(&text)
}

fn changes(changes: &[AuditChange]) -> Option<String> {
    let value = |value: &Option<Value>| match value {
        None => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let each = changes.iter().map(|change| {
        let (before, after) = (value(&change.before), value(&change.after));
        format!("{}: {before} → {after}", change.attribute)
    });
    let all = each.collect::<Vec<_>>().join(", ");
    (!all.is_empty()).then(|| format!("[{all}]"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_look_back_begins_some_time_ago_or_with_a_day() {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::days(10);
        let at = |text: &str| moment(text.parse::<Since>().unwrap().at(now));
        assert_eq!(at("24h"), "1970-01-10T00:00:00Z");
        assert_eq!(at("2026-11-22"), "2026-11-22T00:00:00Z");
        assert_eq!(at("99999y"), "1970-01-01T00:00:00Z");
        for wrong in ["", "yesterday", "never", "22.11.2026"] {
            assert!(wrong.parse::<Since>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_line_says_who_did_what_and_commands_no_terminal() {
        let mut line = AuditEntry {
            at: OffsetDateTime::UNIX_EPOCH,
            actor: "first".into(),
            action: "user.change".into(),
            target: "A".into(),
            outcome: AuditOutcome::Failed,
            detail: Some("Ann\u{1b}[2J\nBob".into()),
            changes: Vec::new(),
            provider: None,
            request_id: None,
        };
        assert_eq!(
            shown(&line),
            "1970-01-01T00:00:00Z  failed    user.change  A  by first  Ann\u{fffd}[2J\u{fffd}Bob"
        );
        line.detail = None;
        line.provider = Some("Okta".to_owned());
        line.request_id = Some("f00".to_owned());
        line.changes = vec![AuditChange {
            attribute: "displayName".to_owned(),
            before: None,
            after: Some("Ann".into()),
        }];
        assert_eq!(
            shown(&line),
            "1970-01-01T00:00:00Z  failed    user.change  A  by first (Okta)  \
             [displayName: - → Ann]  request f00"
        );
    }

    #[test]
    fn lines_are_chosen_by_outcome_and_by_id_or_name() {
        let line = |target: &str, detail: &str| AuditEntry {
            at: OffsetDateTime::UNIX_EPOCH,
            actor: "first".into(),
            action: "user.suspend".into(),
            target: target.into(),
            outcome: AuditOutcome::Refused,
            detail: Some(detail.into()),
            changes: Vec::new(),
            provider: None,
            request_id: None,
        };
        let by_address = line("A", "ann@example.com: the guard stands");
        for (word, target, chosen) in [
            (None, None, true),
            (Some("refused"), Some("a"), true),
            (Some("done"), Some("A"), false),
            (None, Some("ann@example.com"), true),
            (None, Some("ann"), false),
            (None, Some("B"), false),
        ] {
            let audit = Audit {
                since: Since::Ago(Duration::ZERO),
                outcome: word.map(|word| outcome(word).unwrap()),
                target: target.map(str::to_owned),
                json: false,
                place: Place::at(crate::credentials::Source::File("s".into())),
            };
            assert_eq!(audit.concerns(&by_address), chosen, "{word:?} {target:?}");
        }
        assert!(outcome("Done").is_err());
    }
}
