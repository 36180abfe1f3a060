//! What this server can do, told from the definitions that requests are judged by.

use axum::http::StatusCode;

use super::{answer::Scim, base::Base, body, context::Unfiltered, cursor, id::Id};
use crate::{
    bridge::{MAX_BULK_OPERATIONS, MAX_RESULTS},
    scim::{
        Error,
        discovery::{self, BulkLimits, Capabilities},
    },
};

/// `GET /ServiceProviderConfig`
pub async fn config(Base(base): Base, _: Unfiltered) -> Scim {
    let capabilities = Capabilities {
        max_results: MAX_RESULTS,
        bulk: Some(BulkLimits {
            max_operations: MAX_BULK_OPERATIONS as u64,
            max_payload_size: body::BULK_LIMIT as u64,
        }),
        sort: true,
        etag: true,
        change_password: false,
        cursor: Some(cursor::announced(MAX_RESULTS)),
    };
    Scim(
        StatusCode::OK,
        discovery::service_provider_config(&base, &capabilities),
    )
}

/// `GET /ResourceTypes`
pub async fn resource_types(Base(base): Base, _: Unfiltered) -> Scim {
    Scim(StatusCode::OK, discovery::resource_types(&base))
}

/// `GET /ResourceTypes/{id}`
pub async fn resource_type(Base(base): Base, Id(id): Id, _: Unfiltered) -> Result<Scim, Error> {
    let found = discovery::resource_type(&base, &id).ok_or_else(|| nothing(&id))?;
    Ok(Scim(StatusCode::OK, found))
}

/// `GET /Schemas`
pub async fn schemas(Base(base): Base, _: Unfiltered) -> Scim {
    Scim(StatusCode::OK, discovery::schemas(&base))
}

/// `GET /Schemas/{urn}`
pub async fn schema(Base(base): Base, Id(urn): Id, _: Unfiltered) -> Result<Scim, Error> {
    let found = discovery::schema(&base, &urn).ok_or_else(|| nothing(&urn))?;
    Ok(Scim(StatusCode::OK, found))
}

fn nothing(id: &str) -> Error {
    Error::not_found(format!("there is no {id} here"))
}
