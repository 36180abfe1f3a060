//! SCIM values and errors as HTTP answers.

use axum::{
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_TYPE, ETAG, LOCATION, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use serde_json::Value;

use crate::{
    bridge::{self, Resource},
    scim::{self, version::Version},
};

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/scim+json");

/// A SCIM message with its status.
pub struct Scim(pub StatusCode, pub Value);

/// A resource that was just created: 201 (RFC 7644, section 3.3).
pub struct Created(pub Resource);

/// A resource that a client asked for.
pub enum Fetched {
    /// The client has another version of it, or none.
    New(Resource),
    /// The client has this one: 304.
    Known(Version),
}

impl IntoResponse for Scim {
    fn into_response(self) -> Response {
        let Self(status, value) = self;
        (status, [(CONTENT_TYPE, MEDIA_TYPE)], value.to_string()).into_response()
    }
}

impl IntoResponse for Created {
    fn into_response(self) -> Response {
        with_status(StatusCode::CREATED, self.0)
    }
}

impl IntoResponse for Resource {
    fn into_response(self) -> Response {
        with_status(StatusCode::OK, self)
    }
}

impl IntoResponse for Fetched {
    fn into_response(self) -> Response {
        match self {
            Self::New(resource) => resource.into_response(),
            Self::Known(version) => {
                let mut response = StatusCode::NOT_MODIFIED.into_response();
                insert(&mut response, ETAG, &version.to_string());
                response
            }
        }
    }
}

/// The resource with its place and version; 204 if it is not to be shown.
fn with_status(status: StatusCode, resource: Resource) -> Response {
    let mut response = match resource.value {
        Some(value) => Scim(status, value).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    };
    insert(&mut response, LOCATION, &resource.location);
    insert(&mut response, ETAG, &resource.version.to_string());
    response
}

fn insert(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

impl IntoResponse for scim::Error {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Scim(status, self.to_json()).into_response();
        // For the audit, which is written around all that makes errors.
        response.extensions_mut().insert(self);
        response
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
        // For whoever keeps watch.
        if let Some(outage) = self.outage {
            response.extensions_mut().insert(outage);
        }
        response
    }
}
