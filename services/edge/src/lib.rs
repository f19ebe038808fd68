//! The doors of a node: HTTP admission, the WebSocket, ICE servers over HTTP. Translates between a socket
//! and `core`; decides nothing about messages itself and knows nothing of Redis.
//!
//! Everybody is verified before anything upgrades. A connection is one task with small buffers; it never
//! waits for another connection, for the bus, or for its own slow client.

mod admission;
mod close;
mod config;
mod connection;
mod drain;
#[doc(hidden)]
pub mod echo;
mod heartbeat;
mod ice;
mod listener;
mod origin;
mod problem;
mod rebalance;
mod state;
mod token;
mod upgrade;
mod websocket;
mod wire;

pub use config::EdgeConfig;
pub use drain::{DrainPlan, DrainReport};
pub use listener::serve;
pub use problem::Problem;
pub use rebalance::RebalancePlan;
pub use state::Edge;
