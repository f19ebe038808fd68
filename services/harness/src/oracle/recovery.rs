//! How fast clients recovered from a fault, from the log alone. Recovery ends with the first whole second in which no send
//! is slow, earlier sends included, and when every client that lost its connection has one again. The next fault or the
//! end of the load ends the measurement.

use std::{fmt, time::Duration};

use super::log::{ClientNo, ConnectionChange, Log};

/// A send that takes longer than this is slow.
const PROMPT: Duration = Duration::from_millis(250);

/// How long all sends must be prompt.
const CLEAN: Duration = Duration::from_secs(1);

/// How fast clients recovered from one fault.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// The fault.
    pub fault: String,
    /// When it began, from the start of the log.
    pub at: Duration,
    /// The time until the first clean second. `None`: there was none before the next fault.
    pub clean_after: Option<Duration>,
    /// The time until the last client that lost its connection had one again. `None`: not before the next fault.
    pub connected_after: Option<Duration>,
    /// Sends that were slow or failed.
    pub slow: usize,
    /// The longest wait for an outcome.
    pub longest: Duration,
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |time: Option<Duration>| {
            time.map_or_else(
                || "not yet".to_owned(),
                |time| format!("{:.2} s", time.as_secs_f64()),
            )
        };
        write!(
            f,
            "  {:<40} clean after {:>8}, all connected after {:>8}, {:>5} sends slow, longest {:.2} s",
            self.fault,
            seconds(self.clean_after),
            seconds(self.connected_after),
            self.slow,
            self.longest.as_secs_f64()
        )
    }
}

/// How fast clients recovered from each fault.
pub(super) fn recoveries(log: &Log) -> Vec<Recovery> {
    let waits = waits(log);
    let nexts = log.faults.iter().skip(1).map(|(at, _)| *at);
    let end = log.load_ended.unwrap_or(Duration::MAX);
    let nexts = nexts.chain([end]);
    log.faults
        .iter()
        .zip(nexts)
        .map(|((at, fault), until)| recovery(log, &waits, fault, *at, until))
        .collect()
}

/// Of each send: when it was sent, how long its outcome took, and whether that was prompt; by the time sent.
fn waits(log: &Log) -> Vec<(Duration, Duration, bool)> {
    let sends = log.clients.iter().flat_map(|client| client.sends.values());
    let mut waits: Vec<_> = sends
        .filter_map(|record| {
            let sent = record.sent?.at;
            Some(match record.outcomes.first() {
                Some((at, outcome)) => {
                    let wait = at.saturating_sub(sent);
                    (sent, wait, wait <= PROMPT && outcome.is_delivered())
                }
                None => (sent, Duration::MAX, false),
            })
        })
        .collect();
    waits.sort_unstable();
    waits
}

fn recovery(
    log: &Log,
    waits: &[(Duration, Duration, bool)],
    fault: &str,
    at: Duration,
    until: Duration,
) -> Recovery {
    let begin = waits.partition_point(|(sent, ..)| *sent < at);
    let end = waits.partition_point(|(sent, ..)| *sent < until);
    let within = waits.get(begin..end).unwrap_or_default();
    let mut clean_from = at;
    let mut slow = 0;
    let mut is_found = false;
    for (sent, wait, _) in within.iter().filter(|(.., is_prompt)| !is_prompt) {
        slow += 1;
        is_found |= *sent >= clean_from.saturating_add(CLEAN);
        if !is_found {
            clean_from = clean_from.max(sent.saturating_add(*wait));
        }
    }
    is_found |= clean_from.saturating_add(CLEAN) <= until;
    let longest = within.iter().map(|(_, wait, _)| *wait).max().unwrap_or_default();
    Recovery {
        fault: fault.to_owned(),
        at,
        clean_after: is_found.then(|| clean_from - at),
        connected_after: connected_after(log, at, until),
        slow,
        longest,
    }
}

fn connected_after(log: &Log, at: Duration, until: Duration) -> Option<Duration> {
    let mut last = Duration::ZERO;
    for client in &log.clients {
        let mut is_away = false;
        let changes = client
            .changes
            .iter()
            .filter(|(when, _)| *when >= at && *when < until);
        for (when, change) in changes {
            match change {
                ConnectionChange::Connected { .. } if is_away => {
                    is_away = false;
                    last = last.max(*when - at);
                }
                ConnectionChange::Connected { .. } => {}
                ConnectionChange::Disconnected { .. } | ConnectionChange::Ended { .. } => is_away = true,
            }
        }
        if is_away {
            return None;
        }
    }
    Some(last)
}

/// The longest that a send of one stream waited for its outcome.
pub(super) fn longest_wait(log: &Log, from: ClientNo, to: ClientNo) -> Duration {
    let sends = log.clients.get(from.index()).map(|client| client.sends.values());
    let waits = sends.into_iter().flatten().filter_map(|record| {
        let send = record.sent.filter(|send| send.stamp.to == to)?;
        let (at, _) = record.outcomes.first()?;
        Some(at.saturating_sub(send.at))
    });
    waits.max().unwrap_or_default()
}
