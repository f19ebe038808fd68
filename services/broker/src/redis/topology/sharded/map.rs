//! Which server has which partition. Every node computes the same map from the number of servers alone. Each further server
//! takes its fair share of whole partitions from the others, and nothing moves between those. Not jump hash: over 256
//! partitions it gives one of 16 servers twice as much as another.

use crate::partition::{PARTITIONS, Partition, PartitionSet};

/// The most servers: each still has four partitions.
pub(super) const MAX_SERVERS: usize = 64;

/// The server of every partition, by number from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerMap([u8; PARTITIONS as usize]);

impl ServerMap {
    /// The map of so many servers, at least one and at most [`MAX_SERVERS`].
    pub(super) fn new(servers: usize) -> Self {
        let mut map = [0; PARTITIONS as usize];
        for newcomer in 1..servers.min(MAX_SERVERS) {
            for _ in 0..PARTITIONS as usize / (newcomer + 1) {
                let donor = largest(&map, newcomer);
                // Its last one; it has one, because it has the most.
                if let Some(place) = map.iter_mut().rfind(|server| usize::from(**server) == donor) {
                    *place = newcomer as u8;
                }
            }
        }
        Self(map)
    }

    /// The number of the server of `partition`.
    pub(super) fn server_of(&self, partition: Partition) -> usize {
        usize::from(self.0[partition.index()])
    }
}

/// The partitions that have another server after the number of servers has changed.
pub(super) fn moving(before: usize, after: usize) -> PartitionSet {
    let (before, after) = (ServerMap::new(before), ServerMap::new(after));
    Partition::all()
        .filter(|partition| before.server_of(*partition) != after.server_of(*partition))
        .collect()
}

/// The one of the first `servers` that has the most partitions; the first of several.
fn largest(map: &[u8], servers: usize) -> usize {
    let count = |server: usize| map.iter().filter(|of| usize::from(**of) == server).count();
    let most = (0..servers).max_by_key(|server| (count(*server), std::cmp::Reverse(*server)));
    most.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(servers: usize) -> Vec<usize> {
        let map = ServerMap::new(servers);
        let mut counts = vec![0; servers];
        Partition::all().for_each(|partition| counts[map.server_of(partition)] += 1);
        counts
    }

    #[test]
    fn every_number_of_servers_shares_the_partitions_evenly() {
        for servers in 1..=MAX_SERVERS {
            let counts = counts(servers);
            let (min, max) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(max - min <= 1, "{servers}: {counts:?}");
        }
    }

    #[test]
    fn a_further_server_takes_whole_partitions_and_none_moves_between_the_others() {
        for servers in 1..MAX_SERVERS {
            let (before, after) = (ServerMap::new(servers), ServerMap::new(servers + 1));
            let mut moved = 0;
            for partition in Partition::all() {
                let (from, to) = (before.server_of(partition), after.server_of(partition));
                if from != to {
                    assert_eq!(to, servers, "only to the new one");
                    moved += 1;
                }
            }
            assert_eq!(moved, PARTITIONS as usize / (servers + 1));
        }
    }

    #[test]
    fn the_map_is_the_same_for_ever() {
        // Nodes of different versions must agree; a change here splits a running cluster.
        let servers = |count| {
            let map = ServerMap::new(count);
            let some = [0, 31, 63, 85, 100, 127, 128, 170, 200, 255].map(Partition::from_index);
            some.map(|partition| map.server_of(partition))
        };
        assert_eq!(servers(1), [0; 10]);
        assert_eq!(servers(2), [0, 0, 0, 0, 0, 0, 1, 1, 1, 1]);
        assert_eq!(servers(3), [0, 0, 0, 2, 2, 2, 1, 1, 1, 2]);
    }
}
