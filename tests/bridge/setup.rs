//! `scim-bridge setup` against an account that has nobody but its owner.

use std::path::PathBuf;

use scim_bridge::{onepassword::secret_text::SecretText, sandbox::person};
use serde_json::Value;

use super::{
    secrets,
    support::{Provider, Run, World, until},
};

impl World {
    fn set_up_dir(&self) -> PathBuf {
        self.dir.path().join("made")
    }

    /// Runs the set-up as the owner, into a directory of its own.
    async fn set_up(&self, arguments: &[&str], settings: &[(&str, &str)]) -> Run {
        let dir = self.set_up_dir();
        let origin = self.origin();
        let mut all = vec!["setup", "--json"];
        let dir = dir.to_str().unwrap();
        for default in [
            ["--dir", dir],
            ["--address", &origin],
            ["--email", &self.owner.email],
        ] {
            if !arguments.contains(&default[0]) {
                all.extend(default);
            }
        }
        all.extend(arguments);
        let known = [
            ("SCIM_BRIDGE_ADMIN_SECRET_KEY", &*self.owner.secret_key),
            ("SCIM_BRIDGE_ADMIN_PASSWORD", &*self.owner.password),
            ("SCIM_BRIDGE_SWEEP_KEY", ""),
        ];
        self.run(&all, &[&known, settings].concat()).await
    }

    /// What a finished set-up printed.
    async fn made(&self, arguments: &[&str]) -> Value {
        let made = self.set_up(arguments, &[]).await.json();
        secrets::remember(made["token"].as_str().unwrap());
        assert!(!self.set_up_dir().join("setup-unfinished").exists());
        made
    }

    /// A bridge with what the set-up made.
    async fn bridge_of(&self, made: &Value) -> super::support::Bridge {
        let mut settings = vec![(
            "SCIM_BRIDGE_SCIMSESSION",
            made["scimsession"].as_str().unwrap(),
        )];
        settings.push((
            "SCIM_BRIDGE_SWEEP_KEY",
            made["sweepKey"].as_str().unwrap_or(""),
        ));
        let mut bridge = self.bridge(&settings).await;
        bridge.token = made["token"].as_str().unwrap().to_owned();
        bridge
    }
}

#[tokio::test]
async fn what_it_makes_is_all_that_a_bridge_needs() {
    let world = World::with_owner_only().await;
    let made = world.made(&["--label", "okta"]).await;
    let bridge = world.bridge_of(&made).await;
    let ann = bridge.invite("ann@example.com").await;
    let group = serde_json::json!({ "schemas": [super::support::GROUP], "displayName": "Finance",
        "members": [{ "value": ann }] });
    bridge.post("/Groups", group).await.created();
    let kit = world.sign_up("ann@example.com").await;
    world.until_opened(&kit, "Finance").await;
    // Once more: it is done, nothing is made, and no token is shown.
    let events = world.sandbox.events().unwrap().len();
    let again = world.set_up(&[], &[]).await.json();
    assert_eq!(again["token"], Value::Null);
    assert_eq!(again["manager"], made["manager"]);
    assert_eq!(world.sandbox.events().unwrap().len(), events);
    #[cfg(unix)]
    for file in ["scimsession", "sweepKey"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(made[file].as_str().unwrap())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn half_done_it_is_finished_by_the_next_run() {
    // What the account does and the command line never hears of, in turn.
    for lost in [
        "/groups",
        "/members",
        "/confirmation",
        "/by-ids",
        "/auth/complete",
    ] {
        let world = World::with_owner_only().await;
        world.lose_answers_to(lost);
        let stopped = world.set_up(&[], &[]).await;
        assert_eq!(stopped.status, 5, "{lost}: {}", stopped.stderr);
        world.lose_nothing();
        let made = world.made(&[]).await;
        let bridge = world.bridge_of(&made).await;
        bridge.invite("ann@example.com").await;
        // One manager, whatever happened on the way.
        assert_eq!(made["otherManagers"], serde_json::json!([]), "{lost}");
    }
}

#[tokio::test]
async fn replaced_a_manager_leaves_its_groups_to_the_new_one() {
    let world = World::with_owner_only().await;
    let old = world.made(&[]).await;
    let bridge = world.bridge_of(&old).await;
    let group = serde_json::json!({ "schemas": [super::support::GROUP], "displayName": "Finance" });
    let finance = bridge.post("/Groups", group).await.created();
    let ann = bridge.invite("ann@example.com").await;
    let kit = world.sign_up("ann@example.com").await;
    until(async || (world.count("confirmed").await == 2).then_some(())).await;

    let new = world.made(&["--replace"]).await;
    assert_ne!(new["manager"], old["manager"]);
    assert_eq!(new["otherManagers"], serde_json::json!([old["manager"]]));
    // The old bridge goes on until the old manager is removed, and what it makes is not lost.
    let late = serde_json::json!({ "schemas": [super::support::GROUP], "displayName": "Late" });
    let late = bridge.post("/Groups", late).await.created();
    let remove = ["--remove", old["manager"].as_str().unwrap()];
    world.set_up(&remove, &[]).await.done();
    assert_eq!(world.set_up(&remove, &[]).await.status, 4);
    let answer = until(async || {
        let answer = bridge.get("/Users?count=0").await;
        (answer.status == 503).then_some(answer)
    });
    assert!(
        answer
            .await
            .error(503, None)
            .contains("refuses the bridge's credentials")
    );
    let bridge = world.bridge_of(&new).await;
    let add = serde_json::json!([{ "op": "add", "path": "members", "value": [{ "value": ann }] }]);
    for (group, name) in [(finance, "Finance"), (late, "Late")] {
        let path = format!("/Groups/{group}");
        bridge.patch(&path, add.clone()).await.done();
        world.until_opened(&kit, name).await;
    }
}

#[tokio::test]
async fn a_manager_whose_password_changed_needs_new_credentials() {
    let world = World::new().await;
    let dir = world.set_up_dir();
    std::fs::create_dir(&dir).unwrap();
    std::fs::copy(
        world.dir.path().join("scimsession"),
        dir.join("scimsession"),
    )
    .unwrap();
    std::fs::write(dir.join("sweep-key"), &world.sweep_key).unwrap();
    let password = SecretText::new("another horse, another battery".to_owned());
    person::change_password(&world.client, &world.origin(), world.manager(), password)
        .await
        .unwrap();
    let told = world.set_up(&[], &[]).await;
    assert_eq!(told.status, 3, "{}", told.stderr);
    assert!(told.stderr.contains("setup --replace"), "{}", told.stderr);
    let made = world.made(&["--replace"]).await;
    world
        .bridge_of(&made)
        .await
        .get("/Users?count=0")
        .await
        .ok();
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_anything_is_made() {
    let world = World::with_owner_only().await;
    let made = world.made(&[]).await;
    let before = std::fs::read_to_string(made["scimsession"].as_str().unwrap()).unwrap();
    let manager = made["manager"].as_str().unwrap();
    for (arguments, status, says) in [
        (
            &["--replace", "nobody@example.com"][..],
            4,
            "nobody@example.com",
        ),
        (&["--remove", "nobody@example.com"], 4, "nobody@example.com"),
        (&["--remove", manager], 2, "replace it first"),
        (&["--replace", "owner@example.com"], 1, "owner@example.com"),
    ] {
        let run = world.set_up(arguments, &[]).await;
        assert_eq!(run.status, status, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(says), "{arguments:?}: {}", run.stderr);
    }
    let after = std::fs::read_to_string(made["scimsession"].as_str().unwrap()).unwrap();
    assert_eq!(after, before);
    assert!(!world.set_up_dir().join("setup-unfinished").exists());
    // Another account in the same directory.
    let other = World::with_owner_only().await;
    let dir = world.set_up_dir();
    for more in [&[][..], &["--replace", manager]] {
        let run = other
            .set_up(&[&["--dir", dir.to_str().unwrap()], more].concat(), &[])
            .await;
        assert_eq!(run.status, 1, "{}", run.stderr);
        assert!(run.stderr.contains("another --dir"), "{}", run.stderr);
    }
}

/// Whatever a run that was killed left in its directory, the next one makes one manager of it.
#[tokio::test]
async fn leftovers_of_a_run_are_cleaned_up() {
    let world = World::with_owner_only().await;
    let unfinished = world.set_up_dir().join("setup-unfinished");
    // Killed before it had noted anything, or while it was removing what it needs no more.
    std::fs::create_dir_all(&unfinished).unwrap();
    std::fs::write(unfinished.join("sweep-key"), "half").unwrap();
    let made = world.made(&[]).await;
    std::fs::create_dir_all(&unfinished).unwrap();
    std::fs::write(unfinished.join("scimsession"), "{").unwrap();
    let again = world.set_up(&[], &[]).await.json();
    assert_eq!(again["manager"], made["manager"]);
    assert!(!unfinished.exists());
}

#[tokio::test]
async fn a_token_that_nobody_saw_is_made_anew() {
    let world = World::with_owner_only().await;
    // The account does its part, and the new manager cannot sign in just yet.
    world.lose_answers_to("/auth/complete");
    assert_eq!(world.set_up(&["--strict"], &[]).await.status, 5);
    world.lose_nothing();
    let made = world.made(&["--strict"]).await;
    world
        .bridge_of(&made)
        .await
        .get("/Users?count=0")
        .await
        .ok();
}

#[tokio::test]
async fn strict_mode_leaves_no_sweep_key() {
    let world = World::with_owner_only().await;
    let made = world.made(&["--strict"]).await;
    assert_eq!(made["sweepKey"], Value::Null);
    assert!(!world.set_up_dir().join("sweep-key").exists());
    world
        .bridge_of(&made)
        .await
        .get("/Users?count=0")
        .await
        .ok();
}

#[tokio::test]
async fn who_may_not_set_up_is_told_why() {
    let world = World::new().await;
    let secret = |value| ("SCIM_BRIDGE_ADMIN_SECRET_KEY", value);
    let wrong_key = secret("A3-AAAAAA-AAAAAA-AAAAA-AAAAA-AAAAA-AAAAA");
    for (arguments, settings, status, says) in [
        (
            &[][..],
            &[("SCIM_BRIDGE_ADMIN_PASSWORD", "wrong")][..],
            3,
            "password",
        ),
        (&[], &[wrong_key], 3, "refuses the sign-in"),
        (&[], &[secret("A3-1")], 3, "Emergency Kit"),
        (
            &[],
            &[("SCIM_BRIDGE_ADMIN_PASSWORD", "")],
            2,
            "SCIM_BRIDGE_ADMIN_PASSWORD",
        ),
        (&["--address", "http://127.0.0.1:1"], &[], 5, "network"),
        (
            &["--manager-email", "owner@example.com"],
            &[],
            1,
            "nobody has",
        ),
    ] {
        let run = world.set_up(arguments, settings).await;
        assert_eq!(run.status, status, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(says), "{arguments:?}: {}", run.stderr);
    }
    let manager = world.manager();
    let as_manager = world
        .set_up(
            &["--email", &manager.email],
            &[
                ("SCIM_BRIDGE_ADMIN_SECRET_KEY", &*manager.secret_key),
                ("SCIM_BRIDGE_ADMIN_PASSWORD", &*manager.password),
            ],
        )
        .await;
    assert_eq!(as_manager.status, 3);
    assert!(
        as_manager.stderr.contains("sign in as an owner"),
        "{}",
        as_manager.stderr
    );
}
