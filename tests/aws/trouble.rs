//! What AWS does to functions, and what they make of it.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::{
    cloud::{Cloud, Kind, Trouble},
    function::{Function, Handler, command},
    functions,
    runtime::Outcome,
    secrets,
    support::{Call, Provider, World, until, user},
};

const TABLE: &str = "DynamoDB_20120810.";
const SECRETS: &str = "secretsmanager.";
const ALWAYS: usize = usize::MAX;

#[tokio::test]
async fn a_secret_that_is_rotated_holds_without_a_new_start() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let mut scim = Function::start(&world, &cloud, Handler::Scim, &[]).await;
    scim.get("/Users?count=0").await.ok();
    let sign_ins = world.sign_ins();
    let rotate = ["token", "rotate", "test", "--grace", "1s", "--json"];
    let rotated = cloud.run(&world, &rotate).await.json();
    let new = rotated["token"].as_str().unwrap();
    secrets::remember(new);
    until(async || (scim.get("/Users?count=0").await.status == 401).then_some(())).await;
    scim.token = new.to_owned();
    scim.get("/Users?count=0").await.ok();
    // The credentials inside are the same, and so is the session.
    assert_eq!(world.sign_ins(), sign_ins);
}

#[tokio::test]
async fn a_table_that_is_too_busy_is_waited_for_and_not_for_ever() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let settings = [("SCIM_BRIDGE_CONFIRMATION_DELAY", "0")];
    let scim = Function::start(&world, &cloud, Handler::Scim, &settings).await;
    for (status, code) in [
        (400, "ProvisionedThroughputExceededException"),
        (400, "ThrottlingException"),
        (500, "InternalServerError"),
    ] {
        let kind = Kind::Error(status, code);
        let email = format!("{}@example.com", code.to_lowercase());
        cloud.begin(Trouble {
            target: TABLE,
            kind,
            times: 2,
        });
        scim.post("/Users", user(&email)).await.created();
        cloud.begin(Trouble {
            target: TABLE,
            kind,
            times: ALWAYS,
        });
        let refused = scim.get("/Groups").await;
        refused.error(503, None);
        assert!(refused.headers.contains_key("retry-after"), "{code}");
        cloud.end_trouble();
        scim.get("/Groups").await.ok();
    }

    // A sweep that fails for it is worth another try, and nothing is lost.
    let sweep = Function::start(&world, &cloud, Handler::Sweep, &settings).await;
    scim.post("/Users", user("ann@example.com")).await.created();
    world.sign_up("ann@example.com").await;
    let kind = Kind::Error(400, "ThrottlingException");
    cloud.begin(Trouble {
        target: TABLE,
        kind,
        times: ALWAYS,
    });
    assert!(matches!(sweep.sweep().await, Outcome::Failed(_)));
    cloud.end_trouble();
    assert_eq!(sweep.swept().await["confirmed"], 1);
}

#[tokio::test]
async fn secrets_out_of_reach_at_the_start_are_read_when_they_are_back() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let kind = Kind::Error(500, "InternalServiceError");
    cloud.begin(Trouble {
        target: SECRETS,
        kind,
        times: ALWAYS,
    });
    let scim = Function::start(&world, &cloud, Handler::Scim, &[]).await;
    let refused = scim.get("/Users?count=0").await;
    let detail = refused.error(503, None);
    assert!(detail.contains("cannot be reached"), "{detail}");
    assert!(refused.headers.contains_key("retry-after"));
    let sweep = Function::start(&world, &cloud, Handler::Sweep, &[]).await;
    assert!(matches!(sweep.sweep().await, Outcome::Failed(_)));
    assert_eq!(scim.get("//ping").await.text, "pong");
    cloud.end_trouble();
    until(async || (scim.get("/Users?count=0").await.status == 200).then_some(())).await;
    until(async || matches!(sweep.sweep().await, Outcome::Answered(_)).then_some(())).await;
}

#[tokio::test]
async fn what_an_administrator_has_to_mend_is_said_and_not_tried_again() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let kind = Kind::Error(400, "AccessDeniedException");
    cloud.begin(Trouble {
        target: SECRETS,
        kind,
        times: ALWAYS,
    });
    let sweep = Function::start(&world, &cloud, Handler::Sweep, &[]).await;
    let problem = sweep.swept().await["problem"].as_str().unwrap().to_owned();
    assert!(problem.contains(&cloud.sweep_key), "{problem}");
    let line = sweep.line(|line| line["message"] == "no sweep").await;
    assert_eq!(line["error"], problem.as_str());
}

#[tokio::test]
async fn an_answer_comes_before_lambda_ends_the_function() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    for target in [SECRETS, TABLE] {
        let scim = Function::start(&world, &cloud, Handler::Scim, &[]).await;
        cloud.begin(Trouble {
            target,
            kind: Kind::Silence,
            times: ALWAYS,
        });
        let call = Call {
            method: Method::GET,
            path: "/Groups",
            token: Some(&scim.token),
            headers: &[],
            body: None,
        };
        let late = scim.send_within(call, Duration::from_secs(3)).await;
        let detail = late.error(503, None);
        assert!(detail.contains("in time"), "{detail}");
        assert!(late.headers.contains_key("retry-after"));
        cloud.end_trouble();
    }
    // A sweep ends by itself, and fails only if it could not begin.
    for (target, seconds) in [(SECRETS, 3), (TABLE, 6)] {
        let sweep = Function::start(&world, &cloud, Handler::Sweep, &[]).await;
        cloud.begin(Trouble {
            target,
            kind: Kind::Silence,
            times: ALWAYS,
        });
        let event = json!({ "source": "aws.scheduler" });
        let (_, _, outcome) = sweep.invoke(event, Duration::from_secs(seconds)).await;
        match outcome {
            Outcome::Failed(_) => assert_eq!(target, SECRETS),
            Outcome::Answered(summary) => assert_eq!(summary["left"], true),
            other => panic!("{other:?}"),
        }
        cloud.end_trouble();
    }
}

#[tokio::test]
async fn two_functions_that_race_make_one_person_of_one_user() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let one = Function::start(&world, &cloud, Handler::Scim, &[]).await;
    let other = Function::start(&world, &cloud, Handler::Scim, &[]).await;
    functions::race(&world, &one, &other, 5).await;
}

#[tokio::test]
async fn events_for_somebody_else_are_errors_that_say_so() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let scim = Function::start(&world, &cloud, Handler::Scim, &[]).await;
    let sweep = Function::start(&world, &cloud, Handler::Sweep, &[]).await;
    let schedule = json!({ "source": "scim-bridge.schedule" });
    let queue = json!({ "Records": [{ "eventSource": "aws:sqs", "body": "{}" }] });
    let limit = Duration::from_secs(10);
    for event in [schedule, queue.clone(), json!({}), json!("text")] {
        let (_, _, outcome) = scim.invoke(event.clone(), limit).await;
        let Outcome::Failed(error) = outcome else {
            panic!("{event}: {outcome:?}");
        };
        let message = error["errorMessage"].as_str().unwrap();
        assert!(message.contains("API Gateway"), "{message}");
    }
    for event in [queue, json!({ "source": "aws.s3" }), json!(null)] {
        let (_, _, outcome) = sweep.invoke(event.clone(), limit).await;
        let Outcome::Failed(error) = outcome else {
            panic!("{event}: {outcome:?}");
        };
        let message = error["errorMessage"].as_str().unwrap();
        assert!(message.contains("scim-bridge.schedule"), "{message}");
    }
    // Both work on.
    scim.get("/Users?count=0").await.ok();
    assert_eq!(sweep.swept().await["confirmed"], 0);
    assert_eq!(cloud.requests("secretsmanager.PutSecretValue"), 0);
}

#[test]
fn what_cannot_start_says_why() {
    for (variables, told) in [
        (&[][..], "started by AWS Lambda"),
        (
            &[
                ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9"),
                ("_HANDLER", "bootstrap"),
            ][..],
            "set it to scim or sweep",
        ),
        (
            &[
                ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9"),
                ("SCIM_BRIDGE_MODE", "dry"),
            ][..],
            "SCIM_BRIDGE_MODE",
        ),
        (
            &[
                ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9"),
                ("SCIM_BRIDGE_ROOT_CERTIFICATES", "/dev/null"),
            ][..],
            "root certificates",
        ),
    ] {
        let table = "arn:aws:dynamodb:eu-west-1:123456789012:table/state";
        let output = command()
            .env("SCIM_BRIDGE_STATE", table)
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        assert!(!output.status.success());
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(log.contains("cannot start") && log.contains(told), "{log}");
    }
}
