//! AWS's stand-in: one moto server for all tests of a process, which ends with the process.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use scim_bridge::outbound;
use serde_json::{Value, json};

use super::tools;

struct Moto {
    url: String,
    /// Holds the standard input at whose end the server ends.
    _server: Child,
}

/// The server's URL, or a loud `None` where it is not installed.
pub fn url() -> Option<&'static str> {
    static MOTO: OnceLock<Option<Moto>> = OnceLock::new();
    MOTO.get_or_init(start)
        .as_ref()
        .map(|moto| moto.url.as_str())
}

fn start() -> Option<Moto> {
    let python = tools::python("tests against AWS's stand-in")?;
    let log = tools::directory().join("moto.log");
    let mut server = Command::new(python)
        .arg(tools::root().join("tests/support/run_moto.py"))
        .env_remove("AWS_PROFILE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut port = String::new();
    let stdout = server.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut port).unwrap();
    let port: u16 = (port.trim().parse()).unwrap_or_else(|_| panic!("no moto: see {log:?}"));
    Some(Moto {
        url: format!("http://127.0.0.1:{port}"),
        _server: server,
    })
}

/// What an administrator does in Secrets Manager.
#[allow(dead_code, reason = "not every test binary has secrets")]
pub async fn administer(url: &str, operation: &str, body: Value) -> Value {
    let target = format!("secretsmanager.{operation}");
    ask(url, "secretsmanager", &target, body).await
}

/// Asks the stand-in, which looks only at the signature's scope.
pub async fn ask(url: &str, service: &str, target: &str, body: Value) -> Value {
    let scope = format!("Credential=x/20260101/eu-west-1/{service}/aws4_request");
    let answer = outbound::client(None)
        .unwrap()
        .post(url)
        .header("x-amz-target", target)
        .header(
            "authorization",
            format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"),
        )
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

/// Makes a secret and returns its ARN.
#[allow(dead_code, reason = "not every test binary has secrets")]
pub async fn create(url: &str, mut secret: Value, name: &str) -> String {
    secret["Name"] = name.into();
    let made = administer(url, "CreateSecret", secret).await;
    made["ARN"].as_str().unwrap().to_owned()
}

/// Makes a table for the bridge's state, as `docs/state.md` says, and returns its ARN.
#[allow(dead_code, reason = "not every test binary has tables")]
pub async fn table(url: &str, name: &str) -> String {
    let text = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
    let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
    let table = json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [text("pk"), text("sk"), text("work"), text("place")],
        "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
        "GlobalSecondaryIndexes": [{
            "IndexName": "work",
            "KeySchema": [key("work", "HASH"), key("place", "RANGE")],
            "Projection": { "ProjectionType": "KEYS_ONLY" },
        }],
    });
    let made = ask(url, "dynamodb", "DynamoDB_20120810.CreateTable", table).await;
    made["TableDescription"]["TableArn"]
        .as_str()
        .unwrap()
        .to_owned()
}
