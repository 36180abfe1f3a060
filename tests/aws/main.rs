//! The bridge as Lambda functions: the real `bootstrap` under a Runtime API, with AWS's stand-in for
//! its secrets and its state, and the sandbox for the account.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod cloud;
mod function;
mod gateway;
mod limits;
mod log;
mod measure;
mod runtime;
mod story;
mod terraform;
mod trouble;

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
