//! One direction between two peers, and the oracle on it: what was sent, which outcomes came, what arrived, in which
//! order; and at the end, what counts as lost. The rules are those of `docs/delivery.md`, made weaker only where a
//! server promises less.

use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use switchboard_protocol::MessageKind;

use super::{oracle::Oracle, stamp::FlowId};
use crate::{
    drivers::{Outcome, Promises},
    record::{Counter, Metric},
};

/// Unfinished sends of one flow; more cannot be checked, and make the run invalid.
const MAX_UNFINISHED: usize = 65_536;

/// A send whose outcome or arrival is missing.
#[derive(Debug)]
struct Unfinished {
    kind: MessageKind,
    at: Instant,
    late: Duration,
    has_arrived: bool,
    outcome: Option<Outcome>,
}

/// One direction between two peers.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) id: FlowId,
    promises: Promises,
    /// The number of the first entry of `unfinished`.
    base: u64,
    unfinished: VecDeque<Unfinished>,
    /// Sends that failed and have not arrived. A late arrival of one of them is no violation.
    failed: BTreeSet<u64>,
    /// The highest number that arrived.
    highest: u64,
    /// Whether its times count. They do not for receivers that are slow on purpose.
    pub(crate) is_timed: bool,
    /// Sends up to this number may be missing: their sender or receiver knows it.
    excused_up_to: u64,
}

impl Flow {
    pub(crate) fn new(id: FlowId, promises: Promises) -> Self {
        Self {
            id,
            promises,
            base: 1,
            unfinished: VecDeque::new(),
            failed: BTreeSet::new(),
            highest: 0,
            is_timed: true,
            excused_up_to: 0,
        }
    }

    /// The number of the next send.
    pub(crate) fn next_number(&self) -> u64 {
        self.base + self.unfinished.len() as u64
    }

    /// How many sends are unfinished.
    pub(crate) fn unfinished(&self) -> usize {
        self.unfinished.len()
    }

    /// A message was sent at `at`, `late` after the moment it was planned for.
    pub(crate) fn sent(&mut self, kind: MessageKind, at: Instant, late: Duration, oracle: &Oracle) {
        oracle.recorder.count(Counter::Sent);
        if self.unfinished.len() >= MAX_UNFINISHED {
            oracle.recorder.count(Counter::OracleFull);
            self.unfinished.pop_front();
            self.base += 1;
        }
        self.unfinished.push_back(Unfinished {
            kind,
            at,
            late,
            has_arrived: false,
            outcome: None,
        });
    }

    /// The outcome of a send.
    pub(crate) fn outcome(&mut self, number: u64, outcome: Outcome, oracle: &Oracle) {
        let (is_timed, recorder) = (self.is_timed, &oracle.recorder);
        let Some(send) = self.entry(number) else {
            return;
        };
        match &outcome {
            Outcome::Delivered => {
                recorder.count(Counter::Delivered);
                if is_timed {
                    recorder.time(Metric::Outcome, send.at.elapsed(), send.late);
                }
            }
            Outcome::Failed(reason) => {
                recorder.count(Counter::SendErrors);
                recorder.error(&format!("send: {reason}"));
            }
        }
        send.outcome = Some(outcome);
        self.forget_finished();
    }

    /// A message of this flow arrived at its receiver. `None` if it must not have.
    pub(crate) fn arrived(&mut self, number: u64, oracle: &Oracle) -> Option<MessageKind> {
        let now = Instant::now();
        oracle.recorder.count(Counter::Arrived);
        let (highest, is_timed, id) = (self.highest, self.is_timed, self.id);
        if self.entry(number).is_none_or(|send| send.has_arrived) {
            if self.failed.remove(&number) {
                return None;
            }
            let (counter, how) = if number >= self.next_number() {
                (Counter::Misdelivered, "and was never sent")
            } else {
                (Counter::Duplicated, "again")
            };
            oracle.violation(counter, || format!("{id:?}: {number} arrived {how}"));
            return None;
        }
        if number < highest {
            oracle.violation(Counter::Reordered, || {
                format!("{id:?}: {number} arrived after {highest}")
            });
        }
        self.highest = highest.max(number);
        let send = self.entry(number)?;
        send.has_arrived = true;
        let kind = send.kind;
        if is_timed {
            oracle
                .recorder
                .time(Metric::OneWay, now.saturating_duration_since(send.at), send.late);
        }
        self.forget_finished();
        Some(kind)
    }

    /// The sender or the receiver knows that unfinished sends may be lost: its connection is over, or came back with a
    /// gap.
    pub(crate) fn excuse_unfinished(&mut self) {
        self.excused_up_to = self.next_number().saturating_sub(1);
    }

    /// Checks the unfinished sends; no event follows.
    pub(crate) fn end(&mut self, oracle: &Oracle) {
        let (id, promises) = (self.id, self.promises);
        for (number, send) in (self.base..).zip(self.unfinished.drain(..)) {
            let Unfinished {
                kind,
                at,
                has_arrived,
                outcome,
                ..
            } = &send;
            let violation = match (outcome, has_arrived) {
                (Some(_), true) | (Some(Outcome::Failed(_)), false) => continue,
                _ if number <= self.excused_up_to => {
                    oracle.recorder.count(Counter::SendErrors);
                    continue;
                }
                (None, true) if !promises.outcomes => continue,
                (None, _) if promises.outcomes => Counter::NoOutcome,
                _ => Counter::Lost,
            };
            oracle.violation(violation, || {
                let ago = at.elapsed();
                format!(
                    "{id:?}: {kind} {number}, sent {ago:?} ago: outcome {outcome:?}, arrived {has_arrived}"
                )
            });
        }
    }

    fn entry(&mut self, number: u64) -> Option<&mut Unfinished> {
        let index = usize::try_from(number.checked_sub(self.base)?).ok()?;
        self.unfinished.get_mut(index)
    }

    /// Removes finished sends, from the oldest on.
    fn forget_finished(&mut self) {
        let promises = self.promises;
        let is_finished = |send: &mut Unfinished| match send.outcome {
            Some(Outcome::Failed(_)) => true,
            Some(Outcome::Delivered) => send.has_arrived,
            None => send.has_arrived && !promises.outcomes,
        };
        while let Some(send) = self.unfinished.pop_front_if(is_finished) {
            if !send.has_arrived && self.failed.len() < MAX_UNFINISHED {
                self.failed.insert(self.base);
            }
            self.base += 1;
        }
    }
}
