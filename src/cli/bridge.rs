//! The bridge at an administrator's hand: what the commands about people, groups and guards work
//! through. They obey the same rules as a running bridge, share its state, and leave their lines in
//! the same audit.

use super::{
    Failure, Status, client, environment,
    kept::{Kept, Place},
};
use crate::{
    bridge::{Bridge, Mode},
    config::Config,
    service, state,
};

/// Who the audit says it was.
pub(super) const ACTOR: &str = "administrator";

/// A bridge with the settings, the state and the credentials of the one that runs. Whoever uses it
/// has shown a secret that opens the scimsession. It asks the account only when it needs to.
pub async fn open(place: &Place) -> Result<Bridge, Failure> {
    let mut config = Config::read(environment)?;
    // Who observes is the running bridge; an administrator means what they say.
    config.bridge.mode = Mode::Act;
    if let state::Place::File(path) = &config.state
        && !path.is_file()
    {
        return Err(Failure {
            status: Status::Missing,
            reason: format!(
                "there is no state store {}: set SCIM_BRIDGE_STATE to what the bridge uses",
                config.state
            ),
        });
    }
    let client = client()?;
    let store = config.state.open(client.clone(), environment);
    let store =
        store.map_err(|error| Failure::failed(format!("state store {}: {error}", config.state)))?;
    let kept = Kept::read(place).await?;
    let opener = kept.opener().await?;
    let account = service::account(kept.credentials(&*opener)?, client, &config.op, None);
    Ok(Bridge::new(account, store, config.bridge).on_behalf_of(ACTOR))
}
