//! Azure's stand-in: Key Vault (2025-07-01), the managed identity of App Service (2019-08-01) and
//! Microsoft Entra ID's token endpoint, as strict as the real ones, on one loopback port. It also
//! gives tokens for Table Storage, which has a stand-in of its own.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use data_encoding::BASE64URL_NOPAD;
use reqwest::Url;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::{net::TcpListener, task::JoinHandle};

pub const IDENTITY_HEADER: &str = "HUSHHUSH-identity-header";
pub const TENANT: &str = "11111111-2222-3333-4444-555555555555";
pub const CLIENT_ID: &str = "66666666-7777-8888-9999-000000000000";
pub const CLIENT_SECRET: &str = "HUSHHUSH-client-secret";

/// What a token for this vault is for.
const RESOURCE: &str = "http://127.0.0.1";
/// What a token for Table Storage is for.
const STORAGE: &str = "https://storage.azure.com";

pub struct Azure {
    pub url: String,
    pub server: JoinHandle<()>,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    url: String,
    /// The `WWW-Authenticate` field of a 401.
    challenge: String,
    /// How long a token lasts.
    lifetime: time::Duration,
    tokens: HashMap<String, OffsetDateTime>,
    issued: usize,
    secrets: HashMap<String, Secret>,
    /// Statuses, with `Retry-After` in seconds, that come before any other answer.
    failures: HashMap<Service, VecDeque<(u16, Option<u32>)>>,
    seen: Vec<Seen>,
}

#[derive(Default)]
struct Secret {
    versions: Vec<Version>,
    deleted: bool,
    disabled: bool,
    forbidden: bool,
}

struct Version {
    id: String,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    Vault,
    ManagedIdentity,
    Authority,
}

/// A request that came in.
pub struct Seen {
    pub service: Service,
    pub token: bool,
    pub body: usize,
}

impl Azure {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Mutex::new(Shared {
            url: url.clone(),
            challenge: format!("Bearer authorization=\"{url}/{TENANT}\", resource=\"{RESOURCE}\""),
            lifetime: time::Duration::HOUR,
            tokens: HashMap::new(),
            issued: 0,
            secrets: HashMap::new(),
            failures: HashMap::new(),
            seen: Vec::new(),
        }));
        let router = Router::new()
            .route("/msi/token", get(managed_identity))
            .route("/{tenant}/oauth2/v2.0/token", post(authority))
            .route("/secrets/{name}", get(read_latest).put(write))
            .route("/secrets/{name}/{version}", get(read_version))
            .layer(middleware::from_fn_with_state(Arc::clone(&shared), note))
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            server,
            shared,
        }
    }

    fn change(&self, change: impl FnOnce(&mut Shared)) {
        change(&mut self.shared.lock().unwrap());
    }

    /// What App Service sets for a process with a managed identity.
    pub fn managed_identity(&self) -> Vec<(&str, &str)> {
        let endpoint = format!("{}/msi/token", self.url);
        vec![
            ("IDENTITY_ENDPOINT", endpoint.leak()),
            ("IDENTITY_HEADER", IDENTITY_HEADER),
        ]
    }

    /// What an administrator sets for a service principal.
    pub fn service_principal(&self) -> Vec<(&str, &str)> {
        vec![
            ("AZURE_AUTHORITY_HOST", self.url.as_str()),
            ("AZURE_TENANT_ID", TENANT),
            ("AZURE_CLIENT_ID", CLIENT_ID),
            ("AZURE_CLIENT_SECRET", CLIENT_SECRET),
        ]
    }

    pub fn secret(&self, name: &str) -> String {
        format!("{}/secrets/{name}", self.url)
    }

    pub fn challenge(&self, challenge: &str) {
        self.change(|shared| shared.challenge = challenge.to_owned());
    }

    pub fn lifetime(&self, lifetime: time::Duration) {
        self.change(|shared| shared.lifetime = lifetime);
    }

    /// No token that was given out is good any more.
    pub fn revoke(&self) {
        self.change(|shared| shared.tokens.clear());
    }

    pub fn delete(&self, name: &str) {
        self.change(|shared| shared.secrets.entry(name.to_owned()).or_default().deleted = true);
    }

    pub fn disable(&self, name: &str) {
        self.change(|shared| shared.secrets.entry(name.to_owned()).or_default().disabled = true);
    }

    pub fn forbid(&self, name: &str) {
        self.change(|shared| shared.secrets.entry(name.to_owned()).or_default().forbidden = true);
    }

    /// The next requests to a service fail so.
    pub fn fail(&self, service: Service, failures: &[(u16, Option<u32>)]) {
        self.change(|shared| {
            shared
                .failures
                .insert(service, failures.iter().copied().collect());
        });
    }

    /// How many requests that `wanted` names have come in.
    pub fn count(&self, wanted: impl Fn(&Seen) -> bool) -> usize {
        let shared = self.shared.lock().unwrap();
        shared.seen.iter().filter(|seen| wanted(seen)).count()
    }

    /// A token that somebody else was given.
    pub fn token(&self) -> String {
        self.shared.lock().unwrap().issue(RESOURCE).0
    }

    /// How often a token was given out.
    pub fn issued(&self) -> usize {
        self.shared.lock().unwrap().issued
    }
}

type Context = State<Arc<Mutex<Shared>>>;

async fn note(State(shared): Context, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let service = match path {
        "/msi/token" => Service::ManagedIdentity,
        path if path.starts_with("/secrets/") => Service::Vault,
        _ => Service::Authority,
    };
    let length = request.headers().get(header::CONTENT_LENGTH);
    let seen = Seen {
        service,
        token: request.headers().contains_key(header::AUTHORIZATION),
        body: length.map_or(0, |length| length.to_str().unwrap().parse().unwrap()),
    };
    let failure = {
        let mut shared = shared.lock().unwrap();
        shared.seen.push(seen);
        let failures = shared.failures.get_mut(&service);
        failures.and_then(VecDeque::pop_front)
    };
    let Some((status, retry_after)) = failure else {
        return next.run(request).await;
    };
    let mut answer = StatusCode::from_u16(status).unwrap().into_response();
    if let Some(seconds) = retry_after {
        answer
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    answer
}

fn answer(status: u16, body: &Value) -> Response {
    let content_type = [(header::CONTENT_TYPE, "application/json")];
    let status = StatusCode::from_u16(status).unwrap();
    (status, content_type, body.to_string()).into_response()
}

/// The parameters of a query or a form.
fn parameters(text: &str) -> HashMap<String, String> {
    let url = Url::parse(&format!("http://x/?{text}")).unwrap();
    url.query_pairs().into_owned().collect()
}

impl Shared {
    fn issue(&mut self, resource: &str) -> (String, OffsetDateTime) {
        self.issued += 1;
        let now = OffsetDateTime::now_utc();
        let expiry = now + self.lifetime;
        if resource == STORAGE {
            return (storage_token(now, expiry), expiry);
        }
        let token = format!("HUSHHUSH-token-{}", self.issued);
        self.tokens.insert(token.clone(), expiry);
        (token, expiry)
    }
}

/// A token with all that Azurite looks at; it does not look at the signature.
fn storage_token(now: OffsetDateTime, expiry: OffsetDateTime) -> String {
    let part = |part: Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
    let head = part(json!({ "alg": "RS256", "typ": "JWT" }));
    let claims = part(json!({
        "aud": STORAGE,
        "iss": format!("https://sts.windows.net/{TENANT}/"),
        "iat": now.unix_timestamp(),
        "nbf": (now - time::Duration::MINUTE).unix_timestamp(),
        "exp": expiry.unix_timestamp(),
        "appid": CLIENT_ID,
    }));
    format!("{head}.{claims}.HUSHHUSH-unsigned")
}

async fn managed_identity(State(shared): Context, headers: HeaderMap, uri: Uri) -> Response {
    let query = parameters(uri.query().unwrap_or_default());
    let secret = headers.get("x-identity-header");
    if secret.is_none_or(|secret| secret != IDENTITY_HEADER) {
        return answer(401, &json!({ "statusCode": 401, "message": "HUSHHUSH" }));
    }
    let known = query
        .keys()
        .all(|name| ["api-version", "resource", "client_id"].contains(&name.as_str()));
    let resource = query.get("resource").map_or("", String::as_str);
    if !known
        || query
            .get("api-version")
            .is_none_or(|version| version != "2019-08-01")
        || ![RESOURCE, STORAGE].contains(&resource)
        || query.get("client_id").is_some_and(|id| id != CLIENT_ID)
    {
        return answer(400, &json!({ "statusCode": 400, "message": "HUSHHUSH" }));
    }
    let (token, expiry) = shared.lock().unwrap().issue(resource);
    let body = json!({
        "access_token": token,
        "expires_on": expiry.unix_timestamp().to_string(),
        "resource": resource,
        "token_type": "Bearer",
        "client_id": CLIENT_ID,
    });
    answer(200, &body)
}

async fn authority(
    State(shared): Context,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    form: String,
) -> Response {
    let refuse = |status, error: &str, code: &str| {
        let description = format!("{code}: HUSHHUSH. Trace ID: 1");
        let body = json!({ "error": error, "error_description": description });
        answer(status, &body)
    };
    let form = parameters(&form);
    let is = |name: &str, value: &str| form.get(name).is_some_and(|found| found == value);
    if headers[header::CONTENT_TYPE] != "application/x-www-form-urlencoded"
        || form.len() != 4
        || !is("grant_type", "client_credentials")
    {
        return refuse(400, "invalid_request", "AADSTS900144");
    }
    if tenant != TENANT || !is("client_id", CLIENT_ID) {
        return refuse(400, "unauthorized_client", "AADSTS700016");
    }
    if !is("client_secret", CLIENT_SECRET) {
        return refuse(401, "invalid_client", "AADSTS7000215");
    }
    let scope = |resource: &&str| is("scope", &format!("{resource}/.default"));
    let Some(resource) = [RESOURCE, STORAGE].into_iter().find(scope) else {
        return refuse(400, "invalid_scope", "AADSTS70011");
    };
    let mut shared = shared.lock().unwrap();
    let (token, _) = shared.issue(resource);
    let lifetime = shared.lifetime.whole_seconds();
    answer(
        200,
        &json!({ "token_type": "Bearer", "expires_in": lifetime, "access_token": token }),
    )
}

async fn read_latest(
    context: Context,
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    vault(&context, &name, &uri, &headers, |url, secret| {
        bundle(url, &name, secret?.versions.last()?)
    })
}

async fn read_version(
    context: Context,
    Path((name, version)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    vault(&context, &name, &uri, &headers, |url, secret| {
        let mut versions = secret?.versions.iter();
        bundle(url, &name, versions.find(|known| known.id == version)?)
    })
}

async fn write(
    context: Context,
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    {
        let shared = context.lock().unwrap();
        let deleted = shared
            .secrets
            .get(&name)
            .is_some_and(|secret| secret.deleted);
        if deleted && headers.contains_key(header::AUTHORIZATION) {
            return refuse(409, "Conflict", Some("ObjectIsDeletedButRecoverable"));
        }
    }
    if headers
        .get(header::CONTENT_TYPE)
        .is_none_or(|kind| kind != "application/json")
    {
        return refuse(415, "UnsupportedMediaType", None);
    }
    let body: Value = serde_json::from_slice(&body).unwrap();
    let value = body["value"].as_str().unwrap().to_owned();
    assert!(body["contentType"].is_string());
    let authorised = vault(&context, &name, &uri, &headers, |_, _| Some(Value::Null));
    if authorised.status() != 200 {
        return authorised;
    }
    {
        let mut shared = context.lock().unwrap();
        let secret = shared.secrets.entry(name.clone()).or_default();
        let id = format!("{:032x}", secret.versions.len() + 1);
        secret.versions.push(Version { id, value });
    }
    read_latest(context, Path(name), uri, headers).await
}

/// The checks of every request, in the real vault's order, and then what was asked for.
fn vault(
    context: &Context,
    name: &str,
    uri: &Uri,
    headers: &HeaderMap,
    find: impl FnOnce(&str, Option<&Secret>) -> Option<Value>,
) -> Response {
    let shared = context.lock().unwrap();
    let token = headers.get(header::AUTHORIZATION);
    let token = token.and_then(|token| token.to_str().unwrap().strip_prefix("Bearer "));
    let expiry = token.and_then(|token| shared.tokens.get(token));
    if expiry.is_none_or(|expiry| *expiry <= OffsetDateTime::now_utc()) {
        let mut answer = refuse(401, "Unauthorized", None);
        let challenge = shared.challenge.parse().unwrap();
        answer
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
        return answer;
    }
    if uri.query() != Some("api-version=2025-07-01") {
        return refuse(400, "BadParameter", None);
    }
    let secret = shared.secrets.get(name);
    if secret.is_some_and(|secret| secret.forbidden) {
        return refuse(403, "Forbidden", Some("ForbiddenByRbac"));
    }
    if secret.is_some_and(|secret| secret.disabled) {
        return refuse(403, "Forbidden", Some("SecretDisabled"));
    }
    let secret = secret.filter(|secret| !secret.deleted);
    match find(&shared.url, secret) {
        Some(found) => answer(200, &found),
        None => refuse(404, "SecretNotFound", None),
    }
}

fn bundle(url: &str, name: &str, version: &Version) -> Option<Value> {
    let id = format!("{url}/secrets/{name}/{}", version.id);
    Some(json!({ "value": version.value, "id": id, "attributes": { "enabled": true } }))
}

fn refuse(status: u16, code: &str, inner: Option<&str>) -> Response {
    let message = match status {
        403 => "The caller app/1 may not.\nMore: HUSHHUSH",
        _ => "HUSHHUSH",
    };
    let mut error = json!({ "code": code, "message": message });
    if let Some(inner) = inner {
        error["innererror"] = json!({ "code": inner });
    }
    answer(status, &json!({ "error": error }))
}
