//! The events of a session, for its application.

use switchboard_protocol::{
    ErrorCode, Event, Joined, LeaveReason, MAX_PEERS_PER_COMMAND, NodeId, PeerId, PeerJoined, PeerPresence,
    RoomId, ServerMessage,
};

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
    /// A message of another peer, to this peer or to a room. Each `mid` comes once.
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
    /// An event of a room: the answer to a join or leave, or a change. [`crate::Rosters`] keeps the members.
    Room(RoomEvent),
    /// The state of peers: the answer to a lookup, watch or unwatch, or a change of watched peers.
    Presence {
        /// The request; `None` for a change.
        id: Option<u64>,
        /// The peers and their states.
        peers: Vec<PeerPresence>,
    },
    /// A join, leave, lookup, watch or unwatch failed. For a join that had succeeded, the session was lost and the new
    /// one could not join: the membership has ended.
    Failed {
        /// The request.
        id: u64,
        /// The reason for programs.
        code: ErrorCode,
        /// The reason for people.
        message: String,
    },
    /// The session ended. Nothing follows.
    Ended {
        /// The close code, or the HTTP status of a refusal. 1006 after too long without a connection.
        code: u16,
        /// Why, for people.
        reason: String,
    },
}

/// What happened in a room of this session.
#[derive(Debug, Clone, PartialEq)]
pub enum RoomEvent {
    /// The session is a member. Also unasked, after a resume or when the node lost track: the roster is replaced.
    Joined(Box<Joined>),
    /// The session is no member any more.
    Left {
        /// The `leave`; `None` if the node ended the membership.
        id: Option<u64>,
        /// The room.
        room: RoomId,
        /// Why the node ended the membership.
        reason: Option<LeaveReason>,
    },
    /// Another peer became a member.
    PeerJoined(PeerJoined),
    /// Another peer is no member any more.
    PeerLeft {
        /// The room.
        room: RoomId,
        /// The version of the roster without the peer.
        version: u64,
        /// The peer.
        peer: PeerId,
        /// Why.
        reason: LeaveReason,
    },
    /// The number of members of a large room, whose members are not listed.
    Count {
        /// The room.
        room: RoomId,
        /// The number of members.
        count: u64,
    },
}

impl From<RoomEvent> for Event {
    fn from(event: RoomEvent) -> Self {
        match event {
            RoomEvent::Joined(joined) => Self::Joined(joined),
            RoomEvent::Left { id, room, reason } => Self::Left { id, room, reason },
            RoomEvent::PeerJoined(joined) => Self::PeerJoined(joined),
            RoomEvent::PeerLeft {
                room,
                version,
                peer,
                reason,
            } => Self::PeerLeft {
                room,
                version,
                peer,
                reason,
            },
            RoomEvent::Count { room, count } => Self::RoomCount { room, count },
        }
    }
}

/// Why a request was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The session ended.
    #[error("the session ended")]
    Ended,
    /// More peers than one command may name.
    #[error("{0} peers in one request; at most {MAX_PEERS_PER_COMMAND} are allowed")]
    TooManyPeers(usize),
}
