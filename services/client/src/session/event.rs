//! The events of a session, for its application.

use switchboard_protocol::{NodeId, ServerMessage};

use crate::{Handshake, SendReport};

/// An event of a session.
#[derive(Debug, Clone)]
pub enum SessionEvent {
    /// There is a connection.
    Connected {
        /// Its node.
        node: NodeId,
        /// Whether the session of the connection before continues.
        resumed: bool,
        /// Whether messages to this peer may have been lost between the two connections.
        gap: bool,
        /// The URL, without its query.
        url: String,
        /// How long connecting took.
        handshake: Handshake,
    },
    /// There is no connection: it was lost, or an attempt failed. A retry follows automatically.
    Disconnected {
        /// Why, for people.
        reason: String,
    },
    /// A message of another peer. Each `mid` comes once.
    Message(ServerMessage),
    /// The receiver of a send is detached, and the message waits for it. Not final; at most once for each `id`.
    Queued {
        /// The send.
        id: u64,
    },
    /// A send has its outcome. Exactly one follows for each `id`.
    Outcome {
        /// The send.
        id: u64,
        /// The outcome.
        report: SendReport,
    },
    /// The session ended. Nothing follows.
    Ended {
        /// The close code, or the HTTP status of a refusal. 1006 after too long without a connection.
        code: u16,
        /// Why, for people.
        reason: String,
    },
}

/// Why a send was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The session ended.
    #[error("the session ended")]
    Ended,
}
