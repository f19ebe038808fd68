//! Fuzz target: the property `switchboard_fuzz::websocket::websocket`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| switchboard_fuzz::websocket::websocket(data));
