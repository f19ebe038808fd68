//! Who is attached to this node, by address and by session. Sharded, so connects and lookups of different peers
//! do not wait for each other. The shards shrink when many peers have left. Not the shared record of the cluster
//! (`broker`).

use std::{
    hash::{BuildHasher, Hash},
    sync::Arc,
};

use hashbrown::{DefaultHashBuilder, HashMap};
use parking_lot::{Mutex, RwLock};
use switchboard_protocol::{PeerKey, SessionId};

use super::handle::Session;
use crate::send::sender::Sender;

/// Enough that two cores seldom want the same one, few enough that an empty node is small. A power of two.
pub(crate) const SHARDS: usize = 64;

/// A shard that is emptier than a quarter shrinks, but never below this many entries.
pub(crate) const MIN_SHARD_CAPACITY: usize = 16;

type Shard<K> = Mutex<HashMap<K, Arc<Session>>>;

/// A newer session of the same peer is attached already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Superseded;

#[derive(Debug)]
pub(crate) struct Registry {
    by_key: Box<[Shard<PeerKey>]>,
    by_session: Box<[Shard<SessionId>]>,
    /// Senders without a connection; a handful at most.
    others: RwLock<HashMap<SessionId, Arc<dyn Sender>>>,
    hasher: DefaultHashBuilder,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self {
            by_key: shards(),
            by_session: shards(),
            others: RwLock::default(),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// Enters `session`; returns the older one that had the same address.
    ///
    /// # Errors
    /// [`Superseded`] when a newer one has the address: two attaches of one peer overtook each other.
    pub(crate) fn insert(&self, session: &Arc<Session>) -> Result<Option<Arc<Session>>, Superseded> {
        let key = session.key();
        let mut keys = self.shard(&self.by_key, key.as_str()).lock();
        if keys.get(key).is_some_and(|other| other.is_newer_than(session)) {
            return Err(Superseded);
        }
        let id = session.id();
        self.shard(&self.by_session, &id)
            .lock()
            .insert(id, Arc::clone(session));
        Ok(keys.insert(key.clone(), Arc::clone(session)))
    }

    /// Removes `session`'s address, unless another session has it by now; returns whether it did. The session is
    /// still found by its id, so its last sends get their acknowledgements, until [`Registry::forget`].
    pub(crate) fn remove(&self, session: &Session) -> bool {
        let mut keys = self.shard(&self.by_key, session.key().as_str()).lock();
        let is_current = keys
            .get(session.key())
            .is_some_and(|current| is_same(&**current, session));
        if is_current {
            keys.remove(session.key());
            shrink(&mut keys);
        }
        is_current
    }

    /// Removes `sender`'s session, unless a newer connection continues it.
    pub(crate) fn forget(&self, sender: &dyn Sender) {
        let id = sender.id();
        let mut sessions = self.shard(&self.by_session, &id).lock();
        if sessions
            .get(&id)
            .is_some_and(|current| is_same(&**current, sender))
        {
            sessions.remove(&id);
            shrink(&mut sessions);
        }
    }

    /// The session attached at `tenant/peer`.
    pub(crate) fn attached(&self, key: &str) -> Option<Arc<Session>> {
        self.shard(&self.by_key, key).lock().get(key).cloned()
    }

    /// The session attached at `key`, if it is that one.
    pub(crate) fn attached_session(&self, key: &PeerKey, id: SessionId) -> Option<Arc<Session>> {
        self.attached(key.as_str()).filter(|session| session.id() == id)
    }

    /// The session with that id, attached or with its last sends under way.
    pub(crate) fn session(&self, id: SessionId) -> Option<Arc<Session>> {
        self.shard(&self.by_session, &id).lock().get(&id).cloned()
    }

    /// The sender with that id: a session, or one without a connection.
    pub(crate) fn sender(&self, id: SessionId) -> Option<Arc<dyn Sender>> {
        match self.session(id) {
            Some(session) => Some(session),
            None => self.others.read().get(&id).cloned(),
        }
    }

    /// Enters a sender without a connection.
    pub(crate) fn add_sender(&self, sender: Arc<dyn Sender>) {
        self.others.write().insert(sender.id(), sender);
    }

    /// Removes a sender without a connection: it hears no more outcomes.
    pub(crate) fn remove_sender(&self, id: SessionId) {
        self.others.write().remove(&id);
    }

    /// All sessions attached at this moment, and those whose last sends are under way.
    pub(crate) fn known(&self) -> Vec<Arc<Session>> {
        let mut known = Vec::new();
        for shard in &self.by_session {
            known.extend(shard.lock().values().cloned());
        }
        known
    }

    /// All sessions attached at this moment.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.select(|_| true)
    }

    /// Sessions attached at this moment that `is_selected`. It is called under a lock, so it must be quick.
    pub(crate) fn select(&self, is_selected: impl Fn(&Session) -> bool) -> Vec<Arc<Session>> {
        let mut selected = Vec::new();
        for shard in &self.by_key {
            let shard = shard.lock();
            selected.extend(shard.values().filter(|session| is_selected(session)).cloned());
        }
        selected
    }

    /// Entries for which the address table has room.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.by_key.iter().map(|shard| shard.lock().capacity()).sum()
    }

    fn shard<'a, K, Q: Hash + ?Sized>(&self, shards: &'a [Shard<K>], key: &Q) -> &'a Shard<K> {
        // The high half, because the maps inside use the low bits of a similar hash.
        let hash = (self.hasher.hash_one(key) >> 32) as usize;
        &shards[hash % SHARDS]
    }
}

/// Whether both are the same object: one session may have several, one for each of its connections.
fn is_same(one: &dyn Sender, other: &dyn Sender) -> bool {
    std::ptr::addr_eq(one, other)
}

fn shards<K>() -> Box<[Shard<K>]> {
    (0..SHARDS).map(|_| Shard::default()).collect()
}

/// Gives memory back when a table is nearly empty.
pub(crate) fn shrink<K: Eq + Hash>(shard: &mut HashMap<K, Arc<Session>>) {
    if shard.capacity() > MIN_SHARD_CAPACITY && shard.len() * 4 < shard.capacity() {
        shard.shrink_to((shard.len() * 2).max(MIN_SHARD_CAPACITY));
    }
}
