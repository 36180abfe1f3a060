//! What an administrator does with the page. Each action is one of the command line's, with the
//! same rules, and leaves its line in the audit under the label of the token.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{FromRequest, Request, State},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use super::status::group;
use crate::{
    bridge::{Adoption, Bridge, Error},
    http::{Gate, admission::Administrator, body::Body},
    scim,
};

/// Larger orders are refused: they hold a name or a number.
const LARGEST: usize = 4096;
/// How long a sweep may take that somebody waits for.
const SWEEP: Duration = Duration::seconds(15);
/// For how long the guard may be lifted from here.
const LONGEST_LIFT: u32 = 24 * 3600;
/// How many of the account's groups are looked at for a choice.
const CHOICE: usize = 200;

type Answer = Result<Json<Value>, Error>;

/// A small body that says what is wanted.
pub struct Order<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Order<T> {
    type Rejection = scim::Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, scim::Error> {
        let Body::<LARGEST>(value) = Body::from_request(request, state).await?;
        let order = serde_json::from_value(value).map_err(|_| {
            scim::Error::invalid_value("the body's members are not those that are wanted here")
        })?;
        Ok(Self(order))
    }
}

/// `POST /app/self-test`
pub async fn self_test(Extension(bridge): Extension<Bridge>) -> Json<Value> {
    let checks = bridge.self_test().await;
    let shown = checks.into_iter().map(|check| {
        let (ok, detail) = match check.result {
            Ok(found) => (true, found),
            Err(error) => (false, error.inside.unwrap_or(error.outside.detail)),
        };
        let ms = u64::try_from(check.took.as_millis()).unwrap_or(u64::MAX);
        json!({ "what": check.what, "ok": ok, "detail": detail, "ms": ms })
    });
    // The page compares this with its own clock.
    let now = OffsetDateTime::now_utc().format(&Rfc3339).ok();
    Json(json!({ "checks": shown.collect::<Vec<_>>(), "now": now }))
}

/// `POST /app/sweep`
pub async fn sweep(
    State(gate): State<Arc<dyn Gate>>,
    Extension(bridge): Extension<Bridge>,
) -> Answer {
    let now = OffsetDateTime::now_utc();
    let sweep = gate.sweep(bridge.actor(), SWEEP, now).await?;
    bridge.note_sweep(&sweep).await;
    Ok(Json(json!(sweep)))
}

/// Who is to be let in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Their id.
    person: String,
}

/// `POST /app/release`
pub async fn release(
    _: Administrator,
    Extension(bridge): Extension<Bridge>,
    Order(Release { person }): Order<Release>,
) -> Answer {
    let released = bridge.release(&person).await?;
    Ok(Json(
        json!({ "id": released.id, "email": released.record.email }),
    ))
}

/// `GET /app/groups`: those to choose from.
pub async fn groups_to_manage(_: Administrator, Extension(bridge): Extension<Bridge>) -> Answer {
    let groups = bridge.groups_to_manage(CHOICE).await?;
    let shown: Vec<Value> = groups.iter().map(group).collect();
    Ok(Json(json!({ "groups": shown })))
}

/// Which group is to be managed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manage {
    /// Its name or id.
    group: String,
}

/// `POST /app/groups`
pub async fn manage(
    _: Administrator,
    Extension(bridge): Extension<Bridge>,
    Order(Manage { group: which }): Order<Manage>,
) -> Answer {
    match bridge.manage_groups(&[which]).await? {
        Adoption::Done(groups) => {
            let shown: Vec<Value> = groups.iter().map(group).collect();
            Ok(Json(json!({ "groups": shown })))
        }
        Adoption::KeysMissing { groups, .. } => {
            let names: Vec<String> = groups.iter().map(|one| format!("{:?}", one.name)).collect();
            let names = names.join(", ");
            Err(scim::Error::conflict(format!(
                "the bridge lacks the key of {names}, without which nobody can be let in: an \
                 administrator hands it over with scim-bridge groups manage {names}"
            ))
            .into())
        }
    }
}

/// For how long the guard is to be lifted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lift {
    /// In seconds; 0 puts it up again.
    seconds: u32,
}

/// `POST /app/guard`
pub async fn lift_guard(
    _: Administrator,
    Extension(bridge): Extension<Bridge>,
    Order(Lift { seconds }): Order<Lift>,
) -> Answer {
    if seconds > LONGEST_LIFT {
        return Err(scim::Error::invalid_value(format!(
            "the guard is lifted for {LONGEST_LIFT} seconds at most"
        ))
        .into());
    }
    let now = OffsetDateTime::now_utc();
    let until = now + Duration::seconds(seconds.into());
    bridge.lift_guard(until, now).await?;
    let until = (seconds > 0).then(|| until.format(&Rfc3339).ok()).flatten();
    Ok(Json(json!({ "liftedUntil": until })))
}
