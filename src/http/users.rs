//! `/Users`.

use axum::{Extension, http::StatusCode};

use super::{
    answer::{Created, Fetched},
    body::Body,
    context::Asked,
    id::Id,
};
use crate::bridge::{Bridge, Error, Resource};

/// `POST /Users`
pub async fn create(
    Extension(bridge): Extension<Bridge>,
    Asked(context): Asked,
    Body(body): Body,
) -> Result<Created, Error> {
    Ok(Created(bridge.create_user(&body, &context).await?))
}

/// `GET /Users/{id}`
pub async fn get(
    Extension(bridge): Extension<Bridge>,
    Asked(context): Asked,
    Id(id): Id,
) -> Result<Fetched, Error> {
    let user = bridge.user(&id, &context).await?;
    Ok(match context.conditions.is_known(&user.version)? {
        true => Fetched::Known(user.version),
        false => Fetched::New(user),
    })
}

/// `PUT /Users/{id}`
pub async fn replace(
    Extension(bridge): Extension<Bridge>,
    Asked(context): Asked,
    Id(id): Id,
    Body(body): Body,
) -> Result<Resource, Error> {
    bridge.replace_user(&id, &body, &context).await
}

/// `PATCH /Users/{id}`
pub async fn patch(
    Extension(bridge): Extension<Bridge>,
    Asked(context): Asked,
    Id(id): Id,
    Body(body): Body,
) -> Result<Resource, Error> {
    bridge.patch_user(&id, &body, &context).await
}

/// `DELETE /Users/{id}`
pub async fn delete(
    Extension(bridge): Extension<Bridge>,
    Asked(context): Asked,
    Id(id): Id,
) -> Result<StatusCode, Error> {
    bridge.delete_user(&id, &context).await?;
    Ok(StatusCode::NO_CONTENT)
}
