//! `[session]`: the times of a session.

use std::time::Duration;

use switchboard_core::Limits;

use super::{check::in_range, error::ConfigError, limits::LimitsSection, section::section};

section! {
    /// `[session]`.
    SessionSection {
        /// How long a send may wait for its outcome, in milliseconds.
        send_deadline_ms: u64 = 5_000,
        /// How often a client is pinged, in milliseconds.
        heartbeat_ms: u64 = 25_000,
        /// How long a client may take no bytes, or acknowledge nothing with a full queue, in milliseconds.
        write_stall_ms: u64 = 10_000,
        /// How long the session of a lost connection can be resumed, in seconds; 0: not at all.
        resume_window_s: u64 = 60,
        /// The same after close code 1001 (the page was left), in seconds; at most the resume window.
        away_window_s: u64 = 5,
    }
}

impl SessionSection {
    pub(super) fn check(&self, limits: &LimitsSection) -> Result<Limits, ConfigError> {
        let bounds = limits.check()?;
        in_range("session.send_deadline_ms", self.send_deadline_ms, 100, 60_000)?;
        in_range("session.heartbeat_ms", self.heartbeat_ms, 100, 600_000)?;
        in_range("session.write_stall_ms", self.write_stall_ms, 100, 600_000)?;
        in_range("session.resume_window_s", self.resume_window_s, 0, 3_600)?;
        in_range("session.away_window_s", self.away_window_s, 0, 3_600)?;
        Ok(Limits {
            send_deadline: Duration::from_millis(self.send_deadline_ms),
            resume_window: Duration::from_secs(self.resume_window_s),
            away_window: Duration::from_secs(self.away_window_s),
            heartbeat: Duration::from_millis(self.heartbeat_ms),
            write_stall: Duration::from_millis(self.write_stall_ms),
            ..bounds
        })
    }
}
