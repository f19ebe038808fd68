//! The probe: proof that this node receives what it publishes. A number goes through the publisher to the node's
//! own channel and is awaited on the subscriber's connection. Not its bytes (`probe_payload`), its rhythm or the
//! rebuild that follows its failure (`subscriber::prober`).

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The probe in flight.
#[derive(Debug)]
pub(crate) struct Probe {
    current: Mutex<Current>,
    /// The current probe was received.
    pub(crate) received: Notify,
}

#[derive(Debug)]
struct Current {
    nonce: u64,
    sent_at: Instant,
    was_published: bool,
    was_received: bool,
}

/// The outcome of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProbeOutcome {
    /// The node received it.
    Received,
    /// Redis took it and this node has not received it.
    Missed,
    /// It was not published, so it proves nothing.
    NotPublished,
}

impl Probe {
    pub(crate) fn new() -> Self {
        Self {
            current: Mutex::new(Current {
                nonce: rand::random(),
                sent_at: Instant::now(),
                was_published: false,
                was_received: false,
            }),
            received: Notify::new(),
        }
    }

    /// Begins a new probe; earlier ones no longer count.
    pub(crate) fn begin(&self) -> u64 {
        let mut current = self.current.lock();
        *current = Current {
            nonce: rand::random(),
            sent_at: Instant::now(),
            was_published: false,
            was_received: false,
        };
        current.nonce
    }

    /// Redis answered the PUBLISH of a probe.
    pub(crate) fn on_published(&self, nonce: u64, is_ok: bool) {
        let mut current = self.current.lock();
        if current.nonce == nonce {
            current.was_published = is_ok;
        }
    }

    /// A probe was received; how long it took, if it is the current one.
    pub(crate) fn on_received(&self, nonce: u64) -> Option<Duration> {
        let mut current = self.current.lock();
        if current.nonce != nonce || current.was_received {
            return None;
        }
        current.was_received = true;
        self.received.notify_one();
        Some(current.sent_at.elapsed())
    }

    /// The outcome of the current probe until now.
    pub(crate) fn outcome(&self) -> ProbeOutcome {
        let current = self.current.lock();
        match (current.was_received, current.was_published) {
            (true, _) => ProbeOutcome::Received,
            (false, true) => ProbeOutcome::Missed,
            (false, false) => ProbeOutcome::NotPublished,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_current_probe_counts_and_only_a_published_one_can_be_missed() {
        let probe = Probe::new();
        let old = probe.begin();
        let new = probe.begin();
        assert_eq!(probe.on_received(old), None);
        assert_eq!(probe.outcome(), ProbeOutcome::NotPublished);
        probe.on_published(new, true);
        assert_eq!(probe.outcome(), ProbeOutcome::Missed);
        assert!(probe.on_received(new).is_some());
        assert_eq!(probe.outcome(), ProbeOutcome::Received);
    }
}
