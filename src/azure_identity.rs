//! Tokens of Microsoft Entra ID for the process itself, from wherever it runs.
//!
//! Two requests and one command; a crate of Azure's SDK would bring more than that.

use std::collections::HashMap;
#[cfg(feature = "local")]
use std::time::Duration;

use reqwest::{RequestBuilder, Url};
use serde::Deserialize;
use time::OffsetDateTime;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::outbound::retry;

/// A token this close to its end is renewed: what is sent with it may take a while to arrive.
const MARGIN: time::Duration = time::Duration::minutes(2);

/// The authorities of Microsoft's clouds. No other is told a client secret, unless the
/// environment names it.
const AUTHORITIES: [&str; 3] = [
    "https://login.microsoftonline.com",
    "https://login.microsoftonline.us",
    "https://login.partner.microsoftonline.cn",
];

/// Who the process is, with the tokens that it has been given.
pub struct Identity {
    http: reqwest::Client,
    source: Option<TokenSource>,
    tokens: Mutex<HashMap<String, Token>>,
}

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// The resource, such as `https://vault.azure.net`.
    pub resource: String,
    /// Which authority gives tokens for it, as the resource says; `None` if it says nothing.
    pub authority: Option<Url>,
}

/// Why there is no token. No text holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing says who the process is.
    #[error(
        "this process has no Azure identity: give the function app a managed identity, or set \
         AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET{}",
        if cfg!(feature = "local") { ", or install the Azure CLI and run az login" } else { "" }
    )]
    NoIdentity,
    /// Whoever was asked said no.
    #[error("no token from {from}: {reason}")]
    Refused {
        /// Who was asked.
        from: &'static str,
        /// What it said, and what to do.
        reason: String,
    },
    /// Nobody answered, for now.
    #[error("no token from {from} for now: {reason}")]
    OutOfReach {
        /// Who was asked.
        from: &'static str,
        /// What went wrong.
        reason: String,
    },
}

/// Why a request could not be sent as this identity.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// There is no token for it.
    #[error(transparent)]
    NoToken(#[from] Error),
    /// Nobody answers.
    #[error(transparent)]
    OutOfReach(#[from] retry::OutOfReach),
}

#[derive(Clone)]
struct Token {
    text: Zeroizing<String>,
    expires_at: OffsetDateTime,
}

enum TokenSource {
    /// App Service and Functions: a local endpoint, and a header that shows who asks.
    ManagedIdentity {
        endpoint: String,
        header: Zeroizing<String>,
        client_id: Option<String>,
    },
    /// A registered application with a client secret.
    ServicePrincipal {
        authority: Option<String>,
        tenant: String,
        client_id: String,
        secret: Zeroizing<String>,
    },
    /// Whoever signed in with `az login`; looked for on this search path.
    #[cfg(feature = "local")]
    AzureCli { path: Option<String> },
}

impl Identity {
    /// Reads with `lookup`, which is given an environment variable's name, who the process is:
    /// a managed identity (`IDENTITY_ENDPOINT`, `IDENTITY_HEADER`, `AZURE_CLIENT_ID` for a
    /// user-assigned one), else a service principal (`AZURE_TENANT_ID`, `AZURE_CLIENT_ID`,
    /// `AZURE_CLIENT_SECRET`, `AZURE_AUTHORITY_HOST`), else, on one machine, the Azure CLI's user.
    pub fn new(http: reqwest::Client, lookup: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            http,
            source: TokenSource::find(|name| lookup(name).filter(|value| !value.is_empty())),
            tokens: Mutex::default(),
        }
    }

    /// A token for the audience, the last one while it lasts.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn token(&self, audience: &Audience) -> Result<Zeroizing<String>, Error> {
        // Held while asking: others who need the same token wait for this one.
        let mut tokens = self.tokens.lock().await;
        let now = OffsetDateTime::now_utc();
        if let Some(token) = tokens.get(&audience.resource)
            && token.expires_at - MARGIN > now
        {
            return Ok(token.text.clone());
        }
        let source = self.source.as_ref().ok_or(Error::NoIdentity)?;
        let token = source.ask(&self.http, audience, now).await?;
        let text = token.text.clone();
        tokens.insert(audience.resource.clone(), token);
        Ok(text)
    }

    /// Sends a request with a token. One that is kept may have been revoked: the answer is 401 then,
    /// and whoever asked may [`forget`](Self::forget) it and ask again.
    ///
    /// # Errors
    /// If there is no token, or no answer in time.
    pub async fn send(
        &self,
        request: RequestBuilder,
        audience: &Audience,
    ) -> Result<retry::Answer, SendError> {
        let token = self.token(audience).await?;
        Ok(retry::send(request.bearer_auth(token.as_str())).await?)
    }

    /// Drops a token that the resource did not take.
    pub async fn forget(&self, audience: &Audience) {
        self.tokens.lock().await.remove(&audience.resource);
    }
}

impl TokenSource {
    fn find(lookup: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let client_id = lookup("AZURE_CLIENT_ID");
        if let (Some(endpoint), Some(header)) =
            (lookup("IDENTITY_ENDPOINT"), lookup("IDENTITY_HEADER"))
        {
            return Some(Self::ManagedIdentity {
                endpoint,
                header: header.into(),
                client_id,
            });
        }
        if let (Some(tenant), Some(client_id), Some(secret)) = (
            lookup("AZURE_TENANT_ID"),
            client_id,
            lookup("AZURE_CLIENT_SECRET"),
        ) {
            return Some(Self::ServicePrincipal {
                authority: lookup("AZURE_AUTHORITY_HOST"),
                tenant,
                client_id,
                secret: secret.into(),
            });
        }
        #[cfg(feature = "local")]
        return Some(Self::AzureCli {
            path: lookup("PATH"),
        });
        #[cfg(not(feature = "local"))]
        None
    }

    async fn ask(
        &self,
        http: &reqwest::Client,
        audience: &Audience,
        now: OffsetDateTime,
    ) -> Result<Token, Error> {
        match self {
            Self::ManagedIdentity {
                endpoint,
                header,
                client_id,
            } => {
                let from = "the managed identity";
                let mut url = Url::parse(endpoint).map_err(|error| Error::Refused {
                    from,
                    reason: format!("IDENTITY_ENDPOINT is no URL: {error}"),
                })?;
                url.query_pairs_mut()
                    .append_pair("api-version", "2019-08-01")
                    .append_pair("resource", &audience.resource)
                    .extend_pairs(client_id.iter().map(|id| ("client_id", id)));
                let mut secret =
                    reqwest::header::HeaderValue::from_str(header).map_err(|_| Error::Refused {
                        from,
                        reason: "IDENTITY_HEADER is not a header's value".to_owned(),
                    })?;
                secret.set_sensitive(true);
                exchange(from, http.get(url).header("x-identity-header", secret), now).await
            }
            Self::ServicePrincipal {
                authority,
                tenant,
                client_id,
                secret,
            } => {
                let from = "Microsoft Entra ID";
                let url = token_endpoint(authority.as_deref(), audience, tenant)
                    .map_err(|reason| Error::Refused { from, reason })?;
                let scope = format!("{}/.default", audience.resource.trim_end_matches('/'));
                let request = http.post(url).form(&[
                    ("grant_type", "client_credentials"),
                    ("client_id", client_id),
                    ("client_secret", secret),
                    ("scope", &scope),
                ]);
                exchange(from, request, now).await
            }
            #[cfg(feature = "local")]
            Self::AzureCli { path } => azure_cli(path.as_deref(), audience).await,
        }
    }
}

/// Where a client secret is shown: to the authority that the environment names, else to the one
/// that the resource names if it is Microsoft's.
fn token_endpoint(
    configured: Option<&str>,
    audience: &Audience,
    tenant: &str,
) -> Result<Url, String> {
    let mut url = match (configured, &audience.authority) {
        (Some(configured), _) => {
            // Also without a scheme, as some tools write it.
            let text = match configured.contains("://") {
                true => configured.to_owned(),
                false => format!("https://{configured}"),
            };
            let url = Url::parse(&text)
                .map_err(|error| format!("AZURE_AUTHORITY_HOST is no URL: {error}"))?;
            if !is_private(&url) {
                return Err("AZURE_AUTHORITY_HOST has to begin with https://".to_owned());
            }
            url
        }
        (None, Some(url)) => {
            let origin = url.origin().ascii_serialization();
            if !AUTHORITIES.contains(&origin.as_str()) {
                return Err(format!(
                    "{} asks for a token from {origin}, which is none of Microsoft's authorities: \
                     set AZURE_AUTHORITY_HOST if it is right",
                    audience.resource
                ));
            }
            url.clone()
        }
        (None, None) => Url::parse(AUTHORITIES[0]).map_err(|error| error.to_string())?,
    };
    url.set_query(None);
    url.path_segments_mut()
        .map_err(|()| "the authority's URL has no path".to_owned())?
        .clear()
        .extend([tenant, "oauth2", "v2.0", "token"]);
    Ok(url)
}

/// Whether nobody on the way can read what is sent there.
pub(crate) fn is_private(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

/// Whether it is on this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse();
    host == "localhost" || address.is_ok_and(|a: std::net::IpAddr| a.is_loopback())
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    /// Seconds since 1970; the managed identity sends a string.
    expires_on: Option<Seconds>,
    /// Seconds from now.
    expires_in: Option<Seconds>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(i64),
    Text(String),
}

impl Seconds {
    fn get(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

/// RFC 6749, section 5.2.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error: String,
    error_description: String,
}

async fn exchange(
    from: &'static str,
    request: RequestBuilder,
    now: OffsetDateTime,
) -> Result<Token, Error> {
    let out_of_reach = |reason| Error::OutOfReach { from, reason };
    let answer = retry::send(request)
        .await
        .map_err(|error| out_of_reach(error.to_string()))?;
    let (status, body) = (answer.status, answer.body);
    if !status.is_success() {
        let refusal: Refusal = serde_json::from_slice(&body).unwrap_or_default();
        // The description begins with a code that Microsoft's documentation explains; the rest of
        // it may repeat what was sent.
        let description = refusal.error_description.split(':').next();
        let code = description.filter(|code| code.starts_with("AADSTS"));
        let code: String = format!("{status} {} {}", refusal.error, code.unwrap_or_default())
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ' '))
            .take(80)
            .collect();
        return Err(Error::Refused {
            from,
            reason: format!(
                "it answers {}: check that the identity exists and that its settings are right",
                code.trim()
            ),
        });
    }
    let answer: Answer = serde_json::from_slice(&body).map_err(|_| Error::Refused {
        from,
        reason: "its answer holds no token".to_owned(),
    })?;
    let from_now = |seconds: i64| now.unix_timestamp().checked_add(seconds);
    let expires_at = (answer.expires_on.as_ref().and_then(Seconds::get)).or_else(|| {
        let expires_in = answer.expires_in.as_ref().and_then(Seconds::get);
        expires_in.and_then(from_now)
    });
    Ok(Token::new(answer.access_token, expires_at))
}

impl Token {
    /// Without a time that we understand it is used once.
    fn new(text: String, expires_at: Option<i64>) -> Self {
        let expires_at = expires_at.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
        Self {
            text: text.into(),
            expires_at: expires_at.unwrap_or(OffsetDateTime::UNIX_EPOCH),
        }
    }
}

/// How long the Azure CLI may take: it is slow to start.
#[cfg(feature = "local")]
const CLI_LIMIT: Duration = Duration::from_secs(15);

#[cfg(feature = "local")]
async fn azure_cli(path: Option<&str>, audience: &Audience) -> Result<Token, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct CliAnswer {
        access_token: String,
        /// Seconds since 1970; older versions send only a local time, which we do not read.
        #[serde(rename = "expires_on")]
        expires_on: Option<i64>,
    }

    let from = "the Azure CLI";
    let mut command = tokio::process::Command::new(if cfg!(windows) { "az.cmd" } else { "az" });
    command
        .args(["account", "get-access-token", "--output", "json"])
        .args(["--resource", &audience.resource])
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    if let Some(path) = path {
        command.env("PATH", path);
    }
    // The bridge's own secrets are none of its business.
    let ours = |(name, _): &(std::ffi::OsString, _)| {
        name.to_str()
            .is_some_and(|name| name.starts_with("SCIM_BRIDGE_"))
    };
    for (name, _) in std::env::vars_os().filter(ours) {
        command.env_remove(name);
    }
    let output = tokio::time::timeout(CLI_LIMIT, command.output())
        .await
        .map_err(|_| Error::OutOfReach {
            from,
            reason: format!("no answer within {} s", CLI_LIMIT.as_secs()),
        })?
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::NoIdentity,
            _ => Error::OutOfReach {
                from,
                reason: error.to_string(),
            },
        })?;
    let stdout = Zeroizing::new(output.stdout);
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().map(str::trim).find(|line| !line.is_empty());
        // It does not tell a refusal from a network that is down.
        return Err(Error::OutOfReach {
            from,
            reason: said.unwrap_or("run az login").chars().take(300).collect(),
        });
    }
    let answer: CliAnswer = serde_json::from_slice(&stdout).map_err(|_| Error::Refused {
        from,
        reason: "its answer holds no token".to_owned(),
    })?;
    Ok(Token::new(answer.access_token, answer.expires_on))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_client_secret_is_shown_only_to_an_authority_that_is_known() {
        let audience = |authority: Option<&str>| Audience {
            resource: "https://vault.azure.net".to_owned(),
            authority: authority.map(|url| Url::parse(url).unwrap()),
        };
        let end = "/t/oauth2/v2.0/token";
        for (configured, named, expected) in [
            (None, None, Some("https://login.microsoftonline.com")),
            (
                None,
                Some("https://login.microsoftonline.us/other?x=1"),
                Some("https://login.microsoftonline.us"),
            ),
            (None, Some("https://login.example.com/t"), None),
            (None, Some("http://login.microsoftonline.com/t"), None),
            (None, Some("https://login.microsoftonline.com:444/t"), None),
            (
                Some("login.example.com"),
                Some("https://evil.example/t"),
                Some("https://login.example.com"),
            ),
            (
                Some("https://login.example.com/"),
                None,
                Some("https://login.example.com"),
            ),
            (Some("http://login.example.com"), None, None),
            (Some("http://127.0.0.1:8"), None, Some("http://127.0.0.1:8")),
        ] {
            let url = token_endpoint(configured, &audience(named), "t").ok();
            let expected = expected.map(|origin| format!("{origin}{end}"));
            assert_eq!(url.map(String::from), expected, "{configured:?} {named:?}");
        }
        // A tenant cannot lead to another path.
        let url = token_endpoint(None, &audience(None), "a/../b").unwrap();
        assert_eq!(url.path(), "/a%2F..%2Fb/oauth2/v2.0/token");
    }

    #[test]
    fn only_loopback_does_without_tls() {
        for (url, expected) in [
            ("https://x.example", true),
            ("http://127.0.0.1:1", true),
            ("http://[::1]:1", true),
            ("http://localhost", true),
            ("http://x.example", false),
            ("http://localhost.example", false),
            ("ftp://localhost", false),
        ] {
            assert_eq!(is_private(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
