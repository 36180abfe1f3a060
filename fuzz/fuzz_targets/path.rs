//! Any text as a path.
#![no_main]
#![allow(dead_code, reason = "the other targets use the rest")]

#[path = "../../tests/support/inputs.rs"]
mod inputs;

libfuzzer_sys::fuzz_target!(|text: &str| inputs::path(text));
