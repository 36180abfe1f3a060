//! The bridge's own state, for monitors: JSON in the shape that monitors of SCIM bridges read, and
//! Prometheus text.
//!
//! Only labels, ids and times of tokens are shown, never their values.

use axum::{
    extract::State,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::{fmt::Write, sync::Arc};
use time::{Duration, OffsetDateTime};

use super::Gate;
use crate::{
    account,
    credentials::{Access, Loaded, Recipient, ScimSession, Scope},
    state,
};

/// How long a report is to be believed.
const LIFE: Duration = Duration::minutes(10);
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
    #[serde(with = "time::serde::rfc3339")]
    retrieved_at: OffsetDateTime,
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
    /// `scim`, `monitor` or `sweep`.
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
    /// Why no sweep would work now.
    pub standstill: Option<Standstill>,
    /// Whether the state store answers.
    pub store: Result<(), state::Error>,
    /// Whether the account lets the bridge in; `None` if it could not be asked.
    pub account: Option<Result<(), account::Error>>,
    /// The present.
    pub now: OffsetDateTime,
}

/// Why the sweep stands still.
pub struct Standstill {
    /// It only waits for a token.
    pub locked: bool,
    /// In words.
    pub reason: String,
}

impl Health {
    /// Draws the conclusions.
    pub fn new(mut found: Findings<'_>) -> Self {
        // Whole seconds are easier to read, and nobody needs more.
        found.now = found.now.replace_nanosecond(0).unwrap_or(found.now);
        let report = |source, (state, reason, remedy): Finding| Report {
            source,
            time: found.now,
            expires: found.now + LIFE,
            state,
            reason,
            remedy,
        };
        let reports = vec![
            report("SCIMServer", scim_server(&found)),
            report("AccountService", account_service(&found)),
            report("StateStore", state_store(&found)),
            report("ConfirmationWatcher", confirmation_watcher(&found)),
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
                loaded_at: file.at.replace_nanosecond(0).unwrap_or(file.at),
                recipients: file.value.recipients().iter().map(shown).collect(),
            }),
            retrieved_at: found.now,
        }
    }

    /// The same for Prometheus (text format 0.0.4).
    fn to_prometheus(&self) -> String {
        let mut text = String::new();
        let mut gauge = |name: &str, help: &str, rows: Vec<(String, i64)>| {
            // Writing to a string cannot fail.
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n");
            for (labels, value) in rows {
                let _ = writeln!(text, "{name}{{{labels}}} {value}");
            }
        };
        gauge(
            "scim_bridge_info",
            "The running version.",
            vec![(format!("version=\"{}\"", self.version), 1)],
        );
        gauge(
            "scim_bridge_healthy",
            "1 if the part is healthy.",
            self.reports
                .iter()
                .map(|report| {
                    let healthy = report.state == Verdict::Healthy;
                    (format!("source=\"{}\"", report.source), healthy.into())
                })
                .collect(),
        );
        let Some(credentials) = &self.credentials else {
            return text;
        };
        gauge(
            "scim_bridge_credentials_loaded_timestamp_seconds",
            "When the scimsession in use was read.",
            vec![(
                format!("version=\"{}\"", escaped(&credentials.version)),
                credentials.loaded_at.unix_timestamp(),
            )],
        );
        gauge(
            "scim_bridge_token_end_timestamp_seconds",
            "When a token stops working; tokens without an end are not listed.",
            credentials
                .recipients
                .iter()
                .filter_map(|one| {
                    let labels = format!(
                        "label=\"{}\",scope=\"{}\",key_id=\"{}\"",
                        escaped(&one.label),
                        one.scope,
                        one.key_id
                    );
                    Some((labels, one.ends_at?.unix_timestamp()))
                })
                .collect(),
        );
        text
    }
}

type Finding = (Verdict, Option<String>, Option<String>);

const HEALTHY: Finding = (Verdict::Healthy, None, None);

fn finding(state: Verdict, reason: impl Into<String>, remedy: &str) -> Finding {
    (state, Some(reason.into()), Some(remedy.to_owned()))
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
    use account::Error as E;
    match &found.account {
        Some(Ok(())) => HEALTHY,
        Some(Err(error @ E::CredentialsRefused(_))) => finding(
            Verdict::Down,
            error.to_string(),
            "make new credentials with scim-bridge setup --replace",
        ),
        Some(Err(error)) => finding(
            Verdict::Down,
            error.to_string(),
            "see whether the account can be reached from where the bridge runs",
        ),
        None => finding(
            Verdict::Locked,
            "no secret that opens the bridge's credentials has come yet",
            "wait for the provider's next request, or send one with the bearer token",
        ),
    }
}

fn state_store(found: &Findings<'_>) -> Finding {
    match &found.store {
        Ok(()) => HEALTHY,
        Err(error) => finding(
            Verdict::Down,
            error.to_string(),
            "see whether the store is there, and whether the bridge may read and write it",
        ),
    }
}

fn confirmation_watcher(found: &Findings<'_>) -> Finding {
    match &found.standstill {
        None => HEALTHY,
        Some(still) if still.locked => finding(
            Verdict::Locked,
            &still.reason,
            "wait for the provider's next request, or give the sweep a key of its own with \
             scim-bridge token add --scope sweep",
        ),
        Some(still) => finding(
            Verdict::Degraded,
            &still.reason,
            "give the sweep a key that opens the scimsession, with scim-bridge token add --scope \
             sweep",
        ),
    }
}

fn shown(recipient: &Recipient) -> RecipientInUse {
    RecipientInUse {
        label: recipient.label.clone(),
        scope: match recipient.access {
            Access::Bearer { scope: Scope::Scim } => "scim",
            Access::Bearer {
                scope: Scope::Monitor,
            } => "monitor",
            Access::Sweep => "sweep",
        },
        key_id: recipient.key_id.clone(),
        ends_at: recipient.ends_at(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
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

/// `GET /metrics`.
pub(super) async fn metrics(State(gate): State<Arc<dyn Gate>>) -> Response {
    let media_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    let text = gate.health().await.to_prometheus();
    ([NO_STORE, (CONTENT_TYPE, media_type)], text).into_response()
}

const NO_STORE: (axum::http::HeaderName, HeaderValue) =
    (CACHE_CONTROL, HeaderValue::from_static("no-store"));

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::credentials::{BearerToken, Credentials, Error, Holder, NewRecipient};

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn file(expires_in: Option<Duration>) -> Loaded<ScimSession> {
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
        Loaded {
            value: credentials.seal(&[recipient], NOW).unwrap(),
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
            standstill: None,
            store: Ok(()),
            account: Some(Ok(())),
            now: NOW,
        }
    }

    #[test]
    fn the_verdict_is_the_worst_report() {
        let (fine, ending) = (file(None), file(Some(Duration::days(90))));
        let at = |days, file| Findings {
            now: NOW + Duration::days(days),
            ..findings(Some(file))
        };
        let unread = || Some((Error::Damaged.to_string(), "install it again"));
        let still = |locked| {
            Some(Standstill {
                locked,
                reason: "because".to_owned(),
            })
        };
        let refused = account::Error::CredentialsRefused("password changed".to_owned());
        let away = state::Error::Refused("there is no such table".to_owned());
        let good = || findings(Some(&fine));
        for (found, verdict) in [
            (good(), Verdict::Healthy),
            (at(75, &ending), Verdict::Healthy),
            (at(77, &ending), Verdict::Degraded),
            // What has ended troubles nobody any more.
            (at(90, &ending), Verdict::Healthy),
            (
                Findings {
                    problem: unread(),
                    ..good()
                },
                Verdict::Degraded,
            ),
            (
                Findings {
                    problem: unread(),
                    ..findings(None)
                },
                Verdict::Down,
            ),
            (
                Findings {
                    standstill: still(false),
                    ..good()
                },
                Verdict::Degraded,
            ),
            (
                Findings {
                    standstill: still(true),
                    ..good()
                },
                Verdict::Locked,
            ),
            (
                Findings {
                    store: Err(away),
                    ..good()
                },
                Verdict::Down,
            ),
            (
                Findings {
                    account: None,
                    standstill: still(true),
                    ..good()
                },
                Verdict::Locked,
            ),
            (
                Findings {
                    account: Some(Err(refused)),
                    ..good()
                },
                Verdict::Down,
            ),
        ] {
            let health = Health::new(found);
            assert_eq!(health.state, verdict, "{health:?}");
            for report in &health.reports {
                let healthy = report.state == Verdict::Healthy;
                assert_eq!(report.reason.is_none(), healthy);
                assert_eq!(report.remedy.is_none(), healthy);
            }
        }
    }

    #[test]
    fn monitors_find_what_they_read() {
        let file = file(Some(Duration::days(90)));
        let health = serde_json::to_value(Health::new(findings(Some(&file)))).unwrap();
        assert_eq!(health["state"], "healthy");
        assert_eq!(health["retrievedAt"], "1970-01-01T00:00:00Z");
        assert_eq!(health["reports"][0]["source"], "SCIMServer");
        assert_eq!(health["reports"][0]["expires"], "1970-01-01T00:10:00Z");
        assert_eq!(health["credentials"]["version"], "v7");
        assert_eq!(health["credentials"]["recipients"][0]["scope"], "scim");
        for member in ["build", "version"] {
            assert!(health[member].is_string());
        }
    }

    #[test]
    fn prometheus_text_escapes_labels() {
        let file = file(Some(Duration::days(90)));
        let text = Health::new(findings(Some(&file))).to_prometheus();
        assert!(
            text.contains("scim_bridge_healthy{source=\"SCIMServer\"} 1\n"),
            "{text}"
        );
        assert!(text.contains("label=\"the \\\"first\\\"\""), "{text}");
        assert!(text.contains("} 7776000\n"), "{text}");
    }
}
