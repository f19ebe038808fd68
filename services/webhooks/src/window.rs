//! The events that a node has read and not delivered: a queue for each peer, of which only the first event may be under
//! way. So a peer's events arrive in order, and a peer whose event is refused delays nobody else. Plain state.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

use hashbrown::HashMap;
use switchboard_core::{STREAM_PARTITIONS, StreamEntry};
use tokio::time::Instant;

/// Events of one partition in the window: at most 256 KiB.
pub(crate) const EVENTS_PER_PARTITION: usize = 256;

/// The window of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Window {
    peers: HashMap<String, Peer>,
    /// Peers whose first event may be sent. A name may be here twice, or without a peer: `next` checks.
    ready: VecDeque<String>,
    /// Those whose first event waits.
    later: BinaryHeap<Reverse<(Instant, String)>>,
    counts: [usize; STREAM_PARTITIONS],
}

/// The events of one peer, or of one room.
#[derive(Debug)]
struct Peer {
    partition: usize,
    /// Never empty.
    events: VecDeque<StreamEntry>,
    /// Answers without success to the first event.
    refusals: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ready,
    UnderWay,
    Waits(Instant),
}

impl Window {
    /// How many more events of `partition` fit.
    pub(crate) fn room(&self, partition: usize) -> usize {
        EVENTS_PER_PARTITION.saturating_sub(self.counts[partition])
    }

    /// Adds an event behind those of its peer.
    pub(crate) fn push(&mut self, partition: usize, entry: StreamEntry) {
        let key = &entry.event.key;
        if let Some(peer) = self.peers.get_mut(key) {
            // One that is under way is read again when its partition is kept after all.
            let is_here = peer.events.back().is_some_and(|last| last.entry == entry.entry);
            if !is_here {
                self.counts[partition] += 1;
                peer.events.push_back(entry);
            }
            return;
        }
        self.counts[partition] += 1;
        self.ready.push_back(key.clone());
        let peer = Peer {
            partition,
            refusals: 0,
            state: State::Ready,
            events: VecDeque::new(),
        };
        self.peers.entry_ref(key).or_insert(peer).events.push_back(entry);
    }

    /// The next event to send at `now`, which is under way from here on.
    pub(crate) fn next(&mut self, now: Instant) -> Option<(usize, StreamEntry)> {
        while self.next_due().is_some_and(|at| at <= now) {
            let Some(Reverse((at, key))) = self.later.pop() else {
                break;
            };
            if let Some(peer) = self
                .peers
                .get_mut(&key)
                .filter(|peer| peer.state == State::Waits(at))
            {
                peer.state = State::Ready;
                self.ready.push_back(key);
            }
        }
        while let Some(key) = self.ready.pop_front() {
            if let Some(peer) = self.peers.get_mut(&key).filter(|peer| peer.state == State::Ready) {
                peer.state = State::UnderWay;
                return Some((peer.partition, peer.events.front()?.clone()));
            }
        }
        None
    }

    /// When the next waiting event is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.later.peek().map(|Reverse((at, _))| *at)
    }

    /// `entry` needs no delivery any more.
    pub(crate) fn done(&mut self, entry: &StreamEntry) {
        let key = &entry.event.key;
        let Some(peer) = self.first(entry) else { return };
        peer.events.pop_front();
        peer.refusals = 0;
        peer.state = State::Ready;
        let (partition, is_empty) = (peer.partition, peer.events.is_empty());
        self.counts[partition] -= 1;
        if is_empty {
            self.peers.remove(key);
            self.shrink();
        } else {
            self.ready.push_back(key.clone());
        }
    }

    /// `entry` was refused once more; how often by now. 0: it is not here any more.
    pub(crate) fn refused(&mut self, entry: &StreamEntry) -> u32 {
        let Some(peer) = self.first(entry) else { return 0 };
        peer.refusals += 1;
        peer.refusals
    }

    /// `entry` is to be sent again at `at`, after the others that are due.
    pub(crate) fn retry(&mut self, entry: &StreamEntry, at: Instant) {
        if let Some(peer) = self.first(entry) {
            peer.state = State::Waits(at);
            self.later.push(Reverse((at, entry.event.key.clone())));
        }
    }

    /// Forgets the events of a partition that another node reads now.
    pub(crate) fn forget(&mut self, partition: usize) {
        self.peers.retain(|_, peer| peer.partition != partition);
        self.counts[partition] = 0;
        self.shrink();
    }

    /// Forgets the events of a partition that are not under way: the partition is to be released.
    pub(crate) fn stop(&mut self, partition: usize) {
        self.peers
            .retain(|_, peer| peer.partition != partition || peer.state == State::UnderWay);
        let mut count = 0;
        for peer in self.peers.values_mut().filter(|peer| peer.partition == partition) {
            peer.events.truncate(1);
            count += 1;
        }
        self.counts[partition] = count;
    }

    /// Whether no event of `partition` is here.
    pub(crate) fn is_empty(&self, partition: usize) -> bool {
        self.counts[partition] == 0
    }

    /// The peer whose first event is `entry`.
    fn first(&mut self, entry: &StreamEntry) -> Option<&mut Peer> {
        let peer = self.peers.get_mut(&entry.event.key)?;
        let is_first = peer
            .events
            .front()
            .is_some_and(|first| first.entry == entry.entry);
        is_first.then_some(peer)
    }

    fn shrink(&mut self) {
        if self.peers.is_empty() {
            *self = Self {
                counts: self.counts,
                ..Self::default()
            };
        }
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
