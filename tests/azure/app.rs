//! The app as its callers see it, under a host of its own.

use reqwest::{
    Body, Method,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use serde_json::Value;

use crate::{
    cloud::Cloud,
    front::PUBLIC,
    functions::object,
    handover::{self, Mode},
    host::{Host, Outcome},
    secrets,
    support::{Answer, Call, Provider, World, until},
};

pub struct App {
    pub host: Host,
    pub token: String,
    client: reqwest::Client,
}

impl App {
    pub async fn start(world: &World, cloud: &Cloud, settings: &[(&str, &str)]) -> Self {
        Self::in_mode(None, world, cloud, settings).await
    }

    /// Under a host that hands requests on as wanted, whatever `host.json` says.
    pub async fn in_mode(
        mode: Option<Mode>,
        world: &World,
        cloud: &Cloud,
        settings: &[(&str, &str)],
    ) -> Self {
        let common = [
            ("SCIM_BRIDGE_LOG", "trace"),
            ("SCIM_BRIDGE_CREDENTIALS_REFRESH", "1"),
            ("SCIM_BRIDGE_CONFIRMATION_DELAY", "1"),
        ];
        let settings = [&common, &*cloud.settings(), settings].concat();
        Self {
            host: Host::start(mode, &settings).await,
            token: world.token.clone(),
            client: world.client.clone(),
        }
    }

    /// Where a provider sends its requests.
    pub fn tenant() -> String {
        format!("https://{PUBLIC}/scim/v2")
    }

    /// Where the front end listens for a path below `/scim/v2`, or for one that begins with `//`.
    fn url(&self, path: &str) -> String {
        match path.strip_prefix('/') {
            Some(whole) if whole.starts_with('/') => format!("http://{}{whole}", self.host.address),
            _ => format!("http://{}/scim/v2{path}", self.host.address),
        }
    }

    /// A POST with a body that does not say how long it is.
    pub async fn post_in_chunks(&self, path: &str, body: &Value) -> Answer {
        let body = handover::in_chunks(body.to_string().into());
        self.post_as_it_is(path, body, &[]).await
    }

    pub async fn post_packed(&self, path: &str, body: Vec<u8>) -> Answer {
        let headers = [("content-encoding", "gzip")];
        self.post_as_it_is(path, body.into(), &headers).await
    }

    async fn post_as_it_is(&self, path: &str, body: Body, headers: &[(&str, &str)]) -> Answer {
        let mut request = (self.client.request(Method::POST, self.url(path)))
            .header(HOST, PUBLIC)
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(CONTENT_TYPE, "application/scim+json")
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::read(request.send().await.unwrap()).await
    }

    pub async fn tick(&self) -> Outcome {
        self.host.fire("confirm").await
    }

    /// The summary of a sweep that got through.
    pub async fn swept(&self) -> Value {
        match self.tick().await {
            Outcome::Succeeded { logs, value } => {
                assert_eq!(logs, [value.to_string()]);
                value
            }
            other => panic!("{other:?}: {}", self.log()),
        }
    }

    /// Everything that the handler wrote by now.
    pub fn log(&self) -> String {
        let lines = self.host.lines().into_iter();
        lines.map(|line| line.text + "\n").collect()
    }

    /// The lines of the log, each an object.
    pub fn objects(&self) -> Vec<Value> {
        let lines = self.host.lines();
        lines.iter().map(|line| object(&line.text)).collect()
    }

    /// The first line like this, as soon as it is there.
    pub async fn line(&self, like: impl Fn(&Value) -> bool) -> Value {
        until(async || self.objects().into_iter().find(|line| like(line))).await
    }
}

impl Provider for App {
    fn token(&self) -> &str {
        &self.token
    }

    async fn send(&self, call: Call<'_>) -> Answer {
        let url = self.url(call.path);
        let headers = [&[("host", PUBLIC)], call.headers].concat();
        let call = Call {
            headers: &headers,
            ..call
        };
        call.at(&self.client, url).await
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.objects();
        }
        secrets::assert_none_in("a handler's log", &self.log());
        // What the stand-ins answer with: tokens, and texts that may repeat what was sent.
        assert!(!self.log().contains("HUSHHUSH"), "{}", self.log());
    }
}
