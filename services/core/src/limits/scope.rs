//! What a peer, a tenant or the node has taken. Not how much it may take (`rules`).

use std::sync::atomic::{AtomicUsize, Ordering};

use super::bucket::Bucket;

#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub(super) pending_bytes: Taken,
    pub(super) connections: Taken,
    pub(super) stored: Bucket,
    pub(super) commands: Bucket,
}

/// What a tenant has taken.
#[derive(Debug, Default)]
pub(crate) struct TenantScope {
    pub(super) here: Scope,
    /// Open connections on other nodes, as far as they are known.
    pub(super) connections_elsewhere: AtomicUsize,
}

impl Scope {
    pub(super) fn is_empty(&self, now_ns: u64) -> bool {
        self.stored.is_empty(now_ns) && self.commands.is_empty(now_ns)
    }
}

/// A number of things that were granted and are returned one by one.
#[derive(Debug, Default)]
pub(super) struct Taken(AtomicUsize);

impl Taken {
    /// Takes `amount`, unless that passes `max` (0: no bound); `false` if it does.
    pub(super) fn take(&self, amount: usize, max: usize) -> bool {
        let before = self.0.fetch_add(amount, Ordering::Relaxed);
        let fits = max == 0 || before.saturating_add(amount) <= max;
        if !fits {
            self.refund(amount);
        }
        fits
    }

    pub(super) fn refund(&self, amount: usize) {
        self.0.fetch_sub(amount, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
