//! The consequences of the answer to a store.

use switchboard_core::{BrokerError, BrokerEvents, StoreOutcome, StoredMessage};
use switchboard_protocol::{NodeId, NodeMessage, PeerKey};

use super::{super::state::Shard, absent};
use crate::redis::{
    command::{
        Absent, AfterLease, Command,
        offline_queue::StoreReply,
        script_call::{Force, ScriptCall},
    },
    record::Owner,
};

/// Reports the outcome; if the peer is said to be attached, its owner's lease is checked first.
pub(super) fn stored(
    message: StoredMessage,
    force: &Force,
    reply: Result<StoreReply, BrokerError>,
    shard: &Shard,
    events: &dyn BrokerEvents,
) -> Option<Command> {
    let outcome = match reply {
        Ok(StoreReply::NoRecord) => {
            let StoredMessage { mid, to, .. } = message;
            return absent::found(Absent::Store { mid, to }, shard, events);
        }
        Ok(StoreReply::Attached { node, incarnation }) if *force == Force::No => {
            let owner = Owner {
                node,
                incarnation,
                session: String::new(),
                is_attached: true,
                touches: None,
                fence: 0,
            };
            return Some(Command::CheckLease {
                owner: Box::new(owner),
                next: AfterLease::Store(Box::new(message)),
            });
        }
        Ok(StoreReply::Attached { .. }) => Ok(StoreOutcome::Attached),
        Ok(StoreReply::NeedsCharge) => {
            return Some(Command::script(ScriptCall::ChargeHold(message, force.clone())));
        }
        Ok(StoreReply::Queued { lasts, node, wakes }) => {
            if *force == Force::Urgent {
                hint(&node, &message.to, shard);
            }
            let kept_for = lasts;
            Ok(StoreOutcome::Queued { kept_for, wakes })
        }
        Ok(StoreReply::Final(outcome)) => Ok(outcome),
        Err(error) => Err(error),
    };
    events.on_stored(message.mid, &message.to, outcome);
    None
}

/// The tenant was charged for the hold: the message is stored. Or the tenant holds as much as it may.
pub(super) fn charged(
    message: StoredMessage,
    force: Force,
    fits: Result<bool, BrokerError>,
    events: &dyn BrokerEvents,
) -> Option<Command> {
    let outcome = match fits {
        Ok(true) => return Some(Command::script(ScriptCall::StoreHeld(message, force))),
        Ok(false) => Ok(StoreOutcome::TenantFull),
        Err(error) => Err(error),
    };
    events.on_stored(message.mid, &message.to, outcome);
    None
}

/// If that node is alive after all, it reads the offline queue.
fn hint(node: &str, key: &PeerKey, shard: &Shard) {
    let Ok(node) = NodeId::new(node) else { return };
    let message = NodeMessage::OfflineQueueHint { key: key.clone() }.encode();
    if let Err(error) = shard.send(Command::PublishToNode { node, message }) {
        tracing::debug!(%error, "a hint was not sent; the next claim finds the offline queue");
    }
}
