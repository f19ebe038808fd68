//! Ends a session that the backend removes: its record in Redis, with the lease of its node. Not the steps (`session_end`
//! of the crate).

use futures_util::FutureExt as _;
use redis::Pipeline;
use switchboard_core::{BrokerError, EndedSession, RoomMembership};
use switchboard_protocol::{PeerKey, SessionId};
use tokio::sync::oneshot;

use super::{
    command::{Command, caller::session_text, rooms},
    periods::LEASE,
    redirected::{self, Place},
    scripts::Script,
    shard::state::Shard,
    topology::Topology,
};
use crate::{conflict::Owner, partition::Partition, session_end};

/// Ends the session of `key`.
pub(crate) async fn end(topology: &Topology, key: &PeerKey) -> Result<Option<EndedSession>, BrokerError> {
    let partition = Partition::of(key.as_str());
    // Anew for each step: the partition may move meanwhile.
    let current = || topology.shard_of(partition);
    let read_owner = || {
        async {
            let shard = current();
            let owner = owner_of(&shard, key).await?;
            if owner.is_none() {
                shard.prove_absence(Some(partition)).await?;
            }
            Ok(owner)
        }
        .boxed()
    };
    let ask = |owner: &Owner, session| {
        let (node, message) = (owner.node.clone(), session_end::request(key, session));
        if let Err(error) = current().send(Command::PublishToNode { node, message }) {
            tracing::debug!(%error, "the node of a peer could not be asked to remove it");
        }
    };
    session_end::end(read_owner, ask, |owner, session| {
        async move { remove(topology, key, owner, session).await }.boxed()
    })
    .await
}

/// The owner of a peer.
///
/// # Errors
/// [`BrokerError`] when Redis does not say.
pub(super) async fn owner_of(shard: &Shard, key: &PeerKey) -> Result<Option<Owner>, BrokerError> {
    let (answer, owner) = oneshot::channel();
    let key = key.clone();
    shard.send(Command::ReadOwner { key, answer })?;
    // Without an answer the publisher is gone.
    let owner = owner.await.unwrap_or(Err(BrokerError::Unavailable))?;
    Ok(owner.map(|owner| Owner {
        is_local: owner.node == *shard.node() && owner.incarnation == shard.lease.incarnation(),
        session: SessionId::parse(&owner.session).ok(),
        node: owner.node,
        is_attached: owner.is_attached,
        touches: owner.touches,
    }))
}

/// Removes the record of a detached session, or of one whose node is dead. Returns the rooms that it named.
async fn remove(
    topology: &Topology,
    key: &PeerKey,
    owner: Owner,
    session: SessionId,
) -> Result<Option<Vec<RoomMembership>>, BrokerError> {
    let shard = topology.shard_of(Partition::of(key.as_str()));
    if owner.is_attached {
        // A lease that is absent proves a death only if its node could have renewed it.
        shard.health.reachable_for(LEASE)?;
    }
    let mut pipeline = Pipeline::with_capacity(1);
    pipeline
        .cmd("GET")
        .arg(shard.caller.names.lease(owner.node.as_str()));
    let (living,): (Option<String>,) = query(topology, key, &pipeline).await?;
    let mut call = shard
        .caller
        .on_record_queue_and_ends(Script::RemoveSession, key, true);
    call.arg(session_text(session)).arg(living.unwrap_or_default());
    let mut pipeline = Pipeline::with_capacity(1);
    pipeline.add_command(call);
    type Notes = Vec<(Vec<u8>, Vec<u8>)>;
    let (notes,): (Option<Notes>,) = query(topology, key, &pipeline).await?;
    Ok(notes.map(|notes| rooms::read_notes(&notes)))
}

async fn query<T: redis::FromRedisValue>(
    topology: &Topology,
    key: &PeerKey,
    pipeline: &Pipeline,
) -> Result<T, BrokerError> {
    let place = || Ok(Place::Of(topology.shard_of(Partition::of(key.as_str()))));
    redirected::query(place, pipeline).await.map_err(|error| {
        tracing::debug!(%error, "Redis did not end a session");
        BrokerError::Unavailable
    })
}
