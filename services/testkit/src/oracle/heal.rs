//! How fast a fault healed, out of the log alone: from the fault to the first whole second in which no send
//! is held up, such as were sent before included, and until every client that lost its connection had one. Judged up to the next
//! fault or the end of the load.

use std::{fmt, time::Duration};

use switchboard_client::Outcome;

use super::log::{Change, ClientNo, Log};

/// A send that took longer than this was held up.
const PROMPT: Duration = Duration::from_millis(250);

/// How long everything must be prompt.
const CLEAN: Duration = Duration::from_secs(1);

/// How one fault healed.
#[derive(Debug, Clone)]
pub struct Heal {
    /// What was done.
    pub fault: String,
    /// When, from the start of the log.
    pub at: Duration,
    /// From then to the first clean second; `None`: there was none before the next fault.
    pub clean_after: Option<Duration>,
    /// From then until the last client that lost its connection had one again; `None`: not before the next.
    pub connected_after: Option<Duration>,
    /// Sends that were held up or failed.
    pub held_up: usize,
    /// The longest wait for a final word.
    pub longest: Duration,
}

impl fmt::Display for Heal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |time: Option<Duration>| {
            time.map_or_else(
                || "not yet".to_owned(),
                |time| format!("{:.2} s", time.as_secs_f64()),
            )
        };
        write!(
            f,
            "  {:<40} clean after {:>8}, all connected after {:>8}, {:>5} sends held up, longest {:.2} s",
            self.fault,
            seconds(self.clean_after),
            seconds(self.connected_after),
            self.held_up,
            self.longest.as_secs_f64()
        )
    }
}

/// How each fault healed.
pub(super) fn heals(log: &Log) -> Vec<Heal> {
    let waits = waits(log);
    let nexts = log.faults.iter().skip(1).map(|(at, _)| *at);
    let end = log.load_ended.unwrap_or(Duration::MAX);
    let nexts = nexts.chain([end]);
    log.faults
        .iter()
        .zip(nexts)
        .map(|((at, fault), until)| heal(log, &waits, fault, *at, until))
        .collect()
}

/// When each send was sent, how long its word took, and whether that was prompt; by the time sent.
fn waits(log: &Log) -> Vec<(Duration, Duration, bool)> {
    let said = log.clients.iter().flat_map(|client| client.said.values());
    let mut waits: Vec<_> = said
        .filter_map(|said| {
            let sent = said.send?.at;
            Some(match said.words.first() {
                Some((at, word)) => {
                    let wait = at.saturating_sub(sent);
                    (sent, wait, wait <= PROMPT && *word == Outcome::Delivered)
                }
                None => (sent, Duration::MAX, false),
            })
        })
        .collect();
    waits.sort_unstable();
    waits
}

fn heal(log: &Log, waits: &[(Duration, Duration, bool)], fault: &str, at: Duration, until: Duration) -> Heal {
    let begin = waits.partition_point(|(sent, ..)| *sent < at);
    let end = waits.partition_point(|(sent, ..)| *sent < until);
    let within = waits.get(begin..end).unwrap_or_default();
    let mut clean_from = at;
    let mut held_up = 0;
    let mut is_found = false;
    for (sent, wait, _) in within.iter().filter(|(.., is_prompt)| !is_prompt) {
        held_up += 1;
        is_found |= *sent >= clean_from.saturating_add(CLEAN);
        if !is_found {
            clean_from = clean_from.max(sent.saturating_add(*wait));
        }
    }
    is_found |= clean_from.saturating_add(CLEAN) <= until;
    let longest = within.iter().map(|(_, wait, _)| *wait).max().unwrap_or_default();
    Heal {
        fault: fault.to_owned(),
        at,
        clean_after: is_found.then(|| clean_from - at),
        connected_after: connected_after(log, at, until),
        held_up,
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
                Change::Connected { .. } if is_away => {
                    is_away = false;
                    last = last.max(*when - at);
                }
                Change::Connected { .. } => {}
                Change::Disconnected { .. } | Change::Ended { .. } => is_away = true,
            }
        }
        if is_away {
            return None;
        }
    }
    Some(last)
}

/// The longest that a send of one stream waited for its word.
pub(super) fn longest_wait(log: &Log, from: ClientNo, to: ClientNo) -> Duration {
    let said = log.clients.get(from.index()).map(|client| client.said.values());
    let waits = said.into_iter().flatten().filter_map(|said| {
        let send = said.send.filter(|send| send.stamp.to == to)?;
        let (at, _) = said.words.first()?;
        Some(at.saturating_sub(send.at))
    });
    waits.max().unwrap_or_default()
}
