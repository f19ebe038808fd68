//! The generator's processes: one coordinator, which reads the scenario and merges what it is told, and workers or
//! agents, which make the load. Both speak the same lines, workers over their standard input and output, agents
//! over TCP.

mod clock;
mod course;
mod deadline;
mod lines;
pub(crate) mod merge;
mod own;
pub(crate) mod summary;
#[cfg(test)]
mod testing;
mod wire;
pub(crate) mod worker;

pub use wire::{Assignment, Key, Order, Said};
