//! Lambda's runtime interface for one process.

use std::time::Instant;

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

const ID: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";
const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:scim-bridge";
const TRACE: &str = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1";

/// A process that asks for an event, and when it did.
type Asks = (Instant, oneshot::Sender<Value>);
type Answer = (Instant, Result<Value, Value>);

pub struct Runtime {
    pub host: String,
    asks: mpsc::UnboundedReceiver<Asks>,
    answers: mpsc::UnboundedReceiver<Answer>,
}

#[derive(Clone)]
struct Ends {
    asks: mpsc::UnboundedSender<Asks>,
    answers: mpsc::UnboundedSender<Answer>,
}

impl Runtime {
    pub async fn start() -> Self {
        let (asks, asked) = mpsc::unbounded_channel();
        let (answers, answered) = mpsc::unbounded_channel();
        let api = Router::new()
            .route("/next", get(next))
            .route("/{id}/response", post(response))
            .route("/{id}/error", post(error))
            .with_state(Ends { asks, answers });
        let router = Router::new().nest("/2018-06-01/runtime/invocation", api);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            host,
            asks: asked,
            answers: answered,
        }
    }

    /// When the process was ready for an event, and where to put it.
    pub async fn ready(&mut self) -> Asks {
        self.asks.recv().await.unwrap()
    }

    /// What the process answered, and when.
    pub async fn answer(&mut self) -> (Instant, Value) {
        let (at, answer) = self.answers.recv().await.unwrap();
        (at, answer.expect("an answer"))
    }
}

async fn next(State(ends): State<Ends>) -> Response {
    let (put, event) = oneshot::channel();
    let _ = ends.asks.send((Instant::now(), put));
    let Ok(event) = event.await else {
        return StatusCode::GONE.into_response();
    };
    let headers = [
        ("lambda-runtime-aws-request-id", ID),
        // Far away.
        ("lambda-runtime-deadline-ms", "4102444800000"),
        ("lambda-runtime-invoked-function-arn", FUNCTION),
        ("lambda-runtime-trace-id", TRACE),
        (CONTENT_TYPE.as_str(), "application/json"),
    ];
    (headers, event.to_string()).into_response()
}

async fn response(State(ends): State<Ends>, body: Bytes) -> StatusCode {
    let at = Instant::now();
    let _ = ends
        .answers
        .send((at, Ok(serde_json::from_slice(&body).unwrap())));
    StatusCode::ACCEPTED
}

async fn error(State(ends): State<Ends>, body: Bytes) -> StatusCode {
    let at = Instant::now();
    let _ = ends
        .answers
        .send((at, Err(serde_json::from_slice(&body).unwrap())));
    StatusCode::ACCEPTED
}
