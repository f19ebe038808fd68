//! A worker's clock: milliseconds since `Prepare` until the start of the load is known, and since that start after.

use std::time::{Duration, SystemTime};

use anyhow::bail;
use tokio::time::Instant;

/// A start further away than this, before or after, means a wrong clock.
const MAX_AWAY_MS: i64 = 60_000;

/// Now, in milliseconds since 1970.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// The clock.
#[derive(Debug)]
pub(super) struct Clock {
    prepared: Instant,
    start: Option<Instant>,
}

impl Clock {
    /// `Prepare` is now.
    pub(super) fn new() -> Self {
        Self {
            prepared: Instant::now(),
            start: None,
        }
    }

    /// Whether times count from the start of the load.
    pub(super) const fn knows_the_start(&self) -> bool {
        self.start.is_some()
    }

    /// The load starts at this time, in milliseconds since 1970.
    ///
    /// # Errors
    /// When that is far away.
    pub(super) fn start_at(&mut self, at_unix_ms: u64) -> anyhow::Result<Instant> {
        let away_ms = at_unix_ms.cast_signed().saturating_sub(unix_ms().cast_signed());
        if away_ms.saturating_abs() > MAX_AWAY_MS {
            bail!("the start of the load is {away_ms} ms away: do the clocks agree?");
        }
        let now = Instant::now();
        let span = Duration::from_millis(away_ms.unsigned_abs());
        let start = if away_ms < 0 {
            now.checked_sub(span).unwrap_or(now)
        } else {
            now + span
        };
        self.start = Some(start);
        Ok(start)
    }

    /// Now, in milliseconds since the start of the load, below 0 before it; since `Prepare` while it is not known.
    pub(super) fn now_ms(&self) -> i64 {
        let now = Instant::now();
        let zero = self.start.unwrap_or(self.prepared);
        let since = now.saturating_duration_since(zero).as_millis();
        let until = zero.saturating_duration_since(now).as_millis();
        i64::try_from(since).unwrap_or(i64::MAX) - i64::try_from(until).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_count_from_prepare_and_then_from_the_start() {
        let mut clock = Clock::new();
        assert!(clock.now_ms() >= 0);
        clock.start_at(unix_ms() + 5_000).unwrap();
        assert!((-5_000..-4_000).contains(&clock.now_ms()));
        clock.start_at(unix_ms() - 5_000).unwrap();
        assert!((5_000..6_000).contains(&clock.now_ms()));
        let error = clock.start_at(0).unwrap_err().to_string();
        assert!(error.contains("do the clocks agree"), "{error}");
    }
}
