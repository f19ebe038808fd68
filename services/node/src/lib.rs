//! A Switchboard node as a library: configuration in, a running node out, so that a test can boot one on port 0. The
//! binary only parses the command line. Decisions about messages are in `core`.

pub mod cli;
pub mod command;
pub mod config;
mod demo;
mod drain;
mod files;
mod health;
mod loopback;
mod memory;
mod node;
mod ops;
mod port_tls;
mod readiness;
mod reload;
mod status;
#[cfg(feature = "development-turn")]
mod turn_server;
#[cfg(not(feature = "development-turn"))]
#[path = "no_turn_server.rs"]
mod turn_server;
mod wanted;

pub use node::Node;
pub use ops::OpsAccess;
