//! Every metric: its name, kind, labels and meaning. `docs/metrics.md` is this table for people; a test
//! compares the two.

/// What kind of metric it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution; with these upper bounds of its buckets.
    Histogram(&'static [f64]),
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Its name, with the unit at the end.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Its labels; their values are closed sets.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// From 50 µs to 10 s: a message or a command.
const SECONDS: &[f64] = &[
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0,
];

/// Sizes of batches.
const SIZES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

macro_rules! catalogue {
    ($($const:ident = $kind:expr, $name:literal, [$($label:literal),*], $help:literal;)*) => {
        $(pub(crate) const $const: Metric =
            Metric { name: $name, kind: $kind, labels: &[$($label),*], help: $help };)*

        /// Every metric of a node, but for the `process_` ones, whose names Prometheus fixes.
        pub const CATALOGUE: &[Metric] = &[$($const),*];
    };
}

catalogue! {
    CONNECTIONS = Kind::Gauge, "switchboard_connections", ["transport"], "Open connections.";
    CONNECTIONS_LIMIT = Kind::Gauge, "switchboard_connections_limit", [], "Connections the node takes at most.";
    CONNECTIONS_TOTAL = Kind::Counter, "switchboard_connections_total", ["transport"], "Connections opened.";
    CLOSES_TOTAL = Kind::Counter, "switchboard_closes_total", ["code"], "Connections ended, by close code.";
    SESSIONS = Kind::Gauge, "switchboard_sessions", [], "Attached sessions.";
    REFUSALS_TOTAL = Kind::Counter, "switchboard_connect_refusals_total", ["reason"], "Handshakes refused.";
    HANDSHAKE_TIMEOUTS_TOTAL = Kind::Counter, "switchboard_handshake_timeouts_total", [], "Clients that did not finish the head of a request in time.";
    CONNECT_SECONDS = Kind::Histogram(SECONDS), "switchboard_connect_duration_seconds", [], "From the handshake to welcome.";
    TAKEOVERS_TOTAL = Kind::Counter, "switchboard_takeovers_total", [], "Sessions replaced by a newer connection of the same peer.";
    RESUMES_TOTAL = Kind::Counter, "switchboard_resumes_total", ["outcome"], "Resumes that clients asked for, by outcome.";
    MESSAGES_TOTAL = Kind::Counter, "switchboard_messages_total", ["kind", "path", "outcome"], "Sends with an id, by their outcome.";
    MESSAGES_IN_TOTAL = Kind::Counter, "switchboard_messages_received_total", ["kind"], "Messages taken from clients.";
    BYTES_IN_TOTAL = Kind::Counter, "switchboard_received_bytes_total", [], "Bytes of those messages.";
    FRAMES_OUT_TOTAL = Kind::Counter, "switchboard_frames_sent_total", [], "Frames written to clients.";
    BYTES_OUT_TOTAL = Kind::Counter, "switchboard_sent_bytes_total", [], "Bytes of those frames.";
    DELIVERY_SECONDS = Kind::Histogram(SECONDS), "switchboard_delivery_duration_seconds", ["path"], "From taking a send to knowing that it was delivered.";
    PENDING = Kind::Gauge, "switchboard_pending_sends", [], "Sends without an outcome yet.";
    RETRANSMISSIONS_TOTAL = Kind::Counter, "switchboard_retransmissions_total", [], "Sends transmitted again because no acknowledgement came.";
    DUPLICATES_TOTAL = Kind::Counter, "switchboard_duplicates_dropped_total", [], "Repeated envelopes that were not delivered again.";
    GAPS_TOTAL = Kind::Counter, "switchboard_order_gaps_total", [], "Envelopes that waited for one before them.";
    OVERFLOWS_TOTAL = Kind::Counter, "switchboard_queue_overflows_total", ["queue"], "Times a bounded queue had no room.";
    CLIENT_ERRORS_TOTAL = Kind::Counter, "switchboard_command_errors_total", ["code"], "Commands answered with an error at once.";
    SEND_QUEUE_BYTES = Kind::Gauge, "switchboard_send_queue_bytes", [], "Payload bytes on their way to clients of this node and not done.";
    QUEUED_TOTAL = Kind::Counter, "switchboard_messages_queued_total", [], "Sends stored in the offline queue of a detached peer.";
    OFFLINE_QUEUE_DELIVERED_TOTAL = Kind::Counter, "switchboard_offline_queue_delivered_total", [], "Stored messages that were delivered from offline queues.";
    ACK_BATCH = Kind::Histogram(SIZES), "switchboard_ack_batch_size", [], "Acknowledgements in one publish.";
    REDIS_SECONDS = Kind::Histogram(SECONDS), "switchboard_redis_command_duration_seconds", ["op"], "Time of Redis commands.";
    REDIS_ERRORS_TOTAL = Kind::Counter, "switchboard_redis_command_errors_total", ["op"], "Redis commands that failed.";
    PUBLISH_BATCH = Kind::Histogram(SIZES), "switchboard_publish_batch_size", [], "Commands in one pipeline.";
    BUS_UP = Kind::Gauge, "switchboard_bus_up", [], "1 while the node hears what it publishes.";
    BUS_PROBE_SECONDS = Kind::Histogram(SECONDS), "switchboard_bus_probe_duration_seconds", [], "From publishing the probe to hearing it.";
    BUS_PROBES_MISSED_TOTAL = Kind::Counter, "switchboard_bus_probes_missed_total", [], "Probes that were not heard in time.";
    BUS_REBUILDS_TOTAL = Kind::Counter, "switchboard_bus_rebuilds_total", ["reason"], "Pub/sub connections built anew.";
    SUBSCRIPTIONS_DESIRED = Kind::Gauge, "switchboard_subscriptions_desired", [], "Channels that should be subscribed.";
    SUBSCRIPTIONS_CONFIRMED = Kind::Gauge, "switchboard_subscriptions_confirmed", [], "Channels whose subscription Redis confirmed.";
    LEASE_RENEWED = Kind::Gauge, "switchboard_lease_renewed_timestamp_seconds", [], "When the node's lease was renewed last, in seconds since the Unix epoch.";
    DRAINING = Kind::Gauge, "switchboard_draining", [], "1 while the node empties itself.";
    GOAWAYS_TOTAL = Kind::Counter, "switchboard_goaways_total", ["reason"], "Clients that were told to go.";
    CLUSTER_MEAN = Kind::Gauge, "switchboard_cluster_mean_connections", [], "Open connections of a node on average, over the nodes that take clients; 0 while the node does not know.";
    BUILD_INFO = Kind::Gauge, "switchboard_build_info", ["version", "commit"], "Always 1; the labels say what runs.";
}
