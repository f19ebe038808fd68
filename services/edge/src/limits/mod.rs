//! What bounds admission on this node: connections at the same time, handshakes (`places`), connects per second (`pace`),
//! and whether it takes any. Not the bounds of one session (`switchboard_core::Limits`).

mod bucket;
mod keyed;
pub(crate) mod pace;
pub(crate) mod places;
pub(crate) mod request_pace;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// The bounds of one node's public port.
pub(crate) struct AdmissionLimits {
    max_connections: usize,
    open: AtomicUsize,
    is_refusing: AtomicBool,
}

impl AdmissionLimits {
    /// At most `max_connections` at the same time.
    pub(crate) fn new(max_connections: usize) -> Arc<Self> {
        Arc::new(Self {
            max_connections,
            open: AtomicUsize::new(0),
            is_refusing: AtomicBool::new(false),
        })
    }

    /// Connections that are open now.
    pub(crate) fn open_connections(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// From now on new connections are refused, or taken again.
    pub(crate) fn refuse_new(&self, refuse: bool) {
        self.is_refusing.store(refuse, Ordering::Relaxed);
    }

    pub(crate) fn is_refusing(&self) -> bool {
        self.is_refusing.load(Ordering::Relaxed)
    }

    /// A permit for one connection, unless all are taken.
    pub(crate) fn acquire(self: &Arc<Self>) -> Option<ConnectionPermit> {
        let taken = self.open.fetch_add(1, Ordering::Relaxed);
        // Made before the check: a refused caller drops it and thereby gives it back.
        let permit = ConnectionPermit(Arc::clone(self));
        (taken < self.max_connections).then_some(permit)
    }
}

/// Permits one connection; given back when dropped.
pub(crate) struct ConnectionPermit(Arc<AdmissionLimits>);

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_connection_takes_no_permit_and_a_dropped_one_gives_it_back() {
        let limits = AdmissionLimits::new(1);
        let permit = limits.acquire().unwrap();
        assert!(limits.acquire().is_none());
        assert_eq!(limits.open_connections(), 1);
        drop(permit);
        assert_eq!(limits.open_connections(), 0);
        assert!(limits.acquire().is_some());
    }
}
