//! What the page shows.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::Platform;
use crate::{
    account,
    bridge::{AccountGroup, Bridge, Error, Mode, OpenConfirmation, Recent},
    http::{
        Gate,
        admission::Administrator,
        health::{Health, Verdict},
    },
    state::{self, AuditEntry, AuditOutcome},
};

/// How long account and store have to answer: what is not there by then is said to be missing, and
/// the rest is shown.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of what may be long is shown.
const CONFIRMATIONS: usize = 100;
const GROUPS: usize = 50;
const LINES: usize = 25;

/// Something that somebody should do something about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Matter {
    state: Verdict,
    source: &'static str,
    reason: String,
    remedy: String,
}

/// `GET /app/status`. A monitor is shown what `/health` tells it, which names nobody.
///
/// The cost is the same however large the directory is: six requests to the account, for people and
/// groups, and eight reads of the store. Nothing is remembered for the next time but whether the
/// account answered.
pub async fn status(
    State(gate): State<Arc<dyn Gate>>,
    Extension(Platform(platform)): Extension<Platform>,
    administrator: Option<Extension<Administrator>>,
    bridge: Option<Extension<Bridge>>,
) -> Response {
    let Some(Extension(bridge)) = bridge else {
        let health = gate.health().await;
        let matters = matters(&health, None);
        return Json(json!({
            "scope": "monitor",
            "verdict": verdict(&health, &matters),
            "matters": matters,
            "platform": &*platform,
            "health": health,
        }))
        .into_response();
    };
    let now = OffsetDateTime::now_utc();
    let (people, open, groups, guard, recent) = tokio::join!(
        in_time(async {
            let people = bridge.count_people().await;
            match &people {
                Ok(_) => gate.looked(Ok(())).await,
                Err(error) if error.is_outage() => gate.looked(Err(error.clone())).await,
                Err(_) => {}
            }
            people.map_err(told)
        }),
        in_time(async {
            let open = bridge.confirmations(None, CONFIRMATIONS + 1).await;
            open.map_err(told_by_store)
        }),
        in_time(async { bridge.managed_groups(GROUPS).await.map_err(told_outside) }),
        in_time(async { bridge.guard_status(now).await.map_err(told_outside) }),
        in_time(async { bridge.recent_audit(now).await.map_err(told_by_store) }),
    );
    // It knows by now what this look has seen.
    let health = gate.health().await;
    let mut matters = matters(&health, Some(open.as_deref().unwrap_or_default()));
    let silent = [
        ("AccountService", Verdict::Down, people.as_ref().err()),
        (
            "StateStore",
            Verdict::Degraded,
            open.as_ref().err().or(recent.as_ref().err()),
        ),
    ];
    for (source, state, error) in silent {
        let said = matters
            .iter()
            .any(|matter| matter.source == source && matter.state >= state);
        if let Some(error) = error.filter(|_| !said) {
            matters.push(Matter {
                state,
                source,
                reason: error.clone(),
                remedy: "look again in a minute: it may have passed by then".to_owned(),
            });
        }
    }
    Json(json!({
        "scope": match administrator {
            Some(_) => "admin",
            None => "scim",
        },
        "token": bridge.actor(),
        "verdict": verdict(&health, &matters),
        "matters": matters,
        "platform": &*platform,
        "observing": bridge.mode() == Mode::Observe,
        "health": health,
        "people": section(people, |people| json!({
            "active": people.active,
            "invited": people.invited,
            "waiting": people.waiting,
            "suspended": people.suspended,
        })),
        "confirmations": section(open, |open| json!({
            "open": open.iter().take(CONFIRMATIONS).map(waiting).collect::<Vec<_>>(),
            "more": open.len() > CONFIRMATIONS,
        })),
        "groups": section(groups, |(managed, total)| json!({
            "managed": managed.iter().map(group).collect::<Vec<_>>(),
            "total": total,
        })),
        "guard": section(guard, |guard| json!({
            "removed": guard.removed,
            "limit": guard.limit,
            "liftedUntil": moment(guard.lifted_until),
            "refusedAt": moment(guard.refused_at),
        })),
        "activity": section(recent, activity),
    }))
    .into_response()
}

/// What could not be found out, in words.
type Told<T> = Result<T, String>;

async fn in_time<T>(look: impl Future<Output = Told<T>>) -> Told<T> {
    let late = |_| Err("it did not answer in time".to_owned());
    tokio::time::timeout(PATIENCE, look)
        .await
        .unwrap_or_else(late)
}

/// Who looks at this page is told what the log would say: they hold the key to everything.
fn told(error: account::Error) -> String {
    error.to_string()
}

fn told_by_store(error: state::Error) -> String {
    error.to_string()
}

fn told_outside(error: Error) -> String {
    error.inside.unwrap_or(error.outside.detail)
}

fn section<T>(found: Told<T>, shown: impl FnOnce(T) -> Value) -> Value {
    match found {
        Ok(found) => shown(found),
        Err(error) => json!({ "error": error }),
    }
}

fn moment(at: Option<OffsetDateTime>) -> Option<String> {
    at.and_then(|at| at.format(&Rfc3339).ok())
}

fn waiting(one: &OpenConfirmation) -> Value {
    json!({
        "id": one.id,
        "email": one.record.email,
        "since": moment(Some(one.record.since)),
        "due": moment(one.due),
        "state": one.state(),
        "why": one.why(),
        "remedy": one.remedy(),
        "releasable": one.is_releasable(),
    })
}

/// A group for the page.
pub(super) fn group(group: &AccountGroup) -> Value {
    json!({ "id": group.id.as_str(), "name": group.name, "members": group.members })
}

/// The newest first.
fn activity(recent: Recent) -> Value {
    let is_error =
        |line: &&AuditEntry| !matches!(line.outcome, AuditOutcome::Done | AuditOutcome::Observed);
    let newest = || recent.lines.iter().rev();
    let errors: Vec<&AuditEntry> = newest().filter(is_error).collect();
    json!({
        "since": moment(Some(recent.since)),
        "cut": recent.cut,
        "lines": newest().take(LINES).collect::<Vec<_>>(),
        "errors": errors.iter().take(LINES).collect::<Vec<_>>(),
        "errorCount": errors.len(),
    })
}

/// What to look at, the worst first: parts that do not do well, and what only an administrator can
/// decide.
fn matters(health: &Health, open: Option<&[OpenConfirmation]>) -> Vec<Matter> {
    let mut matters: Vec<Matter> = Vec::new();
    for report in &health.reports {
        if report.state == Verdict::Healthy {
            continue;
        }
        matters.push(Matter {
            state: report.state,
            source: report.source,
            reason: report.reason.clone().unwrap_or_default(),
            remedy: report.remedy.clone().unwrap_or_default(),
        });
    }
    // A monitor is told how many, and not who.
    let noted = health
        .activity
        .sweep
        .as_ref()
        .and_then(|sweep| sweep.people);
    let held = match open {
        Some(open) => open.iter().filter(|one| one.state() == "held").count(),
        None => noted.map_or(0, |people| people.held),
    };
    if held > 0 {
        matters.push(Matter {
            state: Verdict::Degraded,
            source: "HeldPeople",
            reason: match held {
                1 => "one person has signed up and is held".to_owned(),
                held => format!("{held} people have signed up and are held"),
            },
            remedy: "see under Confirmation why, and decide".to_owned(),
        });
    }
    matters.sort_by_key(|matter| std::cmp::Reverse(matter.state));
    matters
}

fn verdict(health: &Health, matters: &[Matter]) -> Verdict {
    let worst = matters.iter().map(|matter| matter.state).max();
    worst.map_or(health.state, |worst| worst.max(health.state))
}
