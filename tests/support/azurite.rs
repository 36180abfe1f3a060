//! Azure Table Storage's stand-in: one Azurite for all tests of a process, which ends with the
//! process. It is asked over http with its published key, and over https with tokens, as Azure is.
#![allow(dead_code, reason = "not every test binary asks in both ways")]

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use scim_bridge::outbound;
use serde_json::json;
use sha2::Sha256;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use super::tools;

/// The account, and the key that Azurite's documentation publishes.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

struct Azurite {
    plain: String,
    secure: String,
    roots: PathBuf,
    /// Holds the standard input at whose end the server ends.
    _server: Child,
}

fn azurite() -> Option<&'static Azurite> {
    static AZURITE: OnceLock<Option<Azurite>> = OnceLock::new();
    AZURITE.get_or_init(start).as_ref()
}

/// The account's URL over http, or a loud `None` where it is not installed.
pub fn url() -> Option<&'static str> {
    Some(&azurite()?.plain)
}

/// The account's URL over https: it takes tokens for `https://storage.azure.com`.
pub fn secure_url() -> Option<&'static str> {
    Some(&azurite()?.secure)
}

/// A file with the authority of the certificate, for `SCIM_BRIDGE_ROOT_CERTIFICATES`.
pub fn roots() -> Option<&'static Path> {
    Some(&azurite()?.roots)
}

/// Makes a table and returns its URL over http, for `SCIM_BRIDGE_STATE`.
pub async fn table(name: &str) -> String {
    make(url().unwrap(), name).await
}

/// Makes a table and returns its URL over https.
pub async fn secure_table(name: &str) -> String {
    make(secure_url().unwrap(), name).await
}

fn start() -> Option<Azurite> {
    let modules = tools::node_modules("tests against Azure's Table Storage")?;
    let log = tools::directory().join("azurite.log");
    let mut server = Command::new("node")
        .arg(tools::root().join("tests/support/run_azurite.js"))
        .env("NODE_PATH", modules)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = server.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let said: serde_json::Value =
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("no Azurite: see {log:?}"));
    let text = |name: &str| said[name].as_str().unwrap().to_owned();
    Some(Azurite {
        plain: text("plain"),
        secure: text("secure"),
        roots: text("roots").into(),
        _server: server,
    })
}

/// What an administrator does with the account's key.
async fn make(account: &str, name: &str) -> String {
    let roots = std::fs::read_to_string(roots().unwrap()).unwrap();
    let date = OffsetDateTime::now_utc().format(&Rfc2822).unwrap();
    let date = date.replace("+0000", "GMT");
    let mut mac = Hmac::<Sha256>::new_from_slice(&BASE64.decode(KEY.as_bytes()).unwrap()).unwrap();
    mac.update(format!("{date}\n/{ACCOUNT}/{ACCOUNT}/Tables").as_bytes());
    let signature = BASE64.encode(&mac.finalize().into_bytes());
    let answer = outbound::client(Some(&roots))
        .unwrap()
        .post(format!("{account}/Tables"))
        .header("x-ms-date", date)
        .header("x-ms-version", "2020-12-06")
        .header(
            "authorization",
            format!("SharedKeyLite {ACCOUNT}:{signature}"),
        )
        .header("content-type", "application/json")
        .header("accept", "application/json;odata=nometadata")
        .body(json!({ "TableName": name }).to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 201);
    format!("{account}/{name}")
}
