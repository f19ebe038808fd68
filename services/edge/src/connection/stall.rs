//! Whether a client makes progress: its transport takes bytes and, with `acks=client`, it acknowledges. Only
//! instants; the connection owns the timer and closes.

use std::time::{Duration, Instant};

/// One connection's progress.
#[derive(Debug, Default)]
pub(super) struct StallDetector {
    /// Since when the transport takes no bytes.
    blocked_since: Option<Instant>,
    /// With a full queue: the oldest message without an acknowledgement, and since when it is the oldest.
    oldest_unacked: Option<(u64, Instant)>,
}

impl StallDetector {
    /// The transport takes no more bytes now.
    pub(super) fn blocked(&mut self) {
        self.blocked_since.get_or_insert_with(Instant::now);
    }

    /// A blocked transport has taken some bytes: the client is slow, not stalled.
    pub(super) fn progressed(&mut self, now: Instant) {
        self.blocked_since = self.blocked_since.map(|_| now);
        self.oldest_unacked = self.oldest_unacked.map(|(seq, _)| (seq, now));
    }

    /// The transport has taken all bytes.
    pub(super) const fn unblocked(&mut self) {
        self.blocked_since = None;
    }

    pub(super) const fn is_blocked(&self) -> bool {
        self.blocked_since.is_some()
    }

    /// When a blocked transport is given up, if it is blocked.
    pub(super) fn deadline(&self, limit: Duration) -> Option<Instant> {
        self.blocked_since.map(|since| since + limit)
    }

    /// Notes the oldest message without an acknowledgement; `None` while the queue is not full. The loop calls
    /// this once per heartbeat, so a client that acknowledges nothing may stay one heartbeat longer.
    pub(super) fn observe(&mut self, oldest_unacked: Option<u64>, now: Instant) {
        self.oldest_unacked = oldest_unacked.map(|seq| match self.oldest_unacked {
            Some((before, since)) if before == seq => (seq, since),
            Some(_) | None => (seq, now),
        });
    }

    /// Whether the client has taken nothing, or acknowledged nothing, for `limit`.
    pub(super) fn is_stalled(&self, limit: Duration, now: Instant) -> bool {
        let unacked_since = self.oldest_unacked.map(|(_, since)| since);
        [self.blocked_since, unacked_since]
            .into_iter()
            .flatten()
            .any(|since| now.duration_since(since) >= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn only_the_same_oldest_message_for_the_whole_limit_is_a_stall() {
        let start = Instant::now();
        let mut stall = StallDetector::default();
        stall.observe(Some(1), start);
        assert!(!stall.is_stalled(LIMIT, start + LIMIT / 2));
        stall.observe(Some(2), start + LIMIT);
        assert!(!stall.is_stalled(LIMIT, start + LIMIT), "an acknowledgement came");
        stall.observe(Some(2), start + LIMIT * 2);
        assert!(stall.is_stalled(LIMIT, start + LIMIT * 2));
        stall.observe(None, start + LIMIT * 2);
        assert!(!stall.is_stalled(LIMIT, start + LIMIT * 9), "the queue has room");
    }

    #[test]
    fn a_blocked_transport_has_a_deadline_until_it_takes_bytes_again() {
        let mut stall = StallDetector::default();
        assert_eq!(stall.deadline(LIMIT), None);
        stall.blocked();
        let deadline = stall.deadline(LIMIT).unwrap();
        assert!(stall.is_blocked() && stall.is_stalled(LIMIT, deadline));
        stall.progressed(deadline);
        assert!(
            stall.is_blocked() && !stall.is_stalled(LIMIT, deadline),
            "it takes some"
        );
        assert_eq!(stall.deadline(LIMIT), Some(deadline + LIMIT));
        stall.unblocked();
        stall.progressed(deadline);
        assert!(!stall.is_blocked() && !stall.is_stalled(LIMIT, deadline));
    }
}
