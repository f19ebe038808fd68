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
    /// Publish on a node's channel.
    PublishToNode { node: NodeId, message: Vec<u8> },
    /// Publish on this node's own channel, to receive it.
    Probe { nonce: u64 },
    /// Send this, which only its caller can read; the answer is the reply.
    Query {
        operation: RedisOp,
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

impl Weighed for Command {
    fn bytes(&self) -> usize {
        match self {
            Self::Publish { envelope, .. } | Self::PublishToRoom { envelope, .. } => envelope.len(),
            Self::PublishToNode { message, .. } => message.len(),
            Self::Script { call, .. } => call.bytes(),
            Self::Locate { .. }
            | Self::ReadOwner { .. }
            | Self::CheckLease { .. }
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

    /// Its name in metrics.
    pub(crate) fn operation(&self) -> RedisOp {
        match self {
            Self::Publish { .. }
            | Self::PublishToRoom { .. }
            | Self::PublishToNode { .. }
            | Self::Probe { .. } => RedisOp::Publish,
            Self::Locate { .. } | Self::ReadOwner { .. } | Self::CheckLease { .. } => RedisOp::Locate,
            Self::Query { operation, .. } => *operation,
            Self::Flush(_) => RedisOp::Ping,
            Self::Script { call, .. } => call.operation(),
        }
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
            | Self::PublishToNode { .. }
            | Self::Query { .. }
            | Self::Flush(_)
            | Self::Probe { .. }) => Err(other),
        }
    }
}
