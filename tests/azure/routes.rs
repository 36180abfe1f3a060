//! What the host reads in the app's folder: `host.json`, each function's `function.json`, and from
//! them which function a request is for.

use std::{fs, path::Path, time::Duration};

use reqwest::Method;
use serde_json::Value;

use crate::handover::Mode;

/// `host.json`.
pub struct Settings {
    pub executable: String,
    pub arguments: Vec<String>,
    pub mode: Mode,
    /// How long the handler may take to listen.
    pub patience: Duration,
    route_prefix: String,
}

/// A function, named as its folder.
pub struct Function {
    pub name: String,
    pub trigger: Trigger,
}

pub enum Trigger {
    Http {
        template: String,
        methods: Option<Vec<String>>,
        /// Who may ask: `anonymous`, or whoever has a key.
        anonymous: bool,
    },
    Timer {
        /// What its payload is called.
        binding: String,
    },
}

impl Settings {
    pub fn read(app: &Path) -> Self {
        let host = json(&app.join("host.json"));
        assert_eq!(host["version"], "2.0");
        let handler = &host["customHandler"];
        let set = |flag: &str| handler[flag].as_bool().unwrap_or(false);
        let arguments = handler["description"]["arguments"].as_array();
        let patience = handler["initializationTimeout"].as_str();
        Self {
            executable: text(&handler["description"]["defaultExecutablePath"]),
            arguments: arguments.into_iter().flatten().map(text).collect(),
            mode: match (
                set("enableProxyingHttpRequest"),
                set("enableForwardingHttpRequest"),
            ) {
                (true, _) => Mode::Proxying,
                (false, true) => Mode::Forwarding,
                (false, false) => panic!("the handler would get requests wrapped up in JSON"),
            },
            patience: patience.map_or(Duration::from_secs(30), seconds),
            route_prefix: match &host["extensions"]["http"]["routePrefix"] {
                Value::Null => "api".to_owned(),
                prefix => text(prefix),
            },
        }
    }

    /// The functions in the order in which the host asks them: that of their names.
    pub fn functions(&self, app: &Path) -> Vec<Function> {
        let folders = fs::read_dir(app).unwrap().map(|entry| entry.unwrap());
        let folders = folders.filter(|entry| entry.path().join("function.json").exists());
        let mut functions: Vec<Function> = folders
            .map(|entry| {
                let name = entry.file_name().into_string().unwrap();
                let bindings = json(&entry.path().join("function.json"));
                let trigger = self.trigger(&name, bindings["bindings"].as_array().unwrap());
                Function { name, trigger }
            })
            .collect();
        functions.sort_by_key(|function| function.name.to_lowercase());
        functions
    }

    /// Requests are handed on as requests only to functions with one way in and one out.
    fn trigger(&self, name: &str, bindings: &[Value]) -> Trigger {
        let types: Vec<_> = bindings.iter().map(|one| text(&one["type"])).collect();
        let trigger = &bindings[0];
        match types.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["timerTrigger"] => {
                assert_eq!(text(&trigger["schedule"]).split(' ').count(), 6);
                Trigger::Timer {
                    binding: text(&trigger["name"]),
                }
            }
            ["httpTrigger", "http"] => {
                let route = trigger["route"].as_str().unwrap_or(name);
                let reserved = ["admin", "runtime"];
                assert!(reserved.iter().all(|start| !route.starts_with(start)));
                let methods = trigger["methods"].as_array();
                Trigger::Http {
                    template: format!("{}/{route}", self.route_prefix),
                    methods: methods.map(|methods| methods.iter().map(text).collect()),
                    anonymous: trigger["authLevel"] == "anonymous",
                }
            }
            _ => panic!("{name}: the host's stand-in has no {types:?}"),
        }
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// `00:00:30`.
fn seconds(text: &str) -> Duration {
    let parts = text.split(':').map(|part| part.parse::<u64>().unwrap());
    Duration::from_secs(parts.fold(0, |sum, part| sum * 60 + part))
}

impl Trigger {
    /// Whether a request is for this function. The host knows no precedence: the first that says
    /// yes has it.
    pub fn takes(&self, method: &Method, path: &str) -> bool {
        match self {
            Self::Timer { .. } => false,
            Self::Http {
                template, methods, ..
            } => {
                let same = |known: &String| known.eq_ignore_ascii_case(method.as_str());
                methods.as_ref().is_none_or(|all| all.iter().any(same)) && matches(template, path)
            }
        }
    }
}

/// One slash at the end does not count, an empty segment matches nothing, and what takes the rest
/// (`{*rest}`) takes nothing, too.
fn matches(template: &str, path: &str) -> bool {
    let mut wanted = template.split('/').filter(|segment| !segment.is_empty());
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let segments = (!path.is_empty()).then(|| path.split('/'));
    let mut segments = segments.into_iter().flatten();
    loop {
        match (segments.next(), wanted.next()) {
            (Some(""), _) => return false,
            (_, Some(rest)) if rest.starts_with("{*") => return true,
            (Some(_), Some(parameter)) if parameter.starts_with('{') => {}
            (Some(segment), Some(literal)) if literal.eq_ignore_ascii_case(segment) => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}
