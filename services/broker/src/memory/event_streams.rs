//! Event streams in memory: those of one process, for as long as it lives. They behave as those in Redis, except that
//! no lease ends by itself: nodes of one process do not die one by one.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::{BoxFuture, ready};
use hashbrown::HashMap;
use parking_lot::Mutex;
use switchboard_core::{
    Append, Backlog, DeadEvent, EventStreams, Held, Page, ReadFrom, Replay, STREAM_PARTITIONS, StreamBounds,
    StreamEntry,
};
use switchboard_protocol::NodeId;

use crate::redis::partition_of;

/// The streams that the nodes of one process share.
pub(super) type SharedStreams = Arc<Mutex<HashMap<String, Stream>>>;

/// One stream. Bounded by [`StreamBounds`].
#[derive(Debug, Default)]
pub(super) struct Stream {
    partitions: [Partition; STREAM_PARTITIONS],
    readers: BTreeSet<NodeId>,
    /// Each with its partition.
    dead: VecDeque<(usize, DeadEvent)>,
    /// Keys of events with an interval, and when they may come again. Cleared of old ones as it grows.
    recent: HashMap<String, Instant>,
}

#[derive(Debug, Default)]
struct Partition {
    holder: Option<NodeId>,
    /// By number, with the time at which it was appended.
    events: BTreeMap<u64, (Instant, StreamEntry)>,
    last: u64,
    /// The number up to which events were read.
    read: u64,
}

/// Notes of recent keys at which old ones are removed.
const RECENT_KEYS: usize = 1_024;

impl Partition {
    /// Returns how many events were dropped.
    fn append(&mut self, event: switchboard_core::StreamEvent, most: usize) -> u64 {
        self.last += 1;
        let entry = StreamEntry {
            entry: format!("{}-0", self.last),
            event,
        };
        self.events.insert(self.last, (Instant::now(), entry));
        let surplus = self.events.len().saturating_sub(most);
        for _ in 0..surplus {
            self.events.pop_first();
        }
        surplus as u64
    }

    fn read(&mut self, from: &ReadFrom, room: usize) -> Page {
        let first = match from {
            ReadFrom::Pending(entry) => number(entry),
            ReadFrom::New => self.read + 1,
        };
        let is_new = *from == ReadFrom::New;
        let last = if is_new { u64::MAX } else { self.read };
        let found = self
            .events
            .iter()
            .filter(|(number, _)| (first..=last).contains(*number));
        let found: Vec<_> = found
            .take(room + 1)
            .map(|(number, (_, entry))| (*number, entry.clone()))
            .collect();
        let next = match found.get(room) {
            Some((number, _)) if !is_new => ReadFrom::Pending(format!("{number}-0")),
            Some(_) | None => ReadFrom::New,
        };
        let entries: Vec<_> = found.into_iter().take(room).collect();
        if is_new && let Some((number, _)) = entries.last() {
            self.read = *number;
        }
        let entries = entries.into_iter().map(|(_, entry)| entry).collect();
        Page::Entries { next, entries }
    }
}

/// The number in the name of an entry.
fn number(entry: &str) -> u64 {
    entry
        .split('-')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// The streams as one node uses them.
pub(super) struct MemoryEventStreams {
    pub(super) streams: SharedStreams,
    pub(super) node: NodeId,
}

impl MemoryEventStreams {
    fn with<T: Send + 'static>(
        &self,
        stream: &str,
        act: impl FnOnce(&mut Stream) -> T,
    ) -> BoxFuture<'static, Result<T, String>> {
        let mut streams = self.streams.lock();
        Box::pin(ready(Ok(act(streams.entry_ref(stream).or_default()))))
    }
}

impl Stream {
    fn may_append(&mut self, key: &str, interval: Duration) -> bool {
        let now = Instant::now();
        if self.recent.len() >= RECENT_KEYS {
            self.recent.retain(|_, until| *until > now);
        }
        if self.recent.get(key).is_some_and(|until| *until > now) {
            return false;
        }
        self.recent.insert(key.to_owned(), now + interval);
        true
    }

    fn backlog(&self) -> Backlog {
        let partitions = || self.partitions.iter();
        let oldest = partitions().filter_map(|partition| partition.events.first_key_value());
        let oldest = oldest.map(|(_, (at, _))| at.elapsed()).max().unwrap_or_default();
        Backlog {
            events: partitions().map(|partition| partition.events.len() as u64).sum(),
            oldest_ms: u64::try_from(oldest.as_millis()).unwrap_or(u64::MAX),
            dead: self.dead.len() as u64,
        }
    }

    fn hold(&mut self, node: &NodeId, kept: &[usize]) -> Held {
        self.readers.insert(node.clone());
        let share = STREAM_PARTITIONS.div_ceil(self.readers.len());
        let mut partitions = Vec::with_capacity(share);
        for (index, partition) in self.partitions.iter_mut().enumerate() {
            if partition.holder.as_ref() == Some(node) {
                if kept.contains(&index) {
                    partitions.push(index);
                } else {
                    partition.holder = None;
                }
            }
        }
        for (index, partition) in self.partitions.iter_mut().enumerate() {
            if partition.holder.is_none() && partitions.len() < share {
                partition.holder = Some(node.clone());
                partitions.push(index);
            }
        }
        partitions.sort_unstable();
        Held {
            partitions,
            share,
            backlog: self.backlog(),
        }
    }
}

impl EventStreams for MemoryEventStreams {
    fn append<'a>(
        &'a self,
        events: &'a [Append],
        bounds: StreamBounds,
    ) -> BoxFuture<'a, Result<u64, String>> {
        let mut streams = self.streams.lock();
        let mut dropped = 0;
        for Append {
            stream,
            event,
            at_most_every,
        } in events
        {
            let stream = streams.entry_ref(&**stream).or_default();
            if at_most_every.is_none_or(|interval| stream.may_append(&event.key, interval)) {
                let partition = &mut stream.partitions[partition_of(&event.key)];
                dropped += partition.append((**event).clone(), bounds.events_per_partition);
            }
        }
        Box::pin(ready(Ok(dropped)))
    }

    fn hold<'a>(&'a self, stream: &'a str, kept: &'a [usize]) -> BoxFuture<'a, Result<Held, String>> {
        self.with(stream, |stream| stream.hold(&self.node, kept))
    }

    fn leave<'a>(&'a self, stream: &'a str) -> BoxFuture<'a, Result<(), String>> {
        self.with(stream, |stream| {
            stream.readers.remove(&self.node);
            for partition in &mut stream.partitions {
                partition.holder.take_if(|holder| *holder == self.node);
            }
        })
    }

    fn read<'a>(
        &'a self,
        stream: &'a str,
        from: &'a [(usize, ReadFrom, usize)],
    ) -> BoxFuture<'a, Result<Vec<Page>, String>> {
        self.with(stream, |stream| {
            let pages = from.iter().map(|(partition, from, room)| {
                let partition = &mut stream.partitions[*partition];
                match partition.holder.as_ref() == Some(&self.node) {
                    true => partition.read(from, *room),
                    false => Page::Lost,
                }
            });
            pages.collect()
        })
    }

    fn remove<'a>(
        &'a self,
        stream: &'a str,
        entries: &'a [(usize, String)],
    ) -> BoxFuture<'a, Result<(), String>> {
        self.with(stream, |stream| {
            for (partition, entry) in entries {
                stream.partitions[*partition].events.remove(&number(entry));
            }
        })
    }

    fn give_up<'a>(
        &'a self,
        stream: &'a str,
        partition: usize,
        entry: &'a StreamEntry,
        reason: &'a str,
        bounds: StreamBounds,
    ) -> BoxFuture<'a, Result<(), String>> {
        self.with(stream, |stream| {
            if stream.partitions[partition]
                .events
                .remove(&number(&entry.entry))
                .is_some()
            {
                let (event, reason) = (entry.event.clone(), reason.to_owned());
                stream.dead.push_back((partition, DeadEvent { event, reason }));
                let surplus = stream.dead.len().saturating_sub(bounds.dead);
                stream.dead.drain(..surplus);
            }
        })
    }

    fn dead<'a>(&'a self, stream: &'a str, limit: usize) -> BoxFuture<'a, Result<Vec<DeadEvent>, String>> {
        self.with(stream, |stream| {
            let latest = stream.dead.iter().rev().take(limit);
            latest.map(|(_, event)| event.clone()).collect()
        })
    }

    fn replay<'a>(
        &'a self,
        stream: &'a str,
        which: Replay<'a>,
        now_ms: u64,
        bounds: StreamBounds,
    ) -> BoxFuture<'a, Result<u64, String>> {
        self.with(stream, |stream| {
            let range = match which {
                Replay::Oldest(limit) => 0..limit.min(stream.dead.len()),
                Replay::Event(id) => {
                    let found = stream.dead.iter().position(|(_, dead)| dead.event.id == id);
                    found.map_or(0..0, |index| index..index + 1)
                }
            };
            let count = range.len();
            for (partition, DeadEvent { mut event, .. }) in stream.dead.drain(range) {
                event.at_ms = now_ms;
                stream.partitions[partition].append(event, bounds.events_per_partition);
            }
            count as u64
        })
    }

    fn lease(&self) -> Duration {
        Duration::MAX
    }

    fn outlives_process(&self) -> bool {
        false
    }
}
