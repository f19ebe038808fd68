//! The periods of a node's lease, by which others tell a living node from a dead one.

use std::time::Duration;

/// How long a lease lasts without renewal: after that, others take this node for dead.
pub(crate) const LEASE: Duration = Duration::from_secs(10);

/// How often it is renewed.
pub(crate) const RENEW_EVERY: Duration = Duration::from_secs(3);

/// How often a renewal that failed is tried again.
pub(crate) const RETRY_RENEWAL_EVERY: Duration = Duration::from_millis(500);

/// How long a run that starts waits for the lease of another run: one that died holds it no longer than this.
pub(crate) const TAKE_LEASE_WITHIN: Duration = LEASE.saturating_add(RENEW_EVERY);

/// How long after an outage or a loss an absent record proves nothing: other nodes are still claiming their peers again. A
/// node learns of a loss when it renews its lease next, and its peers' channels pause meanwhile.
pub(crate) const SETTLE: Duration = RENEW_EVERY.saturating_add(Duration::from_secs(2));

/// A duration in whole milliseconds, as Redis takes it.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
