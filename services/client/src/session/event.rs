//! What a session tells its application.

use switchboard_protocol::{NodeId, ServerMessage};

use crate::{Handshake, Outcome};

/// What a session tells its application.
#[derive(Debug, Clone)]
pub enum SessionEvent {
    /// There is a connection.
    Connected {
        /// The node it leads to.
        node: NodeId,
        /// Whether the session of the connection before goes on.
        resumed: bool,
        /// Whether something for this peer may have been lost between the two.
        gap: bool,
        /// The URL, without its query.
        url: String,
        /// How long connecting took.
        handshake: Handshake,
    },
    /// There is no connection: it was lost, or an attempt to get one failed. A retry follows by itself.
    Disconnected {
        /// Why, for people.
        reason: String,
    },
    /// Another peer's message; each `mid` comes once.
    Message(ServerMessage),
    /// The receiver of a send is away; the message waits for it. Not final; at most once an `id`.
    Queued {
        /// The send.
        id: u64,
    },
    /// The final word on a send: exactly one for each `id`.
    Word {
        /// The send.
        id: u64,
        /// What became of it.
        outcome: Outcome,
    },
    /// The session is over; nothing more comes.
    Ended {
        /// The close code; or the HTTP status of the refusal; 1006 when there was no connection for too long.
        code: u16,
        /// Why, for people.
        reason: String,
    },
}

/// Why a send could not be queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The session is over.
    #[error("the session is over")]
    Ended,
}
