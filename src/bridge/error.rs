//! One error for all that the bridge does: a SCIM error for the provider's log, and what only our
//! own log should have.

use std::time::Duration;

use super::{NotDecided, SweepError};
use crate::{account, scim, state};

/// When a provider should come again if nobody knows better.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
#[error("{outside}")]
pub struct Error {
    /// What the provider is told: cause and remedy.
    pub outside: scim::Error,
    /// When it should try again, if that may help.
    pub retry_after: Option<Duration>,
    /// What only our own log is told.
    pub inside: Option<String>,
    /// That the account lets nobody in, if that is why.
    pub outage: Option<account::Error>,
}

impl Error {
    /// The account or the store is out of reach: the same request may succeed later.
    pub fn unavailable(detail: &str, inside: impl Into<String>) -> Self {
        Self {
            outside: scim::Error::unavailable(detail),
            retry_after: Some(RETRY_AFTER),
            inside: Some(inside.into()),
            outage: None,
        }
    }

    /// Whether it is unknown how far the request came, so that a repeat may find its traces.
    pub fn is_transient(&self) -> bool {
        self.outside.status >= 500 || self.outside.status == 429
    }
}

impl From<scim::Error> for Error {
    fn from(outside: scim::Error) -> Self {
        Self {
            outside,
            retry_after: None,
            inside: None,
            outage: None,
        }
    }
}

impl From<account::Error> for Error {
    fn from(error: account::Error) -> Self {
        use account::Error as E;
        let text = error.to_string();
        let outage = error.is_outage().then(|| error.clone());
        let told = match error {
            E::NotFound(what) => scim::Error::not_found(format!("there is no such {what}")).into(),
            E::EmailTaken | E::GroupNameTaken => scim::Error::uniqueness(&text).into(),
            E::DomainNotAllowed { .. } | E::InvalidValue(_) | E::UnknownMembers(_) => {
                scim::Error::invalid_value(&text).into()
            }
            E::Unsupported(_) => scim::Error::mutability(&text).into(),
            E::Protected(_) | E::NotPermitted(_) => scim::Error::forbidden(&text).into(),
            E::Changing => Self {
                outside: scim::Error::unavailable(
                    "the resource is being changed by other requests: try again",
                ),
                retry_after: Some(Duration::from_secs(1)),
                inside: Some(text),
                outage: None,
            },
            E::WrongState(_) | E::KeyChanged => scim::Error::conflict(&text).into(),
            E::Busy { retry_after } => Self {
                outside: scim::Error::too_many_requests(
                    "1Password asks for a slower pace: try again later",
                ),
                retry_after: Some(retry_after),
                inside: None,
                outage: None,
            },
            E::CredentialsRefused(_) => Self::unavailable(
                "1Password refuses the bridge's credentials: an administrator has to run the \
                 set-up again",
                text,
            ),
            E::Unavailable { .. } => Self::unavailable(
                "1Password cannot be reached at the moment: try again later",
                text,
            ),
            E::Protocol(_) => Self {
                outside: scim::Error::internal(
                    "1Password gave an answer that the bridge does not understand: see its log",
                ),
                retry_after: None,
                inside: Some(text),
                outage: None,
            },
        };
        Self { outage, ..told }
    }
}

impl From<state::Error> for Error {
    fn from(error: state::Error) -> Self {
        use state::Error as E;
        let text = error.to_string();
        match error {
            E::ExternalIdTaken => {
                scim::Error::uniqueness("another resource already has this externalId").into()
            }
            E::Conflict => Self {
                outside: scim::Error::unavailable(
                    "the resource is being changed by other requests: try again",
                ),
                retry_after: Some(Duration::from_secs(1)),
                inside: Some(text),
                outage: None,
            },
            E::Unavailable(_) => Self::unavailable(
                "the bridge cannot reach its state store: try again later",
                text,
            ),
            E::Refused(_) => Self::unavailable(
                "the bridge's state store does not let it in: an administrator has to see to the \
                 store and to the bridge's rights on it",
                text,
            ),
            E::Corrupt(_) => Self {
                outside: scim::Error::internal(
                    "the bridge cannot read a record in its state store: see its log",
                ),
                retry_after: None,
                inside: Some(text),
                outage: None,
            },
        }
    }
}

impl From<SweepError> for Error {
    fn from(error: SweepError) -> Self {
        match error {
            SweepError::Account(error) => error.into(),
            SweepError::State(error) => error.into(),
        }
    }
}

impl From<NotDecided> for Error {
    fn from(error: NotDecided) -> Self {
        let text = error.to_string();
        match error {
            NotDecided::Nobody(_) => scim::Error::not_found(text).into(),
            NotDecided::Ambiguous(_)
            | NotDecided::NotHeld(_)
            | NotDecided::OutOfReach { .. }
            | NotDecided::UnderWay(_) => scim::Error::conflict(text).into(),
            NotDecided::State(error) => error.into(),
        }
    }
}
