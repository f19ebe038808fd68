//! Fuzz target: the property `switchboard_fuzz::auth::discovery_document`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| switchboard_fuzz::auth::discovery_document(data));
