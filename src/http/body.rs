//! A request's body as JSON.

use axum::{
    extract::{FromRequest, Request},
    http::{
        HeaderMap,
        header::{CONTENT_ENCODING, CONTENT_TYPE},
    },
};
use futures_util::StreamExt;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::scim;

/// Larger bodies are refused, also if it takes unpacking to see how large they are: 1 MiB holds a
/// group of 15,000 members.
pub const LIMIT: usize = 1024 * 1024;

/// The same for a bulk request: what `ServiceProviderConfig` announces.
pub const BULK_LIMIT: usize = 2 * LIMIT;

/// How much of what is too large is read to its end.
const PASSED_OVER: usize = 8 * 1024 * 1024;

/// When a body has to be there. Given as an extension of the request.
#[derive(Clone, Copy, Debug)]
pub struct ReadBy(pub Instant);

/// What a packed body begins with (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What handed the request on leaves out bodies of unknown length: where there is none, this may be
/// why. Given as an extension of the request.
#[derive(Clone, Copy, Debug)]
pub struct MayLackBody;

/// A JSON object that a client sent, in at most so many bytes.
pub struct Body<const MOST: usize = LIMIT>(pub Value);

impl<S: Send + Sync, const MOST: usize> FromRequest<S> for Body<MOST> {
    type Rejection = scim::Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, scim::Error> {
        if !is_json(request.headers()) {
            return Err(scim::Error::unsupported_media_type(
                "send application/scim+json or application/json, in UTF-8",
            ));
        }
        if is_encoded(request.headers()) {
            return Err(scim::Error::unsupported_media_type(
                "the body's Content-Encoding is not understood: send gzip, or the body as it is",
            ));
        }
        let may_lack = request.extensions().get::<MayLackBody>().is_some();
        let read_by = request.extensions().get::<ReadBy>().copied();
        let reading = collect(request.into_body(), MOST);
        let read = match read_by {
            Some(ReadBy(end)) => timeout_at(end, reading).await.map_err(|_| {
                scim::Error::request_timeout(
                    "the body did not arrive in time: send it again, at once and as a whole",
                )
            })?,
            None => reading.await,
        };
        let bytes = read.map_err(|_| {
            scim::Error::invalid_syntax("the body broke off, or is not encoded as its headers say")
        })?;
        let bytes = bytes.ok_or_else(|| {
            scim::Error::too_large(format!(
                "the body is larger than {MOST} bytes: send it in several requests"
            ))
        })?;
        if bytes.is_empty() && may_lack {
            return Err(scim::Error::length_required(
                "the request arrived without a body: send it with Content-Length, for a body in \
                 chunks does not get through everything that is in front of the bridge",
            ));
        }
        if bytes.starts_with(&GZIP) {
            return Err(scim::Error::unsupported_media_type(
                "the body is packed with gzip, and its Content-Encoding did not arrive: send the \
                 body as it is",
            ));
        }
        scim::json::parse(&bytes).map(Self)
    }
}

/// The whole of a body; `None` if it is larger than `most`. The rest of a larger one is passed over:
/// a client that is still sending when the connection ends may never see why.
async fn collect(body: axum::body::Body, most: usize) -> Result<Option<Vec<u8>>, axum::Error> {
    let mut pieces = body.into_data_stream();
    let (mut bytes, mut length) = (Vec::new(), 0);
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        length += piece.len();
        if length > most + PASSED_OVER {
            break;
        }
        match length > most {
            true => bytes.clear(),
            false => bytes.extend_from_slice(&piece),
        }
    }
    Ok((length <= most).then_some(bytes))
}

/// Whether the body is still packed: a layer around has unpacked what it can and taken the header
/// away.
fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// RFC 7644, section 3.1: SCIM's own media type; plain JSON is what many clients send. A body
/// without any type is taken for JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return true;
    };
    let mut parts = value.to_str().unwrap_or_default().split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    // JSON is UTF-8 (RFC 8259, section 8.1), and ASCII is UTF-8 too.
    let readable = |charset: &str| {
        let charset = charset.trim().trim_matches('"');
        ["utf-8", "utf8", "us-ascii"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(charset))
    };
    ["application/scim+json", "application/json"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(media_type))
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
                readable(charset)
            }
            _ => true,
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let never = stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let mut request = Request::new(axum::body::Body::from_stream(never));
        request.extensions_mut().insert(ReadBy(Instant::now()));
        let error = Body::<LIMIT>::from_request(request, &()).await.err();
        assert_eq!(error.unwrap().status, 408);
    }
}
