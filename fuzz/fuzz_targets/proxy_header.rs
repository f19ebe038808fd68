//! Fuzz target: the property `switchboard_fuzz::edge::proxy_header`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| switchboard_fuzz::edge::proxy_header(data));
