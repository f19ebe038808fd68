//! One direction between two peers, and the oracle on it: what was sent, which final words came, what arrived, in
//! which order; and at the end, what is to be called a loss. The rules are those of `docs/delivery.md`, made weaker
//! only where a server promises less.

use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use switchboard_protocol::MessageKind;

use super::{judge::Judge, stamp::FlowId};
use crate::{
    drivers::{Promises, Word},
    record::{Counter, Metric},
};

/// Sends of one flow that are not finished; those beyond cannot be judged, and fail the run.
const MAX_OPEN: usize = 65_536;

/// A send that is not finished: its word or its arrival is missing.
#[derive(Debug)]
struct Open {
    kind: MessageKind,
    at: Instant,
    late: Duration,
    has_arrived: bool,
    word: Option<Word>,
}

/// What came with an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) number: u64,
    pub(crate) kind: MessageKind,
    /// From its send until now.
    pub(crate) took: Duration,
}

/// One direction between two peers.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) id: FlowId,
    promises: Promises,
    /// The number of the first entry of `open`.
    base: u64,
    open: VecDeque<Open>,
    /// Finished with an error, and not arrived so far: if one arrives all the same, that is no offence.
    told: BTreeSet<u64>,
    /// The highest number that arrived.
    highest: u64,
    /// Whether its times count: not those of receivers that are slow on purpose.
    pub(crate) is_timed: bool,
    /// Sends up to this number may be missing: their sender or receiver was told so.
    told_up_to: u64,
}

impl Flow {
    pub(crate) fn new(id: FlowId, promises: Promises) -> Self {
        Self {
            id,
            promises,
            base: 1,
            open: VecDeque::new(),
            told: BTreeSet::new(),
            highest: 0,
            is_timed: true,
            told_up_to: 0,
        }
    }

    /// The number of the next send.
    pub(crate) fn next(&self) -> u64 {
        self.base + self.open.len() as u64
    }

    /// A message was sent at `at`, `late` after the moment it was planned for.
    pub(crate) fn sent(&mut self, kind: MessageKind, at: Instant, late: Duration, judge: &Judge) {
        judge.recorder.count(Counter::Sent);
        if self.open.len() >= MAX_OPEN {
            judge.recorder.count(Counter::OracleFull);
            self.open.pop_front();
            self.base += 1;
        }
        self.open.push_back(Open {
            kind,
            at,
            late,
            has_arrived: false,
            word: None,
        });
    }

    /// The final word on a send.
    pub(crate) fn word(&mut self, number: u64, word: Word, judge: &Judge) {
        let is_timed = self.is_timed;
        let Some(open) = self.entry(number) else {
            return;
        };
        match &word {
            Word::Delivered => {
                judge.recorder.count(Counter::Delivered);
                if is_timed {
                    judge.recorder.time(Metric::Outcome, open.at.elapsed(), open.late);
                }
            }
            Word::Failed(reason) => {
                judge.recorder.count(Counter::SendErrors);
                judge.recorder.error(&format!("send: {reason}"));
            }
        }
        open.word = Some(word);
        self.shed();
    }

    /// A message of this flow arrived at its receiver.
    pub(crate) fn arrived(&mut self, number: u64, judge: &Judge) -> Option<Arrived> {
        let now = Instant::now();
        judge.recorder.count(Counter::Arrived);
        let (highest, is_timed, id) = (self.highest, self.is_timed, self.id);
        let is_new = self.entry(number).is_some_and(|open| !open.has_arrived);
        if !is_new {
            if self.told.remove(&number) {
                return None;
            }
            if number >= self.next() {
                judge.offence(Counter::Misdelivered, || {
                    format!("{id:?}: {number} arrived and was never sent")
                });
            } else {
                judge.offence(Counter::Duplicated, || format!("{id:?}: {number} arrived again"));
            }
            return None;
        }
        if number < highest {
            judge.offence(Counter::Reordered, || {
                format!("{id:?}: {number} arrived after {highest}")
            });
        }
        self.highest = highest.max(number);
        let open = self.entry(number)?;
        open.has_arrived = true;
        let took = now.saturating_duration_since(open.at);
        let (kind, late) = (open.kind, open.late);
        if is_timed {
            judge.recorder.time(Metric::OneWay, took, late);
        }
        self.shed();
        Some(Arrived { number, kind, took })
    }

    /// The sender or the receiver was told that what is open now may be lost: its connection is over, or came
    /// back with a gap.
    pub(crate) fn is_told(&mut self) {
        self.told_up_to = self.next().saturating_sub(1);
    }

    /// Whether every send is finished.
    pub(crate) fn is_settled(&self) -> bool {
        self.open.is_empty()
    }

    /// Judges what is still open; nothing more comes.
    pub(crate) fn end(&mut self, judge: &Judge) {
        let (id, base, told_up_to, final_words) =
            (self.id, self.base, self.told_up_to, self.promises.final_words);
        for (number, open) in (base..).zip(self.open.drain(..)) {
            let is_told = number <= told_up_to;
            let story = || {
                format!(
                    "{id:?}: {} {number}, sent {:?} ago: word {:?}, arrived {}",
                    open.kind,
                    open.at.elapsed(),
                    open.word,
                    open.has_arrived
                )
            };
            match (&open.word, open.has_arrived) {
                (Some(_), true) | (Some(Word::Failed(_)), false) => {}
                (Some(Word::Delivered), false) | (None, _) if is_told => {
                    judge.recorder.count(Counter::SendErrors)
                }
                (Some(Word::Delivered), false) => judge.offence(Counter::Lost, story),
                (None, true) if !final_words => {}
                (None, _) if final_words => judge.offence(Counter::NoOutcome, story),
                (None, _) => judge.offence(Counter::Lost, story),
            }
        }
    }

    fn entry(&mut self, number: u64) -> Option<&mut Open> {
        let index = usize::try_from(number.checked_sub(self.base)?).ok()?;
        self.open.get_mut(index)
    }

    /// Forgets what is finished, from the oldest on.
    fn shed(&mut self) {
        let final_words = self.promises.final_words;
        while self.open.front().is_some_and(|open| {
            let has_word = open.word.is_some() || !final_words;
            let has_failed = matches!(open.word, Some(Word::Failed(_)));
            has_word && (open.has_arrived || has_failed)
        }) {
            let arrived = self.open.pop_front().is_some_and(|open| open.has_arrived);
            if !arrived && self.told.len() < MAX_OPEN {
                self.told.insert(self.base);
            }
            self.base += 1;
        }
    }
}
