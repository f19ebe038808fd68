//! Who is attached to this node, by address and by session. Sharded, so that connects and lookups on
//! different peers do not meet; the shards shrink again after a crowd has left. Not the shared record of
//! the cluster (`broker`).

use std::{
    hash::{BuildHasher, Hash},
    sync::Arc,
};

use hashbrown::{DefaultHashBuilder, HashMap};
use parking_lot::Mutex;
use switchboard_protocol::{PeerKey, SessionId};

use crate::Session;

/// Enough that two cores seldom meet, few enough that an empty node is small. A power of two.
const SHARDS: usize = 64;

/// A shard that is emptier than a quarter gives its room back, but never below this many entries.
const SMALLEST_SHARD: usize = 16;

type Shard<K> = Mutex<HashMap<K, Arc<Session>>>;

/// A newer session of the same peer is attached already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Superseded;

#[derive(Debug)]
pub(crate) struct Registry {
    by_key: Box<[Shard<PeerKey>]>,
    by_session: Box<[Shard<SessionId>]>,
    hasher: DefaultHashBuilder,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self {
            by_key: shards(),
            by_session: shards(),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// Enters `peer`; returns the older one that stood under the same address.
    ///
    /// # Errors
    /// [`Superseded`] when a newer one stands there: two attaches of one peer overtook each other.
    pub(crate) fn insert(&self, peer: &Arc<Session>) -> Result<Option<Arc<Session>>, Superseded> {
        let key = peer.key();
        let mut keys = self.shard(&self.by_key, key.as_str()).lock();
        if keys.get(key).is_some_and(|held| held.is_newer_than(peer)) {
            return Err(Superseded);
        }
        let session = peer.session();
        self.shard(&self.by_session, &session)
            .lock()
            .insert(session, Arc::clone(peer));
        Ok(keys.insert(key.clone(), Arc::clone(peer)))
    }

    /// Removes `peer`'s address, if nobody else has taken it since. Its session is still found, so that its
    /// last sends get their acknowledgements, until [`Registry::forget`].
    pub(crate) fn leave(&self, peer: &Session) -> bool {
        let mut keys = self.shard(&self.by_key, peer.key().as_str()).lock();
        let is_current = keys.get(peer.key()).is_some_and(|held| held.is(peer));
        if is_current {
            keys.remove(peer.key());
            shrink(&mut keys);
        }
        is_current
    }

    /// Removes `peer`'s session, unless a newer connection goes on with it.
    pub(crate) fn forget(&self, peer: &Session) {
        let session = peer.session();
        let mut sessions = self.shard(&self.by_session, &session).lock();
        if sessions.get(&session).is_some_and(|held| held.is(peer)) {
            sessions.remove(&session);
            shrink(&mut sessions);
        }
    }

    /// The peer at `tenant/peer`.
    pub(crate) fn peer(&self, key: &str) -> Option<Arc<Session>> {
        self.shard(&self.by_key, key).lock().get(key).cloned()
    }

    /// The peer of that session.
    pub(crate) fn session(&self, session: SessionId) -> Option<Arc<Session>> {
        self.shard(&self.by_session, &session)
            .lock()
            .get(&session)
            .cloned()
    }

    /// Everybody attached at this moment.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.select(|_| true)
    }

    /// Those attached at this moment whom `is_meant` fits. It is asked under a lock, so it must be quick.
    pub(crate) fn select(&self, is_meant: impl Fn(&Session) -> bool) -> Vec<Arc<Session>> {
        let mut selected = Vec::new();
        for shard in &self.by_key {
            let shard = shard.lock();
            selected.extend(shard.values().filter(|peer| is_meant(peer)).cloned());
        }
        selected
    }

    fn shard<'a, K, Q: Hash + ?Sized>(&self, shards: &'a [Shard<K>], key: &Q) -> &'a Shard<K> {
        // The high half, because the maps inside use the low bits of a similar hash.
        let hash = (self.hasher.hash_one(key) >> 32) as usize;
        &shards[hash % SHARDS]
    }
}

fn shards<K>() -> Box<[Shard<K>]> {
    (0..SHARDS).map(|_| Shard::default()).collect()
}

fn shrink<K: Eq + Hash>(shard: &mut HashMap<K, Arc<Session>>) {
    if shard.capacity() > SMALLEST_SHARD && shard.len() * 4 < shard.capacity() {
        shard.shrink_to((shard.len() * 2).max(SMALLEST_SHARD));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(name: &str, order: u32) -> Arc<Session> {
        let mut session = [0; 12];
        session[..4].copy_from_slice(&order.to_be_bytes());
        let key = PeerKey::parse(&format!("default/{name}")).unwrap();
        Session::new(key, SessionId::from_bytes(session), u64::from(order), 0, 1)
    }

    fn leave(registry: &Registry, peer: &Session) {
        registry.leave(peer);
        registry.forget(peer);
    }

    fn replaced(registry: &Registry, peer: &Arc<Session>) -> Option<SessionId> {
        registry.insert(peer).unwrap().map(|held| held.session())
    }

    #[test]
    fn an_old_session_that_leaves_late_does_not_take_its_successor_with_it() {
        let registry = Registry::new();
        let (old, new) = (peer("bob", 1), peer("bob", 2));
        assert_eq!(replaced(&registry, &old), None);
        assert_eq!(replaced(&registry, &new), Some(old.session()));
        leave(&registry, &old);
        assert_eq!(
            registry.peer("default/bob").map(|held| held.session()),
            Some(new.session())
        );
        leave(&registry, &new);
        assert!(registry.peer("default/bob").is_none());
        assert!(registry.session(new.session()).is_none());
    }

    #[test]
    fn an_attach_that_was_overtaken_by_a_newer_one_is_refused() {
        let registry = Registry::new();
        let (slow, quick) = (peer("bob", 1), peer("bob", 2));
        assert_eq!(replaced(&registry, &quick), None);
        assert_eq!(registry.insert(&slow).err(), Some(Superseded));
        leave(&registry, &slow);
        assert_eq!(
            registry.peer("default/bob").map(|held| held.session()),
            Some(quick.session())
        );
    }

    #[test]
    fn the_room_of_a_crowd_is_given_back_when_it_has_left() {
        let registry = Registry::new();
        let crowd: Vec<_> = (0..20_000)
            .map(|order| peer(&format!("peer-{order}"), order))
            .collect();
        crowd
            .iter()
            .for_each(|peer| assert_eq!(replaced(&registry, peer), None));
        crowd.iter().for_each(|peer| leave(&registry, peer));
        let room: usize = registry.by_key.iter().map(|shard| shard.lock().capacity()).sum();
        assert!(room <= SHARDS * SMALLEST_SHARD * 2, "still room for {room}");
    }
}
