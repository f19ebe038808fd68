//! Members of this node's rooms that lost their connection here, until their resume windows end. Plain state: `tick`
//! takes out those whose window is over. The broker knows the ends of sessions too, but only as long as it keeps their
//! records. After a loss of its data this node writes its members again, so this node has to end them (ADR 38).

use std::{cmp::Reverse, collections::BinaryHeap, sync::Weak, time::Instant};

use hashbrown::HashMap;
use parking_lot::Mutex;
use switchboard_protocol::{LeaveReason, PeerKey, RoomKey, SessionId};

use super::room::Room;

/// Bounded by the sessions that were detached within one resume window.
#[derive(Debug, Default)]
pub(super) struct DetachedMembers(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    sessions: HashMap<SessionId, Detached>,
    /// When to look at which session; one that was resumed stays here until its time.
    ends: BinaryHeap<Reverse<(Instant, SessionId)>>,
}

/// A session that was detached here.
#[derive(Debug)]
pub(super) struct Detached {
    pub(super) peer: PeerKey,
    pub(super) until: Instant,
    /// What the other members hear if it does not return.
    pub(super) reason: LeaveReason,
    pub(super) rooms: Vec<DetachedRoom>,
    /// Messages of rooms waited for its socket and are lost.
    pub(super) has_missed: bool,
}

/// One room of it.
#[derive(Debug)]
pub(super) struct DetachedRoom {
    pub(super) key: RoomKey,
    /// The room, and how many messages it had received: if both are the same when the session returns, it missed none.
    pub(super) received: (Weak<Room>, u64),
    /// It had missed a message before, and does not know it.
    pub(super) has_missed: bool,
}

impl DetachedMembers {
    pub(super) fn insert(&self, session: SessionId, detached: Detached) {
        let mut state = self.0.lock();
        state.ends.push(Reverse((detached.until, session)));
        state.sessions.insert(session, detached);
    }

    /// The session is back, or ended.
    pub(super) fn remove(&self, session: SessionId) -> Option<Detached> {
        self.0.lock().sessions.remove(&session)
    }

    /// Takes out a session whose window is over at `now`.
    pub(super) fn take_over(&self, now: Instant) -> Option<(SessionId, Detached)> {
        let mut state = self.0.lock();
        while let Some(Reverse((at, session))) = state.ends.peek().copied() {
            if at > now {
                return None;
            }
            state.ends.pop();
            let is_over = |detached: &Detached| detached.until <= now;
            if state.sessions.get(&session).is_some_and(is_over) {
                let detached = state.sessions.remove(&session);
                return detached.map(|detached| (session, detached));
            }
        }
        state.ends.shrink_to(0);
        state.sessions.shrink_to_fit();
        None
    }
}
