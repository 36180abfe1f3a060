//! A visit to a bridge: what is known of it so far, and how it is asked.

use std::{net::SocketAddr, time::Duration};

use reqwest::{
    Client, Method, RequestBuilder, Url,
    header::{
        ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, LOCATION,
        RETRY_AFTER, USER_AGENT,
    },
};
use rustls::ClientConfig;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{deep::Deep, finding::Finding, network::unreachable};
use crate::{
    cli::{Status, terminal::plain},
    http::provider::DOCTOR,
    outbound,
    scim::error::ERROR_URN,
};

/// What SCIM clients accept and send (RFC 7644, section 8.1).
pub const SCIM: &str = "application/scim+json";
/// What some clients accept instead.
pub const JSON: &str = "application/json";
/// No answer that is asked for here is larger.
const LARGEST: usize = 16 * 1024 * 1024;
/// How much of what others wrote is repeated.
const LONGEST: usize = 1000;
/// How long to wait if too much was asked, and how often.
const PATIENCE: Duration = Duration::from_secs(10);
const REPEATS: usize = 2;

/// A bridge that is looked at.
pub struct Visit {
    client: Client,
    /// What TLS is spoken.
    pub tls: ClientConfig,
    /// The URL as it was given.
    pub given: Url,
    /// The URL to which paths are added, without a slash at its end.
    pub base: String,
    /// The bearer token.
    pub token: Zeroizing<String>,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Where the bridge can be reached.
    pub addresses: Vec<SocketAddr>,
    /// When the certificate ends.
    pub certificate_ends: Option<OffsetDateTime>,
    /// How far the bridge's clock is ahead, in seconds.
    pub clock_ahead: Option<i64>,
    /// The test person and the test group.
    pub deep: Option<Deep>,
}

/// A request.
pub struct Ask<'a> {
    pub method: Method,
    /// Behind the base; or a whole URL.
    pub path: &'a str,
    /// What is shown for admission.
    pub token: Option<&'a str>,
    pub accept: &'a str,
    /// Whether the answer may come packed.
    pub packed: bool,
    pub body: Option<String>,
}

/// An answer, whatever it is.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// The body, if it is JSON.
    pub body: Value,
    /// The body, without what a terminal would obey.
    text: String,
    /// How long it took.
    pub took: Duration,
}

impl Visit {
    pub fn new(
        url: Url,
        token: Zeroizing<String>,
        timeout: Duration,
        roots: Option<&str>,
    ) -> Result<Self, outbound::Error> {
        let mut base = url.clone();
        base.set_query(None);
        Ok(Self {
            client: outbound::client(roots)?,
            tls: outbound::tls(roots)?,
            base: base.as_str().trim_end_matches('/').to_owned(),
            given: url,
            token,
            timeout,
            addresses: Vec::new(),
            certificate_ends: None,
            clock_ahead: None,
            deep: None,
        })
    }

    /// The base without what says that SCIM begins there.
    pub fn root(&self) -> &str {
        root(&self.base)
    }

    /// Reads something with the token.
    pub async fn get(&self, path: &str) -> Result<Answer, Finding> {
        self.ask(self.read(path)).await
    }

    /// A read with the token, to be varied.
    pub fn read<'a>(&'a self, path: &'a str) -> Ask<'a> {
        Ask {
            method: Method::GET,
            path,
            token: Some(&self.token),
            accept: SCIM,
            packed: false,
            body: None,
        }
    }

    /// Sends a body with the token.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: impl ToString,
    ) -> Result<Answer, Finding> {
        self.ask(Ask {
            method,
            body: Some(body.to_string()),
            ..self.read(path)
        })
        .await
    }

    /// Asks, and once more if too much was asked. The error says that there is no answer.
    pub async fn ask(&self, ask: Ask<'_>) -> Result<Answer, Finding> {
        let url = match ask.path.starts_with("http") {
            true => ask.path.to_owned(),
            false => format!("{}{}", self.base, ask.path),
        };
        let mut request = self
            .client
            .request(ask.method, url)
            .timeout(self.timeout)
            .header(
                USER_AGENT,
                format!("{DOCTOR}/{}", env!("CARGO_PKG_VERSION")),
            )
            .header(ACCEPT, ask.accept);
        if let Some(token) = ask.token {
            request = request.bearer_auth(token);
        }
        if ask.packed {
            request = request.header(ACCEPT_ENCODING, "gzip");
        }
        if let Some(body) = ask.body {
            let media_type = format!("{SCIM}; charset=utf-8");
            request = request.header(CONTENT_TYPE, media_type).body(body);
        }
        for _ in 0..REPEATS {
            // None only for bodies that are streams.
            let Some(this_try) = request.try_clone() else {
                break;
            };
            let answer = self.once(this_try).await?;
            match answer.wait() {
                Some(wait) if answer.status == 429 && wait <= PATIENCE => {
                    tokio::time::sleep(wait).await;
                }
                _ => return Ok(answer),
            }
        }
        self.once(request).await
    }

    async fn once(&self, request: RequestBuilder) -> Result<Answer, Finding> {
        let began = Instant::now();
        let no_answer = |error| {
            unreachable(outbound::reason(error)).fix(
                "See that the bridge runs and that nothing in front of it cuts connections; \
                 providers give up too",
            )
        };
        let mut response = request.send().await.map_err(no_answer)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(no_answer)? {
            if body.len() + part.len() > LARGEST {
                return Err(Finding::failed("an answer without end"));
            }
            body.extend_from_slice(&part);
        }
        // Some answers repeat what they were sent.
        let text = self.hushed(&String::from_utf8_lossy(&body));
        Ok(Answer {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or_default(),
            text: plain(text.trim()),
            took: began.elapsed(),
        })
    }

    /// A text without the token, whoever wrote it, and not too much of it.
    pub fn clean(&self, text: &str) -> String {
        let text = self.hushed(text);
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }

    fn hushed(&self, text: &str) -> String {
        // A text that is too short to be a token stands in other words too.
        match self.token.len() > 8 {
            true => text.replace(self.token.as_str(), "[token]"),
            false => text.to_owned(),
        }
    }
}

/// A URL without what says that SCIM begins there.
pub fn root(url: &str) -> &str {
    ["/scim/v2", "/scim"]
        .iter()
        .find_map(|end| url.strip_suffix(end))
        .unwrap_or(url)
}

impl Answer {
    pub fn header(&self, name: HeaderName) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// The whole body is this text.
    pub fn is(&self, text: &str) -> bool {
        self.text == text
    }

    fn wait(&self) -> Option<Duration> {
        let seconds = self.header(RETRY_AFTER).trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    }

    /// Whether its media type is the one.
    pub fn is_of(&self, media_type: &str) -> bool {
        let given = self.header(CONTENT_TYPE).split(';').next();
        given.is_some_and(|given| given.trim().eq_ignore_ascii_case(media_type))
    }

    /// Whether it came packed.
    pub fn is_packed(&self) -> bool {
        self.header(CONTENT_ENCODING).eq_ignore_ascii_case("gzip")
    }

    /// Whether it is an error as RFC 7644, section 3.12 has it.
    pub fn is_scim_error(&self) -> bool {
        (self.is_of(SCIM) || self.is_of(JSON))
            && self.body["schemas"][0] == ERROR_URN
            && self.body["status"].as_str() == Some(&self.status.to_string())
    }

    /// Whether it is of the class that is wanted. If not, what it is and what that means.
    pub fn expect(&self, status: u16) -> Result<&Self, Finding> {
        match self.status == status {
            true => Ok(self),
            false => Err(self.unexpected()),
        }
    }

    /// What an answer is that should be another.
    pub fn unexpected(&self) -> Finding {
        let seen = format!("answered {}", self.shown());
        let is_html = self.is_of("text/html");
        let finding = Finding::failed(seen);
        match self.status {
            300..=399 => finding.fix(
                "Enter the URL that the answer leads to, or take the redirect away: providers \
                 follow none, or drop the token on the way",
            ),
            401 if self.is_scim_error() => finding.status(Status::Refused).fix(
                "Give the provider a token of this bridge: scim-bridge token list shows which \
                 there are and when they end, scim-bridge token add makes one",
            ),
            403 if self.is_scim_error() => finding.status(Status::Refused),
            429 => finding.status(Status::Unreachable).fix(
                "Try again in a minute; if it stays so, raise the limit: providers send many \
                 requests at once",
            ),
            502..=504 if !self.is_scim_error() => finding.status(Status::Unreachable).fix(
                "The gateway in front got no answer from the bridge: see the bridge's log, and \
                 whether it starts in time",
            ),
            503 => finding
                .status(Status::Unreachable)
                .fix("Do what the answer says; scim-bridge credentials check and /health say more"),
            _ if is_html => finding.fix(
                "Something else answers, such as a login page, a firewall or a web site: see the \
                 URL, and let providers through to the bridge without signing in",
            ),
            500 => finding.fix("See the bridge's log for this moment"),
            _ => finding,
        }
    }

    /// Its status, and what it says.
    pub fn shown(&self) -> String {
        let status = self.status;
        if let Some(detail) = self.body["detail"].as_str() {
            return format!("{status}: {}", plain(detail));
        }
        match self.header(LOCATION) {
            "" => {}
            location => return format!("{status}, a redirect to {}", plain(location)),
        }
        if self.is_of("text/html") {
            return format!("{status} with an HTML page");
        }
        match self.text.chars().take(80).collect::<String>() {
            text if text.is_empty() => format!("{status} without a body"),
            text => format!("{status}: {text}"),
        }
    }
}
