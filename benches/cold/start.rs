//! One cold start: a new process, events one after the other, and what they took.

use std::{
    net::{Ipv4Addr, TcpStream},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::sync::oneshot;

use crate::{
    runtime::Runtime,
    support::process::{Process, free_port},
};

/// A process under the runtime interface that is ready for an event.
pub struct Start {
    process: Process,
    runtime: Runtime,
    give: Option<oneshot::Sender<Value>>,
    pub begun: Instant,
    pub ready: Instant,
    /// Processor time until it was ready.
    pub cpu: Duration,
    /// By now.
    cpu_so_far: Duration,
}

/// What came of an event.
pub struct Answered {
    pub at: Instant,
    pub answer: Value,
    /// Processor time from the event until the process waits for the next one.
    pub cpu: Duration,
}

impl Start {
    pub async fn of(mut command: Command) -> Self {
        let mut runtime = Runtime::start().await;
        command.stderr(Stdio::null());
        command.env("AWS_LAMBDA_RUNTIME_API", &runtime.host);
        let begun = Instant::now();
        let process = Process::start(&mut command);
        let (ready, give) = runtime.ready().await;
        let cpu = process.cpu_of_living_threads();
        Self {
            process,
            runtime,
            give: Some(give),
            begun,
            ready,
            cpu,
            cpu_so_far: cpu,
        }
    }

    pub async fn send(&mut self, event: &Value) -> Answered {
        self.give.take().unwrap().send(event.clone()).unwrap();
        let (at, answer) = self.runtime.answer().await;
        let (_, give) = self.runtime.ready().await;
        self.give = Some(give);
        let by_now = self.process.cpu_of_living_threads();
        let cpu = by_now - self.cpu_so_far;
        self.cpu_so_far = by_now;
        Answered { at, answer, cpu }
    }

    /// In KiB.
    pub fn peak_memory(&self) -> u64 {
        self.process.peak_memory()
    }
}

/// What a whole start took.
#[derive(Clone, Copy)]
pub struct Took {
    pub ready: Duration,
    pub answered: Duration,
    pub cpu_until_ready: Duration,
    pub cpu_of_answer: Duration,
    /// In KiB.
    pub peak_memory: u64,
}

/// A start under the runtime interface, to the first answer.
pub async fn under_the_runtime(command: Command, event: &Value) -> (Took, Start, Answered) {
    let mut start = Start::of(command).await;
    let answered = start.send(event).await;
    let took = Took {
        ready: start.ready - start.begun,
        answered: answered.at - start.begun,
        cpu_until_ready: start.cpu,
        cpu_of_answer: answered.cpu,
        peak_memory: start.peak_memory(),
    };
    (took, start, answered)
}

/// A start of a custom handler of Azure Functions, which is ready when its port takes a connection,
/// to the answer to a GET with this status.
pub async fn under_the_host(
    mut command: Command,
    client: &reqwest::Client,
    path: &str,
    token: &str,
    status: u16,
) -> Took {
    let port = free_port();
    command.env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string());
    command.stderr(Stdio::null());
    let begun = Instant::now();
    let process = Process::start(&mut command);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "nobody listens");
        std::thread::sleep(Duration::from_micros(100));
    }
    let ready = begun.elapsed();
    let cpu_until_ready = process.cpu_of_living_threads();
    let url = format!("http://{}:{port}{path}", Ipv4Addr::LOCALHOST);
    let answer = client.get(url).bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.status(), status);
    answer.bytes().await.unwrap();
    let answered = begun.elapsed();
    Took {
        ready,
        answered,
        cpu_until_ready,
        cpu_of_answer: process.cpu_of_living_threads() - cpu_until_ready,
        peak_memory: process.peak_memory(),
    }
}
