//! The status of a cluster's shards as one. While some shards are not up, the others serve their peers: the node is degraded
//! as long as they serve at least half of the partitions, and else in the worst state. One shard is the whole.

use std::fmt::Write as _;

use switchboard_core::{BusState, BusStatus};

use crate::partition::{PARTITIONS, PartitionSet};

/// One shard, for [`fold`].
#[derive(Debug, Clone)]
pub(crate) struct ShardStatus {
    /// The server, for people.
    pub(crate) server: String,
    /// How many partitions it serves.
    pub(crate) partitions: usize,
    /// It has been up since the node started.
    pub(crate) was_up: bool,
    pub(crate) status: BusStatus,
}

impl ShardStatus {
    fn is_up(&self) -> bool {
        self.status.state == BusState::Up
    }

    /// The node has just started, and does not know yet whether the server is there.
    fn is_starting(&self) -> bool {
        self.status.state == BusState::Connecting && !self.was_up
    }
}

/// The status of all shards as one. The detail names each shard that is not up, and what it serves.
pub(crate) fn fold(shards: &[ShardStatus]) -> BusStatus {
    if let [shard] = shards {
        return shard.status.clone();
    }
    let states = shards.iter().map(|shard| shard.status.state);
    let worst = states
        .max_by_key(|state| severity(*state))
        .unwrap_or(BusState::Up);
    let served: usize = (shards.iter().filter(|shard| shard.is_up()))
        .map(|shard| shard.partitions)
        .sum();
    let state = if worst == BusState::Up {
        BusState::Up
    } else if shards.iter().any(ShardStatus::is_starting) {
        BusState::Connecting
    } else if served * 2 >= PARTITIONS as usize {
        BusState::Degraded
    } else {
        worst
    };
    BusStatus {
        state,
        desired: shards.iter().map(|shard| shard.status.desired).sum(),
        confirmed: shards.iter().map(|shard| shard.status.confirmed).sum(),
        detail: detail(shards),
    }
}

fn detail(shards: &[ShardStatus]) -> String {
    let mut text = String::new();
    for shard in shards.iter().filter(|shard| !shard.is_up()) {
        let separator = if text.is_empty() { "" } else { "; " };
        let percent = percent_of(shard.partitions);
        let (server, why) = (&shard.server, &shard.status.detail);
        // Writing to a string never fails.
        let _ = write!(
            text,
            "{separator}Redis at {server}, which serves {percent} % of the peers: {why}"
        );
    }
    text
}

/// The share of the peers that one of several servers serves, in percent; `None` if it serves all.
pub(crate) fn share_of(served: &PartitionSet) -> Option<usize> {
    (*served != PartitionSet::ALL).then(|| percent_of(served.len()))
}

/// The share of the peers in so many partitions, in percent.
pub(crate) fn percent_of(partitions: usize) -> usize {
    let all = PARTITIONS as usize;
    (partitions * 100 + all / 2) / all
}

fn severity(state: BusState) -> u8 {
    match state {
        BusState::Up => 0,
        BusState::Degraded => 1,
        BusState::Connecting => 2,
        BusState::Deaf => 3,
        BusState::Refusing => 4,
        BusState::Down => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(server: &str, partitions: usize, state: BusState) -> ShardStatus {
        ShardStatus {
            server: server.to_owned(),
            partitions,
            was_up: true,
            status: BusStatus {
                state,
                desired: 3,
                confirmed: 2,
                detail: if state == BusState::Up { "" } else { "why" }.to_owned(),
            },
        }
    }

    #[test]
    fn one_shard_is_the_whole() {
        for state in [
            BusState::Up,
            BusState::Connecting,
            BusState::Deaf,
            BusState::Refusing,
            BusState::Down,
        ] {
            let one = shard("r1:6379", 256, state);
            assert_eq!(fold(std::slice::from_ref(&one)), one.status);
        }
    }

    #[test]
    fn a_node_whose_up_shards_serve_half_of_the_peers_is_degraded_and_names_the_others() {
        let mut all = [
            shard("r1:6379", 86, BusState::Up),
            shard("r2:6379", 85, BusState::Down),
            shard("r3:6379", 85, BusState::Up),
        ];
        let status = fold(&all);
        assert_eq!(
            (status.state, status.desired, status.confirmed),
            (BusState::Degraded, 9, 6)
        );
        assert_eq!(
            status.detail,
            "Redis at r2:6379, which serves 33 % of the peers: why"
        );
        all[0] = shard("r1:6379", 86, BusState::Deaf);
        let status = fold(&all);
        assert_eq!(
            status.state,
            BusState::Down,
            "a third is left, and the worst state counts"
        );
        assert!(
            status.detail.contains("r1:6379, which serves 34 %") && status.detail.contains("; "),
            "{status:?}"
        );
    }

    #[test]
    fn two_shards_of_which_one_is_down_are_degraded() {
        let all = [shard("a", 128, BusState::Up), shard("b", 128, BusState::Refusing)];
        assert_eq!(fold(&all).state, BusState::Degraded);
    }

    #[test]
    fn a_node_that_starts_waits_for_the_first_answer_of_every_shard() {
        let mut all = [
            shard("a", 200, BusState::Up),
            shard("b", 56, BusState::Connecting),
        ];
        assert_eq!(fold(&all).state, BusState::Degraded, "a rebuild");
        all[1].was_up = false;
        assert_eq!(fold(&all).state, BusState::Connecting);
        all[1] = ShardStatus {
            was_up: false,
            ..shard("b", 56, BusState::Down)
        };
        assert_eq!(fold(&all).state, BusState::Degraded, "it is known to be down");
        let all = [shard("a", 200, BusState::Up), shard("b", 56, BusState::Up)];
        let status = fold(&all);
        assert_eq!((status.state, status.detail.as_str()), (BusState::Up, ""));
    }
}
