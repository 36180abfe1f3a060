//! The deployment as Terraform makes it: applied to AWS's stand-in, used by the real program with
//! the environment that Terraform gave it, looked at again, and taken away.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::{
    cloud::Actions,
    function::{Function, Handler},
    moto,
    support::{GROUP, Provider, World, until, user},
    tools,
};

/// Where software of one's own is put, in folders of any name: the provider may lie unpacked there.
const SHELVES: [&str; 3] = ["/opt", "/usr/local/lib", "/usr/local/share"];

/// Terraform in a directory of its own, with a configuration that calls the module.
struct Terraform {
    dir: tempfile::TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Terraform {
    /// `None`, loudly, where Terraform, its provider or the stand-in is missing.
    fn new(endpoint: Option<&str>) -> Option<Self> {
        let endpoint = endpoint?;
        let version = Command::new("terraform").arg("version").output();
        if !version.is_ok_and(|version| version.status.success()) {
            tools::skipped("the deployment by Terraform: there is no terraform (1.9 or newer)");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("terraformrc");
        fs::write(&config, rc()).unwrap();
        let value = |text: &str| text.to_owned();
        let terraform = Self {
            environment: vec![
                ("TF_CLI_CONFIG_FILE", config.display().to_string()),
                ("TF_IN_AUTOMATION", value("1")),
                ("AWS_ENDPOINT_URL", value(endpoint)),
                ("AWS_ACCESS_KEY_ID", value("testing")),
                ("AWS_SECRET_ACCESS_KEY", value("testing")),
                ("AWS_REGION", value("eu-west-1")),
                ("AWS_EC2_METADATA_DISABLED", value("true")),
            ],
            dir,
        };
        let package = terraform.dir.path().join("function.zip");
        fs::write(&package, EMPTY_ZIP).unwrap();
        fs::write(terraform.dir.path().join("main.tf"), main_tf(&package)).unwrap();
        let init = terraform.run(&["init", "-input=false"]);
        if !init.status.success() {
            let why = String::from_utf8_lossy(&init.stderr).into_owned();
            let line = why
                .lines()
                .find(|line| !line.trim().is_empty())
                .unwrap_or_default();
            tools::skipped(&format!(
                "the deployment by Terraform: its AWS provider cannot be had ({line})"
            ));
            return None;
        }
        Some(terraform)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new("terraform")
            .args(arguments)
            .current_dir(self.dir.path())
            .envs(self.environment.iter().cloned())
            .output()
            .unwrap()
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Takes the provider from where it lies, if it lies anywhere, and asks nobody about updates.
fn rc() -> String {
    let given = std::env::var("TF_PLUGINS").ok().map(PathBuf::from);
    let shelves = SHELVES.iter().filter_map(|shelf| fs::read_dir(shelf).ok());
    let folders = shelves
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| entry.path());
    let mirror = given.into_iter().chain(folders).find(|folder| {
        let origins = fs::read_dir(folder).into_iter().flatten();
        origins
            .filter_map(Result::ok)
            .any(|origin| origin.path().join("hashicorp/aws").is_dir())
    });
    let mut text = "disable_checkpoint = true\n".to_owned();
    if let Some(mirror) = mirror {
        text += &format!(
            "provider_installation {{\n  filesystem_mirror {{\n    path = {:?}\n  }}\n}}\n",
            mirror.display().to_string()
        );
    }
    text
}

/// What a person writes who deploys the bridge, with few retries: what the stand-in lacks is not
/// to take minutes.
fn main_tf(package: &Path) -> String {
    let module = tools::root().join("terraform");
    format!(
        "provider \"aws\" {{\n  max_retries = 3\n}}\n\
         module \"scim_bridge\" {{\n\
           source              = {:?}\n\
           package             = {:?}\n\
           deletion_protection = false\n\
           alarm_email         = \"ops@example.com\"\n\
           settings            = {{ SCIM_BRIDGE_CONFIRMATION_DELAY = \"1\" }}\n\
         }}\n\
         output \"tenant_url\" {{\n  value = module.scim_bridge.tenant_url\n}}\n\
         output \"next_command\" {{\n  value = module.scim_bridge.next_command\n}}\n",
        module.display().to_string(),
        package.display().to_string(),
    )
}

/// A zip archive with nothing in it: the stand-in runs no function.
const EMPTY_ZIP: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// The attributes of all resources of a type, by the key of their instance.
fn resources(state: &Value, kind: &str) -> BTreeMap<String, Value> {
    let module = &state["values"]["root_module"]["child_modules"][0];
    let all = module["resources"].as_array().unwrap().iter();
    all.filter(|one| one["type"] == kind && one["mode"] == "managed")
        .map(|one| {
            let key = one["index"].as_str().or(one["name"].as_str()).unwrap();
            (key.to_owned(), one["values"].clone())
        })
        .collect()
}

/// What a policy allows, by what it is allowed on.
fn allowed(policy: &Value) -> Actions {
    let policy: Value = serde_json::from_str(policy["policy"].as_str().unwrap()).unwrap();
    let texts = |value: &Value| -> BTreeSet<String> {
        match value {
            Value::String(text) => BTreeSet::from([text.clone()]),
            other => serde_json::from_value(other.clone()).unwrap(),
        }
    };
    let mut actions = Actions::new();
    for statement in policy["Statement"].as_array().unwrap() {
        assert_eq!(statement["Effect"], "Allow");
        for resource in texts(&statement["Resource"]) {
            let known = actions.entry(resource).or_default();
            known.extend(texts(&statement["Action"]));
        }
    }
    actions
}

#[tokio::test(flavor = "multi_thread")]
async fn what_terraform_makes_works_and_goes_away() {
    let endpoint = moto::url();
    let terraform = tokio::task::spawn_blocking(move || Terraform::new(endpoint)).await;
    let Some(terraform) = terraform.unwrap() else {
        return;
    };
    let world = World::new().await;
    let terraform = std::sync::Arc::new(terraform);
    let run = async |arguments: &'static [&'static str]| {
        let terraform = std::sync::Arc::clone(&terraform);
        tokio::task::spawn_blocking(move || terraform.done(arguments))
            .await
            .unwrap()
    };
    run(&["apply", "-auto-approve", "-input=false"]).await;
    let state: Value = serde_json::from_str(&run(&["show", "-json"]).await).unwrap();
    let outputs: Value = serde_json::from_str(&run(&["output", "-json"]).await).unwrap();
    let tenant = outputs["tenant_url"]["value"].as_str().unwrap();
    assert!(
        tenant.starts_with("https://") && tenant.ends_with("/scim/v2"),
        "{tenant}"
    );

    let functions = resources(&state, "aws_lambda_function");
    let environment = |handler: Handler| -> BTreeMap<String, String> {
        let function = &functions[handler.name()];
        assert_eq!(function["handler"], handler.name());
        serde_json::from_value(function["environment"][0]["variables"].clone()).unwrap()
    };
    let (scim, sweep) = (environment(Handler::Scim), environment(Handler::Sweep));
    assert!(
        !scim.contains_key("SCIM_BRIDGE_SWEEP_KEY"),
        "the sweep's alone"
    );

    // The command that the outputs name, as an administrator types it.
    let next = outputs["next_command"]["value"].as_str().unwrap();
    let words = next.replace("\\\n", " ");
    let words: Vec<&str> = words.split_whitespace().collect();
    assert_eq!(words[0], "scim-bridge", "{next}");
    fs::write(world.dir.path().join("sweep-key"), &world.sweep_key).unwrap();
    let file = world.dir.path().join("scimsession").display().to_string();
    let administrator = [
        ("AWS_ENDPOINT_URL", endpoint.unwrap()),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("SCIM_BRIDGE_SCIMSESSION", &file),
    ];
    world.run(&words[1..], &administrator).await.done();

    let url = endpoint.unwrap();
    let scim = Function::deployed(&world, url, Handler::Scim, scim).await;
    let sweep = Function::deployed(&world, url, Handler::Sweep, sweep).await;
    let ann = scim.post("/Users", user("ann@example.com")).await.created();
    let group = json!({ "schemas": [GROUP], "displayName": "Finance",
        "members": [{ "value": ann }] });
    scim.post("/Groups", group).await.created();
    let kit = world.sign_up("ann@example.com").await;
    assert_eq!(sweep.swept().await["confirmed"], 0);
    until(async || (sweep.swept().await["confirmed"] == 1).then_some(())).await;
    world.until_opened(&kit, "Finance").await;

    may_do_what_they_do_and_no_more(&state, &functions);
    // Nothing is left to change, and in the end nothing is left.
    run(&["plan", "-detailed-exitcode", "-input=false"]).await;
    run(&["destroy", "-auto-approve", "-input=false"]).await;
    let left: Value = serde_json::from_str(&run(&["show", "-json"]).await).unwrap();
    assert!(left.get("values").is_none(), "{left}");
    let tables = moto::ask(url, "dynamodb", "DynamoDB_20120810.ListTables", json!({})).await;
    let names: BTreeSet<String> = serde_json::from_value(tables["TableNames"].clone()).unwrap();
    assert!(!names.iter().any(|name| name == "scim-bridge"), "{names:?}");
}

/// What the functions were seen to do in `story` is what their roles allow, on the same things.
fn may_do_what_they_do_and_no_more(state: &Value, functions: &BTreeMap<String, Value>) {
    let file = fs::read_to_string(tools::root().join("tests/data/aws-actions.json")).unwrap();
    let used: BTreeMap<String, Actions> = serde_json::from_str(&file).unwrap();
    let policies = resources(state, "aws_iam_role_policy");
    for handler in [Handler::Scim, Handler::Sweep] {
        let variables = &functions[handler.name()]["environment"][0]["variables"];
        let place = |name: &str| variables[name].as_str().unwrap().to_owned();
        let table = place("SCIM_BRIDGE_STATE");
        let mut expected: Actions = used[handler.name()]
            .iter()
            .map(|(resource, actions)| {
                let arn = match &**resource {
                    "scimsession" => place("SCIM_BRIDGE_SCIMSESSION"),
                    "sweep_key" => place("SCIM_BRIDGE_SWEEP_KEY"),
                    "table" => table.clone(),
                    "index" => format!("{table}/index/work"),
                    other => panic!("what is {other}?"),
                };
                (arn, actions.clone())
            })
            .collect();
        let mut may = allowed(&policies[handler.name()]);
        // Lambda does these on the function's behalf.
        may.retain(|_, actions| {
            actions.retain(|action| !action.starts_with("logs:") && !action.starts_with("xray:"));
            !actions.is_empty()
        });
        // Without a sweep key scim sweeps, beside a provider's requests.
        if handler == Handler::Scim {
            let index = used["sweep"]["index"].clone();
            expected.insert(format!("{table}/index/work"), index);
        }
        assert_eq!(may, expected, "{}", handler.name());
    }
}
