//! When to ping a client and when to give it up. Plain arithmetic on instants; the connection owns the
//! timer.

use std::time::{Duration, Instant};

/// One connection's heartbeat.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    every: Duration,
    last_heard: Instant,
    next_ping: Instant,
    /// Until when somebody waits for a sign of life.
    asked_until: Option<Instant>,
}

/// How long a client has to answer a ping when another connection wants its peer ID.
const ANSWER: Duration = Duration::from_secs(2);

/// What a moment asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Nothing yet.
    Wait,
    /// Send a ping.
    Ping,
    /// Two heartbeats without a sign of life.
    Dead,
}

impl Heartbeat {
    /// `jitter` in 0..1 spreads the first pings of connections that came together.
    pub(crate) fn new(every: Duration, jitter: f32, now: Instant) -> Self {
        Self {
            every,
            last_heard: now,
            next_ping: now + every.mul_f32(0.5 + jitter * 0.5),
            asked_until: None,
        }
    }

    /// The client was heard; true when somebody had asked.
    pub(crate) fn heard(&mut self, now: Instant) -> bool {
        self.last_heard = now;
        self.asked_until.take().is_some()
    }

    /// Somebody wants to know whether the client still lives; a ping is to be sent.
    pub(crate) fn ask(&mut self, now: Instant) {
        self.asked_until.get_or_insert(now + ANSWER);
    }

    pub(crate) fn next_at(&self) -> Instant {
        self.asked_until
            .map_or(self.next_ping, |until| self.next_ping.min(until))
    }

    pub(crate) fn beat(&mut self, now: Instant) -> Beat {
        if self.asked_until.is_some_and(|until| until <= now) {
            return Beat::Dead;
        }
        if now < self.next_ping {
            return Beat::Wait;
        }
        if now.duration_since(self.last_heard) >= self.every * 2 {
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
    fn a_client_that_somebody_asked_for_must_answer_soon() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(Duration::from_secs(25), 0.0, start);
        assert!(!heartbeat.heard(start), "nobody had asked");
        heartbeat.ask(start);
        assert_eq!(heartbeat.next_at(), start + ANSWER);
        assert_eq!(heartbeat.beat(start), Beat::Wait);
        assert!(heartbeat.heard(start));
        assert_eq!(heartbeat.beat(start + ANSWER), Beat::Wait);
        heartbeat.ask(start);
        assert_eq!(heartbeat.beat(start + ANSWER), Beat::Dead);
    }

    #[test]
    fn any_sign_of_life_keeps_a_client() {
        let start = Instant::now();
        let every = Duration::from_secs(25);
        let mut heartbeat = Heartbeat::new(every, 0.5, start);
        for beats in 1..100 {
            let now = start + every * beats;
            heartbeat.heard(now);
            assert_ne!(heartbeat.beat(now), Beat::Dead);
        }
    }
}
