//! A light HTTP/1.1 client: it shares the processors with what it measures.

use std::{net::SocketAddr, time::Duration};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Whoever has not answered after this time does not count on it any more.
const PATIENCE: Duration = Duration::from_secs(60);

/// One request.
pub struct Call {
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// JSON.
    pub body: Option<String>,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

type Error = Box<dyn std::error::Error + Send + Sync>;

/// One connection with a bearer token, kept open for as long as the server keeps it.
pub struct Connection {
    address: SocketAddr,
    authorization: String,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    pub fn new(address: SocketAddr, token: &str) -> Self {
        Self {
            address,
            authorization: format!("Bearer {token}"),
            open: None,
        }
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(&mut self, call: &Call) -> Result<Answer, Error> {
        let sent = tokio::time::timeout(PATIENCE, self.send_now(call)).await;
        let answer = sent.unwrap_or_else(|elapsed| Err(elapsed.into()));
        if answer.is_err() {
            self.open = None;
        }
        answer
    }

    async fn send_now(&mut self, call: &Call) -> Result<Answer, Error> {
        let mut request = Request::builder()
            .method(&call.method)
            .uri(&call.path)
            .header(HOST, self.address.to_string())
            .header(AUTHORIZATION, &self.authorization);
        if call.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/scim+json");
        }
        let body = call.body.clone().unwrap_or_default();
        let request = request.body(Full::from(body))?;
        let answer = self.sender().await?.send_request(request).await?;
        let (head, body) = answer.into_parts();
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.collect().await?.to_bytes(),
        })
    }

    /// The open connection, or a new one where the server has closed it.
    async fn sender(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, Error> {
        let alive = match &mut self.open {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        };
        if !alive {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            self.open = Some(sender);
        }
        Ok(self.open.as_mut().expect("it was just opened"))
    }
}
