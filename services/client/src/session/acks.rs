//! When a connection says `ack`: one for all frames that were readable together, and none later than a set
//! time after its first frame was handed over. Not what counts as handed over (`handing`).

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// How long an acknowledgement may wait for more frames.
const ACK_WITHIN: Duration = Duration::from_millis(20);

/// The acknowledgements that one connection owes.
#[derive(Debug, Default)]
pub(super) struct Acks {
    /// The last `seq` handed over, and when the first that waits with it was.
    owed: Option<(u64, Instant)>,
    /// To be written as soon as the socket can take it.
    ready: Option<u64>,
    /// Refused frames, to be written before anything newer is acknowledged; each speaks for all before it.
    refused: VecDeque<u64>,
}

impl Acks {
    /// Everything up to `seq` was handed over.
    pub(super) fn owe(&mut self, seq: u64) {
        let since = self.owed.map_or_else(Instant::now, |(_, since)| since);
        self.owed = Some((seq, since));
    }

    /// Everything before `seq` was handed over, and `seq` itself is refused.
    pub(super) fn refuse(&mut self, seq: u64) {
        self.owed = None;
        self.refused.push_back(seq);
    }

    /// When it must be written at the latest.
    pub(super) fn due(&self) -> Option<Instant> {
        self.owed.map(|(_, since)| since + ACK_WITHIN)
    }

    /// No more frames are waited for: what is owed is to be written. Whether anything is.
    pub(super) fn settle(&mut self) -> bool {
        let owed = self.owed.take();
        self.ready = owed.map(|(seq, _)| seq).or(self.ready);
        owed.is_some()
    }

    /// The same, if it is time.
    pub(super) fn settle_if_due(&mut self) {
        if self.due().is_some_and(|due| due <= Instant::now()) {
            self.settle();
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
    fn one_acknowledgement_is_for_all_that_came_before_it_was_settled() {
        let mut acks = Acks::default();
        assert!(!acks.settle());
        acks.owe(1);
        let due = acks.due();
        acks.owe(2);
        assert_eq!(acks.due(), due, "the first decides when");
        assert_eq!(acks.next_text(), None, "not before it is settled");
        assert!(acks.settle());
        assert_eq!(acks.due(), None);
        assert_eq!(acks.next_text().as_deref(), Some(r#"{"type":"ack","seq":2}"#));
        assert_eq!(acks.next_text(), None);
    }

    #[test]
    fn a_refusal_goes_before_every_newer_acknowledgement_and_stands_for_the_older_ones() {
        let mut acks = Acks::default();
        acks.owe(1);
        acks.refuse(2);
        acks.owe(3);
        acks.settle();
        assert_eq!(
            acks.next_text().as_deref(),
            Some(r#"{"type":"ack","seq":2,"late":true}"#)
        );
        assert_eq!(acks.next_text().as_deref(), Some(r#"{"type":"ack","seq":3}"#));
        assert_eq!(acks.next_text(), None);
    }
}
