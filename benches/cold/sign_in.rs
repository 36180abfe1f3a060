//! What a sign-in takes, beside what it cannot do without.

use std::time::Duration;

use scim_bridge::onepassword::srp::{ClientEphemeral, Generation, ServerEphemeral, Verifier};
use serde_json::Value;

use crate::{
    START, World,
    seen::Exchange,
    start::Start,
    support::{process::cpu_of_this_thread, stats::median},
};

const ROUND_TRIP: Duration = Duration::from_millis(50);

pub struct SignIn {
    /// Processor time of a sign-in: that of an event that needs one, without that of the same event
    /// after it.
    pub cpu: Duration,
    /// Of the exponentiations, in this program.
    pub exponentiations: Duration,
    /// Requests of a sign-in, one after the other.
    pub round_trips: usize,
    /// What they take on a way that does nothing else.
    pub on_the_way: Duration,
    /// From the first of them to the first request in the session, without the server's own time.
    pub wall: Duration,
}

pub async fn measure(world: &World, rounds: usize) -> SignIn {
    let (mut cpu, mut wall, mut way) = (Vec::new(), Vec::new(), Vec::new());
    let mut round_trips = 0;
    for _ in 0..rounds {
        let (filter, again, _) = once(world).await;
        cpu.push(filter.saturating_sub(again));
    }
    world.account.set_round_trip(ROUND_TRIP);
    for _ in 0..rounds.min(10) {
        let (_, _, exchanges) = once(world).await;
        let (own, rest): (Vec<Exchange>, Vec<Exchange>) = exchanges
            .into_iter()
            .filter(|one| one.what.starts_with('/'))
            .partition(|one| is_sign_in(&one.what));
        let (first, next) = (own.first().unwrap(), rest.first().unwrap());
        let at_the_server: Duration = own.iter().map(|one| one.answered - one.sent_on).sum();
        let there_and_back =
            |one: &Exchange| (one.sent_on - one.came) + (one.delivered - one.answered);
        round_trips = own.len();
        way.push(own.iter().map(there_and_back).sum());
        wall.push(next.came - first.came - at_the_server);
    }
    world.account.set_round_trip(Duration::ZERO);
    SignIn {
        cpu: median(&mut cpu),
        exponentiations: median(&mut (0..rounds).map(|_| exponentiations()).collect::<Vec<_>>()),
        round_trips,
        on_the_way: median(&mut way),
        wall: median(&mut wall),
    }
}

/// A start that opens the scimsession without the account, signs in, and asks once more: processor
/// time of the last two, and what was seen.
async fn once(world: &World) -> (Duration, Duration, Vec<Exchange>) {
    world.aws.forget();
    world.seen.take();
    let mut start = Start::of(world.bootstrap("scim")).await;
    let status = |answer: &Value| answer["statusCode"].as_u64().unwrap();
    let refused = start.send(&world.event("/scim/v2/Users", "filter=x")).await;
    assert_eq!(status(&refused.answer), 400);
    let filter = start.send(&world.event(START.0, START.1)).await;
    assert_eq!(status(&filter.answer), 200);
    let again = start.send(&world.event(START.0, START.1)).await;
    (filter.cpu, again.cpu, world.seen.take())
}

pub fn is_sign_in(path: &str) -> bool {
    path.contains("/auth") || path.contains("/device")
}

/// `g^a` and the last one; `g^x` never changes and can be had before.
fn exponentiations() -> Duration {
    let x = [0xa5; 32];
    let verifier = Verifier::from_x(&x);
    let server = ServerEphemeral::generate(Generation::Two, "session", &verifier).unwrap();
    let before = cpu_of_this_thread();
    let client = ClientEphemeral::generate().unwrap();
    let key = client.session_key(Generation::Two, "session", &x, &verifier, server.public());
    assert!(key.is_ok());
    cpu_of_this_thread() - before
}
