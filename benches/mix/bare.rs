//! A bare axum handler: it answers each kind of request with the bytes that the bridge once
//! answered, and does nothing else.

use std::{
    fs,
    future::{self, Ready},
    net::Ipv4Addr,
    path::Path,
    process::Command,
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    routing,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::{
    client::Answer,
    support::process::{Process, free_port},
};

/// An answer that is given again and again.
#[derive(Clone, Serialize, Deserialize)]
struct Canned {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Canned {
    fn of(answer: &Answer) -> Self {
        // These come with every answer anyway.
        let own = [header::CONTENT_LENGTH, header::DATE];
        let headers = answer
            .headers
            .iter()
            .filter(|(name, _)| !own.contains(name));
        Self {
            status: answer.status,
            headers: headers
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect(),
            body: String::from_utf8(answer.body.to_vec()).unwrap(),
        }
    }

    fn ready(self) -> Response {
        let headers = self.headers.into_iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::try_from(value).unwrap())
        });
        let status = StatusCode::from_u16(self.status).unwrap();
        (status, headers.collect(), Bytes::from(self.body))
    }
}

/// What is answered to each kind of request.
#[derive(Serialize, Deserialize)]
pub struct Answers {
    filter: Canned,
    get: Canned,
    create: Canned,
    change: Canned,
    regroup: Canned,
}

impl Answers {
    pub fn new(
        filter: &Answer,
        get: &Answer,
        create: &Answer,
        change: &Answer,
        regroup: &Answer,
    ) -> Self {
        Self {
            filter: Canned::of(filter),
            get: Canned::of(get),
            create: Canned::of(create),
            change: Canned::of(change),
            regroup: Canned::of(regroup),
        }
    }
}

/// Starts this program as the bare handler; returns its port too.
pub fn start(answers: &Answers, dir: &Path) -> (Process, u16) {
    let file = dir.join("answers.json");
    fs::write(&file, serde_json::to_vec(answers).unwrap()).unwrap();
    let port = free_port();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["bare", &port.to_string()]).arg(file);
    let mut process = Process::start(&mut command);
    process.until_listening(port);
    (process, port)
}

/// Serves what the file says until the process is ended. As many threads as processors, like the
/// bridge.
pub fn serve(port: &str, file: &str) {
    let answers: Answers = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let Answers {
        filter,
        get,
        create,
        change,
        regroup,
    } = answers;
    let router = Router::new()
        .route(
            "/scim/v2/Users",
            routing::get(read(filter)).post(written(create)),
        )
        .route(
            "/scim/v2/Users/{id}",
            routing::get(read(get)).patch(written(change)),
        )
        .route("/scim/v2/Groups/{id}", routing::patch(written(regroup)));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let address = (Ipv4Addr::LOCALHOST, port.parse().unwrap());
        let listener = TcpListener::bind(address).await.unwrap();
        axum::serve(listener, router).await.unwrap();
    });
}

type Response = (StatusCode, HeaderMap, Bytes);

/// Answers without a look at the request.
fn read(canned: Canned) -> impl Fn() -> Ready<Response> + Clone + Send + Sync {
    let answer = canned.ready();
    move || future::ready(answer.clone())
}

/// Reads the request's body first.
fn written(canned: Canned) -> impl Fn(Bytes) -> Ready<Response> + Clone + Send + Sync {
    let answer = canned.ready();
    move |_| future::ready(answer.clone())
}
