//! SCIM values and errors as HTTP answers.

use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, LOCATION, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use serde_json::Value;

use crate::{bridge, scim};

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/scim+json");

/// A SCIM message with its status.
pub struct Scim(pub StatusCode, pub Value);

/// A resource that was just created: 201, and where it is (RFC 7644, section 3.3).
pub struct Created {
    /// The resource, with the attributes that the client wants.
    pub resource: Value,
    /// Its URL.
    pub location: String,
}

impl IntoResponse for Scim {
    fn into_response(self) -> Response {
        let Self(status, value) = self;
        (status, [(CONTENT_TYPE, MEDIA_TYPE)], value.to_string()).into_response()
    }
}

impl IntoResponse for Created {
    fn into_response(self) -> Response {
        let mut response = Scim(StatusCode::CREATED, self.resource).into_response();
        if let Ok(location) = HeaderValue::from_str(&self.location) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}

impl IntoResponse for scim::Error {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Scim(status, self.to_json()).into_response()
    }
}

impl IntoResponse for bridge::Error {
    fn into_response(self) -> Response {
        let status = self.outside.status;
        if let Some(inside) = &self.inside {
            tracing::warn!(status, inside, "request failed");
        }
        let mut response = self.outside.into_response();
        if let Some(wait) = self.retry_after {
            let seconds = HeaderValue::from(wait.as_secs().max(1));
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}
