//! When to ping a client and when to give it up. Only arithmetic on instants; the connection owns the timer.

use std::time::{Duration, Instant};

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
            next_ping: now + every.mul_f32(0.5 + jitter * 0.5),
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
        self.next_ping = now + self.every;
        Beat::Ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_client_is_pinged_and_then_given_up_after_two_heartbeats() {
        let start = Instant::now();
        let every = Duration::from_secs(25);
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
}
