//! Clusters of real processes for the end-to-end tests in `tests/`: a redis-server, nodes of the real binary,
//! clients. Not a simulation, and nothing here is linked into a node.

mod cluster;
mod node;
mod proxy;
mod redis;
mod wait;

pub use cluster::{Cluster, SECRET, claims, payload, token};
pub use node::{NodeProcess, binary};
pub use proxy::{ConnectionInfo, FaultProxy, Side};
pub use redis::RedisServer;
pub use wait::{PATIENCE, wait_until};

/// A port that nobody listens on at this moment.
///
/// # Errors
/// When the system has none.
pub fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
