//! The media type of answers. RFC 7644, section 3.8.

use axum::{
    extract::Request,
    http::{
        HeaderMap, HeaderValue,
        header::{ACCEPT, CONTENT_TYPE, VARY},
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
