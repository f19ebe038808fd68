//! The shared records in plain Rust: who holds which peer, what was kept of a detached session, what waits in
//! its mailbox. The reference for every backend; the memory backend and the model of the delivery contract
//! use it as it is, and the contract suite holds Redis' scripts to the same answers.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hashbrown::HashMap;
use switchboard_protocol::{NodeId, PeerKey, ResumeToken, SessionId};

use crate::{
    AcceptedRanges, BrokerError, Claim, ClaimOutcome, PreviousOwner, Retention, SessionSnapshot,
    StoreOutcome, StoredMessage,
};

/// Messages that one offline queue holds.
pub const OFFLINE_QUEUE_MESSAGES: usize = 256;

/// Bytes that one offline queue holds; its first message may be larger.
pub const OFFLINE_QUEUE_BYTES: usize = 1024 * 1024;

/// All records of a cluster. Bounded by the peers attached, and by those detached within their windows.
#[derive(Debug, Default)]
pub struct Records {
    peers: HashMap<PeerKey, Record>,
    last_fence: u64,
}

#[derive(Debug)]
struct Record {
    node: NodeId,
    token: ResumeToken,
    window: Duration,
    fence: u64,
    state: State,
    /// Of each sender: what was done before the detach, then what lies in the mailbox.
    marks: HashMap<SessionId, AcceptedRanges>,
    letters: VecDeque<Bytes>,
    bytes: usize,
    alive: u64,
}

#[derive(Debug)]
enum State {
    Attached,
    Detached {
        saved: Option<SessionSnapshot>,
        until: Instant,
    },
}

/// Who holds a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordOwner {
    /// Its node.
    pub node: NodeId,
    /// Its session.
    pub session: SessionId,
    /// Whether it is attached; else it can be resumed.
    pub is_attached: bool,
    /// Changes whenever the holder says that its client was heard.
    pub alive: u64,
}

impl Records {
    /// Who holds `key` at `now`.
    pub fn holder(&mut self, key: &PeerKey, now: Instant) -> Option<RecordOwner> {
        self.sweep(key, now);
        self.peers.get(key).map(|record| RecordOwner {
            node: record.node.clone(),
            session: record.token.session,
            is_attached: matches!(record.state, State::Attached),
            alive: record.alive,
        })
    }

    /// Claims `key` for `node`.
    ///
    /// # Errors
    /// [`BrokerError::NotResumable`] when the claim wants to go on with a session that is not there.
    pub fn claim(
        &mut self,
        key: &PeerKey,
        node: &NodeId,
        claim: &Claim,
        now: Instant,
    ) -> Result<ClaimOutcome, BrokerError> {
        self.sweep(key, now);
        if claim.resume
            && self
                .peers
                .get(key)
                .is_none_or(|record| record.token != claim.token)
        {
            return Err(BrokerError::NotResumable);
        }
        let old = self.peers.remove(key);
        let fence = old.as_ref().map_or(0, |old| old.fence).max(self.last_fence) + 1;
        self.last_fence = fence;
        let mut record = Record {
            node: node.clone(),
            token: claim.token,
            window: claim.window,
            fence,
            state: State::Attached,
            marks: HashMap::new(),
            letters: VecDeque::new(),
            bytes: 0,
            alive: 0,
        };
        let mut attached = ClaimOutcome {
            fence,
            confirmed: true,
            ..ClaimOutcome::default()
        };
        if let Some(mut old) = old {
            match old.state {
                State::Attached => {
                    attached.previous = Some(PreviousOwner {
                        node: old.node,
                        session: old.token.session,
                    });
                }
                State::Detached { saved, .. } => {
                    attached.saved = saved.map(|saved| SessionSnapshot {
                        marks: done_only(&mut old.marks),
                        ..saved
                    });
                }
            }
            attached.mail = old.letters.iter().cloned().collect();
            (record.letters, record.bytes) = (old.letters, old.bytes);
        }
        self.peers.insert(key.clone(), record);
        Ok(attached)
    }

    /// `session` of `node` lets go of `key`.
    pub fn detach(
        &mut self,
        key: &PeerKey,
        node: &NodeId,
        session: SessionId,
        fence: u64,
        keep: Option<Retention>,
        now: Instant,
    ) {
        let Some(record) = self.peers.get_mut(key) else {
            return;
        };
        let is_theirs = record.is_of(node, session) && (fence == 0 || fence == record.fence);
        match keep {
            _ if !is_theirs => {}
            None => {
                self.peers.remove(key);
                if self.peers.len() < self.peers.capacity() / 4 {
                    self.peers.shrink_to_fit();
                }
            }
            Some(Retention { mut saved, window }) => {
                let marks = saved.as_mut().map(|saved| std::mem::take(&mut saved.marks));
                for (sender, mut marks) in marks.into_iter().flatten() {
                    // What was left in the mailbox meanwhile stays behind them.
                    let last = marks.last();
                    let left = record
                        .marks
                        .get(&sender)
                        .map(|left| left.runs.clone())
                        .unwrap_or_default();
                    marks.runs.extend(left.into_iter().filter(|run| run.0 > last));
                    record.marks.insert(sender, marks);
                }
                let until = now + window;
                record.state = State::Detached { saved, until };
            }
        }
    }

    /// Leaves `letter` in a mailbox.
    pub fn leave(&mut self, letter: &StoredMessage, holder_is_dead: bool, now: Instant) -> StoreOutcome {
        self.sweep(&letter.to, now);
        let Some(record) = self.peers.get_mut(&letter.to) else {
            return StoreOutcome::Offline;
        };
        let kept_for = match &record.state {
            State::Attached if !letter.is_urgent && !holder_is_dead => return StoreOutcome::Attached,
            State::Attached => letter.window,
            State::Detached { until, .. } => until.saturating_duration_since(now),
        };
        let marks = record.marks.entry(letter.mid.session).or_default();
        if marks.has(letter.id) {
            return if letter.id <= marks.done {
                StoreOutcome::Delivered
            } else {
                StoreOutcome::Queued(kept_for)
            };
        }
        if letter.id < marks.last() {
            return StoreOutcome::Late;
        }
        if letter.prev.is_some_and(|prev| prev > marks.last()) {
            return StoreOutcome::Gap;
        }
        let bytes = letter.envelope.len();
        let is_empty = record.letters.is_empty();
        if record.letters.len() >= OFFLINE_QUEUE_MESSAGES
            || (!is_empty && record.bytes + bytes > OFFLINE_QUEUE_BYTES)
        {
            return StoreOutcome::Full;
        }
        // One run a letter, as the scripts write it: nothing is said about ids in between.
        marks.runs.push((letter.id, letter.id));
        record.bytes += bytes;
        record.letters.push_back(Bytes::from(letter.envelope.clone()));
        if holder_is_dead && matches!(record.state, State::Attached) {
            let until = now + kept_for;
            record.state = State::Detached { saved: None, until };
        }
        StoreOutcome::Queued(kept_for)
    }

    /// What lies in the mailbox of a peer that `session` of `node` holds.
    #[must_use]
    pub fn letters(&self, key: &PeerKey, node: &NodeId, session: SessionId) -> Vec<Bytes> {
        let record = self.peers.get(key).filter(|record| record.is_of(node, session));
        record
            .map(|record| record.letters.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// The oldest `letters` of the mailbox have reached `session`.
    pub fn remove_stored(
        &mut self,
        key: &PeerKey,
        node: &NodeId,
        session: SessionId,
        letters: usize,
        bytes: usize,
    ) {
        if let Some(record) = self
            .peers
            .get_mut(key)
            .filter(|record| record.is_of(node, session))
        {
            record.letters.drain(..letters.min(record.letters.len()));
            record.bytes = record.bytes.saturating_sub(bytes);
        }
    }

    /// The client of `session` was heard.
    pub fn touch(&mut self, key: &PeerKey, node: &NodeId, session: SessionId) {
        if let Some(record) = self
            .peers
            .get_mut(key)
            .filter(|record| record.is_of(node, session))
        {
            record.alive += 1;
        }
    }

    /// `node` ends: what it holds can be resumed elsewhere, though nobody can say how far it had got.
    pub fn orphan(&mut self, node: &NodeId, now: Instant) {
        let held = self.peers.values_mut().filter(|record| record.node == *node);
        for record in held.filter(|record| matches!(record.state, State::Attached)) {
            let until = now + record.window;
            record.state = State::Detached { saved: None, until };
        }
    }

    /// Peers attached to `node`.
    #[must_use]
    pub fn attached_to(&self, node: &NodeId) -> usize {
        let records = self.peers.values();
        records
            .filter(|record| record.node == *node && matches!(record.state, State::Attached))
            .count()
    }

    fn sweep(&mut self, key: &PeerKey, now: Instant) {
        if self.peers.get(key).is_some_and(|record| record.is_over(now)) {
            self.peers.remove(key);
        }
    }
}

impl Record {
    fn is_over(&self, now: Instant) -> bool {
        matches!(self.state, State::Detached { until, .. } if until <= now)
    }

    fn is_of(&self, node: &NodeId, session: SessionId) -> bool {
        self.node == *node && self.token.session == session
    }
}

/// What lies in the mailbox comes out of it; among the marks it would look like a repetition.
fn done_only(marks: &mut HashMap<SessionId, AcceptedRanges>) -> Vec<(SessionId, AcceptedRanges)> {
    let marks = marks.drain().map(|(sender, mut marks)| {
        marks.keep_done();
        (sender, marks)
    });
    marks.filter(|(_, marks)| !marks.runs.is_empty()).collect()
}
