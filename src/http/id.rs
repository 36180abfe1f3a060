//! The id in a resource's path.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};

use crate::scim;

/// The last part of the path, percent-decoded.
pub struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = scim::Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, scim::Error> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Self(id)),
            // Not even text, so not an id of anything.
            Err(_) => Err(scim::Error::not_found("there is nothing with this id")),
        }
    }
}
