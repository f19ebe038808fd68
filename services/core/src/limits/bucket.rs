//! A leaking bucket in one number: its level, as the moment at which it will be empty (GCRA). Rates and the
//! store budget are such buckets. Not a clock: moments are arguments, in nanoseconds of the node's clock.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// The seconds of its rate that a bucket without a burst of its own holds.
const RATE_BURST_S: u32 = 4;

/// How much a bucket holds, and how fast that leaks out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BucketSize {
    /// The time in which one unit leaks out.
    unit_ns: f64,
    /// The time in which a full bucket leaks out.
    full_ns: u64,
}

impl BucketSize {
    /// Holds `units`, and leaks `per_second` of them. Zero of either locks nobody out: it is one.
    pub(crate) fn per_second(per_second: u32, units: u32) -> Self {
        let unit_ns = 1e9 / f64::from(per_second.max(1));
        Self {
            unit_ns,
            full_ns: (unit_ns * f64::from(units.max(1))) as u64,
        }
    }

    /// Leaks `per_second` units, and holds those of [`RATE_BURST_S`] seconds.
    pub(crate) fn of_rate(per_second: u32) -> Self {
        Self::per_second(per_second, per_second.saturating_mul(RATE_BURST_S))
    }

    /// Holds `units`, which leak within `window`; 0 units: no bound.
    pub(crate) fn per_window(units: usize, window: Duration) -> Self {
        if units == 0 {
            return Self {
                unit_ns: 0.0,
                full_ns: u64::MAX,
            };
        }
        let full_ns = whole_ns(window);
        Self {
            unit_ns: full_ns as f64 / units as f64,
            full_ns,
        }
    }

    fn cost_ns(self, units: usize) -> u64 {
        (self.unit_ns * units as f64) as u64
    }
}

/// One bucket; empty at first.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    empty_at_ns: AtomicU64,
}

impl Bucket {
    /// Puts `units` in. An empty bucket takes any number; another one only what fits.
    ///
    /// # Errors
    /// The time until they fit.
    pub(crate) fn take(&self, units: usize, size: BucketSize, now_ns: u64) -> Result<(), Duration> {
        let cost = size.cost_ns(units);
        let mut seen = self.empty_at_ns.load(Ordering::Relaxed);
        loop {
            let empty_at = seen.max(now_ns);
            let filled = empty_at - now_ns;
            let after = filled.saturating_add(cost);
            if filled > 0 && after > size.full_ns {
                return Err(Duration::from_nanos(after - size.full_ns));
            }
            let next = empty_at.saturating_add(cost);
            let swapped =
                self.empty_at_ns
                    .compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed);
            match swapped {
                Ok(_) => return Ok(()),
                Err(other) => seen = other,
            }
        }
    }

    /// Takes `units` out again that were put in for nothing.
    pub(crate) fn refund(&self, units: usize, size: BucketSize) {
        let cost = size.cost_ns(units);
        // It always succeeds: the closure never refuses.
        let _ = self
            .empty_at_ns
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |at| {
                Some(at.saturating_sub(cost))
            });
    }

    /// Whether nothing is in it, so a new bucket is the same.
    pub(crate) fn is_empty(&self, now_ns: u64) -> bool {
        self.empty_at_ns.load(Ordering::Relaxed) <= now_ns
    }
}

/// `time` in nanoseconds, at most [`u64::MAX`].
pub(crate) fn whole_ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let (bucket, size) = (Bucket::default(), BucketSize::per_second(10, 3));
        let taken = |now| (0..9).filter(|_| bucket.take(1, size, now).is_ok()).count();
        assert_eq!(taken(SECOND), 3);
        assert_eq!(bucket.take(1, size, SECOND), Err(Duration::from_millis(100)));
        assert_eq!(taken(SECOND + SECOND / 10), 1);
        assert_eq!(taken(9 * SECOND), 3, "an unused rate is not saved up");
    }

    #[test]
    fn an_empty_bucket_takes_more_than_it_holds_and_then_nothing_until_it_has_leaked() {
        let size = BucketSize::per_window(100, Duration::from_secs(10));
        let bucket = Bucket::default();
        assert_eq!(bucket.take(250, size, 0), Ok(()));
        assert!(bucket.take(1, size, 15 * SECOND).is_err());
        assert!(bucket.take(1, size, 16 * SECOND).is_ok());
        assert!(!bucket.is_empty(25 * SECOND) && bucket.is_empty(26 * SECOND));
    }

    #[test]
    fn refunded_units_can_be_taken_again() {
        let size = BucketSize::per_window(100, Duration::from_secs(10));
        let bucket = Bucket::default();
        assert_eq!(bucket.take(100, size, 0), Ok(()));
        assert!(bucket.take(40, size, 0).is_err());
        bucket.refund(40, size);
        assert_eq!(bucket.take(40, size, 0), Ok(()));
        assert!(bucket.take(1, size, 0).is_err());
    }

    #[test]
    fn a_budget_of_zero_is_no_bound() {
        let (bucket, size) = (
            Bucket::default(),
            BucketSize::per_window(0, Duration::from_secs(10)),
        );
        assert!((0..1000).all(|_| bucket.take(1 << 30, size, 0).is_ok()));
    }
}
