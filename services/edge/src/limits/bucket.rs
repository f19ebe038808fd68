//! A rate with a burst, as a level that time refills. Two numbers per bucket; only arithmetic. `keyed` has one for each key.

use std::time::{Duration, Instant};

/// How fast a bucket fills, and how much it holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    pub(super) per_second: f64,
    pub(super) burst: f64,
}

impl Rate {
    /// After this time an untouched bucket is full again, whatever was taken.
    pub(super) fn time_to_fill(self) -> Duration {
        Duration::from_secs_f64(self.burst / self.per_second)
    }
}

/// One bucket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    level: f64,
    at: Instant,
}

impl Bucket {
    pub(super) const fn full(rate: Rate, now: Instant) -> Self {
        Self {
            level: rate.burst,
            at: now,
        }
    }

    /// Takes one if more than `keep` then remains; the error is the time to wait.
    pub(super) fn take(&mut self, rate: Rate, keep: f64, now: Instant) -> Result<(), Duration> {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.level = elapsed.mul_add(rate.per_second, self.level).min(rate.burst);
        self.at = self.at.max(now);
        let missing = keep + 1.0 - self.level;
        if missing > 0.0 {
            return Err(Duration::from_secs_f64(missing / rate.per_second));
        }
        self.level -= 1.0;
        Ok(())
    }

    /// Puts one back that was taken for nothing.
    pub(super) fn put_back(&mut self, rate: Rate) {
        self.level = (self.level + 1.0).min(rate.burst);
    }

    /// Whether it is full, so that a new bucket is the same.
    pub(super) fn is_full(&self, rate: Rate, now: Instant) -> bool {
        now.saturating_duration_since(self.at) >= rate.time_to_fill()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        per_second: 2.0,
        burst: 3.0,
    };

    #[test]
    fn a_burst_is_taken_at_once_and_then_the_rate_counts() {
        let start = Instant::now();
        let mut bucket = Bucket::full(RATE, start);
        for _ in 0..3 {
            assert_eq!(bucket.take(RATE, 0.0, start), Ok(()));
        }
        assert_eq!(bucket.take(RATE, 0.0, start), Err(Duration::from_millis(500)));
        let later = start + Duration::from_millis(500);
        assert_eq!(bucket.take(RATE, 0.0, later), Ok(()));
        bucket.put_back(RATE);
        assert_eq!(bucket.take(RATE, 0.0, later), Ok(()));
        assert!(!bucket.is_full(RATE, later));
        assert!(bucket.is_full(RATE, later + RATE.time_to_fill()));
    }

    #[test]
    fn the_part_for_others_is_not_taken() {
        let start = Instant::now();
        let mut bucket = Bucket::full(RATE, start);
        assert_eq!(bucket.take(RATE, 2.0, start), Ok(()));
        assert!(bucket.take(RATE, 2.0, start).is_err());
        assert_eq!(bucket.take(RATE, 0.0, start), Ok(()));
    }
}
