//! The generator's processes: one coordinator, which reads the scenario and merges what it is told, and workers or
//! agents, which make the load. Both speak the same lines, workers over their standard input and output, agents
//! over TCP.

pub(crate) mod agent;
mod clock;
mod coordinator;
mod course;
mod deadline;
pub(crate) mod handshake;
mod lines;
mod listener;
mod local;
mod member;
mod merge;
mod remote;
pub(crate) mod summary;
#[cfg(test)]
mod testing;
mod wire;
pub(crate) mod worker;

pub(crate) use coordinator::{Crew, Fleet};
pub(crate) use local::Program;
pub(crate) use merge::Merged;
pub use wire::{Assignment, Key, Order, Said};
