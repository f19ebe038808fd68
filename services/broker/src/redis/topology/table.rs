//! The table of a topology: for every partition, its shard. A lookup in an array, on the hot path.

use std::{array, sync::Arc};

use crate::{
    partition::{PARTITIONS, Partition},
    redis::shard::state::Shard,
};

/// The shards of a cluster, and the shard of each partition.
pub(crate) struct Topology {
    shards: Vec<Arc<Shard>>,
    by_partition: [Arc<Shard>; PARTITIONS as usize],
    /// For messages to nodes and for the cluster's load.
    for_nodes: Arc<Shard>,
}

impl Topology {
    /// One shard serves every partition.
    pub(crate) fn single(shard: Arc<Shard>) -> Self {
        Self::new(vec![Arc::clone(&shard)], Arc::clone(&shard), |_| {
            Arc::clone(&shard)
        })
    }

    /// `shard_of` maps each partition to one of `shards`; `for_nodes` is one of them, too.
    pub(crate) fn new(
        shards: Vec<Arc<Shard>>,
        for_nodes: Arc<Shard>,
        shard_of: impl Fn(Partition) -> Arc<Shard>,
    ) -> Self {
        Self {
            shards,
            by_partition: array::from_fn(|index| shard_of(Partition::from_index(index))),
            for_nodes,
        }
    }

    /// The shard that serves `partition`.
    pub(crate) fn shard_of(&self, partition: Partition) -> &Arc<Shard> {
        &self.by_partition[partition.index()]
    }

    /// The shard for messages to nodes and for the cluster's load, which belong to no partition. Every node receives
    /// its own channel on every shard.
    pub(crate) fn shard_of_nodes(&self) -> &Arc<Shard> {
        &self.for_nodes
    }

    /// Every shard.
    pub(crate) fn shards(&self) -> &[Arc<Shard>] {
        &self.shards
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
