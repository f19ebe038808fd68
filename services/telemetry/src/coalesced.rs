//! Repeated events as few log lines: the first at once, then at most one a minute, with their count. Not a rate limit:
//! every event is counted, and the caller's metric counts it too.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The time between two lines about one kind of event.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// The lines of one kind of event. It can be a `static`.
#[derive(Debug, Default)]
pub struct Coalesced(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    logged_at: Option<Instant>,
    /// Events since that line.
    count: u64,
}

impl Coalesced {
    /// No event yet.
    #[must_use]
    pub const fn new() -> Self {
        let state = State {
            logged_at: None,
            count: 0,
        };
        Self(Mutex::new(state))
    }

    /// One more event. If a line is due, `log` gets the number of events since the last line.
    pub fn note(&self, log: impl FnOnce(u64)) {
        self.note_at(Instant::now(), 1, log);
    }

    /// Logs the events that have no line yet, once a minute has passed. For a caller with a timer: it makes the last
    /// events of a burst visible.
    pub fn flush(&self, log: impl FnOnce(u64)) {
        self.note_at(Instant::now(), 0, log);
    }

    fn note_at(&self, now: Instant, events: u64, log: impl FnOnce(u64)) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.count += events;
        let is_due = state
            .logged_at
            .is_none_or(|at| now.saturating_duration_since(at) >= LOG_EVERY);
        if !is_due || state.count == 0 {
            return;
        }
        state.logged_at = Some(now);
        let count = std::mem::take(&mut state.count);
        drop(state);
        log(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_event_has_a_line_at_once_and_the_others_one_a_minute_with_their_count() {
        let (coalesced, start) = (Coalesced::new(), Instant::now());
        let mut lines = Vec::new();
        for second in 0..130 {
            let now = start + Duration::from_secs(second);
            coalesced.note_at(now, 1, |count| lines.push((second, count)));
        }
        assert_eq!(lines, [(0, 1), (60, 60), (120, 60)]);
    }

    #[test]
    fn the_last_events_of_a_burst_get_their_line_from_a_timer() {
        let (coalesced, start) = (Coalesced::new(), Instant::now());
        let mut lines = Vec::new();
        coalesced.note_at(start, 0, |count| lines.push(count));
        coalesced.note_at(start, 5, |count| lines.push(count));
        coalesced.note_at(start, 7, |count| lines.push(count));
        coalesced.note_at(start + LOG_EVERY / 2, 0, |count| lines.push(count));
        coalesced.note_at(start + LOG_EVERY, 0, |count| lines.push(count));
        coalesced.note_at(start + LOG_EVERY * 3, 0, |count| lines.push(count));
        assert_eq!(lines, [5, 7]);
    }
}
