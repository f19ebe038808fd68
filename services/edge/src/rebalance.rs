//! Asking clients to move while the node goes on serving: because it has more than its share of the cluster's
//! connections, or because theirs have reached their age. Not the decision how many (`switchboard_core::RebalancePolicy`)
//! nor whom (`Router`), nor the drain of a node that stops (`drain`).

use std::{convert::Infallible, time::Duration};

use switchboard_core::{BusState, MaxAge, RebalancePolicy, RebalanceRules, Router, Session};
use switchboard_telemetry::Goaway;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::{Edge, drain::QUIET_FOR};

/// How often it is looked at who should move.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How connections are kept in balance.
#[derive(Debug, Clone, Copy)]
pub struct RebalancePlan {
    /// Whether a node that has more than its share asks clients to move.
    pub enabled: bool,
    /// When it does, and how fast; the pace also holds for connections that have reached their age.
    pub rules: RebalanceRules,
    /// How long the bus has to be well, and the node to take clients, before it is counted and asks anybody.
    pub settle: Duration,
    /// How old connections may become, if there is a bound.
    pub max_age: Option<MaxAge>,
}

impl Edge {
    /// Keeps the connections in balance until it is dropped; from then on other nodes do not count this one. To
    /// be run only while the node takes clients.
    pub async fn run_rebalance(&self, plan: RebalancePlan) -> Infallible {
        let counted = Counted(&self.router);
        let mut balancer = RebalancePolicy::new(plan.rules);
        let mut settling = Settling::new(plan.settle);
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = Instant::now();
            let own = self.open_connections();
            let is_settled = settling.is_over(self.router.bus().state == BusState::Up, now);
            let crowd = counted.0.rebalance().cluster_load(is_settled.then_some(own));
            self.telemetry
                .cluster_mean(crowd.as_ref().map(|crowd| crowd.mean()));
            if !is_settled {
                continue;
            }
            let budget = plan.rules.rate.per_second(own);
            let aged = plan
                .max_age
                .map_or_else(Vec::new, |age| self.router.rebalance().over_age(age, budget));
            let budget = budget - aged.len();
            let count = crowd.filter(|_| plan.enabled).map_or(0, |crowd| {
                let asked = || self.router.rebalance().recently_asked() + aged.len();
                balancer.decide(&crowd, own, asked, budget, now.into_std())
            });
            let excess = match count {
                0 => Vec::new(),
                count => self.router.rebalance().candidates(count, QUIET_FOR),
            };
            let aged = aged.iter().map(|peer| (&**peer, Goaway::Age));
            let excess = excess.iter().map(|peer| (&**peer, Goaway::Rebalance));
            self.ask_one_by_one(aged.chain(excess).collect(), now).await;
        }
    }

    /// Spread over the time until the next look, so that they do not all come to another node at once.
    async fn ask_one_by_one(&self, peers: Vec<(&Session, Goaway)>, start: Instant) {
        let step = LOOK_EVERY / u32::try_from(peers.len() + 1).unwrap_or(u32::MAX);
        for ((peer, why), number) in peers.into_iter().zip(1..) {
            sleep_until(start + step * number).await;
            self.router.rebalance().ask_to_move(peer, why);
        }
    }
}

/// This node is counted by the others; not any more once this is dropped.
struct Counted<'a>(&'a Router);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        // What is known of the others is of no interest here.
        let _ = self.0.rebalance().cluster_load(None);
    }
}

/// Waits until the bus has been well for a while.
struct Settling {
    time: Duration,
    well_since: Option<Instant>,
}

impl Settling {
    fn new(time: Duration) -> Self {
        Self {
            time,
            well_since: None,
        }
    }

    fn is_over(&mut self, is_well: bool, now: Instant) -> bool {
        if !is_well {
            self.well_since = None;
            return false;
        }
        let since = *self.well_since.get_or_insert(now);
        now.duration_since(since) >= self.time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_settles_anew_after_each_trouble_with_the_bus() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut settling = Settling::new(Duration::from_secs(10));
        assert!(!settling.is_over(false, at(0)));
        assert!(!settling.is_over(true, at(1)));
        assert!(!settling.is_over(true, at(10)));
        assert!(settling.is_over(true, at(11)));
        assert!(!settling.is_over(false, at(12)));
        assert!(!settling.is_over(true, at(13)));
        assert!(settling.is_over(true, at(23)));
    }
}
