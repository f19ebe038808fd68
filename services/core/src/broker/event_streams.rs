//! Streams of events for consumers outside of the cluster: one stream for each consumer, kept by the bus until the
//! consumer has the event. Not the messages between peers, and not who the consumers are (`webhooks`).
//!
//! A stream has [`STREAM_PARTITIONS`] partitions. Events with the same key are in the same partition, in the order in
//! which they were appended. One node at a time reads a partition. A node that dies loses it after its lease, and the
//! next reader begins with everything that was not removed.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;

/// Partitions of a stream. Never change it: it decides in which partition the events of a key are.
pub const STREAM_PARTITIONS: usize = 8;

/// An event, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEvent {
    /// Unique, and the same in every stream and at every delivery.
    pub id: String,
    /// Events with the same key stay in order.
    pub key: String,
    /// When it happened, in milliseconds since 1970 by its node's clock.
    pub at_ms: u64,
    /// What the consumer gets.
    pub body: String,
}

/// Puts an event at the end of a stream.
#[derive(Debug, Clone)]
pub struct Append {
    /// The stream.
    pub stream: Arc<str>,
    /// The event.
    pub event: Arc<StreamEvent>,
    /// Left out if another event with this key and an interval was appended to the stream less than this ago.
    pub at_most_every: Option<Duration>,
}

/// The bounds of a stream. A full one drops its oldest events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamBounds {
    /// Events of one partition.
    pub events_per_partition: usize,
    /// Events that were given up and can be replayed.
    pub dead: usize,
}

/// What a node holds of a stream, and how much waits in all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// The partitions that this node reads, ascending.
    pub partitions: Vec<usize>,
    /// How many it should read, so that each node reads as many.
    pub share: usize,
    /// What waits in the whole stream.
    pub backlog: Backlog,
}

/// What waits in a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Events that the consumer does not have yet.
    pub events: u64,
    /// For how long the oldest of them has been in the stream, in milliseconds; 0 without any.
    pub oldest_ms: u64,
    /// Events that were given up.
    pub dead: u64,
}

/// From where a partition is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadFrom {
    /// What an earlier reader has read and not removed, from this entry on. A new reader begins with
    /// [`ReadFrom::START`].
    Pending(String),
    /// What nobody has read.
    New,
}

impl ReadFrom {
    /// The beginning of a partition.
    pub const START: &'static str = "0-0";

    /// Where a new reader begins.
    #[must_use]
    pub fn start() -> Self {
        Self::Pending(Self::START.into())
    }
}

/// An event of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEntry {
    /// Its place in the partition.
    pub entry: String,
    /// The event.
    pub event: StreamEvent,
}

/// What was read of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// Another node reads it now.
    Lost,
    /// The next events, oldest first.
    Entries {
        /// From where to read on.
        next: ReadFrom,
        /// The events.
        entries: Vec<StreamEntry>,
    },
}

/// An event that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadEvent {
    /// The event.
    pub event: StreamEvent,
    /// Why, for people.
    pub reason: String,
}

/// Which dead events are replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay<'a> {
    /// So many, the oldest first.
    Oldest(usize),
    /// The one with this ID.
    Event(&'a str),
}

/// The streams of a cluster, as one node uses them. An error is for people: the bus is away, and the call can be
/// repeated.
pub trait EventStreams: Send + Sync + 'static {
    /// Appends events in this order. Returns how many old events were dropped for them.
    fn append<'a>(&'a self, events: &'a [Append], bounds: StreamBounds)
    -> BoxFuture<'a, Result<u64, String>>;

    /// Renews the lease of the partitions in `kept`, releases this node's others, and takes free ones up to this
    /// node's share. To be called every few seconds, far more often than a lease lasts.
    fn hold<'a>(&'a self, stream: &'a str, kept: &'a [usize]) -> BoxFuture<'a, Result<Held, String>>;

    /// Releases all partitions of this node: it reads this stream no more.
    fn leave<'a>(&'a self, stream: &'a str) -> BoxFuture<'a, Result<(), String>>;

    /// Reads at most so many events of each of these partitions, and never waits for one. One page for each.
    fn read<'a>(
        &'a self,
        stream: &'a str,
        from: &'a [(usize, ReadFrom, usize)],
    ) -> BoxFuture<'a, Result<Vec<Page>, String>>;

    /// Removes entries of a partition: the consumer has them.
    fn remove<'a>(
        &'a self,
        stream: &'a str,
        entries: &'a [(usize, String)],
    ) -> BoxFuture<'a, Result<(), String>>;

    /// Moves an entry to the dead events, of which the oldest are dropped.
    fn give_up<'a>(
        &'a self,
        stream: &'a str,
        partition: usize,
        entry: &'a StreamEntry,
        reason: &'a str,
        bounds: StreamBounds,
    ) -> BoxFuture<'a, Result<(), String>>;

    /// The latest `limit` dead events, the latest first.
    fn dead<'a>(&'a self, stream: &'a str, limit: usize) -> BoxFuture<'a, Result<Vec<DeadEvent>, String>>;

    /// Appends dead events to the stream again, as if they had happened at `now_ms`. Returns how many.
    fn replay<'a>(
        &'a self,
        stream: &'a str,
        which: Replay<'a>,
        now_ms: u64,
        bounds: StreamBounds,
    ) -> BoxFuture<'a, Result<u64, String>>;

    /// How long a lease lasts that is not renewed.
    fn lease(&self) -> Duration;

    /// Whether the streams outlive the process of the node.
    fn outlives_process(&self) -> bool;
}
