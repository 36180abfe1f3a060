//! `scim-bridge dev`: a demo account and a bridge to it, on one machine, with one command.

use std::{collections::HashMap, path::Path};

use zeroize::Zeroizing;

use super::{Failure, Flags, demo, files::Layout, instructions::Instructions, serve};
use crate::config::Config;

/// Runs account server and bridge until the process is told to stop.
pub async fn run(dir: &Path, port: Option<u16>, flags: &Flags) -> Result<(), Failure> {
    let layout = Layout(dir);
    let account = demo::Account::open(&layout, port, false).await?;
    let config = config(&layout, flags)?;
    let listener = serve::listen(&config).await?;
    Instructions {
        bridge: listener.local_addr()?,
        account: account.address,
        dir,
        token: read(&layout.bearer_token())?,
        delay: config.bridge.confirmation.delay.whole_seconds(),
        interval: config.timer().as_secs(),
    }
    .print()?;
    tokio::spawn(account.serve());
    serve::serve(config, listener).await
}

/// The bridge's settings, with the directory's files for what nobody set.
fn config(layout: &Layout<'_>, flags: &Flags) -> Result<Config, Failure> {
    let path = |path: std::path::PathBuf| path.display().to_string();
    let sweep_key = read(&layout.sweep_key())?;
    Ok(flags.config(HashMap::from([
        ("SCIM_BRIDGE_SCIMSESSION", path(layout.scimsession())),
        ("SCIM_BRIDGE_STATE", path(layout.state())),
        ("SCIM_BRIDGE_SWEEP_KEY", sweep_key.to_string()),
    ]))?)
}

fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::failed(format!(
            "{}: {error}; the account was only half made: remove its directory and start again",
            path.display()
        ))
    })?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}
