//! The names of messages that were handed over, as far back as a node may repeat one. Not a proof for ever:
//! the memory is bounded.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

/// Names kept, the newest ones. A node repeats at most a mailbox (256 messages) and what it had sent without
/// an acknowledgement, so this is far more than can come twice.
pub(super) const SEEN_MIDS: usize = 8192;

/// The newest names handed over.
#[derive(Debug, Default)]
pub(super) struct Seen {
    names: HashSet<Arc<str>>,
    in_order: VecDeque<Arc<str>>,
}

impl Seen {
    /// Notes `mid`; whether it is new.
    pub(super) fn note(&mut self, mid: &str) -> bool {
        if self.names.contains(mid) {
            return false;
        }
        if self.in_order.len() >= SEEN_MIDS
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.names.remove(&oldest);
        }
        let name: Arc<str> = mid.into();
        self.names.insert(Arc::clone(&name));
        self.in_order.push_back(name);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_new_once_until_as_many_newer_ones_as_are_kept_have_come() {
        let mut seen = Seen::default();
        assert!(seen.note("s/0"));
        for number in 1..SEEN_MIDS {
            assert!(seen.note(&format!("s/{number}")));
        }
        assert!(!seen.note("s/0"));
        assert!(seen.note("s/new"));
        assert!(seen.note("s/0"), "forgotten");
        assert_eq!(seen.names.len(), SEEN_MIDS);
    }
}
