//! This node's lease: the proof to others that it lives, and to itself that it was not frozen. Not the
//! claims on peers, which stand as long as the lease does (`claims`).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use redis::Pipeline;
use switchboard_telemetry::RedisOp;
use tokio::time::MissedTickBehavior;

use super::{crowd, keys, pool, shared::Shared};

/// How long a lease lasts without renewal: after that, others take this node for dead.
pub(crate) const LEASE: Duration = Duration::from_secs(10);

/// How often it is renewed.
pub(crate) const RENEW_EVERY: Duration = Duration::from_secs(3);

/// When the lease was renewed last, by this node's own monotonic clock.
#[derive(Debug)]
pub(crate) struct Lease {
    key: String,
    /// Tells this run of the node from an earlier one of the same name, whose records are void.
    incarnation: String,
    origin: Instant,
    /// Milliseconds from `origin`, plus one; 0: never renewed.
    renewed_ms: AtomicU64,
    /// How often a renewal came too late.
    lapses: AtomicU64,
    /// `lapses` when the last check of all claims began, and when the last one that counts did.
    checking: AtomicU64,
    checked: AtomicU64,
}

impl Lease {
    pub(crate) fn new(node: &str) -> Self {
        Self {
            key: keys::lease(node),
            incarnation: format!("{:016x}", rand::random::<u64>()),
            origin: Instant::now(),
            renewed_ms: AtomicU64::new(0),
            lapses: AtomicU64::new(0),
            checking: AtomicU64::new(0),
            checked: AtomicU64::new(0),
        }
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn incarnation(&self) -> &str {
        &self.incarnation
    }

    /// Asks for the old value and writes the new one.
    pub(crate) fn write(&self, pipeline: &mut Pipeline) {
        pipeline.cmd("GET").arg(&self.key);
        pipeline
            .cmd("SET")
            .arg(&self.key)
            .arg(&self.incarnation)
            .arg("PX")
            .arg(LEASE.as_millis() as u64);
    }

    /// A renewal sent at `at` succeeded. One that came too late is remembered until every claim
    /// was checked: others may have taken this node's peers meanwhile.
    pub(crate) fn renewed(&self, at: Instant) {
        let at_ms = u64::try_from(at.duration_since(self.origin).as_millis()).unwrap_or(u64::MAX - 1) + 1;
        let before_ms = self.renewed_ms.fetch_max(at_ms, Ordering::AcqRel);
        if before_ms > 0 && at_ms.saturating_sub(before_ms) > LEASE.as_millis() as u64 {
            self.lapses.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Whether others may have taken this node for dead since its claims were last checked.
    pub(crate) fn may_be_lost(&self) -> bool {
        self.lapses.load(Ordering::Acquire) != self.checked.load(Ordering::Acquire) || self.is_overdue()
    }

    /// Whether the lease, if there ever was one, has run out by now.
    pub(crate) fn is_overdue(&self) -> bool {
        let renewed_ms = self.renewed_ms.load(Ordering::Acquire);
        renewed_ms > 0 && self.origin.elapsed() > Duration::from_millis(renewed_ms) + LEASE
    }

    /// A check of every claim begins.
    pub(crate) fn check_begins(&self) {
        self.checking
            .store(self.lapses.load(Ordering::Acquire), Ordering::Release);
    }

    /// That check has ended; false if the lease lapsed during it, so that it proves nothing.
    pub(crate) fn check_ended(&self) -> bool {
        let checking = self.checking.load(Ordering::Acquire);
        if self.is_overdue() || self.lapses.load(Ordering::Acquire) != checking {
            return false;
        }
        self.checked.store(checking, Ordering::Release);
        true
    }
}

fn unix_now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Renews the lease until it is dropped, and then each time hears how the other nodes are. On its own pooled connection, so that no queue of publishes can
/// make this node look dead.
pub(crate) async fn run(shared: Arc<Shared>, pool: deadpool_redis::Pool) {
    let mut ticks = tokio::time::interval(RENEW_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first renewal is part of the publisher's handshake.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let at = Instant::now();
        let mut pipeline = Pipeline::with_capacity(2);
        shared.lease.write(&mut pipeline);
        let renewal = pool::query::<(Option<String>, String)>(&pool, &pipeline).await;
        shared
            .telemetry
            .redis_command(RedisOp::Lease, at.elapsed(), renewal.is_ok());
        match renewal {
            Ok((before, _)) => {
                shared.lease.renewed(at);
                shared.telemetry.lease_renewed(unix_now_s());
                if before.is_some_and(|before| before != shared.lease.incarnation()) {
                    tracing::error!(node = %shared.node, "another running node has the same id; give each its own");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the node's lease could not be renewed");
                continue;
            }
        }
        // After the lease, which must not suffer from it.
        crowd::meet(&shared, &pool).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_renewal_is_remembered_until_claims_were_checked() {
        let lease = Lease::new("n1");
        let start = Instant::now();
        assert!(!lease.may_be_lost(), "nothing was ever claimed");
        lease.renewed(start);
        lease.renewed(start + LEASE / 2);
        assert!(!lease.may_be_lost());
        lease.renewed(start + LEASE * 2);
        assert!(lease.may_be_lost());
        lease.check_begins();
        assert!(lease.may_be_lost(), "until the check has ended");
        assert!(lease.check_ended());
        assert!(!lease.may_be_lost());
    }

    #[test]
    fn a_check_during_which_the_lease_lapsed_proves_nothing() {
        let lease = Lease::new("n1");
        let start = Instant::now();
        lease.renewed(start);
        lease.check_begins();
        lease.renewed(start + LEASE * 2);
        assert!(!lease.check_ended());
        assert!(lease.may_be_lost());
    }

    #[test]
    fn two_runs_of_one_node_differ() {
        assert_ne!(Lease::new("n1").incarnation(), Lease::new("n1").incarnation());
    }
}
