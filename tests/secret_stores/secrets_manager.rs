//! AWS Secrets Manager: its stand-in for what it stores, and canned answers for what it refuses.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, http::StatusCode};
use data_encoding::BASE64;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    moto::{self, administer, create},
    support::{Kind, Place, kind},
};

const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:any";

fn place(endpoint: &str) -> Place {
    Place::new(&[
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "HUSHHUSH-key"),
        ("AWS_SESSION_TOKEN", "HUSHHUSH-session"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", endpoint),
    ])
}

#[tokio::test]
async fn what_is_written_is_read_and_every_write_is_a_new_version() {
    let Some(url) = moto::url() else { return };
    let arn = create(url, json!({}), "written/scimsession").await;
    let place = place(url);
    let first = place.write(&arn, "HUSHHUSH-1").await.unwrap();
    let (text, version) = place.read(&arn).await.unwrap();
    assert_eq!((text.as_str(), &version), ("HUSHHUSH-1", &first));
    let second = place.write(&arn, "HUSHHUSH-2").await.unwrap();
    assert_ne!(first, second);
    let (text, version) = place.read(&arn).await.unwrap();
    assert_eq!((text.as_str(), version), ("HUSHHUSH-2", second));
}

#[tokio::test]
async fn what_is_not_there_is_missing() {
    let Some(url) = moto::url() else { return };
    let place = place(url);
    let value = json!({ "SecretString": "HUSHHUSH" });
    let here = create(url, value.clone(), "region").await;
    let empty = create(url, json!({}), "empty").await;
    let deleted = create(url, value, "deleted").await;
    administer(url, "DeleteSecret", json!({ "SecretId": deleted })).await;
    for (arn, remedy) in [
        (here.replace("eu-west-1", "us-east-1"), "check the ARN"),
        (format!("{ARN}-AbCdEf"), "make the secret"),
        (empty, "write a value"),
        (deleted, "restore"),
    ] {
        let error = place.read(&arn).await.unwrap_err();
        assert_eq!(kind(&error), Kind::Missing, "{error}");
        assert!(error.to_string().contains(remedy), "{error}");
        assert!(error.to_string().contains(&arn), "{error}");
    }
    let error = place.write(&format!("{ARN}-AbCdEf"), "HUSHHUSH").await;
    assert_eq!(kind(&error.unwrap_err()), Kind::Missing);
}

#[tokio::test]
async fn a_binary_secret_is_read_if_it_is_text() {
    let Some(url) = moto::url() else { return };
    let place = place(url);
    let binary = |bytes: &[u8]| json!({ "SecretBinary": BASE64.encode(bytes) });
    let text = create(url, binary("HUSHHUSH-é".as_bytes()), "text").await;
    assert_eq!(place.read(&text).await.unwrap().0, "HUSHHUSH-é");
    let other = create(url, binary(b"HUSHHUSH\xff"), "other").await;
    let error = place.read(&other).await.unwrap_err();
    assert_eq!(kind(&error), Kind::Unusable, "{error}");
}

/// A service that gives every request the same answer, and counts them.
async fn always(status: u16, body: Value) -> (String, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&requests);
    let router = Router::new().fallback(move || {
        seen.fetch_add(1, Ordering::Relaxed);
        let answer = (StatusCode::from_u16(status).unwrap(), body.to_string());
        async move { answer }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, requests)
}

#[tokio::test]
async fn every_refusal_has_its_meaning() {
    for (status, code, expected, tries) in [
        (400, "ResourceNotFoundException", Kind::Missing, 1),
        (400, "InvalidRequestException", Kind::Unusable, 1),
        (400, "InvalidParameterException", Kind::Unusable, 1),
        (400, "AccessDeniedException", Kind::Denied, 1),
        (400, "DecryptionFailure", Kind::Denied, 1),
        (400, "EncryptionFailure", Kind::Denied, 1),
        (400, "UnrecognizedClientException", Kind::Denied, 1),
        (403, "SomethingNew", Kind::Denied, 1),
        (400, "ThrottlingException", Kind::Unreachable, 3),
        (500, "InternalServiceError", Kind::Unreachable, 3),
        (503, "SomethingNew", Kind::Unreachable, 3),
        (400, "SomethingNew", Kind::Unusable, 1),
    ] {
        let message = match code {
            "AccessDeniedException" => "User: arn:aws:iam::1:user/x is not authorized",
            _ => "Value 'HUSHHUSH' failed to satisfy a constraint",
        };
        let body = json!({ "__type": code, "message": message });
        let (url, requests) = always(status, body).await;
        let place = place(&url);
        let error = place.read(ARN).await.unwrap_err();
        assert_eq!(kind(&error), expected, "{code}: {error}");
        assert_eq!(requests.load(Ordering::Relaxed), tries, "{code}");
        if code == "AccessDeniedException" {
            assert!(error.to_string().contains("user/x"), "{error}");
        }
        let error = place.write(ARN, "HUSHHUSH").await.unwrap_err();
        assert_eq!(kind(&error), expected, "{code}: {error}");
    }
    let (url, _) = always(200, json!("HUSHHUSH, and not an object")).await;
    let error = place(&url).read(ARN).await.unwrap_err();
    assert_eq!(kind(&error), Kind::Unusable, "{error}");
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_out_of_reach() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // Connections are made and nobody takes them.
    let error = place(&url).read(ARN).await.unwrap_err();
    assert_eq!(kind(&error), Kind::Unreachable, "{error}");
    drop(listener);
    let error = place(&url).read(ARN).await.unwrap_err();
    assert_eq!(kind(&error), Kind::Unreachable, "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

/// The machine's own settings are read from the process's environment, so the test starts itself
/// again in an environment of its own.
#[cfg(unix)]
#[tokio::test]
async fn on_one_machine_profiles_are_read() {
    if let (Ok(arn), Ok(url)) = (std::env::var("TEST_ARN"), std::env::var("TEST_URL")) {
        let place = Place::new(&[("AWS_ENDPOINT_URL", &url)]);
        if std::env::var("AWS_PROFILE").is_ok() {
            assert_eq!(place.read(&arn).await.unwrap().0, "HUSHHUSH");
        } else {
            let error = place.read(&arn).await.unwrap_err();
            assert_eq!(kind(&error), Kind::Denied, "{error}");
            assert!(error.to_string().contains("aws sso login"), "{error}");
        }
        return;
    }
    let Some(url) = moto::url() else { return };
    let arn = create(url, json!({ "SecretString": "HUSHHUSH" }), "profile").await;
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config");
    let keys =
        r#"{"Version": 1, "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "HUSHHUSH"}"#;
    let profile = format!("[profile test]\ncredential_process = /bin/echo '{keys}'\n");
    std::fs::write(&config, profile).unwrap();
    for profile in [Some("test"), None] {
        let mut process = std::process::Command::new(std::env::current_exe().unwrap());
        process
            .args([
                "--exact",
                "secrets_manager::on_one_machine_profiles_are_read",
            ])
            .env_clear()
            .env("HOME", home.path())
            .env("PATH", "/usr/bin:/bin")
            .env("AWS_CONFIG_FILE", &config)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(profile.map(|profile| ("AWS_PROFILE", profile)))
            .env("TEST_ARN", &arn)
            .env("TEST_URL", url);
        let output = process.output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{profile:?}: {told}");
        assert!(told.contains("1 passed"), "{told}");
    }
}
