//! What the bridge costs under the requests of an identity provider: beside a bare handler, beside
//! other SCIM servers, as the account grows, and over time. See docs/performance.md.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bare;
mod client;
mod compare;
mod growth;
mod load;
mod measure;
mod peers;
mod provider;
mod seed;
mod soak;
mod world;

#[path = "../support/mod.rs"]
mod support;

use std::env;

use support::results;

/// How much is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// As much as a result needs.
    Full,
    /// Enough to see that it works.
    Quick,
}

impl Extent {
    /// A tenth of so many, where it has to be quick.
    pub fn of(self, full: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Quick => full / 10,
        }
    }

    /// Results are written down, what was quick is only shown.
    pub fn show(self, name: &str, title: &str, text: &str) {
        match self {
            Self::Full => results::write(name, title, text),
            Self::Quick => println!("## {title}\n\n{text}"),
        }
    }
}

fn main() {
    // `cargo bench` adds this to whatever it is given.
    let words: Vec<_> = env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let extent = match env::var("QUICK").as_deref() {
        Ok("1") => Extent::Quick,
        _ => Extent::Full,
    };
    match words.as_slice() {
        ["bare", port, file] => return bare::serve(port, file),
        ["mix" | "peers" | "soak", ..] => {}
        _ => return eprintln!("run `make bench`, `make bench-peers` or `make bench-soak`"),
    }
    // One thread: the others are for what is measured.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        match words.as_slice() {
            ["peers", tools] => peers::run(extent, tools).await,
            ["soak", seconds] => soak::run(seconds.parse().expect("a number of seconds")).await,
            _ => {
                compare::run(extent).await;
                growth::run(extent).await;
            }
        }
    });
}
