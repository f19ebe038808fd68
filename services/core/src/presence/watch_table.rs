//! Which connection of this node watches which peer, and the last state known of each. A state machine without IO: the
//! node subscribes once for each peer, however many connections watch it.
//!
//! Two sources say what a peer's state is, and they may overtake each other: changes, in the order in which they happened,
//! and the shared record, read when the subscription stands. A change that was received since the question is newer than the
//! answer, or another change follows it.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use switchboard_protocol::{Event, PeerId, PeerKey, PeerPresence, PresenceState};

use crate::{broker::presence::Located, limits::Limits, session::handle::Session};

/// Tables that are emptier than a quarter shrink, but never below this many entries.
const MIN_CAPACITY: usize = 64;

/// How often in a row the record of a peer may be absent that was there before, until the peer counts as offline. Only an
/// outage of the bus hides such a change, and after it other nodes need some seconds to write their claims again.
const MAX_DOUBTS: u8 = 4;

/// All watches of a node. Bounded by `limits.watched_per_peer` and `limits.watched_per_node`.
#[derive(Debug, Default)]
pub(crate) struct WatchTable {
    peers: HashMap<PeerKey, Watched>,
    /// By the number of the attach: a session that is resumed here has two connections for a moment.
    watchers: HashMap<u64, Watcher>,
    watches: usize,
    /// Those of `watchers` that do not know the last state of each peer.
    behind: HashSet<u64>,
    /// Peers whose record could not be read when their subscription stood.
    unread: HashSet<PeerKey>,
}

#[derive(Debug, Default)]
struct Watched {
    watchers: HashSet<u64>,
    known: Option<(u64, PresenceState)>,
    /// A change was received since the record was asked for.
    is_newer: bool,
    /// How often in a row the record was absent although the peer was there before.
    doubts: u8,
}

#[derive(Debug)]
struct Watcher {
    session: Arc<Session>,
    peers: HashSet<PeerKey>,
    /// Its client does not know the last state of these.
    behind: HashSet<PeerKey>,
}

/// A watch that is over a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooMany {
    /// Of its peer.
    OfPeer,
    /// Of the node.
    OfNode,
}

impl WatchTable {
    /// The connection of `session` watches `peers`, all or none. Returns those that the node did not watch before.
    pub(crate) fn watch(
        &mut self,
        session: &Arc<Session>,
        peers: &[PeerKey],
        limits: &Limits,
    ) -> Result<Vec<PeerKey>, TooMany> {
        let number = session.order();
        let own = self.watchers.get(&number).map(|watcher| &watcher.peers);
        let more = peers
            .iter()
            .filter(|peer| own.is_none_or(|own| !own.contains(*peer)));
        let more = more.count();
        let is_over = |count: usize, max: usize| max != 0 && count + more > max;
        if is_over(own.map_or(0, HashSet::len), limits.watched_per_peer) {
            return Err(TooMany::OfPeer);
        }
        if is_over(self.watches, limits.watched_per_node) {
            return Err(TooMany::OfNode);
        }
        self.watches += more;
        let watcher = self.watchers.entry(number).or_insert_with(|| Watcher {
            session: Arc::clone(session),
            peers: HashSet::new(),
            behind: HashSet::new(),
        });
        let mut new = Vec::new();
        for peer in peers {
            watcher.peers.insert(peer.clone());
            let watched = self.peers.entry_ref(peer).or_insert_with(|| {
                new.push(peer.clone());
                Watched::default()
            });
            watched.watchers.insert(number);
        }
        Ok(new)
    }

    /// The connection of `session` watches `peers` no more. Returns those that nobody on the node watches now.
    pub(crate) fn unwatch(&mut self, session: &Session, peers: &[PeerKey]) -> Vec<PeerKey> {
        let number = session.order();
        let Some(watcher) = self.watchers.get_mut(&number) else {
            return Vec::new();
        };
        let ended = peers.iter().filter(|peer| {
            watcher.behind.remove(*peer);
            watcher.peers.remove(*peer)
        });
        let ended: Vec<_> = ended.collect();
        if watcher.peers.is_empty() {
            self.watchers.remove(&number);
        }
        self.end(number, ended)
    }

    /// The connection of `session` is gone. Returns the peers that nobody on the node watches now.
    pub(crate) fn forget(&mut self, session: &Session) -> Vec<PeerKey> {
        let number = session.order();
        match self.watchers.remove(&number) {
            None => Vec::new(),
            Some(watcher) => self.end(number, watcher.peers.iter().collect()),
        }
    }

    fn end(&mut self, number: u64, peers: Vec<&PeerKey>) -> Vec<PeerKey> {
        let mut unwatched = Vec::new();
        self.watches -= peers.len();
        for peer in peers {
            let Some(watched) = self.peers.get_mut(peer) else {
                continue;
            };
            watched.watchers.remove(&number);
            if watched.watchers.is_empty() {
                self.peers.remove(peer);
                self.unread.remove(peer);
                unwatched.push(peer.clone());
            }
        }
        if self.peers.capacity() > MIN_CAPACITY && self.peers.len() < self.peers.capacity() / 4 {
            self.peers.shrink_to(self.peers.len() * 2);
            self.watchers.shrink_to(self.watchers.len() * 2);
        }
        unwatched
    }

    /// The record of `peer` is about to be read. False if nobody watches it.
    pub(crate) fn begin_read(&mut self, peer: &str) -> bool {
        let watched = self.peers.get_mut(peer);
        watched.is_some_and(|watched| {
            watched.is_newer = false;
            true
        })
    }

    /// The record of `peer` was read. Returns how many clients were informed.
    pub(crate) fn on_read(&mut self, peer: &PeerKey, located: &Located, limits: &Limits) -> usize {
        self.unread.remove(peer);
        match self.peers.get_mut(peer) {
            Some(watched) if !watched.is_newer => {
                let state = located.presence.state();
                let was_there = watched
                    .known
                    .is_some_and(|(_, known)| known != PresenceState::Offline);
                if state == PresenceState::Offline && was_there && watched.doubts < MAX_DOUBTS {
                    watched.doubts += 1;
                    self.unread.insert(peer.clone());
                    return 0;
                }
                watched.doubts = 0;
                // An absent record has no fence; the last one known stays.
                let fence = match watched.known {
                    Some((fence, _)) => fence.max(located.fence),
                    None => located.fence,
                };
                self.note(peer.as_str(), fence, state, limits)
            }
            Some(_) | None => 0,
        }
    }

    /// The record of `peer` could not be read: it will be asked for again. False if nobody watches it.
    pub(crate) fn on_unread(&mut self, peer: &PeerKey) -> bool {
        let is_watched = self.peers.contains_key(peer);
        if is_watched {
            self.unread.insert(peer.clone());
        }
        is_watched
    }

    /// A change of `peer` was received. Returns how many clients were informed.
    pub(crate) fn on_change(
        &mut self,
        peer: &str,
        fence: u64,
        state: PresenceState,
        limits: &Limits,
    ) -> usize {
        let Some(watched) = self.peers.get_mut(peer) else {
            return 0;
        };
        if watched.known.is_some_and(|(known, _)| known > fence) {
            return 0;
        }
        watched.is_newer = true;
        self.note(peer, fence, state, limits)
    }

    /// Tells the watchers of `peer` if its state is another one than they know.
    fn note(&mut self, peer: &str, fence: u64, state: PresenceState, limits: &Limits) -> usize {
        let Some((key, watched)) = self.peers.get_key_value_mut(peer) else {
            return 0;
        };
        let before = watched.known.replace((fence, state));
        // The first state goes to each watcher as the answer to its command, or to those that are behind.
        if before.is_none_or(|(_, before)| before == state) {
            return 0;
        }
        let peer: PeerId = key.peer_id();
        for number in &watched.watchers {
            let Some(watcher) = self.watchers.get_mut(number) else {
                continue;
            };
            if watcher.session.has_room_for_answers(limits) && !watcher.behind.contains(key) {
                let peer = peer.clone();
                let peers = vec![PeerPresence { peer, state }];
                watcher.session.push_event(Event::Presence { id: None, peers });
            } else {
                watcher.behind.insert(key.clone());
                self.behind.insert(*number);
            }
        }
        watched.watchers.len()
    }

    /// The state of `peer` (`tenant/peer`) for an answer to a client: the known one, else `state`. From then on `state`
    /// is the known one, so a later read of another state is a change.
    pub(crate) fn known_or(&mut self, peer: &str, state: PresenceState) -> PresenceState {
        match self.peers.get_mut(peer) {
            Some(watched) => watched.known.get_or_insert((0, state)).1,
            None => state,
        }
    }

    /// The client of `session` did not learn the state of `peers`, some of which it watches.
    pub(crate) fn mark_behind(&mut self, session: &Session, peers: &[PeerKey]) {
        let number = session.order();
        let Some(watcher) = self.watchers.get_mut(&number) else {
            return;
        };
        let watched = peers.iter().filter(|peer| watcher.peers.contains(*peer));
        watcher.behind.extend(watched.cloned());
        if !watcher.behind.is_empty() {
            self.behind.insert(number);
        }
    }

    /// Tells clients that are behind and read again what they missed, the last states only. Returns the peers whose
    /// records are to be read again.
    pub(crate) fn catch_up(&mut self, limits: &Limits) -> Vec<PeerKey> {
        let peers = &self.peers;
        self.behind.retain(|number| {
            let Some(watcher) = self.watchers.get_mut(number) else {
                return false;
            };
            if !watcher.session.has_room_for_answers(limits) {
                return true;
            }
            let mut informed = Vec::new();
            watcher.behind.retain(|peer| {
                let known = peers.get(peer).and_then(|watched| watched.known);
                informed.extend(known.map(|(_, state)| PeerPresence {
                    peer: peer.peer_id(),
                    state,
                }));
                known.is_none()
            });
            if !informed.is_empty() {
                watcher.session.push_event(Event::Presence {
                    id: None,
                    peers: informed,
                });
            }
            let is_behind = !watcher.behind.is_empty();
            if !is_behind {
                watcher.behind = HashSet::new();
            }
            is_behind
        });
        self.unread.drain().collect()
    }

    /// Whether [`WatchTable::catch_up`] has something to do.
    pub(crate) fn has_work(&self) -> bool {
        !self.behind.is_empty() || !self.unread.is_empty()
    }

    /// Watches of all connections.
    pub(crate) fn watches(&self) -> usize {
        self.watches
    }

    /// Peers that are watched, and connections that watch.
    #[cfg(test)]
    pub(crate) fn len(&self) -> (usize, usize) {
        (self.peers.len(), self.watchers.len())
    }
}
