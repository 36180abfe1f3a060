//! The error object.

use serde::{Deserialize, Serialize};

/// "Authentication required.": bad credentials, or a session that has ended.
pub const AUTHENTICATION_REQUIRED: u32 = 102;
/// "Not found."
pub const NOT_FOUND: u32 = 117;

/// What a server answers in place of a result. Members that have nothing to say are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ErrorBody {
    /// A published number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<u32>,
    /// A word for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// The server's own id of the request, for its log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What the reason is about: ids, a state, a domain.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<String>,
}
