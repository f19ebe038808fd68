//! Moves partitions from one shard to another, with the claims, subscriptions, rooms and pending work that this node has in
//! them. Nothing waits for it and nothing is lost: on the new shard all of it is unconfirmed, as after a reconnect.

use std::sync::Arc;

use crate::{
    partition::PartitionSet,
    redis::{
        detours::Drain,
        shard::{
            state::Shard,
            tables::{Channel, Tables},
        },
    },
};

/// From where to where.
pub(super) struct Move {
    pub(super) from: Arc<Shard>,
    pub(super) to: Arc<Shard>,
    /// What belongs to the whole cluster moves, too.
    pub(super) with_cluster: bool,
}

/// The first shard of what belongs to the whole cluster.
pub(super) fn begin_for_cluster(shard: &Shard) {
    shard
        .tables
        .lock()
        .subscriptions
        .count_user(&Channel::Revocations);
    shard.subscription_changes.notify_one();
}

/// Moves `partitions`; `publish` makes the new table known, so that nobody who looks a partition up finds the old shard and waits.
/// One move at a time: it takes two locks.
pub(super) fn run(step: &Move, partitions: &PartitionSet, publish: impl FnOnce()) {
    let Move {
        from,
        to,
        with_cluster,
    } = step;
    if let Some(detours) = &from.detours {
        let server = Arc::clone(from) as Arc<dyn Drain>;
        partitions
            .iter()
            .for_each(|partition| detours.begin(partition, &server));
    }
    let mut old = from.tables.lock();
    let mut new = to.tables.lock();
    from.served.remove(partitions);
    to.served.insert(partitions);
    new.take_over(old.hand_over(partitions, *with_cluster));
    // Before the first map of a cluster, nothing was claimed anywhere.
    if !partitions.is_empty() && from.lease.was_held() {
        new.arrived(partitions);
    }
    distrust(from, &old, to);
    let (releases, leaves) = from.pending.hand_over(partitions);
    publish();
    drop((old, new));
    releases
        .into_iter()
        .for_each(|release| to.pending.add_release(release));
    leaves.into_iter().for_each(|leave| to.pending.add_leave(leave));
    for shard in [from, to] {
        shard.subscription_changes.notify_one();
        shard.claim_work.notify_one();
    }
}

/// Others may have taken peers of `from`, which has not checked its claims yet: `to` checks all of its claims.
fn distrust(from: &Shard, old: &Tables, to: &Shard) {
    if old.subscriptions.is_paused() || from.lease.may_be_lost() {
        to.lease.was_lost();
        to.subscriber_redial.notify_one();
    }
}

#[cfg(test)]
#[path = "moving_tests.rs"]
mod tests;
