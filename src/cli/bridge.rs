//! The bridge at an administrator's hand: what the commands about people, groups and guards work
//! through. They obey the same rules as a running bridge, share its state, and leave their lines in
//! the same audit.

use std::{path::PathBuf, sync::Arc};

use super::{
    Failure, Status, client, environment,
    kept::{Kept, Place},
};
use crate::{
    account::native::NativeAccount,
    bridge::{Bridge, Mode},
    config::Config,
    state::sqlite::SqliteStore,
};

/// Who the audit says it was.
const ACTOR: &str = "administrator";

/// A bridge with the settings, the state and the credentials of the one that runs. Whoever uses it
/// has shown a secret that opens the scimsession. It asks the account only when it needs to.
pub async fn open(place: &Place) -> Result<Bridge, Failure> {
    let mut settings = Config::read(environment)?.bridge;
    // Who observes is the running bridge; an administrator means what they say.
    settings.mode = Mode::Act;
    let store = store()?;
    let kept = Kept::read(place).await?;
    let opener = kept.opener().await?;
    let account = NativeAccount::new(kept.credentials(&*opener)?, client()?);
    Ok(Bridge::new(Arc::new(account), Arc::new(store), settings).on_behalf_of(ACTOR))
}

/// The state store that the bridge uses; it has to exist.
fn store() -> Result<SqliteStore, Failure> {
    let path = environment("SCIM_BRIDGE_STATE").map_or(".local/state.db".into(), PathBuf::from);
    if !path.is_file() {
        return Err(Failure {
            status: Status::Missing,
            reason: format!(
                "there is no state store {}: set SCIM_BRIDGE_STATE to the file that the bridge uses",
                path.display()
            ),
        });
    }
    SqliteStore::open(&path)
        .map_err(|error| Failure::failed(format!("state store {}: {error}", path.display())))
}
