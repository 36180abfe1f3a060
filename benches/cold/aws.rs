//! As much of Secrets Manager and DynamoDB as a start needs, in memory: what they take is next to
//! nothing, so that what is measured is the program's.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Instant,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::{
    expressions::{holds, updated},
    seen::{Exchange, Seen},
};

pub const TABLE: &str = "arn:aws:dynamodb:eu-west-1:123456789012:table/state";
const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:";

pub type Item = Map<String, Value>;
type Items = Arc<Mutex<HashMap<String, Item>>>;

#[derive(Clone)]
pub struct Aws {
    pub url: String,
    secrets: HashMap<String, String>,
    items: Items,
    seen: Seen,
}

impl Aws {
    /// With these secrets by name.
    pub async fn start(secrets: &[(&str, String)], seen: &Seen) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let secrets = secrets.iter();
        let aws = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            secrets: secrets
                .map(|(name, text)| (arn(name), text.clone()))
                .collect(),
            items: Items::default(),
            seen: seen.clone(),
        };
        let router = Router::new().fallback(answer).with_state(aws.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        aws
    }

    /// Empties the table.
    pub fn forget(&self) {
        self.items.lock().unwrap().clear();
    }

    fn done(&self, operation: &str, asked: &Value) -> Result<Value, Value> {
        let mut items = self.items.lock().unwrap();
        let key = |item: &Value| format!("{} {}", item["pk"]["S"], item["sk"]["S"]);
        match operation {
            "GetSecretValue" => {
                let arn = asked["SecretId"].as_str().unwrap();
                Ok(
                    json!({ "ARN": arn, "Name": "secret", "VersionStages": ["AWSCURRENT"],
                    "VersionId": "EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE",
                    "SecretString": self.secrets[arn] }),
                )
            }
            "GetItem" => Ok(match items.get(&key(&asked["Key"])) {
                Some(item) => json!({ "Item": item }),
                None => json!({}),
            }),
            "BatchGetItem" => {
                let tables = asked["RequestItems"].as_object().unwrap();
                let (table, wanted) = tables.iter().next().unwrap();
                let keys = wanted["Keys"].as_array().unwrap();
                let found: Vec<&Item> =
                    keys.iter().filter_map(|one| items.get(&key(one))).collect();
                Ok(json!({ "Responses": { table: found }, "UnprocessedKeys": {} }))
            }
            // Nobody is invited here, so that no list has anything in it.
            "Query" => Ok(json!({ "Items": [], "Count": 0, "ScannedCount": 0 })),
            "PutItem" | "UpdateItem" | "DeleteItem" => {
                let place = key(asked.get("Key").unwrap_or(&asked["Item"]));
                let before = items.get(&place).cloned().unwrap_or_default();
                let condition = asked["ConditionExpression"].as_str();
                if condition.is_some_and(|condition| !holds(condition, &before, asked)) {
                    let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
                    return Err(json!({ "__type": kind, "message": "refused", "Item": before }));
                }
                let after = match operation {
                    "DeleteItem" => {
                        items.remove(&place);
                        return Ok(json!({}));
                    }
                    "PutItem" => asked["Item"].as_object().unwrap().clone(),
                    _ => updated(before, asked),
                };
                items.insert(place, after.clone());
                Ok(json!({ "Attributes": after }))
            }
            other => panic!("a start does {other}: the stand-in has to learn it"),
        }
    }
}

/// The name of a secret in AWS.
pub fn arn(name: &str) -> String {
    format!("{SECRET}{name}")
}

async fn answer(State(aws): State<Aws>, headers: HeaderMap, body: Bytes) -> Response {
    let came = Instant::now();
    // Azure's handler looks for a table here.
    let Some(target) = headers.get("x-amz-target") else {
        let error = json!({ "odata.error": { "code": "TableNotFound" } });
        return (StatusCode::NOT_FOUND, error.to_string()).into_response();
    };
    let target = target.to_str().unwrap();
    let operation = target.rsplit('.').next().unwrap();
    let place = aws.seen.begin(Exchange::begin(operation, came));
    let asked = serde_json::from_slice(&body).unwrap();
    let (status, answer) = match aws.done(operation, &asked) {
        Ok(answer) => (StatusCode::OK, answer),
        Err(answer) => (StatusCode::BAD_REQUEST, answer),
    };
    let now = Instant::now();
    aws.seen
        .update(place, |one| (one.answered, one.delivered) = (now, now));
    let kind = [(CONTENT_TYPE, "application/x-amz-json-1.0")];
    (status, kind, answer.to_string()).into_response()
}
