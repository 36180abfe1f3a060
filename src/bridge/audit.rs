//! The audit: one line for every change and for every refusal, to the log and to the store.
//!
//! The rules note what they do and what they forbid. Whatever else ends a request without its being
//! done is noted by whoever answers it, once: a request that a rule has spoken of already leaves no
//! second line.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use serde_json::Value;
use time::OffsetDateTime;

use super::{Bridge, Error, Mode};
use crate::{
    account::{GroupId, MemberId},
    scim::{self, schema::Kind},
    state::{self, AuditChange, AuditEntry, AuditOutcome},
};

/// How many lines are read at once.
const PAGE: usize = 1000;

/// How many lines about what was not done requests leave in the store within a minute, from one
/// process: a flood must not fill it. The log has them all.
const REFUSALS_A_MINUTE: u32 = 100;

/// How many of those who came or left one line names.
const NAMED: usize = 1000;

/// As much of a target is kept, in characters. Paths may be longer; no id and no address is.
const LONGEST_TARGET: usize = 256;
/// The longest text of a line, in characters.
const LONGEST_TEXT: usize = 1000;
/// The most members or groups in one.
const MOST_VALUES: usize = 200;

/// The request that a bridge works on.
pub(super) struct Request {
    id: String,
    provider: Option<&'static str>,
    /// Whether there is a line that it was not done.
    refused: AtomicBool,
}

/// How many lines about what was not done the store has taken within this minute.
#[derive(Default)]
pub(super) struct Refusals(Mutex<(i64, u32)>);

/// Whether one more line is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Enough,
    /// The first one that is not. It is worth a line of its own.
    NoMore,
    None,
}

impl Refusals {
    fn take(&self, now: OffsetDateTime) -> Room {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now.unix_timestamp().div_euclid(60);
        if taken.0 != minute {
            *taken = (minute, 0);
        }
        taken.1 = taken.1.saturating_add(1);
        match taken.1 {
            ..=REFUSALS_A_MINUTE => Room::Enough,
            count if count == REFUSALS_A_MINUTE + 1 => Room::NoMore,
            _ => Room::None,
        }
    }
}

/// What a line says besides what came of it.
pub(super) struct Line<'a> {
    pub(super) action: &'a str,
    /// Id or, where there is none, name.
    pub(super) target: &'a str,
    /// For people: a name, a number, a reason.
    pub(super) detail: String,
    pub(super) changes: Vec<AuditChange>,
}

/// What the audit calls a request with this method, where it came to nothing and no rule has a
/// better name for it.
pub fn asked(method: &str, kind: Kind) -> &'static str {
    match (method, kind) {
        ("POST", Kind::User) => "user.invite",
        ("DELETE", Kind::User) => "user.delete",
        (_, Kind::User) => "user.change",
        ("POST", Kind::Group) => "group.create",
        ("DELETE", Kind::Group) => "group.delete",
        (_, Kind::Group) => "group.change",
    }
}

/// A value that was another one.
pub(super) fn change(
    attribute: &str,
    before: Option<impl Into<Value>>,
    after: Option<impl Into<Value>>,
) -> AuditChange {
    AuditChange {
        attribute: attribute.to_owned(),
        before: before.map(Into::into),
        after: after.map(Into::into),
    }
}

/// A text that was another one, if it was.
pub(super) fn text_change(
    attribute: &str,
    before: Option<&str>,
    after: Option<&str>,
) -> Option<AuditChange> {
    (before != after).then(|| change(attribute, before, after))
}

/// Members or groups of which some left and some came, if any did.
pub(super) fn list_change(
    attribute: &str,
    left: &[impl ToString],
    came: &[impl ToString],
) -> Option<AuditChange> {
    let any = !left.is_empty() || !came.is_empty();
    any.then(|| change(attribute, named(left), named(came)))
}

fn named(ids: &[impl ToString]) -> Option<Vec<String>> {
    let mut names: Vec<String> = ids.iter().take(NAMED).map(ToString::to_string).collect();
    if ids.len() > NAMED {
        names.push(format!("and {} more", ids.len() - NAMED));
    }
    (!names.is_empty()).then_some(names)
}

impl Bridge {
    /// The same bridge, at work on this request of a provider of that kind. What it notes bears the
    /// request's id.
    #[must_use]
    pub fn for_request(&self, id: &str, provider: Option<&'static str>) -> Self {
        let request = Request {
            id: id.to_owned(),
            provider,
            refused: AtomicBool::new(false),
        };
        Self {
            request: Some(Arc::new(request)),
            ..self.clone()
        }
    }

    /// The same bridge, at work on one of several operations of its request.
    pub(super) fn for_operation(&self) -> Self {
        match &self.request {
            Some(request) => self.for_request(&request.id, request.provider),
            None => self.clone(),
        }
    }

    /// Some lines of the audit from `since` on, in the order of time, and where to go on: `None`
    /// after the last. `after` is where the lines before left off.
    ///
    /// # Errors
    /// If the store is out of reach.
    pub async fn audit_lines(
        &self,
        since: OffsetDateTime,
        after: Option<&str>,
    ) -> Result<(Vec<AuditEntry>, Option<String>), state::Error> {
        self.store.audit(since, after, PAGE).await
    }

    /// Notes that the request was answered with an error, unless a rule has done so already.
    pub async fn not_done(&self, action: &str, target: &str, error: &scim::Error) {
        let known = self.request.as_ref().map(|request| &request.refused);
        if known.is_some_and(|refused| refused.load(Ordering::Relaxed)) {
            return;
        }
        let outcome = match error.status {
            500.. => AuditOutcome::Failed,
            _ => AuditOutcome::Refused,
        };
        let line = Line {
            action,
            target,
            detail: format!("{}: {}", error.status, error.detail),
            changes: Vec::new(),
        };
        self.note(outcome, line).await;
    }

    /// Notes what was done, or would have been if the bridge did more than observe.
    pub(super) async fn done(&self, line: Line<'_>) {
        let outcome = match self.settings.mode {
            Mode::Act => AuditOutcome::Done,
            Mode::Observe => AuditOutcome::Observed,
        };
        self.note(outcome, line).await;
    }

    /// Notes that a rule forbids `action`, and which.
    pub(super) async fn refused(&self, action: &str, target: &str, why: &str) {
        let line = Line {
            action,
            target,
            detail: why.to_owned(),
            changes: Vec::new(),
        };
        self.note(AuditOutcome::Refused, line).await;
    }

    /// Leaves a line in the audit if a rule forbids what was asked for, ours or the account's.
    pub(super) async fn note_refusal<T>(
        &self,
        action: &str,
        target: &str,
        result: Result<T, Error>,
    ) -> Result<T, Error> {
        if let Err(error) = &result
            && error.outside.status == 403
        {
            self.refused(action, target, &error.outside.detail).await;
        }
        result
    }

    /// Leaves a line in the audit if something was not done, for whatever reason. For what has a
    /// name that whoever answers the request does not know.
    pub(super) async fn note_failure<T>(
        &self,
        action: &str,
        target: &str,
        result: Result<T, Error>,
    ) -> Result<T, Error> {
        if let Err(error) = &result {
            self.not_done(action, target, &error.outside).await;
        }
        result
    }

    /// A line that cannot be stored is in the log, and stops nothing. The log has no names in it.
    async fn note(&self, outcome: AuditOutcome, line: Line<'_>) {
        let now = OffsetDateTime::now_utc();
        let request = self.request.as_deref();
        let changed = line.changes.iter().map(|change| change.attribute.as_str());
        let changed = changed.collect::<Vec<_>>().join(" ");
        tracing::info!(
            actor = &*self.actor,
            provider = request.and_then(|request| request.provider),
            action = line.action,
            target = is_id(line.target).then_some(line.target),
            changed = (!changed.is_empty()).then_some(changed),
            outcome = outcome.as_str(),
            request_id = request.map(|request| &*request.id),
            "audit"
        );
        let mut entry = AuditEntry {
            at: now,
            actor: self.actor.to_string(),
            action: line.action.to_owned(),
            target: line.target.chars().take(LONGEST_TARGET).collect(),
            outcome,
            detail: Some(shown(&line.detail)).filter(|detail| !detail.is_empty()),
            changes: line.changes.into_iter().map(bounded).collect(),
            provider: request
                .and_then(|request| request.provider)
                .map(str::to_owned),
            request_id: request.map(|request| request.id.clone()),
        };
        if let Some(request) = request
            && matches!(outcome, AuditOutcome::Refused | AuditOutcome::Failed)
        {
            request.refused.store(true, Ordering::Relaxed);
            match self.refusals.take(now) {
                Room::Enough => {}
                Room::NoMore => {
                    entry.action = "audit.full".to_owned();
                    entry.target = "audit".to_owned();
                    entry.detail = Some(format!(
                        "more than {REFUSALS_A_MINUTE} requests were refused or failed within a \
                         minute: until it is over further lines are in the log only"
                    ));
                }
                Room::None => return,
            }
        }
        let keep_from = now - self.settings.audit_kept;
        if let Err(error) = self.store.append_audit(&entry, keep_from).await {
            tracing::warn!(%error, "a line of the audit is in the log only");
        }
    }
}

/// A text as far as it is kept: a store's records have their limits.
fn shown(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn bounded(change: AuditChange) -> AuditChange {
    AuditChange {
        before: change.before.map(bounded_value),
        after: change.after.map(bounded_value),
        ..change
    }
}

fn bounded_value(value: Value) -> Value {
    match value {
        Value::String(text) => shown(&text).into(),
        Value::Array(values) if values.len() > MOST_VALUES => {
            let more = format!("… {} more", values.len() - MOST_VALUES);
            let known = values.into_iter().take(MOST_VALUES).map(bounded_value);
            known.chain([more.into()]).collect()
        }
        Value::Array(values) => values.into_iter().map(bounded_value).collect(),
        other => other,
    }
}

/// Whether this is an id, which the log may have; a name it may not.
fn is_id(target: &str) -> bool {
    target.parse::<MemberId>().is_ok() || target.parse::<GroupId>().is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_s_lines_are_stored_up_to_the_bound() {
        let refusals = Refusals::default();
        let at = |seconds| OffsetDateTime::from_unix_timestamp(seconds).unwrap();
        for second in 0..i64::from(REFUSALS_A_MINUTE) {
            assert_eq!(refusals.take(at(second % 60)), Room::Enough);
        }
        assert_eq!(refusals.take(at(59)), Room::NoMore);
        assert_eq!(refusals.take(at(59)), Room::None);
        assert_eq!(refusals.take(at(60)), Room::Enough);
    }

    #[test]
    fn a_line_names_so_many_and_counts_the_rest() {
        let few = named(&["A", "B"]).unwrap();
        assert_eq!(few, ["A", "B"]);
        let many = named(&vec!["A"; NAMED + 7]).unwrap();
        assert_eq!((many.len(), &*many[NAMED]), (NAMED + 1, "and 7 more"));
        assert_eq!(list_change("members", &[""; 0], &[""; 0]), None);
    }
}
