//! Media types and codings, of what comes and of what goes. RFC 7644, section 3.8.

use axum::{
    extract::Request,
    http::{
        HeaderMap, HeaderValue,
        header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY},
    },
    middleware::Next,
    response::Response,
};

/// Calls SCIM plain JSON for who accepts only that. It is the same either way; to refuse a client
/// for the name would help nobody.
pub async fn suit(request: Request, next: Next) -> Response {
    let plain = wants_plain_json(request.headers());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let is_scim = |value: &HeaderValue| value.as_bytes() == b"application/scim+json";
    if plain && headers.get(CONTENT_TYPE).is_some_and(is_scim) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    headers.append(VARY, HeaderValue::from_static("accept"));
    response
}

/// Writes the codings as the layers that pack and unpack expect them. Names have no case, `x-gzip` is
/// `gzip` (RFC 9110, section 8.4.1), and who accepts neither `gzip` nor an answer as it is gets it as
/// it is (section 12.5.3): to refuse would come after the request was carried out.
pub fn plain_codings(mut request: Request) -> Request {
    let headers = request.headers_mut();
    if let Some(coding) = headers.get(CONTENT_ENCODING) {
        let name = coding.as_bytes().trim_ascii().to_ascii_lowercase();
        if [&b"gzip"[..], b"x-gzip"].contains(&name.as_slice()) {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
    if headers.contains_key(ACCEPT_ENCODING) {
        let accepts = accepts_gzip(headers);
        headers.remove(ACCEPT_ENCODING);
        if accepts {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
    request
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let weight = |parameters: Option<&str>| {
        let q = parameters.and_then(|text| text.trim().strip_prefix("q="));
        q.map_or(1.0, |q| q.trim().parse().unwrap_or(0.0))
    };
    let lines = headers.get_all(ACCEPT_ENCODING).iter();
    let codings = lines.filter_map(|line| line.to_str().ok());
    let codings = codings.flat_map(|line| line.split(','));
    let named = codings.filter_map(|coding| {
        let (name, parameters) = match coding.split_once(';') {
            Some((name, parameters)) => (name, Some(parameters)),
            None => (coding, None),
        };
        let name = name.trim().to_ascii_lowercase();
        ["gzip", "x-gzip", "*"]
            .contains(&name.as_str())
            .then(|| (name, weight(parameters)))
    });
    let named: Vec<(String, f32)> = named.collect();
    let own = named.iter().find(|(name, _)| name != "*");
    own.or(named.first())
        .is_some_and(|(_, weight)| *weight > 0.0)
}

fn wants_plain_json(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT).iter();
    let accepted: Vec<String> = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|range| range.split(';').next())
        .map(|range| range.trim().to_ascii_lowercase())
        .collect();
    let accepts = |range: &str| accepted.iter().any(|known| known == range);
    let scim = ["application/scim+json", "application/*", "*/*"];
    accepts("application/json") && !scim.into_iter().any(accepts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_who_accepts_it() {
        for (accept, gzip) in [
            ("gzip", true),
            ("GZIP;q=0.5, br", true),
            ("x-gzip", true),
            ("*", true),
            ("gzip;q=0, *", false),
            ("*;q=0", false),
            ("identity;q=0", false),
            ("br, deflate", false),
            ("gzip;q=often", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accept));
            assert_eq!(accepts_gzip(&headers), gzip, "{accept}");
        }
    }

    #[test]
    fn plain_json_is_for_who_accepts_nothing_else() {
        for (accept, plain) in [
            ("application/json", true),
            ("text/html, Application/JSON;q=0.9", true),
            ("application/json, application/scim+json", false),
            ("application/json, text/plain, */*", false),
            ("application/scim+json", false),
            ("text/html", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(wants_plain_json(&headers), plain, "{accept}");
        }
        assert!(!wants_plain_json(&HeaderMap::new()));
    }
}
