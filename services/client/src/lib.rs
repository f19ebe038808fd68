//! A Rust peer: connect with a token, send, expect what arrives. For tests, the command line and the load
//! generator; never part of a node. [`Client`] is one connection and decides nothing on its own; [`Session`]
//! outlives its connections: it reconnects, repeats what is unfinished and drops what came twice.

mod backoff;
mod client;
mod connect;
mod error;
mod options;
mod session;

pub use backoff::Backoff;
pub use client::{Client, Handshake, Outcome};
pub use connect::dial;
pub use error::{ClientError, ConnectError, Problem};
pub use options::{AcksBy, ConnectOptions, Resume, TokenVia};
pub use session::{Session, SessionError, SessionEvent, SessionOptions, TokenSource};
