//! What waits for all endpoints, for metrics and operators.

use std::time::Duration;

use parking_lot::Mutex;
use switchboard_core::Backlog;
use switchboard_telemetry::Telemetry;

/// What waits for each endpoint, in the order of the configuration.
pub(crate) struct Backlogs(Mutex<Vec<Backlog>>);

impl Backlogs {
    /// Nothing waits for any of so many endpoints.
    pub(crate) fn of(endpoints: usize) -> Self {
        Self(Mutex::new(vec![Backlog::default(); endpoints]))
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Backlog> {
        self.0.lock().clone()
    }

    /// Takes one, and shows all in the metrics.
    pub(crate) fn set(&self, index: usize, backlog: Backlog, telemetry: &Telemetry) {
        let mut all = self.0.lock();
        all[index] = backlog;
        let events = all.iter().map(|backlog| backlog.events).sum();
        let dead = all.iter().map(|backlog| backlog.dead).sum();
        let oldest_ms = all
            .iter()
            .map(|backlog| backlog.oldest_ms)
            .max()
            .unwrap_or_default();
        telemetry.webhook_backlog(events, Duration::from_millis(oldest_ms), dead);
    }
}
