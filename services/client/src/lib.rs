//! A Rust peer: connect with a token, send, expect what arrives. For tests, the command line and the load
//! generator; never part of a node. It decides nothing on its own: whoever uses it reconnects and repeats.

mod backoff;
mod client;
mod connect;
mod error;
mod options;

pub use backoff::Backoff;
pub use client::{Client, Outcome};
pub use error::{ClientError, ConnectError, Problem};
pub use options::{ConnectOptions, TokenVia};
