//! The commands on the publisher's connection. Each child writes one kind of command and reads its reply; none knows
//! the consequences (`shard::interpret`) or the moment of sending (`shard::publisher`).

pub(crate) mod caller;
pub(crate) mod claims;
pub(crate) mod encode;
pub(crate) mod offline_queue;
pub(crate) mod owner;
pub(crate) mod presence;
pub(crate) mod publish;
pub(crate) mod room_call;
pub(crate) mod room_delta;
pub(crate) mod rooms;
pub(crate) mod script_call;

use redis::{Cmd, Value};
use switchboard_core::{Asker, BrokerError, StoredMessage};
use switchboard_protocol::{Mid, NodeId, PeerKey, RoomKey};
use switchboard_telemetry::RedisOp;
use tokio::sync::oneshot;

use super::record::Owner;
use crate::{partition::Partition, queue::Weighed};
use room_call::RoomCall;
use script_call::{Force, ScriptCall};

/// Queued for the publisher. Each command is interpreted exactly once, also when the connection is lost.
#[derive(Debug)]
pub(crate) enum Command {
    /// Publish an envelope on a peer's channel.
    Publish {
        mid: Mid,
        to: PeerKey,
        /// The partition of `to`: on the hot path it is computed once.
        partition: Partition,
        envelope: Vec<u8>,
    },
    /// Publish an envelope on a room's channel.
    PublishToRoom {
        mid: Mid,
        room: RoomKey,
        /// The partition of `room`.
        partition: Partition,
        envelope: Vec<u8>,
    },
    /// Read a peer's record, to locate the peer.
    Locate { asker: Asker, to: PeerKey },
    /// Read the owner of a peer that is to be claimed.
    ReadOwner {
        key: PeerKey,
        answer: oneshot::Sender<Result<Option<Owner>, BrokerError>>,
    },
    /// Read the lease of a peer's owner: is that run of its node alive?
    CheckLease { owner: Box<Owner>, next: AfterLease },
    /// Read this node's own lease: if Redis has lost it, other records may be lost, too, and their absence proves nothing.
    CheckAbsence(Absent),
    /// Publish on a node's channel.
    PublishToNode { node: NodeId, message: Vec<u8> },
    /// Publish on this node's own channel, to receive it.
    Probe { nonce: u64 },
    /// Send this, which only its caller can read; the answer is the reply.
    Query {
        operation: RedisOp,
        /// Of the keys; none: those of the shard itself.
        partition: Option<Partition>,
        call: Box<Cmd>,
        answer: oneshot::Sender<Result<Value, BrokerError>>,
    },
    /// Nothing; answered when everything before it is.
    Flush(oneshot::Sender<()>),
    /// Call a script.
    Script {
        call: Box<ScriptCall>,
        with_source: bool,
    },
}

/// Why a lease is checked.
#[derive(Debug)]
pub(crate) enum AfterLease {
    /// To locate the peer.
    Locate { asker: Asker, to: PeerKey },
    /// To store this message for the peer.
    Store(Box<StoredMessage>),
}

/// What ends once it is proved that a peer has no record.
#[derive(Debug)]
pub(crate) enum Absent {
    /// The search for the peer.
    Locate { asker: Asker, to: PeerKey },
    /// The send to the peer.
    Store { mid: Mid, to: PeerKey },
}

impl Weighed for Command {
    fn bytes(&self) -> usize {
        match self {
            Self::Publish { envelope, .. } | Self::PublishToRoom { envelope, .. } => envelope.len(),
            Self::PublishToNode { message, .. } => message.len(),
            Self::Script { call, .. } => call.bytes(),
            Self::Locate { .. }
            | Self::ReadOwner { .. }
            | Self::CheckLease { .. }
            | Self::CheckAbsence(_)
            | Self::Probe { .. }
            | Self::Query { .. }
            | Self::Flush(_) => 0,
        }
    }
}

impl Command {
    /// A call of a script.
    pub(crate) fn script(call: ScriptCall) -> Self {
        Self::Script {
            call: Box::new(call),
            with_source: false,
        }
    }

    /// A call for a room.
    pub(crate) fn room(call: RoomCall) -> Self {
        Self::script(ScriptCall::Room(call))
    }

    /// Stores `message` in an offline queue.
    pub(crate) fn store(message: StoredMessage) -> Self {
        let force = if message.is_urgent {
            Force::Urgent
        } else {
            Force::No
        };
        Self::script(ScriptCall::Store(message, force))
    }

    /// Whether it publishes a message of a client.
    pub(crate) fn is_message(&self) -> bool {
        matches!(self, Self::Publish { .. } | Self::PublishToRoom { .. })
    }

    /// Whether its answer must be read as soon as it comes. Of a message between peers it only says whether somebody listens:
    /// the outcome comes from the receiver's node. Of a message to a room it is the outcome.
    pub(crate) fn is_answer_awaited(&self) -> bool {
        !matches!(self, Self::Publish { .. } | Self::PublishToNode { .. })
    }

    /// The partition whose shard it goes to; none if any shard, or this one alone, will do.
    pub(crate) fn partition(&self) -> Option<Partition> {
        let of = |name: &str| Some(Partition::of(name));
        match self {
            Self::Publish { partition, .. } | Self::PublishToRoom { partition, .. } => Some(*partition),
            Self::Locate { to: key, .. } | Self::ReadOwner { key, .. } => of(key.as_str()),
            Self::CheckLease { next, .. } => match next {
                AfterLease::Locate { to, .. } => of(to.as_str()),
                AfterLease::Store(message) => of(message.to.as_str()),
            },
            Self::CheckAbsence(Absent::Locate { to, .. } | Absent::Store { to, .. }) => of(to.as_str()),
            Self::Query { partition, .. } => *partition,
            Self::Script { call, .. } => Some(call.partition()),
            Self::PublishToNode { .. } | Self::Probe { .. } | Self::Flush(_) => None,
        }
    }

    /// Its name in metrics.
    pub(crate) fn operation(&self) -> RedisOp {
        match self {
            Self::Publish { .. }
            | Self::PublishToRoom { .. }
            | Self::PublishToNode { .. }
            | Self::Probe { .. } => RedisOp::Publish,
            Self::Locate { .. }
            | Self::ReadOwner { .. }
            | Self::CheckLease { .. }
            | Self::CheckAbsence(_) => RedisOp::Locate,
            Self::Query { operation, .. } => *operation,
            Self::Flush(_) => RedisOp::Ping,
            Self::Script { call, .. } => call.operation(),
        }
    }

    /// Whether a client may notice that it was not carried out; the others are the node's own.
    pub(crate) fn is_of_clients(&self) -> bool {
        !matches!(self, Self::Probe { .. } | Self::Flush(_)) && self.operation() != RedisOp::Lease
    }

    /// The same command with the script's source, for a Redis that has forgotten the script.
    ///
    /// # Errors
    /// The command itself, if it has no source to add.
    pub(crate) fn with_source(self) -> Result<Self, Self> {
        match self {
            Self::Script {
                call,
                with_source: false,
            } => Ok(Self::Script {
                call,
                with_source: true,
            }),
            other @ (Self::Script { .. }
            | Self::Publish { .. }
            | Self::PublishToRoom { .. }
            | Self::Locate { .. }
            | Self::ReadOwner { .. }
            | Self::CheckLease { .. }
            | Self::CheckAbsence(_)
            | Self::PublishToNode { .. }
            | Self::Query { .. }
            | Self::Flush(_)
            | Self::Probe { .. }) => Err(other),
        }
    }
}
