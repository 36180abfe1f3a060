//! The path as the client sent it, and as the router wants it.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request},
    http::{HeaderMap, Uri, header::HOST, request::Parts},
};

use crate::scim;

/// Where providers may say that SCIM begins; the longest first.
const PREFIXES: [&str; 2] = ["/scim/v2", "/scim"];

/// The URL in front of `/Users` as the client knows it, for `meta.location`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base(pub String);

/// What clients have in front of the path that we are given: a part of the path that belongs to the
/// gateway, such as `/prod`. Given as an extension of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount(pub String);

/// Takes prefix, double and trailing slashes off the path, and remembers the base.
///
/// No redirect: clients drop their token when they follow one.
pub fn tidy(mut request: Request, public_url: Option<Arc<str>>) -> Request {
    let (prefix, path) = split(request.uri().path());
    let origin = match public_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => {
            let mount = request.extensions_mut().remove::<Mount>();
            let mount = mount.map_or_else(String::new, |Mount(path)| path);
            origin(request.uri(), request.headers()) + &mount
        }
    };
    let tidied = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let base = Base(format!("{origin}{prefix}"));
    if let Ok(uri) = tidied.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    request.extensions_mut().insert(base);
    request
}

/// Prefix and path, both without needless slashes; the path begins with one.
fn split(path: &str) -> (&'static str, String) {
    let clean: String = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .flat_map(|segment| ["/", segment])
        .collect();
    let prefixed = PREFIXES.iter().find_map(|prefix| {
        let rest = clean.strip_prefix(prefix)?;
        (rest.is_empty() || rest.starts_with('/')).then_some((*prefix, rest))
    });
    let (prefix, rest) = prefixed.unwrap_or(("", &clean));
    match rest {
        "" => (prefix, "/".to_owned()),
        rest => (prefix, rest.to_owned()),
    }
}

fn origin(uri: &Uri, headers: &HeaderMap) -> String {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = header(HOST.as_str())
        .or_else(|| uri.authority().map(|authority| authority.as_str()))
        .unwrap_or("localhost");
    // A chain of proxies lists one each; the first is the client's.
    let forwarded = header("x-forwarded-proto").and_then(|list| list.split(',').next());
    let scheme = match forwarded.map(str::trim) {
        Some(first) if first.eq_ignore_ascii_case("https") => "https",
        _ => uri.scheme_str().unwrap_or("http"),
    };
    format!("{scheme}://{host}")
}

impl<S: Send + Sync> FromRequestParts<S> for Base {
    type Rejection = scim::Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, scim::Error> {
        let base = parts.extensions.get::<Self>().cloned();
        base.ok_or_else(|| scim::Error::internal("the request has no base URL"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_and_slashes() {
        for (sent, prefix, path) in [
            ("/", "", "/"),
            ("/Users", "", "/Users"),
            ("/Users/", "", "/Users"),
            ("//Users//x/", "", "/Users/x"),
            ("/scim", "/scim", "/"),
            ("/scim/", "/scim", "/"),
            ("/scim/Users", "/scim", "/Users"),
            ("/scim/v2", "/scim/v2", "/"),
            ("/scim/v2//Users/", "/scim/v2", "/Users"),
            ("/scimitar/Users", "", "/scimitar/Users"),
            ("/scim/v20/Users", "/scim", "/v20/Users"),
        ] {
            assert_eq!(split(sent), (prefix, path.to_owned()), "{sent}");
        }
    }

    #[test]
    fn the_base_is_what_the_client_used() {
        let request = |headers: &[(&str, &str)], public: Option<&str>| {
            let mut request = Request::builder().uri("/scim/v2/Users?x=1");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let request = request.body(axum::body::Body::empty()).unwrap();
            let request = tidy(request, public.map(Arc::from));
            assert_eq!(request.uri(), "/Users?x=1");
            request.extensions().get::<Base>().unwrap().0.clone()
        };
        assert_eq!(request(&[("host", "a:1")], None), "http://a:1/scim/v2");
        assert_eq!(
            request(&[("host", "a"), ("x-forwarded-proto", "HTTPS, http")], None),
            "https://a/scim/v2"
        );
        assert_eq!(
            request(&[("host", "a")], Some("https://b.example/")),
            "https://b.example/scim/v2"
        );
    }

    #[test]
    fn what_belongs_to_the_gateway_is_in_the_base_unless_its_url_is_configured() {
        for (public, base) in [
            (None, "http://a/prod/scim"),
            (Some("https://b.example"), "https://b.example/scim"),
        ] {
            let request = Request::builder().uri("/scim/Users").header("host", "a");
            let request = request.extension(Mount("/prod".to_owned()));
            let request = request.body(axum::body::Body::empty()).unwrap();
            let request = tidy(request, public.map(Arc::from));
            assert_eq!(request.extensions().get::<Base>().unwrap().0, base);
        }
    }
}
