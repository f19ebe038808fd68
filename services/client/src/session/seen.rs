//! The names of messages that were handed over, as far back as a node may repeat one. Not a proof for ever:
//! the memory is bounded.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

/// Names kept, the newest ones. A node repeats at most a mailbox (256 messages) and what it had sent without
/// an acknowledgement, so this is far more than can come twice.
pub(super) const SEEN_MIDS: usize = 8192;

/// What a message is to a client that remembers others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// To be handed over.
    New,
    /// Handed over before.
    Repeated,
    /// Its sender sent it before one that was handed over. A node that lost what it knew of this session may
    /// send one; handing it over would break the order.
    Late,
}

/// The newest names handed over.
#[derive(Debug, Default)]
pub(super) struct Seen {
    names: HashSet<Arc<str>>,
    in_order: VecDeque<Arc<str>>,
    /// The highest id of each sender's session, as long as its name is kept.
    newest: HashMap<Arc<str>, u64>,
}

impl Seen {
    /// Judges `mid`, and notes it if it is new.
    pub(super) fn note(&mut self, mid: &str) -> Verdict {
        if self.names.contains(mid) {
            return Verdict::Repeated;
        }
        let (session, id) = parts(mid);
        if id.is_some_and(|id| self.newest.get(session).is_some_and(|newest| id < *newest)) {
            return Verdict::Late;
        }
        if self.in_order.len() >= SEEN_MIDS
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
        let name: Arc<str> = mid.into();
        self.names.insert(Arc::clone(&name));
        self.in_order.push_back(name);
        Verdict::New
    }

    fn forget(&mut self, mid: &str) {
        self.names.remove(mid);
        let (session, id) = parts(mid);
        if id.is_some() && self.newest.get(session).copied() == id {
            self.newest.remove(session);
        }
    }
}

/// The sender's session and the id that its client chose; a node's own numbers have no order.
fn parts(mid: &str) -> (&str, Option<u64>) {
    mid.split_once('/')
        .map_or((mid, None), |(session, id)| (session, id.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_new_once_until_as_many_newer_ones_as_are_kept_have_come() {
        let mut seen = Seen::default();
        assert_eq!(seen.note("s/1"), Verdict::New);
        for number in 1..SEEN_MIDS {
            assert_eq!(seen.note(&format!("t/{number}")), Verdict::New);
        }
        assert_eq!(seen.note("s/1"), Verdict::Repeated);
        assert_eq!(seen.note("u/1"), Verdict::New);
        assert_eq!(seen.note("s/1"), Verdict::New, "forgotten");
        assert_eq!(seen.names.len(), SEEN_MIDS);
    }

    #[test]
    fn what_was_sent_before_something_that_was_handed_over_is_late() {
        let mut seen = Seen::default();
        assert_eq!(seen.note("s/1"), Verdict::New);
        assert_eq!(seen.note("s/5"), Verdict::New);
        assert_eq!(seen.note("s/3"), Verdict::Late);
        assert_eq!(seen.note("s/5"), Verdict::Repeated);
        assert_eq!(seen.note("t/3"), Verdict::New, "another sender");
        assert_eq!(seen.note("s/~1"), Verdict::New, "fire and forget has no order");
        assert_eq!(seen.note("s/6"), Verdict::New);
    }
}
