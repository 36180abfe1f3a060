//! SCIM 2.0 as RFC 7643 and RFC 7644 say it: pure values and functions.
//!
//! Nothing here reads a file, waits, or knows what a 1Password account is. Text and JSON come in,
//! typed values or an [`error::Error`] come out. What a provider's habit asks for beyond the RFCs
//! is a named field of [`policy::Policy`]; everything is strict until a caller turns it on.
//!
//! - reading: [`json`], [`list`], [`filter`], [`path`], [`patch`], [`bulk`]
//! - resources: [`user`], [`group`], [`meta`], [`version`]
//! - knowledge: [`schema`], [`discovery`]
//! - answering: [`list`], [`projection`], [`sort`], [`error`]

pub mod bulk;
pub mod discovery;
pub mod error;
pub mod filter;
pub mod group;
pub mod json;
pub mod list;
pub mod meta;
pub mod patch;
pub mod path;
pub mod policy;
pub mod projection;
pub mod schema;
pub mod sort;
pub mod user;
pub mod version;

mod conform;
mod lookup;

pub use error::Error;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod second_opinion;
