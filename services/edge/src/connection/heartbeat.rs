//! When to ping a client and when to give it up. Only arithmetic on instants; the connection owns the timer.
//!
//! Pings are on a grid that all connections of the process share, so that one wake-up serves many of them.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

/// One connection's heartbeat.
#[derive(Debug)]
pub(super) struct Heartbeat {
    every: Duration,
    last_sign: Instant,
    next_ping: Instant,
    /// When a client that was asked for a sign of life is given up.
    answer_until: Option<Instant>,
}

/// How long a client has to answer a ping when another connection wants its peer ID.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// The steps of the grid are so small a part of the heartbeat …
const STEPS: u32 = 32;

/// … and never larger: the connections of one step are served in one go, and messages wait for them.
const LONGEST_STEP: Duration = Duration::from_millis(100);

/// Where the grid begins.
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The first moment of the grid that is not before `at`.
fn on_grid(at: Instant, every: Duration) -> Instant {
    let step = (every / STEPS).min(LONGEST_STEP).as_nanos();
    let since = at.saturating_duration_since(*ORIGIN).as_nanos();
    let late = since.checked_rem(step).unwrap_or_default();
    if late == 0 {
        return at;
    }
    // Less than LONGEST_STEP.
    at + Duration::from_nanos(u64::try_from(step - late).unwrap_or_default())
}

/// The action that is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing.
    Wait,
    /// Send a ping.
    Ping,
    /// Two heartbeats without a sign of life.
    Dead,
}

impl Heartbeat {
    /// `jitter` in 0..1 spreads the first pings of connections that came together.
    pub(super) fn new(every: Duration, jitter: f32, now: Instant) -> Self {
        Self {
            every,
            last_sign: now,
            next_ping: on_grid(now + every.mul_f32(0.5 + jitter * 0.5), every),
            answer_until: None,
        }
    }

    /// The client gave a sign of life; true when one was asked for.
    pub(super) fn on_sign(&mut self, now: Instant) -> bool {
        self.last_sign = now;
        self.answer_until.take().is_some()
    }

    /// Asks for a sign of life; the caller sends a ping.
    pub(super) fn ask(&mut self, now: Instant) {
        self.answer_until.get_or_insert(now + ANSWER_TIMEOUT);
    }

    pub(super) fn next_at(&self) -> Instant {
        self.answer_until
            .map_or(self.next_ping, |until| self.next_ping.min(until))
    }

    pub(super) fn beat(&mut self, now: Instant) -> Beat {
        if self.answer_until.is_some_and(|until| until <= now) {
            return Beat::Dead;
        }
        if now < self.next_ping {
            return Beat::Wait;
        }
        if now.duration_since(self.last_sign) >= self.every * 2 {
            return Beat::Dead;
        }
        // Counted from the grid: timers run a little late, and would miss its next step.
        let next = self.next_ping + self.every;
        self.next_ping = on_grid(if next > now { next } else { now + self.every }, self.every);
        Beat::Ping
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_silent_client_is_pinged_and_then_given_up_after_two_heartbeats() {
        let every = Duration::from_secs(25);
        let start = on_grid(Instant::now(), every);
        let mut heartbeat = Heartbeat::new(every, 0.0, start);
        assert_eq!(heartbeat.beat(start), Beat::Wait);
        assert_eq!(heartbeat.beat(start + every / 2), Beat::Ping);
        assert_eq!(heartbeat.beat(start + every + every / 2), Beat::Ping);
        assert_eq!(heartbeat.beat(start + every * 5 / 2), Beat::Dead);
    }

    #[test]
    fn a_client_that_is_asked_must_answer_soon() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(Duration::from_secs(25), 0.0, start);
        assert!(!heartbeat.on_sign(start), "no question was open");
        heartbeat.ask(start);
        assert_eq!(heartbeat.next_at(), start + ANSWER_TIMEOUT);
        assert_eq!(heartbeat.beat(start), Beat::Wait);
        assert!(heartbeat.on_sign(start));
        assert_eq!(heartbeat.beat(start + ANSWER_TIMEOUT), Beat::Wait);
        heartbeat.ask(start);
        assert_eq!(heartbeat.beat(start + ANSWER_TIMEOUT), Beat::Dead);
    }

    #[test]
    fn any_sign_of_life_keeps_a_client() {
        let start = Instant::now();
        let every = Duration::from_secs(25);
        let mut heartbeat = Heartbeat::new(every, 0.5, start);
        for beats in 1..100 {
            let now = start + every * beats;
            heartbeat.on_sign(now);
            assert_ne!(heartbeat.beat(now), Beat::Dead);
        }
    }

    #[test]
    fn pings_of_many_connections_share_the_moments_of_a_grid_and_are_never_early() {
        let start = Instant::now();
        for (every, step) in [
            (25_000, LONGEST_STEP),
            (1000, Duration::from_millis(1000) / STEPS),
        ] {
            let every = Duration::from_millis(every);
            let moments: HashSet<Instant> = (0..1000u16)
                .map(|number| {
                    let jitter = f32::from(number) / 1000.0;
                    let wanted = start + every.mul_f32(0.5 + jitter * 0.5);
                    let at = Heartbeat::new(every, jitter, start).next_at();
                    assert!(wanted <= at && at < wanted + step, "{:?}", at - wanted);
                    at
                })
                .collect();
            let most = every.as_nanos() / 2 / step.as_nanos() + 1;
            assert!(moments.len() as u128 <= most, "{} moments", moments.len());
        }
    }

    #[test]
    fn a_timer_that_runs_late_does_not_leave_the_grid() {
        let every = Duration::from_secs(25);
        let mut heartbeat = Heartbeat::new(every, 0.3, Instant::now());
        let first = heartbeat.next_at();
        assert_eq!(heartbeat.beat(first + Duration::from_millis(2)), Beat::Ping);
        assert_eq!(heartbeat.next_at(), first + every);
        let late = first + every * 3 + Duration::from_millis(1);
        heartbeat.on_sign(late);
        assert_eq!(heartbeat.beat(late), Beat::Ping);
        assert_eq!(heartbeat.next_at(), first + every * 4 + LONGEST_STEP);
    }
}
