//! `/Bulk`.

use axum::{Extension, http::StatusCode};

use super::{
    answer::Scim,
    body::{BULK_LIMIT, Body},
    context::Asked,
};
use crate::bridge::{Bridge, Error};

/// `POST /Bulk`
pub async fn bulk(
    Extension(bridge): Extension<Bridge>,
    Asked(context): Asked,
    Body(body): Body<BULK_LIMIT>,
) -> Result<Scim, Error> {
    let answer = bridge.bulk(&body, &context).await?;
    Ok(Scim(StatusCode::OK, answer))
}
