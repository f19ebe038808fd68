//! What tests and the load generator share: servers as child processes (Redis, nodes, rivals, coturn), their ports, a
//! fault proxy, an oracle on what clients see, RESP and statistics. Nothing here is linked into a node, and nothing here
//! links a node: nodes are started as processes of the real binary.

mod authority;
mod committed;
mod coturn;
pub mod http;
mod node;
mod oracle;
mod ports;
mod process;
mod program;
mod proxy;
mod ready;
mod redis;
mod resident;
pub mod resp;
pub mod rivals;
pub mod stats;
mod stopped;
mod tls_server;
mod wait;
mod webhook_receiver;

pub use authority::{Authority, Certificate};
pub use committed::{Committed, committed_document, compare_document};
pub use coturn::Coturn;
pub use node::{NodeProcess, OPS_TOKEN, binary};
pub use oracle::{ClientNo, Oracle, OracleReport, Recovery};
pub use ports::Port;
pub use process::{Process, Recipe};
pub use program::{find_program, or_skip, program_version};
pub use proxy::{ConnectionInfo, FaultProxy, Side};
pub use ready::Ready;
pub use redis::{
    DeploymentOptions, REDIS, RedisDeployment, RedisLayout, RedisOptions, RedisServer, RedisTls,
    SENTINEL_MASTER, find_redis,
};
pub use resident::resident_kib;
pub use tls_server::TlsServer;
pub use wait::{PATIENCE, wait_until};
pub use webhook_receiver::{Received, Reply, WebhookReceiver};
