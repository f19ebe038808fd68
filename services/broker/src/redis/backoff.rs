//! How long to wait before the next attempt to connect. Not a retry loop: its callers own those.

use std::time::{Duration, Instant};

/// The first wait.
const FIRST: Duration = Duration::from_millis(50);

/// The longest wait. Messages have to flow within two seconds after Redis is back, and one attempt a second
/// costs neither side anything.
const LONGEST: Duration = Duration::from_secs(1);

/// A connection that worked this long was a good one: the next attempt follows at once, and the next failure waits
/// [`FIRST`] again. Shorter ones count as failures, because a server that closes what it accepts is not well.
const GOOD: Duration = Duration::from_millis(100);

/// Doubling waits with jitter, so that nodes that lost Redis together do not come back together.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure: half to all of 50 ms, 100 ms, 200 ms … 1 s.
    pub(crate) fn after_failure(&mut self) -> Duration {
        let wait = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        wait.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// A connection has ended that worked since `worked_since`, if it worked at all; the wait before the next attempt.
    pub(crate) fn after_connection(&mut self, worked_since: Option<Instant>) -> Duration {
        if worked_since.is_some_and(|since| since.elapsed() >= GOOD) {
            self.failures = 0;
            return Duration::ZERO;
        }
        self.after_failure()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_start_over_after_a_good_connection() {
        let mut backoff = Backoff::default();
        let first = backoff.after_failure();
        assert!((FIRST / 2..=FIRST).contains(&first), "{first:?}");
        for _ in 0..40 {
            assert!(backoff.after_failure() <= LONGEST);
        }
        assert!(backoff.after_failure() >= LONGEST / 2);
        assert_eq!(
            backoff.after_connection(Some(Instant::now() - GOOD)),
            Duration::ZERO
        );
        assert!(backoff.after_failure() <= FIRST);
    }

    #[test]
    fn connections_that_never_worked_or_ended_at_once_wait_longer_each_time() {
        let mut backoff = Backoff::default();
        for _ in 0..10 {
            assert!(backoff.after_connection(None) > Duration::ZERO);
            assert!(backoff.after_connection(Some(Instant::now())) > Duration::ZERO);
        }
        assert!(backoff.after_failure() >= LONGEST / 2);
    }
}
