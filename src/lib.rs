//! scim-bridge: SCIM 2.0 on one side, a 1Password account on the other.
//!
//! A request comes in at one door, is authenticated, becomes a SCIM value, becomes a call on the
//! account, and its answer goes back the same way. Nothing is kept in the process that another
//! process would need.
//!
//! ```text
//! identity provider ──▶ http ──▶ bridge ──▶ account ──E2EE──▶ account service
//!                        │          ╲
//!         credentials ◀──┘           ▶ state
//! timer or schedule ──▶ service::sweep ──▶ bridge::confirmation ──▶ account
//! ```
//!
//! The rooms, from the ground up; each imports only from floors below it.
//!
//! | floor | module | what lives there |
//! | --- | --- | --- |
//! | 0 | [`outbound`] | the one HTTP client that a process has |
//! | 0 | `log`, [`metrics`] | what the process says of itself |
//! | 0 | `private_file` | files that only their owner may read |
//! | 1 | [`scim`] | SCIM 2.0 as the RFCs say it: pure values and functions |
//! | 1 | [`onepassword`] | the account service's protocol, both halves: pure too |
//! | 1 | `azure_identity` | tokens of Microsoft Entra ID for the process itself |
//! | 2 | [`account`] | what the bridge asks of an account, and the connectors that answer |
//! | 2 | [`credentials`] | bearer token, sweep key, the sealed `scimsession`; where they are kept |
//! | 2 | [`state`] | what the bridge remembers between requests |
//! | 3 | [`bridge`] | the rules: users, groups, confirmation |
//! | 4 | [`http`] | one router: authentication, SCIM routes, health, the status page, limits |
//! | 5 | [`config`], [`service`] | settings, and the parts put together |
//! | 5 | `pulse` | how the work goes, written down for monitors |
//! | 5 | `session_share` | the state store as the place where account sessions are shared |
//! | 5 | `function` | what the functions of both clouds have in common |
//! | 5 | `cli` | the command line `scim-bridge` |
//! | 5 | `bin/lambda`, `bin/azure` | `bootstrap`: the two functions on AWS; `handler`: those on Azure |
//! | beside | `sandbox` | the account server for development |
//!
//! The sandbox's server knows nothing above floor 1; the people who sign in to it borrow the sign-in
//! of [`account::native`].

pub mod account;
#[cfg(feature = "azure")]
pub mod azure_identity;
pub mod bridge;
#[cfg(feature = "local")]
pub mod cli;
pub mod config;
pub mod credentials;
#[cfg(any(feature = "aws", feature = "azure"))]
pub mod function;
pub mod http;
#[cfg(any(feature = "aws", feature = "azure"))]
pub mod log;
pub mod metrics;
pub mod onepassword;
pub mod outbound;
pub mod private_file;
mod pulse;
#[cfg(feature = "local")]
pub mod sandbox;
pub mod scim;
pub mod service;
pub mod session_share;
pub mod state;
