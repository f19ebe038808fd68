//! Events of webhooks: what was appended, sent, dropped and given up.

use std::time::Duration;

use crate::{Coalesced, Telemetry, WebhookDrop, WebhookOutcome};

impl Telemetry {
    /// The node appended events to the streams of endpoints.
    pub fn webhook_events_appended(&self, count: u64) {
        self.metrics.webhook_events.inc_by(count);
    }

    /// Events were dropped: a bound was hit.
    pub fn webhook_events_dropped(&self, reason: WebhookDrop, count: u64) {
        static LINES: [Coalesced; WebhookDrop::ALL.len()] =
            [const { Coalesced::new() }; WebhookDrop::ALL.len()];
        if count == 0 {
            return;
        }
        self.metrics.webhook_dropped[reason.index()].inc_by(count);
        LINES[reason.index()].note(|times| {
            let (node, reason) = (&*self.node, reason.as_str());
            tracing::error!(node, times, reason, "webhook events were dropped");
        });
    }

    /// A request to an endpoint ended after this time.
    pub fn webhook_request(&self, outcome: WebhookOutcome, took: Duration) {
        self.metrics.webhook_requests[outcome.index()].inc();
        self.metrics.webhook_seconds.observe(took.as_secs_f64());
    }

    /// An event was given up, and can be replayed.
    pub fn webhook_event_given_up(&self, endpoint: &str, id: &str, reason: &str) {
        self.metrics.webhook_given_up.inc();
        tracing::debug!(endpoint, id, reason, "a webhook event was given up");
    }

    /// What waits for all endpoints, in the cluster.
    pub fn webhook_backlog(&self, events: u64, oldest: Duration, dead: u64) {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.webhook_backlog.set(number(events));
        self.metrics.webhook_oldest.set(number(oldest.as_secs()));
        self.metrics.webhook_dead.set(number(dead));
    }
}
