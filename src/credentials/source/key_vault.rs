//! Azure Key Vault by REST (API version 2025-07-01). Two requests: the official crates would bring
//! their own HTTP layer and double what a start costs.

use std::{collections::HashMap, fmt};

use reqwest::{Method, RequestBuilder, StatusCode, Url, header::WWW_AUTHENTICATE};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::{NotASource, Problem, Stored, not_a_source};
use crate::{
    azure_identity::{self, Audience, Identity, SendError},
    outbound::retry::{self, Answer},
};

const API_VERSION: &str = "2025-07-01";

/// The URL of a secret, or of one version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretUrl {
    url: Url,
    names_version: bool,
}

impl TryFrom<Url> for SecretUrl {
    type Error = NotASource;

    fn try_from(url: Url) -> Result<Self, NotASource> {
        if !azure_identity::is_private(&url) {
            return Err(not_a_source("a Key Vault's URL has to begin with https://"));
        }
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let of = |text: &str, also: &[u8]| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || also.contains(&byte);
            !text.is_empty() && text.bytes().all(known)
        };
        let path: Vec<_> = url.path_segments().into_iter().flatten().collect();
        let names_version = match *path.as_slice() {
            ["secrets", name] if plain && of(name, b"-") => false,
            ["secrets", name, version] if plain && of(name, b"-") && of(version, b"") => true,
            _ => {
                return Err(not_a_source(
                    "a Key Vault secret's URL has to be like \
                     https://VAULT.vault.azure.net/secrets/NAME, with /VERSION for one version",
                ));
            }
        };
        Ok(Self { url, names_version })
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

impl SecretUrl {
    fn vault(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

/// All vaults that are asked for, with one identity.
pub(super) struct KeyVault {
    http: reqwest::Client,
    identity: Identity,
    /// By vault: what its tokens have to be for, as it said when it was first asked.
    audiences: Mutex<HashMap<String, Audience>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewVersion<'a> {
    value: &'a str,
    content_type: &'static str,
}

/// A secret's bundle. After a write the value is not looked at.
#[derive(Deserialize)]
struct Bundle {
    value: String,
    /// The URL of this version.
    id: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorDetail {
    code: String,
    message: String,
    innererror: InnerError,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct InnerError {
    code: String,
}

impl KeyVault {
    pub(super) fn new(http: reqwest::Client, lookup: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            identity: Identity::new(http.clone(), lookup),
            http,
            audiences: Mutex::default(),
        }
    }

    pub(super) async fn read(&self, secret: &SecretUrl) -> Result<Stored, Problem> {
        let (text, version) = self.call(secret, self.request(Method::GET, secret)).await?;
        Ok(Stored { text, version })
    }

    pub(super) async fn write(&self, secret: &SecretUrl, text: &str) -> Result<String, Problem> {
        if secret.names_version {
            return Err(Problem::Unusable(
                "a version cannot be written: leave /VERSION out, and the vault makes a new one"
                    .to_owned(),
            ));
        }
        let body = serde_json::to_vec(&NewVersion {
            value: text,
            content_type: "text/plain",
        })
        .map_err(|error| Problem::Unusable(error.to_string()))?;
        let request = self.request(Method::PUT, secret).body(body);
        let request = request.header("content-type", "application/json");
        let (_, version) = self.call(secret, request).await?;
        Ok(version)
    }

    fn request(&self, method: Method, secret: &SecretUrl) -> RequestBuilder {
        let mut url = secret.url.clone();
        url.query_pairs_mut()
            .append_pair("api-version", API_VERSION);
        self.http.request(method, url)
    }

    /// Sends a request with a token. One that was cached may have been revoked: then once more,
    /// with a new one.
    async fn call(
        &self,
        secret: &SecretUrl,
        request: RequestBuilder,
    ) -> Result<(Zeroizing<String>, String), Problem> {
        let mut audience = self.audience(secret).await?;
        let mut answer = self.send(&request, &audience).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            self.identity.forget(&audience).await;
            audience = audience_of(&answer, secret)?;
            answer = self.send(&request, &audience).await?;
        }
        let (status, body) = (answer.status, answer.body);
        if !status.is_success() {
            return Err(refusal(status, &body));
        }
        let bundle = serde_json::from_slice::<Bundle>(&body);
        let bundle = bundle.map_err(|_| {
            Problem::Unusable("its answer is no secret: check the vault's URL".to_owned())
        })?;
        let version = bundle.id.rsplit('/').next().unwrap_or_default().to_owned();
        Ok((Zeroizing::new(bundle.value), version))
    }

    async fn send(&self, request: &RequestBuilder, audience: &Audience) -> Result<Answer, Problem> {
        let request = request.try_clone();
        let request =
            request.ok_or_else(|| Problem::Unusable("the request is a stream".to_owned()))?;
        let answer = self.identity.send(request, audience).await;
        answer.map_err(|error| match error {
            SendError::NoToken(error) => no_token(error),
            SendError::OutOfReach(_) => Problem::Unreachable(error.to_string()),
        })
    }

    /// What the vault's tokens are for. It is asked once, without a token and without the secret
    /// that may be on its way: it refuses, and says what it wants.
    async fn audience(&self, secret: &SecretUrl) -> Result<Audience, Problem> {
        let mut audiences = self.audiences.lock().await;
        if let Some(known) = audiences.get(&secret.vault()) {
            return Ok(known.clone());
        }
        let answer = send(self.request(Method::GET, secret)).await?;
        let status = answer.status;
        if status != StatusCode::UNAUTHORIZED {
            return Err(match refusal(status, &answer.body) {
                Problem::Denied(reason) => Problem::Denied(reason),
                _ => Problem::Unusable(format!(
                    "it answers {status} where a Key Vault asks for a token: check the vault's URL"
                )),
            });
        }
        let audience = audience_of(&answer, secret)?;
        audiences.insert(secret.vault(), audience.clone());
        Ok(audience)
    }
}

async fn send(request: RequestBuilder) -> Result<Answer, Problem> {
    let answer = retry::send(request).await;
    answer.map_err(|error| Problem::Unreachable(error.to_string()))
}

fn no_token(error: azure_identity::Error) -> Problem {
    match error {
        azure_identity::Error::OutOfReach { .. } => Problem::Unreachable(error.to_string()),
        _ => Problem::Denied(error.to_string()),
    }
}

/// What a vault that answered 401 wants a token for. It must be the vault's own service: a wrong
/// vault could otherwise collect tokens for other places.
fn audience_of(answer: &Answer, secret: &SecretUrl) -> Result<Audience, Problem> {
    let denied = |reason: String| Err(Problem::Denied(reason));
    let challenges = answer.headers.get_all(WWW_AUTHENTICATE).into_iter();
    let bearer = challenges
        .filter_map(|value| bearer_parameters(value.to_str().ok()?))
        .next();
    let parameters = bearer.unwrap_or_default();
    let value = |name: &str| parameters.get(name).map(String::as_str);
    let resource = value("resource").or_else(|| value("scope")?.strip_suffix("/.default"));
    let Some(resource) = resource.and_then(|text| Url::parse(text).ok()) else {
        return denied(
            "it does not ask for a token as a Key Vault does: check the vault's URL".to_owned(),
        );
    };
    let host = secret.url.host_str().unwrap_or_default();
    let service = resource.host_str().unwrap_or_default();
    if !within(host, service) || resource.scheme() != secret.url.scheme() {
        return denied(format!(
            "it asks for a token for {}, which is not its own service: check the vault's URL",
            resource.origin().ascii_serialization()
        ));
    }
    let authority = value("authorization").or_else(|| value("authorization_uri"));
    Ok(Audience {
        resource: resource.as_str().trim_end_matches('/').to_owned(),
        authority: authority.and_then(|text| Url::parse(text).ok()),
    })
}

/// Whether a host is the service's own, or below it.
fn within(host: &str, service: &str) -> bool {
    let above = host.strip_suffix(service);
    !service.is_empty() && above.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The parameters of a `Bearer` challenge, names in lower case (RFC 9110, section 11.6.1; one
/// challenge a field).
fn bearer_parameters(value: &str) -> Option<HashMap<String, String>> {
    let (scheme, mut rest) = value.trim_start().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let mut parameters = HashMap::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let Some((name, after)) = rest.split_once('=') else {
            return rest.is_empty().then_some(parameters);
        };
        let after = after.trim_start();
        let mut text = String::new();
        if let Some(quoted) = after.strip_prefix('"') {
            let mut characters = quoted.chars();
            loop {
                match characters.next()? {
                    '"' => break,
                    '\\' => text.push(characters.next()?),
                    other => text.push(other),
                }
            }
            rest = characters.as_str();
        } else {
            let end = after.find([' ', '\t', ',']).unwrap_or(after.len());
            let (token, after) = after.split_at(end);
            token.clone_into(&mut text);
            rest = after;
        }
        parameters.insert(name.trim().to_ascii_lowercase(), text);
    }
}

/// What a vault's refusal means. Only refusals of access are quoted: other texts may repeat what
/// was sent.
fn refusal(status: StatusCode, body: &[u8]) -> Problem {
    let ErrorBody { error } = serde_json::from_slice(body).unwrap_or_default();
    let code = if error.innererror.code.is_empty() {
        &error.code
    } else {
        &error.innererror.code
    };
    match (status.as_u16(), code.as_str()) {
        (403, "SecretDisabled") => Problem::Missing(
            "the secret's version is disabled: enable it, or write a new one".to_owned(),
        ),
        (404, "SecretNotFound") => Problem::Missing(
            "the vault has no such secret or version, or it was deleted: check the URL, write or \
             recover the secret"
                .to_owned(),
        ),
        (409, "ObjectIsDeletedButRecoverable" | "ObjectIsBeingDeleted") => Problem::Missing(
            "the secret was deleted and its name is still taken: recover it with az keyvault \
             secret recover"
                .to_owned(),
        ),
        (401, _) => Problem::Denied(
            "it takes no token of this identity: the vault may belong to another tenant".to_owned(),
        ),
        (403, _) => {
            let message = error.message.lines().next().unwrap_or_default();
            let message: String = message.chars().take(300).collect();
            Problem::Denied(format!(
                "{code}: {message} (the identity needs the role Key Vault Secrets User to read, \
                 Key Vault Secrets Officer to write)"
            ))
        }
        _ => Problem::Unusable(format!(
            "it answers {status} {code}: check the secret's URL; a secret has at most 25 KB"
        )),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_in_every_spelling() {
        let expected = HashMap::from([
            ("authorization".to_owned(), "https://a.example/t".to_owned()),
            ("resource".to_owned(), "https://r.example".to_owned()),
        ]);
        for value in [
            r#"Bearer authorization="https://a.example/t", resource="https://r.example""#,
            r#"bearer  Resource="https://r.example" ,AUTHORIZATION = "https://a.example/t""#,
            r"BEARER resource=https://r.example,authorization=https://a.example/t",
            r#"Bearer authorization="https:\/\/a.example/t" resource="https://r.example","#,
        ] {
            assert_eq!(
                bearer_parameters(value).as_ref(),
                Some(&expected),
                "{value}"
            );
        }
        for value in [
            "",
            "Bearer",
            r#"Basic realm="x""#,
            r#"Bearer resource="open"#,
            r#"Bearer resource="a", nonsense"#,
        ] {
            assert_eq!(bearer_parameters(value), None, "{value}");
        }
    }

    #[test]
    fn a_vault_is_within_its_service_only() {
        for (host, service, expected) in [
            ("v.vault.azure.net", "vault.azure.net", true),
            ("vault.azure.net", "vault.azure.net", true),
            ("evilvault.azure.net", "vault.azure.net", false),
            ("v.vault.azure.net.evil.example", "vault.azure.net", false),
            ("v.vault.azure.net", "management.azure.com", false),
            ("vault.azure.net", "v.vault.azure.net", false),
            ("v.vault.azure.net", "", false),
        ] {
            assert_eq!(within(host, service), expected, "{host} {service}");
        }
    }
}
