//! States of Redis as clients and operators see them, with a real Redis, real nodes and a load: what sends end in, what
//! `/readyz`, the metrics and the log say, and that all is well again as soon as Redis is. How nodes fail is in `faults`.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod clock;
mod connections;
mod data;
mod drill;
mod owners;
mod refusals;
