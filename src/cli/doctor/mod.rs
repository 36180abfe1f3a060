//! `scim-bridge doctor`: a look at a bridge from outside, as an identity provider takes it.
//!
//! What is looked at is a table, [`checks`]. The token is shown to nothing that does not answer as a
//! bridge, and not in plain HTTP.

use std::{collections::HashSet, time::Duration};

use clap::builder::NonEmptyStringValueParser;
use reqwest::Url;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use self::{
    checks::{CHECKS, Check, Provider, When, Work},
    deep::Deep,
    finding::{Finding, State, Verdict},
    visit::{Ask, Visit},
};
use super::{
    Failure, SECRET_PREFIXES, Status, credentials, extra_roots,
    kept::{Kept, Place},
    terminal::{self, Output},
};

mod checks;
mod deep;
mod finding;
mod network;
mod reads;
mod steps;
mod visit;

#[derive(clap::Args)]
pub struct Doctor {
    /// The Tenant URL as the provider has it, such as https://scim.example.com/scim/v2. Without one
    /// only the scimsession at hand is looked at.
    url: Option<String>,
    /// Do only what this provider does when it connects, not what all of them do.
    #[arg(long, value_enum)]
    provider: Option<Provider>,
    /// Also make, change and remove a test person and a test group.
    ///
    /// The account mails an invitation to this address: take one that you read, and that nobody in
    /// the account has. The person stays in the account, suspended; the next run takes them again.
    #[arg(long, value_name = "EMAIL", requires = "url", value_parser = NonEmptyStringValueParser::new())]
    deep: Option<String>,
    /// How many seconds an answer may take: gateways give up after 29.
    #[arg(long, value_name = "SECONDS", default_value_t = 29, value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout: u64,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    output: Output,
}

/// What came of a check.
struct Row {
    check: &'static Check,
    verdict: Verdict,
    /// It waits for another, which failed.
    blocked: bool,
}

/// For the help text.
pub fn help() -> String {
    format!(
        "Examples:
  scim-bridge doctor https://scim.example.com/scim/v2
  SCIM_BRIDGE_TOKEN=$(cat bearer-token) scim-bridge doctor https://scim.example.com/scim/v2 --json
  scim-bridge doctor https://scim.example.com/scim/v2 --provider okta --deep doctor@example.com

The token is taken from SCIM_BRIDGE_TOKEN or asked for, sent only over TLS (or on this machine) to
what answers as a bridge, and never shown. With a scimsession (--scimsession or
SCIM_BRIDGE_SCIMSESSION) the credentials are looked at too, as by scim-bridge credentials check.

Exit status:
  0  nothing failed; there may be warnings
  1  something failed
  2  wrong usage
  3  the token is mistyped, unknown, expired, or a monitor's
  5  the bridge is out of reach
If several things failed it is that of the first.

Checks in their order, and when they are ok (docs/doctor.md also says what to do if not):
{}",
        checks::list().trim_end()
    )
}

/// Looks, and shows what was seen.
pub async fn run(doctor: Doctor) -> Result<(), Failure> {
    let url = doctor.url.as_deref().map(parse).transpose()?;
    let at_hand = url.is_none() || doctor.place.is_given();
    let mut visit = match url {
        Some(url) => {
            let token = terminal::secret("SCIM_BRIDGE_TOKEN", "The bridge's bearer token")?;
            let token = Zeroizing::new(token.trim().to_owned());
            let timeout = Duration::from_secs(doctor.timeout);
            let mut visit = Visit::new(url, token, timeout, extra_roots()?.as_deref())?;
            if let Some(email) = &doctor.deep {
                visit.deep = Some(
                    Deep::new(email.trim().to_owned())
                        .map_err(|finding| Failure::failed(finding.seen))?,
                );
            }
            Some(visit)
        }
        None => None,
    };
    let chosen = CHECKS.iter().filter(|check| match check.when {
        When::Always => visit.is_some(),
        When::For(provider) => {
            visit.is_some() && doctor.provider.is_none_or(|only| only == provider)
        }
        When::Deep | When::DeepEnd => doctor.deep.is_some(),
        When::AtHand => at_hand,
    });
    let chosen: Vec<&'static Check> = chosen.collect();
    let mut rows: Vec<Row> = Vec::new();
    let mut blocked = HashSet::new();
    let mut interrupted = false;
    for check in chosen {
        let cause = check.after.iter().find(|id| blocked.contains(*id));
        let mut verdict = match (cause, &mut visit) {
            (Some(cause), _) => Err(Finding::skipped(format!("waits for {cause}"))),
            _ if interrupted && check.when != When::DeepEnd => Err(Finding::skipped("interrupted")),
            (None, visit) => {
                let work = look(check, visit.as_mut(), &doctor.place);
                match check.when {
                    // Who interrupts wants it to end, not to leave things behind.
                    When::Deep => tokio::select! {
                        verdict = work => verdict,
                        _ = tokio::signal::ctrl_c() => {
                            interrupted = true;
                            Err(Finding::failed("interrupted").fix("Run it again"))
                        }
                    },
                    _ => work.await,
                }
            }
        };
        let is_blocked = cause.is_some()
            || verdict
                .as_ref()
                .is_err_and(|finding| finding.state == State::Failed);
        if is_blocked {
            blocked.insert(check.id);
        }
        if let Err(finding) = &mut verdict
            && [State::Warning, State::Failed].contains(&finding.state)
        {
            finding.fix.get_or_insert_with(|| check.remedy.to_owned());
        }
        // One place sees all that is shown.
        if let Some(visit) = &visit {
            verdict = match verdict {
                Ok(seen) => Ok(visit.clean(&seen)),
                Err(finding) => Err(Finding {
                    seen: visit.clean(&finding.seen),
                    fix: finding.fix.as_deref().map(|fix| visit.clean(fix)),
                    ..finding
                }),
            };
        }
        rows.push(Row {
            check,
            verdict,
            blocked: cause.is_some(),
        });
    }
    let report = Report {
        url: visit.as_ref().map(|visit| visit.base.as_str()),
        rows: &rows,
        left: visit
            .as_ref()
            .and_then(|visit| visit.deep.as_ref())
            .map(|deep| &deep.left[..]),
    };
    doctor.output.show(&report.to_json(), &report.to_text())?;
    match report.failed().next() {
        None => Ok(()),
        Some((check, finding)) => Err(Failure {
            reason: format!(
                "{} of {} checks failed, the first of them {}",
                report.failed().count(),
                rows.len(),
                check.id
            ),
            status: finding.status,
        }),
    }
}

/// The URL, if it can be one. What was given is not repeated: it may hold a secret.
fn parse(text: &str) -> Result<Url, Failure> {
    if SECRET_PREFIXES.iter().any(|prefix| text.contains(prefix)) {
        return Err(Failure::usage(
            "the URL holds the secret itself, which belongs in no argument: it is asked for, or \
             taken from SCIM_BRIDGE_TOKEN",
        ));
    }
    let url = Url::parse(text.trim()).ok();
    let url = url.filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
    let Some(url) = url else {
        return Err(Failure::usage(
            "that is no URL: give all of it, such as https://scim.example.com/scim/v2",
        ));
    };
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(Failure::usage(
            "give the URL without a user, a password or a part behind #",
        ));
    }
    Ok(url)
}

/// Does what the table says.
async fn look(check: &Check, visit: Option<&mut Visit>, place: &Place) -> Verdict {
    match (&check.work, visit) {
        (Work::Credentials, visit) => at_hand(place, visit.map(|visit| &*visit)).await,
        (_, None) => Err(Finding::skipped("there is no URL")),
        (Work::Other(_, step), Some(visit)) => step(visit).await,
        (Work::Read(path, judge), Some(visit)) => {
            let path = path.replace("{nobody}", &steps::random_name()?);
            judge(&visit.get(&path).await?)
        }
        (Work::ReadPacked(path, judge), Some(visit)) => {
            let ask = Ask {
                packed: true,
                ..visit.read(path)
            };
            judge(&visit.ask(ask).await?)
        }
    }
}

/// What `scim-bridge credentials check` says of the scimsession at hand.
async fn at_hand(place: &Place, visit: Option<&Visit>) -> Verdict {
    open_at_hand(place, visit).await.map_err(|failure| {
        let fix = match failure.status {
            Status::Missing => {
                "Say where it is with SCIM_BRIDGE_SCIMSESSION; if there is none yet, run \
                 scim-bridge setup"
            }
            Status::Unreachable => {
                "See whether it can be reached from here (network, firewall, address), and try again"
            }
            Status::Refused => {
                "If a token or key is not taken, take one that scim-bridge token list shows; if the \
                 account takes the credentials no more, make new ones with scim-bridge setup \
                 --replace"
            }
            Status::Failed | Status::Usage => return Finding::from(failure),
        };
        Finding::from(failure).fix(fix)
    })
}

async fn open_at_hand(place: &Place, visit: Option<&Visit>) -> Result<String, Failure> {
    let kept = Kept::read(place).await?;
    let opener = match (kept.opener_at_hand().await?, visit) {
        (Some(opener), _) => opener,
        (None, Some(visit)) => kept.opener_of(&visit.token)?,
        (None, None) => kept.opener().await?,
    };
    let (_, text) = credentials::check(&kept, &*opener).await?;
    Ok(text.trim().to_owned())
}

/// All that was seen.
struct Report<'a> {
    url: Option<&'a str>,
    rows: &'a [Row],
    /// What was left in the account, if anything was made there.
    left: Option<&'a [String]>,
}

impl Report<'_> {
    fn failed(&self) -> impl Iterator<Item = (&'static Check, &Finding)> {
        self.rows.iter().filter_map(|row| match &row.verdict {
            Err(finding) if finding.state == State::Failed => Some((row.check, finding)),
            _ => None,
        })
    }

    fn count(&self, state: State) -> usize {
        self.rows.iter().filter(|row| row.state() == state).count()
    }

    fn result(&self) -> State {
        let any = |state| self.count(state) > 0;
        match (any(State::Failed), any(State::Warning)) {
            (true, _) => State::Failed,
            (false, true) => State::Warning,
            (false, false) => State::Ok,
        }
    }

    fn to_json(&self) -> Value {
        let checks = self.rows.iter().map(|row| {
            json!({
                "id": row.check.id,
                "state": row.state(),
                "seen": row.seen(),
                "fix": row.fix(),
            })
        });
        json!({
            "url": self.url,
            "version": env!("CARGO_PKG_VERSION"),
            "result": self.result(),
            "counts": {
                "ok": self.count(State::Ok),
                "warning": self.count(State::Warning),
                "failed": self.count(State::Failed),
                "skipped": self.count(State::Skipped),
            },
            "left": self.left.unwrap_or_default(),
            "checks": checks.collect::<Vec<_>>(),
        })
    }

    fn to_text(&self) -> String {
        let width = self.rows.iter().map(|row| row.check.id.len());
        let width = width.max().unwrap_or(0);
        let margin = format!("{:width$}", "", width = "FAILED".len() + width + 5);
        let indented = |lines: &str| lines.replace('\n', &format!("\n{margin}"));
        let mut text = String::new();
        for row in self.rows.iter().filter(|row| !row.blocked) {
            let (state, id) = (row.state().shown(), row.check.id);
            text += &format!("{state:7}  {id:width$}  {}\n", indented(row.seen()));
            if let Some(fix) = row.fix() {
                text += &format!("{margin}→ {}\n", indented(fix));
            }
        }
        let blocked: Vec<_> = self.rows.iter().filter(|row| row.blocked).collect();
        if !blocked.is_empty() {
            let ids: Vec<_> = blocked.iter().map(|row| row.check.id).collect();
            text += &format!(
                "\nNot looked at, because of what failed: {}.\n",
                ids.join(", ")
            );
        }
        let counts = [State::Ok, State::Warning, State::Failed, State::Skipped]
            .map(|state| format!("{} {}", self.count(state), state.shown().to_lowercase()));
        text += &format!(
            "\n{}: {}\n",
            self.url.unwrap_or("scimsession"),
            counts.join(", ")
        );
        match self.left {
            Some([]) => text += "Nothing was left in the account.\n",
            Some(left) => text += &format!("Left in the account: {}.\n", left.join("; ")),
            None if self.url.is_some() => {
                text += "Nothing was changed: --deep EMAIL also invites, changes and suspends a \
                         test person.\n";
            }
            None => {}
        }
        text
    }
}

impl Row {
    fn state(&self) -> State {
        self.verdict
            .as_ref()
            .map_or_else(|finding| finding.state, |_| State::Ok)
    }

    fn seen(&self) -> &str {
        self.verdict
            .as_ref()
            .unwrap_or_else(|finding| &finding.seen)
    }

    fn fix(&self) -> Option<&str> {
        self.verdict
            .as_ref()
            .err()
            .and_then(|finding| finding.fix.as_deref())
    }
}
