//! Fuzz target: the property `switchboard_fuzz::broker::rooms`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| switchboard_fuzz::broker::rooms(data));
