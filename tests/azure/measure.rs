//! What a cold start takes.

use crate::{
    app::App,
    cloud::Cloud,
    functions::cold_starts,
    support::{Provider, World},
};

/// Prints the time from the start of the process to its first answer through the host, which asks
/// every 25 ms whether it is there, and the memory it took by then. For figures, give `HANDLER` the
/// path of a release build, and run it with `--ignored --nocapture`. The host, the vault and the
/// account server are this process: what is left is not what Azure would show, but can be compared.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn what_a_cold_start_takes() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let settings = [("SCIM_BRIDGE_LOG", "info")];
    cold_starts(&world, async |call| {
        let app = App::start(&world, &cloud, &settings).await;
        assert_eq!(app.send(call).await.status, 200);
        app.host.peak_memory().await
    })
    .await;
}
