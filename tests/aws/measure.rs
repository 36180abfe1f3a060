//! What a cold start takes.

use std::time::Duration;

use crate::{
    cloud::Cloud,
    function::{Function, Handler},
    functions::cold_starts,
    support::World,
};

/// Prints the time from the start of the process to the answer to its first event, and the memory it
/// took by then. For figures, give `BOOTSTRAP` the path of a release build, and run it with
/// `--ignored --nocapture`. The secrets come from a Python program, and the account server is this
/// process: what is left is not what AWS would show, but can be compared.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn what_a_cold_start_takes() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let settings = [("SCIM_BRIDGE_LOG", "info")];
    cold_starts(&world, async |call| {
        let scim = Function::start(&world, &cloud, Handler::Scim, &settings).await;
        let event = scim.front.event(&call);
        let _ = scim.invoke(event, Duration::from_secs(29)).await;
        scim.peak_memory()
    })
    .await;
}
