//! The records of all peers, and the operations that nodes carry out on them.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hashbrown::HashMap;
use switchboard_protocol::{Info, NodeId, PeerKey, RoomId, SessionId};

use super::{
    held_budgets::HeldBudgets,
    record::{Record, State},
    waiting::Waiting,
};
use crate::{
    broker::{
        claim::{Claim, ClaimOutcome, PreviousOwner, Retention},
        error::BrokerError,
        rooms::RoomMembership,
        stored_message::{StoreOutcome, StoredMessage},
    },
    session::snapshot::SessionSnapshot,
};

/// All records of a cluster. Bounded by the peers that are attached or were detached within their windows.
#[derive(Debug, Default)]
pub struct Records {
    peers: HashMap<PeerKey, Record>,
    last_fence: u64,
    /// The detached sessions by the end of their windows, with their fence; some were resumed or ended since.
    ends: BTreeMap<(Instant, u64), (PeerKey, SessionId)>,
    /// Messages held for peers without a session.
    held: HashMap<PeerKey, Waiting>,
    budgets: HeldBudgets,
}

/// The owner of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordOwner {
    /// Its node.
    pub node: NodeId,
    /// Its session.
    pub session: SessionId,
    /// Whether it is attached; else it can be resumed.
    pub is_attached: bool,
    /// Changes whenever the owner reports a frame of its client.
    pub alive: u64,
    /// The fence of its claim.
    pub fence: u64,
    /// When it claimed the peer.
    pub claimed_at: Instant,
}

impl Records {
    /// The owner of `key` at `now`.
    pub fn owner(&mut self, key: &PeerKey, now: Instant) -> Option<RecordOwner> {
        self.expire(key, now);
        self.peers.get(key).map(|record| RecordOwner {
            node: record.node.clone(),
            session: record.token.session,
            is_attached: record.is_attached(),
            alive: record.alive,
            fence: record.fence,
            claimed_at: record.claimed_at,
        })
    }

    /// Claims `key` for `node`.
    ///
    /// # Errors
    /// [`BrokerError::NotResumable`] when the claim wants to resume a session that is not there.
    pub fn claim(
        &mut self,
        key: &PeerKey,
        node: &NodeId,
        claim: &Claim,
        now: Instant,
    ) -> Result<ClaimOutcome, BrokerError> {
        self.expire(key, now);
        let has_token = |record: &Record| record.token == claim.token;
        if claim.resume && !self.peers.get(key).is_some_and(has_token) {
            return Err(BrokerError::NotResumable);
        }
        let old = self.peers.remove(key);
        old.iter().for_each(|old| self.forget_end(old));
        let fence = old.as_ref().map_or(0, |old| old.fence).max(self.last_fence) + 1;
        self.last_fence = fence;
        let mut record = Record {
            node: node.clone(),
            token: claim.token,
            window: claim.window,
            fence,
            claimed_at: now,
            state: State::Attached,
            waiting: None,
            rooms: None,
            alive: 0,
        };
        let mut outcome = ClaimOutcome {
            fence,
            confirmed: true,
            ..ClaimOutcome::default()
        };
        let waiting = match old {
            None => self.held.remove(key),
            Some(mut old) => {
                let waiting = old.waiting.as_mut();
                let accepted = waiting.map(|waiting| waiting.take_done()).unwrap_or_default();
                outcome.rooms = old.memberships();
                if claim.resume {
                    record.rooms = old.rooms.take();
                }
                match old.state {
                    State::Attached => {
                        outcome.previous = Some(PreviousOwner {
                            node: old.node,
                            session: old.token.session,
                        });
                    }
                    State::Detached { snapshot, .. } => {
                        outcome.snapshot = snapshot.map(|snapshot| SessionSnapshot {
                            accepted,
                            ..*snapshot
                        });
                    }
                }
                old.waiting.map(|waiting| *waiting)
            }
        };
        if let Some(Waiting {
            mut offline_queue, ..
        }) = waiting
        {
            outcome.offline_queue = offline_queue.read(now);
            if !outcome.offline_queue.is_empty() {
                offline_queue.claimed(now + claim.window * 2);
                record.waiting = Some(Box::new(Waiting::of(offline_queue)));
            }
        }
        self.peers.insert(key.clone(), record);
        Ok(outcome)
    }

    /// `session` of `node` releases `key`, if it owns it with that `fence` (0: any).
    pub fn detach(
        &mut self,
        key: &PeerKey,
        node: &NodeId,
        session: SessionId,
        fence: u64,
        retention: Option<Retention>,
        now: Instant,
    ) {
        let Some(record) = self.owned(key, node, session) else {
            return;
        };
        if fence != 0 && fence != record.fence {
            return;
        }
        match retention {
            Some(retention) => {
                record.detach(retention, now);
                self.note_end(key);
            }
            None => drop(self.remove(key)),
        }
    }

    /// Ends `session` of `key` if it is detached; nothing stays. Returns its rooms.
    pub fn end_detached(&mut self, key: &PeerKey, session: SessionId) -> Option<Vec<RoomMembership>> {
        self.of_session(key, session)
            .filter(|record| !record.is_attached())?;
        self.remove(key).map(|record| record.memberships())
    }

    fn remove(&mut self, key: &PeerKey) -> Option<Record> {
        let ended = self.peers.remove(key);
        ended.iter().for_each(|ended| self.forget_end(ended));
        if self.peers.len() < self.peers.capacity() / 4 {
            self.peers.shrink_to_fit();
        }
        ended
    }

    /// Puts `message` into an offline queue.
    pub fn store(&mut self, message: &StoredMessage, owner_is_dead: bool, now: Instant) -> StoreOutcome {
        self.expire(&message.to, now);
        let Some(record) = self.peers.get_mut(&message.to) else {
            return self.store_held(message, now);
        };
        let was_attached = record.is_attached();
        let outcome = record.store(message, owner_is_dead, &mut self.budgets, now);
        if was_attached && !record.is_attached() {
            self.note_end(&message.to);
        }
        outcome
    }

    /// The receiver has no session.
    fn store_held(&mut self, message: &StoredMessage, now: Instant) -> StoreOutcome {
        if message.hold.is_none() {
            return StoreOutcome::Offline;
        }
        let held = self.held.entry_ref(&message.to).or_default();
        held.store(message, Duration::ZERO, &mut self.budgets, now)
    }

    /// The offline queue of a peer that `session` of `node` owns.
    pub fn offline_queue(
        &mut self,
        key: &PeerKey,
        node: &NodeId,
        session: SessionId,
        now: Instant,
    ) -> Vec<Bytes> {
        let record = self.owned(key, node, session);
        let waiting = record.and_then(|record| record.waiting.as_mut());
        waiting
            .map(|waiting| waiting.offline_queue.read(now))
            .unwrap_or_default()
    }

    /// Removes the oldest `messages` of the offline queue, `bytes` in all: they have reached `session`.
    pub fn remove_stored(
        &mut self,
        key: &PeerKey,
        node: &NodeId,
        session: SessionId,
        messages: usize,
        bytes: usize,
    ) {
        let record = self.owned(key, node, session);
        if let Some(waiting) = record.and_then(|record| record.waiting.as_mut()) {
            waiting.offline_queue.remove_oldest(messages, bytes);
        }
    }

    /// `session` is in a room.
    pub fn enter_room(&mut self, key: &PeerKey, session: SessionId, room: RoomId, info: Option<Info>) {
        if let Some(record) = self.of_session(key, session) {
            record.rooms.get_or_insert_default().insert(room, info);
        }
    }

    /// `session` is no more in a room.
    pub fn leave_room(&mut self, key: &PeerKey, session: SessionId, room: &RoomId) {
        let Some(record) = self.of_session(key, session) else {
            return;
        };
        if let Some(rooms) = &mut record.rooms {
            rooms.remove(room);
            if rooms.is_empty() {
                record.rooms = None;
            }
        }
    }

    /// The rooms of the session of `key`.
    pub fn rooms_of(&mut self, key: &PeerKey, now: Instant) -> Vec<RoomId> {
        self.expire(key, now);
        let record = self.peers.get(key);
        let rooms = record.map(Record::memberships).unwrap_or_default();
        rooms.into_iter().map(|membership| membership.room).collect()
    }

    /// The client of `session` is alive.
    pub fn touch(&mut self, key: &PeerKey, node: &NodeId, session: SessionId) {
        if let Some(record) = self.owned(key, node, session) {
            record.alive += 1;
        }
    }

    /// `node` ends: its sessions can be resumed elsewhere, though nobody can say how far they had got.
    /// Returns their peers.
    pub fn orphan(&mut self, node: &NodeId, now: Instant) -> Vec<PeerKey> {
        let own = self.peers.iter_mut().filter(|(_, record)| record.node == *node);
        let mut orphans = Vec::new();
        for (key, record) in own.filter(|(_, record)| record.is_attached()) {
            record.orphan(record.window, now);
            orphans.push(key.clone());
        }
        orphans.iter().for_each(|key| self.note_end(key));
        orphans
    }

    /// The sessions whose resume windows are over at `now`, each once.
    pub fn take_ended(&mut self, now: Instant) -> Vec<(PeerKey, SessionId)> {
        let mut ended = Vec::new();
        while let Some(first) = self.ends.first_entry().filter(|first| first.key().0 <= now) {
            let (key, session) = first.remove();
            self.expire(&key, now);
            // A later claim, or the same one that was resumed or detached again.
            if !self.peers.contains_key(&key) {
                ended.push((key, session));
            }
        }
        self.held.retain(|_, held| held.offline_queue.lasts(now));
        ended
    }

    /// A fence that no claim before this moment is above.
    #[must_use]
    pub fn last_fence(&self) -> u64 {
        self.last_fence
    }

    /// The session was resumed, replaced or ended.
    fn forget_end(&mut self, record: &Record) {
        if let State::Detached { until, .. } = record.state {
            self.ends.remove(&(until, record.fence));
        }
    }

    fn note_end(&mut self, key: &PeerKey) {
        let Some(record) = self.peers.get(key) else { return };
        if let State::Detached { until, .. } = record.state {
            let session = record.token.session;
            self.ends.insert((until, record.fence), (key.clone(), session));
        }
    }

    /// Peers attached to `node`.
    #[must_use]
    pub fn attached_to(&self, node: &NodeId) -> usize {
        let records = self.peers.values();
        records
            .filter(|record| record.node == *node && record.is_attached())
            .count()
    }

    fn owned(&mut self, key: &PeerKey, node: &NodeId, session: SessionId) -> Option<&mut Record> {
        let record = self.peers.get_mut(key)?;
        record.is_owned_by(node, session).then_some(record)
    }

    fn of_session(&mut self, key: &PeerKey, session: SessionId) -> Option<&mut Record> {
        let record = self.peers.get_mut(key)?;
        (record.token.session == session).then_some(record)
    }

    fn expire(&mut self, key: &PeerKey, now: Instant) {
        if self.peers.get(key).is_some_and(|record| record.is_expired(now))
            && let Some(record) = self.peers.remove(key)
            && let Some(waiting) = record.waiting
        {
            self.held.insert(key.clone(), *waiting);
        }
        if self
            .held
            .get(key)
            .is_some_and(|held| !held.offline_queue.lasts(now))
        {
            self.held.remove(key);
        }
    }
}
