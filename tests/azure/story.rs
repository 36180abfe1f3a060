//! A person's whole life with the bridge, through the host.

use crate::{app::App, cloud::Cloud, functions, support::World};

#[tokio::test]
async fn from_the_invitation_to_the_end() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let settings = [("SCIM_BRIDGE_DEPROVISION", "delete-after-0d")];
    let app = App::start(&world, &cloud, &settings).await;
    functions::a_life(&world, &app, &App::tenant(), async || app.swept().await).await;
}
