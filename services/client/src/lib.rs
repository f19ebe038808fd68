//! A Rust peer, for tests, the command line and the load generator. It is never part of a node. [`Client`] is one
//! connection and makes no decisions. [`Session`] outlives its connections: it reconnects, repeats sends without an
//! outcome and drops duplicates.

mod backoff;
mod client;
mod connect;
mod error;
mod options;
mod report;
mod roster;
mod session;
mod trust;

pub use backoff::Backoff;
pub use client::{Client, Handshake};
pub use connect::dial;
pub use error::{ClientError, ConnectError, Problem};
pub use options::{AcksBy, ConnectOptions, Resume, TokenVia};
pub use report::SendReport;
pub use roster::{Roster, Rosters};
pub use session::{RoomEvent, Session, SessionError, SessionEvent, SessionOptions, TokenSource};
pub use trust::Trust;
