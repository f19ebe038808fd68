//! A table of two shards.

use super::*;
use crate::redis::shard::fixture::Fixture;

#[test]
fn one_shard_serves_every_partition() {
    let shard = Fixture::new().shard;
    let topology = Topology::single(Arc::clone(&shard));
    for peer in 0..1_000 {
        let partition = Partition::of(&format!("acme/p{peer}"));
        assert!(Arc::ptr_eq(topology.shard_of(partition), &shard));
    }
    assert!(Arc::ptr_eq(topology.shard_of_nodes(), &shard));
    assert_eq!(topology.shards().len(), 1);
}

#[test]
fn each_partition_has_its_own_shard() {
    let (first, second) = (Fixture::new().shard, Fixture::new().shard);
    let mut topology = Topology::single(first);
    topology.shards.push(Arc::clone(&second));
    let partition = Partition::of("acme/bob");
    topology.by_partition[partition.index()] = 1;
    for peer in 0..1_000 {
        let other = Partition::of(&format!("acme/p{peer}"));
        let is_second = Arc::ptr_eq(topology.shard_of(other), &second);
        assert_eq!(is_second, other == partition);
    }
}
