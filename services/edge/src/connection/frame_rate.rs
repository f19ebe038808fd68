//! The rate of frames that are no commands: pings, pongs, small fragments. They cost as much to read as a command, and the
//! rate of commands does not see them. Each connection has its own, with the bounds of commands.

use std::time::Instant;

use switchboard_core::Limits;

use crate::limits::bucket::{Bucket, Rate};

/// One connection's rate.
#[derive(Debug)]
pub(super) struct FrameRate {
    bucket: Bucket,
    strikes: u32,
}

/// What follows from one frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FrameOutcome {
    /// Nothing.
    Within,
    /// The client should know that it is over the rate.
    Warn,
    /// It was over the rate too often.
    Close,
}

impl FrameRate {
    pub(super) fn new(limits: &Limits, now: Instant) -> Self {
        Self {
            bucket: Bucket::full(rate(limits), now),
            strikes: 0,
        }
    }

    /// Charges one frame.
    pub(super) fn charge(&mut self, limits: &Limits, now: Instant) -> FrameOutcome {
        if self.bucket.take(rate(limits), 0.0, now).is_ok() {
            return FrameOutcome::Within;
        }
        self.strikes += 1;
        if self.strikes >= limits.rate_strikes {
            FrameOutcome::Close
        } else if self.strikes == 1 {
            FrameOutcome::Warn
        } else {
            FrameOutcome::Within
        }
    }

    /// Forgives one strike; called with time, so that only a lasting flood closes.
    pub(super) const fn forgive(&mut self) {
        self.strikes = self.strikes.saturating_sub(1);
    }
}

fn rate(limits: &Limits) -> Rate {
    Rate {
        per_second: f64::from(limits.messages_per_second.max(1)),
        burst: f64::from(limits.message_burst.max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_warned_once_and_then_closed() {
        let (limits, now) = (Limits::default(), Instant::now());
        let mut rate = FrameRate::new(&limits, now);
        for _ in 0..limits.message_burst {
            assert_eq!(rate.charge(&limits, now), FrameOutcome::Within);
        }
        assert_eq!(rate.charge(&limits, now), FrameOutcome::Warn);
        for _ in 2..limits.rate_strikes {
            assert_eq!(rate.charge(&limits, now), FrameOutcome::Within);
        }
        assert_eq!(rate.charge(&limits, now), FrameOutcome::Close);
        rate.forgive();
        assert_eq!(rate.charge(&limits, now), FrameOutcome::Close);
    }
}
