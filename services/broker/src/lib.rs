//! The memory and Redis backends of `switchboard_core::Broker`, which joins the nodes of a cluster. Both pass
//! one contract suite (`tests/contract.rs`). Not the node's reaction to events: that is
//! `switchboard-core`.

mod conflict;
#[doc(hidden)]
pub mod fuzzing;
mod keys;
mod memory;
mod partition;
mod queue;
mod redis;
mod session_end;

pub use memory::{MemoryBroker, MemoryBus};
pub use redis::{
    MAX_MESSAGE_BYTES, RedisBroker, RedisConfig, RedisConfigError, RedisCredentials, RedisMode, RedisTls,
    RedisTlsError,
};
