//! This node's lease: proof to others that it is alive, and to itself that it was not frozen and that no other run of
//! the node has its name. Not its renewal (`lease_renewal`). Claims on peers stand as long as the lease does.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use redis::{Cmd, Value};
use switchboard_core::BrokerError;
use tokio::sync::Notify;

use crate::{
    keys::Names,
    redis::{
        node_run::NodeRun,
        periods::{LEASE, millis},
        scripts::{Script, Scripts},
    },
};

/// When the lease was renewed last, by this node's own monotonic clock.
#[derive(Debug)]
pub(crate) struct Lease {
    key: String,
    incarnation: String,
    runs: String,
    ended: String,
    node: String,
    /// The node's own channel: a living run of the node subscribes to it.
    channel: String,
    /// The lease is this run's for the first time.
    pub(crate) first_held: Notify,
    origin: Instant,
    /// Milliseconds from `origin`, plus one; 0: never renewed.
    renewed_ms: AtomicU64,
    /// How often a renewal came too late.
    lapses: AtomicU64,
    /// `lapses` when the last check of all claims began, and when the last one that counts did.
    checking: AtomicU64,
    checked: AtomicU64,
}

/// The outcome of a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renewal {
    /// This run held the lease and holds it.
    Kept,
    /// This run holds the lease. It did not before, because it is new or because Redis lost the lease.
    New,
    /// Another run of the node holds it, and nothing was written.
    Foreign,
}

impl Lease {
    pub(crate) fn new(run: &NodeRun, names: &Names) -> Self {
        Self {
            key: names.lease(run.node.as_str()),
            incarnation: run.incarnation.clone(),
            runs: names.runs(),
            ended: names.ended_runs(),
            node: run.node.to_string(),
            channel: names.node_channel(run.node.as_str()),
            first_held: Notify::new(),
            origin: Instant::now(),
            renewed_ms: AtomicU64::new(0),
            lapses: AtomicU64::new(0),
            checking: AtomicU64::new(0),
            checked: AtomicU64::new(0),
        }
    }

    pub(crate) fn incarnation(&self) -> &str {
        &self.incarnation
    }

    /// Ends the lease. Members of this run stay in rooms for `stay`; zero: there are none.
    pub(crate) fn write_end(&self, scripts: &Scripts, stay: Duration) -> Cmd {
        let mut command = scripts.call(Script::EndLease, 3, true);
        command
            .arg(&self.key)
            .arg(&self.runs)
            .arg(&self.ended)
            .arg(&self.incarnation)
            .arg(stay.as_secs());
        command
    }

    /// Takes or renews the lease.
    pub(crate) fn write(&self, scripts: &Scripts) -> Cmd {
        let mut command = scripts.call(Script::TakeLease, 2, true);
        let channel = if self.was_held() { "" } else { &self.channel };
        command
            .arg(&self.key)
            .arg(&self.runs)
            .arg(&self.incarnation)
            .arg(millis(LEASE))
            .arg(channel)
            .arg(&self.node);
        command
    }

    /// Reads the answer of a renewal that was sent at `at`, and notes its time.
    ///
    /// # Errors
    /// [`BrokerError::Refused`] when it is no answer of the script.
    pub(crate) fn read(&self, reply: &Value, at: Instant) -> Result<Renewal, BrokerError> {
        let text: String = redis::from_redis_value_ref(reply).map_err(|_| BrokerError::Refused)?;
        let renewal = match text.as_str() {
            "kept" => Renewal::Kept,
            "new" => Renewal::New,
            "foreign" => return Ok(Renewal::Foreign),
            _ => return Err(BrokerError::Refused),
        };
        if !self.was_held() {
            self.first_held.notify_one();
        }
        self.renewed(at);
        Ok(renewal)
    }

    /// Whether this run has ever held the lease.
    pub(crate) fn was_held(&self) -> bool {
        self.renewed_ms.load(Ordering::Acquire) > 0
    }

    /// Redis has lost the lease: others may have taken this node's peers.
    pub(crate) fn was_lost(&self) {
        self.lapses.fetch_add(1, Ordering::AcqRel);
    }

    /// A renewal sent at `at` succeeded. One that came too late is remembered until every claim
    /// was checked: others may have taken this node's peers meanwhile.
    fn renewed(&self, at: Instant) {
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

    /// The time since the last renewal; `None`: there was none.
    pub(crate) fn age(&self) -> Option<Duration> {
        let renewed_ms = self.renewed_ms.load(Ordering::Acquire);
        let since = Duration::from_millis(renewed_ms.checked_sub(1)?);
        Some(self.origin.elapsed().saturating_sub(since))
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
        Lease::new(&NodeRun::begin(NodeId::new("n1").unwrap()), &Names::default())
    }

    #[test]
    fn a_late_renewal_is_remembered_until_claims_were_checked() {
        let lease = lease();
        let start = Instant::now();
        assert!(!lease.may_be_lost(), "nothing was ever claimed");
        assert_eq!(lease.age(), None);
        lease.renewed(start);
        assert!(lease.age().is_some_and(|age| age < LEASE));
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
    fn a_run_that_starts_asks_whether_another_one_lives_and_later_it_only_compares() {
        let (lease, scripts) = (lease(), Scripts::new(crate::keys::PubSubVerbs::PLAIN));
        let words = || {
            let command = lease.write(&scripts);
            let words = command.args_iter().skip(3).map(|word| match word {
                redis::Arg::Simple(word) => String::from_utf8_lossy(word).into_owned(),
                redis::Arg::Cursor | _ => unreachable!("no command has a cursor"),
            });
            words.collect::<Vec<_>>()
        };
        let incarnation = lease.incarnation();
        assert_eq!(
            words(),
            ["sb:l:n1", "sb:runs", incarnation, "10000", "sb:n:n1", "n1"]
        );
        let answer = |text: &str| lease.read(&Value::BulkString(text.into()), Instant::now());
        assert_eq!(answer("foreign"), Ok(Renewal::Foreign));
        assert!(!lease.was_held());
        assert_eq!(answer("new"), Ok(Renewal::New));
        assert!(lease.was_held());
        assert_eq!(words(), ["sb:l:n1", "sb:runs", incarnation, "10000", "", "n1"]);
        assert_eq!(answer("kept"), Ok(Renewal::Kept));
        assert_eq!(answer("x"), Err(BrokerError::Refused));
    }

    #[test]
    fn a_lease_that_redis_lost_makes_the_claims_doubtful_until_they_were_checked() {
        let lease = lease();
        lease.renewed(Instant::now());
        lease.was_lost();
        assert!(lease.may_be_lost());
        lease.check_begins();
        assert!(lease.check_ended() && !lease.may_be_lost());
    }

    #[test]
    fn a_lease_that_was_never_taken_is_not_overdue() {
        assert!(!lease().is_overdue());
    }
}
