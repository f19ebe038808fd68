//! How fast verified clients may connect: each peer at its own rate, and the node at a rate that no address can use up.
//!
//! The node's bucket holds connects for two seconds. An address over its own share takes only from the upper half. The lower
//! half is for addresses within their share, so one busy address delays itself and nobody else. Alone, it has the whole rate.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use switchboard_protocol::PeerKey;

use super::{
    bucket::{Bucket, Rate},
    keyed::{KeyedBuckets, TableFull},
};
use crate::admission::network::AddressGroup;

/// The seconds of its rate that the node takes at once.
const NODE_BURST_S: f64 = 2.0;

/// The seconds of its rate that a peer, or an address, takes at once.
const OWN_BURST_S: f64 = 4.0;

/// An address may always have this part of the node's rate.
const ADDRESS_SHARE: f64 = 1.0 / 16.0;

/// Why a client must wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TooFast {
    /// Its peer connects too often.
    Peer(Duration),
    /// All clients together connect too often.
    Node(Duration),
}

/// A decision, and whether a table had no room for the peer or its address.
#[must_use]
pub(crate) struct PaceDecision {
    pub(crate) outcome: Result<(), TooFast>,
    pub(crate) is_untracked: bool,
}

/// The pace of one node.
pub(crate) struct ConnectPace {
    node: Rate,
    state: Mutex<State>,
}

struct State {
    node: Bucket,
    peers: KeyedBuckets<PeerKey>,
    addresses: KeyedBuckets<AddressGroup>,
}

impl ConnectPace {
    /// Both rates in connects per second; zero would lock out every client and is taken as one.
    pub(crate) fn new(node_per_second: u32, peer_per_second: u32) -> Self {
        let now = Instant::now();
        let rate = |per_second: f64, burst_s: f64| Rate {
            per_second: per_second.max(1.0),
            burst: per_second.max(1.0) * burst_s,
        };
        let node = rate(f64::from(node_per_second), NODE_BURST_S);
        let peer = rate(f64::from(peer_per_second), OWN_BURST_S);
        let address = rate(node.per_second * ADDRESS_SHARE, OWN_BURST_S);
        Self {
            node,
            state: Mutex::new(State {
                node: Bucket::full(node, now),
                peers: KeyedBuckets::new(peer, now),
                addresses: KeyedBuckets::new(address, now),
            }),
        }
    }

    /// Takes one connect of `peer` from `address` out of the rates.
    pub(crate) fn take(&self, peer: &PeerKey, address: AddressGroup, now: Instant) -> PaceDecision {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut is_untracked = false;
        match state.peers.take(peer.clone(), now) {
            Ok(Ok(())) => {}
            Ok(Err(wait)) => {
                let outcome = Err(TooFast::Peer(wait));
                return PaceDecision {
                    outcome,
                    is_untracked,
                };
            }
            Err(TableFull) => is_untracked = true,
        }
        let is_within_share = match state.addresses.take(address, now) {
            Ok(taken) => taken.is_ok(),
            Err(TableFull) => {
                is_untracked = true;
                false
            }
        };
        let kept_for_others = if is_within_share {
            0.0
        } else {
            self.node.burst / 2.0
        };
        let outcome = state
            .node
            .take(self.node, kept_for_others, now)
            .map_err(TooFast::Node);
        if outcome.is_err() {
            state.peers.put_back(peer);
        }
        PaceDecision {
            outcome,
            is_untracked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchboard_protocol::PeerId;

    fn peer(name: &str) -> PeerKey {
        PeerKey::new("default", &PeerId::new(name).unwrap())
    }

    fn address(last: u8) -> AddressGroup {
        AddressGroup::of([192, 0, 2, last].into())
    }

    #[test]
    fn a_peer_that_connects_in_a_loop_takes_nothing_from_others() {
        let now = Instant::now();
        let pace = ConnectPace::new(100, 5);
        let looping = (0..1000).filter(|_| pace.take(&peer("loop"), address(1), now).outcome.is_ok());
        assert_eq!(looping.count(), 20, "four seconds of its own rate");
        for number in 0..60 {
            let honest = peer(&format!("honest-{number}"));
            assert_eq!(pace.take(&honest, address(1), now).outcome, Ok(()), "{number}");
        }
    }

    #[test]
    fn an_address_with_many_tokens_leaves_half_of_the_burst_to_others_and_alone_has_the_whole_rate() {
        let start = Instant::now();
        let pace = ConnectPace::new(100, 5);
        let many = |from: u32, to: u32, now: Instant| {
            (from..to)
                .filter(|number| {
                    let one = peer(&format!("many-{number}"));
                    pace.take(&one, address(1), now).outcome.is_ok()
                })
                .count()
        };
        let at_once = many(0, 1000, start);
        assert!((100..=125).contains(&at_once), "{at_once}");
        for number in 0..20 {
            let honest = peer(&format!("honest-{number}"));
            assert_eq!(pace.take(&honest, address(2), start).outcome, Ok(()), "{number}");
        }
        let second = start + Duration::from_secs(2);
        assert!(many(1000, 3000, second) >= 100, "the rate flows on");
    }

    #[test]
    fn a_node_at_its_rate_says_when_to_come_back() {
        let now = Instant::now();
        let pace = ConnectPace::new(1, 100);
        let outcomes: Vec<_> = (1..=4)
            .map(|last| pace.take(&peer("a"), address(last), now).outcome)
            .collect();
        assert_eq!(outcomes[..2], [Ok(()), Ok(())]);
        assert!(matches!(outcomes[2], Err(TooFast::Node(wait)) if wait <= Duration::from_secs(1)));
    }
}
