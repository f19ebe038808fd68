//! The table of a topology: which shard serves which partition. One array lookup; it costs a message nothing.

use std::sync::Arc;

use crate::{
    partition::{PARTITIONS, Partition},
    redis::shard::state::Shard,
};

/// The shards of a cluster, and the partitions of each.
pub(crate) struct Topology {
    /// At least one.
    shards: Vec<Arc<Shard>>,
    /// For every partition the index of its shard.
    by_partition: [u8; PARTITIONS as usize],
}

impl Topology {
    /// One shard serves every partition.
    pub(crate) fn single(shard: Arc<Shard>) -> Self {
        Self {
            shards: vec![shard],
            by_partition: [0; PARTITIONS as usize],
        }
    }

    /// The shard that serves `partition`.
    pub(crate) fn shard_of(&self, partition: Partition) -> &Arc<Shard> {
        let index = usize::from(self.by_partition[partition.index()]);
        &self.shards[index]
    }

    /// The shard for what belongs to no partition: messages to nodes, and the cluster's load. Every node receives
    /// its own channel on every shard.
    pub(crate) fn shard_of_nodes(&self) -> &Arc<Shard> {
        &self.shards[0]
    }

    /// Every shard.
    pub(crate) fn shards(&self) -> &[Arc<Shard>] {
        &self.shards
    }
}
