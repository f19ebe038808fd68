//! Node → client: everything a node says on its own account. Forwarded messages are in `frame`, because
//! their payload must stay untouched bytes.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{ErrorCode, NodeId, PeerId, Secret, TenantId};

/// One event of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Event {
    /// The first frame of a connection: the session is attached and hears what is sent to it.
    Welcome(Box<Welcome>),
    /// What became of a send with `id`.
    Receipt {
        /// The send's `id`.
        id: u64,
        /// `delivered` is final, `queued` is not.
        status: ReceiptStatus,
    },
    /// A command failed; final for its `id`.
    Error {
        /// The command's `id`, where it had one that could be read.
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
    /// The answer to `ice`.
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
    /// Open a new connection; this one closes soon.
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
#[serde(rename_all = "lowercase")]
pub enum ReceiptStatus {
    /// The receiver is detached; the message waits for its resume. Not final.
    Queued,
    /// The receiver has it. Final.
    Delivered,
}

/// Why a node asks its clients to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GoawayReason {
    /// The node is about to stop.
    Draining,
    /// Another node has more room.
    Rebalancing,
}

/// What a connection is told first (protocol.md, section 3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// Who the client is.
    pub peer: PeerId,
    /// Its tenant.
    pub tenant: TenantId,
    /// The session's public id.
    pub session: String,
    /// The node it is on.
    pub node: NodeId,
    /// Whether an earlier session goes on.
    pub resumed: bool,
    /// Whether something of an earlier session could not be replayed.
    pub gap: bool,
    /// The secret with which this session can be resumed; empty where sessions cannot be resumed.
    pub resume_token: Secret,
    /// How long a detached session is kept, in milliseconds; 0 where sessions cannot be resumed.
    pub resume_window_ms: u64,
    /// How often the node sends a WebSocket ping, in milliseconds.
    pub heartbeat_ms: u64,
    /// When the token ends, in seconds since the Unix epoch.
    pub token_expires_at: u64,
    /// The bounds a client should know.
    pub limits: WelcomeLimits,
    /// As in `RTCConfiguration.iceServers`.
    pub ice_servers: Vec<IceServer>,
}

/// The bounds a client should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WelcomeLimits {
    /// The largest frame accepted, in bytes.
    pub message_bytes: usize,
    /// Sends of one connection that may wait for their final word.
    pub pending_messages: usize,
    /// Commands a second that one connection may send in the long run.
    pub messages_per_second: u32,
}

/// One entry of `RTCConfiguration.iceServers` (W3C WebRTC, section 4.2.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IceServer {
    /// `stun:` or `turn:` URLs.
    pub urls: Vec<String>,
    /// For TURN: `<unix expiry>:<peer>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// For TURN: base64 of HMAC-SHA1 over the user name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Secret>,
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

    /// An error with the code's own meaning as its message.
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
