//! When each stream's timer runs next. One entry for each stream with pending sends, so a message costs no timer
//! of its own. Not what happens then (`retry`).

use std::{cmp::Reverse, collections::BinaryHeap, sync::Weak, time::Instant};

use parking_lot::Mutex;
use switchboard_protocol::PeerKey;
use tokio::sync::Notify;

use super::sender::Sender;

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
    heap: Mutex<BinaryHeap<Reverse<Entry>>>,
    earlier: Notify,
}

impl Schedule {
    /// Runs the timer of `stream` at `at`.
    pub(crate) fn arm(&self, at: Instant, stream: StreamRef) {
        let mut heap = self.heap.lock();
        let is_first = heap.peek().is_none_or(|Reverse(first)| at < first.at);
        heap.push(Reverse(Entry { at, stream }));
        drop(heap);
        if is_first {
            self.earlier.notify_one();
        }
    }

    /// The next stream whose timer is due; waits until there is one.
    pub(crate) async fn next(&self) -> StreamRef {
        loop {
            let wait = match self.take_due(Instant::now()) {
                Ok(stream) => return stream,
                Err(wait) => wait,
            };
            match wait {
                None => self.earlier.notified().await,
                Some(at) => {
                    let sleep = tokio::time::sleep_until(at.into());
                    tokio::select! {
                        () = sleep => {}
                        () = self.earlier.notified() => {}
                    }
                }
            }
        }
    }

    /// When the first stream is due.
    #[cfg(test)]
    pub(crate) fn first(&self) -> Option<Instant> {
        self.heap.lock().peek().map(|Reverse(first)| first.at)
    }

    /// A stream that is due at `now`, or when the first one is.
    pub(crate) fn take_due(&self, now: Instant) -> Result<StreamRef, Option<Instant>> {
        let mut heap = self.heap.lock();
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
