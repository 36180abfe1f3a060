//! The door on a port of this machine.

use std::{
    convert::Infallible,
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, Request, Version, header::CONNECTION},
    response::Response,
};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tower::{ServiceExt, service_fn};

use super::Service;

/// How long a client may take to send a request's headers. A connection on which nothing comes is
/// closed after the same time: longer than proxies in front keep theirs.
const HEADER_TIME: Duration = Duration::from_secs(75);

/// What is read of headers, in bytes; well above what the door lets pass, so that what is too large
/// gets the door's own answer if it is not very much too large.
const HEADERS_READ: u32 = 64 * 1024;

/// How long nobody is let in after the system could not.
const OUT_OF_MEANS: Duration = Duration::from_secs(1);

/// Answers what comes in here until the process is told to stop, and then what had come by then.
///
/// # Errors
/// If the port is lost.
pub async fn serve(listener: TcpListener, door: Service) -> io::Result<()> {
    let mut server = Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(HEADERS_READ as usize);
    server
        .http2()
        .timer(TokioTimer::new())
        // Whoever is gone does not answer this.
        .keep_alive_interval(HEADER_TIME)
        .max_header_list_size(HEADERS_READ);
    let connections = GracefulShutdown::new();
    let mut stop = pin!(told_to_stop());
    loop {
        let stream = tokio::select! {
            stream = accept(&listener) => stream,
            () = &mut stop => break,
        };
        let spoke = Arc::new(AtomicBool::new(false));
        let (door, asked) = (door.clone(), Arc::clone(&spoke));
        let door = service_fn(move |request| {
            asked.store(true, Ordering::Relaxed);
            answer(door.clone(), request)
        });
        let connection =
            server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(door));
        let connection = connections.watch(connection.into_owned());
        tokio::spawn(async move {
            // Nobody times the first bytes, by which the version of HTTP is known.
            let silent = async {
                tokio::time::sleep(HEADER_TIME).await;
                if spoke.load(Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    tracing::trace!(error, "a connection broke off");
                },
                () = silent => {}
            }
        });
    }
    drop(listener);
    connections.shutdown().await;
    Ok(())
}

/// Answers one request. If its body was not read to the end, the connection is good for no other:
/// the client is told so, or it would send the next one into the void.
async fn answer(door: Service, request: Request<Incoming>) -> Result<Response, Infallible> {
    let one_by_one = request.version() <= Version::HTTP_11;
    let unread = Arc::new(AtomicBool::new(!request.body().is_end_stream()));
    let watched = |body| Watched {
        body,
        unread: Arc::clone(&unread),
    };
    let request = request.map(|body| Body::new(watched(body)));
    let mut response = door.oneshot(request).await?;
    if one_by_one && unread.load(Ordering::Relaxed) {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    Ok(response)
}

/// A body that says whether it was read to its end.
struct Watched {
    body: Incoming,
    unread: Arc<AtomicBool>,
}

impl hyper::body::Body for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.unread.store(false, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The next connection. What is wrong with a single one is passed over; that the system has no
/// means for one, such as file descriptors, may end.
async fn accept(listener: &TcpListener) -> TcpStream {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error)
                if [ConnectionAborted, ConnectionRefused, ConnectionReset]
                    .contains(&error.kind()) => {}
            Err(error) => {
                tracing::error!(%error, "nobody can be let in");
                tokio::time::sleep(OUT_OF_MEANS).await;
            }
        }
    }
}

/// Resolves on Ctrl-C and, where there is one, on SIGTERM.
pub async fn told_to_stop() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                () = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    interrupt.await;
}
