//! The peers that sessions of this node own, or are about to: session, secret, fence, and the epoch in which the
//! claim was last confirmed. It knows nothing of subscriptions. Not the claiming itself (`attach`,
//! `claim_worker`).

use std::sync::atomic::{AtomicU32, Ordering};

use hashbrown::HashMap;
use switchboard_protocol::{PeerKey, ResumeToken, SessionId};

use crate::redis::claim::LocalClaim;

/// Epochs have different numbers in all tables of a process: a claim that moves from one table to another while it is being
/// confirmed is not taken for confirmed there.
static NEXT_EPOCH: AtomicU32 = AtomicU32::new(1);

/// The table. One per shard; about 64 bytes per peer plus the shared key.
#[derive(Debug, Default)]
pub(crate) struct ClaimTable {
    claims: HashMap<PeerKey, Entry>,
    /// Grows whenever the shared records may have been lost; a claim confirmed in an older one is made again.
    epoch: u32,
    /// Claims that are due.
    due: usize,
    /// How often the whole table was searched.
    #[cfg(test)]
    searches: std::cell::Cell<usize>,
}

#[derive(Debug)]
struct Entry {
    token: ResumeToken,
    /// 0: never confirmed.
    fence: u64,
    /// 0: never confirmed.
    confirmed_in: u32,
    /// An attach is in progress, and makes the claim.
    is_attaching: bool,
}

/// A claim on its way from one server to another.
#[derive(Debug)]
pub(crate) struct MovedClaim(Entry);

impl Entry {
    fn as_claim(&self, key: &PeerKey) -> LocalClaim {
        LocalClaim {
            key: key.clone(),
            token: self.token,
            fence: self.fence,
        }
    }

    /// Whether the background has to make the claim.
    fn is_due(&self, epoch: u32) -> bool {
        !self.is_attaching && self.confirmed_in != epoch
    }
}

impl ClaimTable {
    /// `token`'s session takes `key`; an attach is in progress until [`ClaimTable::confirm`] or
    /// [`ClaimTable::leave_to_background`]. The session of this node that owned the peer until now.
    pub(crate) fn take(&mut self, key: &PeerKey, token: ResumeToken) -> Option<SessionId> {
        let entry = Entry {
            token,
            fence: 0,
            confirmed_in: 0,
            is_attaching: true,
        };
        let displaced = self.claims.insert(key.clone(), entry)?;
        self.due -= usize::from(displaced.is_due(self.epoch));
        Some(displaced.token.session)
    }

    /// `session` gives `key` up; its fence, if it was the owner and `fence` does not name another claim of that
    /// session (0: any).
    pub(crate) fn give_up(&mut self, key: &PeerKey, session: SessionId, fence: u64) -> Option<u64> {
        let entry = self
            .claims
            .get(key)
            .filter(|entry| entry.token.session == session)?;
        if fence != 0 && entry.fence != 0 && entry.fence != fence {
            return None;
        }
        let entry = self.claims.remove(key)?;
        self.due -= usize::from(entry.is_due(self.epoch));
        if self.claims.len() < self.claims.capacity() / 4 {
            self.claims.shrink_to(self.claims.len() * 2);
        }
        Some(entry.fence)
    }

    /// Whether `session` owns `key`.
    pub(crate) fn is_owner(&self, key: &PeerKey, session: SessionId) -> bool {
        let entry = self.claims.get(key);
        entry.is_some_and(|entry| entry.token.session == session)
    }

    /// The record names `session` as the owner since `epoch`; false if it is not the owner any more.
    pub(crate) fn confirm(&mut self, key: &PeerKey, session: SessionId, fence: u64, epoch: u32) -> bool {
        self.update(key, session, |entry| {
            entry.fence = fence;
            entry.confirmed_in = epoch;
            entry.is_attaching = false;
        })
    }

    /// The record names `session` again, with the fence known here; false if it is not the owner any more.
    pub(crate) fn confirm_again(&mut self, key: &PeerKey, session: SessionId, epoch: u32) -> bool {
        self.update(key, session, |entry| entry.confirmed_in = epoch)
    }

    /// The attach of `session` ends without a claim; false if it is not the owner any more.
    pub(crate) fn leave_to_background(&mut self, key: &PeerKey, session: SessionId) -> bool {
        self.update(key, session, |entry| entry.is_attaching = false)
    }

    fn update(&mut self, key: &PeerKey, session: SessionId, change: impl FnOnce(&mut Entry)) -> bool {
        let entry = self.claims.get_mut(key);
        let Some(entry) = entry.filter(|entry| entry.token.session == session) else {
            return false;
        };
        self.due -= usize::from(entry.is_due(self.epoch));
        change(entry);
        self.due += usize::from(entry.is_due(self.epoch));
        true
    }

    /// The shared records may have been lost: every claim is to be made again.
    pub(crate) fn next_epoch(&mut self) {
        self.epoch = NEXT_EPOCH.fetch_add(1, Ordering::Relaxed);
        let due = self.claims.values().filter(|entry| entry.is_due(self.epoch));
        self.due = due.count();
    }

    /// The current epoch.
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// How many claims are due.
    pub(crate) fn due(&self) -> usize {
        self.due
    }

    /// Whether the claim of `key` (`tenant/peer`) is due.
    pub(crate) fn is_due(&self, key: &str) -> bool {
        let entry = self.claims.get(key);
        entry.is_some_and(|entry| entry.is_due(self.epoch))
    }

    /// The claims that are due and `may_be_made`. Without any it searches nothing: it is asked every second, and whenever the
    /// background has work.
    pub(crate) fn list_due(&self, may_be_made: impl Fn(&PeerKey) -> bool) -> Vec<LocalClaim> {
        if self.due == 0 {
            return Vec::new();
        }
        self.list(|key, entry| entry.is_due(self.epoch) && may_be_made(key))
    }

    /// Every claim that was confirmed once.
    pub(crate) fn list_confirmed(&self) -> Vec<LocalClaim> {
        self.list(|_, entry| entry.fence > 0)
    }

    /// Up to `limit` standing claims behind the first `from`, which moves on to the next ones.
    pub(crate) fn sample(&self, from: &mut usize, limit: usize) -> Vec<LocalClaim> {
        if *from >= self.claims.len() {
            *from = 0;
        }
        let stands = |entry: &Entry| entry.fence > 0 && entry.confirmed_in == self.epoch;
        let claims = self.claims.iter().skip(*from).take(limit);
        *from += limit;
        let claims = claims.filter(|(_, entry)| stands(entry));
        claims.map(|(key, entry)| entry.as_claim(key)).collect()
    }

    /// Gives the claims up that `moves`: another server has their records.
    pub(crate) fn hand_over(&mut self, moves: impl Fn(&PeerKey) -> bool) -> Vec<(PeerKey, MovedClaim)> {
        let moved = self.claims.extract_if(|key, _| moves(key));
        let moved: Vec<_> = moved.map(|(key, entry)| (key, MovedClaim(entry))).collect();
        for (_, MovedClaim(entry)) in &moved {
            self.due -= usize::from(entry.is_due(self.epoch));
        }
        moved
    }

    /// Takes claims over that were made on another server: they are to be made here, too.
    pub(crate) fn take_over(&mut self, claims: Vec<(PeerKey, MovedClaim)>) {
        for (key, MovedClaim(mut entry)) in claims {
            entry.confirmed_in = 0;
            self.due += usize::from(entry.is_due(self.epoch));
            self.claims.insert(key, entry);
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.claims.len()
    }

    fn list(&self, filter: impl Fn(&PeerKey, &Entry) -> bool) -> Vec<LocalClaim> {
        #[cfg(test)]
        self.searches.set(self.searches.get() + 1);
        let claims = self.claims.iter().filter(|(key, entry)| filter(key, entry));
        claims.map(|(key, entry)| entry.as_claim(key)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S1: SessionId = SessionId::from_bytes([1; 12]);
    const S2: SessionId = SessionId::from_bytes([2; 12]);

    fn token(session: SessionId) -> ResumeToken {
        ResumeToken::new(session, [0; 16])
    }

    fn alice() -> PeerKey {
        PeerKey::parse("acme/alice").unwrap()
    }

    /// A table in its first epoch in which the first session owns alice.
    fn claimed() -> ClaimTable {
        let mut table = ClaimTable::default();
        table.next_epoch();
        assert_eq!(table.take(&alice(), token(S1)), None);
        assert!(table.confirm(&alice(), S1, 5, table.epoch()));
        table
    }

    #[test]
    fn the_last_session_to_take_a_peer_owns_it() {
        let mut table = claimed();
        assert!(table.is_owner(&alice(), S1) && !table.is_owner(&alice(), S2));
        assert_eq!(table.take(&alice(), token(S2)), Some(S1));
        assert!(!table.is_owner(&alice(), S1) && table.is_owner(&alice(), S2));
        assert!(!table.confirm(&alice(), S1, 6, 1) && !table.confirm_again(&alice(), S1, 1));
        assert!(!table.leave_to_background(&alice(), S1));
        assert_eq!(table.give_up(&alice(), S1, 0), None);
        assert!(table.confirm(&alice(), S2, 7, 1));
        assert_eq!(table.give_up(&alice(), S2, 0), Some(7));
        assert!(!table.is_owner(&alice(), S2));
    }

    #[test]
    fn a_claim_is_given_up_only_with_its_own_fence() {
        let mut table = claimed();
        assert_eq!(
            table.give_up(&alice(), S1, 4),
            None,
            "an older claim of the session"
        );
        assert_eq!(table.give_up(&alice(), S1, 5), Some(5));
        table.take(&alice(), token(S1));
        assert_eq!(
            table.give_up(&alice(), S1, 5),
            Some(0),
            "not confirmed, so no other claim"
        );
    }

    #[test]
    fn a_claim_is_due_in_a_new_epoch_until_it_is_confirmed() {
        let mut table = claimed();
        assert_eq!((table.due(), table.is_due("acme/alice")), (0, false));
        table.next_epoch();
        assert_eq!((table.due(), table.is_due("acme/alice")), (1, true));
        assert!(table.confirm_again(&alice(), S1, table.epoch()));
        assert_eq!((table.due(), table.is_due("acme/alice")), (0, false));
        assert_eq!(table.list_confirmed()[0].fence, 5, "with the fence it had");
        table.next_epoch();
        assert!(table.confirm(&alice(), S1, 6, table.epoch() - 1));
        assert_eq!(table.due(), 1, "an old confirmation does not count");
    }

    #[test]
    fn a_claim_that_an_attach_makes_is_not_due_until_the_attach_leaves_it() {
        let mut table = ClaimTable::default();
        table.next_epoch();
        table.take(&alice(), token(S1));
        assert_eq!((table.due(), table.is_due("acme/alice")), (0, false));
        assert!(table.leave_to_background(&alice(), S1));
        assert_eq!((table.due(), table.is_due("acme/alice")), (1, true));
        let due = table.list_due(|key| *key == alice());
        assert_eq!((due.len(), due[0].session(), due[0].fence), (1, S1, 0));
        assert_eq!(table.list_due(|_| false).len(), 0);
        assert_eq!(table.list_confirmed().len(), 0);
        table.take(&alice(), token(S2));
        assert_eq!(table.due(), 0, "the next attach makes it");
        table.leave_to_background(&alice(), S2);
        table.give_up(&alice(), S2, 0);
        assert_eq!(table.due(), 0);
    }

    #[test]
    fn a_table_in_which_nothing_is_due_is_not_searched() {
        let mut table = claimed();
        assert_eq!(table.list_due(|_| true).len(), 0);
        assert_eq!(table.searches.get(), 0);
        table.next_epoch();
        assert_eq!(table.list_due(|_| true).len(), 1);
        assert_eq!(table.searches.get(), 1);
        table.confirm_again(&alice(), S1, table.epoch());
        assert_eq!(table.list_due(|_| true).len(), 0);
        assert_eq!(table.searches.get(), 1, "and not again once the claim stands");
    }

    #[test]
    fn samples_visit_every_standing_claim_in_turn() {
        let mut table = ClaimTable::default();
        table.next_epoch();
        for peer in 0..10 {
            let key = PeerKey::parse(&format!("acme/p{peer}")).unwrap();
            table.take(&key, token(S1));
            table.confirm(&key, S1, 5, table.epoch());
        }
        table.take(&alice(), token(S2));
        let mut from = 0;
        let mut visited = std::collections::BTreeSet::new();
        for _ in 0..3 {
            visited.extend(
                table
                    .sample(&mut from, 4)
                    .into_iter()
                    .map(|claim| claim.key.to_string()),
            );
        }
        assert_eq!(visited.len(), 10, "not alice, whose claim is being made");
        assert!(
            !table.sample(&mut from, 4).is_empty(),
            "and from the beginning again"
        );
    }

    #[test]
    fn a_peer_that_nobody_owns_is_not_due() {
        let table = claimed();
        assert!(!table.is_due("acme/bob"));
    }

    #[test]
    fn a_table_that_empties_gives_its_memory_back() {
        let mut table = ClaimTable::default();
        let keys: Vec<_> = (0..1_000)
            .map(|peer| PeerKey::parse(&format!("acme/p{peer}")).unwrap())
            .collect();
        for key in &keys {
            table.take(key, token(S1));
        }
        let full = table.claims.capacity();
        for key in &keys {
            table.give_up(key, S1, 0);
        }
        assert!(table.claims.capacity() < full / 4, "{}", table.claims.capacity());
    }

    #[test]
    fn an_entry_stays_small() {
        let bytes = size_of::<(PeerKey, Entry)>();
        assert!(bytes <= 64, "{bytes} bytes");
    }
}
