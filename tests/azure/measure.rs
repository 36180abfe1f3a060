//! What a cold start takes.

use std::time::Instant;

use reqwest::Method;

use crate::{
    app::App,
    cloud::Cloud,
    support::{Call, Provider, World},
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
    for path in [
        "//ping",
        "/Users?filter=userName%20eq%20%22a%40example.com%22",
    ] {
        let mut runs = Vec::new();
        for _ in 0..20 {
            let begun = Instant::now();
            let app = App::start(&world, &cloud, &settings).await;
            let call = Call {
                method: Method::GET,
                path,
                token: Some(&app.token),
                headers: &[("accept-encoding", "gzip")],
                body: None,
            };
            assert_eq!(app.send(call).await.status, 200);
            runs.push((begun.elapsed(), app.host.peak_memory().await));
        }
        runs.sort();
        let (time, memory) = &runs[runs.len() / 2];
        println!("{path}: {time:.1?}, {memory}");
    }
}
