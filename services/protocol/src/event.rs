//! Node → client: the node's own events. Not here: forwarded messages, whose payload must keep its bytes (`frame`).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{
    ErrorCode, Joined, LeaveReason, NodeId, PeerId, PeerJoined, PeerPresence, RoomId, Secret, TenantId,
};

/// One event of a node. A client reads it with [`crate::decode_event`]: the derived reader does not know the events that
/// keep a JSON text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// The first frame of a connection: the session is attached and receives messages.
    Welcome(Box<Welcome>),
    /// The status of a send with an `id`.
    Receipt {
        /// The send's `id`.
        id: u64,
        /// `delivered` and `published` are final, `queued` is not.
        status: ReceiptStatus,
    },
    /// A command failed; final for its `id`.
    Error {
        /// The command's `id`, if it was readable.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        /// The reason for programs.
        code: ErrorCode,
        /// The reason for people.
        message: Cow<'static, str>,
        /// Milliseconds to wait before trying again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    /// The answer to `join`. It also comes unasked after a resume, and when a client must replace its roster.
    #[serde(skip_deserializing)]
    Joined(Box<Joined>),
    /// The answer to `leave`. It also comes unasked, with a reason, when the node ended the membership.
    Left {
        /// The command's `id`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        /// The room.
        room: RoomId,
        /// Why the node ended the membership. Absent in an answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<LeaveReason>,
    },
    /// Another peer joined a room of this client.
    #[serde(skip_deserializing)]
    PeerJoined(PeerJoined),
    /// Another peer left a room of this client.
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
    /// The number of members of a large room changed. It comes at most once a second.
    RoomCount {
        /// The room.
        room: RoomId,
        /// The number of members.
        count: u64,
    },
    /// The answer to `lookup`, `watch` and `unwatch`. For a watched peer it also comes unasked at each change.
    Presence {
        /// The command's `id`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        /// The peers and their states.
        peers: Vec<PeerPresence>,
    },
    /// The answer to `ice`. It also comes unasked, without an `id`, before the credentials end.
    Ice {
        /// The command's `id`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        /// As in `RTCConfiguration.iceServers`.
        ice_servers: Vec<IceServer>,
        /// When the credentials end, in seconds since the Unix epoch; 0 without credentials.
        expires_at: u64,
    },
    /// The token ends within 60 s; send `renew`.
    Expiring {
        /// Seconds since the Unix epoch.
        expires_at: u64,
    },
    /// The answer to `renew`.
    Renewed {
        /// The command's `id`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        /// Seconds since the Unix epoch.
        token_expires_at: u64,
    },
    /// Asks the client to open a new connection.
    Goaway {
        /// Why.
        reason: GoawayReason,
        /// Milliseconds to wait before connecting again.
        reconnect_after_ms: u64,
    },
    /// The answer to `ping`.
    Pong {
        /// The command's `id`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        /// The node's clock, in milliseconds since the Unix epoch.
        time_ms: u64,
    },
}

/// The status of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ReceiptStatus {
    /// The receiver is detached; the message waits for its resume. Not final.
    Queued,
    /// The receiver has it. Final.
    Delivered,
    /// The message is on its way to the members of the room. Final.
    Published,
}

/// Why a node asks its clients to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum GoawayReason {
    /// The node is about to stop.
    Draining,
    /// Another node has more room.
    Rebalancing,
}

/// The first frame of a connection (docs/protocol.md, "Handshake").
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Welcome {
    /// The client's peer ID.
    pub peer: PeerId,
    /// The client's tenant.
    pub tenant: TenantId,
    /// The session's public id.
    pub session: String,
    /// The session's node.
    pub node: NodeId,
    /// Whether an earlier session continues.
    pub resumed: bool,
    /// Whether messages of the earlier session may be missing.
    pub gap: bool,
    /// The secret that resumes this session; empty if sessions cannot be resumed.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub resume_token: Secret,
    /// How long a detached session lasts, in milliseconds; 0 if sessions cannot be resumed.
    pub resume_window_ms: u64,
    /// How often the node sends a WebSocket ping, in milliseconds.
    pub heartbeat_ms: u64,
    /// When the token ends, in seconds since the Unix epoch.
    pub token_expires_at: u64,
    /// The node's bounds for this client.
    pub limits: WelcomeLimits,
    /// As in `RTCConfiguration.iceServers`.
    pub ice_servers: Vec<IceServer>,
    /// When the credentials in `ice_servers` end, in seconds since the Unix epoch; 0 without credentials. An `ice` with
    /// new ones comes before.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub expires_at: u64,
}

/// The node's bounds for one client. A member that an older node does not send is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WelcomeLimits {
    /// The largest frame of the client, in bytes.
    pub message_bytes: usize,
    /// Sends of one connection that may have no outcome yet. Over it the node stops reading until one has its outcome.
    pub pending_messages: usize,
    /// Payload bytes of those sends.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub pending_bytes: usize,
    /// Commands per second of one connection in the long run, without acknowledgements and pings.
    pub messages_per_second: u32,
    /// Commands of one connection at once, without acknowledgements and pings.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub message_burst: u32,
    /// How long a send may wait for its outcome, in milliseconds, without the time in an offline queue.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub send_deadline_ms: u64,
    /// The longest `hold_ms` of a send, in milliseconds; a longer one counts as this. 0: the node holds nothing.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub hold_ms: u64,
    /// Rooms that the session may be in at once; 0: no bound.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub rooms_per_peer: usize,
    /// Peers that the peer may watch at once; 0: no bound.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub watched_per_peer: usize,
}

/// One entry of `RTCConfiguration.iceServers` (W3C WebRTC, section 4.2.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct IceServer {
    /// `stun:` or `turn:` URLs.
    pub urls: Vec<String>,
    /// For TURN: `<unix expiry>:<peer>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// For TURN: base64 of HMAC-SHA1 over the user name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub credential: Option<Secret>,
}

impl IceServer {
    fn held_bytes(&self) -> usize {
        let urls = self.urls.iter().map(|url| size_of::<String>() + url.len());
        let credential = self.credential.as_ref().map_or(0, |secret| secret.expose().len());
        size_of::<Self>() + urls.sum::<usize>() + self.username.as_ref().map_or(0, String::len) + credential
    }
}

impl Event {
    /// The JSON text of one frame, `type` first.
    #[must_use]
    pub fn to_json(&self) -> String {
        #[expect(
            clippy::expect_used,
            reason = "no map with non-string keys, no fallible Serialize inside"
        )]
        serde_json::to_string(self).expect("events serialise")
    }

    /// Bytes of memory that it holds, about.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let more = match self {
            Self::Error { message, .. } => match message {
                Cow::Owned(text) => text.capacity(),
                Cow::Borrowed(_) => 0,
            },
            Self::Ice { ice_servers, .. } => ice_servers.iter().map(IceServer::held_bytes).sum(),
            Self::Joined(joined) => joined.held_bytes(),
            Self::Presence { peers, .. } => size_of_val(peers.as_slice()),
            Self::Welcome(_)
            | Self::Receipt { .. }
            | Self::Left { .. }
            | Self::PeerJoined(_)
            | Self::PeerLeft { .. }
            | Self::RoomCount { .. }
            | Self::Expiring { .. }
            | Self::Renewed { .. }
            | Self::Goaway { .. }
            | Self::Pong { .. } => 0,
        };
        size_of::<Self>() + more
    }

    /// The `id` of the command that this event answers.
    #[must_use]
    pub const fn id(&self) -> Option<u64> {
        match self {
            Self::Receipt { id, .. } => Some(*id),
            Self::Error { id, .. }
            | Self::Left { id, .. }
            | Self::Presence { id, .. }
            | Self::Ice { id, .. }
            | Self::Renewed { id, .. }
            | Self::Pong { id, .. } => *id,
            Self::Joined(joined) => joined.id,
            Self::Welcome(_)
            | Self::PeerJoined(_)
            | Self::PeerLeft { .. }
            | Self::RoomCount { .. }
            | Self::Expiring { .. }
            | Self::Goaway { .. } => None,
        }
    }

    /// An error whose message is the code's meaning.
    #[must_use]
    pub const fn error(id: Option<u64>, code: ErrorCode) -> Self {
        Self::Error {
            id,
            code,
            message: Cow::Borrowed(code.meaning()),
            retry_after_ms: None,
        }
    }
}
