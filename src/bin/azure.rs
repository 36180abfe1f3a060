//! `handler`: the bridge as an Azure Functions app.
//!
//! The Functions host starts this program as its custom handler and hands it everything: requests as
//! they came in over HTTP, and the timer's ticks as JSON. Nothing is opened before the first of them
//! needs it; what is opened is shared by all that follow.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header::HOST},
    response::{IntoResponse, Response},
};
use scim_bridge::{
    function::{self, environment},
    http::{self, Gate, Invocation, MayLackBody},
    log, metrics,
    service::Service,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tower::{ServiceExt, service_fn};
use tracing::Instrument;

/// The functions, as their folders in `azure-functions/` are called.
const TIMER: &str = "/confirm";
const HTTP: &str = "/scim";

/// Where the host writes its id for what it hands on.
const INVOCATION_ID: &str = "x-azure-functions-invocationid";
const FORWARDED_HOST: &str = "x-forwarded-host";

/// What the platform in front of the host adds to all that comes from outside, and the host to what
/// it passes through. What the host sends of its own accord has none of them.
const MARKS_OF_OTHERS: [&str; 9] = [
    "disguised-host",
    "forwarded",
    "x-arr-log-id",
    "x-forwarded-for",
    FORWARDED_HOST,
    "x-forwarded-proto",
    "x-ms-invocation-id",
    "x-original-host",
    "x-original-url",
];

/// How long the platform in front of the host waits for an answer.
const HTTP_LIMIT: Duration = Duration::from_secs(230);
/// How long the work of one tick may take: the next one comes a minute later.
const TICK_LIMIT: Duration = Duration::from_secs(55);
/// More than the JSON of a tick has.
const LARGEST_TICK: usize = 64 * 1024;

type Error = Box<dyn std::error::Error + Send + Sync>;

// One thread for all that waits; what computes or blocks has threads of its own.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let lines = environment("SCIM_BRIDGE_LOG");
    log::start(lines.as_deref(), log::Form::Json, log::To::EitherByLevel);
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the handler cannot start");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Error> {
    let port = environment("FUNCTIONS_CUSTOMHANDLER_PORT")
        .ok_or("this program is started by the Azure Functions host; use scim-bridge elsewhere")?;
    let port: u16 = (port.parse()).map_err(|_| "FUNCTIONS_CUSTOMHANDLER_PORT is no port")?;
    let (service, door) = function::set_up()?;
    let gate: Arc<dyn Gate> = Arc::<Service>::clone(&service);
    let region = environment("REGION_NAME").unwrap_or_default();
    let door = http::Options {
        platform: format!("Azure Functions, {region}"),
        ..door
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let handler = Handler {
        host: HeaderValue::from_str(&address.to_string())?,
        service: Arc::clone(&service),
        door: http::service(gate, door),
    };
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|error| format!("port {port}: {error}"))?;
    let all = service_fn(move |request| handler.clone().answer(request));
    http::serve(listener, http::Service::new(all)).await?;
    // The session is for the next instance.
    Ok(())
}

/// What the host talks to.
#[derive(Clone)]
struct Handler {
    /// What the host calls this process.
    host: HeaderValue,
    service: Arc<Service>,
    door: http::Service,
}

impl Handler {
    async fn answer(self, mut request: Request) -> Result<Response, Infallible> {
        let headers = request.headers();
        let here = headers.get(HOST) == Some(&self.host);
        let marked = |name: &&str| headers.contains_key(*name);
        let invocation = invocation(headers);
        if here && !MARKS_OF_OTHERS.iter().any(marked) {
            match (request.method(), request.uri().path(), &invocation) {
                (&Method::POST, TIMER, Some(tick)) => {
                    return Ok(self.tick(&tick.id, request.into_body()).await);
                }
                (&Method::POST, HTTP, Some(_)) => return Ok(wrapped()),
                // The host asks whether somebody is there.
                (_, "/", None) => return Ok(StatusCode::NO_CONTENT.into_response()),
                _ => {}
            }
        }
        // A host that passes requests through says so what the caller called it.
        if here && let Some(host) = request.headers().get(FORWARDED_HOST).cloned() {
            request.headers_mut().insert(HOST, host);
        }
        if let Some(invocation) = invocation {
            request.extensions_mut().insert(invocation);
        }
        request.extensions_mut().insert(MayLackBody);
        let response = self.door.oneshot(request).await?;
        emit(metrics::take());
        Ok(response)
    }

    /// Sweeps because the timer says so. The host takes only an answer of this form as one: with
    /// another status the invocation has failed, without a body it never ends.
    async fn tick(self, id: &str, body: Body) -> Response {
        let begun = Instant::now();
        let body = to_bytes(body, LARGEST_TICK).await.unwrap_or_default();
        let tick = serde_json::from_slice::<Tick>(&body);
        let told = tick.is_ok_and(|tick| {
            TIMER.strip_prefix('/') == Some(tick.metadata.sys.method_name.as_str())
        });
        let (status, outcome) = match told {
            true => {
                let span = tracing::info_span!("sweep", id);
                let swept = function::sweep(&self.service, begun + TICK_LIMIT, emit);
                match swept.instrument(span).await {
                    Ok(summary) => (StatusCode::OK, summary),
                    Err(problem) => (
                        StatusCode::SERVICE_UNAVAILABLE,
                        json!({ "problem": problem }),
                    ),
                }
            }
            false => {
                let problem = "this is not a tick of the function confirm";
                tracing::warn!(id, "{problem}");
                (StatusCode::BAD_REQUEST, json!({ "problem": problem }))
            }
        };
        let answer = json!({
            "Outputs": {},
            "Logs": [outcome.to_string()],
            "ReturnValue": outcome,
        });
        (status, Json(answer)).into_response()
    }
}

/// What the host says of the timer's function when it is due.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tick {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    sys: System,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct System {
    method_name: String,
}

/// What a host gets that knows neither way to hand a request on as it is, and wraps it up in JSON.
fn wrapped() -> Response {
    let problem = "this Functions host does not pass HTTP requests through: set \
                   enableForwardingHttpRequest in host.json, or update the host";
    tracing::error!("{problem}");
    (StatusCode::NOT_IMPLEMENTED, problem).into_response()
}

/// What the host says of a request, if it says something that can be its own. A caller may have sent
/// such headers, too: of ids the host's is the last, while it goes on with a caller's trace.
fn invocation(headers: &HeaderMap) -> Option<Invocation> {
    let last = |name: &str| {
        let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
        value.rsplit(',').next().map(str::trim)
    };
    let plain = |name: &str| last(name).filter(|text| is_plain(text)).map(str::to_owned);
    Some(Invocation {
        id: plain(INVOCATION_ID)?,
        trace: plain("traceparent"),
        ends: Instant::now() + HTTP_LIMIT,
    })
}

/// Whether this has the form of a GUID or of a trace, and is nothing that a caller made up for the
/// reader of a log.
fn is_plain(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && (text.bytes()).all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Writes what was counted as a line that Application Insights keeps: alerts look for these.
fn emit(counted: Map<String, Value>) {
    if !counted.is_empty() {
        function::print(&json!({ "metrics": counted }));
    }
}
