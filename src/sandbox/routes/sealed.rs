//! Requests within a session: the MAC is checked, the body opened, the answer sealed.

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::BODY;
use crate::{
    onepassword::{request_mac, session},
    sandbox::{Sandbox, refusal::Refusal, sessions::Found},
};

/// Lets a request of a live session through to its handler.
pub(super) async fn sealed(
    State(sandbox): State<Sandbox>,
    request: Request,
    next: Next,
) -> Response {
    let found = match authenticate(&sandbox, &request) {
        Ok(found) => found,
        Err(refusal) => return refusal.into_response(),
    };
    let session = found.session;
    let answer = match open(&session, request).await {
        Ok(mut request) => {
            request.extensions_mut().insert(found.caller);
            next.run(request).await
        }
        // What does not open is not of this session, and learns nothing inside it.
        Err(refusal) if refusal.status == StatusCode::UNAUTHORIZED => {
            return refusal.into_response();
        }
        Err(refusal) => refusal.into_response(),
    };
    let (mut parts, body) = answer.into_parts();
    let sealed = match to_bytes(body, usize::MAX).await {
        Ok(plain) if !plain.is_empty() => session.seal_bytes(&plain),
        _ => session.seal_bytes(b"{}"),
    };
    match sealed {
        Ok(sealed) => {
            parts.headers.remove(header::CONTENT_LENGTH);
            Response::from_parts(parts, Body::from(sealed))
        }
        Err(_) => Refusal::internal("an answer could not be sealed").into_response(),
    }
}

fn authenticate(sandbox: &Sandbox, request: &Request) -> Result<Found, Refusal> {
    let text = |name: &str| request.headers().get(name)?.to_str().ok();
    let (Some(id), Some(mac)) = (text(session::HEADER), text(request_mac::HEADER)) else {
        return Err(Refusal::unauthenticated());
    };
    let path = request.uri().path();
    let proves = request.method() == Method::POST && path.ends_with("/auth/verify");
    let sessions = &sandbox.0.sessions;
    let found = sessions
        .find(id, proves)
        .ok_or_else(Refusal::unauthenticated)?;
    let target = request
        .uri()
        .path_and_query()
        .map_or(path, |target| target.as_str());
    let host = host(request);
    let request_id = found
        .session
        .verify(mac, request.method().as_str(), &host, target)
        .map_err(|_| Refusal::unauthenticated())?;
    if !sessions.accept(id, request_id) {
        return Err(Refusal::unauthenticated());
    }
    Ok(found)
}

/// The host that the client thinks it talks to, without its port. HTTP/2 has it in the URI.
fn host(request: &Request) -> String {
    let named = request.headers().get(header::HOST);
    let host = named
        .and_then(|host| host.to_str().ok())
        .or_else(|| request.uri().host())
        .unwrap_or_default();
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
    .to_lowercase()
}

async fn open(session: &session::Session, request: Request) -> Result<Request, Refusal> {
    let (parts, body) = request.into_parts();
    let sealed = to_bytes(body, BODY)
        .await
        .map_err(|_| Refusal::invalid("the body is too long"))?;
    let plain = if sealed.is_empty() {
        Body::empty()
    } else {
        let plain = session
            .open_bytes(&sealed)
            .map_err(|_| Refusal::unauthenticated())?;
        Body::from(plain.to_vec())
    };
    Ok(Request::from_parts(parts, plain))
}
