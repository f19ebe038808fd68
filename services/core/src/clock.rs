//! The node's clock. Not the wall clock: nothing here knows the date.

#[cfg(test)]
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Says which moment it is. A test can move it forward.
#[derive(Debug)]
pub(crate) struct Clock {
    started_at: Instant,
    #[cfg(test)]
    offset_ms: AtomicU64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            started_at: Instant::now(),
            #[cfg(test)]
            offset_ms: AtomicU64::new(0),
        }
    }

    /// This moment.
    pub(crate) fn now(&self) -> Instant {
        #[cfg(test)]
        let offset = self.offset();
        #[cfg(not(test))]
        let offset = Duration::ZERO;
        Instant::now() + offset
    }

    /// The second of `now` since the node started, from 1: sessions keep 0 for "never".
    pub(crate) fn second(&self, now: Instant) -> u32 {
        whole_seconds(now.saturating_duration_since(self.started_at)).saturating_add(1)
    }

    /// Moves the clock forward.
    #[cfg(test)]
    pub(crate) fn advance(&self, by: Duration) {
        let by_ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.offset_ms.fetch_add(by_ms, Ordering::Relaxed);
    }

    /// How far a test has moved the clock.
    #[cfg(test)]
    pub(crate) fn offset(&self) -> Duration {
        Duration::from_millis(self.offset_ms.load(Ordering::Relaxed))
    }
}

/// `time` in whole seconds, at most [`u32::MAX`].
pub(crate) fn whole_seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_count_from_one_and_change_at_the_exact_instant() {
        let clock = Clock::new();
        let at = |ms| clock.second(clock.started_at + Duration::from_millis(ms));
        assert_eq!([at(0), at(999), at(1000), at(2000)], [1, 1, 2, 3]);
    }

    #[test]
    fn a_moment_before_the_start_is_the_first_second() {
        let clock = Clock::new();
        let before = clock.started_at.checked_sub(Duration::from_millis(5));
        assert_eq!(before.map(|before| clock.second(before)), Some(1));
    }

    #[test]
    fn seconds_are_whole_and_bounded() {
        assert_eq!(whole_seconds(Duration::from_millis(2999)), 2);
        assert_eq!(whole_seconds(Duration::MAX), u32::MAX);
    }

    #[test]
    fn a_test_moves_the_clock() {
        let clock = Clock::new();
        clock.advance(Duration::from_secs(3600));
        clock.advance(Duration::from_secs(5));
        assert_eq!(clock.offset(), Duration::from_secs(3605));
        assert!(clock.now() >= clock.started_at + Duration::from_secs(3605));
        assert!(clock.now() < clock.started_at + Duration::from_secs(3665));
    }
}
