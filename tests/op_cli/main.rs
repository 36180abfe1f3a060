//! The connector that runs 1Password's command line, at a stand-in for that command line: alone,
//! and under a real bridge.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[cfg(all(unix, feature = "local"))]
mod connector;
#[cfg(all(unix, feature = "local"))]
mod op;
#[cfg(all(unix, feature = "local"))]
mod package;
#[cfg(all(unix, feature = "local"))]
mod setup;
#[cfg(all(unix, feature = "local"))]
mod story;
#[cfg(all(unix, feature = "local"))]
mod support;

#[cfg(all(unix, feature = "local"))]
fn main() -> std::process::ExitCode {
    let mut arguments = std::env::args();
    if arguments.nth(1).as_deref() == Some(op::AS_OP) {
        return op::run(arguments);
    }
    let trials = [
        connector::trials(),
        package::trials(),
        setup::trials(),
        story::trials(),
    ];
    let trials = trials.into_iter().flatten().collect();
    libtest_mimic::run(&libtest_mimic::Arguments::from_args(), trials).exit_code()
}

/// The stand-in is started by a script.
#[cfg(not(all(unix, feature = "local")))]
fn main() {}
