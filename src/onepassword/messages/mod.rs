//! The JSON on the wire.

pub mod administration;
pub mod errors;
pub mod sign_in;
