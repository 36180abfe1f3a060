//! What sweeps cost, whom they let in, and whom not.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use scim_bridge::{
    account::Account,
    bridge::{Bridge, NotDecided, Sweep},
    state::{
        AuditOutcome, ConfirmationStatus, HoldReason, Person, Removal, StateStore,
        sqlite::SqliteStore,
    },
};

use crate::{
    support::{Place, START, at, delay, person},
    tap::{Cut, Tap},
};

#[tokio::test(flavor = "multi_thread")]
async fn many_sweeps_at_once_confirm_everybody_once() {
    let place = Place::new().await;
    let group = place.group("Finance").await;
    let mut people = Vec::new();
    for number in 0..20 {
        people.push(place.waiting(&format!("p{number}"), &[&group]).await);
    }
    let store = SqliteStore::open(&place.dir.path().join("state.db")).unwrap();
    let other = Bridge::new(
        Arc::new(place.another_account()),
        Arc::new(store),
        delay(300),
    );
    let bridges = [place.bridge(delay(300)), other];
    let sweep = async |seconds| {
        let sweeps = (0..8).map(|number| {
            let bridge = bridges[number % 2].clone();
            tokio::spawn(async move { bridge.sweep(at(seconds)).await.unwrap() })
        });
        let sweeps = join_all(sweeps).await;
        let confirmed = sweeps.into_iter().map(|sweep| sweep.unwrap().confirmed);
        confirmed.sum::<usize>()
    };
    assert_eq!(sweep(0).await, 0);
    assert_eq!(sweep(400).await, people.len());
    for somebody in &people {
        assert_eq!(place.confirmed(somebody), 1);
        let done = place.audit(somebody).await;
        assert_eq!(done.len(), 1, "{done:?}");
        assert_eq!(done[0].1, AuditOutcome::Done);
    }
    assert_eq!(place.opens(&people[19]).await, ["Team Members", "Finance"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_sweep_costs_one_request_to_each_side() {
    let place = Place::new().await;
    place.account.identity().await.unwrap();
    let (account, store) = (Tap::counting(), Tap::counting());
    let bridge = place.tapped(delay(300), &account, &store);
    let before = place.requests();
    assert_eq!(bridge.sweep(START).await.unwrap(), Sweep::default());
    assert_eq!((account.calls(), store.calls()), (1, 1));
    assert_eq!(place.requests() - before, 1);
    // Those who are in cost nothing any more.
    place.waiting("ann", &[]).await;
    for seconds in [0, 400] {
        bridge.sweep(at(seconds)).await.unwrap();
    }
    let calls = (account.calls(), store.calls());
    bridge.sweep(at(401)).await.unwrap();
    assert_eq!((account.calls(), store.calls()), (calls.0 + 1, calls.1 + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_cost_a_sweep_so_many_requests_a_page() {
    let place = Place::new().await;
    for number in 0..5 {
        place.waiting(&format!("p{number}"), &[]).await;
    }
    let mut settings = delay(300);
    settings.confirmation.batch = 2;
    let (account, store) = (Tap::counting(), Tap::counting());
    let bridge = place.tapped(settings, &account, &store);
    bridge.sweep(START).await.unwrap();
    let calls = (account.calls(), store.calls());
    assert_eq!(bridge.sweep(at(1)).await.unwrap().waiting, 5);
    // Three pages of the account's list and of the open records: a look at each person in each.
    assert_eq!((account.calls(), store.calls()), (calls.0 + 6, calls.1 + 9));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_persons_trouble_is_theirs_alone_and_shows() {
    let place = Place::new().await;
    let (vault, finance) = (place.group("Vault").await, place.group("Finance").await);
    let ann = place.waiting("ann", &[&vault, &finance]).await;
    let bob = place.waiting("bob", &[&finance]).await;
    // Somebody else makes the group their own.
    let manager = place.account.identity().await.unwrap().member;
    let db = rusqlite::Connection::open(place.dir.path().join("account.db")).unwrap();
    let taken = db.execute(
        "DELETE FROM wrapped_keys WHERE holder = ?1
         AND grp = (SELECT seq FROM groups WHERE uuid = ?2)",
        [manager.as_str(), vault.as_str()],
    );
    assert_eq!(taken, Ok(1));

    let bridge = place.bridge(delay(0));
    let sweep = bridge.sweep(START).await.unwrap();
    assert_eq!((sweep.confirmed, sweep.failed), (1, 1));
    assert_eq!((place.confirmed(&ann), place.confirmed(&bob)), (0, 1));
    let listed = bridge.confirmations(None, 10).await.unwrap();
    assert_eq!(listed[0].record.email, "ann@example.com");
    let ConfirmationStatus::Waiting {
        failures: 1,
        last_error: Some(why),
        ..
    } = &listed[0].record.status
    else {
        panic!("{listed:?}");
    };
    assert!(why.contains("does not hold the key of the group"), "{why}");
    let pause = listed[0].due.unwrap() - START;
    assert!(pause.whole_seconds() >= 30, "{pause}");
    // No try within the pause, one after it.
    assert_eq!(bridge.sweep(at(10)).await.unwrap().waiting, 1);
    assert_eq!(bridge.sweep(at(100)).await.unwrap().failed, 1);

    let out = std::slice::from_ref(&ann.id);
    place.account.revoke(&vault, out).await.unwrap();
    assert_eq!(bridge.sweep(at(1000)).await.unwrap().confirmed, 1);
    assert_eq!(place.opens(&ann).await, ["Team Members", "Finance"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_provider_does_not_want_is_held_until_released_or_wanted() {
    let place = Place::new().await;
    let ann = place.waiting("ann", &[]).await;
    let unwanted = Person {
        removal: Some(Removal {
            since: START,
            admitted_at: None,
            groups: Vec::new(),
        }),
        ..person("ann")
    };
    let id = ann.id.as_str();
    place.store.put_person(id, &unwanted, 1).await.unwrap();
    let bridge = place.bridge(delay(300));
    for seconds in [0, 300, 999] {
        assert_eq!(bridge.sweep(at(seconds)).await.unwrap().held, 1);
    }
    let reason = HoldReason::Unwanted;
    let noted = place.audit(&ann).await;
    let why = format!("ann@example.com: {reason}");
    let expected = ("user.confirm".to_owned(), AuditOutcome::Refused, why);
    assert_eq!(noted, [expected], "once, however many sweeps");

    // An administrator says otherwise; the provider may say it again.
    bridge.release("ann@example.com").await.unwrap();
    let known = place.store.person(id).await.unwrap().unwrap();
    assert_eq!(known.value.removal, None);
    place.store.put_person(id, &unwanted, 3).await.unwrap();
    assert_eq!(bridge.sweep(at(1000)).await.unwrap().held, 1);
    place.store.put_person(id, &person("ann"), 4).await.unwrap();
    assert_eq!(bridge.sweep(at(1001)).await.unwrap().confirmed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_rejected_after_a_sweep_was_cut_off_stays_out_until_released() {
    let place = Place::new().await;
    let ann = place.waiting("ann", &[]).await;
    // Account and store have a tap in common: list, records, people, first record, then the lease.
    let tap = Tap::new(Cut::After(5), Duration::ZERO);
    let bridge = place.tapped(delay(0), &tap, &tap);
    tokio::select! {
        _ = bridge.sweep(START) => panic!("not cut off"),
        () = tap.reached() => {}
    }
    let status = place.record(&ann).await.unwrap().status;
    assert!(matches!(status, ConfirmationStatus::Confirming { .. }));
    bridge.reject("ann@example.com").await.unwrap();
    for seconds in [1, 61, 9999] {
        assert_eq!(bridge.sweep(at(seconds)).await.unwrap().held, 1);
    }
    assert_eq!(place.confirmed(&ann), 0);
    bridge.release(ann.id.as_str()).await.unwrap();
    assert_eq!(bridge.sweep(at(9999)).await.unwrap().confirmed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_for_those_who_are_held() {
    let place = Place::new().await;
    let ann = place.invited("ann", &[]).await;
    let bob = place.waiting("bob", &[]).await;
    let bridge = place.bridge(delay(300));
    let nobody = bridge.release("ann@example.com").await;
    assert!(matches!(nobody, Err(NotDecided::Nobody(_))), "{nobody:?}");
    let sweep = bridge.sweep(START).await.unwrap();
    assert_eq!((sweep.held, sweep.waiting), (1, 1));
    let waits = bridge.release(bob.id.as_str()).await;
    assert!(matches!(waits, Err(NotDecided::NotHeld(_))), "{waits:?}");
    for _ in 0..2 {
        bridge.release("ANN@example.com").await.unwrap();
    }
    // At once, without another delay.
    assert_eq!(bridge.sweep(at(1)).await.unwrap().confirmed, 1);
    assert_eq!((place.confirmed(&ann), place.confirmed(&bob)), (1, 0));
    let over = bridge.reject("ann@example.com").await;
    assert!(matches!(over, Err(NotDecided::Nobody(_))), "{over:?}");
    let actions: Vec<_> = place
        .audit(&ann)
        .await
        .into_iter()
        .map(|line| line.0)
        .collect();
    assert_eq!(
        actions,
        ["user.confirm", "confirmation.release", "user.confirm"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_read_holds_up_nobody_else() {
    let place = Place::new().await;
    let ann = place.waiting("ann", &[]).await;
    let bob = place.waiting("bob", &[]).await;
    let bridge = place.bridge(delay(300));
    bridge.sweep(START).await.unwrap();
    let db = rusqlite::Connection::open(place.dir.path().join("state.db")).unwrap();
    let broken = db.execute(
        "UPDATE confirmation SET record = '{}' WHERE id = ?1",
        [ann.id.as_str()],
    );
    assert_eq!(broken, Ok(1));
    let told = bridge.sweep(at(400)).await.unwrap_err().to_string();
    assert!(told.contains("a record that cannot be read"), "{told}");
    assert_eq!((place.confirmed(&ann), place.confirmed(&bob)), (0, 1));
}
