//! The real `bootstrap` as one instance of a function.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    cloud::Cloud,
    functions::object,
    gateway::{Front, decode},
    runtime::{Outcome, Runtime},
    secrets,
    support::{Answer, Call, Provider, World, until},
};

/// As long as Terraform gives the function that answers requests.
const LIMIT: Duration = Duration::from_secs(29);

/// Which of the two functions, and who it is to AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    Scim,
    Sweep,
}

impl Handler {
    pub fn name(self) -> &'static str {
        match self {
            Self::Scim => "scim",
            Self::Sweep => "sweep",
        }
    }

    /// The id of the key that it signs with.
    pub fn key_id(self) -> &'static str {
        match self {
            Self::Scim => "ASIASCIMSCIMSCIMSCIM",
            Self::Sweep => "ASIASWEEPSWEEPSWEEP0",
        }
    }
}

const SECRET_KEY: &str = "secretaccesskeyofthefunction";
const SESSION_TOKEN: &str = "sessiontokenofthefunction";

pub struct Function {
    process: Child,
    runtime: Runtime,
    pub front: Front,
    pub token: String,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Function {
    pub async fn start(
        world: &World,
        cloud: &Cloud,
        handler: Handler,
        settings: &[(&str, &str)],
    ) -> Self {
        let mut environment = vec![
            ("SCIM_BRIDGE_SCIMSESSION", &*cloud.scimsession),
            ("SCIM_BRIDGE_STATE", &cloud.table),
            ("SCIM_BRIDGE_CREDENTIALS_REFRESH", "1"),
            ("SCIM_BRIDGE_CONFIRMATION_DELAY", "1"),
        ];
        if handler == Handler::Sweep {
            environment.push(("SCIM_BRIDGE_SWEEP_KEY", &cloud.sweep_key));
        }
        environment.extend(settings);
        Self::deployed(world, &cloud.url, handler, environment).await
    }

    /// With an environment that somebody else made.
    pub async fn deployed(
        world: &World,
        aws: &str,
        handler: Handler,
        environment: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> Self {
        for secret in [SECRET_KEY, SESSION_TOKEN] {
            secrets::remember(secret);
        }
        let runtime = Runtime::start().await;
        let mut command = command();
        command
            .envs(environment)
            .env("AWS_LAMBDA_RUNTIME_API", &runtime.host)
            .env("_HANDLER", handler.name())
            .env(
                "AWS_LAMBDA_FUNCTION_NAME",
                format!("scim-bridge-{}", handler.name()),
            )
            .env("AWS_ACCESS_KEY_ID", handler.key_id())
            .env("AWS_ENDPOINT_URL", aws);
        let mut process = command.spawn().unwrap();
        let lines = Arc::default();
        collect(process.stdout.take().unwrap(), &lines);
        collect(process.stderr.take().unwrap(), &lines);
        Self {
            process,
            runtime,
            front: Front::HttpApi,
            token: world.token.clone(),
            lines,
        }
    }

    /// What comes of an event, with the id and the trace that Lambda gave it.
    pub async fn invoke(&self, event: Value, limit: Duration) -> (String, String, Outcome) {
        let (id, trace, outcome) = self.runtime.invoke(event, limit);
        (id, trace, outcome.await)
    }

    pub async fn send_within(&self, call: Call<'_>, limit: Duration) -> Answer {
        let (id, _, outcome) = self.invoke(self.front.event(&call), limit).await;
        let Outcome::Answered(answer) = outcome else {
            panic!("{outcome:?}: {}", self.log());
        };
        let answer = decode(&answer);
        assert_eq!(answer.headers["x-request-id"], id.as_str());
        answer
    }

    /// What the schedule's event comes to.
    pub async fn sweep(&self) -> Outcome {
        let event = json!({ "source": "scim-bridge.schedule" });
        self.invoke(event, Duration::from_secs(60)).await.2
    }

    /// The summary of a sweep that got through.
    pub async fn swept(&self) -> Value {
        match self.sweep().await {
            Outcome::Answered(summary) => summary,
            other => panic!("{other:?}: {}", self.log()),
        }
    }

    /// The most memory that the process has had, as the system says it.
    pub fn peak_memory(&self) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak.unwrap().trim().to_owned()
    }

    /// Everything that the function wrote by now.
    pub fn log(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    /// The lines of the log, each an object.
    pub fn objects(&self) -> Vec<Value> {
        let lines = self.lines.lock().unwrap();
        lines.iter().map(|line| object(line)).collect()
    }

    /// The first line like this, as soon as it is there.
    pub async fn line(&self, like: impl Fn(&Value) -> bool) -> Value {
        until(async || self.objects().into_iter().find(|line| like(line))).await
    }
}

impl Provider for Function {
    fn token(&self) -> &str {
        &self.token
    }

    async fn send(&self, call: Call<'_>) -> Answer {
        self.send_within(call, LIMIT).await
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        secrets::assert_none_in("a function's log", &self.log());
    }
}

/// The program in an environment that says nothing yet about who it is. `BOOTSTRAP` may name another
/// one than was just built, such as the one in the package.
pub fn command() -> Command {
    let built = env!("CARGO_BIN_EXE_bootstrap").into();
    let mut command = Command::new(std::env::var_os("BOOTSTRAP").unwrap_or(built));
    command
        .env_clear()
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .env("AWS_SESSION_TOKEN", SESSION_TOKEN)
        .env("SCIM_BRIDGE_LOG", "trace")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn collect(from: impl Read + Send + 'static, lines: &Arc<Mutex<Vec<String>>>) {
    let lines = Arc::clone(lines);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            lines.lock().unwrap().push(line);
        }
    });
}
