//! The door on a port of this machine.

use std::io;

use axum::{ServiceExt, extract::Request};
use tokio::net::TcpListener;

use super::Service;

/// Answers what comes in here until the process is told to stop, and then what had come by then.
///
/// # Errors
/// If the port is lost.
pub async fn serve(listener: TcpListener, door: Service) -> io::Result<()> {
    axum::serve(listener, ServiceExt::<Request>::into_make_service(door))
        .with_graceful_shutdown(told_to_stop())
        .await
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
