//! The public port of a node: HTTP admission, transports, ICE servers over HTTP. It translates between a client's
//! transport and `core`; it decides nothing about messages and knows nothing of Redis.
//!
//! A request is admitted before it upgrades. A connection is one task with small buffers; it never waits for
//! another connection, for the bus, or for its own slow client.
//!
//! The way of a connection: `listener` (→ `tls`) → `http_connection` → `routes` → `transport` (its handshake) → `admission` →
//! `takeover` → `attach` → `connection` (the loop, over any transport and any codec).

mod admission;
mod api;
mod attach;
mod clock;
mod commands;
mod config;
#[doc(hidden)]
pub mod conformance;
mod connection;
mod drain;
mod files;
#[doc(hidden)]
pub mod fuzzing;
mod http_connection;
mod ice;
mod limits;
mod listener;
mod problem;
mod rebalance;
mod routes;
mod state;
mod stream;
mod takeover;
mod tls;
mod transport;

pub use admission::{network::Network, origin_list::Origins};
pub use config::EdgeConfig;
pub use drain::{DrainPlan, DrainReport};
pub use listener::serve;
pub use problem::Problem;
pub use rebalance::RebalancePlan;
pub use routes::{backend_routes, for_pages, routes};
pub use state::Edge;
pub use stream::tls::TlsStream;
pub use tls::{ClientCertificates, HandshakeError, TlsPort, TlsSettings};
