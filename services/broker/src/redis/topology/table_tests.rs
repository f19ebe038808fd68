//! A table of two shards.

use super::*;
use crate::redis::shard::fixture::Fixture;

#[test]
fn one_shard_serves_every_partition() {
    let shard = Fixture::new().shard;
    let topology = Topology::single(Arc::clone(&shard));
    for peer in 0..1_000 {
        let partition = Partition::of(&format!("acme/p{peer}"));
        assert!(Arc::ptr_eq(&topology.shard_of(partition), &shard));
    }
    assert!(Arc::ptr_eq(&topology.shard_of_nodes(), &shard));
    assert_eq!(topology.shards().len(), 1);
}

#[test]
fn each_partition_has_its_own_shard() {
    let (first, second) = (Fixture::new().shard, Fixture::new().shard);
    let shards = vec![Arc::clone(&first), Arc::clone(&second)];
    let bob = Partition::of("acme/bob");
    let topology = Topology::new(Routes::new(shards, Arc::clone(&second), |partition| {
        Arc::clone(if partition == bob { &second } else { &first })
    }));
    for index in 0..PARTITIONS as usize {
        let partition = Partition::from_index(index);
        assert_eq!(partition.index(), index);
        let is_second = Arc::ptr_eq(&topology.shard_of(partition), &second);
        assert_eq!(is_second, partition == bob);
    }
    assert!(Arc::ptr_eq(&topology.shard_of_nodes(), &second));
    assert_eq!(topology.shards().len(), 2);
}
