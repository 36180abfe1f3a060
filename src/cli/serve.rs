//! `scim-bridge serve`: the bridge as one process, with a timer for the sweep.

use std::{collections::HashMap, sync::Arc, time::Duration};

use time::OffsetDateTime;
use tokio::net::TcpListener;

use super::{Failure, Flags, client_trusting, environment};
use crate::{
    bridge::Mode,
    config::Config,
    http,
    service::{NoSweep, Service},
};

/// Runs until the process is told to stop.
pub async fn run(flags: &Flags) -> Result<(), Failure> {
    let config = flags.config(HashMap::new())?;
    let listener = listen(&config).await?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    serve(config, listener).await
}

/// Takes the configured port, or says who to ask for another one.
pub async fn listen(config: &Config) -> Result<TcpListener, Failure> {
    let address = config.listen;
    TcpListener::bind(address).await.map_err(|error| {
        Failure::failed(format!(
            "cannot listen on {address}: {error}; choose another port with SCIM_BRIDGE_PORT"
        ))
    })
}

/// Serves on this listener; the timer runs beside it.
pub async fn serve(config: Config, listener: TcpListener) -> Result<(), Failure> {
    if config.bridge.mode == Mode::Observe {
        tracing::warn!(
            "observing only: providers are answered as if, and nothing is changed; scim-bridge \
             preview shows what would have been done"
        );
    }
    let client = client_trusting(config.root_certificates.as_deref())?;
    let store = config.state.open(client.clone(), environment);
    let store =
        store.map_err(|error| Failure::failed(format!("state store {}: {error}", config.state)))?;
    let interval = config.timer();
    let service = Service::new(config.secrets, store, client, config.op, config.bridge);
    let service = Arc::new(service.swept_every(interval));
    let timer = tokio::spawn(sweep_forever(Arc::clone(&service), interval));
    let gate: Arc<dyn http::Gate> = Arc::<Service>::clone(&service);
    let door = http::Options {
        alone: true,
        ..config.door
    };
    let door = http::service(gate, door);
    let served = http::serve(listener, door).await;
    timer.abort();
    service.sign_out().await;
    Ok(served?)
}

async fn sweep_forever(service: Arc<Service>, interval: Duration) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut was_locked, mut held) = (false, 0);
    loop {
        ticks.tick().await;
        match service.sweep(OffsetDateTime::now_utc()).await {
            Ok(sweep) => {
                // Who is held is news once, who waits is none.
                let news = sweep.confirmed + sweep.failed + sweep.deleted > 0
                    || sweep.left
                    || sweep.held != held;
                held = sweep.held;
                match news {
                    true => tracing::info!(?sweep, "swept"),
                    false => tracing::debug!(?sweep, "swept"),
                }
            }
            // Once is enough: it stays so until a provider calls.
            Err(NoSweep::Locked) if was_locked => {}
            Err(error) => {
                was_locked = matches!(error, NoSweep::Locked);
                tracing::warn!(%error, "no sweep");
            }
        }
    }
}
