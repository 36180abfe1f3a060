//! A whole company at once.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use scim_bridge::state::StateStore;

use crate::{
    support::{Place, at, delay},
    tap::{Cut, Tap},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_whose_time_is_up_leaves_the_rest_to_the_next() {
    let place = Place::new().await;
    let group = place.group("Finance").await;
    // The longest waiting cannot be confirmed, and must not stand in the way.
    let stranger = place.invited("stranger", &[]).await;
    let mut people = Vec::new();
    for number in 0..7 {
        people.push(place.waiting(&format!("p{number}"), &[&group]).await);
    }
    let mut settings = delay(0);
    settings.confirmation.batch = 2;
    settings.confirmation.concurrency = 1;
    settings.confirmation.budget = time::Duration::seconds(1);
    // Two calls a person take longer than there is time.
    let slow = Tap::new(Cut::Never, Duration::from_millis(100));
    let bridge = place.tapped(settings, &slow, &Tap::counting());
    let mut sweeps = 0;
    let mut confirmed = 0;
    loop {
        // Whom the end of a sweep cut off is free again after a minute.
        let sweep = bridge.sweep(at(100 * sweeps)).await.unwrap();
        confirmed += sweep.confirmed;
        sweeps += 1;
        if !sweep.left {
            break;
        }
        assert!(sweeps < 100, "no end");
    }
    assert!(sweeps > 1);
    assert!(confirmed <= people.len());
    for somebody in &people {
        assert_eq!(place.confirmed(somebody), 1);
    }
    assert_eq!(place.confirmed(&stranger), 0);
    assert_eq!(place.opens(&people[6]).await, ["Team Members", "Finance"]);
}

/// Prints what a company-wide roll-out takes; run it with `--ignored --nocapture`, and with
/// `--release` for figures. The account server is in this process, too, so that the memory is that
/// of both.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn what_ten_thousand_people_take() {
    const PEOPLE: usize = 10_000;
    let place = Place::new().await;
    let group = place.group("Everybody at work").await;
    let begun = Instant::now();
    let mut made = stream::iter(0..PEOPLE)
        .map(async |number| {
            place
                .waiting_with_first_keys(&format!("p{number}"), &group)
                .await
        })
        .buffer_unordered(8);
    while made.next().await.is_some() {}
    drop(made);
    println!("{PEOPLE} people wait after {:.0?}", begun.elapsed());

    // Short runs, to see that memory does not grow from one to the next.
    let mut settings = delay(300);
    settings.confirmation.budget = time::Duration::seconds(5);
    let bridge = place.bridge(settings);
    // The highest mark of the memory begins anew.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    println!("before: {}", peak_memory());
    let mut confirmed = 0;
    for number in 0.. {
        let begun = Instant::now();
        let sweep = bridge.sweep(at(400 * number)).await.unwrap();
        confirmed += sweep.confirmed;
        println!("{:.1?} {sweep:?} {}", begun.elapsed(), peak_memory());
        if !sweep.left && sweep.waiting == 0 {
            break;
        }
    }
    assert_eq!(confirmed, PEOPLE);
    let open = place.store.open_confirmations(None, 1).await.unwrap();
    assert!(open.is_empty());
}

/// The most memory that this process has had.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.unwrap().to_owned()
}
