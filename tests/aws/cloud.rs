//! A deployment's secrets and table in AWS's stand-in, and a way there that counts and can fail.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use scim_bridge::outbound;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    moto,
    support::{Run, World},
};

/// IAM actions by what they were done to, as Terraform groups them.
pub type Actions = BTreeMap<String, BTreeSet<String>>;

pub struct Cloud {
    pub url: String,
    pub scimsession: String,
    pub sweep_key: String,
    pub table: String,
    way: Way,
}

/// What lies between the functions and AWS.
#[derive(Clone)]
struct Way {
    moto: &'static str,
    client: reqwest::Client,
    seen: Arc<Mutex<Vec<Seen>>>,
    trouble: Arc<Mutex<Option<Trouble>>>,
}

/// One request to AWS.
#[derive(Clone, Debug)]
struct Seen {
    /// The id of the key that signed it.
    who: String,
    target: String,
    trace: Option<String>,
    body: Value,
}

/// What becomes of requests whose target begins so.
#[derive(Clone, Copy, Debug)]
pub struct Trouble {
    pub target: &'static str,
    pub kind: Kind,
    /// How many more of them.
    pub times: usize,
}

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// An error with this status and code.
    Error(u16, &'static str),
    /// No answer ever.
    Silence,
}

impl Cloud {
    /// A deployment for this account; `None`, loudly, where there is no stand-in.
    pub async fn new(world: &World) -> Option<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let moto = moto::url()?;
        let name = format!("bridge-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let file = std::fs::read_to_string(world.dir.path().join("scimsession")).unwrap();
        let secret = async |text: &str, kind: &str| {
            let secret = json!({ "SecretString": text });
            moto::create(moto, secret, &format!("{name}/{kind}")).await
        };
        let way = Way {
            moto,
            client: outbound::client(None).unwrap(),
            seen: Arc::default(),
            trouble: Arc::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(forward).with_state(way.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Some(Self {
            url,
            scimsession: secret(&file, "scimsession").await,
            sweep_key: secret(&world.sweep_key, "sweep-key").await,
            table: moto::table(moto, &name).await,
            way,
        })
    }

    /// The command line, as an administrator of this deployment.
    pub async fn run(&self, world: &World, arguments: &[&str]) -> Run {
        let settings = [
            ("AWS_ENDPOINT_URL", &*self.url),
            ("AWS_ACCESS_KEY_ID", "AKIAADMINISTRATOR000"),
            ("AWS_SECRET_ACCESS_KEY", "testing"),
            ("SCIM_BRIDGE_SCIMSESSION", &self.scimsession),
            ("SCIM_BRIDGE_SWEEP_KEY", &self.sweep_key),
            ("SCIM_BRIDGE_STATE", &self.table),
        ];
        world.run(arguments, &settings).await
    }

    pub fn begin(&self, trouble: Trouble) {
        *self.way.trouble.lock().unwrap() = Some(trouble);
    }

    pub fn end_trouble(&self) {
        *self.way.trouble.lock().unwrap() = None;
    }

    /// How many requests there were whose target begins so.
    pub fn requests(&self, target: &str) -> usize {
        let seen = self.way.seen.lock().unwrap();
        let of_it = seen.iter().filter(|one| one.target.starts_with(target));
        of_it.count()
    }

    /// The traces that requests belong to.
    pub fn traces(&self) -> BTreeSet<Option<String>> {
        let seen = self.way.seen.lock().unwrap();
        seen.iter().map(|one| one.trace.clone()).collect()
    }

    /// What this role did.
    pub fn actions(&self, who: &str) -> Actions {
        let mut actions = Actions::new();
        let seen = self.way.seen.lock().unwrap();
        for (resource, action) in seen
            .iter()
            .filter(|one| one.who == who)
            .flat_map(|one| self.needs(one))
        {
            actions.entry(resource).or_default().insert(action);
        }
        actions
    }

    /// What a request has to be allowed.
    fn needs(&self, seen: &Seen) -> Vec<(String, String)> {
        let (service, operation) = seen.target.split_once('.').unwrap();
        if service == "secretsmanager" {
            let id = &seen.body["SecretId"];
            let secret = match id {
                id if *id == self.scimsession => "scimsession",
                id if *id == self.sweep_key => "sweep_key",
                other => panic!("whose secret is {other}?"),
            };
            return vec![(secret.to_owned(), format!("secretsmanager:{operation}"))];
        }
        assert_eq!(service, "DynamoDB_20120810");
        let table = self.table.split_once('/').unwrap().1;
        let resource = match seen.body.get("IndexName") {
            Some(index) => {
                assert_eq!(index, "work");
                "index"
            }
            None => "table",
        };
        let of = |operation: &str| (resource.to_owned(), format!("dynamodb:{operation}"));
        match operation {
            // A transaction is allowed to whoever may do each of its parts.
            "TransactWriteItems" => {
                let parts = seen.body["TransactItems"].as_array().unwrap().iter();
                let parts = parts.flat_map(|part| part.as_object().unwrap());
                parts
                    .map(|(part, on)| {
                        assert_eq!(on["TableName"], table);
                        match &**part {
                            "ConditionCheck" => of("ConditionCheckItem"),
                            part => of(&format!("{part}Item")),
                        }
                    })
                    .collect()
            }
            "BatchGetItem" => {
                let tables: Vec<_> = seen.body["RequestItems"]
                    .as_object()
                    .unwrap()
                    .keys()
                    .collect();
                assert_eq!(tables, [table]);
                vec![of(operation)]
            }
            _ => {
                assert_eq!(seen.body["TableName"], table);
                vec![of(operation)]
            }
        }
    }
}

async fn forward(State(way): State<Way>, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name: &str| Some(headers.get(name)?.to_str().unwrap().to_owned());
    let target = text("x-amz-target").unwrap();
    let signed = text("authorization").unwrap();
    let who = signed.split_once("Credential=").unwrap().1;
    way.seen.lock().unwrap().push(Seen {
        who: who.split_once('/').unwrap().0.to_owned(),
        target: target.clone(),
        trace: text("x-amzn-trace-id"),
        body: serde_json::from_slice(&body).unwrap(),
    });
    let met = {
        let mut trouble = way.trouble.lock().unwrap();
        let met = trouble
            .as_mut()
            .filter(|one| target.starts_with(one.target) && one.times > 0);
        met.map(|one| {
            one.times -= 1;
            one.kind
        })
    };
    match met {
        Some(Kind::Silence) => std::future::pending().await,
        Some(Kind::Error(status, code)) => {
            let error = json!({ "__type": code, "message": "by the test" });
            (StatusCode::from_u16(status).unwrap(), error.to_string()).into_response()
        }
        None => {
            let mut request = way.client.post(way.moto).body(body);
            for name in [
                "x-amz-target",
                "authorization",
                "content-type",
                "x-amz-date",
            ] {
                if let Some(value) = headers.get(name) {
                    request = request.header(name, value);
                }
            }
            let answer = request.send().await.unwrap();
            (answer.status(), answer.bytes().await.unwrap()).into_response()
        }
    }
}
