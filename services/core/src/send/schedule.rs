//! When each stream's timer runs next. One entry for each stream with pending sends, so a message costs no timer
//! of its own; and one look at the entries for all that are due soon after each other. Not what happens then (`retry`).

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::Weak,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use switchboard_protocol::PeerKey;
use tokio::sync::Notify;

use super::sender::Sender;

/// The least time between two looks for streams that are due: each look wakes a thread. A timer may run so much later.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(25);

/// A stream: a sender and a receiver.
#[derive(Debug, Clone)]
pub(crate) struct StreamRef {
    pub(crate) sender: Weak<dyn Sender>,
    pub(crate) to: PeerKey,
    /// The stream's number: a later stream to the same receiver has a timer of its own.
    pub(crate) number: u64,
}

#[derive(Debug)]
struct Entry {
    at: Instant,
    stream: StreamRef,
}

// Entries are ordered by their time alone.
impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

/// Bounded by the streams of each sender, and by those it had before within their timers' delay.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    entries: Mutex<Entries>,
    earlier: Notify,
}

#[derive(Debug, Default)]
struct Entries {
    heap: BinaryHeap<Reverse<Entry>>,
    /// When the next look is planned.
    next_look: Option<Instant>,
}

impl Schedule {
    /// Runs the timer of `stream` at `at`, or up to [`LOOK_EVERY`] later.
    pub(crate) fn arm(&self, at: Instant, stream: StreamRef) {
        let mut entries = self.entries.lock();
        let is_earlier = entries.next_look.is_none_or(|planned| at < planned);
        entries.heap.push(Reverse(Entry { at, stream }));
        drop(entries);
        if is_earlier {
            self.earlier.notify_one();
        }
    }

    /// The next stream whose timer is due; waits until there is one.
    pub(crate) async fn next(&self) -> StreamRef {
        loop {
            match self.take_due(Instant::now()) {
                Ok(stream) => return stream,
                Err(_) => self.until_next_look().await,
            }
        }
    }

    /// Waits until a stream is due, and [`LOOK_EVERY`] at least.
    pub(crate) async fn until_next_look(&self) {
        let not_before = Instant::now() + LOOK_EVERY;
        loop {
            match self.plan_look(not_before) {
                None => self.earlier.notified().await,
                Some(at) => {
                    let sleep = tokio::time::sleep_until(at.into());
                    tokio::select! {
                        () = sleep => return,
                        () = self.earlier.notified() => {}
                    }
                }
            }
        }
    }

    fn plan_look(&self, not_before: Instant) -> Option<Instant> {
        let mut entries = self.entries.lock();
        let first = entries.heap.peek().map(|Reverse(first)| first.at);
        entries.next_look = first.map(|first| first.max(not_before));
        entries.next_look
    }

    /// When the first stream is due.
    #[cfg(test)]
    pub(crate) fn first(&self) -> Option<Instant> {
        self.entries.lock().heap.peek().map(|Reverse(first)| first.at)
    }

    /// A stream that is due at `now`, or when the first one is.
    pub(crate) fn take_due(&self, now: Instant) -> Result<StreamRef, Option<Instant>> {
        let heap = &mut self.entries.lock().heap;
        match heap.peek() {
            None => {
                heap.shrink_to(0);
                Err(None)
            }
            Some(Reverse(first)) if first.at > now => Err(Some(first.at)),
            Some(_) => heap.pop().map(|Reverse(entry)| entry.stream).ok_or(None),
        }
    }
}
