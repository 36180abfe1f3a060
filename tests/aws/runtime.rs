//! Lambda's Runtime API as a function sees it: events one at a time, each with its deadline.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

/// The largest answer that Lambda takes.
pub const LARGEST_ANSWER: usize = 6 * 1024 * 1024 + 100;

/// What came of an invocation.
#[derive(Debug)]
pub enum Outcome {
    Answered(Value),
    Failed(Value),
    /// The answer was larger than [`LARGEST_ANSWER`].
    TooLarge,
    TimedOut,
}

/// An event with what Lambda says of it.
struct Invocation {
    id: String,
    trace: String,
    event: Value,
    limit: Duration,
    outcome: oneshot::Sender<Outcome>,
}

/// The API of one instance of a function.
#[derive(Clone)]
pub struct Runtime {
    pub host: String,
    events: mpsc::UnboundedSender<Invocation>,
}

/// What the API's handlers share.
#[derive(Clone)]
struct Shared {
    waiting: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>>,
    running: Arc<Mutex<HashMap<String, oneshot::Sender<Outcome>>>>,
}

impl Runtime {
    pub async fn start() -> Self {
        let (events, waiting) = mpsc::unbounded_channel();
        let shared = Shared {
            waiting: Arc::new(tokio::sync::Mutex::new(waiting)),
            running: Arc::default(),
        };
        let api = Router::new()
            .route("/invocation/next", get(next))
            .route("/invocation/{id}/response", post(answered))
            .route("/invocation/{id}/error", post(failed))
            .layer(DefaultBodyLimit::max(4 * LARGEST_ANSWER))
            .with_state(shared);
        let router = Router::new().nest("/2018-06-01/runtime", api);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { host, events }
    }

    /// Lets the function have an event, and says under which id and trace. The future is what comes
    /// of it.
    pub fn invoke(
        &self,
        event: Value,
        limit: Duration,
    ) -> (String, String, impl Future<Output = Outcome> + use<>) {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let id = format!("8476a536-e9f4-11e8-9739-{number:012x}");
        let trace = format!("1-5bef4de7-ad49b0e87f6ef6c8{number:08x}");
        let (outcome, came) = oneshot::channel();
        let invocation = Invocation {
            id: id.clone(),
            trace: trace.clone(),
            event,
            limit,
            outcome,
        };
        assert!(self.events.send(invocation).is_ok());
        let outcome = async move {
            // A function that is late, or dies, is as bad as one that never answers.
            match tokio::time::timeout(limit, came).await {
                Ok(Ok(outcome)) => outcome,
                _ => Outcome::TimedOut,
            }
        };
        (id, trace, outcome)
    }
}

async fn next(State(shared): State<Shared>) -> Response {
    let invocation = shared.waiting.lock().await.recv().await;
    let Some(invocation) = invocation else {
        return StatusCode::GONE.into_response();
    };
    let deadline = SystemTime::now() + invocation.limit;
    let deadline = deadline.duration_since(UNIX_EPOCH).unwrap().as_millis();
    let headers = [
        ("lambda-runtime-aws-request-id", invocation.id.clone()),
        ("lambda-runtime-deadline-ms", deadline.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-west-1:123456789012:function:scim-bridge".to_owned(),
        ),
        (
            "lambda-runtime-trace-id",
            format!(
                "Root={};Parent=af9d5aa4a685e2ad;Sampled=1",
                invocation.trace
            ),
        ),
        (CONTENT_TYPE.as_str(), "application/json".to_owned()),
    ];
    let mut running = shared.running.lock().unwrap();
    running.insert(invocation.id, invocation.outcome);
    (headers, invocation.event.to_string()).into_response()
}

fn end(shared: &Shared, id: &str, outcome: Outcome) -> Response {
    let running = shared.running.lock().unwrap().remove(id);
    match running {
        Some(waiting) => {
            let _ = waiting.send(outcome);
            (StatusCode::ACCEPTED, Json(json!({ "status": "OK" }))).into_response()
        }
        None => (
            StatusCode::BAD_REQUEST,
            Json(json!({ "errorType": "InvalidRequestID", "errorMessage": id })),
        )
            .into_response(),
    }
}

async fn answered(State(shared): State<Shared>, Path(id): Path<String>, body: Bytes) -> Response {
    if body.len() > LARGEST_ANSWER {
        end(&shared, &id, Outcome::TooLarge);
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    end(
        &shared,
        &id,
        Outcome::Answered(serde_json::from_slice(&body).unwrap()),
    )
}

async fn failed(State(shared): State<Shared>, Path(id): Path<String>, body: Bytes) -> Response {
    end(
        &shared,
        &id,
        Outcome::Failed(serde_json::from_slice(&body).unwrap()),
    )
}
