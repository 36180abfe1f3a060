//! The command line `scim-bridge`.

use std::process::ExitCode;

fn main() -> ExitCode {
    scim_bridge::cli::run()
}
