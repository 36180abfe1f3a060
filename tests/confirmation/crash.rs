//! A sweep that is killed at each of its calls, before the call has an effect and after; and one
//! that is slow there, so that the world goes on without it.

use std::time::Duration;

use scim_bridge::{
    account::Account,
    state::{AuditOutcome, ConfirmationStatus, HoldReason, StateStore},
};

use crate::{
    support::{Place, START, at, delay},
    tap::{Cut, Tap},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_killed_before_any_call_leaves_everybody_in_once_or_waiting() {
    killed_at_every_call(Cut::Before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_killed_after_any_call_leaves_everybody_in_once_or_waiting() {
    killed_at_every_call(Cut::After).await;
}

async fn killed_at_every_call(cut: fn(usize) -> Cut) {
    let place = Place::new().await;
    let (kept, lost) = (place.group("Kept").await, place.group("Lost").await);
    for number in 1.. {
        let tap = Tap::new(cut(number), Duration::ZERO);
        let bridge = place.tapped(delay(300), &tap, &tap);
        let ann = place
            .waiting(&format!("ann{number}"), &[&kept, &lost])
            .await;
        // Each round has a day of its own.
        let day = 86_400 * i64::try_from(number).unwrap();
        let mut killed = false;
        for seconds in [0, 299, 400, 500, 800, 900] {
            if seconds == 299 {
                // Out of one group while there is no key to wrap for it yet.
                let out = std::slice::from_ref(&ann.id);
                place.account.revoke(&lost, out).await.unwrap();
            }
            tokio::select! {
                swept = bridge.sweep(at(day + seconds)) => drop(swept.unwrap()),
                () = tap.reached() => killed = true,
            }
            if seconds <= 299 {
                assert_eq!(place.confirmed(&ann), 0, "call {number}, {seconds} s");
            }
        }
        assert_eq!(place.confirmed(&ann), 1, "call {number}");
        assert_eq!(place.opens(&ann).await, ["Team Members", "Kept"]);
        let open = place.store.open_confirmations(None, 1).await.unwrap();
        assert!(open.is_empty(), "call {number}: {open:?}");
        if !killed {
            assert!(number > 15, "a sweep has more calls than {number}");
            return;
        }
    }
}

/// The calls of a sweep that meets one person for the first time, without a delay, on account and
/// store together: list, records, people, first record, lease, member, person, confirmation.
const SECOND_LOOK: usize = 6;
const CONFIRMATION: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn who_is_suspended_under_a_lease_stays_out_until_reactivated() {
    let place = Place::new().await;
    for number in SECOND_LOOK..=CONFIRMATION {
        let tap = Tap::new(Cut::Before(number), Duration::ZERO);
        let bridge = place.tapped(delay(0), &tap, &tap);
        let ann = place.waiting(&format!("ann{number}"), &[]).await;
        let slow = tokio::spawn({
            let bridge = bridge.clone();
            async move { bridge.sweep(START).await.unwrap() }
        });
        tap.reached().await;
        place.account.suspend(&ann.id).await.unwrap();
        tap.let_go();
        slow.await.unwrap();
        assert_eq!(bridge.sweep(at(999)).await.unwrap().held, 1);
        assert_eq!(place.confirmed(&ann), 0, "call {number}");
        let status = place.record(&ann).await.unwrap().status;
        let ConfirmationStatus::Held { reason, .. } = status else {
            panic!("{status:?}");
        };
        assert_eq!(reason, HoldReason::Suspended);
        place.account.reactivate(&ann.id).await.unwrap();
        assert_eq!(bridge.sweep(at(999)).await.unwrap().confirmed, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_outlives_its_lease_changes_nothing_any_more() {
    let place = Place::new().await;
    let ann = place.waiting("ann", &[]).await;
    let tap = Tap::new(Cut::Before(CONFIRMATION), Duration::ZERO);
    let bridge = place.tapped(delay(0), &tap, &tap);
    let slow = tokio::spawn({
        let bridge = bridge.clone();
        async move { bridge.sweep(START).await.unwrap() }
    });
    tap.reached().await;
    // Within the lease nobody else is at it; then somebody is.
    assert_eq!(bridge.sweep(at(1)).await.unwrap().waiting, 1);
    assert_eq!(bridge.sweep(at(61)).await.unwrap().confirmed, 1);
    let over = place.record(&ann).await;
    tap.let_go();
    assert_eq!(slow.await.unwrap().confirmed, 0);
    assert_eq!(place.record(&ann).await, over);
    assert_eq!(place.confirmed(&ann), 1);
    let audit = place.audit(&ann).await;
    assert!(
        matches!(&audit[..], [(_, AuditOutcome::Done, _)]),
        "{audit:?}"
    );
}
