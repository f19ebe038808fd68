//! Node → node: the messages on a node channel, which one node subscribes to. They are batches of acknowledgements, and
//! requests about a session. Not here: messages between peers (`envelope`).
//!
//! Layout: `tag u8`. Acknowledgements follow as entries of `session [12] · id u64 · outcome u8`. Relayed requests
//! and their answers are in `relay`. The other messages have `session [12] · fence u64 · key (the rest)`. An unused fence is 0.

use crate::{PeerKey, RelayOutcome, RelayRequest, SessionId, WireVersion, wire::Reader};

const TAG_ACKS: u8 = 1;
const TAG_TAKEOVER: u8 = 2;
const TAG_DETACH_REQUEST: u8 = 3;
const TAG_PROBE: u8 = 4;
const TAG_OFFLINE_QUEUE_HINT: u8 = 5;
const TAG_KICK: u8 = 6;
const TAG_RELAY: u8 = 20;
const TAG_RELAY_ANSWER: u8 = 21;

/// The answer of a receiving node to one envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// The sender's session.
    pub session: SessionId,
    /// The sender's `id`.
    pub id: u64,
    /// What the receiving node did with the envelope.
    pub outcome: AckOutcome,
}

/// What the receiving node did with an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckOutcome {
    /// Written to the receiver's socket.
    Delivered,
    /// The receiver's send queue is full. The sender pauses that stream and retries.
    Busy,
    /// A later message of the same sender was accepted and this one was not. It must not arrive any more.
    Late,
}

/// One message on a node channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeMessage {
    /// Acknowledgements of envelopes that the channel's node sent.
    Acks(Vec<Ack>),
    /// A newer claim with a higher fence replaced `session` of `key`. The old owner must end it.
    Takeover {
        /// The peer.
        key: PeerKey,
        /// The replaced session.
        session: SessionId,
        /// The fence of the new claim.
        fence: u64,
    },
    /// The client of `session` resumes on another node. The owner must detach the session.
    DetachRequest {
        /// The peer.
        key: PeerKey,
        /// The session to detach.
        session: SessionId,
    },
    /// Another connection wants the peer ID, and its token says `reject`. The owner must check whether the client of
    /// `session` still answers, and detach the session if it does not.
    Probe {
        /// The peer.
        key: PeerKey,
        /// The session that owns the peer ID.
        session: SessionId,
    },
    /// A message was stored in the offline queue of a peer that the record shows as attached to this node.
    OfflineQueueHint {
        /// The peer.
        key: PeerKey,
    },
    /// The backend removes the peer. The owner must close the connection of `session` and end it.
    Kick {
        /// The peer.
        key: PeerKey,
        /// The session to end.
        session: SessionId,
    },
    /// A request of a client whose session is here; it came over HTTP to another node.
    Relay(Box<RelayRequest>),
    /// The answer to [`NodeMessage::Relay`].
    RelayAnswer {
        /// Which request.
        ticket: u64,
        /// What became of it.
        outcome: RelayOutcome,
    },
}

/// The session of a message that is about none.
const NO_SESSION: SessionId = SessionId::from_bytes([0; SessionId::BYTES]);

/// Why bytes on a node channel are not a message of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NodeMessageError {
    /// A kind of message that another version may know.
    #[error("node message {0} is not known here")]
    Tag(u8),
    /// A known kind with bytes that no node writes, or no bytes at all.
    #[error("not a node message")]
    Malformed,
}

impl NodeMessage {
    /// The first version that knows this kind of message. A new kind gets the next version, and [`WireVersion::OWN`] grows.
    #[must_use]
    pub const fn since(&self) -> WireVersion {
        match self {
            Self::Acks(_)
            | Self::Takeover { .. }
            | Self::DetachRequest { .. }
            | Self::Probe { .. }
            | Self::OfflineQueueHint { .. }
            | Self::Kick { .. }
            | Self::Relay(_)
            | Self::RelayAnswer { .. } => WireVersion::UNSAID,
        }
    }

    /// The binary form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Acks(acks) => {
                out.reserve_exact(1 + acks.len() * (SessionId::BYTES + 9));
                out.push(TAG_ACKS);
                for ack in acks {
                    out.extend_from_slice(ack.session.as_bytes());
                    out.extend_from_slice(&ack.id.to_be_bytes());
                    out.push(match ack.outcome {
                        AckOutcome::Delivered => 0,
                        AckOutcome::Busy => 1,
                        AckOutcome::Late => 2,
                    });
                }
            }
            Self::Takeover { key, session, fence } => {
                write_session_message(TAG_TAKEOVER, key, *session, *fence, &mut out)
            }
            Self::DetachRequest { key, session } => {
                write_session_message(TAG_DETACH_REQUEST, key, *session, 0, &mut out)
            }
            Self::Probe { key, session } => write_session_message(TAG_PROBE, key, *session, 0, &mut out),
            Self::Kick { key, session } => write_session_message(TAG_KICK, key, *session, 0, &mut out),
            Self::OfflineQueueHint { key } => {
                write_session_message(TAG_OFFLINE_QUEUE_HINT, key, NO_SESSION, 0, &mut out)
            }
            Self::Relay(request) => {
                out.push(TAG_RELAY);
                request.write(&mut out);
            }
            Self::RelayAnswer { ticket, outcome } => {
                out.push(TAG_RELAY_ANSWER);
                out.extend_from_slice(&ticket.to_be_bytes());
                outcome.write(&mut out);
            }
        }
        out
    }

    /// Reads the binary form.
    ///
    /// # Errors
    /// [`NodeMessageError`] for bytes that [`NodeMessage::encode`] of this version does not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, NodeMessageError> {
        let mut reader = Reader::new(bytes);
        let [tag] = reader.array().ok_or(NodeMessageError::Malformed)?;
        let message = match tag {
            TAG_ACKS => acks(reader),
            TAG_RELAY => RelayRequest::read(&mut reader).map(|request| Self::Relay(Box::new(request))),
            TAG_RELAY_ANSWER => relay_answer(reader),
            TAG_TAKEOVER | TAG_DETACH_REQUEST | TAG_PROBE | TAG_OFFLINE_QUEUE_HINT | TAG_KICK => {
                read_session_message(tag, reader)
            }
            other => return Err(NodeMessageError::Tag(other)),
        };
        message.ok_or(NodeMessageError::Malformed)
    }
}

fn acks(mut reader: Reader<'_>) -> Option<NodeMessage> {
    let mut acks = Vec::new();
    while !reader.is_empty() {
        acks.push(ack(&mut reader)?);
    }
    Some(NodeMessage::Acks(acks))
}

fn ack(reader: &mut Reader<'_>) -> Option<Ack> {
    let session = SessionId::from_bytes(reader.array()?);
    let id = reader.u64()?;
    let outcome = match reader.array()? {
        [0] => AckOutcome::Delivered,
        [1] => AckOutcome::Busy,
        [2] => AckOutcome::Late,
        _ => return None,
    };
    Some(Ack { session, id, outcome })
}

fn relay_answer(mut reader: Reader<'_>) -> Option<NodeMessage> {
    let ticket = reader.u64()?;
    let outcome = RelayOutcome::read(reader)?;
    Some(NodeMessage::RelayAnswer { ticket, outcome })
}

fn write_session_message(tag: u8, key: &PeerKey, session: SessionId, fence: u64, out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(session.as_bytes());
    out.extend_from_slice(&fence.to_be_bytes());
    out.extend_from_slice(key.as_str().as_bytes());
}

fn read_session_message(tag: u8, mut reader: Reader<'_>) -> Option<NodeMessage> {
    let session = SessionId::from_bytes(reader.array()?);
    let fence = reader.u64()?;
    let key = PeerKey::parse(std::str::from_utf8(reader.rest()).ok()?).ok()?;
    match tag {
        TAG_TAKEOVER => Some(NodeMessage::Takeover { key, session, fence }),
        TAG_DETACH_REQUEST if fence == 0 => Some(NodeMessage::DetachRequest { key, session }),
        TAG_PROBE if fence == 0 => Some(NodeMessage::Probe { key, session }),
        TAG_KICK if fence == 0 => Some(NodeMessage::Kick { key, session }),
        TAG_OFFLINE_QUEUE_HINT if fence == 0 && session == NO_SESSION => {
            Some(NodeMessage::OfflineQueueHint { key })
        }
        _ => None,
    }
}
