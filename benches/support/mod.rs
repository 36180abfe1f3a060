//! What the measuring programs share. Each uses some of it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod machine;
pub mod process;
pub mod results;
pub mod stats;
