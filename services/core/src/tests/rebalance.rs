//! Rebalancing without a network: what a node decides, and a cluster of such nodes whose clients come back where
//! the load balancer puts them. Counts are as old as they are in Redis.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::{ClusterLoad, RebalancePolicy, RebalanceRate, RebalanceRules};

const RULES: RebalanceRules = RebalanceRules {
    high: 1.1,
    floor: 100,
    rate: RebalanceRate { share: 0.04, min: 5 },
};

fn decide(own: usize, others: &[usize], asked: usize) -> usize {
    let others = others.to_vec();
    let load = ClusterLoad { own, others };
    let budget = RULES.rate.per_second(own);
    RebalancePolicy::new(RULES).decide(&load, own, || asked, budget, Instant::now())
}

#[test]
fn a_node_alone_an_equal_one_and_a_small_one_ask_nobody() {
    assert_eq!(decide(5000, &[], 0), 0);
    assert_eq!(decide(5000, &[5000, 5000], 0), 0);
    assert_eq!(decide(1100, &[1000, 900], 0), 0, "just at the watermark");
    assert_eq!(decide(100, &[0, 0], 0), 0, "at the floor");
}

#[test]
fn the_excess_goes_at_the_rate_that_is_set_and_who_was_asked_counts_as_gone() {
    assert_eq!(decide(1500, &[1500, 0], 0), 60, "4 % a second");
    assert_eq!(decide(120, &[0, 0], 0), 5, "at least 5 a second");
    assert_eq!(decide(1500, &[1500, 0], 395), 55, "1,105 would stay");
    assert_eq!(decide(1500, &[1500, 0], 400), 0, "1,100 would stay");
}

#[test]
fn it_goes_on_until_half_way_between_watermark_and_mean_and_begins_again_only_above_the_watermark() {
    let mut policy = RebalancePolicy::new(RULES);
    let mut at = |own| {
        let load = ClusterLoad {
            own,
            others: vec![1000, 2000 - own],
        };
        policy.decide(&load, own, || 0, 1000, Instant::now())
    };
    assert_eq!(at(1090), 0);
    assert_eq!(at(1101), 51);
    assert_eq!(at(1060), 10);
    assert_eq!(at(1050), 0);
    assert_eq!(at(1090), 0);
}

#[test]
fn clients_that_all_came_after_the_last_exchange_are_no_excess() {
    let load = ClusterLoad {
        own: 1000,
        others: vec![1000, 1000],
    };
    let count = RebalancePolicy::new(RULES).decide(&load, 3000, || 0, 60, Instant::now());
    assert_eq!(count, 0);
}

#[test]
fn clients_that_are_sent_back_to_where_they_came_from_are_not_asked_for_ever() {
    let mut policy = RebalancePolicy::new(RULES);
    let start = Instant::now();
    let load = ClusterLoad {
        own: 1500,
        others: vec![1500, 0],
    };
    let asked = |policy: &mut RebalancePolicy, seconds: std::ops::Range<u64>| -> usize {
        seconds
            .map(|second| policy.decide(&load, 1500, || 0, 30, start + Duration::from_secs(second)))
            .sum()
    };
    assert_eq!(asked(&mut policy, 0..600), 1500, "each once, on average");
    assert_eq!(asked(&mut policy, 600..610), 300, "and then anew");
}

#[test]
fn a_node_at_its_floor_does_not_begin_and_counts_nobody() {
    let mut policy = RebalancePolicy::new(RULES);
    let mut at = |own, others: [usize; 2], asked: fn() -> usize| {
        let others = others.to_vec();
        policy.decide(&ClusterLoad { own, others }, own, asked, 1000, Instant::now())
    };
    assert_eq!(
        at(100, [0, 0], || panic!("to count costs a look at every session")),
        0
    );
    assert_eq!(
        at(104, [95, 95], || 0),
        0,
        "it could only continue here, not begin"
    );
    assert_eq!(at(1000, [1000, 1000], || panic!("not above the mark")), 0);
}

proptest! {
    #[test]
    fn no_node_ever_goes_below_the_mean_or_its_floor_or_over_its_budget(
        own in 0_usize..20_000,
        others in proptest::collection::vec(0_usize..20_000, 0..50),
        asked in 0_usize..1000,
        budget in 0_usize..1000,
    ) {
        let load = ClusterLoad { own, others };
        let count = RebalancePolicy::new(RULES).decide(&load, own, || asked, budget, Instant::now());
        prop_assert!(count <= budget);
        if count > 0 {
            let left = own - asked - count;
            prop_assert!(left as f64 >= load.mean() && left >= RULES.floor);
        }
    }
}

/// Where a client that was asked to move comes out.
#[derive(Debug, Clone, Copy)]
enum Places {
    /// On the node with the fewest connections.
    Least,
    /// On each node in turn.
    InTurn,
    /// On any node.
    Random,
}

/// How often a node says how many it has, in seconds; also the age of what it hears, at most.
const RENEWAL_S: u64 = 3;

/// How long a client takes from being asked to being elsewhere, in seconds.
const MOVE_S: u64 = 2;

struct Sim {
    places: Places,
    second: u64,
    start: Instant,
    random: u64,
    in_turn: usize,
    nodes: Vec<Node>,
    /// Clients on their way: when they leave, and from which node.
    moving: Vec<(u64, usize)>,
    asked: usize,
}

struct Node {
    policy: RebalancePolicy,
    own: usize,
    said: [usize; 2],
    load: Option<ClusterLoad>,
}

impl Sim {
    fn new(counts: &[usize], places: Places) -> Self {
        let nodes = counts.iter().map(|own| Node {
            policy: RebalancePolicy::new(RULES),
            own: *own,
            said: [*own; 2],
            load: None,
        });
        Self {
            places,
            second: 0,
            start: Instant::now(),
            random: 42,
            in_turn: 0,
            nodes: nodes.collect(),
            moving: Vec::new(),
            asked: 0,
        }
    }

    fn place(&mut self) -> usize {
        let count = self.nodes.len();
        match self.places {
            Places::Least => (0..count).min_by_key(|node| self.nodes[*node].own).unwrap(),
            Places::InTurn => {
                self.in_turn += 1;
                self.in_turn % count
            }
            Places::Random => {
                // Marsaglia, Xorshift RNGs, 2003.
                self.random ^= self.random << 13;
                self.random ^= self.random >> 7;
                self.random ^= self.random << 17;
                usize::try_from(self.random >> 33).unwrap() % count
            }
        }
    }

    /// The new connection is there before the old one goes.
    fn step(&mut self) {
        let leaving: Vec<_> = self.moving.extract_if(.., |(at, _)| *at <= self.second).collect();
        for (_, from) in leaving {
            let to = self.place();
            self.nodes[to].own += 1;
            self.nodes[from].own -= 1;
        }
        for index in 0..self.nodes.len() {
            // Nodes renew at different moments.
            if (self.second + index as u64).is_multiple_of(RENEWAL_S) {
                let others = self.nodes.iter().enumerate();
                let others = others.filter(|(other, _)| *other != index);
                let others = others.map(|(_, node)| node.said[0]).collect();
                let node = &mut self.nodes[index];
                node.said = [node.own, node.said[0]];
                let own = node.said[0].min(node.said[1]);
                node.load = Some(ClusterLoad { own, others });
            }
            let asked = self.moving.iter().filter(|(_, from)| *from == index).count();
            let node = &mut self.nodes[index];
            let Some(load) = &node.load else { continue };
            let now = self.start + Duration::from_secs(self.second);
            let budget = RULES.rate.per_second(node.own);
            let count = node.policy.decide(load, node.own, || asked, budget, now);
            self.asked += count;
            let at = self.second + MOVE_S;
            self.moving.extend(std::iter::repeat_n((at, index), count));
        }
        self.second += 1;
    }

    fn run_for(&mut self, seconds: u64) {
        (0..seconds).for_each(|_| self.step());
    }

    fn is_balanced(&self) -> bool {
        let all: usize = self.nodes.iter().map(|node| node.own).sum();
        let most = RULES.high * all as f64 / self.nodes.len() as f64;
        self.nodes.iter().all(|node| node.own as f64 <= most)
    }

    fn counts(&self) -> Vec<usize> {
        self.nodes.iter().map(|node| node.own).collect()
    }
}

#[test]
fn within_a_minute_of_a_third_node_no_node_is_above_the_watermark_and_then_all_is_quiet() {
    for (places, most_asked) in [
        (Places::Least, 1000),
        (Places::InTurn, 3000),
        (Places::Random, 3000),
    ] {
        let mut sim = Sim::new(&[1500, 1500, 0], places);
        sim.run_for(60);
        println!("{places:?}: {:?} after {} were asked", sim.counts(), sim.asked);
        assert!(sim.is_balanced(), "{places:?}: {:?}", sim.counts());
        assert!(sim.asked <= most_asked, "{places:?}: {} were asked", sim.asked);
        sim.run_for(60);
        let asked = sim.asked;
        sim.run_for(600);
        assert_eq!(sim.asked, asked, "{places:?}: nobody is asked any more");
    }
}

#[test]
fn ten_nodes_that_become_twenty_and_twenty_of_which_one_has_everything_settle() {
    for places in [Places::Least, Places::InTurn, Places::Random] {
        let doubled: Vec<_> = (0..20).map(|node| if node < 10 { 2000 } else { 0 }).collect();
        let mut alone = vec![0; 20];
        alone[7] = 20_000;
        for counts in [doubled, alone] {
            let mut sim = Sim::new(&counts, places);
            sim.run_for(300);
            assert!(sim.is_balanced(), "{places:?}: {:?}", sim.counts());
            let asked = sim.asked;
            sim.run_for(600);
            assert_eq!(sim.asked, asked, "{places:?}: nobody is asked any more");
        }
    }
}
