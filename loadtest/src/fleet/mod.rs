//! The generator's processes: one coordinator, which reads the scenario and merges records, and workers or agents,
//! which make the load. Both use the same lines, workers over their standard input and output, agents over TCP.

pub(crate) mod agent;
mod clock;
mod coordinator;
mod deadline;
mod handle;
pub(crate) mod handshake;
mod lines;
mod listener;
mod merge;
mod remote;
mod summary;
#[cfg(test)]
mod testing;
mod timeline;
mod wire;
pub(crate) mod worker;

pub(crate) use coordinator::{Fleet, WorkerSource};
pub(crate) use handle::Program;
pub(crate) use merge::Merged;
pub use wire::{Assignment, Key, Order, Report};
