//! SCIM errors: what a client is told when its request cannot be carried out.

use std::fmt;

use serde_json::{Value, json};

/// The schema URN of an error body.
pub const ERROR_URN: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// The keyword that tells a client what kind of mistake it made.
///
/// RFC 7644 section 3.12, table 9; the last three are from RFC 9865 section 2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScimType {
    /// The filter's syntax is wrong, or the comparison is not possible for the attribute.
    InvalidFilter,
    /// The filter yields more results than the server is willing to work through.
    TooMany,
    /// A value that must be unique is already in use.
    Uniqueness,
    /// The change is not compatible with the attribute's mutability.
    Mutability,
    /// The body's structure is wrong.
    InvalidSyntax,
    /// The path of a PATCH operation is malformed or names no known attribute.
    InvalidPath,
    /// The path of a PATCH operation selects nothing that could be operated on.
    NoTarget,
    /// A required value is missing, or a value is not compatible with its attribute.
    InvalidValue,
    /// The version of the protocol is not supported.
    InvalidVers,
    /// The request carries sensitive data in its URI.
    Sensitive,
    /// The cursor is not one that this server gave out.
    InvalidCursor,
    /// The cursor is too old.
    ExpiredCursor,
    /// The page size is not acceptable for cursor paging.
    InvalidCount,
}

impl ScimType {
    /// The keyword as it is written in an error body.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVers => "invalidVers",
            Self::Sensitive => "sensitive",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }
}

impl fmt::Display for ScimType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// An error as the client sees it: status, keyword, and a sentence for the provider's log.
///
/// `detail` leaves the house: it names cause and remedy, never a secret and never an inner failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The HTTP status.
    pub status: u16,
    /// The keyword, where RFC 7644 has one.
    pub scim_type: Option<ScimType>,
    /// The sentence.
    pub detail: String,
}

impl Error {
    fn plain(status: u16, detail: impl Into<String>) -> Self {
        Self {
            status,
            scim_type: None,
            detail: detail.into(),
        }
    }

    fn typed(status: u16, scim_type: ScimType, detail: impl Into<String>) -> Self {
        Self {
            status,
            scim_type: Some(scim_type),
            detail: detail.into(),
        }
    }

    /// 400 `invalidFilter`: the filter is malformed or cannot be evaluated.
    pub fn invalid_filter(detail: impl Into<String>) -> Self {
        Self::typed(400, ScimType::InvalidFilter, detail)
    }

    /// 400 `tooMany`: the filter is too broad.
    pub fn too_many(detail: impl Into<String>) -> Self {
        Self::typed(400, ScimType::TooMany, detail)
    }

    /// 409 `uniqueness`: somebody else has that value.
    pub fn uniqueness(detail: impl Into<String>) -> Self {
        Self::typed(409, ScimType::Uniqueness, detail)
    }

    /// 400 `mutability`: the attribute may not be changed so.
    pub fn mutability(detail: impl Into<String>) -> Self {
        Self::typed(400, ScimType::Mutability, detail)
    }

    /// 400 `invalidSyntax`: the body is not what the endpoint expects.
    pub fn invalid_syntax(detail: impl Into<String>) -> Self {
        Self::typed(400, ScimType::InvalidSyntax, detail)
    }

    /// 400 `invalidPath`: a PATCH path is malformed or unknown.
    pub fn invalid_path(detail: impl Into<String>) -> Self {
        Self::typed(400, ScimType::InvalidPath, detail)
    }

    /// 400 `noTarget`: a PATCH path selects nothing.
    pub fn no_target(detail: impl Into<String>) -> Self {
        Self::typed(400, ScimType::NoTarget, detail)
    }

    /// 400 `invalidValue`: a value is missing or of the wrong kind.
    pub fn invalid_value(detail: impl Into<String>) -> Self {
        Self::typed(400, ScimType::InvalidValue, detail)
    }

    /// 400 `invalidVers`: not the version of SCIM spoken here.
    pub fn invalid_version(detail: impl Into<String>) -> Self {
        Self::typed(400, ScimType::InvalidVers, detail)
    }

    /// 403 `sensitive`: personal data does not belong into a URI.
    pub fn sensitive(detail: impl Into<String>) -> Self {
        Self::typed(403, ScimType::Sensitive, detail)
    }

    /// 400 `invalidCursor`: not a cursor of ours.
    pub fn invalid_cursor(detail: impl Into<String>) -> Self {
        Self::typed(400, ScimType::InvalidCursor, detail)
    }

    /// 400 `expiredCursor`: a cursor of ours, but too old.
    pub fn expired_cursor(detail: impl Into<String>) -> Self {
        Self::typed(400, ScimType::ExpiredCursor, detail)
    }

    /// 400 `invalidCount`: the page size does not go with the cursor.
    pub fn invalid_count(detail: impl Into<String>) -> Self {
        Self::typed(400, ScimType::InvalidCount, detail)
    }

    /// 401: no token, or not a valid one.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::plain(401, detail)
    }

    /// 403: the caller is known, but may not do this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::plain(403, detail)
    }

    /// 404: there is no such resource or endpoint.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::plain(404, detail)
    }

    /// 405: the endpoint does not know this method.
    pub fn method_not_allowed(detail: impl Into<String>) -> Self {
        Self::plain(405, detail)
    }

    /// 406: none of the accepted media types can be produced.
    pub fn not_acceptable(detail: impl Into<String>) -> Self {
        Self::plain(406, detail)
    }

    /// 409 without a keyword: the resource's state does not allow it.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::plain(409, detail)
    }

    /// 412: the resource has changed since the version named by the client.
    pub fn precondition_failed(detail: impl Into<String>) -> Self {
        Self::plain(412, detail)
    }

    /// 408: the request did not arrive in time.
    pub fn request_timeout(detail: impl Into<String>) -> Self {
        Self::plain(408, detail)
    }

    /// 411: a body has to say how long it is (RFC 9110, section 15.5.12).
    pub fn length_required(detail: impl Into<String>) -> Self {
        Self::plain(411, detail)
    }

    /// 413: the body is larger than the limit named in `detail`.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::plain(413, detail)
    }

    /// 414: the URL is longer than the limit named in `detail`.
    pub fn uri_too_long(detail: impl Into<String>) -> Self {
        Self::plain(414, detail)
    }

    /// 431: the headers are larger than the limit named in `detail`.
    pub fn headers_too_large(detail: impl Into<String>) -> Self {
        Self::plain(431, detail)
    }

    /// 415: the body's media type is not JSON.
    pub fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::plain(415, detail)
    }

    /// 429: too many requests; the answer should carry `Retry-After`.
    pub fn too_many_requests(detail: impl Into<String>) -> Self {
        Self::plain(429, detail)
    }

    /// 500: our fault, without the reason.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::plain(500, detail)
    }

    /// 501: an optional part of the protocol that is not offered.
    pub fn not_implemented(detail: impl Into<String>) -> Self {
        Self::plain(501, detail)
    }

    /// 503: come back later; the answer should carry `Retry-After`.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::plain(503, detail)
    }

    /// The body of the answer.
    ///
    /// RFC 7644 section 3.12: the status is written as a JSON string.
    pub fn to_json(&self) -> Value {
        let mut body = json!({
            "schemas": [ERROR_URN],
            "status": self.status.to_string(),
            "detail": self.detail,
        });
        if let (Some(scim_type), Some(members)) = (self.scim_type, body.as_object_mut()) {
            members.insert("scimType".to_owned(), Value::from(scim_type.as_str()));
        }
        body
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scim_type {
            Some(scim_type) => write!(formatter, "{} {scim_type}: {}", self.status, self.detail),
            None => write!(formatter, "{}: {}", self.status, self.detail),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_body_has_the_shape_of_section_3_12() {
        assert_eq!(
            Error::mutability("no").to_json(),
            json!({"schemas": [ERROR_URN], "status": "400", "scimType": "mutability", "detail": "no"})
        );
        assert_eq!(
            Error::not_found("gone").to_json(),
            json!({"schemas": [ERROR_URN], "status": "404", "detail": "gone"})
        );
    }
}
