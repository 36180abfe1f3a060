//! Other SCIM servers under the same mix, each as it comes from its registry, with nothing behind
//! it: what they keep is in their memory.

use std::{
    net::Ipv4Addr,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    Extent,
    load::{COMERS, Target},
    measure::{Amount, Measured, bare_beside, grouped, measure, mebibytes, met, ratio, times},
    seed::{self, Plan, Seed},
    support::{
        process::{Process, free_port},
        results::table,
        stats::short,
    },
};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// How long a server is given to take the people in, and then the group.
const SEEDING: Duration = Duration::from_secs(90);

/// A server that the mix is sent to.
struct Peer {
    name: &'static str,
    version: &'static str,
    base: &'static str,
    /// What is in that folder once it is installed.
    needs: &'static str,
    /// How many times the bridge's processor time it takes at least.
    aim: Option<f64>,
    /// How it is started, from the folder that it was installed in.
    command: fn(tools: &Path, port: &str) -> Command,
}

const PEERS: [Peer; 2] = [
    Peer {
        name: "scimmy with express, `userName` indexed",
        version: "1.3.5",
        base: "/scim/v2",
        needs: "node/node_modules",
        aim: None,
        command: |tools, port| {
            let mut command = Command::new("node");
            command
                .arg(tools.join("node/server.js"))
                .args([port, TOKEN]);
            command
        },
    },
    Peer {
        name: "scim2-server",
        version: "0.8.3",
        base: "/v2",
        needs: "venv/bin/scim2-server",
        aim: Some(500.0),
        command: |tools, port| {
            let mut command = Command::new(tools.join("venv/bin/scim2-server"));
            command.args(["--port", port, "--bearer-token", TOKEN]);
            command
        },
    },
];

/// Measures the bridge, the bare handler and all peers that were installed in this folder.
pub async fn run(extent: Extent, tools: &str) {
    let amount = Amount::new(extent.of(30_000), extent.of(60) as u64);
    let seed = Seed::of(&Plan::MIDDLE).await;
    let world = seed.start();
    let target = seed.target(&world);
    let (bare, canned) = bare_beside(&world, &target).await;
    let handler = measure(&canned, &[&bare], Amount::new(extent.of(150_000), 30)).await;
    let bridge = measure(&target, &[&world.bridge, &world.account], amount).await;
    let memory = [bare.memory(), world.bridge.memory()];
    drop((bare, world));

    let cells = |name: String, people: usize, seen: &Measured, memory: u64| {
        let mut row = vec![name, grouped(people)];
        row.extend(seen.cells());
        row.push(short(seen.cpu[0]));
        row.push(times(ratio(seen.cpu[0], handler.cpu[0])));
        row.push(times(ratio(seen.cpu[0], bridge.cpu[0])));
        row.push(mebibytes(memory));
        row.push(format!("{} of {}", seen.run.failed, seen.run.taken.len()));
        row
    };
    let people = target.ids.len();
    let mut rows = vec![
        cells("bare handler".to_owned(), people, &handler, memory[0]),
        cells(
            "bridge (the account server not counted)".to_owned(),
            people,
            &bridge,
            memory[1],
        ),
    ];
    let (mut notes, mut aims) = (String::new(), Vec::new());
    for peer in PEERS {
        let name = format!("{} {}", peer.name, peer.version);
        match peer.measure(Path::new(tools), amount).await {
            Ok((seen, people, memory)) => {
                if let Some(failure) = &seen.run.failure {
                    notes += &format!("\n{name} failed first: {failure:.200}\n");
                }
                if let Some(aim) = peer.aim {
                    let seen = ratio(seen.cpu[0], bridge.cpu[0]);
                    let text = format!("{} takes at least {aim}× the bridge's CPU", peer.name);
                    aims.push(vec!["P1".to_owned(), text, times(seen), met(seen >= aim)]);
                }
                rows.push(cells(name, people, &seen, memory));
            }
            Err(why) => notes += &format!("\n{name} was not measured: {why:.300}\n"),
        }
    }
    let mut text = table(
        &[
            "",
            "people",
            "requests/s",
            "p50",
            "p99",
            "CPU per request",
            "÷ bare handler",
            "÷ bridge",
            "RSS",
            "failed",
        ],
        &rows,
    );
    text += &notes;
    text += &format!(
        "\n### Aims\n\n{}",
        table(&["", "aim", "measured", ""], &aims)
    );
    extent.show("peers", "Other SCIM servers", &text);
}

impl Peer {
    /// Starts it, brings people and the group in, sends the mix.
    async fn measure(
        &self,
        tools: &Path,
        amount: Amount,
    ) -> Result<(Measured, usize, u64), String> {
        if !tools.join(self.needs).exists() {
            return Err("it is not installed".to_owned());
        }
        let port = free_port();
        let mut command = (self.command)(tools, &port.to_string());
        let mut process = Process::start(command.stderr(Stdio::null()));
        process.until_listening(port);
        let mut target = Target {
            address: (Ipv4Addr::LOCALHOST, port).into(),
            base: self.base,
            token: TOKEN.to_owned(),
            ids: Vec::new(),
            group: String::new(),
            looks_up: true,
        };
        target.ids = seed::people(&target, Plan::MIDDLE.people, SEEDING).await?;
        let members = Plan::MIDDLE.groups[0].min(target.ids.len() - COMERS);
        target.group = seed::group(&target, "Everybody", &target.ids[..members], members).await?;
        let seen = measure(&target, &[&process], amount).await;
        Ok((seen, target.ids.len(), process.memory()))
    }
}
