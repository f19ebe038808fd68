//! When a log line about the bus is due. Not its words (`health_log`).

use std::time::{Duration, Instant};

use switchboard_core::BusState;

/// The time between two lines while the bus is not up.
const REMIND_EVERY: Duration = Duration::from_secs(60);

/// After this time the reason is logged again if it has changed: the first one is often a closed connection only.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Outages that have lines of their own in a minute. A server that closes connections again and again would fill the log.
const MAX_OUTAGES_A_MINUTE: u32 = 3;

/// A line that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// A state begins.
    Begins,
    /// It lasts, or its reason has changed.
    Lasts,
    /// The bus is up.
    Ends,
    /// The bus is up, and has been down so many times without a line.
    Repeats(u32),
}

/// The lines of one shard.
#[derive(Debug, Default)]
pub(super) struct HealthLines {
    outage: Option<Outage>,
    /// There was a line that the bus is up, and none since that it is not.
    is_said_up: bool,
    /// When the first of the outages began that count together, and how many they are.
    minute: Option<(Instant, u32)>,
    /// Outages without a line.
    unsaid: u32,
}

/// A time in which the bus is not up.
#[derive(Debug)]
struct Outage {
    since: Instant,
    logged_at: Option<Instant>,
    /// The states that had their first line. Attempts to connect alternate between states, and each has one first line.
    said: Vec<BusState>,
    /// The reason in the first line.
    why: String,
    is_looked_at_again: bool,
    /// It gets no line unless it lasts.
    is_one_too_many: bool,
}

impl HealthLines {
    /// How long the bus has not been up.
    pub(super) fn down_for(&self, now: Instant) -> Duration {
        self.outage
            .as_ref()
            .map_or(Duration::ZERO, |outage| now - outage.since)
    }

    /// Notes the state; returns the line that is due.
    pub(super) fn due(&mut self, state: BusState, why: &str, now: Instant) -> Option<Line> {
        if state == BusState::Up {
            return self.up(now);
        }
        let was_up = self.is_said_up;
        if self.outage.is_none() {
            self.outage = Some(self.begin(now));
        }
        let line = self.outage.as_mut()?.due(state, why, now, was_up);
        self.is_said_up &= line.is_none();
        line
    }

    fn up(&mut self, now: Instant) -> Option<Line> {
        let is_over = self.minute.is_some_and(|(began, _)| now - began >= REMIND_EVERY);
        if self
            .outage
            .take()
            .is_some_and(|outage| outage.logged_at.is_none())
            && self.is_said_up
        {
            self.unsaid += 1;
        } else if !std::mem::replace(&mut self.is_said_up, true) {
            return Some(Line::Ends);
        }
        (is_over && self.unsaid > 0).then(|| Line::Repeats(std::mem::take(&mut self.unsaid)))
    }

    fn begin(&mut self, now: Instant) -> Outage {
        let (began, count) = self
            .minute
            .filter(|(began, _)| now - *began < REMIND_EVERY)
            .unwrap_or((now, 0));
        // The start is no outage.
        self.minute = Some((began, count + u32::from(self.is_said_up)));
        Outage {
            since: now,
            logged_at: None,
            said: Vec::new(),
            why: String::new(),
            is_looked_at_again: false,
            is_one_too_many: count >= MAX_OUTAGES_A_MINUTE,
        }
    }
}

impl Outage {
    fn due(&mut self, state: BusState, why: &str, now: Instant, was_up: bool) -> Option<Line> {
        let lasts = now - self.since;
        // Connecting belongs to the state before. At the start it takes a moment, and that is no news.
        let is_news = match state {
            BusState::Connecting => self.said.is_empty() && (was_up || lasts >= REMIND_EVERY),
            BusState::Up | BusState::Degraded | BusState::Down | BusState::Refusing | BusState::Deaf => {
                !self.said.contains(&state)
            }
        };
        let is_news = is_news && !(self.is_one_too_many && lasts < LOOK_AGAIN_AFTER);
        let is_minute = self.logged_at.is_some_and(|at| now - at >= REMIND_EVERY);
        let looks_again = !self.is_looked_at_again
            && lasts >= LOOK_AGAIN_AFTER
            && state != BusState::Connecting
            && self.logged_at.is_some();
        self.is_looked_at_again |= looks_again;
        let is_changed = looks_again && self.why != why;
        let line = match (is_news, is_minute || is_changed) {
            (true, _) => Line::Begins,
            (false, true) => Line::Lasts,
            (false, false) => return None,
        };
        if is_news {
            self.said.push(state);
            why.clone_into(&mut self.why);
        }
        self.logged_at = Some(now);
        Some(line)
    }
}
