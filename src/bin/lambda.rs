//! `bootstrap`: the bridge as two AWS Lambda functions made of one program.
//!
//! The function's handler setting says which one it is: `scim` answers API Gateway's requests (HTTP
//! API, REST API or function URL), `sweep` does a schedule's work. Nothing is opened before the
//! first event needs it; what is opened is shared by all events that follow.

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Instant, SystemTime},
};

use axum::{body::Body, extract::Request, http::Uri};
use http_body_util::BodyExt;
use lambda_http::{
    Context, Error, LambdaEvent, RequestExt, http::Response, request::RequestContext,
};
use lambda_runtime::service_fn;
use scim_bridge::{
    function::{self, environment},
    http::{self, Carrier, Gate, Invocation, Mount},
    log, metrics,
    service::Service,
};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use tower::ServiceExt;
use tracing::Instrument;

/// What Lambda takes as an answer is 6 MB: this, and the envelope around the body.
const LARGEST: usize = 6 * 1024 * 1024 - 64 * 1024;

const LAMBDA: Carrier = Carrier {
    name: "AWS Lambda (6 MB)",
    carries,
};

/// What schedules call themselves: ours, and rules of EventBridge.
const SCHEDULES: [&str; 3] = ["scim-bridge.schedule", "aws.scheduler", "aws.events"];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let lines = environment("SCIM_BRIDGE_LOG");
    log::start(lines.as_deref(), log::Form::Json, log::To::StandardError);
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the function cannot start");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Error> {
    if environment("AWS_LAMBDA_RUNTIME_API").is_none() {
        return Err("this program is started by AWS Lambda; use scim-bridge elsewhere".into());
    }
    let (service, door) = function::set_up()?;
    match environment("_HANDLER").as_deref() {
        Some("scim") => {
            let gate: Arc<dyn Gate> = service;
            let region = environment("AWS_REGION").unwrap_or_default();
            let door = http::Options {
                carrier: Some(LAMBDA),
                platform: format!("AWS Lambda, {region}"),
                ..door
            };
            let door = http::service(gate, door);
            let handler = move |request| answer(door.clone(), request);
            lambda_http::run(lambda_http::service_fn(handler)).await
        }
        Some("sweep") => {
            let handler = move |event| sweep(Arc::clone(&service), event);
            lambda_runtime::run(service_fn(handler)).await
        }
        other => Err(format!(
            "the function's handler is {:?}: set it to scim or sweep",
            other.unwrap_or_default()
        )
        .into()),
    }
}

/// Answers one request of the gateway's.
async fn answer(
    door: http::Service,
    request: lambda_http::Request,
) -> Result<Response<lambda_http::Body>, Error> {
    let response = door.oneshot(admissible(request)?).await?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    emit(metrics::take());
    let body = lambda_http::Body::from(body.to_vec());
    Ok(Response::from_parts(parts, body))
}

/// The request as the door takes it, with what Lambda and the gateway say of it.
fn admissible(request: lambda_http::Request) -> Result<Request, Error> {
    let invocation = request.lambda_context_ref().map(|context| Invocation {
        id: context.request_id.clone(),
        trace: trace(context),
        ends: ends_at(context),
    });
    let place = place(&request);
    let mut request = request.map(|body| match body {
        lambda_http::Body::Text(text) => Body::from(text),
        lambda_http::Body::Binary(bytes) => Body::from(bytes),
        _ => Body::empty(),
    });
    if let Some(invocation) = invocation {
        request.extensions_mut().insert(invocation);
    }
    if let Some((mount, path)) = place {
        *request.uri_mut() = with_path(request.uri(), &path)?;
        request.extensions_mut().insert(Mount(mount));
    }
    Ok(request)
}

/// What of a client's path belongs to the gateway, and the rest: each gateway has its own way to
/// speak of its stage, which `lambda_http` makes one of by a guess. Nobody sees the stage `$default`.
fn place(request: &lambda_http::Request) -> Option<(String, String)> {
    let given = request.raw_http_path();
    match request.request_context_ref()? {
        // What is given has no stage; what the client sent has one, unless a domain of one's own
        // leads to it.
        RequestContext::ApiGatewayV1(context) => {
            let mount = context.path.as_deref()?.strip_suffix(given)?;
            Some((mount.to_owned(), given.to_owned()))
        }
        // What is given has the stage.
        RequestContext::ApiGatewayV2(context) => {
            let mount = format!("/{}", context.stage.as_deref()?);
            let rest = given.strip_prefix(&mount)?;
            rest.starts_with('/').then(|| (mount, rest.to_owned()))
        }
        _ => None,
    }
}

/// The same with another path, given as people write it.
fn with_path(uri: &Uri, path: &str) -> Result<Uri, Error> {
    let mut url = reqwest::Url::parse("http://localhost")?;
    url.set_path(path);
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(match uri.query() {
        Some(query) => format!("{}?{query}", url.path()).parse()?,
        None => url.path().parse()?,
    });
    Ok(Uri::from_parts(parts)?)
}

/// Whether Lambda takes an answer with this body. Packed ones travel as base64, plain ones as a JSON
/// string; JSON within a string has nothing else to escape.
fn carries(body: &[u8], packed: bool) -> bool {
    let size = match packed {
        true => body.len().div_ceil(3) * 4,
        false => body.len() + body.iter().filter(|byte| b"\"\\".contains(byte)).count(),
    };
    size <= LARGEST
}

/// One event of the schedule's.
async fn sweep(service: Arc<Service>, event: LambdaEvent<Value>) -> Result<Value, Error> {
    let source = event.payload.get("source").and_then(Value::as_str);
    if !source.is_some_and(|source| SCHEDULES.contains(&source)) {
        return Err(
            "this function sweeps when a schedule says so, and takes no other events: its input \
             has to be {\"source\": \"scim-bridge.schedule\"}"
                .into(),
        );
    }
    let id = &event.context.request_id;
    let span = tracing::info_span!("sweep", id, trace = trace(&event.context));
    let ends = ends_at(&event.context);
    let swept = function::sweep(&service, ends, emit).instrument(span).await;
    Ok(swept?)
}

/// When Lambda ends this invocation.
fn ends_at(context: &Context) -> Instant {
    let left = context.deadline().duration_since(SystemTime::now());
    Instant::now() + left.unwrap_or_default()
}

/// The X-Ray trace that an invocation belongs to. Requests to AWS carry it on by themselves: the SDK
/// reads it where Lambda's runtime puts it.
fn trace(context: &Context) -> Option<String> {
    let header = context.xray_trace_id.as_deref()?;
    let root = header
        .split(';')
        .find_map(|part| part.strip_prefix("Root="));
    Some(root?.to_owned())
}

/// Writes what was counted as one line in CloudWatch's embedded metric format, which CloudWatch
/// reads out of the log.
fn emit(mut line: Map<String, Value>) {
    if line.is_empty() {
        return;
    }
    let metrics: Vec<Value> = line
        .keys()
        .map(|name| json!({ "Name": name, "Unit": unit(name) }))
        .collect();
    line.insert(
        "FunctionName".to_owned(),
        environment("AWS_LAMBDA_FUNCTION_NAME")
            .unwrap_or_default()
            .into(),
    );
    line.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": OffsetDateTime::now_utc().unix_timestamp() * 1000,
            "CloudWatchMetrics": [{
                "Namespace": "ScimBridge",
                "Dimensions": [["FunctionName"]],
                "Metrics": metrics,
            }],
        }),
    );
    function::print(&Value::Object(line));
}

fn unit(name: &str) -> &'static str {
    match name == metrics::DAYS_TO_TOKEN_EXPIRY.name {
        true => "None",
        false => "Count",
    }
}
