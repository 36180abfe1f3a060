//! The Functions host as the handler sees it: who starts it and starts it again, asks whether it is
//! there, hands on requests and ticks to it, and reads what it writes.

use std::{
    fs,
    io::{BufRead, BufReader, PipeReader, pipe},
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::header::{CONTENT_TYPE, HOST},
    response::{IntoResponse, Response},
};
use reqwest::StatusCode;
use scim_bridge::outbound;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{
    process::{Child, Command},
    sync::watch,
    task::JoinHandle,
};

use crate::{
    front,
    handover::{self, Incoming, Mode},
    routes::{Function, Settings, Trigger},
    tools,
};

/// How often a handler may fail within half an hour, at the start or later.
const FAILURES: usize = 3;
/// What a handler ends with that wants to be started again.
const START_AGAIN: i32 = 200;
/// How often the host asks whether the handler is there.
const POLL: Duration = Duration::from_millis(25);
/// How often a request is passed through again if there is no connection, and when.
const RETRIES: u32 = 9;
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_millis(250);
/// The largest request.
const LARGEST: usize = 104_857_600;

/// A host with one app.
pub struct Host {
    /// Where the front end listens.
    pub address: String,
    shared: Arc<Shared>,
    supervisor: JoinHandle<()>,
    _app: tempfile::TempDir,
}

struct Shared {
    /// Where the handler is told to listen.
    handler: String,
    mode: Mode,
    functions: Vec<Function>,
    client: reqwest::Client,
    state: watch::Sender<Handler>,
    lines: Mutex<Vec<Line>>,
    number: AtomicU64,
}

/// How the handler is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// It is being started; whoever comes waits.
    Starting,
    /// It is there, for all that the host knows.
    Ready { pid: u32 },
    /// It ended as if it had nothing more to do. The host takes no notice, and asks it in vain.
    Ended,
    /// It failed too often. The host ends, too.
    GivenUp,
}

/// How important the host takes a line that the handler wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Information,
    Warning,
    Error,
}

#[derive(Clone, Debug)]
pub struct Line {
    pub level: Level,
    pub text: String,
}

/// What came of a tick.
#[derive(Debug)]
pub enum Outcome {
    Succeeded {
        logs: Vec<String>,
        value: Value,
    },
    Failed(String),
    /// The answer has no body: the host would wait for one until the function's time is over.
    Unfinished,
}

/// The program, or another than was just built, such as the one in the package: `HANDLER` names it.
pub fn program() -> PathBuf {
    let built = env!("CARGO_BIN_EXE_handler").into();
    std::env::var_os("HANDLER").unwrap_or(built).into()
}

impl Host {
    /// Starts the app in `azure-functions`, with these settings, and hands requests on as its
    /// `host.json` says if nothing else is wanted.
    pub async fn start(mode: Option<Mode>, environment: &[(&str, &str)]) -> Self {
        let app = tempfile::tempdir().unwrap();
        copy(&tools::root().join("azure-functions"), app.path());
        let settings = Settings::read(app.path());
        let executable = app.path().join(&settings.executable);
        std::os::unix::fs::symlink(program(), &executable).unwrap();
        let port = unused_port();
        let mut command = Command::new(executable);
        command
            .args(&settings.arguments)
            .current_dir(app.path())
            .env_clear()
            .envs(environment.iter().copied())
            .env("FUNCTIONS_APP_ROOT_PATH", app.path())
            .env("WEBSITE_HOSTNAME", front::PUBLIC)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        for (name, value) in [("PORT", &*port.to_string()), ("WORKER_ID", "1")] {
            command.env(format!("FUNCTIONS_CUSTOMHANDLER_{name}"), value);
            command.env(format!("FUNCTIONS_HTTPWORKER_{name}"), value);
        }
        let shared = Arc::new(Shared {
            handler: format!("127.0.0.1:{port}"),
            mode: mode.unwrap_or(settings.mode),
            functions: settings.functions(app.path()),
            client: outbound::client(None).unwrap(),
            state: watch::Sender::new(Handler::Starting),
            lines: Mutex::default(),
            number: AtomicU64::new(1),
        });
        let supervisor = supervise(Arc::clone(&shared), command, settings.patience);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = Router::new()
            .fallback(come_in)
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            address,
            supervisor: tokio::spawn(supervisor),
            shared,
            _app: app,
        }
    }

    /// The timer of a function is due.
    pub async fn fire(&self, name: &str) -> Outcome {
        let functions = &self.shared.functions;
        let function = functions.iter().find(|function| function.name == name);
        let Trigger::Timer { binding } = &function.unwrap().trigger else {
            panic!("{name} has no timer");
        };
        let payload = payload(name, binding).to_string();
        self.shared.ready().await;
        let invocation = self.shared.invocation();
        let (client, handler) = (&self.shared.client, &self.shared.handler);
        let request = handover::tick(client, handler, name, &invocation, payload);
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return Outcome::Failed(error.to_string()),
        };
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        if !status.is_success() {
            return Outcome::Failed(text);
        }
        if text.is_empty() {
            return Outcome::Unfinished;
        }
        assert_eq!(headers[CONTENT_TYPE], "application/json");
        let body: Value = serde_json::from_str(&text).unwrap();
        assert!(body["Outputs"].is_object(), "{body}");
        let logs = body["Logs"].as_array().unwrap().iter();
        Outcome::Succeeded {
            logs: logs.map(|line| line.as_str().unwrap().to_owned()).collect(),
            value: body["ReturnValue"].clone(),
        }
    }

    /// How the handler is when it is no longer being started.
    pub async fn handler(&self) -> Handler {
        self.shared.ready().await
    }

    async fn pid(&self) -> u32 {
        match self.handler().await {
            Handler::Ready { pid } => pid,
            other => panic!("{other:?}"),
        }
    }

    /// The most memory that the handler has had, as the system says it.
    pub async fn peak_memory(&self) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid().await)).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak.unwrap().trim().to_owned()
    }

    /// Sends the handler's process a signal.
    pub async fn signal(&self, name: &str) {
        let pid = self.pid().await;
        let mut kill = std::process::Command::new("sh");
        kill.args(["-c", &format!("kill -{name} {pid}")]);
        assert!(kill.status().unwrap().success());
    }

    /// The process is gone, and the host knows.
    pub async fn kill(&self) {
        let mut state = self.shared.state.subscribe();
        let before = self.handler().await;
        self.signal("KILL").await;
        state.wait_for(|now| *now != before).await.unwrap();
    }

    /// What the handler has written by now.
    pub fn lines(&self) -> Vec<Line> {
        self.shared.lines.lock().unwrap().clone()
    }

    /// The host's id for its latest request or tick.
    pub fn last_invocation(&self) -> String {
        invocation(self.shared.number.load(Ordering::Relaxed) - 1)
    }

    /// Where the handler listens, which nobody outside can reach.
    pub fn behind(&self) -> &str {
        &self.shared.handler
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

/// The app as it would be packed: `host.json` and the functions' folders.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.join("function.json").exists() {
            fs::create_dir(&target).unwrap();
            fs::copy(source.join("function.json"), target.join("function.json")).unwrap();
        } else if entry.file_name() == "host.json" {
            fs::copy(source, target).unwrap();
        }
    }
}

/// One below those that the system gives to whoever asks for any: nobody takes it in between.
fn unused_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 10_000).unwrap();
    loop {
        let port = 12_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Starts the handler, and again when it fails.
async fn supervise(shared: Arc<Shared>, mut command: Command, patience: Duration) {
    let mut failures = 0;
    while failures < FAILURES {
        shared.state.send_replace(Handler::Starting);
        let mut process = spawn(&mut command, &shared);
        let ended = tokio::select! {
            status = process.wait() => Some(status),
            ready = shared.is_there(patience) => {
                match ready {
                    true => {
                        let pid = process.id().unwrap();
                        shared.state.send_replace(Handler::Ready { pid });
                        Some(process.wait().await)
                    }
                    false => None,
                }
            }
        };
        match ended.map(|status| status.unwrap().code()) {
            Some(Some(0)) => {
                shared.state.send_replace(Handler::Ended);
                return;
            }
            Some(Some(START_AGAIN)) => {}
            _ => failures += 1,
        }
    }
    shared.state.send_replace(Handler::GivenUp);
}

fn spawn(command: &mut Command, shared: &Arc<Shared>) -> Child {
    let (output, stdout) = pipe().unwrap();
    let (errors, stderr) = pipe().unwrap();
    let process = command.stdout(stdout).stderr(stderr).spawn().unwrap();
    // Or they would never be at their ends.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    collect(output, shared, |_| Level::Information);
    collect(errors, shared, |line| {
        match line.to_lowercase().contains("warn") {
            true => Level::Warning,
            false => Level::Error,
        }
    });
    process
}

fn collect(from: PipeReader, shared: &Arc<Shared>, level: fn(&str) -> Level) {
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        for text in BufReader::new(from).lines().map_while(Result::ok) {
            let level = level(&text);
            shared.lines.lock().unwrap().push(Line { level, text });
        }
    });
}

fn invocation(number: u64) -> String {
    format!("5f0b1c3e-6a55-4c0e-9d39-{number:012x}")
}

impl Shared {
    fn invocation(&self) -> String {
        invocation(self.number.fetch_add(1, Ordering::Relaxed))
    }

    /// Any answer will do; only if there is no connection the handler is still waited for.
    async fn is_there(&self, patience: Duration) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            let asked = self.client.get(format!("http://{}/", self.handler));
            match asked.send().await {
                Err(error) if error.is_connect() => tokio::time::sleep(POLL).await,
                _ => return true,
            }
        }
        false
    }

    async fn ready(&self) -> Handler {
        let mut state = self.state.subscribe();
        let known = state.wait_for(|state| *state != Handler::Starting).await;
        *known.unwrap()
    }
}

/// Through the front end into the host.
async fn come_in(State(shared): State<Arc<Shared>>, mut request: Request) -> Response {
    let invocation = shared.invocation();
    front::pass(&mut request, &invocation);
    let (mut parts, body) = request.into_parts();
    let asked = parts.headers.get("disguised-host").cloned().unwrap();
    parts.headers.insert(HOST, asked);
    let path = handover::decoded(parts.uri.path());
    let own = ["/admin/functions", "/admin/host", "/runtime/webhooks"];
    if own.iter().any(|start| path.starts_with(start)) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let mut functions = shared.functions.iter();
    let function = functions.find(|function| function.trigger.takes(&parts.method, &path));
    let Some(Trigger::Http { anonymous, .. }) = function.map(|function| &function.trigger) else {
        return match &*path {
            "/" => "Your Functions app is up and running".into_response(),
            _ => StatusCode::NOT_FOUND.into_response(),
        };
    };
    // Nobody here has a function's key.
    if !anonymous {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Ok(body) = to_bytes(body, LARGEST).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    if shared.ready().await == Handler::GivenUp {
        let text = "Function host is not running.";
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    }
    let incoming = Incoming {
        method: parts.method,
        path,
        query,
        headers: parts.headers,
        body,
    };
    let (client, handler) = (&shared.client, &shared.handler);
    let request = (shared.mode).request(client, handler, &invocation, incoming);
    let answer = match request {
        Some(request) => sent(&shared, request).await,
        None => None,
    };
    answer.unwrap_or_else(|| match shared.mode {
        Mode::Forwarding => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Mode::Proxying => StatusCode::BAD_GATEWAY.into_response(),
    })
}

/// What the handler answers, if it does.
async fn sent(shared: &Shared, request: reqwest::RequestBuilder) -> Option<Response> {
    let mut delay = FIRST_RETRY;
    let mut left = match shared.mode {
        Mode::Forwarding => 0,
        Mode::Proxying => RETRIES,
    };
    let (client, request) = request.build_split();
    let mut request = request.unwrap();
    let answer = loop {
        let again = request.try_clone();
        match client.execute(request).await {
            Ok(answer) => break answer,
            Err(error) if error.is_connect() && left > 0 => {
                request = again?;
                left -= 1;
                tokio::time::sleep(delay).await;
                delay = LAST_RETRY.min(delay * 2);
            }
            Err(_) => return None,
        }
    };
    let (status, headers) = (answer.status(), handover::answered(answer.headers()));
    let body: Bytes = answer.bytes().await.ok()?;
    Some((status, headers, body).into_response())
}

/// What is said of a tick.
fn payload(function: &str, binding: &str) -> Value {
    let now = OffsetDateTime::now_utc().format(&Rfc3339).unwrap();
    json!({
        "Data": { (binding): {
            "Schedule": { "AdjustForDST": true },
            "ScheduleStatus": null,
            "IsPastDue": false,
        } },
        "Metadata": { "sys": {
            "MethodName": function,
            "UtcNow": now,
            "RandGuid": "9c8f9fd5-8c79-4c2c-95a5-5b8d1f3c7a44",
        } },
    })
}
