//! What a cold start takes.

use std::time::{Duration, Instant};

use reqwest::Method;

use crate::{
    cloud::Cloud,
    function::{Function, Handler},
    support::{Call, World},
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
    for path in [
        "//ping",
        "/Users?filter=userName%20eq%20%22a%40example.com%22",
    ] {
        let mut runs = Vec::new();
        for _ in 0..20 {
            let begun = Instant::now();
            let scim = Function::start(&world, &cloud, Handler::Scim, &settings).await;
            let call = Call {
                method: Method::GET,
                path,
                token: Some(&scim.token),
                headers: &[("accept-encoding", "gzip")],
                body: None,
            };
            let event = scim.front.event(&call);
            let _ = scim.invoke(event, Duration::from_secs(29)).await;
            runs.push((begun.elapsed(), scim.peak_memory()));
        }
        runs.sort();
        let (time, memory) = &runs[runs.len() / 2];
        println!("{path}: {time:.1?}, {memory}");
    }
}
