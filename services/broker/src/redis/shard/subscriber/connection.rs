//! The state that reader, writer and prober of one pub/sub connection share.

use std::sync::atomic::AtomicU64;

use switchboard_core::BrokerEvents;
use tokio::sync::Notify;

use super::super::state::Shard;

/// One connection.
pub(super) struct Connection<'a> {
    pub(super) shard: &'a Shard,
    pub(super) events: &'a dyn BrokerEvents,
    pub(super) generation: u64,
    /// The node's own channel: it is subscribed first, and the connection is fit once it is confirmed.
    pub(super) node_channel: String,
    pub(super) node_channel_confirmed: Notify,
    /// Frames read so far.
    pub(super) frames: AtomicU64,
}

impl<'a> Connection<'a> {
    pub(super) fn new(shard: &'a Shard, events: &'a dyn BrokerEvents, generation: u64) -> Self {
        Self {
            shard,
            events,
            generation,
            node_channel: shard.caller.names.node_channel(shard.node().as_str()),
            node_channel_confirmed: Notify::new(),
            frames: AtomicU64::new(0),
        }
    }
}
