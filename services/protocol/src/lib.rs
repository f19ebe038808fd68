//! The wire format of Switchboard: identifiers, commands, events, the envelope between nodes, and the tables of error and
//! close codes. Not here: tokio, IO, clocks and decisions.
//!
//! A **payload is opaque**. It enters as a slice of the received frame and leaves as the same bytes. No code parses,
//! changes or logs it.

mod close;
pub mod codec;
mod command;
mod envelope;
mod error;
mod event;
mod grant;
mod grant_limits;
mod id;
mod info;
mod kind;
mod limits;
mod mid;
mod nesting;
mod node_message;
mod outcome;
mod reflected;
mod relay;
mod resume;
mod revocation;
mod room;
mod secret;
mod token_claims;
mod trace;
mod wire;
mod wire_version;

pub use close::{ClientShould, CloseCode, retry_after_ms};
pub use codec::{
    Codec, MessageHead,
    native::{
        FrameError, ServerFrame, ServerMessage, decode_command, decode_event, encode_command,
        write_delivered, write_message,
    },
};
pub use command::{Command, CommandError, JoinCommand, SendCommand, SendTarget};
pub use envelope::{Envelope, EnvelopeError};
pub use error::ErrorCode;
pub use event::{Event, GoawayReason, IceServer, ReceiptStatus, Welcome, WelcomeLimits};
pub use grant::{DuplicatePolicy, Grant, Patterns, Role};
pub use grant_limits::GrantLimits;
pub use id::{IdError, MAX_ID_BYTES, NodeId, PeerId, PeerKey, RegionId, RoomId, RoomKey, TenantId};
pub use info::Info;
pub use kind::MessageKind;
pub use limits::{
    BACKEND_PEER, MAX_FRAME_DEPTH, MAX_HEAD_BYTES, MAX_INFO_BYTES, MAX_PATTERNS, MAX_PEERS_PER_COMMAND,
    SUBPROTOCOL,
};
pub use mid::{MessageId, Mid, MidError, SessionId};
pub use nesting::nests_deeper_than;
pub use node_message::{Ack, AckOutcome, NodeMessage, NodeMessageError};
pub use outcome::SendOutcome;
pub use reflected::{MAX_REFLECTED_CHARS, Reflected};
pub use relay::{RelayBody, RelayOutcome, RelayRequest};
pub use resume::{ResumeToken, ResumeTokenError};
pub use revocation::{
    MAX_TOKEN_ID_CHARS, Revocation, RevocationError, RevocationStatus, RevokedTokens, is_token_id,
};
pub use room::{Joined, LeaveReason, Member, MemberState, PeerJoined, PeerPresence, PresenceState};
pub use secret::Secret;
pub use token_claims::{Claims, SwitchboardClaims};
pub use trace::TraceContext;
pub use wire_version::WireVersion;
