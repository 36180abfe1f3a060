//! `/Users`.

use axum::{Extension, http::StatusCode};

use super::{
    answer::{Created, Scim},
    base::Base,
    body::Body,
    id::Id,
    query::ScimQuery,
};
use crate::bridge::{Bridge, Error};

/// `GET /Users`
pub async fn list(
    Extension(bridge): Extension<Bridge>,
    Base(base): Base,
    ScimQuery(query): ScimQuery,
) -> Result<Scim, Error> {
    let list = bridge.users(&query, &base).await?;
    Ok(Scim(StatusCode::OK, list))
}

/// `POST /Users`
pub async fn create(
    Extension(bridge): Extension<Bridge>,
    Base(base): Base,
    ScimQuery(query): ScimQuery,
    Body(body): Body,
) -> Result<Created, Error> {
    let resource = bridge.create_user(&body, &query, &base).await?;
    // Whatever attributes are wanted, the id is among them.
    let id = resource["id"].as_str().unwrap_or_default();
    Ok(Created {
        location: format!("{base}/Users/{id}"),
        resource,
    })
}

/// `GET /Users/{id}`
pub async fn get(
    Extension(bridge): Extension<Bridge>,
    Base(base): Base,
    Id(id): Id,
    ScimQuery(query): ScimQuery,
) -> Result<Scim, Error> {
    let user = bridge.user(&id, &query, &base).await?;
    Ok(Scim(StatusCode::OK, user))
}

/// `PUT /Users/{id}`
pub async fn replace(
    Extension(bridge): Extension<Bridge>,
    Base(base): Base,
    Id(id): Id,
    ScimQuery(query): ScimQuery,
    Body(body): Body,
) -> Result<Scim, Error> {
    let user = bridge.replace_user(&id, &body, &query, &base).await?;
    Ok(Scim(StatusCode::OK, user))
}

/// `PATCH /Users/{id}`
pub async fn patch(
    Extension(bridge): Extension<Bridge>,
    Base(base): Base,
    Id(id): Id,
    ScimQuery(query): ScimQuery,
    Body(body): Body,
) -> Result<Scim, Error> {
    let user = bridge.patch_user(&id, &body, &query, &base).await?;
    Ok(Scim(StatusCode::OK, user))
}

/// `DELETE /Users/{id}`
pub async fn delete(Extension(bridge): Extension<Bridge>, Id(id): Id) -> Result<StatusCode, Error> {
    bridge.delete_user(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
