//! Fuzz target: the property `switchboard_fuzz::protocol::session_text`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| switchboard_fuzz::protocol::session_text(data));
