//! Why the server did not do as asked.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::onepassword::{
    identifier,
    messages::{
        administration::reason,
        errors::{AUTHENTICATION_REQUIRED, ErrorBody, NOT_FOUND},
    },
};

/// A status and the error object.
#[derive(Debug)]
pub struct Refusal {
    pub(super) status: StatusCode,
    pub(super) body: ErrorBody,
}

impl Refusal {
    fn new(status: StatusCode, reason: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            body: ErrorBody {
                reason: Some(reason.to_owned()),
                error_message: Some(message.into()),
                ..ErrorBody::default()
            },
        }
    }

    pub(super) fn about(mut self, data: Vec<String>) -> Self {
        self.body.data = data;
        self
    }

    /// 401 with the published number: no session, or a request that is not its.
    pub(super) fn unauthenticated() -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            body: ErrorBody {
                error_code: Some(AUTHENTICATION_REQUIRED),
                error_message: Some("Authentication required.".to_owned()),
                ..ErrorBody::default()
            },
        }
    }

    /// An empty object: what a stranger gets to know.
    pub(super) fn bare(status: StatusCode) -> Self {
        Self {
            status,
            body: ErrorBody::default(),
        }
    }

    pub(super) fn bare_reason(status: StatusCode, reason: &str) -> Self {
        let mut refusal = Self::bare(status);
        refusal.body.reason = Some(reason.to_owned());
        refusal
    }

    pub(super) fn not_found(reason: &str) -> Self {
        let mut refusal = Self::new(StatusCode::NOT_FOUND, reason, "Not found.");
        refusal.body.error_code = Some(NOT_FOUND);
        refusal
    }

    pub(super) fn conflict(reason: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, reason, message)
    }

    pub(super) fn forbidden(reason: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, reason, message)
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason::INVALID_VALUE, message)
    }

    pub(super) fn internal(message: &str) -> Self {
        tracing::error!(message, "the sandbox failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the account server failed; its log says more",
        )
    }
}

/// What a look-up found. That there is nothing is an answer; a fault of the database is none.
pub(super) fn found<T>(result: Result<T, Refusal>) -> Result<Option<T>, Refusal> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(refusal) if refusal.status == StatusCode::NOT_FOUND => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::internal(&error.to_string())
    }
}

impl From<crate::onepassword::Error> for Refusal {
    fn from(error: crate::onepassword::Error) -> Self {
        Self::invalid(error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(mut self) -> Response {
        if self.body.error_message.is_some() {
            self.body.request_id = identifier::upper().ok();
        }
        tracing::info!(
            request_id = self.body.request_id,
            status = self.status.as_u16(),
            reason = self.body.reason,
            "refused"
        );
        json(self.status, &self.body)
    }
}

/// A JSON answer.
pub(super) fn json<T: serde::Serialize>(status: StatusCode, value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(text) => (status, [(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
