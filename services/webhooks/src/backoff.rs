//! Waits between repetitions: they double, and half of each is random, so that many waits do not end together.

use std::time::Duration;

/// The waits of one endpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

/// The longest wait that an endpoint can ask for with `Retry-After`.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3_600);

impl Backoff {
    /// The wait after this many failures, at least one; not less than the endpoint asks for.
    pub(crate) fn wait(&self, failures: u32, retry_after: Option<Duration>) -> Duration {
        let doubled = self
            .first
            .saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
        let wait = doubled.min(self.longest).mul_f64(rand::random_range(0.5..=1.0));
        wait.max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_respect_the_endpoint() {
        let second = Duration::from_secs(1);
        let backoff = Backoff {
            first: second,
            longest: second * 60,
        };
        for (failures, full) in [(1, 1), (2, 2), (5, 16), (7, 60), (4_000_000_000, 60)] {
            let wait = backoff.wait(failures, None);
            assert!(
                wait >= second * full / 2 && wait <= second * full,
                "{failures}: {wait:?}"
            );
        }
        assert_eq!(backoff.wait(1, Some(second * 90)), second * 90);
        assert_eq!(backoff.wait(1, Some(second * 100_000)), MAX_RETRY_AFTER);
    }
}
