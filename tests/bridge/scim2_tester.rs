//! A second opinion on the whole server: scim2-tester, which reads what the server says of itself
//! and tries all of it.

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{support::World, tools};

/// A check that does not succeed: on which resource, its name, a part of what it says, and why
/// that is as it should be.
type Known = (&'static str, &'static str, &'static str, &'static str);

const DECIDED: [Known; 2] = [
    (
        "User",
        "object_deletion",
        "still exists after deletion",
        "who was deleted stays in the directory, suspended, and can come back",
    ),
    (
        "User",
        "check_remove_attribute",
        "'active'",
        "everybody is either active or suspended; there is no third state to show",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn scim2_tester_finds_nothing_but_what_was_decided() {
    let Some(python) = tools::python("the conformance tester scim2-tester") else {
        return;
    };
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let mut tester = Command::new(python)
        .arg(tools::root().join("tests/support/run_scim2_tester.py"))
        .arg(&bridge.tenant)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = tester.stdin.take().unwrap();
    writeln!(input, "{}", bridge.token).unwrap();
    drop(input);
    // The account's server runs on this thread and has to go on.
    let output = tokio::task::spawn_blocking(move || tester.wait_with_output().unwrap());
    let output = output.await.unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");

    let lines = String::from_utf8(output.stdout).unwrap();
    let checks: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut counts = BTreeMap::new();
    let mut unexpected = Vec::new();
    let mut expected: Vec<_> = DECIDED.iter().collect();
    for check in &checks {
        let text = |name: &str| check[name].as_str().unwrap_or_default();
        *counts.entry(text("status")).or_insert(0) += 1;
        if ["SUCCESS", "COMPLIANT", "ACCEPTABLE"].contains(&text("status")) {
            continue;
        }
        let known = expected.iter().position(|(resource, name, reason, _)| {
            text("resource") == *resource
                && text("check") == *name
                && text("reason").contains(reason)
        });
        match known {
            Some(known) => {
                let (resource, name, reason, why) = expected.swap_remove(known);
                println!("scim2-tester: {resource} {name} {reason}: {why}");
            }
            None => unexpected.push(check),
        }
    }
    println!("scim2-tester: {counts:?}");
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    assert!(
        expected.is_empty(),
        "these succeed by now: {expected:?} of {counts:?}"
    );
    // Without the discovery there would be little left to check.
    assert!(checks.len() > 60, "{counts:?}");
}
