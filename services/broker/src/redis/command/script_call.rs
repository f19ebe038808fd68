//! One call of a script on a peer's record, or for a room. Not how it is written (`claims`, `offline_queue`, `rooms`).

use std::time::Duration;

use switchboard_core::{BrokerError, StoredMessage};
use switchboard_protocol::{PeerKey, SessionId};
use switchboard_telemetry::RedisOp;
use tokio::sync::oneshot;

use super::{
    super::{
        claim::{LocalClaim, Release},
        record::{Claimed, Reasserted},
    },
    room_call::RoomCall,
};
use crate::partition::Partition;

/// A script with its values.
#[derive(Debug)]
pub(crate) enum ScriptCall {
    /// Claim a peer.
    Claim {
        claim: LocalClaim,
        /// Only if the record is of this very session and secret.
        resume: bool,
        /// How long stored messages stay until they are delivered.
        window: Duration,
        /// The epoch it counts for.
        epoch: u32,
        answer: oneshot::Sender<Result<Claimed, BrokerError>>,
    },
    /// Write a claim again, after Redis may have lost it.
    Reassert {
        claim: LocalClaim,
        answer: oneshot::Sender<Result<Reasserted, BrokerError>>,
    },
    /// Give a claim up.
    Release(Release),
    /// Store a message in an offline queue.
    Store(StoredMessage, Force),
    /// Charge its tenant for the hold of a message, then store it.
    ChargeHold(StoredMessage, Force),
    /// The same as `Store`, and its tenant was charged.
    StoreHeld(StoredMessage, Force),
    /// Read the offline queue of a peer that is attached here.
    ReadOfflineQueue(PeerKey, SessionId),
    /// Remove the oldest stored messages.
    RemoveStored {
        key: PeerKey,
        session: SessionId,
        messages: usize,
        bytes: usize,
    },
    /// Touch the record: the client has just answered a probe.
    Touch(PeerKey, SessionId),
    /// A call for a room.
    Room(RoomCall),
}

/// Whether a message is stored although the receiver is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Force {
    No,
    Urgent,
    /// If this incarnation of the owner's node owns it: its lease has run out.
    OwnerIsDead(String),
}

impl ScriptCall {
    /// The partition of its keys.
    pub(crate) fn partition(&self) -> Partition {
        Partition::of(match self {
            Self::Claim { claim, .. } | Self::Reassert { claim, .. } => claim.key.as_str(),
            Self::Release(release) => release.key.as_str(),
            Self::Store(message, _) | Self::StoreHeld(message, _) => message.to.as_str(),
            Self::ChargeHold(message, _) => message.from.tenant(),
            Self::ReadOfflineQueue(key, _) | Self::RemoveStored { key, .. } | Self::Touch(key, _) => {
                key.as_str()
            }
            Self::Room(call) => return call.partition(),
        })
    }

    /// Its name in metrics.
    pub(crate) fn operation(&self) -> RedisOp {
        match self {
            Self::Claim { .. } | Self::Reassert { .. } => RedisOp::Claim,
            Self::Release(_) => RedisOp::Release,
            Self::Store(..)
            | Self::ChargeHold(..)
            | Self::StoreHeld(..)
            | Self::ReadOfflineQueue(..)
            | Self::RemoveStored { .. }
            | Self::Touch(..) => RedisOp::OfflineQueue,
            Self::Room(_) => RedisOp::Room,
        }
    }

    /// Payload bytes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Store(message, _) | Self::ChargeHold(message, _) | Self::StoreHeld(message, _) => {
                message.envelope.len()
            }
            Self::Claim { .. }
            | Self::Reassert { .. }
            | Self::Release(_)
            | Self::ReadOfflineQueue(..)
            | Self::RemoveStored { .. }
            | Self::Touch(..) => 0,
            Self::Room(call) => call.bytes(),
        }
    }
}
