//! The audit: one line for every change and for every refusal, to the log and to the store.

use time::{Duration, OffsetDateTime};

use super::{Bridge, Error, Mode};
use crate::state::{self, AuditEntry, AuditOutcome};

/// How long lines are kept.
const KEPT: Duration = Duration::days(90);

/// How many lines are read at once.
const PAGE: usize = 1000;

impl Bridge {
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

    /// Notes that `action` was done to `target`, or would have been if the bridge did more than
    /// observe. `detail` is for people: a name, a number.
    pub(super) async fn done(&self, action: &str, target: &str, detail: String) {
        let outcome = match self.settings.mode {
            Mode::Act => AuditOutcome::Done,
            Mode::Observe => AuditOutcome::Observed,
        };
        self.note(action, target, outcome, Some(detail)).await;
    }

    /// Notes that a rule forbids `action`, and which.
    pub(super) async fn refused(&self, action: &str, target: &str, why: &str) {
        let outcome = AuditOutcome::Refused;
        self.note(action, target, outcome, Some(why.to_owned()))
            .await;
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

    /// A line that cannot be stored is in the log, and stops nothing.
    async fn note(
        &self,
        action: &str,
        target: &str,
        outcome: AuditOutcome,
        detail: Option<String>,
    ) {
        let actor = &*self.actor;
        tracing::info!(actor, action, target, ?outcome, "audit");
        let now = OffsetDateTime::now_utc();
        let entry = AuditEntry {
            at: now,
            actor: actor.to_owned(),
            action: action.to_owned(),
            target: target.to_owned(),
            outcome,
            detail,
        };
        if let Err(error) = self.store.append_audit(&entry, now - KEPT).await {
            tracing::warn!(%error, "a line of the audit is in the log only");
        }
    }
}
