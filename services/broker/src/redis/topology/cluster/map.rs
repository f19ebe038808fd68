//! The map of a Redis Cluster: the master of every partition, as `CLUSTER SLOTS` tells it. That command is there in every version,
//! and answers with the port and the kind of address that fit the connection it comes over (TLS or not, name or number). Not
//! when it is read (`refresh`), and not what follows (`mod`).

use std::collections::BTreeMap;

use redis::Value;

use crate::{
    partition::{PARTITIONS, Partition, PartitionSet, SLOTS},
    redis::endpoint::Address,
};

/// The master of each partition; none where nobody serves its slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Map(Vec<Option<Address>>);

impl Map {
    /// Reads the answer of the server at `asked`; none if it is no such answer.
    pub(super) fn read(answer: &Value, asked: &Address) -> Option<Self> {
        let Value::Array(ranges) = answer else {
            return None;
        };
        let mut masters = vec![None; PARTITIONS as usize];
        for range in ranges {
            let Value::Array(range) = range else {
                return None;
            };
            let [first, last, master, ..] = range.as_slice() else {
                return None;
            };
            let first: u16 = redis::from_redis_value_ref(first).ok()?;
            let last: u16 = redis::from_redis_value_ref(last).ok()?;
            let master = read_address(master, asked)?;
            for slot in first..=last.min(SLOTS - 1) {
                if let Some(partition) = Partition::of_slot(slot) {
                    masters[partition.index()] = Some(master.clone());
                }
            }
        }
        Some(Self(masters))
    }

    /// What most of `maps` say of each partition: a server that is cut off, or was replaced and does not know it yet, is
    /// outvoted. Of equal numbers, the earlier map counts.
    pub(super) fn of_most(maps: &[Self]) -> Option<Self> {
        if maps.is_empty() {
            return None;
        }
        let masters = Partition::all().map(|partition| {
            let mut votes: Vec<(&Address, usize)> = Vec::new();
            for master in maps.iter().filter_map(|map| map.master(partition)) {
                match votes.iter_mut().find(|(known, _)| *known == master) {
                    Some((_, votes)) => *votes += 1,
                    None => votes.push((master, 1)),
                }
            }
            // `max_by_key` returns the last of equal ones.
            let most = votes.into_iter().rev().max_by_key(|(_, votes)| *votes);
            most.map(|(master, _)| master.clone())
        });
        Some(Self(masters.collect()))
    }

    pub(super) fn master(&self, partition: Partition) -> Option<&Address> {
        self.0[partition.index()].as_ref()
    }

    /// The partitions of each master.
    pub(super) fn groups(&self) -> Vec<Group> {
        let mut groups: BTreeMap<String, Group> = BTreeMap::new();
        for partition in Partition::all() {
            if let Some(address) = self.master(partition) {
                let group = groups.entry(address.to_string()).or_insert_with(|| Group {
                    address: address.clone(),
                    partitions: PartitionSet::default(),
                });
                group.partitions.insert(partition);
            }
        }
        groups.into_values().collect()
    }
}

/// The partitions of one master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) address: Address,
    pub(super) partitions: PartitionSet,
}

impl Group {
    /// The partition whose tag the names of this master's shard have. Every node that knows the same partitions chooses the same
    /// one. The order is one by chance, so when some partitions of many move, the home rarely is among them, and rarely comes
    /// before the homes that are there.
    pub(super) fn home(&self) -> Option<Partition> {
        self.partitions.iter().min_by_key(|partition| rank(*partition))
    }
}

fn rank(partition: Partition) -> u64 {
    xxhash_rust::xxh3::xxh3_64(partition.tag().as_bytes())
}

/// `[host, port, id, …]`. Without a host, or with `?`, it is the one that was asked.
fn read_address(server: &Value, asked: &Address) -> Option<Address> {
    let Value::Array(fields) = server else {
        return None;
    };
    let host: Option<String> = redis::from_redis_value_ref(fields.first()?).ok()?;
    let port: u16 = redis::from_redis_value_ref(fields.get(1)?).ok()?;
    let host = host.filter(|host| !host.is_empty() && host != "?");
    Some(Address {
        host: host.unwrap_or_else(|| asked.host.clone()),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> Address {
        Address {
            host: "10.0.0.1".to_owned(),
            port,
        }
    }

    fn server(host: Value, port: u16) -> Value {
        let id = Value::BulkString(b"id".to_vec());
        Value::Array(vec![host, Value::Int(i64::from(port)), id, Value::Array(vec![])])
    }

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn range(first: i64, last: i64, master: Value) -> Value {
        let replica = server(text("10.0.0.9"), 9);
        Value::Array(vec![Value::Int(first), Value::Int(last), master, replica])
    }

    #[test]
    fn every_kind_of_host_is_understood_and_a_gap_stays_one() {
        let answer = Value::Array(vec![
            range(0, 4_095, server(text("10.0.0.1"), 1)),
            range(4_096, 8_191, server(text(""), 2)),
            range(8_192, 12_287, server(Value::Nil, 3)),
            range(12_288, 12_351, server(text("?"), 4)),
        ]);
        let map = Map::read(&answer, &address(7)).unwrap();
        let port = |index| map.master(Partition::from_index(index)).map(|master| master.port);
        assert_eq!(
            [0, 63, 64, 127, 128, 191, 192, 193].map(port),
            [
                Some(1),
                Some(1),
                Some(2),
                Some(2),
                Some(3),
                Some(3),
                Some(4),
                None
            ]
        );
        assert!(map.groups().iter().all(|group| group.address.host == "10.0.0.1"));
        for other in [
            Value::Nil,
            Value::Int(1),
            Value::Array(vec![Value::Array(vec![])]),
        ] {
            assert_eq!(Map::read(&other, &address(7)), None);
        }
    }

    fn map_of(port_of: impl Fn(usize) -> u16) -> Map {
        Map(Partition::all()
            .map(|partition| Some(address(port_of(partition.index()))))
            .collect())
    }

    #[test]
    fn a_server_that_is_cut_off_is_outvoted() {
        let (old, new) = (map_of(|_| 1), map_of(|_| 2));
        assert_eq!(
            Map::of_most(&[old.clone(), new.clone(), new.clone()]),
            Some(new.clone())
        );
        assert_eq!(Map::of_most(&[old.clone(), new]), Some(old), "the first of two");
        assert_eq!(Map::of_most(&[]), None);
    }

    #[test]
    fn a_home_stays_when_a_few_partitions_move() {
        let before = map_of(|index| if index < 128 { 1 } else { 2 }).groups();
        let homes = |groups: &[Group]| groups.iter().map(Group::home).collect::<Vec<_>>();
        let mut changes = 0;
        for first in 0..120 {
            let moved = |index: usize| (first..first + 8).contains(&index);
            let after = map_of(|index| if index < 128 && !moved(index) { 1 } else { 2 }).groups();
            changes += usize::from(homes(&after) != homes(&before));
        }
        assert!(changes < 24, "{changes} of 120");
    }
}
