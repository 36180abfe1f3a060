//! The product through its public doors: real bridges as processes, a real account server, HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod bulk;
mod conditional;
mod confirmation;
mod dev;
mod entra;
mod errors;
mod lists;
mod media;
mod okta;
mod paths;
mod secrets;
mod support;
