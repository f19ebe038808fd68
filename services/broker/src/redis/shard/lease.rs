//! This node's lease: proof to others that it is alive, and to itself that it was not frozen. Not its renewal
//! (`lease_renewal`). Claims on peers stand as long as the lease does.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use redis::Pipeline;

use crate::{
    keys,
    redis::{node_run::NodeRun, periods::LEASE},
};

/// When the lease was renewed last, by this node's own monotonic clock.
#[derive(Debug)]
pub(crate) struct Lease {
    key: String,
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
    pub(crate) fn new(run: &NodeRun) -> Self {
        Self {
            key: keys::lease(run.node.as_str()),
            incarnation: run.incarnation.clone(),
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

    /// That check has ended; false if the lease lapsed during it, because then it proves nothing.
    pub(crate) fn check_ended(&self) -> bool {
        let checking = self.checking.load(Ordering::Acquire);
        if self.is_overdue() || self.lapses.load(Ordering::Acquire) != checking {
            return false;
        }
        self.checked.store(checking, Ordering::Release);
        true
    }
}

#[cfg(test)]
mod tests {
    use switchboard_protocol::NodeId;

    use super::*;

    fn lease() -> Lease {
        Lease::new(&NodeRun::begin(NodeId::new("n1").unwrap()))
    }

    #[test]
    fn a_late_renewal_is_remembered_until_claims_were_checked() {
        let lease = lease();
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
        let lease = lease();
        let start = Instant::now();
        lease.renewed(start);
        lease.check_begins();
        lease.renewed(start + LEASE * 2);
        assert!(!lease.check_ended());
        assert!(lease.may_be_lost());
    }

    #[test]
    fn a_renewal_is_late_once_the_lease_is_over() {
        let lease = lease();
        let start = Instant::now();
        lease.renewed(start);
        lease.renewed(start + LEASE);
        assert!(!lease.may_be_lost(), "just in time");
        lease.renewed(start + 2 * LEASE + Duration::from_millis(2));
        assert!(lease.may_be_lost());
    }

    #[test]
    fn an_earlier_renewal_that_is_answered_later_changes_nothing() {
        let lease = lease();
        let start = Instant::now();
        lease.renewed(start + 3 * LEASE);
        lease.renewed(start);
        assert!(!lease.may_be_lost());
        lease.renewed(start + 4 * LEASE);
        assert!(!lease.may_be_lost());
    }

    #[test]
    fn a_lease_is_asked_for_and_written_with_its_time_to_live() {
        let lease = lease();
        let mut pipeline = Pipeline::new();
        lease.write(&mut pipeline);
        let text = String::from_utf8(pipeline.get_packed_pipeline()).unwrap();
        let incarnation = lease.incarnation();
        assert_eq!(
            text,
            format!(
                "*2\r\n$3\r\nGET\r\n$7\r\nsb:l:n1\r\n*5\r\n$3\r\nSET\r\n$7\r\nsb:l:n1\r\n$16\r\n\
                 {incarnation}\r\n$2\r\nPX\r\n$5\r\n10000\r\n"
            )
        );
    }

    #[test]
    fn a_lease_that_was_never_taken_is_not_overdue() {
        assert!(!lease().is_overdue());
    }
}
