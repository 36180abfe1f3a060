//! What each operation costs as the account grows: processor time of bridge and account server
//! together, at low concurrency.

use std::{cell::Cell, slice, time::Duration};

use futures_util::future;

use crate::{
    Extent,
    client::{Call, Connection},
    load::{COMERS, Target},
    measure::{grouped, met, ratio, times},
    provider,
    seed::{Plan, Seed},
    support::{results::table, stats::short},
    world::World,
};

/// Each operation is measured so often, one account after the other, so that what else the machine
/// does meets all of them.
const ROUNDS: usize = 4;
/// Operations in a round; fewer of those that answer with many people.
const MANY: usize = 800;
const FEW: usize = 100;
/// People of a page.
const PAGE: usize = 100;

/// An account that is running, and its groups with their members.
struct Account {
    world: World,
    target: Target,
    groups: Vec<(usize, String)>,
}

/// Where an operation is done: in this account, on this group.
type Place<'a> = (&'a Account, Target);

/// An operation that is repeated.
struct Operation {
    name: &'static str,
    /// How often in a round.
    round: usize,
    /// The request of this number, in rounds of so many.
    ask: fn(&Target, usize, usize) -> Call,
}

const ON_PEOPLE: [Operation; 8] = [
    Operation {
        name: "`GET /Users?filter=userName eq`",
        round: MANY,
        ask: |to, number, _| provider::filter(to.base, &provider::address(somebody(to, number))),
    },
    Operation {
        name: "`GET /Users?filter=externalId eq`",
        round: MANY,
        ask: |to, number, _| {
            let filter = format!("externalId eq \"person-{}\"", somebody(to, number));
            provider::list(to.base, "Users", &[("filter", &filter)])
        },
    },
    Operation {
        name: "`GET /Users/{id}`",
        round: MANY,
        ask: |to, number, _| {
            provider::get(format!(
                "{}/Users/{}",
                to.base,
                to.ids[somebody(to, number)]
            ))
        },
    },
    Operation {
        name: "`POST /Users`",
        round: MANY / 2,
        ask: |to, number, _| provider::create(to.base, &format!("grown-{number}@example.com")),
    },
    Operation {
        name: "`PATCH /Users/{id}`, name",
        round: MANY / 2,
        ask: |to, number, _| {
            let id = &to.ids[somebody(to, number)];
            provider::rename(to.base, id, &format!("Grown {number}"))
        },
    },
    // Half a round suspends people, the other half brings them back.
    Operation {
        name: "`PATCH /Users/{id}`, active",
        round: MANY / 2,
        ask: |to, number, round| {
            let person = number / round * round + number % (round / 2);
            let active = number % round >= round / 2;
            provider::activate(to.base, &to.ids[somebody(to, person)], active)
        },
    },
    Operation {
        name: FIRST_PAGE,
        round: FEW,
        ask: |to, _, _| page(to, 1),
    },
    Operation {
        name: LAST_PAGE,
        round: FEW,
        ask: |to, _, _| page(to, to.ids.len() - PAGE),
    },
];
const FIRST_PAGE: &str = "`GET /Users`, the first 100";
const LAST_PAGE: &str = "`GET /Users`, the last 100";

const ON_GROUPS: [Operation; 4] = [
    Operation {
        name: "add one member",
        round: MANY / 2,
        ask: |to, number, round| {
            provider::add(
                to.base,
                &to.group,
                slice::from_ref(outsider(to, number % round)),
            )
        },
    },
    Operation {
        name: "remove one member",
        round: MANY / 2,
        ask: |to, number, round| provider::remove(to.base, &to.group, outsider(to, number % round)),
    },
    Operation {
        name: "`GET` without members",
        round: MANY,
        ask: |to, _, _| {
            let path = format!("{}/Groups/{}", to.base, to.group);
            provider::get(path + "?excludedAttributes=members")
        },
    },
    Operation {
        name: "whether somebody is in it (`id eq` and `members eq`)",
        round: MANY,
        ask: |to, number, _| {
            let person = &to.ids[somebody(to, number)];
            let filter = format!("id eq \"{}\" and members eq \"{person}\"", to.group);
            let query = [("excludedAttributes", "members"), ("filter", &filter)];
            provider::list(to.base, "Groups", &query)
        },
    },
];

/// People all over the account, but for those who come into groups and leave them.
fn somebody(to: &Target, number: usize) -> usize {
    number * 7919 % (to.ids.len() - COMERS)
}

/// People who are in no group.
fn outsider(to: &Target, number: usize) -> &String {
    &to.ids[to.ids.len() - COMERS - 1 - number]
}

fn page(to: &Target, start: usize) -> Call {
    let (start, count) = (start.to_string(), PAGE.to_string());
    let query = [("startIndex", &*start), ("count", &*count)];
    provider::list(to.base, "Users", &query)
}

/// Measures all operations at all sizes.
pub async fn run(extent: Extent) {
    let plans: &[&Plan] = match extent {
        Extent::Full => &[&Plan::SMALL, &Plan::MIDDLE, &Plan::LARGE],
        Extent::Quick => &[&Plan::SMALL, &Plan::MIDDLE],
    };
    let mut accounts = Vec::new();
    for plan in plans {
        let seed = Seed::of(plan).await;
        let world = seed.start();
        accounts.push(Account {
            target: seed.target(&world),
            groups: plan.groups.iter().copied().zip(seed.groups).collect(),
            world,
        });
    }
    let places: Vec<_> = accounts
        .iter()
        .map(|account| (account, account.target.clone()))
        .collect();
    let of_people = costs(&ON_PEOPLE, &places, extent).await;

    let largest = accounts.last().expect("there is an account");
    let mut groups = largest.groups.clone();
    groups.sort_unstable();
    let places: Vec<_> = groups
        .iter()
        .map(|(_, group)| {
            let target = Target {
                group: group.clone(),
                ..largest.target.clone()
            };
            (largest, target)
        })
        .collect();
    let of_groups = costs(&ON_GROUPS, &places, extent).await;

    let sizes: Vec<_> = accounts
        .iter()
        .map(|account| account.target.ids.len())
        .collect();
    let members: Vec<_> = groups.iter().map(|(members, _)| *members).collect();
    let mut text = format!(
        "Processor time of bridge and account server together for one operation.\n\n{}\n\
         In an account of {} people:\n\n{}\n### Aims\n\n",
        growth(&ON_PEOPLE, &of_people, &sizes, "people", 1.5),
        grouped(largest.target.ids.len()),
        growth(&ON_GROUPS, &of_groups, &members, "members", 1.3),
    );
    text += &aims(&of_people, &of_groups);
    extent.show("growth", "Growth", &text);
}

/// What each operation costs in each place.
async fn costs(
    operations: &[Operation],
    places: &[Place<'_>],
    extent: Extent,
) -> Vec<Vec<Duration>> {
    let mut spent = vec![vec![Duration::ZERO; places.len()]; operations.len()];
    for turn in 0..ROUNDS {
        for (operation, spent) in operations.iter().zip(&mut spent) {
            let round = extent.of(operation.round);
            for ((account, target), spent) in places.iter().zip(spent) {
                let before = account.world.cpu();
                repeat(operation, target, turn * round, round).await;
                *spent += account.world.cpu() - before;
            }
        }
    }
    for (operation, spent) in operations.iter().zip(&mut spent) {
        let times = u32::try_from(ROUNDS * extent.of(operation.round)).expect("few");
        spent.iter_mut().for_each(|spent| *spent /= times);
    }
    spent
}

/// One round, over two connections.
async fn repeat(operation: &Operation, target: &Target, first: usize, round: usize) {
    let next = Cell::new(first);
    let calls = [(); 2].map(|()| async {
        let mut connection = Connection::new(target.address, &target.token);
        while next.get() < first + round {
            let number = next.replace(next.get() + 1);
            let call = (operation.ask)(target, number, round);
            let answer = connection.send(&call).await.unwrap();
            let name = operation.name;
            assert!(
                answer.status < 300,
                "{name}: {} {:?}",
                answer.status,
                answer.body
            );
        }
    });
    future::join_all(calls).await;
}

/// A table with a column for each size, and how the largest compares to the smallest.
fn growth(
    operations: &[Operation],
    costs: &[Vec<Duration>],
    sizes: &[usize],
    of: &str,
    aim: f64,
) -> String {
    let mut head = vec![String::new()];
    head.extend(sizes.iter().map(|size| format!("{} {of}", grouped(*size))));
    head.extend(["largest ÷ smallest".to_owned(), String::new()]);
    let rows: Vec<_> = operations
        .iter()
        .zip(costs)
        .map(|(operation, costs)| {
            let grown = grown(costs);
            let mut row = vec![operation.name.to_owned()];
            row.extend(costs.iter().map(|cost| short(*cost)));
            row.push(times(grown));
            row.push(if grown <= aim { "flat" } else { "**not flat**" }.to_owned());
            row
        })
        .collect();
    let head: Vec<_> = head.iter().map(String::as_str).collect();
    table(&head, &rows)
}

fn grown(costs: &[Duration]) -> f64 {
    let (smallest, largest) = (costs.first(), costs.last());
    ratio(*largest.expect("a size"), *smallest.expect("a size"))
}

fn aims(of_people: &[Vec<Duration>], of_groups: &[Vec<Duration>]) -> String {
    let worst =
        |costs: &[Vec<Duration>]| costs.iter().map(|costs| grown(costs)).fold(0.0, f64::max);
    let last_in = |name| {
        let at = ON_PEOPLE
            .iter()
            .position(|operation| operation.name == name);
        of_people[at.expect("it was measured")][of_people[0].len() - 1]
    };
    let lines = [
        (
            "the largest account at most 1.5× the smallest, worst operation",
            worst(of_people),
            1.5,
        ),
        (
            "one member at the largest group at most 1.3× the smallest, worse of add and remove",
            worst(&of_groups[..2]),
            1.3,
        ),
        (
            "the last page of the largest account at most 1.2× the first",
            ratio(last_in(LAST_PAGE), last_in(FIRST_PAGE)),
            1.2,
        ),
    ];
    let rows = lines.map(|(aim, seen, limit)| {
        vec![
            "P3".to_owned(),
            aim.to_owned(),
            times(seen),
            met(seen <= limit),
        ]
    });
    table(&["", "aim", "measured", ""], &rows)
}
