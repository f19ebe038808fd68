//! What the webhooks of a node are configured with. Not the endpoints themselves (`endpoint`).

use std::{path::PathBuf, time::Duration};

use switchboard_core::{STREAM_PARTITIONS, StreamBounds};

use crate::endpoint::Endpoint;

/// The most endpoints.
pub const MAX_ENDPOINTS: usize = 16;

/// The webhooks of a node.
#[derive(Debug, Clone)]
pub struct WebhooksConfig {
    /// Who gets events; at most [`MAX_ENDPOINTS`], each with a name of its own.
    pub endpoints: Vec<Endpoint>,
    /// A PEM file of authorities that may certify an endpoint, in addition to those of the system.
    pub ca_file: Option<PathBuf>,
    /// How long a request may take until its answer, in all.
    pub timeout: Duration,
    /// The wait before the first repetition; it doubles with each.
    pub first_retry: Duration,
    /// The longest wait between two repetitions.
    pub longest_retry: Duration,
    /// How long an event is repeated while its endpoint cannot be reached.
    pub retry_for: Duration,
    /// Answers without success after which an event is given up.
    pub refusals: u32,
    /// Requests that one node has under way to one endpoint.
    pub requests: usize,
    /// Events that wait for one endpoint in the cluster.
    pub events: usize,
    /// Dead events of one endpoint.
    pub dead_events: usize,
}

impl WebhooksConfig {
    /// The bounds of each stream.
    pub(crate) fn bounds(&self) -> StreamBounds {
        StreamBounds {
            events_per_partition: self.events.div_ceil(STREAM_PARTITIONS),
            dead: self.dead_events,
        }
    }
}
