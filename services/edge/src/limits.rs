//! What bounds admission on this node: connections at the same time, connects per second, and whether it takes any.
//! Not the bounds of one session (`switchboard_core::Limits`).

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};

/// The bounds of one node's public port.
pub(crate) struct AdmissionLimits {
    max_connections: usize,
    open: AtomicUsize,
    rate: DefaultDirectRateLimiter,
    is_refusing: AtomicBool,
}

impl AdmissionLimits {
    /// At most `max_connections` at the same time and `connects_per_second` in the long run, twice as many at once.
    pub(crate) fn new(max_connections: usize, connects_per_second: u32) -> Arc<Self> {
        // A rate of zero would lock out every client; the smallest rate is one.
        let per_second = NonZeroU32::new(connects_per_second).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(per_second).allow_burst(per_second.saturating_add(per_second.get()));
        Arc::new(Self {
            max_connections,
            open: AtomicUsize::new(0),
            rate: RateLimiter::direct(quota),
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

    /// Takes one connect out of the rate; the error is the time to wait.
    pub(crate) fn take_connect(&self) -> Result<(), Duration> {
        let clock = DefaultClock::default();
        self.rate
            .check()
            .map_err(|not_until| not_until.wait_time_from(clock.now()))
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
        let limits = AdmissionLimits::new(1, 1);
        let permit = limits.acquire().unwrap();
        assert!(limits.acquire().is_none());
        assert_eq!(limits.open_connections(), 1);
        drop(permit);
        assert_eq!(limits.open_connections(), 0);
        assert!(limits.acquire().is_some());
    }

    #[test]
    fn twice_the_rate_may_connect_at_once_and_the_next_one_waits() {
        let limits = AdmissionLimits::new(9, 1);
        assert_eq!([limits.take_connect(), limits.take_connect()], [Ok(()), Ok(())]);
        assert!(
            limits
                .take_connect()
                .is_err_and(|wait| wait <= Duration::from_secs(1))
        );
    }
}
