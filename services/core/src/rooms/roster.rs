//! The node's copy of one room's roster. Changes are applied in the order of their versions; one that comes too early
//! waits for those before it. Not who hears of a change (`fan_out`).

use std::collections::BTreeMap;

use hashbrown::HashMap;
use switchboard_protocol::{Info, LeaveReason, Member, MemberState, PeerId, SessionId};

use crate::broker::rooms::{RoomChange, RoomDelta, RoomMember, Roster};

/// Changes that wait for an earlier one, at most. With more the copy is read anew.
const MAX_AHEAD: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct RosterCopy {
    version: u64,
    is_known: bool,
    /// Changes were missed, and waiting does not bring them.
    is_outdated: bool,
    members: HashMap<PeerId, Entry>,
    /// By version: changes whose predecessor has not come.
    ahead: BTreeMap<u64, RoomDelta>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) session: SessionId,
    info: Option<Info>,
    state: MemberState,
    /// The id of its newest message to the room that this node delivered.
    pub(super) last_id: u64,
}

/// What the members of a room hear of a change.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// A peer joined, or shows something else of itself.
    Joined {
        version: u64,
        peer: PeerId,
        session: SessionId,
        info: Option<Info>,
    },
    /// A peer left.
    Left {
        version: u64,
        peer: PeerId,
        session: SessionId,
        reason: LeaveReason,
    },
}

impl RosterCopy {
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn is_known(&self) -> bool {
        self.is_known
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether `peer` is in the room with this session.
    pub(super) fn has(&self, peer: &str, session: SessionId) -> bool {
        self.members
            .get(peer)
            .is_some_and(|entry| entry.session == session)
    }

    pub(super) fn get_mut(&mut self, peer: &str) -> Option<&mut Entry> {
        self.members.get_mut(peer)
    }

    /// The members as clients see them, in no order.
    pub(super) fn members(&self) -> Vec<Member> {
        let members = self.members.iter().map(|(peer, entry)| Member {
            peer: peer.clone(),
            info: entry.info.clone(),
            state: entry.state,
        });
        members.collect()
    }

    /// Whether a change is missing.
    pub(super) fn has_gap(&self) -> bool {
        self.is_outdated || self.is_known && !self.ahead.is_empty()
    }

    /// Changes may have been missed: the copy must be read anew.
    pub(super) fn mark_outdated(&mut self) {
        self.is_outdated = true;
    }

    /// Applies a change, and those that waited for it.
    pub(super) fn apply(&mut self, delta: RoomDelta) -> Vec<News> {
        if delta.version <= self.version {
            return Vec::new();
        }
        if self.ahead.len() >= MAX_AHEAD {
            self.ahead.clear();
            self.is_outdated = true;
        }
        self.ahead.insert(delta.version, delta);
        self.catch_up()
    }

    /// Replaces the copy by what the broker has read, unless that is older.
    pub(super) fn install(&mut self, roster: Roster) -> Vec<News> {
        if !self.is_known || roster.version >= self.version {
            let mut earlier = std::mem::take(&mut self.members);
            self.members.reserve(roster.members.len());
            for member in roster.members {
                let last_id = earlier
                    .remove(&member.peer)
                    .filter(|entry| entry.session == member.session)
                    .map_or(0, |entry| entry.last_id);
                self.members
                    .insert(member.peer.clone(), Entry::new(member, last_id));
            }
            self.version = roster.version;
            self.is_known = true;
            self.is_outdated = false;
        }
        self.catch_up()
    }

    fn catch_up(&mut self) -> Vec<News> {
        let mut news = Vec::new();
        while self.is_known
            && let Some(next) = self.ahead.first_entry()
        {
            if next.get().version > self.version && next.get().previous != self.version {
                break;
            }
            let delta = next.remove();
            if delta.version > self.version {
                self.version = delta.version;
                self.change(delta.version, delta.change, &mut news);
            }
        }
        news
    }

    fn change(&mut self, version: u64, change: RoomChange, news: &mut Vec<News>) {
        match change {
            RoomChange::Entered(member) => {
                let (peer, session, info) = (member.peer.clone(), member.session, member.info.clone());
                let earlier = self.members.get(&peer);
                let last_id = earlier
                    .filter(|entry| entry.session == session)
                    .map_or(0, |entry| entry.last_id);
                let earlier = self.members.insert(peer.clone(), Entry::new(member, last_id));
                if let Some(earlier) = &earlier {
                    if earlier.session == session && earlier.info == info {
                        // It moved to another node, or lost or found its connection.
                        return;
                    }
                    if earlier.session != session {
                        news.push(News::Left {
                            version,
                            peer: peer.clone(),
                            session: earlier.session,
                            reason: LeaveReason::Left,
                        });
                    }
                }
                news.push(News::Joined {
                    version,
                    peer,
                    session,
                    info,
                });
            }
            RoomChange::Left {
                peer,
                session,
                reason,
            } => {
                if self.members.remove(&peer).is_some() {
                    news.push(News::Left {
                        version,
                        peer,
                        session,
                        reason,
                    });
                }
                if self.members.len() * 4 < self.members.capacity() {
                    self.members.shrink_to(self.members.len() * 2);
                }
            }
        }
    }
}

impl Entry {
    fn new(member: RoomMember, last_id: u64) -> Self {
        Self {
            session: member.session,
            info: member.info,
            state: member.state,
            last_id,
        }
    }
}
