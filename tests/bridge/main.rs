//! The product through its public doors: real bridges as processes, a real account server, HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod audit;
mod bulk;
mod conditional;
mod confirmation;
mod credentials;
mod dev;
mod docs;
mod doctor;
mod entra;
mod errors;
mod groups;
mod limits;
mod lists;
mod media;
mod observe;
mod okta;
mod page;
mod paths;
mod removal;
mod requests;
mod scim2_tester;
mod secrets;
mod sessions;
mod setup;
mod stores;
mod support;

#[path = "../support/azure.rs"]
#[allow(dead_code, reason = "another test binary uses the rest")]
mod azure_stand_in;
#[path = "../support/browser.rs"]
mod browser;
#[path = "../support/moto.rs"]
mod moto;
#[path = "../confirmation/tap.rs"]
#[allow(dead_code, reason = "another test binary uses the rest")]
mod tap;
#[path = "../support/tools.rs"]
mod tools;
