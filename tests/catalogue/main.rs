//! What each identity provider does, case by case, over HTTP against real bridges.
//!
//! A case has an id and runs as a test of that name: `cargo test --test catalogue E33`. A run of
//! all of them renders `docs/conformance.md` and fails if the committed file says anything else;
//! `UPDATE_CONFORMANCE=1` writes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod any;
mod book;
mod entra;
mod jumpcloud;
mod okta;
mod onelogin;
mod places;
mod rippling;
#[path = "../bridge/secrets.rs"]
mod secrets;
// Written for all tests of the bridge; these do not need everything.
#[allow(dead_code)]
#[path = "../bridge/support.rs"]
mod support;

use std::{process::ExitCode, sync::Arc};

use book::{Book, Chapter, Seen};
use libtest_mimic::{Arguments, Trial};
use places::Places;
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let chapters = vec![
        Chapter::new("Any provider", any::cases()),
        Chapter::new("Entra ID", entra::cases()),
        Chapter::new("Okta", okta::cases()),
        Chapter::new("OneLogin", onelogin::cases()),
        Chapter::new("JumpCloud", jumpcloud::cases()),
        Chapter::new("Rippling", rippling::cases()),
    ];
    let runtime = Arc::new(Runtime::new().unwrap());
    let places = Arc::new(Places::default());
    let book = Arc::new(Book::default());
    let trials = chapters.iter().flat_map(|chapter| &chapter.cases);
    let trials = trials.filter_map(|case| {
        let Seen::Here(test) = case.seen else {
            return None;
        };
        let (runtime, places, book) = (runtime.clone(), places.clone(), book.clone());
        let (id, waits) = (case.id.clone(), case.waits.is_some());
        Some(Trial::test(case.id.clone(), move || {
            let run = std::panic::AssertUnwindSafe(|| runtime.block_on(test(places)));
            let outcome = std::panic::catch_unwind(run);
            book.note(id, outcome.is_ok());
            match (waits, outcome) {
                (false, Err(panic)) => std::panic::resume_unwind(panic),
                (true, Ok(())) => Err("it holds by now: take `waits_for` off the case".into()),
                _ => Ok(()),
            }
        }))
    });
    let trials: Vec<_> = trials.collect();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    // The bridges end here, and look through their logs for secrets.
    runtime.block_on(async { drop(places) });
    if conclusion.has_failed() || !book.agrees_with_file(&chapters) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
