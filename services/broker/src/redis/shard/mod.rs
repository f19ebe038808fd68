//! A shard: one Redis server, with the tasks that use it. The publisher sends commands, the subscriber receives
//! messages, the lease proves that the node is alive, and the claim worker repairs claims. Not the
//! map of partitions to shards (`topology`).

mod absence;
mod claim_worker;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod health;
mod health_lines;
mod health_log;
pub(crate) mod interpret;
mod lease;
mod lease_renewal;
mod memory_probe;
mod pending;
mod probe;
mod publisher;
mod room_repair;
mod room_sweep;
pub(crate) mod rooms;
mod session_ends;
pub(crate) mod shutdown;
pub(crate) mod starter;
pub(crate) mod state;
pub(crate) mod subscriber;
mod sweep;
pub(crate) mod tables;
