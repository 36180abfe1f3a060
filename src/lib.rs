//! scim-bridge: SCIM 2.0 on one side, a 1Password account on the other.

pub mod account;
