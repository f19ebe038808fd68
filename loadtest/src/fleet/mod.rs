//! The generator's processes: one coordinator, which reads the scenario and merges what it is told, and workers or
//! agents, which make the load. Both speak the same lines, workers over their standard input and output, agents
//! over TCP.

mod wire;

pub use wire::{Assignment, Key, Order, Said};
