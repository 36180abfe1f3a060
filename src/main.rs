//! The command line `scim-bridge`.
fn main() {}
