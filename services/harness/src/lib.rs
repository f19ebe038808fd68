//! What tests and the load generator share: servers as child processes (Redis, nodes, rivals, coturn), their ports, a
//! fault proxy, an oracle on what clients see, RESP and statistics. Nothing here is linked into a node, and nothing here
//! links a node: nodes are started as processes of the real binary.

pub mod http;
mod node;
mod ports;
mod process;
mod program;
mod ready;
mod redis;
pub mod resp;
pub mod rivals;
pub mod stats;
mod wait;

pub use node::{NodeProcess, binary};
pub use ports::Port;
pub use process::{Process, Recipe};
pub use program::{find_program, or_skip, program_version};
pub use ready::Ready;
pub use redis::{REDIS, RedisOptions, RedisServer};
pub use wait::{PATIENCE, wait_until};
