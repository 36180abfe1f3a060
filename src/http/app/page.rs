//! The page: one file for the browser, kept as three for people.

use std::sync::LazyLock;

use axum::{
    http::{HeaderValue, header::CONTENT_SECURITY_POLICY},
    response::{Html, IntoResponse, Response},
};
use data_encoding::BASE64;
use sha2::{Digest, Sha256};

use super::PRIVATE;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

static PAGE: LazyLock<String> = LazyLock::new(|| {
    include_str!("page.html")
        .replace("{{style}}", STYLE)
        .replace("{{script}}", SCRIPT)
});

/// The browser runs this script and no other, also if somebody managed to put one into the page,
/// and speaks to this bridge alone. Texts of others cannot become markup (trusted types).
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| BASE64.encode(&Sha256::digest(text));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
        hash(SCRIPT),
        hash(STYLE),
    )
});

/// `GET /` and `GET /app`.
pub async fn page() -> Response {
    let mut response = Html(PAGE.as_str()).into_response();
    let headers = response.headers_mut();
    headers.extend(PRIVATE);
    if let Ok(policy) = HeaderValue::from_str(&POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_needs_nothing_from_elsewhere() {
        // As a browser cuts them out: what is hashed has to be all that is between the tags.
        for (open, close, text) in [
            ("<style>", "</style>", STYLE),
            ("<script>", "</script>", SCRIPT),
        ] {
            let pieces: Vec<&str> = PAGE.split(open).collect();
            assert_eq!(pieces.len(), 2, "{open} once");
            let inner = pieces[1].split(close).next();
            assert_eq!(inner, Some(text), "{close} once");
        }
        assert!(!PAGE.contains("{{"));
        let of_drawings = "http://www.w3.org/2000/svg";
        let elsewhere = PAGE.replace(of_drawings, "");
        for address in ["http:", "https:", "src=", "//cdn", "@import", "url("] {
            assert!(!elsewhere.contains(address), "{address}");
        }
    }
}
