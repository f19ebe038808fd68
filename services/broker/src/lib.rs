//! What joins the nodes: the memory and Redis backends of `switchboard_core::Broker`. Both pass one contract
//! suite (`tests/contract.rs`). Not here: what a node does with what it hears – that is `switchboard-core`.

mod asking;
mod keys;
mod memory;
mod queue;
mod redis;
mod slots;

pub use memory::{MemoryBroker, MemoryBus};
pub use redis::{RedisBroker, RedisConfig, RedisConfigError};
