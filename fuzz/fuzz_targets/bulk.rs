//! Any bytes as the body of a bulk request.
#![no_main]
#![allow(dead_code, reason = "the other targets use the rest")]

#[path = "../../tests/support/inputs.rs"]
mod inputs;

libfuzzer_sys::fuzz_target!(|body: &[u8]| inputs::bulk(body));
