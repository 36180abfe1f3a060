//! The provider mix against the bridge, with the bare handler before and after it.

use std::time::Duration;

use crate::{
    Extent,
    load::{Load, Target},
    measure::{Amount, Measured, bare_beside, grouped, measure, mebibytes, met, ratio, times},
    provider::Kind,
    seed::{Plan, Seed},
    support::{
        process::Process,
        results::table,
        stats::{quantile, short},
    },
};

/// What was seen with one account.
struct Size {
    plan: &'static Plan,
    before: Measured,
    bridge: Measured,
    after: Measured,
    /// The bare handler's processor time of a request that comes at the bridge's pace: what wakes
    /// a thread for one request is not shared by many then.
    paced: Duration,
    /// Memory of bridge, account server and bare handler at the end, and the most that the bridge
    /// ever held, in KiB.
    memory: [u64; 3],
    peak: u64,
}

impl Size {
    async fn of(plan: &'static Plan, extent: Extent) -> Self {
        let seed = Seed::of(plan).await;
        let world = seed.start();
        let target = seed.target(&world);
        let (bare, canned) = bare_beside(&world, &target).await;
        let light = Amount::new(extent.of(150_000), 30);
        let amount = Amount::new(extent.of(50_000), 60);
        let before = measure(&canned, &[&bare], light).await;
        let bridge = measure(&target, &[&world.bridge, &world.account], amount).await;
        let after = measure(&canned, &[&bare], light).await;
        let paced = paced(&canned, &bare, bridge.rate, extent).await;
        Self {
            plan,
            paced,
            before,
            bridge,
            after,
            memory: [&world.bridge, &world.account, &bare].map(|process| process.memory()),
            peak: world.bridge.peak_memory(),
        }
    }

    /// Of both runs of the bare handler.
    fn bare(&self, figure: impl Fn(&Measured) -> Duration) -> Duration {
        (figure(&self.before) + figure(&self.after)) / 2
    }

    fn cpu_ratio(&self) -> f64 {
        ratio(self.bridge.cpu[0], self.bare(|bare| bare.cpu[0]))
    }

    fn p99_ratio(&self) -> f64 {
        ratio(self.bridge.p99, self.bare(|bare| bare.p99))
    }

    fn rows(&self) -> String {
        let [bridge, account, bare] = self.memory;
        let row = |name: &str, seen: &Measured, cpu: [String; 2], memory: [String; 2]| {
            let mut row = vec![name.to_owned()];
            row.extend(seen.cells());
            row.extend(
                cpu.into_iter()
                    .zip(memory)
                    .flat_map(|(cpu, memory)| [cpu, memory]),
            );
            row.push(seen.run.failed.to_string());
            row
        };
        let none = String::new;
        let of_bare = |name, seen: &Measured| {
            let (cpu, memory) = ([short(seen.cpu[0]), none()], [mebibytes(bare), none()]);
            row(name, seen, cpu, memory)
        };
        let own_cpu = [short(self.bridge.cpu[0]), short(self.bridge.cpu[1])];
        let own_memory = [mebibytes(bridge), mebibytes(account)];
        let share = |figure: u64| times(figure as f64 / bare as f64);
        let rate = (self.before.rate + self.after.rate) / 2.0;
        let ratios = vec![
            "bridge ÷ bare handler".to_owned(),
            times(self.bridge.rate / rate),
            times(ratio(self.bridge.p50, self.bare(|bare| bare.p50))),
            times(self.p99_ratio()),
            times(self.cpu_ratio()),
            share(bridge),
            times(ratio(self.bridge.cpu[1], self.bare(|bare| bare.cpu[0]))),
            share(account),
            none(),
        ];
        let rows = [
            of_bare("bare handler, before", &self.before),
            row("bridge", &self.bridge, own_cpu, own_memory),
            of_bare("bare handler, after", &self.after),
            ratios,
            vec![
                "bare handler at the bridge's pace".to_owned(),
                format!("{:.0}", self.bridge.rate),
                none(),
                none(),
                short(self.paced),
                none(),
                none(),
                none(),
                none(),
            ],
        ];
        let mut text = format!(
            "### {} people, a group of {}\n\n",
            grouped(self.plan.people),
            grouped(self.plan.groups[0])
        );
        text += &table(
            &[
                "",
                "requests/s",
                "p50",
                "p99",
                "CPU per request",
                "RSS",
                "account server: CPU per request",
                "RSS",
                "failed",
            ],
            &rows,
        );
        for seen in [&self.before, &self.bridge, &self.after] {
            if let Some(failure) = &seen.run.failure {
                text += &format!("\nFailed first: {failure}\n");
            }
        }
        text + "\n"
    }
}

/// Measures all sizes.
pub async fn run(extent: Extent) {
    let plans: &[&'static Plan] = match extent {
        Extent::Full => &[&Plan::SMALL, &Plan::MIDDLE, &Plan::LARGE],
        Extent::Quick => &[&Plan::SMALL, &Plan::MIDDLE],
    };
    let mut sizes = Vec::new();
    for plan in plans {
        sizes.push(Size::of(plan, extent).await);
    }
    let mut text: String = sizes.iter().map(Size::rows).collect();
    text += "### By kind of request: p50, p99\n\n";
    text += &kinds(&sizes);
    text += "\n### Aims\n\n";
    text += &aims(&sizes);
    extent.show("mix", "Provider mix", &text);
    let failed: usize = sizes.iter().map(|size| size.bridge.run.failed).sum();
    assert_eq!(failed, 0, "requests failed");
}

fn kinds(sizes: &[Size]) -> String {
    let mut head = vec!["request".to_owned(), "share".to_owned()];
    for size in sizes {
        head.push(format!("{} people", grouped(size.plan.people)));
    }
    let rows: Vec<_> = Kind::MIX
        .iter()
        .map(|(kind, share)| {
            let mut row = vec![kind.to_string(), format!("{share} %")];
            for size in sizes {
                let mut taken = size.bridge.run.times(|of| of == *kind);
                let (p50, p99) = (quantile(&mut taken, 0.5), quantile(&mut taken, 0.99));
                row.push(format!("{}, {}", short(p50), short(p99)));
            }
            row
        })
        .collect();
    let head: Vec<_> = head.iter().map(String::as_str).collect();
    table(&head, &rows)
}

fn aims(sizes: &[Size]) -> String {
    let mut rows = Vec::new();
    let mut aim = |id: &str, aim: &str, seen: String, is_met: bool| {
        rows.push(vec![id.to_owned(), aim.to_owned(), seen, met(is_met)]);
    };
    for size in sizes {
        let people = grouped(size.plan.people);
        if size.plan.people == Plan::MIDDLE.people {
            let seen = size.cpu_ratio();
            let text = "bridge's CPU per request at 11,000 people: at most 8× the bare handler's";
            aim("P1", text, times(seen), seen <= 8.0);
            let seen = ratio(size.bridge.cpu[0], size.paced);
            let text = "the same, the bare handler at the bridge's pace";
            aim("P1", text, times(seen), seen <= 8.0);
        }
        let seen = size.p99_ratio();
        let text = format!("p99 at {people} people: at most 4× the bare handler's");
        aim("P2", &text, times(seen), seen <= 4.0);
        if size.plan.people == Plan::LARGE.people {
            let text = "bridge's RSS through the mix at 101,000 people: under 32 MB";
            let is_met = size.peak * 1024 < 32_000_000;
            aim(
                "P4",
                text,
                format!("at most {}", mebibytes(size.peak)),
                is_met,
            );
        }
    }
    rows.sort_by(|one, other| one[0].cmp(&other[0]));
    table(&["", "aim", "measured", ""], &rows)
}

/// Processor time of a request of the bare handler, so many of them in a second.
async fn paced(target: &Target, bare: &Process, rate: f64, extent: Extent) -> Duration {
    let before = bare.cpu();
    let time = Duration::from_secs(extent.of(10) as u64);
    let run = Load::new(target).pace(rate as u32, time).await;
    (bare.cpu() - before) / u32::try_from(run.taken.len()).expect("fewer requests")
}
