//! What happens to connections and sessions.

use std::{sync::Arc, time::Duration};

use switchboard_protocol::ErrorCode;

use crate::{RefusalReason, Resume, Telemetry, Transport, metrics::Metrics};

/// An open connection; dropping it takes it off the gauge.
#[derive(Debug)]
pub struct ConnectionGuard {
    metrics: Counted,
    transport: Transport,
}

/// An attached session; dropping it takes it off the gauge.
#[derive(Debug)]
pub struct SessionGuard {
    metrics: Counted,
}

struct Counted(Arc<Metrics>);

impl std::fmt::Debug for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("counted")
    }
}

impl Telemetry {
    /// The node takes at most so many connections.
    pub fn connections_limit(&self, most: usize) {
        self.metrics
            .connections_limit
            .set(i64::try_from(most).unwrap_or(i64::MAX));
    }

    /// A client is connected as long as the guard lives.
    #[must_use]
    pub fn connection_opened(&self, transport: Transport) -> ConnectionGuard {
        self.metrics.connections[transport.index()].inc();
        self.metrics.connections_total[transport.index()].inc();
        ConnectionGuard {
            metrics: Counted(Arc::clone(&self.metrics)),
            transport,
        }
    }

    /// A session is attached as long as the guard lives.
    #[must_use]
    pub fn session_opened(&self) -> SessionGuard {
        self.metrics.sessions.inc();
        SessionGuard {
            metrics: Counted(Arc::clone(&self.metrics)),
        }
    }

    /// A connection ended with this close code.
    pub fn connection_closed(&self, code: u16) {
        let known = self.metrics.closes.iter().find(|(known, _)| *known == code);
        known
            .map_or(&self.metrics.closes_other, |(_, counter)| counter)
            .inc();
        tracing::debug!(code, "a connection ended");
    }

    /// A handshake was refused.
    pub fn connect_refused(&self, reason: RefusalReason) {
        self.metrics.refusals[reason.index()].inc();
        tracing::debug!(reason = reason.as_str(), "a handshake was refused");
    }

    /// A client did not finish the head of its request in time.
    pub fn handshake_timeout(&self) {
        self.metrics.handshake_timeouts.inc();
        tracing::debug!("a handshake took too long");
    }

    /// A client got its welcome this long after its handshake began.
    pub fn connect_seconds(&self, took: Duration) {
        self.metrics.connect_seconds.observe(took.as_secs_f64());
    }

    /// A newer connection of the same peer replaced one.
    pub fn takeover(&self) {
        self.metrics.takeovers.inc();
        tracing::debug!("a session was replaced by a newer one");
    }

    /// A client wanted to go on with its session.
    pub fn resumed(&self, outcome: Resume) {
        self.metrics.resumes[outcome.index()].inc();
    }

    /// A command was answered with this error at once.
    pub fn command_error(&self, code: ErrorCode) {
        self.metrics.command_errors[code.index()].inc();
        tracing::debug!(code = code.as_str(), "a command was answered with an error");
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
