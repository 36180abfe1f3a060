//! The provider mix, sent over several connections, each in a pseudo-random order of its own that
//! is the same in every run.

use std::{
    cell::Cell,
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures_util::future;

use crate::{
    client::{Answer, Call, Connection},
    provider::{self, Kind},
};

pub const CONNECTIONS: usize = 16;

/// The last people of each seed are those who come into the group and leave it.
pub const COMERS: usize = 128;

/// A SCIM server with people and a group.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    /// What comes before `/Users`.
    pub base: &'static str,
    pub token: String,
    /// Who is in it, in the order of their addresses.
    pub ids: Vec<String>,
    pub group: String,
    /// Whether answers are of the person who was asked for.
    pub looks_up: bool,
}

/// What came of some requests.
#[derive(Default)]
pub struct Run {
    /// How long each took.
    pub taken: Vec<(Kind, Duration)>,
    /// From the first request to the last answer.
    pub wall: Duration,
    pub failed: usize,
    /// What the first failure was.
    pub failure: Option<String>,
}

impl Run {
    /// How long the requests of some kinds took.
    pub fn times(&self, of: impl Fn(Kind) -> bool) -> Vec<Duration> {
        let taken = self.taken.iter().filter(|(kind, _)| of(*kind));
        taken.map(|(_, time)| *time).collect()
    }

    fn note(&mut self, kind: Kind, time: Duration, failure: Option<String>) {
        self.taken.push((kind, time));
        if let Some(failure) = failure {
            self.failed += 1;
            self.failure.get_or_insert(failure);
        }
    }
}

/// The connections of a provider.
pub struct Load(Vec<Caller>);

impl Load {
    pub fn new(target: &Target) -> Self {
        let caller = |number| Caller::new(target.clone(), number);
        Self((0..CONNECTIONS).map(caller).collect())
    }

    /// Sends so many requests, fewer if the time is over before.
    pub async fn run(&mut self, requests: usize, limit: Duration) -> Run {
        let begun = Instant::now();
        let left = Cell::new(requests);
        let calls = self.0.iter_mut().map(|caller| async {
            let mut run = Run::default();
            while left.get() > 0 && begun.elapsed() < limit {
                left.set(left.get() - 1);
                caller.call(&mut run).await;
            }
            run
        });
        let runs = future::join_all(calls).await;
        let mut all = Run {
            wall: begun.elapsed(),
            ..Run::default()
        };
        for run in runs {
            all.taken.extend(run.taken);
            all.failed += run.failed;
            all.failure = all.failure.or(run.failure);
        }
        all
    }

    /// Sends requests at this pace for so long. One that would come before the answer to the last
    /// one of its connection waits for it.
    pub async fn pace(&mut self, a_second: u32, time: Duration) -> Run {
        let begun = Instant::now();
        let gap = Duration::from_secs(1) / a_second;
        let all = u32::try_from(CONNECTIONS).expect("few");
        let calls = self
            .0
            .iter_mut()
            .zip(0..)
            .map(|(caller, number)| async move {
                let mut run = Run::default();
                let mut next = gap * number;
                while next < time {
                    tokio::time::sleep_until((begun + next).into()).await;
                    caller.call(&mut run).await;
                    next += gap * all;
                }
                run
            });
        let mut total = Run::default();
        for run in future::join_all(calls).await {
            total.taken.extend(run.taken);
            total.failed += run.failed;
            total.failure = total.failure.or(run.failure);
        }
        total.wall = begun.elapsed();
        total
    }
}

/// One connection, and the people whom nobody else changes: every sixteenth.
struct Caller {
    target: Target,
    connection: Connection,
    number: usize,
    random: Random,
    /// How many of each kind were sent.
    created: usize,
    renamed: usize,
    activated: usize,
    regrouped: usize,
}

/// A request, and what must be in the answer.
struct Asked {
    call: Call,
    expected: &'static [u16],
    inside: Option<String>,
}

impl Caller {
    fn new(target: Target, number: usize) -> Self {
        Self {
            connection: Connection::new(target.address, &target.token),
            random: Random(number as u64 + 1),
            target,
            number,
            created: 0,
            renamed: 0,
            activated: 0,
            regrouped: 0,
        }
    }

    async fn call(&mut self, run: &mut Run) {
        let kind = self.kind();
        let asked = self.ask(kind);
        let begun = Instant::now();
        let answer = self.connection.send(&asked.call).await;
        let time = begun.elapsed();
        let failure = match answer {
            Ok(answer) => asked.wrong(&answer),
            Err(error) => Some(error.to_string()),
        };
        run.note(
            kind,
            time,
            failure.map(|failure| format!("{kind}: {failure}")),
        );
    }

    fn kind(&mut self) -> Kind {
        let mut dice = self.random.below(100);
        for (kind, share) in Kind::MIX {
            if dice < share {
                return kind;
            }
            dice -= share;
        }
        unreachable!("the shares are a hundred")
    }

    fn ask(&mut self, kind: Kind) -> Asked {
        let base = self.target.base;
        let settled = self.target.ids.len() - COMERS;
        match kind {
            Kind::Filter => {
                let person = self.anybody();
                let call = provider::filter(base, &provider::address(person));
                self.looked_up(call, person)
            }
            Kind::Get => {
                let person = self.anybody();
                let call = provider::get(format!("{base}/Users/{}", self.target.ids[person]));
                self.looked_up(call, person)
            }
            Kind::Create => {
                self.created += 1;
                let address = format!("new-{}-{}@example.com", self.number, self.created);
                Asked {
                    call: provider::create(base, &address),
                    expected: &[201],
                    inside: None,
                }
            }
            Kind::Rename => {
                self.renamed += 1;
                let which = self.random.below(settled / CONNECTIONS);
                let person = self.own(which);
                let name = format!("Renamed {}", self.renamed);
                changed(provider::rename(base, &self.target.ids[person], &name))
            }
            // Somebody is suspended and comes back, then somebody else.
            Kind::Activate => {
                let turn = self.activated;
                self.activated += 1;
                let person = self.own(turn / 2 % (settled / CONNECTIONS));
                let call = provider::activate(base, &self.target.ids[person], turn % 2 == 1);
                changed(call)
            }
            // Somebody comes in and leaves, then somebody else.
            Kind::Regroup => {
                let turn = self.regrouped;
                self.regrouped += 1;
                let person = settled + self.own(turn / 2 % (COMERS / CONNECTIONS));
                let (id, group) = (&self.target.ids[person], &self.target.group);
                changed(match turn % 2 {
                    0 => provider::add(base, group, std::slice::from_ref(id)),
                    _ => provider::remove(base, group, id),
                })
            }
        }
    }

    fn anybody(&mut self) -> usize {
        self.random.below(self.target.ids.len())
    }

    /// One of the people of this connection.
    fn own(&self, which: usize) -> usize {
        which * CONNECTIONS + self.number
    }

    fn looked_up(&self, call: Call, person: usize) -> Asked {
        Asked {
            call,
            expected: &[200],
            inside: (self.target.looks_up).then(|| self.target.ids[person].clone()),
        }
    }
}

fn changed(call: Call) -> Asked {
    Asked {
        call,
        expected: &[200, 204],
        inside: None,
    }
}

impl Asked {
    /// What is wrong with the answer, if anything.
    fn wrong(&self, answer: &Answer) -> Option<String> {
        let text = String::from_utf8_lossy(&answer.body);
        if !self.expected.contains(&answer.status) {
            return Some(format!("{} {}", answer.status, text));
        }
        let missing = self
            .inside
            .as_ref()
            .filter(|inside| !text.contains(&***inside));
        missing.map(|id| format!("{id} is not in {text}"))
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % end as u64).expect("it is below a usize")
    }
}
