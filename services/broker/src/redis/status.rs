//! The status of a cluster's shards as one: the worst state, and the sum of the subscriptions.

use switchboard_core::{BusState, BusStatus};

/// Adds up the status of every shard; the cause is that of the first shard in the worst state.
pub(crate) fn fold(shards: impl Iterator<Item = BusStatus>) -> BusStatus {
    let up = BusStatus {
        state: BusState::Up,
        desired: 0,
        confirmed: 0,
        detail: String::new(),
    };
    shards.fold(up, |all, shard| {
        let (state, detail) = if severity(shard.state) > severity(all.state) {
            (shard.state, shard.detail)
        } else {
            (all.state, all.detail)
        };
        BusStatus {
            state,
            desired: all.desired + shard.desired,
            confirmed: all.confirmed + shard.confirmed,
            detail,
        }
    })
}

fn severity(state: BusState) -> u8 {
    match state {
        BusState::Up => 0,
        BusState::Connecting => 1,
        BusState::Deaf => 2,
        BusState::Refusing => 3,
        BusState::Down => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: BusState, desired: usize, confirmed: usize, detail: &str) -> BusStatus {
        BusStatus {
            state,
            desired,
            confirmed,
            detail: detail.to_owned(),
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
            let detail = if state == BusState::Up { "" } else { "why" };
            let one = status(state, 3, 2, detail);
            assert_eq!(fold([one.clone()].into_iter()), one);
        }
    }

    #[test]
    fn the_worst_shard_counts_with_its_cause_and_subscriptions_add_up() {
        let all = [
            status(BusState::Connecting, 1, 0, "subscribing"),
            status(BusState::Down, 20, 10, "first"),
            status(BusState::Down, 300, 200, "second"),
            status(BusState::Deaf, 4000, 3000, "deaf"),
            status(BusState::Up, 0, 0, ""),
        ];
        assert_eq!(fold(all.into_iter()), status(BusState::Down, 4321, 3210, "first"));
    }
}
