//! A load, and what it cost the processes that bore it.

use std::time::Duration;

use crate::{
    bare::{self, Answers},
    client::{Call, Connection},
    load::{Load, Run, Target},
    provider,
    support::{
        process::Process,
        stats::{quantile, short},
    },
    world::World,
};

/// The load of one measurement.
#[derive(Clone, Copy)]
pub struct Amount {
    pub requests: usize,
    /// After this time there are no more.
    pub limit: Duration,
}

impl Amount {
    pub fn new(requests: usize, seconds: u64) -> Self {
        Self {
            requests,
            limit: Duration::from_secs(seconds),
        }
    }
}

/// What was seen.
pub struct Measured {
    pub run: Run,
    /// Answers in a second.
    pub rate: f64,
    pub p50: Duration,
    pub p99: Duration,
    /// Processor time of a request in each process.
    pub cpu: Vec<Duration>,
}

impl Measured {
    pub fn cells(&self) -> [String; 3] {
        [
            format!("{:.0}", self.rate),
            short(self.p50),
            short(self.p99),
        ]
    }
}

/// Sends the mix, a tenth of it first to warm up.
pub async fn measure(target: &Target, processes: &[&Process], amount: Amount) -> Measured {
    let mut load = Load::new(target);
    load.run(amount.requests / 10, amount.limit / 10).await;
    let before: Vec<_> = processes.iter().map(|process| process.cpu()).collect();
    let run = load.run(amount.requests, amount.limit).await;
    let spent = processes.iter().zip(before);
    let count = u32::try_from(run.taken.len()).expect("fewer requests");
    let cpu = spent.map(|(process, before)| (process.cpu() - before) / count);
    let mut times = run.times(|_| true);
    Measured {
        cpu: cpu.collect(),
        rate: f64::from(count) / run.wall.as_secs_f64(),
        p50: quantile(&mut times, 0.5),
        p99: quantile(&mut times, 0.99),
        run,
    }
}

/// The bare handler with what this bridge answers, and where it is.
pub async fn bare_beside(world: &World, target: &Target) -> (Process, Target) {
    let answers = answers(target).await;
    let (process, port) = bare::start(&answers, world.dir());
    let mut bare = target.clone();
    bare.address.set_port(port);
    bare.looks_up = false;
    (process, bare)
}

/// What the bridge answers to one request of each kind.
async fn answers(target: &Target) -> Answers {
    let Target {
        base, ids, group, ..
    } = target;
    let mut connection = Connection::new(target.address, &target.token);
    let mut ask = async |call: Call| {
        let answer = connection.send(&call).await.unwrap();
        assert!(answer.status < 300, "{} {:?}", answer.status, answer.body);
        answer
    };
    let comer = ids.last().unwrap();
    let filter = ask(provider::filter(base, &provider::address(0))).await;
    let get = ask(provider::get(format!("{base}/Users/{}", ids[0]))).await;
    let create = ask(provider::create(base, "canned@example.com")).await;
    let change = ask(provider::rename(base, &ids[0], "Canned")).await;
    let regroup = ask(provider::add(base, group, std::slice::from_ref(comer))).await;
    ask(provider::remove(base, group, comer)).await;
    Answers::new(&filter, &get, &create, &change, &regroup)
}

/// How many times as much.
pub fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64().max(1e-9)
}

pub fn times(ratio: f64) -> String {
    let digits = match ratio {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{ratio:.digits$}×")
}

pub fn mebibytes(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1024.0)
}

/// `101000` as `101,000`.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub fn met(met: bool) -> String {
    if met { "met" } else { "**not met**" }.to_owned()
}
