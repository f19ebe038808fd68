//! What must hold for every input of every decoder. `fuzz_targets` calls these functions with the fuzzer's
//! bytes; the tests of the crates call them with the seeded corpus. Not the decoders.

#[cfg(feature = "auth")]
pub mod auth;
#[cfg(feature = "broker")]
pub mod broker;
#[cfg(feature = "edge")]
pub mod edge;
#[cfg(feature = "loadtest")]
pub mod loadtest;
#[cfg(feature = "node")]
pub mod node;
pub mod protocol;
#[cfg(feature = "edge")]
pub mod websocket;
