//! Every metric: its name, kind, labels and help text. `docs/metrics.md` shows this table; a test compares both.

/// What kind of metric it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A value that only grows.
    Counter,
    /// A value that rises and falls.
    Gauge,
    /// A distribution, with the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// The name, with its unit at the end.
    pub name: &'static str,
    /// The kind.
    pub kind: Kind,
    /// The label names. Their values are closed sets, except `shard`: the Redis servers of the configuration.
    pub labels: &'static [&'static str],
    /// The HELP text.
    pub help: &'static str,
}

/// From 50 µs to 10 s, for messages and commands.
pub(crate) const SECONDS: &[f64] = &[
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0,
];

/// Batch sizes.
const SIZES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

macro_rules! catalogue {
    ($($const:ident = $kind:expr, $name:literal, [$($label:literal),*], $help:literal;)*) => {
        $(pub(crate) const $const: Metric =
            Metric { name: $name, kind: $kind, labels: &[$($label),*], help: $help };)*

        /// Every metric of a node except the `process_` ones, whose names Prometheus fixes.
        pub const CATALOGUE: &[Metric] = &[$($const),*];
    };
}

catalogue! {
    CONNECTIONS = Kind::Gauge, "switchboard_connections", ["transport"], "Open client connections of the node.";
    CONNECTIONS_LIMIT = Kind::Gauge, "switchboard_connections_limit", [], "Maximum number of open client connections of the node.";
    CONNECTIONS_TOTAL = Kind::Counter, "switchboard_connections_total", ["transport"], "Client connections that the node has opened.";
    CLOSES_TOTAL = Kind::Counter, "switchboard_closes_total", ["code"], "Client connections that have closed, by close code.";
    SESSIONS = Kind::Gauge, "switchboard_sessions", [], "Sessions attached to a connection of the node.";
    REFUSALS_TOTAL = Kind::Counter, "switchboard_connect_refusals_total", ["reason"], "Handshakes that the node refused, by reason.";
    REVOCATIONS = Kind::Gauge, "switchboard_revocations", [], "Revocations in force that the node knows.";
    REVOCATIONS_KNOWN = Kind::Gauge, "switchboard_revocations_known", [], "1 once the node has read the revocations in force, else 0: it takes no token before.";
    JWKS_FAILURES_TOTAL = Kind::Counter, "switchboard_jwks_failures_total", [], "Fetches of published keys that gave no keys.";
    JWKS_KEYS = Kind::Gauge, "switchboard_jwks_keys", [], "Usable published keys, of the last good fetch of each issuer.";
    RELOADS_TOTAL = Kind::Counter, "switchboard_reloads_total", ["part", "outcome"], "Changed files that the node has read while it runs, by part of the node and outcome.";
    RELOAD_FAILED = Kind::Gauge, "switchboard_reload_failed", ["part"], "1 while changed files cannot be used and their earlier contents stay in use, else 0.";
    TLS_HANDSHAKES_TOTAL = Kind::Counter, "switchboard_tls_handshakes_total", ["port", "outcome"], "TLS handshakes of clients, by port of the node and outcome.";
    CERTIFICATE_NOT_AFTER = Kind::Gauge, "switchboard_certificate_not_after_timestamp_seconds", ["port"], "End of the certificate that the port uses, in seconds since the Unix epoch; 0: the port has no TLS.";
    HTTP_REFUSALS_TOTAL = Kind::Counter, "switchboard_http_refusals_total", ["reason"], "Requests and connections that the public port refused before it looked at a token, by reason.";
    API_CALLS_TOTAL = Kind::Counter, "switchboard_api_calls_total", ["status"], "Calls of the backend API that the node answered, by HTTP status.";
    API_CALL_SECONDS = Kind::Histogram(SECONDS), "switchboard_api_call_duration_seconds", [], "Seconds from a call of the backend API to its answer.";
    OPS_REFUSALS_TOTAL = Kind::Counter, "switchboard_ops_refusals_total", [], "Requests that the operations port refused because of their Host, origin or token.";
    OPS_CUT_TOTAL = Kind::Counter, "switchboard_ops_connections_cut_total", [], "Connections to the operations port that gave their place to a newer connection.";
    HANDSHAKE_TIMEOUTS_TOTAL = Kind::Counter, "switchboard_handshake_timeouts_total", [], "Connections that did not send a request head, or show a valid token, in time.";
    CONNECT_SECONDS = Kind::Histogram(SECONDS), "switchboard_connect_duration_seconds", [], "Seconds from the handshake request to welcome.";
    TAKEOVERS_TOTAL = Kind::Counter, "switchboard_takeovers_total", [], "Sessions replaced by a newer connection of the same peer.";
    RESUMES_TOTAL = Kind::Counter, "switchboard_resumes_total", ["outcome"], "Resume requests of clients, by outcome.";
    MESSAGES_TOTAL = Kind::Counter, "switchboard_messages_total", ["kind", "path", "outcome"], "Sends with an id that have an outcome, by message kind, path and outcome.";
    MESSAGES_IN_TOTAL = Kind::Counter, "switchboard_messages_received_total", ["kind"], "Messages received from clients, by message kind.";
    BYTES_IN_TOTAL = Kind::Counter, "switchboard_received_bytes_total", [], "Frame bytes of the messages received from clients.";
    FRAMES_OUT_TOTAL = Kind::Counter, "switchboard_frames_sent_total", [], "Frames written to clients.";
    BYTES_OUT_TOTAL = Kind::Counter, "switchboard_sent_bytes_total", [], "Bytes of the frames written to clients.";
    DELIVERY_SECONDS = Kind::Histogram(SECONDS), "switchboard_delivery_duration_seconds", ["path"], "Seconds from accepting a send to its outcome delivered, by path.";
    WATCHES = Kind::Gauge, "switchboard_watches", [], "Peers that connections of the node watch, counted once for each connection.";
    PRESENCE_CHANGES_TOTAL = Kind::Counter, "switchboard_presence_changes_total", [], "Changes of a watched peer's presence, counted once for each connection that watches it.";
    PENDING = Kind::Gauge, "switchboard_pending_sends", [], "Sends with an id that have no outcome yet.";
    RETRANSMISSIONS_TOTAL = Kind::Counter, "switchboard_retransmissions_total", [], "Sends transmitted again because no acknowledgement arrived in time.";
    DUPLICATES_TOTAL = Kind::Counter, "switchboard_duplicates_dropped_total", [], "Repeated envelopes that the duplicate filter dropped.";
    GAPS_TOTAL = Kind::Counter, "switchboard_order_gaps_total", [], "Envelopes that arrived before an earlier envelope of the same sender.";
    OVERFLOWS_TOTAL = Kind::Counter, "switchboard_queue_overflows_total", ["queue"], "Times that a bounded queue had no room, by queue.";
    BUDGET_REFUSALS_TOTAL = Kind::Counter, "switchboard_budget_refusals_total", ["budget", "scope"], "Sends, connections and watches refused because a budget was used up, by budget and by whose it is.";
    CLIENT_ERRORS_TOTAL = Kind::Counter, "switchboard_command_errors_total", ["code"], "Client commands that the node rejected immediately, by error code.";
    SEND_QUEUE_BYTES = Kind::Gauge, "switchboard_send_queue_bytes", [], "Payload bytes accepted for clients of the node and not delivered yet.";
    QUEUED_TOTAL = Kind::Counter, "switchboard_messages_queued_total", [], "Sends stored in the offline queue of a detached peer.";
    OFFLINE_QUEUE_DELIVERED_TOTAL = Kind::Counter, "switchboard_offline_queue_delivered_total", [], "Stored messages delivered from offline queues.";
    ROOMS = Kind::Gauge, "switchboard_rooms", [], "Rooms with a connected member on the node.";
    ROOM_MEMBERS = Kind::Gauge, "switchboard_room_members", [], "Memberships of the clients that are connected to the node.";
    ROOM_JOINS_TOTAL = Kind::Counter, "switchboard_room_joins_total", ["outcome"], "Joins of clients of the node, by outcome.";
    ROOM_DELTAS_TOTAL = Kind::Counter, "switchboard_room_deltas_total", [], "Changes of rooms that the node received from the bus.";
    ROOM_MESSAGES_TOTAL = Kind::Counter, "switchboard_room_messages_total", [], "Messages to rooms put into the send queues of members on the node.";
    ROOM_RESYNCS_TOTAL = Kind::Counter, "switchboard_room_resyncs_total", [], "Rosters that the node read again because a change may have been missed.";
    ROOM_DROPS_TOTAL = Kind::Counter, "switchboard_room_drops_total", ["what"], "Messages and changes of rooms that a slow member did not get. It hears so, with a new roster.";
    ACK_BATCH = Kind::Histogram(SIZES), "switchboard_ack_batch_size", [], "Acknowledgements in one PUBLISH command.";
    REDIS_SECONDS = Kind::Histogram(SECONDS), "switchboard_redis_command_duration_seconds", ["op"], "Seconds that Redis commands took, by operation.";
    REDIS_ERRORS_TOTAL = Kind::Counter, "switchboard_redis_command_errors_total", ["shard", "op"], "Redis commands that failed, by Redis server and operation.";
    PUBLISH_BATCH = Kind::Histogram(SIZES), "switchboard_publish_batch_size", [], "Redis commands in one pipeline.";
    BUS_UP = Kind::Gauge, "switchboard_bus_up", ["shard"], "1 while the node receives the messages that it publishes on this Redis server, else 0.";
    BUS_PROBE_SECONDS = Kind::Histogram(SECONDS), "switchboard_bus_probe_duration_seconds", ["shard"], "Seconds from publishing a bus probe to receiving it, by Redis server.";
    BUS_PROBES_MISSED_TOTAL = Kind::Counter, "switchboard_bus_probes_missed_total", ["shard"], "Bus probes that the node did not receive in time, by Redis server.";
    BUS_REBUILDS_TOTAL = Kind::Counter, "switchboard_bus_rebuilds_total", ["shard", "reason"], "Pub/sub connections that the node rebuilt, by Redis server and reason.";
    BUS_DROPPED_TOTAL = Kind::Counter, "switchboard_bus_messages_dropped_total", ["reason"], "Messages from the bus that the node dropped because they are oversized, malformed, or of another version.";
    NODE_MESSAGES_WITHHELD_TOTAL = Kind::Counter, "switchboard_node_messages_withheld_total", [], "Messages that the node did not send to a node of an earlier version, which does not know their kind.";
    REDIS_MEMORY_SHORT = Kind::Gauge, "switchboard_redis_memory_short", ["shard"], "1 while this Redis server uses more memory than the watermark and the node stores no messages on it, else 0.";
    REDIS_MAY_EVICT = Kind::Gauge, "switchboard_redis_may_evict", ["shard"], "1 while this Redis server has another maxmemory-policy than noeviction, else 0.";
    REDIS_LOSSES_TOTAL = Kind::Counter, "switchboard_redis_losses_total", ["shard"], "Times that the node found its lease, a record or a room missing on this Redis server, although its connections stayed.";
    SUBSCRIPTIONS_DESIRED = Kind::Gauge, "switchboard_subscriptions_desired", ["shard"], "Channels that the node wants to be subscribed to on this Redis server.";
    SUBSCRIPTIONS_CONFIRMED = Kind::Gauge, "switchboard_subscriptions_confirmed", ["shard"], "Channels whose subscription this Redis server has confirmed.";
    LEASE_RENEWED = Kind::Gauge, "switchboard_lease_renewed_timestamp_seconds", ["shard"], "Time of the last renewal of the node's lease on this Redis server, in seconds since the Unix epoch.";
    MEMORY_LIMIT_BYTES = Kind::Gauge, "switchboard_memory_limit_bytes", [], "Resident memory that the node may use; 0: no limit.";
    MEMORY_PRESSURE = Kind::Gauge, "switchboard_memory_pressure", [], "0: memory is sufficient; 1: the node refuses new connections; 2: it also ends sends and closes connections.";
    MEMORY_SHED_TOTAL = Kind::Counter, "switchboard_memory_shed_total", ["what"], "Sends ended and connections closed because the memory of the node was nearly used up.";
    DRAINING = Kind::Gauge, "switchboard_draining", [], "1 while the node drains, else 0.";
    GOAWAYS_TOTAL = Kind::Counter, "switchboard_goaways_total", ["reason"], "Clients that the node asked to move, by reason.";
    CLUSTER_MEAN = Kind::Gauge, "switchboard_cluster_mean_connections", [], "Mean number of open connections per node, over the nodes that accept clients; 0 while unknown.";
    WEBHOOK_EVENTS_TOTAL = Kind::Counter, "switchboard_webhook_events_total", [], "Events that the node appended to the streams of webhook endpoints.";
    WEBHOOK_DROPPED_TOTAL = Kind::Counter, "switchboard_webhook_events_dropped_total", ["reason"], "Webhook events that were lost because a bound was hit, by reason.";
    WEBHOOK_REQUESTS_TOTAL = Kind::Counter, "switchboard_webhook_requests_total", ["outcome"], "Requests of the node to webhook endpoints, by outcome.";
    WEBHOOK_SECONDS = Kind::Histogram(SECONDS), "switchboard_webhook_request_duration_seconds", [], "Seconds that requests to webhook endpoints took.";
    WEBHOOK_GIVEN_UP_TOTAL = Kind::Counter, "switchboard_webhook_events_given_up_total", [], "Webhook events that the node gave up; they can be replayed.";
    WEBHOOK_BACKLOG = Kind::Gauge, "switchboard_webhook_backlog_events", [], "Webhook events of the cluster that no endpoint has yet.";
    WEBHOOK_OLDEST = Kind::Gauge, "switchboard_webhook_oldest_event_seconds", [], "Seconds since the oldest webhook event of the cluster was appended that its endpoint does not have.";
    WEBHOOK_DEAD = Kind::Gauge, "switchboard_webhook_dead_events", [], "Webhook events of the cluster that were given up and can be replayed.";
    TRACE_EXPORT_FAILURES_TOTAL = Kind::Counter, "switchboard_trace_export_failures_total", [], "Batches of spans that the collector did not take.";
    BUILD_INFO = Kind::Gauge, "switchboard_build_info", ["version", "commit"], "Always 1; the labels name the version and the commit of the node.";
}
