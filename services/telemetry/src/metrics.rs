//! The registered metrics of one node. Labels are resolved once, so messages need no label look-up. Not here: names
//! and help texts (`catalogue`).

use std::sync::Arc;

use prometheus::{Histogram, IntCounter, IntGauge, IntGaugeVec, Registry, Result};
use switchboard_protocol::{CloseCode, ErrorCode, MessageKind, SendOutcome};

use crate::{
    catalogue::{self as c, Metric},
    labels::{
        Budget, BudgetScope, BusDrop, Goaway, HttpRefusal, JoinOutcome, MemoryShed, Path, Port, Queue,
        RedisOp, RefusalReason, ReloadOutcome, ReloadPart, ResumeOutcome, RoomDrop, TlsHandshake, Transport,
        WebhookDrop, WebhookOutcome,
    },
    process::Process,
    register::{counter_family, gauge_family, histogram_family, histogram_opts, opts},
    shard_series::ShardFamilies,
};

/// The `outcome` of a delivered send. Other outcomes are error codes.
const DELIVERED: &str = "delivered";

/// The outcome of a send to a room, in the metric `messages`.
const PUBLISHED: &str = "published";

pub(crate) struct Metrics {
    pub(crate) registry: Registry,
    pub(crate) process: Process,
    pub(crate) connections: Vec<IntGauge>,
    pub(crate) connections_limit: IntGauge,
    pub(crate) connections_total: Vec<IntCounter>,
    pub(crate) closes: Vec<(u16, IntCounter)>,
    pub(crate) closes_other: IntCounter,
    pub(crate) sessions: IntGauge,
    pub(crate) refusals: Vec<IntCounter>,
    pub(crate) jwks_failures: IntCounter,
    pub(crate) jwks_keys: IntGauge,
    pub(crate) revocations: IntGauge,
    pub(crate) revocations_known: IntGauge,
    /// Each part with each outcome.
    pub(crate) reloads: Vec<IntCounter>,
    pub(crate) reload_failed: Vec<IntGauge>,
    /// Each port with each outcome.
    pub(crate) tls_handshakes: Vec<IntCounter>,
    pub(crate) certificate_not_after: Vec<IntGauge>,
    pub(crate) http_refusals: Vec<IntCounter>,
    pub(crate) api_calls: Vec<(u16, IntCounter)>,
    pub(crate) api_calls_other: IntCounter,
    pub(crate) api_call_seconds: Histogram,
    pub(crate) ops_refusals: IntCounter,
    pub(crate) ops_cut: IntCounter,
    pub(crate) handshake_timeouts: IntCounter,
    pub(crate) connect_seconds: Histogram,
    pub(crate) takeovers: IntCounter,
    pub(crate) resumes: Vec<IntCounter>,
    pub(crate) send_queue_bytes: IntGauge,
    pub(crate) queued: IntCounter,
    pub(crate) offline_queue_delivered: IntCounter,
    /// By kind, path and outcome: index `(kind * paths + path) * outcomes + outcome`.
    pub(crate) messages: Vec<IntCounter>,
    pub(crate) messages_in: Vec<IntCounter>,
    pub(crate) bytes_in: IntCounter,
    pub(crate) frames_out: IntCounter,
    pub(crate) bytes_out: IntCounter,
    pub(crate) delivery_seconds: Vec<Histogram>,
    pub(crate) watches: IntGauge,
    pub(crate) presence_changes: IntCounter,
    pub(crate) pending: IntGauge,
    pub(crate) retransmissions: IntCounter,
    pub(crate) duplicates: IntCounter,
    pub(crate) gaps: IntCounter,
    pub(crate) overflows: Vec<IntCounter>,
    /// By budget and scope: index `budget * scopes + scope`.
    pub(crate) budget_refusals: Vec<IntCounter>,
    pub(crate) memory_limit: IntGauge,
    pub(crate) memory_pressure: IntGauge,
    pub(crate) memory_shed: Vec<IntCounter>,
    pub(crate) command_errors: Vec<IntCounter>,
    pub(crate) rooms: IntGauge,
    pub(crate) room_members: IntGauge,
    pub(crate) room_joins: Vec<IntCounter>,
    pub(crate) room_deltas: IntCounter,
    pub(crate) room_messages: IntCounter,
    pub(crate) room_resyncs: IntCounter,
    pub(crate) room_drops: Vec<IntCounter>,
    pub(crate) ack_batch: Histogram,
    pub(crate) redis_seconds: Vec<Histogram>,
    pub(crate) publish_batch: Histogram,
    pub(crate) shards: Arc<ShardFamilies>,
    pub(crate) bus_dropped: Vec<IntCounter>,
    pub(crate) node_messages_withheld: IntCounter,
    pub(crate) draining: IntGauge,
    pub(crate) goaways: Vec<IntCounter>,
    pub(crate) cluster_mean: IntGauge,
    pub(crate) webhook_events: IntCounter,
    pub(crate) webhook_dropped: Vec<IntCounter>,
    pub(crate) webhook_requests: Vec<IntCounter>,
    pub(crate) webhook_seconds: Histogram,
    pub(crate) webhook_given_up: IntCounter,
    pub(crate) webhook_backlog: IntGauge,
    pub(crate) webhook_oldest: IntGauge,
    pub(crate) webhook_dead: IntGauge,
    pub(crate) trace_export_failures: IntCounter,
}

impl Metrics {
    pub(crate) fn register() -> Result<Self> {
        let registry = Registry::new();
        let r = &registry;
        let transports = Transport::ALL.map(Transport::as_str);
        let (closes, closes_other) = closes(r)?;
        let (api_calls, api_calls_other) = api_calls(r)?;
        build_info(r)?;
        Ok(Self {
            process: Process::register(r)?,
            connections: gauges(r, &c::CONNECTIONS, &transports)?,
            connections_limit: gauge(r, &c::CONNECTIONS_LIMIT)?,
            connections_total: counters(r, &c::CONNECTIONS_TOTAL, &transports)?,
            closes,
            closes_other,
            sessions: gauge(r, &c::SESSIONS)?,
            refusals: counters(
                r,
                &c::REFUSALS_TOTAL,
                &RefusalReason::ALL.map(RefusalReason::as_str),
            )?,
            jwks_failures: counter(r, &c::JWKS_FAILURES_TOTAL)?,
            jwks_keys: gauge(r, &c::JWKS_KEYS)?,
            revocations: gauge(r, &c::REVOCATIONS)?,
            revocations_known: gauge(r, &c::REVOCATIONS_KNOWN)?,
            reloads: pairs(
                r,
                &c::RELOADS_TOTAL,
                &ReloadPart::ALL.map(ReloadPart::as_str),
                &ReloadOutcome::ALL.map(ReloadOutcome::as_str),
            )?,
            reload_failed: gauges(r, &c::RELOAD_FAILED, &ReloadPart::ALL.map(ReloadPart::as_str))?,
            tls_handshakes: pairs(
                r,
                &c::TLS_HANDSHAKES_TOTAL,
                &Port::ALL.map(Port::as_str),
                &TlsHandshake::ALL.map(TlsHandshake::as_str),
            )?,
            certificate_not_after: gauges(r, &c::CERTIFICATE_NOT_AFTER, &Port::ALL.map(Port::as_str))?,
            http_refusals: counters(
                r,
                &c::HTTP_REFUSALS_TOTAL,
                &HttpRefusal::ALL.map(HttpRefusal::as_str),
            )?,
            api_calls,
            api_calls_other,
            api_call_seconds: histogram(r, &c::API_CALL_SECONDS)?,
            ops_refusals: counter(r, &c::OPS_REFUSALS_TOTAL)?,
            ops_cut: counter(r, &c::OPS_CUT_TOTAL)?,
            handshake_timeouts: counter(r, &c::HANDSHAKE_TIMEOUTS_TOTAL)?,
            connect_seconds: histogram(r, &c::CONNECT_SECONDS)?,
            takeovers: counter(r, &c::TAKEOVERS_TOTAL)?,
            resumes: counters(
                r,
                &c::RESUMES_TOTAL,
                &ResumeOutcome::ALL.map(ResumeOutcome::as_str),
            )?,
            send_queue_bytes: gauge(r, &c::SEND_QUEUE_BYTES)?,
            queued: counter(r, &c::QUEUED_TOTAL)?,
            offline_queue_delivered: counter(r, &c::OFFLINE_QUEUE_DELIVERED_TOTAL)?,
            messages: messages(r)?,
            messages_in: counters(
                r,
                &c::MESSAGES_IN_TOTAL,
                &MessageKind::ALL.map(MessageKind::as_str),
            )?,
            bytes_in: counter(r, &c::BYTES_IN_TOTAL)?,
            frames_out: counter(r, &c::FRAMES_OUT_TOTAL)?,
            bytes_out: counter(r, &c::BYTES_OUT_TOTAL)?,
            delivery_seconds: histograms(r, &c::DELIVERY_SECONDS, &Path::ALL.map(Path::as_str))?,
            watches: gauge(r, &c::WATCHES)?,
            presence_changes: counter(r, &c::PRESENCE_CHANGES_TOTAL)?,
            pending: gauge(r, &c::PENDING)?,
            retransmissions: counter(r, &c::RETRANSMISSIONS_TOTAL)?,
            duplicates: counter(r, &c::DUPLICATES_TOTAL)?,
            gaps: counter(r, &c::GAPS_TOTAL)?,
            overflows: counters(r, &c::OVERFLOWS_TOTAL, &Queue::ALL.map(Queue::as_str))?,
            budget_refusals: pairs(
                r,
                &c::BUDGET_REFUSALS_TOTAL,
                &Budget::ALL.map(Budget::as_str),
                &BudgetScope::ALL.map(BudgetScope::as_str),
            )?,
            memory_limit: gauge(r, &c::MEMORY_LIMIT_BYTES)?,
            memory_pressure: gauge(r, &c::MEMORY_PRESSURE)?,
            memory_shed: counters(r, &c::MEMORY_SHED_TOTAL, &MemoryShed::ALL.map(MemoryShed::as_str))?,
            command_errors: counters(r, &c::CLIENT_ERRORS_TOTAL, &ErrorCode::ALL.map(ErrorCode::as_str))?,
            rooms: gauge(r, &c::ROOMS)?,
            room_members: gauge(r, &c::ROOM_MEMBERS)?,
            room_joins: counters(
                r,
                &c::ROOM_JOINS_TOTAL,
                &JoinOutcome::ALL.map(JoinOutcome::as_str),
            )?,
            room_deltas: counter(r, &c::ROOM_DELTAS_TOTAL)?,
            room_messages: counter(r, &c::ROOM_MESSAGES_TOTAL)?,
            room_resyncs: counter(r, &c::ROOM_RESYNCS_TOTAL)?,
            room_drops: counters(r, &c::ROOM_DROPS_TOTAL, &RoomDrop::ALL.map(RoomDrop::as_str))?,
            ack_batch: histogram(r, &c::ACK_BATCH)?,
            redis_seconds: histograms(r, &c::REDIS_SECONDS, &RedisOp::ALL.map(RedisOp::as_str))?,
            publish_batch: histogram(r, &c::PUBLISH_BATCH)?,
            shards: Arc::new(ShardFamilies::register(r)?),
            bus_dropped: counters(r, &c::BUS_DROPPED_TOTAL, &BusDrop::ALL.map(BusDrop::as_str))?,
            node_messages_withheld: counter(r, &c::NODE_MESSAGES_WITHHELD_TOTAL)?,
            draining: gauge(r, &c::DRAINING)?,
            goaways: counters(r, &c::GOAWAYS_TOTAL, &Goaway::ALL.map(Goaway::as_str))?,
            cluster_mean: gauge(r, &c::CLUSTER_MEAN)?,
            webhook_events: counter(r, &c::WEBHOOK_EVENTS_TOTAL)?,
            webhook_dropped: counters(
                r,
                &c::WEBHOOK_DROPPED_TOTAL,
                &WebhookDrop::ALL.map(WebhookDrop::as_str),
            )?,
            webhook_requests: counters(
                r,
                &c::WEBHOOK_REQUESTS_TOTAL,
                &WebhookOutcome::ALL.map(WebhookOutcome::as_str),
            )?,
            webhook_seconds: histogram(r, &c::WEBHOOK_SECONDS)?,
            webhook_given_up: counter(r, &c::WEBHOOK_GIVEN_UP_TOTAL)?,
            webhook_backlog: gauge(r, &c::WEBHOOK_BACKLOG)?,
            webhook_oldest: gauge(r, &c::WEBHOOK_OLDEST)?,
            webhook_dead: gauge(r, &c::WEBHOOK_DEAD)?,
            trace_export_failures: counter(r, &c::TRACE_EXPORT_FAILURES_TOTAL)?,
            registry,
        })
    }
}

fn messages(registry: &Registry) -> Result<Vec<IntCounter>> {
    let family = counter_family(registry, &c::MESSAGES_TOTAL)?;
    let outcomes = || {
        [DELIVERED, PUBLISHED]
            .into_iter()
            .chain(ErrorCode::ALL.map(ErrorCode::as_str))
    };
    let mut counters = Vec::with_capacity(MessageKind::ALL.len() * Path::ALL.len() * SendOutcome::COUNT);
    for kind in MessageKind::ALL {
        for path in Path::ALL {
            for outcome in outcomes() {
                counters.push(family.get_metric_with_label_values(&[
                    kind.as_str(),
                    path.as_str(),
                    outcome,
                ])?);
            }
        }
    }
    Ok(counters)
}

/// One counter for each value of the first label with each value of the second.
fn pairs(registry: &Registry, metric: &Metric, first: &[&str], second: &[&str]) -> Result<Vec<IntCounter>> {
    let family = counter_family(registry, metric)?;
    let values = first
        .iter()
        .flat_map(|one| second.iter().map(|other| [*one, *other]));
    values
        .map(|pair| family.get_metric_with_label_values(&pair))
        .collect()
}

fn closes(registry: &Registry) -> Result<(Vec<(u16, IntCounter)>, IntCounter)> {
    /// Codes of RFC 6455 that nodes do not choose: 1002 for broken frames, 1006 without a close frame.
    const WEBSOCKET_CODES: [u16; 2] = [1002, 1006];
    let known = CloseCode::ALL.map(CloseCode::code);
    counters_by_number(
        registry,
        &c::CLOSES_TOTAL,
        known.into_iter().chain(WEBSOCKET_CODES),
    )
}

fn api_calls(registry: &Registry) -> Result<(Vec<(u16, IntCounter)>, IntCounter)> {
    /// The statuses of the backend API.
    const STATUSES: [u16; 17] = [
        200, 201, 202, 204, 400, 401, 403, 404, 408, 409, 410, 413, 415, 422, 429, 503, 504,
    ];
    counters_by_number(registry, &c::API_CALLS_TOTAL, STATUSES.into_iter())
}

/// A counter for each of the numbers that are expected, and one for all others.
fn counters_by_number(
    registry: &Registry,
    metric: &Metric,
    known: impl Iterator<Item = u16>,
) -> Result<(Vec<(u16, IntCounter)>, IntCounter)> {
    let family = counter_family(registry, metric)?;
    let known = known.map(|number| {
        let counter = family.get_metric_with_label_values(&[number.to_string().as_str()])?;
        Ok((number, counter))
    });
    let known = known.collect::<Result<_>>()?;
    Ok((known, family.get_metric_with_label_values(&["other"])?))
}

fn build_info(registry: &Registry) -> Result<()> {
    let family = IntGaugeVec::new(opts(&c::BUILD_INFO), c::BUILD_INFO.labels)?;
    registry.register(Box::new(family.clone()))?;
    let commit = option_env!("SWITCHBOARD_COMMIT").unwrap_or("unknown");
    family
        .get_metric_with_label_values(&[env!("CARGO_PKG_VERSION"), commit])?
        .set(1);
    Ok(())
}

fn counter(registry: &Registry, metric: &Metric) -> Result<IntCounter> {
    let counter = IntCounter::with_opts(opts(metric))?;
    registry.register(Box::new(counter.clone()))?;
    Ok(counter)
}

fn gauge(registry: &Registry, metric: &Metric) -> Result<IntGauge> {
    let gauge = IntGauge::with_opts(opts(metric))?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

fn counters(registry: &Registry, metric: &Metric, values: &[&str]) -> Result<Vec<IntCounter>> {
    let family = counter_family(registry, metric)?;
    values
        .iter()
        .map(|value| family.get_metric_with_label_values(&[*value]))
        .collect()
}

fn gauges(registry: &Registry, metric: &Metric, values: &[&str]) -> Result<Vec<IntGauge>> {
    let family = gauge_family(registry, metric)?;
    values
        .iter()
        .map(|value| family.get_metric_with_label_values(&[*value]))
        .collect()
}

fn histogram(registry: &Registry, metric: &Metric) -> Result<Histogram> {
    let histogram = Histogram::with_opts(histogram_opts(metric))?;
    registry.register(Box::new(histogram.clone()))?;
    Ok(histogram)
}

fn histograms(registry: &Registry, metric: &Metric, values: &[&str]) -> Result<Vec<Histogram>> {
    let family = histogram_family(registry, metric)?;
    values
        .iter()
        .map(|value| family.get_metric_with_label_values(&[*value]))
        .collect()
}
