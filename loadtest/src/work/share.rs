//! A worker's share of the load, and the names in it: which peers are its own, where they come from and go to.

use crate::{drivers::Who, preflight::source, scenario::Placement};

/// Flows of one population: bits of their number below the population's and the worker's.
const FLOW_BITS: u32 = 36;

/// Which worker, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) number: usize,
    pub(crate) of: usize,
}

impl Share {
    /// Its part of `count` things: the parts add up to it.
    pub(crate) fn of_count(self, count: usize) -> usize {
        count / self.of.max(1) + usize::from(self.number < count % self.of.max(1))
    }

    /// Its part of a rate.
    pub(crate) fn of_rate(self, rate: f64) -> f64 {
        rate / self.of.max(1) as f64
    }

    /// A seed of its own out of the scenario's.
    pub(crate) fn seed(self, seed: u64, population: u64) -> u64 {
        seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (self.number as u64) << 32 ^ population
    }
}

/// One pair of one population.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PairName {
    /// `c` for calls, `s` for streams, `i` for idle, `r` for rooms.
    pub(crate) population: char,
    pub(crate) number: u64,
}

/// Gives names, addresses and places.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) tag: String,
    pub(crate) share: Share,
    /// Whether connections come from many addresses of 127.0.0.0/8; else from wherever the system likes.
    pub(crate) spread: bool,
    /// Whether the first of a pair is on each node in turn; else always on the first node.
    pub(crate) rotates: bool,
}

impl Names {
    /// Who the two are. For a random placement the second one's node is a fixed hash of its number.
    pub(crate) fn pair(&self, pair: &PairName, placement: Placement, nodes: usize) -> (Who, Who) {
        let number = pair.number;
        let spread = (number as usize).wrapping_mul(2_654_435_761) >> 7;
        let nodes = nodes.max(1);
        let first = if self.rotates {
            (number as usize + self.share.number) % nodes
        } else {
            0
        };
        let second = match placement {
            Placement::SameNode => first,
            Placement::CrossNode => (first + 1 + spread % nodes.saturating_sub(1).max(1)) % nodes,
            Placement::Random => spread % nodes,
        };
        (self.who(pair, 'a', first), self.who(pair, 'b', second))
    }

    /// Who a peer without a partner is, on each node in turn.
    pub(crate) fn single(&self, name: &PairName, nodes: usize) -> Who {
        self.who(
            name,
            'a',
            (name.number as usize + self.share.number) % nodes.max(1),
        )
    }

    fn who(&self, pair: &PairName, side: char, node: usize) -> Who {
        let PairName { population, number } = pair;
        Who {
            peer: format!("{}-{}-{population}{number}{side}", self.tag, self.share.number),
            node,
            source: self
                .spread
                .then(|| source(self.share.number, *number as usize).into()),
        }
    }

    /// The number of the first flow of a pair; the second one's is one more. Kept below 2^53, because some JSON readers
    /// know doubles only.
    pub(crate) fn flow(&self, pair: &PairName) -> u64 {
        let population = u64::from(pair.population as u32) & 0x1F;
        let worker = (self.share.number as u64 % 512) << 5 | population;
        worker << FLOW_BITS | (pair.number << 1 & ((1 << FLOW_BITS) - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn share(number: usize, of: usize) -> Share {
        Share { number, of }
    }

    #[test]
    fn the_shares_of_all_workers_add_up() {
        for of in 1..6 {
            let parts: usize = (0..of).map(|number| share(number, of).of_count(17)).sum();
            assert_eq!(parts, 17);
        }
    }

    #[test]
    fn pairs_are_placed_as_wanted_and_flows_differ() {
        let names = Names {
            tag: "t".into(),
            share: share(1, 2),
            spread: true,
            rotates: true,
        };
        let mut flows = std::collections::HashSet::new();
        for number in 0..100 {
            let pair = PairName {
                population: 'c',
                number,
            };
            let (a, b) = names.pair(&pair, Placement::CrossNode, 3);
            assert_ne!(a.node, b.node);
            let (a, b) = names.pair(&pair, Placement::SameNode, 3);
            assert_eq!(a.node, b.node);
            assert!(flows.insert(names.flow(&pair)) && flows.insert(names.flow(&pair) + 1));
            assert!(names.flow(&pair) < 1 << 53);
        }
    }
}
