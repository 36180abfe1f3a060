//! The provider mix at the pace of a busy provider, for minutes.

use std::time::Duration;

use crate::{
    Extent,
    load::Load,
    measure::{mebibytes, met},
    seed::{Plan, Seed},
    support::{
        results::table,
        stats::{quantile, short},
    },
};

/// Requests in a second: what Entra ID asks an endpoint to take.
const PACE: u32 = 25;

/// So many seconds are a result.
const LONG: u64 = 600;

/// Runs for so many seconds.
pub async fn run(seconds: u64) {
    let seed = Seed::of(&Plan::MIDDLE).await;
    let world = seed.start();
    let target = seed.target(&world);
    let mut load = Load::new(&target);
    load.run(500, Duration::from_secs(30)).await;

    let half = Duration::from_secs(seconds) / 2;
    let memory = || [world.bridge.memory(), world.account.memory()];
    let cpu = || [world.bridge.cpu(), world.account.cpu()];
    let (cpu_before, at_start) = (cpu(), memory());
    let first = load.pace(PACE, half).await;
    let in_the_middle = memory();
    let second = load.pace(PACE, half).await;
    let (cpu_after, at_end) = (cpu(), memory());

    let wall = (first.wall + second.wall).as_secs_f64();
    let failed = first.failed + second.failed;
    let mut times = [first.times(|_| true), second.times(|_| true)].concat();
    let share = |process: usize| {
        let spent = cpu_after[process] - cpu_before[process];
        spent.as_secs_f64() / wall * 100.0
    };
    let row = |name: &str, process: usize| {
        let mut row = vec![name.to_owned(), format!("{:.2} %", share(process))];
        row.extend([at_start, in_the_middle, at_end].map(|memory| mebibytes(memory[process])));
        row
    };
    let mut text = format!(
        "{} requests of the mix in {wall:.0} s, {PACE} a second, at 11,000 people; p50 {}, p99 {}; {failed} \
         failed.\n\n",
        times.len(),
        short(quantile(&mut times, 0.5)),
        short(quantile(&mut times, 0.99)),
    );
    text += &table(
        &[
            "",
            "of one processor",
            "RSS at the start",
            "in the middle",
            "at the end",
        ],
        &[row("bridge", 0), row("account server", 1)],
    );
    let grown = at_end[0] as f64 / in_the_middle[0] as f64;
    let aims = [
        (
            "at most 2 % of a processor",
            format!("{:.2} %", share(0)),
            share(0) <= 2.0,
        ),
        (
            "no growth of RSS: at the end what it was in the middle, within 2 %",
            format!("{:+.1} %", (grown - 1.0) * 100.0),
            grown <= 1.02,
        ),
        ("no error", failed.to_string(), failed == 0),
    ];
    let rows =
        aims.map(|(aim, seen, is_met)| vec!["P11".to_owned(), aim.to_owned(), seen, met(is_met)]);
    text += &format!(
        "\n### Aims\n\n{}",
        table(&["", "aim", "measured", ""], &rows)
    );
    let extent = match seconds {
        LONG.. => Extent::Full,
        _ => Extent::Quick,
    };
    extent.show("soak", "Soak", &text);
    assert_eq!(failed, 0, "{:?}", first.failure.or(second.failure));
}
