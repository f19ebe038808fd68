//! How long to wait between attempts: exponential with full jitter, so that clients that lost the same node
//! do not come back together.

use std::time::Duration;

/// Waits that grow to a cap, each drawn evenly from zero to the current bound.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    attempt: u32,
}

impl Backoff {
    /// Bounds grow from `base`, doubling, to `cap`.
    #[must_use]
    pub const fn new(base: Duration, cap: Duration) -> Self {
        Self {
            base,
            cap,
            attempt: 0,
        }
    }

    /// The wait before the next attempt.
    pub fn next_wait(&mut self) -> Duration {
        self.next_wait_at(rand::random())
    }

    /// The same with the draw given: 0 is no wait, 1 the whole bound.
    fn next_wait_at(&mut self, draw: f64) -> Duration {
        let bound = self.base.saturating_mul(1 << self.attempt.min(16)).min(self.cap);
        self.attempt += 1;
        bound.mul_f64(draw.clamp(0.0, 1.0))
    }

    /// An attempt succeeded: begin again.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_double_up_to_the_cap_and_begin_again_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(500));
        let bounds: Vec<_> = (0..4).map(|_| backoff.next_wait_at(1.0).as_millis()).collect();
        assert_eq!(bounds, [100, 200, 400, 500]);
        backoff.reset();
        assert_eq!(backoff.next_wait_at(0.5), Duration::from_millis(50));
    }
}
