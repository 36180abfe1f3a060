//! The places that keep secrets, each behind its own protocol, and what the bridge makes of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod azure;
mod secrets_manager;
mod support;

#[path = "../support/azure.rs"]
mod azure_stand_in;
#[path = "../support/moto.rs"]
mod moto;
#[path = "../support/tools.rs"]
mod tools;
