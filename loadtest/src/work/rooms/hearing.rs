//! What one member received of the messages to its rooms, and the oracle on it. A member must get each message that was
//! sent while it is in the room, once and in the order of its sender, unless the node says that something is missing.

use std::collections::{BTreeMap, BTreeSet};

use super::truth::{Spoken, Truth};
use crate::{
    record::{Counter, Metric},
    work::{oracle::Oracle, stamp::FlowId},
};

/// Missing messages that one member keeps until the end; further ones are counted as not checked.
const MAX_MISSING: usize = 1024;

/// Bits of a flow's number for the speaker.
const SPEAKER_BITS: u32 = 16;

/// One speaker in one room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    pub(super) room: usize,
    pub(super) speaker: usize,
}

impl Source {
    /// The flow in the stamps of this source.
    pub(super) const fn flow(self) -> FlowId {
        FlowId((self.room as u64) << SPEAKER_BITS | self.speaker as u64)
    }

    fn of(flow: FlowId) -> Self {
        Self {
            room: usize::try_from(flow.0 >> SPEAKER_BITS).unwrap_or(usize::MAX),
            speaker: (flow.0 & ((1 << SPEAKER_BITS) - 1)) as usize,
        }
    }
}

/// What one member has of one source.
#[derive(Debug)]
struct Received {
    /// The first message that must arrive.
    required: u64,
    /// The highest that arrived.
    highest: u64,
}

/// What one member has of all its sources.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    sources: BTreeMap<Source, Received>,
    /// Messages that a later one overtook. One that its speaker knows to have failed is no loss.
    missing: BTreeSet<(Source, u64)>,
}

impl Hearing {
    /// The member is in `room` from now on, or may have missed something there: what was sent until now may be missing.
    pub(super) fn enter(&mut self, truth: &Truth, room: usize, own: usize) {
        for (speaker, spoken) in truth.room(room).spoken.iter().enumerate() {
            if speaker == own {
                continue;
            }
            let required = spoken.lock().last + 1;
            let source = Source { room, speaker };
            let received = self
                .sources
                .entry(source)
                .or_insert(Received { required, highest: 0 });
            received.required = required;
            self.missing.retain(|(missing, _)| *missing != source);
        }
    }

    /// The member is not in `room` any more.
    pub(super) fn leave(&mut self, room: usize) {
        self.sources.retain(|source, _| source.room != room);
    }

    /// A message arrived from `room`, with this flow and number in its stamp.
    pub(super) fn arrived(
        &mut self,
        truth: &Truth,
        oracle: &Oracle,
        room: Option<usize>,
        (flow, number): (FlowId, u64),
    ) {
        oracle.recorder.count(Counter::Arrived);
        let source = Source::of(flow);
        let spoken = room.filter(|room| *room == source.room);
        let spoken = spoken.and_then(|room| truth.room(room).spoken.get(source.speaker));
        let was_sent = spoken.is_some_and(|spoken| (1..=spoken.lock().last).contains(&number));
        let Some(spoken) = spoken.filter(|_| was_sent) else {
            oracle.violation(Counter::Misdelivered, || {
                format!("{number} of {source:?} came from room {room:?}")
            });
            return;
        };
        if let Some((at, late)) = spoken.lock().time_of(number) {
            oracle.recorder.time(Metric::OneWay, at.elapsed(), late);
        }
        // Otherwise it crossed with the answer to a `join` or `leave`.
        let Some(received) = self.sources.get_mut(&source) else {
            return;
        };
        if number <= received.highest {
            // A message before the requirement may be one that was sent again after a resume.
            if number >= received.required || number == received.highest {
                let counter = match self.missing.remove(&(source, number)) {
                    true => Counter::Reordered,
                    false => Counter::Duplicated,
                };
                oracle.violation(counter, || {
                    format!("{number} of {source:?} arrived after {}", received.highest)
                });
            }
            return;
        }
        for missing in received.required.max(received.highest + 1)..number {
            if self.missing.len() >= MAX_MISSING {
                oracle.recorder.count(Counter::OracleFull);
                break;
            }
            self.missing.insert((source, missing));
        }
        received.highest = number;
    }

    /// Whether everything that was sent has arrived.
    pub(super) fn is_complete(&self, truth: &Truth) -> bool {
        self.lost(truth).next().is_none()
    }

    /// Counts and describes the missing messages; nothing arrives any more.
    pub(super) fn check(&self, truth: &Truth, oracle: &Oracle, name: &str) {
        for (source, number) in self.lost(truth) {
            oracle.violation(Counter::Lost, || {
                format!("{number} of {source:?} did not arrive at {name}")
            });
        }
    }

    fn lost<'a>(&'a self, truth: &'a Truth) -> impl Iterator<Item = (Source, u64)> + 'a {
        let overtaken = self.missing.iter().filter(|(source, number)| {
            let spoken = truth.room(source.room).spoken.get(source.speaker);
            spoken.is_some_and(|spoken| !spoken.lock().failed.contains(number))
        });
        let last = self.sources.iter().flat_map(|(source, received)| {
            let spoken = truth.room(source.room).spoken.get(source.speaker);
            let first = received.required.max(received.highest + 1);
            let lost = spoken.map(|spoken| unfailed(&spoken.lock(), first));
            lost.unwrap_or_default()
                .into_iter()
                .map(|number| (*source, number))
        });
        overtaken.copied().chain(last)
    }
}

/// The messages from `first` on that have not failed, [`MAX_MISSING`] of them at most.
fn unfailed(spoken: &Spoken, first: u64) -> Vec<u64> {
    let numbers = (first..=spoken.last).filter(|number| !spoken.failed.contains(number));
    numbers.take(MAX_MISSING).collect()
}
