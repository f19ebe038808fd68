//! The `mid`s of the messages that the application has, as far back as a node can repeat one. The memory is
//! bounded: an older repetition counts as new.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

/// How many `mid`s are remembered, the newest ones. A node repeats at most an offline queue (256 messages) and
/// the messages that it sent without an acknowledgement. Both together are far fewer.
pub(super) const MAX_REMEMBERED_MIDS: usize = 8192;

/// How a message relates to the messages before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DedupVerdict {
    /// The application does not have it.
    New,
    /// The application has it.
    Duplicate,
    /// The application has a message that its sender sent later. Delivering it would break the order. A node
    /// sends one only after it lost its state of this session.
    Late,
}

/// The newest `mid`s, and the highest id of each sender.
#[derive(Debug, Default)]
pub(super) struct DuplicateFilter {
    mids: HashSet<Arc<str>>,
    in_order: VecDeque<Arc<str>>,
    /// The highest id of each sender's session, while its `mid` is remembered.
    newest: HashMap<Arc<str>, u64>,
}

impl DuplicateFilter {
    /// Classifies `mid`, and remembers it if it is new. `is_direct`: sent to this peer. Messages to a room travel another
    /// way, so they have no order with those to the peer.
    pub(super) fn classify(&mut self, mid: &str, is_direct: bool) -> DedupVerdict {
        if self.mids.contains(mid) {
            return DedupVerdict::Duplicate;
        }
        let (session, id) = parts(mid);
        let id = id.filter(|_| is_direct);
        if id.is_some_and(|id| self.newest.get(session).is_some_and(|newest| id < *newest)) {
            return DedupVerdict::Late;
        }
        if self.in_order.len() >= MAX_REMEMBERED_MIDS
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.forget(&oldest);
        }
        if let Some(id) = id {
            match self.newest.get_mut(session) {
                Some(newest) => *newest = id,
                None => {
                    self.newest.insert(session.into(), id);
                }
            }
        }
        let mid: Arc<str> = mid.into();
        self.mids.insert(Arc::clone(&mid));
        self.in_order.push_back(mid);
        DedupVerdict::New
    }

    fn forget(&mut self, mid: &str) {
        self.mids.remove(mid);
        let (session, id) = parts(mid);
        if id.is_some() && self.newest.get(session).copied() == id {
            self.newest.remove(session);
        }
    }
}

/// The sender's session, and the id if the client chose it. Numbers that a node chose have no order.
fn parts(mid: &str) -> (&str, Option<u64>) {
    mid.split_once('/')
        .map_or((mid, None), |(session, id)| (session, id.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    impl DuplicateFilter {
        fn direct(&mut self, mid: &str) -> DedupVerdict {
            self.classify(mid, true)
        }
    }

    #[test]
    fn a_mid_is_new_once_until_it_is_forgotten() {
        let mut filter = DuplicateFilter::default();
        assert_eq!(filter.direct("s/1"), DedupVerdict::New);
        for number in 1..MAX_REMEMBERED_MIDS {
            assert_eq!(filter.direct(&format!("t/{number}")), DedupVerdict::New);
        }
        assert_eq!(filter.direct("s/1"), DedupVerdict::Duplicate);
        assert_eq!(filter.direct("u/1"), DedupVerdict::New);
        assert_eq!(filter.direct("s/1"), DedupVerdict::New, "forgotten");
        assert_eq!(filter.mids.len(), MAX_REMEMBERED_MIDS);
    }

    #[test]
    fn a_message_sent_before_a_delivered_one_is_late() {
        let mut filter = DuplicateFilter::default();
        assert_eq!(filter.direct("s/1"), DedupVerdict::New);
        assert_eq!(filter.direct("s/5"), DedupVerdict::New);
        assert_eq!(filter.direct("s/3"), DedupVerdict::Late);
        assert_eq!(filter.direct("s/5"), DedupVerdict::Duplicate);
        assert_eq!(filter.direct("t/3"), DedupVerdict::New, "another sender");
        assert_eq!(
            filter.direct("s/~1"),
            DedupVerdict::New,
            "fire and forget has no order"
        );
        assert_eq!(filter.direct("s/6"), DedupVerdict::New);
    }

    #[test]
    fn a_message_to_a_room_has_no_order_with_messages_to_the_peer() {
        let mut filter = DuplicateFilter::default();
        assert_eq!(filter.classify("s/5", false), DedupVerdict::New);
        assert_eq!(filter.direct("s/4"), DedupVerdict::New);
        assert_eq!(filter.classify("s/3", false), DedupVerdict::New);
        assert_eq!(filter.classify("s/5", false), DedupVerdict::Duplicate);
        assert_eq!(filter.direct("s/2"), DedupVerdict::Late);
    }
}
