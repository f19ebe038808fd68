//! Clusters of real processes with clients and load, for the end-to-end tests in `tests/`. The processes, the fault proxy
//! and the oracle are the harness's and re-exported here. Nothing here is linked into a node.

mod cluster;
mod load;
pub mod raw;
mod slow_socket;

pub use cluster::{Cluster, SECRET, claims, payload, sign, token};
pub use load::{Load, LoadPlan, TestPeer};
pub use slow_socket::connect_with_small_buffer;
pub use switchboard_harness::{
    ClientNo, ConnectionInfo, DeploymentOptions, FaultProxy, NodeProcess, OPS_TOKEN, Oracle, OracleReport,
    PATIENCE, Port, Received, RedisDeployment, RedisLayout, RedisOptions, RedisServer, RedisTls, Reply, Side,
    WebhookReceiver, binary, wait_until,
};
