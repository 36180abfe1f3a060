//! What the server's errors mean to the bridge.

use std::time::Duration;

use reqwest::StatusCode;

use crate::{
    account::{Error, MemberState},
    onepassword::messages::{administration::reason, errors::ErrorBody},
};

/// How a request ended that brought no result.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The session is over: sign in and repeat.
    SessionEnded,
    /// The sign-in wants a second factor, which none of us has.
    SecondFactor,
    /// Worth repeating after a while; the error if it stays so.
    Passing {
        error: Error,
        after: Option<Duration>,
    },
    /// The answer.
    Final(Error),
    /// The answer, where the caller knows a way on.
    Refused {
        reason: String,
        data: Vec<String>,
        error: Error,
    },
}

impl Failure {
    /// The error when nothing more is tried.
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::SessionEnded => Error::Unavailable {
                reason: "it ended each new session at once".to_owned(),
            },
            Self::SecondFactor => Error::CredentialsRefused(
                "it asks for a second factor, which a bridge has not: take it off the Provision \
                 Manager"
                    .to_owned(),
            ),
            Self::Passing { error, .. } | Self::Final(error) | Self::Refused { error, .. } => error,
        }
    }

    /// From a request that got no answer.
    pub(super) fn from_transport(error: &reqwest::Error) -> Self {
        let reason = if error.is_timeout() {
            "no answer in time"
        } else if error.is_connect() {
            "no connection"
        } else {
            "the connection broke"
        };
        Self::Passing {
            error: Error::Unavailable {
                reason: reason.to_owned(),
            },
            after: None,
        }
    }

    /// The sign-in, or the session it made, broke off: to begin anew may help.
    pub(super) fn broken_off(reason: &str) -> Self {
        Self::Passing {
            error: Error::Unavailable {
                reason: reason.to_owned(),
            },
            after: None,
        }
    }

    /// From an answer that is not a success. `body` is what the account said: the default unless
    /// it came sealed.
    pub(super) fn from_answer(
        status: StatusCode,
        retry_after: Option<Duration>,
        body: ErrorBody,
    ) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::SessionEnded,
            StatusCode::TOO_MANY_REQUESTS => Self::Passing {
                error: Error::Busy {
                    retry_after: retry_after.unwrap_or(Duration::from_secs(5)),
                },
                after: retry_after,
            },
            StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::BAD_GATEWAY
            | StatusCode::GATEWAY_TIMEOUT => Self::Passing {
                error: Error::Unavailable {
                    reason: format!("it answered {}", status.as_u16()),
                },
                after: retry_after,
            },
            _ => refused(status, body),
        }
    }
}

fn refused(status: StatusCode, body: ErrorBody) -> Failure {
    let reason = body.reason.unwrap_or_default();
    let message = body
        .error_message
        .unwrap_or_else(|| format!("the account answered {}", status.as_u16()));
    let first = || body.data.first().cloned().unwrap_or_default();
    let error = match reason.as_str() {
        reason::EMAIL_TAKEN => Error::EmailTaken,
        reason::NAME_TAKEN => Error::GroupNameTaken,
        reason::DOMAIN_NOT_ALLOWED => Error::DomainNotAllowed { domain: first() },
        reason::INVALID_VALUE => Error::InvalidValue(message),
        reason::PROTECTED => Error::Protected(message),
        reason::WRONG_STATE => Error::WrongState(MemberState::from_name(&first())),
        reason::KEY_CHANGED => Error::KeyChanged,
        reason::UNKNOWN_MEMBERS => {
            Error::UnknownMembers(body.data.iter().filter_map(|id| id.parse().ok()).collect())
        }
        reason::NOT_PERMITTED => Error::NotPermitted(message),
        reason::NO_KEY => Error::NotPermitted(format!(
            "{message}: an administrator hands it over with scim-bridge groups manage"
        )),
        reason::NO_GROUP => Error::NotFound("group"),
        reason::NO_MEMBER => Error::NotFound("member"),
        // Not the account's own word: a gateway or a page of maintenance says it too. To take a
        // 404 for "there is no such person" would make providers forget people.
        "" if status.is_client_error() => Error::Unavailable {
            reason: format!(
                "something answered {} that is not the account service",
                status.as_u16()
            ),
        },
        _ if status == StatusCode::FORBIDDEN => Error::NotPermitted(message),
        _ if status.is_server_error() => Error::Unavailable { reason: message },
        _ => Error::Protocol(format!("{} {reason}", status.as_u16())),
    };
    Failure::Refused {
        reason,
        data: body.data,
        error,
    }
}

/// A step of the protocol failed on our side: what came did not fit.
pub(super) fn from_protocol(error: crate::onepassword::Error) -> Error {
    Error::Protocol(error.to_string())
}
