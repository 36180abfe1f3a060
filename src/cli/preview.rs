//! `scim-bridge preview`: what a bridge that only observes would have done.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    str::FromStr,
};

use serde_json::{Value, json};
use time::{Date, Duration, OffsetDateTime, Time, format_description::well_known::Iso8601};

use super::{
    Failure, bridge,
    kept::Place,
    terminal::Output,
    token::{duration, moment},
};
use crate::{
    bridge::Bridge,
    state::{AuditEntry, AuditOutcome},
};

/// Texts longer than this stand out of their column.
const WIDEST: usize = 40;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    scim-bridge preview\n  \
    scim-bridge preview --since 24h\n  \
    scim-bridge preview --since 2026-11-22 --json")]
pub struct Preview {
    /// From when on: `24h`, `7d`, or a day such as `2026-11-22` (UTC) [default: all that is kept].
    #[arg(long)]
    since: Option<Since>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    output: Output,
}

/// Where a look back begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
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
    fn at(self, now: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::Ago(time) => now.checked_sub(time).unwrap_or(OffsetDateTime::UNIX_EPOCH),
            Self::Day(date) => date.with_time(Time::MIDNIGHT).assume_utc(),
        }
    }
}

/// Shows what would have been done, and what a rule forbids.
pub async fn run(preview: Preview) -> Result<(), Failure> {
    let now = OffsetDateTime::now_utc();
    let since = preview.since.map(|since| since.at(now));
    let since = since.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let bridge = bridge::open(&preview.place).await?;
    let mut totals = Totals::default();
    if preview.output.is_json() {
        let mut lines = Vec::new();
        each(&bridge, since, |line| {
            totals.count(line);
            lines.push(serde_json::to_value(line)?);
            Ok(())
        })
        .await?;
        let value = json!({
            "lines": lines,
            "wouldBeDone": totals.observed,
            "refused": totals.refused,
        });
        return Ok(preview.output.show(&value, "")?);
    }
    // Twice, so that the columns fit without holding every line.
    let mut widths = HEADINGS.map(width);
    each(&bridge, since, |line| {
        totals.count(line);
        for (widest, text) in widths.iter_mut().zip(columns(line)) {
            *widest = (*widest).max(width(&text).min(WIDEST));
        }
        Ok(())
    })
    .await?;
    if totals.is_empty() {
        return Ok(preview.output.show(&Value::Null, NOTHING)?);
    }
    let mut out = io::BufWriter::new(io::stdout());
    writeln!(out, "{}", row(HEADINGS, widths))?;
    each(&bridge, since, |line| {
        let columns = columns(line);
        let columns = columns.each_ref().map(String::as_str);
        Ok(writeln!(out, "{}", row(columns, widths))?)
    })
    .await?;
    write!(out, "\n{}", totals.to_text())?;
    Ok(out.flush()?)
}

const NOTHING: &str = "\
There is nothing to show: nobody asked for a change while the bridge was observing.
Start it with SCIM_BRIDGE_MODE=observe: it then answers providers as if, changes nothing, and notes
what it would have done.";

const HEADINGS: [&str; 6] = ["TIME", "WHO", "OUTCOME", "ACTION", "TARGET", "DETAIL"];

/// Goes through the lines about what was not done, in the order of time.
async fn each(
    bridge: &Bridge,
    since: OffsetDateTime,
    mut see: impl FnMut(&AuditEntry) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let (lines, next) = bridge.audit_lines(since, after.as_deref()).await?;
        let concerns =
            |line: &&AuditEntry| line.outcome != AuditOutcome::Done && line.actor != bridge::ACTOR;
        lines.iter().filter(concerns).try_for_each(&mut see)?;
        after = next;
        if after.is_none() {
            return Ok(());
        }
    }
}

fn columns(line: &AuditEntry) -> [String; 6] {
    let outcome = match line.outcome {
        AuditOutcome::Done => "done",
        AuditOutcome::Refused => "refused",
        AuditOutcome::Observed => "observed",
    };
    [
        moment(line.at),
        plain(&line.actor),
        outcome.to_owned(),
        plain(&line.action),
        plain(&line.target),
        plain(line.detail.as_deref().unwrap_or_default()),
    ]
}

/// What others wrote, without what a terminal would obey.
fn plain(text: &str) -> String {
    let shown = |letter: char| match letter.is_control() {
        true => char::REPLACEMENT_CHARACTER,
        false => letter,
    };
    text.chars().map(shown).collect()
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn row(columns: [&str; 6], widths: [usize; 6]) -> String {
    let padded = columns
        .iter()
        .zip(widths)
        .map(|(text, width)| format!("{text:width$}"));
    let row = padded.collect::<Vec<_>>().join("  ");
    row.trim_end().to_owned()
}

/// How often what would have been done, or was refused.
#[derive(Default)]
struct Totals {
    observed: BTreeMap<String, u64>,
    refused: BTreeMap<String, u64>,
}

impl Totals {
    fn count(&mut self, line: &AuditEntry) {
        let totals = match line.outcome {
            AuditOutcome::Done => return,
            AuditOutcome::Observed => &mut self.observed,
            AuditOutcome::Refused => &mut self.refused,
        };
        *totals.entry(line.action.clone()).or_default() += 1;
    }

    fn is_empty(&self) -> bool {
        self.observed.is_empty() && self.refused.is_empty()
    }

    fn to_text(&self) -> String {
        let mut text = String::new();
        for (what, totals) in [
            ("Would be done", &self.observed),
            ("Refused by a rule", &self.refused),
        ] {
            let totals: Vec<_> = totals
                .iter()
                .map(|(action, count)| format!("{} {count}", plain(action)))
                .collect();
            if !totals.is_empty() {
                text += &format!("{what}: {}\n", totals.join(", "));
            }
        }
        text
    }
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
    fn what_others_wrote_cannot_command_a_terminal() {
        let line = AuditEntry {
            at: OffsetDateTime::UNIX_EPOCH,
            actor: "okta".into(),
            action: "user.invite".into(),
            target: "A".into(),
            outcome: AuditOutcome::Observed,
            detail: Some("Ann\u{1b}[2J\nBob".into()),
        };
        assert_eq!(columns(&line)[5], "Ann\u{fffd}[2J\u{fffd}Bob");
    }
}
