//! Redis as child processes, in every mode that a node knows: [`RedisServer`] is one server, [`RedisDeployment`] the
//! servers of a mode, with what can be done to them. Each mode of several servers is one file here.

mod cluster;
mod deployment;
mod faults;
mod layout;
mod members;
mod options;
mod release;
mod reshard;
mod roles;
mod sentinel;
mod server;
mod start;
mod tls;

pub use deployment::RedisDeployment;
pub use layout::RedisLayout;
pub use options::DeploymentOptions;
pub use release::find_redis;
pub use sentinel::SENTINEL_MASTER;
pub use server::{REDIS, RedisOptions, RedisServer};
pub use tls::RedisTls;
