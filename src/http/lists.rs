//! Lists and searches. RFC 7644, sections 3.4.2 and 3.4.3; RFC 9865.

use axum::{Extension, http::StatusCode};
use time::OffsetDateTime;

use super::{answer::Scim, body::Body, context::Asked, cursor::Cursors};
use crate::{
    bridge::{Bridge, Context, Error, MAX_RESULTS, Place},
    scim::{
        list::{ListQuery, cursor_response, list_response},
        schema::Kind,
    },
};

/// `GET /Users`
pub async fn users(bridge: Extension<Bridge>, cursors: Extension<Cursors>, asked: Asked) -> Answer {
    page(&[Kind::User], &bridge, &cursors, &asked.0).await
}

/// `GET /Groups`
pub async fn groups(
    bridge: Extension<Bridge>,
    cursors: Extension<Cursors>,
    asked: Asked,
) -> Answer {
    page(&[Kind::Group], &bridge, &cursors, &asked.0).await
}

/// `POST /Users/.search`
pub async fn search_users(
    bridge: Extension<Bridge>,
    cursors: Extension<Cursors>,
    asked: Asked,
    body: Body,
) -> Answer {
    page(&[Kind::User], &bridge, &cursors, &searched(asked, &body)?).await
}

/// `POST /Groups/.search`
pub async fn search_groups(
    bridge: Extension<Bridge>,
    cursors: Extension<Cursors>,
    asked: Asked,
    body: Body,
) -> Answer {
    page(&[Kind::Group], &bridge, &cursors, &searched(asked, &body)?).await
}

/// `POST /.search`: both, users first unless an order is asked for.
pub async fn search_all(
    bridge: Extension<Bridge>,
    cursors: Extension<Cursors>,
    asked: Asked,
    body: Body,
) -> Answer {
    page(&Kind::ALL, &bridge, &cursors, &searched(asked, &body)?).await
}

type Answer = Result<Scim, Error>;

/// What the body asks for, instead of the URL.
fn searched(Asked(context): Asked, Body(body): &Body) -> Result<Context, Error> {
    Ok(Context {
        query: ListQuery::from_search(body, MAX_RESULTS)?,
        ..context
    })
}

async fn page(kinds: &[Kind], bridge: &Bridge, cursors: &Cursors, context: &Context) -> Answer {
    let query = &context.query;
    let now = OffsetDateTime::now_utc();
    let selection = format!("{kinds:?} {}", query.selection());
    let place = match query.cursor.as_deref() {
        None => Place::Index(query.start_index),
        Some("") => Place::Cursor(None),
        Some(cursor) => Place::Cursor(Some(cursors.open(cursor, &selection, now)?)),
    };
    let list = bridge.list(kinds, place, context).await?;
    let value = if query.cursor.is_some() {
        let next = list.next.map(|next| cursors.seal(&next, &selection, now));
        cursor_response(list.resources, list.total, next.transpose()?.as_deref())
    } else {
        list_response(list.resources, list.total, query.start_index)
    };
    Ok(Scim(StatusCode::OK, value))
}
