//! The proof, every second, that this node hears what is published: a number sent through the publisher to
//! the node's own inbox and awaited on the pub/sub connection. Not the rebuild that follows its failure.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// First byte of a probe in an inbox; no `NodeMessage` begins with it.
const TAG: u8 = 0xff;

/// The probe under way.
#[derive(Debug)]
pub(crate) struct Probe {
    current: Mutex<Current>,
    pub(crate) heard: Notify,
}

#[derive(Debug)]
struct Current {
    nonce: u64,
    sent_at: Instant,
    was_published: bool,
    was_heard: bool,
}

/// What became of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DedupVerdict {
    /// The node hears.
    Heard,
    /// Redis took it and this node did not hear it.
    Missed,
    /// It was never published: that says nothing about hearing.
    NotPublished,
}

impl Probe {
    pub(crate) fn new() -> Self {
        Self {
            current: Mutex::new(Current {
                nonce: rand::random(),
                sent_at: Instant::now(),
                was_published: false,
                was_heard: false,
            }),
            heard: Notify::new(),
        }
    }

    /// Begins a new probe; earlier ones count no more.
    pub(crate) fn begin(&self) -> u64 {
        let mut current = self.current.lock();
        *current = Current {
            nonce: rand::random(),
            sent_at: Instant::now(),
            was_published: false,
            was_heard: false,
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

    /// A probe came back; how long it took, if it is the current one.
    pub(crate) fn came_back(&self, nonce: u64) -> Option<Duration> {
        let mut current = self.current.lock();
        if current.nonce != nonce || current.was_heard {
            return None;
        }
        current.was_heard = true;
        self.heard.notify_one();
        Some(current.sent_at.elapsed())
    }

    /// What became of the current probe until now.
    pub(crate) fn verdict(&self) -> DedupVerdict {
        let current = self.current.lock();
        match (current.was_heard, current.was_published) {
            (true, _) => DedupVerdict::Heard,
            (false, true) => DedupVerdict::Missed,
            (false, false) => DedupVerdict::NotPublished,
        }
    }
}

/// A probe's bytes.
pub(crate) fn encode(nonce: u64) -> [u8; 9] {
    let mut bytes = [TAG; 9];
    bytes[1..].copy_from_slice(&nonce.to_be_bytes());
    bytes
}

/// The number in a probe; `None` for any other message.
pub(crate) fn decode(message: &[u8]) -> Option<u64> {
    let nonce = message.strip_prefix(&[TAG])?;
    nonce.try_into().ok().map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use switchboard_protocol::NodeMessage;

    use super::*;

    #[test]
    fn a_probe_is_no_inbox_message() {
        let bytes = encode(7);
        assert_eq!(decode(&bytes), Some(7));
        assert!(NodeMessage::decode(&bytes).is_err());
        assert_eq!(decode(&NodeMessage::Acks(Vec::new()).encode()), None);
    }

    #[test]
    fn only_the_current_probe_counts_and_only_a_published_one_can_be_missed() {
        let probe = Probe::new();
        let old = probe.begin();
        let new = probe.begin();
        assert_eq!(probe.came_back(old), None);
        assert_eq!(probe.verdict(), DedupVerdict::NotPublished);
        probe.on_published(new, true);
        assert_eq!(probe.verdict(), DedupVerdict::Missed);
        assert!(probe.came_back(new).is_some());
        assert_eq!(probe.verdict(), DedupVerdict::Heard);
    }
}
