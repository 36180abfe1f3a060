//! A whole company at once.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use scim_bridge::{onepassword::keyset::OpenKeyset, state::StateStore};

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
/// `--release` for figures. The account server is in this process, too, so that memory and
/// processor time are those of both.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn what_ten_thousand_people_take() {
    const PEOPLE: usize = 10_000;
    const GROUPS: usize = 2;
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
    let before = processor_time();
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
    let confirming = processor_time() - before;
    let wrapping = time_of_wraps(PEOPLE * GROUPS);
    println!("{confirming:.1?} of processor time, of which {wrapping:.1?} for the keys");
    let open = place.store.open_confirmations(None, 1).await.unwrap();
    assert!(open.is_empty());
}

/// The most memory that this process has had.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.unwrap().to_owned()
}

/// What it takes to wrap so many keys, and nothing else.
fn time_of_wraps(number: usize) -> Duration {
    let holder = OpenKeyset::generate().unwrap();
    let (public, key) = (holder.public_key(), holder.symmetric_key().clone());
    let before = processor_time();
    for _ in 0..number {
        public.wrap(&key).unwrap();
    }
    processor_time() - before
}

/// The processor time that this process has had.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // Behind the name of the program, which may have blanks in it.
    let (_, stat) = stat.rsplit_once(')').unwrap();
    let ticks = stat.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    // Linux counts in hundredths of a second.
    Duration::from_millis(ticks * 10)
}
