//! A deployment's vault, identity and table, and a way to the table that can fail.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::header::{HOST, TRANSFER_ENCODING},
    response::{IntoResponse, Response},
};
use reqwest::StatusCode;
use scim_bridge::outbound;
use serde_json::json;
use tokio::net::TcpListener;

use crate::{
    azure_stand_in::{Azure, CLIENT_ID, CLIENT_SECRET, IDENTITY_HEADER},
    azurite, secrets,
    support::{Run, World},
};

pub struct Cloud {
    pub azure: Azure,
    scimsession: String,
    sweep_key: String,
    table: String,
    roots: &'static str,
}

impl Cloud {
    /// A deployment for this account; `None`, loudly, where there is no stand-in.
    pub async fn new(world: &World) -> Option<Self> {
        azurite::secure_url()?;
        let table = azurite::secure_table(&name()).await;
        Some(Self::with_table(world, table).await)
    }

    /// The same with a way to its table that can fail, over http.
    pub async fn with_a_way(world: &World) -> Option<(Self, Way)> {
        let to = azurite::url()?.trim_end_matches("/devstoreaccount1");
        let way = Way {
            to,
            client: outbound::client(None).unwrap(),
            refusal: Arc::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let from = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(forward).with_state(way.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let table = azurite::table(&name()).await.replace(to, &from);
        Some((Self::with_table(world, table).await, way))
    }

    async fn with_table(world: &World, table: String) -> Self {
        for secret in [IDENTITY_HEADER, CLIENT_SECRET] {
            secrets::remember(secret);
        }
        let azure = Azure::start().await;
        let cloud = Self {
            scimsession: azure.secret("scimsession"),
            sweep_key: azure.secret("sweep-key"),
            table,
            roots: azurite::roots().unwrap().to_str().unwrap(),
            azure,
        };
        let file = std::fs::read_to_string(world.dir.path().join("scimsession")).unwrap();
        cloud.write(&cloud.scimsession, &file).await;
        cloud.write(&cloud.sweep_key, &world.sweep_key).await;
        cloud
    }

    /// What an administrator puts into the vault.
    async fn write(&self, secret: &str, text: &str) {
        let token = self.azure.token();
        secrets::remember(&token);
        let body = json!({ "value": text, "contentType": "text/plain" });
        let request = (outbound::client(None).unwrap())
            .put(format!("{secret}?api-version=2025-07-01"))
            .bearer_auth(token)
            .header("content-type", "application/json")
            .body(body.to_string());
        assert_eq!(request.send().await.unwrap().status(), 200);
    }

    /// What the app is told.
    pub fn settings(&self) -> Vec<(&str, &str)> {
        let mut settings = self.places();
        settings.extend(self.azure.managed_identity());
        settings.push(("AZURE_CLIENT_ID", CLIENT_ID));
        settings
    }

    fn places(&self) -> Vec<(&str, &str)> {
        vec![
            ("SCIM_BRIDGE_SCIMSESSION", &self.scimsession),
            ("SCIM_BRIDGE_SWEEP_KEY", &self.sweep_key),
            ("SCIM_BRIDGE_STATE", &self.table),
            ("SCIM_BRIDGE_ROOT_CERTIFICATES", self.roots),
        ]
    }

    /// The command line, as an administrator of this deployment.
    pub async fn run(&self, world: &World, arguments: &[&str]) -> Run {
        let settings = [self.places(), self.azure.service_principal()].concat();
        world.run(arguments, &settings).await
    }
}

fn name() -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    format!("bridge{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// What lies between the app and its table.
#[derive(Clone)]
pub struct Way {
    to: &'static str,
    client: reqwest::Client,
    /// What is answered, and how many times more.
    refusal: Arc<Mutex<Option<(StatusCode, usize)>>>,
}

impl Way {
    /// The next requests are answered so.
    pub fn refuse(&self, status: u16, times: usize) {
        let status = StatusCode::from_u16(status).unwrap();
        *self.refusal.lock().unwrap() = Some((status, times));
    }

    fn refused(&self) -> Option<StatusCode> {
        let mut refusal = self.refusal.lock().unwrap();
        let (status, times) = refusal.as_mut().filter(|(_, times)| *times > 0)?;
        *times -= 1;
        Some(*status)
    }
}

async fn forward(State(way): State<Way>, request: Request) -> Response {
    if let Some(status) = way.refused() {
        return status.into_response();
    }
    let (parts, body) = request.into_parts();
    let mut headers = parts.headers;
    headers.remove(HOST);
    let onward = (way.client)
        .request(parts.method, format!("{}{}", way.to, parts.uri))
        .headers(headers)
        .body(to_bytes(body, usize::MAX).await.unwrap());
    let answer = onward.send().await.unwrap();
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    headers.remove(TRANSFER_ENCODING);
    let body: Bytes = answer.bytes().await.unwrap();
    (status, headers, body).into_response()
}
