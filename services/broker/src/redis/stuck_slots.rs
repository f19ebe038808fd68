//! Slots of a Redis Cluster whose commands are not carried out for too long: they are half moved, or nobody serves them. The log has
//! one line when that begins, one a minute while it lasts, and one at its end. Not the wait itself (`detour_run`).

use std::time::{Duration, Instant};

use super::{
    lasting::{Lasting, Moment},
    shard::state::Shard,
};
use crate::partition::{Partition, PartitionSet};

/// It is over when nothing was refused for this time: longer than commands wait before they are refused.
const QUIET_FOR: Duration = Duration::from_secs(10);

/// The slots of the moment.
#[derive(Debug, Default)]
pub(super) struct StuckSlots {
    lasting: Lasting,
    partitions: PartitionSet,
    /// Commands since it began.
    refused: usize,
    last: Option<Instant>,
}

impl StuckSlots {
    /// So many commands of `partition` were not carried out in time.
    pub(super) fn refused(&mut self, shard: &Shard, partition: Partition, commands: usize, now: Instant) {
        self.partitions.insert(partition);
        self.refused += commands;
        self.last = Some(now);
        let for_s = match self.lasting.note(true, now) {
            Some(Moment::Begins) => 0,
            Some(Moment::Lasts(time) | Moment::Ends(time)) => time.as_secs(),
            None => return,
        };
        let (node, server, refused) = (shard.node(), shard.health.server(), self.refused);
        let slots: Vec<u16> = self.partitions.iter().map(Partition::slot).collect();
        tracing::warn!(%node, server, ?slots, refused, for_s, "a Redis Cluster does not carry out commands of some slots: \
             peers there connect late, and cannot resume, join rooms or get stored messages; messages between those that are \
             connected pass; look for a move of slots that was not ended (`redis-cli --cluster check`, `--cluster fix`)");
    }

    /// Looks whether it is over.
    pub(super) fn look(&mut self, now: Instant) {
        if self.last.is_none_or(|last| now - last < QUIET_FOR) {
            return;
        }
        let refused = self.refused;
        if let Some(Moment::Ends(time)) = self.lasting.note(false, now) {
            let for_s = time.as_secs();
            tracing::info!(
                refused,
                for_s,
                "a Redis Cluster carries out commands of all slots again"
            );
        }
        *self = Self::default();
    }
}
