//! The bridge's own state, for monitors: JSON in the shape that monitors of SCIM bridges read, and
//! Prometheus text.
//!
//! It is drawn from what the parts last noted in the state store and from the stored credentials, so
//! that every process says the same, also one that can open nothing. Nobody else is asked. Only
//! labels, ids and times of tokens are shown, never their values.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use super::Gate;
use crate::{
    credentials::{Access, Loaded, Recipient, ScimSession, Scope},
    metrics::{self, Exposition},
    state::{self, AccountHeartbeat, Heartbeats, ProviderHeartbeat, SweepHeartbeat, SweepOutcome},
};

/// How long a report is to be believed that was made by looking.
const LIFE: Duration = Duration::minutes(10);
/// For how long an account that is out of reach is no outage yet: so long it takes until another
/// process says that it was let in.
const PASSING: Duration = Duration::minutes(5);
/// How long before its end a token is spoken of: so long, or a quarter of its life.
const NOTICE: Duration = Duration::days(14);

/// The state of a part, or of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All is well.
    Healthy,
    /// It works, and somebody should look at it.
    Degraded,
    /// Waits for a request that brings a token.
    Locked,
    /// Does not work.
    Down,
}

/// What `/health` answers.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// The worst of the reports.
    pub state: Verdict,
    build: &'static str,
    version: &'static str,
    /// One for each part.
    pub reports: Vec<Report>,
    /// The scimsession in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<CredentialsInUse>,
    /// What was last heard of whom.
    pub activity: Activity,
    #[serde(with = "time::serde::rfc3339")]
    retrieved_at: OffsetDateTime,
    #[serde(skip)]
    guard: Option<GuardUse>,
    #[serde(skip)]
    last_token_ends: Option<OffsetDateTime>,
}

/// What the parts last noted.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Activity {
    /// The provider's requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderActivity>,
    /// The sweeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepActivity>,
    /// The account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountActivity>,
}

/// When the provider last called.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderActivity {
    /// Which provider it is, if it tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What people call its token.
    pub label: String,
    /// When it last asked for something.
    #[serde(with = "time::serde::rfc3339")]
    pub last_request: OffsetDateTime,
    /// When it last changed something.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub last_write: Option<OffsetDateTime>,
}

/// How the last sweep went.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepActivity {
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub last: OffsetDateTime,
    /// How often one is to come.
    pub every_seconds: u64,
    /// `ok`, or `failed`.
    pub outcome: &'static str,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it met, if it got through.
    #[serde(flatten)]
    pub people: Option<PeopleMet>,
    /// When one last let somebody in.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub last_confirmed: Option<OffsetDateTime>,
}

/// Of how many people a sweep made what.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PeopleMet {
    /// They are in now.
    pub confirmed: usize,
    /// They wait.
    pub waiting: usize,
    /// They are kept out.
    pub held: usize,
    /// They are tried again.
    pub failed: usize,
}

/// Whether the account lets the bridge in.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountActivity {
    /// When it last did.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub last_signed_in: Option<OffsetDateTime>,
    /// Since when it does not.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub since: Option<OffsetDateTime>,
    /// And why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How much of what the guard lets pass was used.
#[derive(Clone, Copy, Debug)]
pub struct GuardUse {
    /// People who were removed within the last hour.
    pub removed: u64,
    /// How many may be, however small the account is.
    pub limit: u64,
    /// Whether it refused something of late, and still would.
    pub refuses: bool,
}

/// How one part is doing.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The part.
    pub source: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    time: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    expires: OffsetDateTime,
    /// How it does.
    pub state: Verdict,
    /// Why it is not healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// Which scimsession the bridge works with.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialsInUse {
    /// Where it is kept.
    pub place: String,
    /// That place's name for the version.
    pub version: String,
    /// When this process read it.
    #[serde(with = "time::serde::rfc3339")]
    pub loaded_at: OffsetDateTime,
    /// Who can open it.
    pub recipients: Vec<RecipientInUse>,
}

/// A recipient, as a monitor may see it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecipientInUse {
    /// What people call it.
    pub label: String,
    /// `scim`, `admin`, `monitor` or `sweep`.
    pub scope: &'static str,
    /// Names its secret without telling it.
    pub key_id: String,
    /// When it ends, if ever.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub ends_at: Option<OffsetDateTime>,
}

/// What was found out about the parts.
pub struct Findings<'a> {
    /// Where the scimsession is kept.
    pub place: String,
    /// The scimsession in use.
    pub file: Option<&'a Loaded<ScimSession>>,
    /// What was wrong when its place was last asked, and the remedy.
    pub problem: Option<(String, &'static str)>,
    /// When the last of the provider's tokens ends, if all of them do.
    pub last_token_ends: Option<OffsetDateTime>,
    /// What the parts last noted.
    pub heartbeats: state::Result<Heartbeats>,
    /// How much of the guard is used, if that can be read.
    pub guard: Option<GuardUse>,
    /// The present.
    pub now: OffsetDateTime,
}

impl Health {
    /// Draws the conclusions.
    pub fn new(mut found: Findings<'_>) -> Self {
        // Whole seconds are easier to read, and nobody needs more.
        found.now = whole(found.now);
        let report = |source, finding: Finding| {
            let (time, expires) = finding.seen.unwrap_or((found.now, found.now + LIFE));
            Report {
                source,
                time: whole(time),
                expires: whole(expires),
                state: finding.state,
                reason: finding.reason,
                remedy: finding.remedy,
            }
        };
        let reports = vec![
            report("SCIMServer", scim_server(&found)),
            report("AccountService", account_service(&found)),
            report("StateStore", state_store(&found)),
            report("ConfirmationWatcher", confirmation_watcher(&found)),
            report("StartProvisionWatcher", sweep(&found)),
            report("RemovalGuard", removal_guard(&found)),
        ];
        Self {
            state: reports
                .iter()
                .map(|report| report.state)
                .max()
                .unwrap_or(Verdict::Healthy),
            build: env!("CARGO_PKG_VERSION"),
            version: env!("CARGO_PKG_VERSION"),
            reports,
            credentials: found.file.map(|file| CredentialsInUse {
                place: found.place.clone(),
                version: file.version.clone(),
                loaded_at: whole(file.at),
                recipients: file.value.recipients().iter().map(shown).collect(),
            }),
            activity: found.heartbeats.map(Activity::from).unwrap_or_default(),
            retrieved_at: found.now,
            guard: found.guard,
            last_token_ends: found.last_token_ends,
        }
    }

    /// The same for Prometheus; what this process has counted only if it is `alone`.
    fn to_prometheus(&self, alone: bool) -> String {
        let seconds = |at: OffsetDateTime| at.unix_timestamp();
        let mut text = Exposition::default();
        text.gauges(&metrics::INFO, [(vec![("version", self.version)], 1)]);
        text.gauges(
            &metrics::HEALTHY,
            self.reports.iter().map(|report| {
                let healthy = report.state == Verdict::Healthy;
                (vec![("source", report.source)], u8::from(healthy))
            }),
        );
        let Activity {
            provider,
            sweep,
            account,
        } = &self.activity;
        if let Some(provider) = provider {
            text.gauge(&metrics::LAST_REQUEST, seconds(provider.last_request));
            text.known(&metrics::LAST_WRITE, provider.last_write.map(seconds));
        }
        if let Some(sweep) = sweep {
            text.gauge(&metrics::LAST_SWEEP, seconds(sweep.last));
            text.known(&metrics::WAITING, sweep.people.map(|met| met.waiting));
            text.known(&metrics::HELD, sweep.people.map(|met| met.held));
            text.known(&metrics::LAST_CONFIRMED, sweep.last_confirmed.map(seconds));
        }
        if let Some(account) = account {
            text.known(
                &metrics::LAST_SIGNED_IN,
                account.last_signed_in.map(seconds),
            );
        }
        if let Some(guard) = self.guard {
            text.gauge(&metrics::GUARD_USED, guard.removed);
            text.gauge(&metrics::GUARD_LIMIT, guard.limit);
        }
        if let Some(end) = self.last_token_ends {
            let days = (end - self.retrieved_at).as_seconds_f64() / 86_400.0;
            text.gauge(&metrics::DAYS_TO_TOKEN_EXPIRY, days.max(0.0));
        }
        if let Some(credentials) = &self.credentials {
            text.gauges(
                &metrics::CREDENTIALS_LOADED,
                [(
                    vec![("version", &*credentials.version)],
                    seconds(credentials.loaded_at),
                )],
            );
            text.gauges(
                &metrics::TOKEN_END,
                credentials.recipients.iter().filter_map(|one| {
                    let labels = vec![
                        ("label", &*one.label),
                        ("scope", one.scope),
                        ("key_id", &*one.key_id),
                    ];
                    Some((labels, seconds(one.ends_at?)))
                }),
            );
        }
        if alone {
            text.counters();
        }
        text.into_text()
    }
}

impl From<Heartbeats> for Activity {
    fn from(noted: Heartbeats) -> Self {
        Self {
            provider: noted.provider.map(ProviderActivity::from),
            sweep: noted.sweep.map(SweepActivity::from),
            account: noted.account.map(AccountActivity::from),
        }
    }
}

impl From<ProviderHeartbeat> for ProviderActivity {
    fn from(noted: ProviderHeartbeat) -> Self {
        Self {
            kind: noted.kind,
            label: noted.label,
            last_request: whole(noted.last_request),
            last_write: noted.last_write.map(whole),
        }
    }
}

impl From<SweepHeartbeat> for SweepActivity {
    fn from(noted: SweepHeartbeat) -> Self {
        let (people, reason) = match noted.outcome {
            SweepOutcome::Done {
                confirmed,
                waiting,
                held,
                failed,
            } => {
                let met = PeopleMet {
                    confirmed,
                    waiting,
                    held,
                    failed,
                };
                (Some(met), None)
            }
            SweepOutcome::Locked { reason }
            | SweepOutcome::Unopened { reason }
            | SweepOutcome::Stopped { reason } => (None, Some(reason)),
        };
        Self {
            last: whole(noted.at),
            every_seconds: noted.every_seconds,
            outcome: match people {
                Some(_) => "ok",
                None => "failed",
            },
            reason,
            people,
            last_confirmed: noted.last_confirmed.map(whole),
        }
    }
}

impl From<AccountHeartbeat> for AccountActivity {
    fn from(noted: AccountHeartbeat) -> Self {
        let (since, error) = match noted.trouble {
            Some(trouble) => (Some(whole(trouble.since)), Some(trouble.reason)),
            None => (None, None),
        };
        Self {
            last_signed_in: noted.last_signed_in.map(whole),
            since,
            error,
        }
    }
}

/// What was found out about a part.
struct Finding {
    state: Verdict,
    reason: Option<String>,
    remedy: Option<String>,
    /// When it was noted, and until when that is believed; `None` if it was found by looking now.
    seen: Option<(OffsetDateTime, OffsetDateTime)>,
}

const HEALTHY: Finding = Finding {
    state: Verdict::Healthy,
    reason: None,
    remedy: None,
    seen: None,
};

impl Finding {
    fn noted(self, at: OffsetDateTime, until: OffsetDateTime) -> Self {
        Self {
            seen: Some((at, until)),
            ..self
        }
    }
}

fn finding(state: Verdict, reason: impl Into<String>, remedy: &str) -> Finding {
    Finding {
        state,
        reason: Some(reason.into()),
        remedy: Some(remedy.to_owned()),
        seen: None,
    }
}

fn scim_server(found: &Findings<'_>) -> Finding {
    if let Some((reason, remedy)) = &found.problem {
        // With an older version still in use the doors are open.
        let state = match found.file {
            Some(_) => Verdict::Degraded,
            None => Verdict::Down,
        };
        return finding(state, reason, remedy);
    }
    if found.last_token_ends.is_some_and(|end| end <= found.now) {
        return finding(
            Verdict::Down,
            "every token of a provider has ended",
            "make one with scim-bridge token add, and give it to the provider",
        );
    }
    let ending = found
        .file
        .iter()
        .flat_map(|file| file.value.recipients())
        .filter(|one| one.retires_at.is_none())
        .filter_map(|one| Some((one, one.expires_at?)))
        .filter(|(one, end)| {
            let notice = NOTICE.min((*end - one.created_at) / 4);
            *end > found.now && *end < found.now + notice
        })
        .min_by_key(|(_, end)| *end);
    match ending {
        Some((recipient, end)) => finding(
            Verdict::Degraded,
            format!("the token {:?} ends on {}", recipient.label, end.date()),
            "issue a new one with scim-bridge token rotate",
        ),
        None => HEALTHY,
    }
}

fn account_service(found: &Findings<'_>) -> Finding {
    let Ok(heartbeats) = &found.heartbeats else {
        return unheard();
    };
    let noted = match &heartbeats.account {
        Some(noted) => noted,
        None if is_strict(found) => return locked("no provider has called yet"),
        None => {
            return finding(
                Verdict::Degraded,
                "nobody has asked the account for anything yet",
                "wait for the first sweep or the provider's first request",
            );
        }
    };
    match &noted.trouble {
        // It is not over before the account has let somebody in; who is let in says so seldom, so
        // that what passes is no outage at once.
        Some(trouble) => finding(
            match trouble.refused || found.now - trouble.since >= PASSING {
                true => Verdict::Down,
                false => Verdict::Degraded,
            },
            &trouble.reason,
            match trouble.refused {
                true => "make new credentials with scim-bridge setup --replace",
                false => "see whether the account can be reached from where the bridge runs",
            },
        )
        .noted(noted.at, noted.until.max(found.now)),
        None if noted.until > found.now => HEALTHY.noted(noted.at, noted.until),
        None => {
            let since = clock(noted.at);
            let reason = format!("nobody has asked the account for anything since {since}");
            silent(found, reason)
        }
    }
}

fn state_store(found: &Findings<'_>) -> Finding {
    match &found.heartbeats {
        Ok(_) => HEALTHY,
        Err(error) => finding(
            Verdict::Down,
            error.to_string(),
            "see whether the store is there, and whether the bridge may read and write it",
        ),
    }
}

fn removal_guard(found: &Findings<'_>) -> Finding {
    match found.guard {
        Some(guard) if guard.refuses => finding(
            Verdict::Degraded,
            "the guard refused what the provider asked for: to remove more people than may be in \
             an hour, or to empty a large group",
            "see at the provider whether it is meant; if so, lift the guard with scim-bridge guard \
             lift",
        ),
        _ => HEALTHY,
    }
}

/// Letting people in: that sweeps come, and that nobody's confirmation failed in the last one.
fn confirmation_watcher(found: &Findings<'_>) -> Finding {
    let finding_of_sweep = sweep(found);
    let heartbeats = found.heartbeats.as_ref().ok();
    match heartbeats.and_then(|heartbeats| heartbeats.sweep.as_ref()) {
        Some(SweepHeartbeat {
            outcome: SweepOutcome::Done { failed: 1.., .. },
            at,
            until,
            ..
        }) if finding_of_sweep.state == Verdict::Healthy => finding(
            Verdict::Degraded,
            "a confirmation failed in the last sweep",
            "it is tried again; scim-bridge confirmations list says whose it is, and why",
        )
        .noted(*at, *until),
        _ => finding_of_sweep,
    }
}

/// Noticing who has signed up: that sweeps come.
fn sweep(found: &Findings<'_>) -> Finding {
    let Ok(heartbeats) = &found.heartbeats else {
        return unheard();
    };
    let noted = match &heartbeats.sweep {
        Some(noted) => noted,
        None if is_strict(found) => return locked("there is no sweep key, and no sweep yet"),
        None => {
            return finding(
                Verdict::Degraded,
                "no sweep has reported yet",
                "wait a few minutes for the first one; if it stays so, see that the schedule runs",
            );
        }
    };
    if noted.until <= found.now {
        let since = clock(noted.at);
        return silent(found, format!("no sweep has reported since {since}"));
    }
    let finding = match &noted.outcome {
        SweepOutcome::Done { .. } => HEALTHY,
        SweepOutcome::Locked { reason } => locked(reason),
        SweepOutcome::Unopened { reason } => finding(
            Verdict::Degraded,
            reason,
            "give the sweep a key that opens the scimsession, with scim-bridge token add --scope \
             sweep",
        ),
        SweepOutcome::Stopped { reason } => finding(
            Verdict::Degraded,
            reason,
            "the next sweep goes on where this one stopped; if it stays so, see what is \
             said of account and store",
        ),
    };
    finding.noted(noted.at, noted.until)
}

/// Whether nobody is expected to sweep before a provider has called.
fn is_strict(found: &Findings<'_>) -> bool {
    found.file.is_some_and(|file| !file.value.has_a_sweep_key())
}

fn locked(reason: &str) -> Finding {
    finding(
        Verdict::Locked,
        reason,
        "wait for the provider's next request, or give the sweep a key of its own with scim-bridge \
         token add --scope sweep",
    )
}

/// Nothing was heard for too long.
fn silent(found: &Findings<'_>, reason: String) -> Finding {
    match is_strict(found) {
        true => locked(&reason),
        false => finding(
            Verdict::Degraded,
            reason,
            "see that the schedule runs, and in its log why it does not report",
        ),
    }
}

/// Where it would be noted cannot be read.
fn unheard() -> Finding {
    finding(
        Verdict::Degraded,
        "what was last heard of it is in the state store, which does not answer",
        "see what is said of the state store",
    )
}

fn whole(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(0).unwrap_or(at)
}

/// A moment, in a sentence.
fn clock(at: OffsetDateTime) -> String {
    whole(at).format(&Rfc3339).unwrap_or_default()
}

fn shown(recipient: &Recipient) -> RecipientInUse {
    RecipientInUse {
        label: recipient.label.clone(),
        scope: match recipient.access {
            Access::Bearer { scope: Scope::Scim } => "scim",
            Access::Bearer {
                scope: Scope::Admin,
            } => "admin",
            Access::Bearer {
                scope: Scope::Monitor,
            } => "monitor",
            Access::Sweep => "sweep",
        },
        key_id: recipient.key_id.clone(),
        ends_at: recipient.ends_at(),
    }
}

/// `GET /health`: 503 if the bridge is down, else 200.
pub(super) async fn health(State(gate): State<Arc<dyn Gate>>) -> Response {
    let health = gate.health().await;
    let status = match health.state {
        Verdict::Down => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    (status, [NO_STORE], axum::Json(health)).into_response()
}

/// `GET /metrics`, of a process that answers all requests `alone` or is one of many.
pub(super) async fn metrics(State(gate): State<Arc<dyn Gate>>, alone: bool) -> Response {
    let media_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    let text = gate.health().await.to_prometheus(alone);
    ([NO_STORE, (CONTENT_TYPE, media_type)], text).into_response()
}

const NO_STORE: (axum::http::HeaderName, HeaderValue) =
    (CACHE_CONTROL, HeaderValue::from_static("no-store"));

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        credentials::{BearerToken, Credentials, Error, Holder, NewRecipient, SweepKey},
        state::AccountTrouble,
    };

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn file(expires_in: Option<Duration>) -> Loaded<ScimSession> {
        sealed(expires_in, true)
    }

    fn without_a_sweep_key() -> Loaded<ScimSession> {
        sealed(None, false)
    }

    fn sealed(expires_in: Option<Duration>, has_a_sweep_key: bool) -> Loaded<ScimSession> {
        let token = BearerToken::generate().unwrap();
        let credentials: Credentials = serde_json::from_str(
            r#"{"connector": "native", "signInAddress": "https://x.example", "email": "p@x.example",
                "userAuth": {"method": "SRPg-4096", "alg": "PBES2g-HS256", "iterations": 1, "salt": ""},
                "srpX": "0000000000000000000000000000000000000000000000000000000000000000",
                "muk": {"kid": "mp", "kty": "oct", "alg": "A256GCM", "ext": true, "key_ops": [],
                        "k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
                "secretKey": "", "deviceUuid": "d"}"#,
        )
        .unwrap();
        let recipient = NewRecipient {
            holder: Holder::Provider(&token),
            label: "the \"first\"",
            expires_at: expires_in.map(|time| NOW + time),
        };
        let key = SweepKey::generate().unwrap();
        let sweep = NewRecipient::lasting(Holder::Sweep(&key), "sweep");
        let all = [recipient, sweep];
        let recipients = match has_a_sweep_key {
            true => &all[..],
            false => &all[..1],
        };
        Loaded {
            value: credentials.seal(recipients, NOW).unwrap(),
            version: "v7".to_owned(),
            at: NOW,
            number: 1,
        }
    }

    fn findings(file: Option<&Loaded<ScimSession>>) -> Findings<'_> {
        Findings {
            place: "here".to_owned(),
            file,
            problem: None,
            last_token_ends: None,
            heartbeats: Ok(Heartbeats {
                provider: None,
                sweep: Some(swept(SweepOutcome::Done {
                    confirmed: 1,
                    waiting: 2,
                    held: 3,
                    failed: 0,
                })),
                account: Some(AccountHeartbeat {
                    at: NOW,
                    until: NOW + Duration::days(99),
                    last_signed_in: Some(NOW),
                    trouble: None,
                }),
            }),
            guard: None,
            now: NOW,
        }
    }

    fn swept(outcome: SweepOutcome) -> SweepHeartbeat {
        SweepHeartbeat {
            at: NOW,
            until: NOW + Duration::days(99),
            every_seconds: 60,
            outcome,
            last_confirmed: Some(NOW),
        }
    }

    /// What is said of a part.
    fn of<'a>(health: &'a Health, source: &str) -> &'a Report {
        let mut reports = health.reports.iter();
        reports.find(|report| report.source == source).unwrap()
    }

    #[test]
    fn the_verdict_is_the_worst_report() {
        let (fine, ending) = (file(None), file(Some(Duration::days(90))));
        let strict = without_a_sweep_key();
        let at = |days, file| Findings {
            now: NOW + Duration::days(days),
            ..findings(Some(file))
        };
        let unread = || Some((Error::Damaged.to_string(), "install it again"));
        let good = || findings(Some(&fine));
        let sweep = |outcome| {
            let mut found = good();
            found.heartbeats.as_mut().unwrap().sweep = Some(swept(outcome));
            found
        };
        let reason = || "because".to_owned();
        let trouble = |refused| {
            let mut found = at(200, &fine);
            let account = found.heartbeats.as_mut().unwrap().account.as_mut();
            account.unwrap().trouble = Some(AccountTrouble {
                since: NOW,
                reason: reason(),
                refused,
            });
            found
        };
        let never = |file| Findings {
            heartbeats: Ok(Heartbeats::default()),
            ..findings(Some(file))
        };
        let (scim, account) = ("SCIMServer", "AccountService");
        let (store, confirms) = ("StateStore", "ConfirmationWatcher");
        let notices = "StartProvisionWatcher";
        for (found, verdict, source, says, remedy) in [
            (good(), Verdict::Healthy, scim, "", ""),
            (at(75, &ending), Verdict::Healthy, scim, "", ""),
            (
                at(77, &ending),
                Verdict::Degraded,
                scim,
                "ends on",
                "rotate",
            ),
            // What has ended troubles nobody any more.
            (at(90, &ending), Verdict::Healthy, scim, "", ""),
            (
                Findings {
                    problem: unread(),
                    ..good()
                },
                Verdict::Degraded,
                scim,
                "damaged",
                "install it again",
            ),
            (
                Findings {
                    problem: unread(),
                    ..findings(None)
                },
                Verdict::Down,
                scim,
                "damaged",
                "install it again",
            ),
            (
                Findings {
                    heartbeats: Err(state::Error::Refused("no such table".to_owned())),
                    ..good()
                },
                Verdict::Down,
                store,
                "no such table",
                "read and write",
            ),
            // Deployed a moment ago.
            (
                never(&fine),
                Verdict::Degraded,
                notices,
                "no sweep has reported yet",
                "wait",
            ),
            (never(&fine), Verdict::Degraded, account, "yet", "wait"),
            (
                never(&strict),
                Verdict::Locked,
                account,
                "called yet",
                "wait",
            ),
            (never(&strict), Verdict::Locked, notices, "no sweep", "wait"),
            // The schedule stands still.
            (
                at(99, &fine),
                Verdict::Degraded,
                confirms,
                "no sweep has reported since 1970-01-01T00:00:00Z",
                "see that the schedule runs",
            ),
            (
                at(99, &fine),
                Verdict::Degraded,
                account,
                "since 1970",
                "the schedule",
            ),
            (
                at(99, &strict),
                Verdict::Locked,
                confirms,
                "since 1970",
                "sweep",
            ),
            (
                sweep(SweepOutcome::Locked { reason: reason() }),
                Verdict::Locked,
                confirms,
                "because",
                "--scope sweep",
            ),
            (
                sweep(SweepOutcome::Unopened { reason: reason() }),
                Verdict::Degraded,
                notices,
                "because",
                "--scope sweep",
            ),
            (
                sweep(SweepOutcome::Stopped { reason: reason() }),
                Verdict::Degraded,
                confirms,
                "because",
                "next sweep",
            ),
            (
                sweep(SweepOutcome::Done {
                    confirmed: 0,
                    waiting: 0,
                    held: 0,
                    failed: 1,
                }),
                Verdict::Degraded,
                confirms,
                "failed",
                "confirmations list",
            ),
            // It lasts until something better is heard.
            (
                trouble(true),
                Verdict::Down,
                account,
                "because",
                "setup --replace",
            ),
            (trouble(false), Verdict::Down, account, "because", "reached"),
        ] {
            let health = Health::new(found);
            assert_eq!(health.state, verdict, "{health:?}");
            let report = of(&health, source);
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            assert!(text(&report.reason).contains(says), "{report:?}");
            assert!(text(&report.remedy).contains(remedy), "{report:?}");
            for report in &health.reports {
                let healthy = report.state == Verdict::Healthy;
                assert_eq!(report.reason.is_none(), healthy);
                assert_eq!(report.remedy.is_none(), healthy);
                assert!(report.expires >= health.retrieved_at);
            }
        }
    }

    #[test]
    fn monitors_find_what_they_read() {
        let file = file(Some(Duration::days(90)));
        let mut found = findings(Some(&file));
        found.now += Duration::SECOND;
        found.heartbeats.as_mut().unwrap().provider = Some(ProviderHeartbeat {
            label: "first".to_owned(),
            kind: Some("Okta".to_owned()),
            last_request: NOW,
            last_write: None,
        });
        let health = serde_json::to_value(Health::new(found)).unwrap();
        assert_eq!(health["state"], "healthy");
        assert_eq!(health["retrievedAt"], "1970-01-01T00:00:01Z");
        let sources = [
            "SCIMServer",
            "AccountService",
            "StateStore",
            "ConfirmationWatcher",
            "StartProvisionWatcher",
        ];
        for (place, source) in sources.into_iter().enumerate() {
            assert_eq!(health["reports"][place]["source"], source);
        }
        assert_eq!(health["reports"][0]["expires"], "1970-01-01T00:10:01Z");
        // What was noted is believed for as long as its writer said.
        assert_eq!(health["reports"][3]["time"], "1970-01-01T00:00:00Z");
        assert_eq!(health["reports"][3]["expires"], "1970-04-10T00:00:00Z");
        assert_eq!(health["credentials"]["version"], "v7");
        assert_eq!(health["credentials"]["recipients"][0]["scope"], "scim");
        for member in ["build", "version"] {
            assert!(health[member].is_string());
        }
        let then = "1970-01-01T00:00:00Z";
        assert_eq!(
            health["activity"],
            json!({
                "provider": {"label": "first", "kind": "Okta", "lastRequest": then},
                "sweep": {"last": then, "everySeconds": 60, "outcome": "ok", "confirmed": 1,
                    "waiting": 2, "held": 3, "failed": 0, "lastConfirmed": then},
                "account": {"lastSignedIn": then},
            })
        );
    }

    #[test]
    fn prometheus_is_told_what_was_noted() {
        let file = file(Some(Duration::days(90)));
        let found = Findings {
            last_token_ends: Some(NOW + Duration::hours(36)),
            guard: Some(GuardUse {
                removed: 4,
                refuses: false,
                limit: 10,
            }),
            ..findings(Some(&file))
        };
        let health = Health::new(found);
        let text = health.to_prometheus(false);
        for line in [
            "scim_bridge_healthy{source=\"SCIMServer\"} 1\n",
            "label=\"the \\\"first\\\"\"",
            "} 7776000\n",
            "scim_bridge_last_sweep_timestamp_seconds 0\n",
            "scim_bridge_waiting 2\n",
            "scim_bridge_held 3\n",
            "scim_bridge_guard_used 4\n",
            "scim_bridge_guard_limit 10\n",
            "scim_bridge_days_to_token_expiry 1.5\n",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        // Nobody has called yet, and others may count too.
        for absent in ["last_request", "_total"] {
            assert!(!text.contains(absent), "{text}");
        }
        let text = health.to_prometheus(true);
        assert!(text.contains("# TYPE scim_bridge_requests_total counter\n"));
    }
}
