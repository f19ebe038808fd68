//! The consequences of a claim whose attach has given up.

use switchboard_core::BrokerEvents;
use switchboard_protocol::NodeMessage;

use super::super::state::Shard;
use crate::{
    partition::Partition,
    redis::{claim::LocalClaim, command::Command, record::Claimed},
};

/// The session becomes the owner as the record says, or gives the claim up if it is not to own the peer any more.
pub(crate) fn adopt(
    shard: &Shard,
    claim: &LocalClaim,
    claimed: Claimed,
    epoch: u32,
    events: &dyn BrokerEvents,
) {
    let Claimed {
        fence,
        previous,
        snapshot: _,
        stored,
        // The node of the session that was in them ends that session.
        rooms: _,
    } = claimed;
    let (key, session) = (&claim.key, claim.session());
    let is_owner = shard.at(Partition::of(key.as_str()), |_, tables| {
        tables.claims.confirm(key, session, fence, epoch)
    });
    if !is_owner {
        return shard.forget(key, session, fence);
    }
    if !stored.is_empty() {
        events.on_offline_queue(key, session, stored);
    }
    let Some(previous) = previous.filter(|previous| previous.node != *shard.node()) else {
        return;
    };
    let message = NodeMessage::Takeover {
        key: key.clone(),
        session: previous.session,
        fence,
    };
    let command = Command::PublishToNode {
        node: previous.node,
        message: message.encode(),
    };
    if let Err(error) = shard.send(command) {
        tracing::warn!(%error, "a node was not informed that it lost a session");
    }
}
