//! Asking clients to move while the node keeps serving: it has more than its share of the cluster's connections, or
//! theirs have reached their maximum age. Not how many (`switchboard_core::RebalancePolicy`), not which ones
//! (`switchboard_core::Router`), not the drain of a node that stops (`drain`).

use std::{convert::Infallible, time::Duration};

use switchboard_core::{BusState, MaxAge, RebalancePolicy, RebalanceRules, Router, Session};
use switchboard_telemetry::Goaway;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::{drain::QUIET_FOR, state::Edge};

/// How often the node decides which clients should move.
const DECIDE_EVERY: Duration = Duration::from_secs(1);

/// How connections are kept in balance.
#[derive(Debug, Clone, Copy)]
pub struct RebalancePlan {
    /// Whether a node that has more than its share asks clients to move.
    pub enabled: bool,
    /// When it asks, and how fast; the rate also bounds connections that have reached their maximum age.
    pub rules: RebalanceRules,
    /// How long the bus must be up, and the node ready, before the node is counted and asks clients.
    pub settle: Duration,
    /// How old connections may become, if there is a bound.
    pub max_age: Option<MaxAge>,
}

impl Edge {
    /// Keeps the connections in balance until the future is dropped; then other nodes stop counting this one. Run it
    /// only while the node takes clients.
    pub async fn run_rebalance(&self, plan: RebalancePlan) -> Infallible {
        let counted = Counted(&self.router);
        let mut policy = RebalancePolicy::new(plan.rules);
        let mut settling = Settling::new(plan.settle);
        let mut ticks = interval(DECIDE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = Instant::now();
            let own = self.open_connections();
            let is_settled = settling.update(self.router.bus().state == BusState::Up, now);
            let load = counted.0.rebalance().cluster_load(is_settled.then_some(own));
            self.telemetry.cluster_mean(load.as_ref().map(|load| load.mean()));
            if !is_settled {
                continue;
            }
            let budget = plan.rules.rate.per_second(own);
            let aged = plan
                .max_age
                .map_or_else(Vec::new, |age| self.router.rebalance().over_age(age, budget));
            let budget = budget - aged.len();
            let count = load.filter(|_| plan.enabled).map_or(0, |load| {
                let asked = || self.router.rebalance().recently_asked() + aged.len();
                policy.decide(&load, own, asked, budget, now.into_std())
            });
            let excess = match count {
                0 => Vec::new(),
                count => self.router.rebalance().candidates(count, QUIET_FOR),
            };
            let aged = aged.iter().map(|session| (&**session, Goaway::Age));
            let excess = excess.iter().map(|session| (&**session, Goaway::Rebalance));
            self.ask_one_by_one(aged.chain(excess).collect(), now).await;
        }
    }

    /// Spreads the `goaway`s over the time until the next decision, so that other nodes get the clients one by one.
    async fn ask_one_by_one(&self, sessions: Vec<(&Session, Goaway)>, start: Instant) {
        let step = DECIDE_EVERY / u32::try_from(sessions.len() + 1).unwrap_or(u32::MAX);
        for ((session, why), number) in sessions.into_iter().zip(1..) {
            sleep_until(start + step * number).await;
            self.router.rebalance().ask_to_move(session, why);
        }
    }
}

/// Other nodes count this one until this is dropped.
struct Counted<'a>(&'a Router);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        // The answer is the load of other nodes, which nothing needs here.
        let _ = self.0.rebalance().cluster_load(None);
    }
}

/// Waits until the bus has been up for a while.
struct Settling {
    time: Duration,
    up_since: Option<Instant>,
}

impl Settling {
    const fn new(time: Duration) -> Self {
        Self { time, up_since: None }
    }

    /// Notes the state of the bus; returns whether it has been up for long enough.
    fn update(&mut self, is_up: bool, now: Instant) -> bool {
        if !is_up {
            self.up_since = None;
            return false;
        }
        let since = *self.up_since.get_or_insert(now);
        now.duration_since(since) >= self.time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_settles_again_after_each_failure_of_the_bus() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut settling = Settling::new(Duration::from_secs(10));
        assert!(!settling.update(false, at(0)));
        assert!(!settling.update(true, at(1)));
        assert!(!settling.update(true, at(10)));
        assert!(settling.update(true, at(11)));
        assert!(!settling.update(false, at(12)));
        assert!(!settling.update(true, at(13)));
        assert!(settling.update(true, at(23)));
    }
}
