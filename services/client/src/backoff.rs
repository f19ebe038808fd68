//! How long to wait between attempts: exponential backoff with full jitter. Clients that lost the same node come back
//! at different times.

use std::time::Duration;

/// Waits drawn evenly from zero to a bound, which doubles up to a cap.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    attempt: u32,
}

impl Backoff {
    /// The bound starts at `base` and doubles up to `cap`.
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

    /// The wait for a given draw: 0 is no wait, 1 is the whole bound.
    fn next_wait_at(&mut self, draw: f64) -> Duration {
        let bound = self.base.saturating_mul(1 << self.attempt.min(16)).min(self.cap);
        self.attempt += 1;
        bound.mul_f64(draw.clamp(0.0, 1.0))
    }

    /// An attempt succeeded: the bound starts at `base` again.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_double_up_to_the_cap_and_start_again_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(500));
        let bounds: Vec<_> = (0..4).map(|_| backoff.next_wait_at(1.0).as_millis()).collect();
        assert_eq!(bounds, [100, 200, 400, 500]);
        backoff.reset();
        assert_eq!(backoff.next_wait_at(0.5), Duration::from_millis(50));
    }
}
