//! Whether a node has more than its share of the cluster's connections, and how many clients it asks to move at
//! this moment. Not which ones (`candidates`), and not how nodes know of each other
//! ([`Broker::cluster_load`](crate::Broker)).
//!
//! It errs on the side of asking too few: what nodes know of each other is seconds old, and a needless move
//! disturbs a client for nothing.

use std::time::{Duration, Instant};

use crate::broker::load::ClusterLoad;

/// Within this time a node asks at most as many clients as it has connections: a load balancer that sends
/// everybody back to where they came from must not make them circle.
const WINDOW: Duration = Duration::from_secs(600);

/// When a node asks clients to move, and how many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RebalanceRules {
    /// It begins above this multiple of the mean of all nodes, and ends half-way back to the mean.
    pub high: f64,
    /// A node with no more connections than this asks no one.
    pub floor: usize,
    /// The bound on how fast it asks.
    pub rate: RebalanceRate,
}

/// How many clients a node asks to move in one second, at most: the larger of the two.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RebalanceRate {
    /// This share of its connections.
    pub share: f64,
    /// This many.
    pub min: usize,
}

impl RebalanceRate {
    /// For a node with `own` connections.
    #[must_use]
    pub fn per_second(self, own: usize) -> usize {
        self.min.max((self.share * own as f64) as usize)
    }
}

/// One node's decisions, and what it must remember between them.
#[derive(Debug)]
pub struct RebalancePolicy {
    rules: RebalanceRules,
    is_shedding: bool,
    window: Option<Window>,
}

/// What was asked of clients recently.
#[derive(Debug)]
struct Window {
    began: Instant,
    asked: usize,
    /// The most connections that the node had since the window began.
    most: usize,
    is_spent: bool,
}

impl RebalancePolicy {
    /// Nothing has been asked yet.
    #[must_use]
    pub fn new(rules: RebalanceRules) -> Self {
        Self {
            rules,
            is_shedding: false,
            window: None,
        }
    }

    /// How many clients to ask now, at most `budget`, of a node with `own` connections. `asked` says how many of
    /// these were asked a moment ago and have not gone yet.
    pub fn decide(
        &mut self,
        load: &ClusterLoad,
        own: usize,
        asked: impl FnOnce() -> usize,
        budget: usize,
        now: Instant,
    ) -> usize {
        // The counts of the others are older, and their connections may have grown as much since then.
        let known = own.min(load.own);
        let mean = load.mean();
        let high = self.rules.high * mean;
        let low = f64::midpoint(mean, high);
        let mark = if self.is_shedding { low } else { high };
        let is_above = |count: usize| count > self.rules.floor && count as f64 > mark;
        if load.others.is_empty() || !is_above(known) {
            self.is_shedding = false;
            return 0;
        }
        let staying = known.saturating_sub(asked());
        let was_shedding = std::mem::replace(&mut self.is_shedding, is_above(staying));
        if !self.is_shedding {
            return 0;
        }
        if !was_shedding {
            tracing::info!(
                own,
                mean,
                "this node has more than its share of connections; it asks some clients to move"
            );
        }
        let keep = (low.ceil() as usize).max(self.rules.floor);
        let count = staying.saturating_sub(keep).min(budget);
        self.allow(count, own, now)
    }

    /// As many of `count` as the window has left.
    fn allow(&mut self, count: usize, own: usize, now: Instant) -> usize {
        let new = Window {
            began: now,
            asked: 0,
            most: own,
            is_spent: false,
        };
        let current = self.window.take();
        let current = current.filter(|window| now.saturating_duration_since(window.began) < WINDOW);
        let window = self.window.insert(current.unwrap_or(new));
        window.most = window.most.max(own);
        let allowed = count.min(window.most.saturating_sub(window.asked));
        window.asked += allowed;
        if allowed < count && !window.is_spent {
            window.is_spent = true;
            tracing::warn!(
                asked = window.asked,
                "this node has asked as many clients to move as it has, and still has more than its share; \
                 check whether the load balancer sends them back"
            );
        }
        allowed
    }
}
