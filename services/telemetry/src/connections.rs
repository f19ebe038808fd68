//! Events of connections and sessions.

use std::{sync::Arc, time::Duration};

use switchboard_protocol::ErrorCode;

use crate::{
    HttpRefusal, Port, RefusalReason, ReloadOutcome, ReloadPart, ResumeOutcome, Telemetry, TlsHandshake,
    Transport, metrics::Metrics,
};

/// An open connection. Dropping the guard decrements the gauge.
#[derive(Debug)]
pub struct ConnectionGuard {
    metrics: MetricsRef,
    transport: Transport,
}

/// An attached session. Dropping the guard decrements the gauge.
#[derive(Debug)]
pub struct SessionGuard {
    metrics: MetricsRef,
}

struct MetricsRef(Arc<Metrics>);

impl std::fmt::Debug for MetricsRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MetricsRef")
    }
}

impl Telemetry {
    /// The maximum number of connections of the node.
    pub fn connections_limit(&self, max: usize) {
        self.metrics
            .connections_limit
            .set(i64::try_from(max).unwrap_or(i64::MAX));
    }

    /// A connection opened. It counts until the guard is dropped.
    #[must_use]
    pub fn connection_opened(&self, transport: Transport) -> ConnectionGuard {
        self.metrics.connections[transport.index()].inc();
        self.metrics.connections_total[transport.index()].inc();
        ConnectionGuard {
            metrics: MetricsRef(Arc::clone(&self.metrics)),
            transport,
        }
    }

    /// A session was attached. It counts until the guard is dropped.
    #[must_use]
    pub fn session_opened(&self) -> SessionGuard {
        self.metrics.sessions.inc();
        SessionGuard {
            metrics: MetricsRef(Arc::clone(&self.metrics)),
        }
    }

    /// A connection closed with this code.
    pub fn connection_closed(&self, code: u16) {
        let known = self.metrics.closes.iter().find(|(known, _)| *known == code);
        known
            .map_or(&self.metrics.closes_other, |(_, counter)| counter)
            .inc();
        tracing::debug!(code, "connection closed");
    }

    /// The node refused a handshake.
    pub fn connect_refused(&self, reason: RefusalReason) {
        self.metrics.refusals[reason.index()].inc();
        tracing::debug!(reason = reason.as_str(), "handshake refused");
    }

    /// All failed requests to the JWKS URL so far, and the usable keys of the last good answer.
    pub fn jwks(&self, failures: u64, keys: usize) {
        let counted = self.metrics.jwks_failures.get();
        self.metrics
            .jwks_failures
            .inc_by(failures.saturating_sub(counted));
        self.metrics
            .jwks_keys
            .set(i64::try_from(keys).unwrap_or(i64::MAX));
    }

    /// Revocations in force that the node knows.
    pub fn revocations(&self, count: usize) {
        self.metrics
            .revocations
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// The node has read the revocations in force.
    pub fn revocations_known(&self) {
        self.metrics.revocations_known.set(1);
    }

    /// The node has read changed files of `part`.
    pub fn reloaded(&self, part: ReloadPart, outcome: ReloadOutcome) {
        let pair = part.index() * ReloadOutcome::ALL.len() + outcome.index();
        self.metrics.reloads[pair].inc();
        let has_failed = outcome == ReloadOutcome::Refused;
        self.metrics.reload_failed[part.index()].set(has_failed.into());
    }

    /// A TLS handshake of a client ended.
    pub fn tls_handshake(&self, port: Port, outcome: TlsHandshake) {
        let pair = port.index() * TlsHandshake::ALL.len() + outcome.index();
        self.metrics.tls_handshakes[pair].inc();
    }

    /// The port uses a certificate that ends then, in seconds since the Unix epoch.
    pub fn certificate(&self, port: Port, not_after_s: i64) {
        self.metrics.certificate_not_after[port.index()].set(not_after_s);
    }

    /// The public port refused a request or a connection before it looked at a token.
    pub fn http_refused(&self, reason: HttpRefusal) {
        self.metrics.http_refusals[reason.index()].inc();
        tracing::debug!(reason = reason.as_str(), "request refused");
    }

    /// A call of the backend API was answered with this HTTP status after this time.
    pub fn api_call(&self, status: u16, took: Duration) {
        let known = self.metrics.api_calls.iter().find(|(known, _)| *known == status);
        known
            .map_or(&self.metrics.api_calls_other, |(_, counter)| counter)
            .inc();
        self.metrics.api_call_seconds.observe(took.as_secs_f64());
    }

    /// The operations port refused a request.
    pub fn ops_refused(&self, why: &str) {
        self.metrics.ops_refusals.inc();
        tracing::debug!(why, "a request to the operations port was refused");
    }

    /// A connection to the operations port gave its place to a newer one.
    pub fn ops_connection_cut(&self) {
        self.metrics.ops_cut.inc();
    }

    /// A request head, or a valid token, did not arrive in time.
    pub fn handshake_timeout(&self) {
        self.metrics.handshake_timeouts.inc();
        tracing::debug!("handshake timed out");
    }

    /// A client received `welcome` this long after its handshake request.
    pub fn connect_seconds(&self, took: Duration) {
        self.metrics.connect_seconds.observe(took.as_secs_f64());
    }

    /// A newer connection of the same peer replaced a session.
    pub fn takeover(&self) {
        self.metrics.takeovers.inc();
        tracing::debug!("session replaced by a newer connection");
    }

    /// A client asked to resume its session.
    pub fn resumed(&self, outcome: ResumeOutcome) {
        self.metrics.resumes[outcome.index()].inc();
    }

    /// The node rejected a command immediately with this error.
    pub fn command_error(&self, code: ErrorCode) {
        self.metrics.command_errors[code.index()].inc();
        tracing::debug!(code = code.as_str(), "command rejected");
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.metrics.0.connections[self.transport.index()].dec();
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        self.metrics.0.sessions.dec();
    }
}
