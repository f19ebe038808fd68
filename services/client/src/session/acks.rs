//! When a connection sends `ack`: one for all frames that were readable together, and at most a fixed delay after
//! the first of them. Not here: when a frame counts as processed (`event_queue`).

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// The longest that an acknowledgement waits for more frames.
const MAX_ACK_DELAY: Duration = Duration::from_millis(20);

/// The acknowledgements that one connection has to send.
#[derive(Debug, Default)]
pub(super) struct Acks {
    /// The last processed `seq`, and when the first frame that waits with it was processed.
    waiting: Option<(u64, Instant)>,
    /// To be written as soon as the socket takes it.
    ready: Option<u64>,
    /// Refused frames. Each is written before newer acknowledgements, and acknowledges all frames before it.
    refused: VecDeque<u64>,
}

impl Acks {
    /// Everything up to `seq` was processed.
    pub(super) fn acknowledge(&mut self, seq: u64) {
        let since = self.waiting.map_or_else(Instant::now, |(_, since)| since);
        self.waiting = Some((seq, since));
    }

    /// Everything before `seq` was processed, and `seq` itself is refused.
    pub(super) fn refuse(&mut self, seq: u64) {
        self.waiting = None;
        self.refused.push_back(seq);
    }

    /// The latest time at which the waiting acknowledgement becomes ready.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.map(|(_, since)| since + MAX_ACK_DELAY)
    }

    /// Makes the waiting acknowledgement ready to write. Returns whether there was one.
    pub(super) fn make_ready(&mut self) -> bool {
        let waiting = self.waiting.take();
        self.ready = waiting.map(|(seq, _)| seq).or(self.ready);
        waiting.is_some()
    }

    /// The same, if the deadline has passed.
    pub(super) fn make_ready_if_due(&mut self) {
        if self.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
            self.make_ready();
        }
    }

    /// The frame to write now.
    pub(super) fn next_text(&mut self) -> Option<String> {
        if let Some(seq) = self.refused.pop_front() {
            self.ready = self.ready.filter(|ready| *ready > seq);
            return Some(format!("{{\"type\":\"ack\",\"seq\":{seq},\"late\":true}}"));
        }
        let seq = self.ready.take()?;
        Some(format!("{{\"type\":\"ack\",\"seq\":{seq}}}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_acknowledgement_covers_all_frames_before_it() {
        let mut acks = Acks::default();
        assert!(!acks.make_ready());
        acks.acknowledge(1);
        let deadline = acks.deadline();
        acks.acknowledge(2);
        assert_eq!(acks.deadline(), deadline, "the first frame sets the deadline");
        assert_eq!(acks.next_text(), None, "not before it is ready");
        assert!(acks.make_ready());
        assert_eq!(acks.deadline(), None);
        assert_eq!(acks.next_text().as_deref(), Some(r#"{"type":"ack","seq":2}"#));
        assert_eq!(acks.next_text(), None);
    }

    #[test]
    fn a_refusal_precedes_newer_acknowledgements_and_covers_older_ones() {
        let mut acks = Acks::default();
        acks.acknowledge(1);
        acks.refuse(2);
        acks.acknowledge(3);
        acks.make_ready();
        assert_eq!(
            acks.next_text().as_deref(),
            Some(r#"{"type":"ack","seq":2,"late":true}"#)
        );
        assert_eq!(acks.next_text().as_deref(), Some(r#"{"type":"ack","seq":3}"#));
        assert_eq!(acks.next_text(), None);
    }
}
