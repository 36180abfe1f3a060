//! `/Groups`.

use axum::{
    Extension,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::{
    answer::{Created, Scim},
    base::Base,
    body::Body,
    id::Id,
    query::ScimQuery,
};
use crate::bridge::{Bridge, Error};

/// `GET /Groups`
pub async fn list(
    Extension(bridge): Extension<Bridge>,
    Base(base): Base,
    ScimQuery(query): ScimQuery,
) -> Result<Scim, Error> {
    let list = bridge.groups(&query, &base).await?;
    Ok(Scim(StatusCode::OK, list))
}

/// `POST /Groups`
pub async fn create(
    Extension(bridge): Extension<Bridge>,
    Base(base): Base,
    ScimQuery(query): ScimQuery,
    Body(body): Body,
) -> Result<Created, Error> {
    let resource = bridge.create_group(&body, &query, &base).await?;
    // Whatever attributes are wanted, the id is among them.
    let id = resource["id"].as_str().unwrap_or_default();
    Ok(Created {
        location: format!("{base}/Groups/{id}"),
        resource,
    })
}

/// `GET /Groups/{id}`
pub async fn get(
    Extension(bridge): Extension<Bridge>,
    Base(base): Base,
    Id(id): Id,
    ScimQuery(query): ScimQuery,
) -> Result<Scim, Error> {
    let group = bridge.group(&id, &query, &base).await?;
    Ok(Scim(StatusCode::OK, group))
}

/// `PUT /Groups/{id}`
pub async fn replace(
    Extension(bridge): Extension<Bridge>,
    Base(base): Base,
    Id(id): Id,
    ScimQuery(query): ScimQuery,
    Body(body): Body,
) -> Result<Scim, Error> {
    let group = bridge.replace_group(&id, &body, &query, &base).await?;
    Ok(Scim(StatusCode::OK, group))
}

/// `PATCH /Groups/{id}`
pub async fn patch(
    Extension(bridge): Extension<Bridge>,
    Base(base): Base,
    Id(id): Id,
    ScimQuery(query): ScimQuery,
    Body(body): Body,
) -> Result<Response, Error> {
    let group = bridge.patch_group(&id, &body, &query, &base).await?;
    Ok(match group {
        Some(group) => Scim(StatusCode::OK, group).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// `DELETE /Groups/{id}`
pub async fn delete(Extension(bridge): Extension<Bridge>, Id(id): Id) -> Result<StatusCode, Error> {
    bridge.delete_group(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
