//! How many requests an endpoint may have under way. One that cannot be reached gets none for a while, then one; when it
//! answers, all.

use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::Backoff;

/// The gate before one endpoint.
#[derive(Debug)]
pub(crate) struct Gate {
    backoff: Backoff,
    most: usize,
    failures: u32,
    /// Counts the changes, so that requests that were under way together count as one failure.
    epoch: u64,
    closed_until: Option<Instant>,
}

impl Gate {
    pub(crate) fn new(backoff: Backoff, most: usize) -> Self {
        Self {
            backoff,
            most,
            failures: 0,
            epoch: 0,
            closed_until: None,
        }
    }

    /// The requests that may be under way at `now`.
    pub(crate) fn places(&self, now: Instant) -> usize {
        match self.closed_until {
            None => self.most,
            Some(until) if until <= now => 1,
            Some(_) => 0,
        }
    }

    /// When it opens again, if it is closed at `now`.
    pub(crate) fn opens_at(&self, now: Instant) -> Option<Instant> {
        self.closed_until.filter(|until| *until > now)
    }

    /// A request that begins now belongs to this epoch.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The endpoint answered.
    pub(crate) fn answered(&mut self) {
        if self.failures > 0 {
            self.failures = 0;
            self.closed_until = None;
            self.epoch += 1;
        }
    }

    /// A request of `epoch` did not reach the endpoint.
    pub(crate) fn failed(&mut self, epoch: u64, retry_after: Option<Duration>, now: Instant) {
        if epoch == self.epoch {
            self.failures = self.failures.saturating_add(1);
            self.closed_until = Some(now + self.backoff.wait(self.failures, retry_after));
            self.epoch += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn requests_that_fail_together_close_it_once_and_an_answer_opens_it() {
        let backoff = Backoff {
            first: SECOND,
            longest: SECOND * 8,
        };
        let (mut gate, now) = (Gate::new(backoff, 16), Instant::now());
        let together = gate.epoch();
        for _ in 0..16 {
            gate.failed(together, None, now);
        }
        assert_eq!(gate.failures, 1);
        assert_eq!((gate.places(now), gate.places(now + SECOND)), (0, 1));
        assert!(gate.opens_at(now).unwrap() >= now + SECOND / 2);
        let now = now + SECOND;
        gate.failed(gate.epoch(), Some(SECOND * 5), now);
        assert_eq!(
            (gate.places(now + SECOND * 4), gate.places(now + SECOND * 5)),
            (0, 1)
        );
        gate.answered();
        assert_eq!((gate.places(now), gate.opens_at(now)), (16, None));
        // One that began before the answer proves nothing new.
        gate.failed(together, None, now);
        assert_eq!(gate.places(now), 16);
    }
}
