//! Confirmation from inside: a bridge in this process whose every call can be counted, slowed down
//! or cut off, at a real account server and a real store.
#![cfg(feature = "local")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod crash;
mod histories;
mod roll_out;
mod support;
mod sweeps;
mod tap;
