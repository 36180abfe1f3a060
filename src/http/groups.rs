//! `/Groups`.

use axum::{Extension, http::StatusCode};

use super::{
    answer::{Created, Fetched},
    body::Body,
    context::Asked,
    id::Id,
};
use crate::bridge::{Bridge, Error, Resource};

/// `POST /Groups`
pub async fn create(
    Extension(bridge): Extension<Bridge>,
    Asked(context): Asked,
    Body(body): Body,
) -> Result<Created, Error> {
    Ok(Created(bridge.create_group(&body, &context).await?))
}

/// `GET /Groups/{id}`
pub async fn get(
    Extension(bridge): Extension<Bridge>,
    Asked(context): Asked,
    Id(id): Id,
) -> Result<Fetched, Error> {
    let group = bridge.group(&id, &context).await?;
    Ok(match context.conditions.is_known(&group.version)? {
        true => Fetched::Known(group.version),
        false => Fetched::New(group),
    })
}

/// `PUT /Groups/{id}`
pub async fn replace(
    Extension(bridge): Extension<Bridge>,
    Asked(context): Asked,
    Id(id): Id,
    Body(body): Body,
) -> Result<Resource, Error> {
    bridge.replace_group(&id, &body, &context).await
}

/// `PATCH /Groups/{id}`
pub async fn patch(
    Extension(bridge): Extension<Bridge>,
    Asked(context): Asked,
    Id(id): Id,
    Body(body): Body,
) -> Result<Resource, Error> {
    bridge.patch_group(&id, &body, &context).await
}

/// `DELETE /Groups/{id}`
pub async fn delete(
    Extension(bridge): Extension<Bridge>,
    Asked(context): Asked,
    Id(id): Id,
) -> Result<StatusCode, Error> {
    bridge.delete_group(&id, &context).await?;
    Ok(StatusCode::NO_CONTENT)
}
