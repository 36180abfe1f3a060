//! `scim-bridge preview`: what a bridge that only observes would have done.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{
    Failure,
    audit::{self, Since},
    bridge,
    kept::Place,
    terminal::{Output, plain},
    token::moment,
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
    let shown = [AuditOutcome::Observed, AuditOutcome::Refused];
    audit::each(bridge, since, |line| {
        match shown.contains(&line.outcome) && line.actor != bridge::ACTOR {
            true => see(line),
            false => Ok(()),
        }
    })
    .await
}

fn columns(line: &AuditEntry) -> [String; 6] {
    [
        moment(line.at),
        plain(&line.actor),
        line.outcome.as_str().to_owned(),
        plain(&line.action),
        plain(&line.target),
        plain(line.detail.as_deref().unwrap_or_default()),
    ]
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
            AuditOutcome::Done | AuditOutcome::Failed => return,
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
    fn what_others_wrote_cannot_command_a_terminal() {
        let line = AuditEntry {
            at: OffsetDateTime::UNIX_EPOCH,
            actor: "okta".into(),
            action: "user.invite".into(),
            target: "A".into(),
            outcome: AuditOutcome::Observed,
            detail: Some("Ann\u{1b}[2J\nBob".into()),
            changes: Vec::new(),
            provider: None,
            request_id: None,
        };
        assert_eq!(columns(&line)[5], "Ann\u{fffd}[2J\u{fffd}Bob");
    }
}
