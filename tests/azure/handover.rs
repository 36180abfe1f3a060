//! How the host hands a request on to the handler, with all that gets lost on either way.

use std::fmt::Write;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use reqwest::{
    Body, Method, RequestBuilder, Url,
    header::{
        CONNECTION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION,
        CONTENT_TYPE, EXPIRES, HOST, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED,
        TRANSFER_ENCODING, USER_AGENT,
    },
};

use crate::front;

const TRACE: &str = "traceparent";
const VERSION: &str = "4.1044.400.0";

/// How requests are handed on to the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Each is made anew from what the host has read of it.
    Forwarding,
    /// Each is passed through by a reverse proxy.
    Proxying,
}

/// A request as the host has read it.
pub struct Incoming {
    pub method: Method,
    /// Without percent-encoding but of slashes, and without dots.
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Mode {
    /// The request that the handler gets, if it gets one.
    pub fn request(
        self,
        client: &reqwest::Client,
        handler: &str,
        invocation: &str,
        incoming: Incoming,
    ) -> Option<RequestBuilder> {
        match self {
            Self::Forwarding => forwarded(client, handler, invocation, incoming),
            Self::Proxying => Some(proxied(client, handler, invocation, incoming)),
        }
    }
}

/// The path is read as a URL for a second time; of names that a query repeats one is left; of what
/// describes the body only length and type are, and no body is taken whose length is not known. What
/// the host says of itself comes after what the caller said.
fn forwarded(
    client: &reqwest::Client,
    handler: &str,
    invocation: &str,
    incoming: Incoming,
) -> Option<RequestBuilder> {
    let mut headers = incoming.headers;
    let length = headers.get(CONTENT_LENGTH).cloned();
    let length = length.filter(|length| length != "0");
    // The host's own client refuses to send this header with nothing.
    if headers.contains_key(TRANSFER_ENCODING) && length.is_none() {
        return None;
    }
    let content_type = headers.get(CONTENT_TYPE).cloned();
    for of_the_body in [
        CONTENT_LENGTH,
        CONTENT_TYPE,
        CONTENT_ENCODING,
        CONTENT_LANGUAGE,
        CONTENT_LOCATION,
        EXPIRES,
        LAST_MODIFIED,
        HeaderName::from_static("content-md5"),
    ] {
        headers.remove(of_the_body);
    }
    add_trace(&mut headers, invocation);
    for (name, separator, own) in [
        ("x-azure-functions-hostversion", ", ", VERSION),
        ("x-azure-functions-invocationid", ", ", invocation),
        ("user-agent", " ", &own_agent()),
    ] {
        let before = headers.get(name).map(|before| before.to_str().unwrap());
        let before = before.map_or(String::new(), |before| format!("{before}{separator}"));
        headers.insert(name, value(&format!("{before}{own}")));
    }
    let path = read_as_url(&incoming.path);
    let query = joined(&incoming.query);
    let mut request = client.request(incoming.method, format!("http://{handler}{path}{query}"));
    if length.is_some() {
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type);
        }
        request = request.body(incoming.body);
    }
    Some(request.headers(headers))
}

/// Nearly all stays as it is, but for the name of the host that is asked, and for those in front of
/// it: the host knows only who asked it.
fn proxied(
    client: &reqwest::Client,
    handler: &str,
    invocation: &str,
    incoming: Incoming,
) -> RequestBuilder {
    let mut headers = incoming.headers;
    let chunked = headers.remove(TRANSFER_ENCODING).is_some();
    for between_two in ["connection", "keep-alive", "te", "upgrade", "alt-svc"] {
        headers.remove(between_two);
    }
    let host = headers.remove(HOST).unwrap();
    headers.insert("x-forwarded-host", host);
    headers.insert("x-forwarded-for", value(front::PEER));
    headers.insert("x-azure-functions-hostversion", value(VERSION));
    headers.insert("x-azure-functions-invocationid", value(invocation));
    headers.insert("x-ms-invocation-id", value(invocation));
    add_trace(&mut headers, invocation);
    let path = encoded(&incoming.path, "!$&'()*+,-./:;=@_~");
    let query = match &*incoming.query {
        "" => String::new(),
        query => format!("?{query}"),
    };
    let request = client.request(incoming.method, format!("http://{handler}{path}{query}"));
    match chunked {
        true => request.headers(headers).body(in_chunks(incoming.body)),
        false => request.headers(headers).body(incoming.body),
    }
}

/// What the handler gets when a timer is due.
pub fn tick(
    client: &reqwest::Client,
    handler: &str,
    function: &str,
    invocation: &str,
    payload: String,
) -> RequestBuilder {
    client
        .post(format!("http://{handler}/{function}"))
        .header(CONTENT_TYPE, "application/json; charset=utf-8")
        .header("x-azure-functions-hostversion", VERSION)
        .header("x-azure-functions-invocationid", invocation)
        .header(TRACE, trace(invocation))
        .header(USER_AGENT, own_agent())
        .body(in_chunks(payload.into()))
}

/// Whose trace it is, unless the caller has said so.
fn add_trace(headers: &mut HeaderMap, invocation: &str) {
    let entry = headers.entry(TRACE);
    entry.or_insert_with(|| value(&trace(invocation)));
}

/// The trace that the host begins for an invocation.
pub fn trace(invocation: &str) -> String {
    format!("00-{}-00f067aa0ba902b7-01", invocation.replace('-', ""))
}

fn own_agent() -> String {
    format!("Azure-Functions-Host/{VERSION}")
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap()
}

/// A body that does not say how long it is.
pub fn in_chunks(body: Bytes) -> Body {
    Body::wrap(Full::new(body).map_frame(|frame| frame))
}

/// What the client gets of the handler's answer: all but what is between two.
pub fn answered(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
    headers
}

/// A path as the web server under the host reads it.
pub fn decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        match octet(rest) {
            Some(octet) if octet != b'/' => {
                bytes.push(octet);
                rest = &rest[3..];
            }
            _ => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    let text = String::from_utf8(bytes).unwrap_or_else(|_| path.to_owned());
    without_dots(&text)
}

/// What a percent-encoding at the beginning stands for.
fn octet(text: &[u8]) -> Option<u8> {
    let digits = text.strip_prefix(b"%")?.get(..2)?;
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

/// A decoded path that is taken for the path of a URL: there may be escapes in it again, a query,
/// a fragment, backslashes and dots.
fn read_as_url(path: &str) -> String {
    let mut plain = String::new();
    let mut rest = path;
    while let Some(first) = rest.chars().next() {
        let unreserved = |octet: &u8| octet.is_ascii_alphanumeric() || b"-._~".contains(octet);
        match octet(rest.as_bytes()).filter(unreserved) {
            Some(octet) => {
                plain.push(octet.into());
                rest = &rest[3..];
            }
            None => {
                plain.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    let url = Url::parse(&format!("http://localhost{plain}")).unwrap();
    url.path().to_owned()
}

/// A query whose repeated names stand there once, with all their values as one.
fn joined(query: &str) -> String {
    let mut known: Vec<(String, String)> = Vec::new();
    let url = Url::parse(&format!("http://localhost/?{query}")).unwrap();
    for (name, value) in url.query_pairs() {
        let same = |(known, _): &&mut (String, String)| known.eq_ignore_ascii_case(&name);
        match known.iter_mut().find(same) {
            Some((_, values)) => write!(values, ",{value}").unwrap(),
            None => known.push((name.into_owned(), value.into_owned())),
        }
    }
    let pairs = known.iter().map(|(name, value)| {
        let plain = "-._~";
        format!("{}={}", encoded(name, plain), encoded(value, plain))
    });
    let pairs: Vec<_> = pairs.collect();
    match pairs[..] {
        [] => String::new(),
        _ => format!("?{}", pairs.join("&")),
    }
}

/// Percent-encoded but for letters, digits and what is `plain`.
fn encoded(text: &str, plain: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() || plain.as_bytes().contains(&byte) => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
