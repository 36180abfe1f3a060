//! The bridge as a Functions app: the real `handler` under a Functions host, with stand-ins for
//! Azure's secrets, identities and tables, and the sandbox for the account.
// Functions apps with a handler of their own run on Linux, and their host is played as it is there.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod app;
mod caller;
mod cloud;
mod front;
mod handover;
mod host;
mod log;
mod measure;
mod modes;
mod process;
mod routes;
mod story;
mod timer;
mod trouble;

#[path = "../support/azure.rs"]
#[allow(dead_code, reason = "another test binary uses the rest")]
mod azure_stand_in;
#[path = "../support/azurite.rs"]
mod azurite;
#[path = "../support/functions.rs"]
mod functions;
#[path = "../support/moto.rs"]
mod moto;
#[path = "../bridge/secrets.rs"]
mod secrets;
#[path = "../bridge/support.rs"]
#[allow(dead_code, reason = "another test binary uses the rest")]
mod support;
#[path = "../support/tools.rs"]
mod tools;
