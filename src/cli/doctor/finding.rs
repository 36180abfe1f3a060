//! What a check found.

use serde::Serialize;

use crate::cli::Status;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// It works, and somebody should look at it.
    Warning,
    /// A provider fails here.
    Failed,
    /// Not looked at.
    Skipped,
}

impl State {
    /// For the table: what failed has to be seen at once.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "FAILED",
            Self::Skipped => "skipped",
        }
    }
}

/// Anything but a check that went well.
#[derive(Clone, Debug)]
pub struct Finding {
    pub state: State,
    /// What was seen.
    pub seen: String,
    /// What to do, if it is not what the table says for this check.
    pub fix: Option<String>,
    /// What the program's exit status is, if this is the first failure.
    pub status: Status,
}

/// What a check comes to: what was seen where all is well, or the finding.
pub type Verdict = Result<String, Finding>;

impl Finding {
    fn new(state: State, seen: impl Into<String>) -> Self {
        Self {
            state,
            seen: seen.into(),
            fix: None,
            status: Status::Failed,
        }
    }

    /// A provider fails here.
    pub fn failed(seen: impl Into<String>) -> Self {
        Self::new(State::Failed, seen)
    }

    /// It works, and somebody should look at it.
    pub fn warning(seen: impl Into<String>) -> Self {
        Self::new(State::Warning, seen)
    }

    /// There is nothing to look at, and why.
    pub fn skipped(why: impl Into<String>) -> Self {
        Self::new(State::Skipped, why)
    }

    /// With a remedy of its own.
    pub fn fix(self, fix: impl Into<String>) -> Self {
        Self {
            fix: Some(fix.into()),
            ..self
        }
    }

    /// With an exit status of its own.
    pub fn status(self, status: Status) -> Self {
        Self { status, ..self }
    }
}
