//! The rooms of a cluster and the operations that nodes carry out on them. Every operation that changes a room
//! returns the change for all nodes of the room.

use std::{collections::BTreeMap, ops::Bound};

use hashbrown::HashMap;
use switchboard_protocol::{LeaveReason, MemberState, NodeId, PeerId, RoomId, RoomKey, SessionId};

use crate::broker::{
    BrokerError,
    rooms::{
        JoinError, RoomChange, RoomDelta, RoomEntry, RoomJoin, RoomJoined, RoomLeave, RoomLeft, RoomMember,
        RoomPage, RoomQuery, Roster,
    },
};

/// All rooms of a cluster. Bounded by the rooms of the sessions that are attached or were detached within their
/// windows.
#[derive(Debug, Default)]
pub struct RoomRecords {
    rooms: BTreeMap<RoomKey, RoomRecord>,
    rooms_of_tenant: HashMap<String, usize>,
    last_version: u64,
}

#[derive(Debug, Default)]
struct RoomRecord {
    version: u64,
    members: HashMap<PeerId, Entry>,
}

#[derive(Debug)]
struct Entry {
    node: NodeId,
    member: RoomMember,
}

impl RoomRecord {
    fn roster(&self) -> Roster {
        Roster {
            version: self.version,
            members: self.members.values().map(|entry| entry.member.clone()).collect(),
        }
    }
}

impl RoomRecords {
    /// Enters a member for `node`.
    ///
    /// # Errors
    /// [`JoinError::Full`] or [`JoinError::TooManyRooms`]; a member never finds its own room full.
    pub fn join(
        &mut self,
        join: &RoomJoin,
        node: &NodeId,
    ) -> Result<(RoomJoined, Option<RoomDelta>), JoinError> {
        let RoomJoin { room, member, .. } = join;
        let is_first = !self.rooms.contains_key(room);
        if is_first {
            let rooms = self.rooms_of_tenant.entry_ref(room.tenant()).or_default();
            if join.max_rooms > 0 && *rooms >= join.max_rooms {
                return Err(JoinError::TooManyRooms);
            }
            *rooms += 1;
        }
        let record = self.rooms.entry(room.clone()).or_default();
        let earlier = record.members.get(&member.peer);
        let is_new = earlier.is_none();
        if is_new && !is_first && record.members.len() >= join.max_members {
            return Err(JoinError::Full);
        }
        let is_same = earlier.is_some_and(|entry| entry.node == *node && entry.member == *member);
        let previous = record.version;
        let delta = (!is_same).then(|| {
            self.last_version += 1;
            record.version = self.last_version;
            let entry = Entry {
                node: node.clone(),
                member: member.clone(),
            };
            record.members.insert(member.peer.clone(), entry);
            RoomDelta {
                previous,
                version: record.version,
                change: RoomChange::Entered(member.clone()),
            }
        });
        let joined = RoomJoined {
            previous,
            version: record.version,
            is_new,
            is_first,
            roster: join.wants_roster.then(|| record.roster()),
        };
        Ok((joined, delta))
    }

    /// Removes a member for `node`; `None` if there is no such entry.
    pub fn leave(&mut self, leave: &RoomLeave, node: &NodeId) -> Option<(RoomLeft, RoomDelta)> {
        let entry = self.rooms.get(&leave.room)?.members.get(&leave.peer)?;
        let is_own = |session| entry.member.session == session && entry.node == *node;
        let may_go = match leave.entry {
            RoomEntry::Any => true,
            RoomEntry::OfSession(session) => entry.member.session == session,
            RoomEntry::Own(session) => is_own(session),
            RoomEntry::OwnDetached(session) => is_own(session) && entry.member.state == MemberState::Detached,
        };
        may_go.then(|| self.remove(&leave.room, &leave.peer, leave.reason))?
    }

    /// Notes that a member of `node` has no connection.
    pub fn detach(
        &mut self,
        room: &RoomKey,
        peer: &PeerId,
        session: SessionId,
        node: &NodeId,
    ) -> Option<RoomDelta> {
        let record = self.rooms.get_mut(room)?;
        let entry = record.members.get_mut(peer)?;
        let is_own = entry.member.session == session && entry.node == *node;
        if !is_own || entry.member.state == MemberState::Detached {
            return None;
        }
        entry.member.state = MemberState::Detached;
        self.last_version += 1;
        let previous = std::mem::replace(&mut record.version, self.last_version);
        Some(RoomDelta {
            previous,
            version: record.version,
            change: RoomChange::Entered(entry.member.clone()),
        })
    }

    /// `node` is dead: removes its members.
    pub fn remove_node(&mut self, node: &NodeId) -> Vec<(RoomKey, RoomLeft, RoomDelta)> {
        let mut own = Vec::new();
        for (room, record) in &self.rooms {
            let entries = record.members.values().filter(|entry| entry.node == *node);
            own.extend(entries.map(|entry| (room.clone(), entry.member.peer.clone())));
        }
        own.into_iter()
            .filter_map(|(room, peer)| {
                let (left, delta) = self.remove(&room, &peer, LeaveReason::Lost)?;
                Some((room, left, delta))
            })
            .collect()
    }

    /// The members of `room`.
    #[must_use]
    pub fn roster(&self, room: &RoomKey) -> Roster {
        self.rooms.get(room).map(RoomRecord::roster).unwrap_or_default()
    }

    /// Whether `peer` is in `room`.
    #[must_use]
    pub fn has_member(&self, room: &RoomKey, peer: &PeerId) -> bool {
        self.rooms
            .get(room)
            .is_some_and(|record| record.members.contains_key(peer))
    }

    /// Rooms of one tenant, in the order of their names.
    ///
    /// # Errors
    /// [`BrokerError::BadCursor`]
    pub fn page(&self, query: &RoomQuery) -> Result<RoomPage, BrokerError> {
        let beginning = format!("{}/{}", query.tenant, query.prefix);
        let after = query.after.as_deref().map(RoomId::new).transpose();
        let after = after.map_err(|_| BrokerError::BadCursor)?;
        let after = after.map(|room| format!("{}/{room}", query.tenant));
        let from = match &after {
            Some(after) if *after >= beginning => Bound::Excluded(after.as_str()),
            Some(_) | None => Bound::Included(beginning.as_str()),
        };
        let rooms = self.rooms.range::<str, _>((from, Bound::Unbounded));
        let rooms = rooms.take_while(|(room, _)| room.as_str().starts_with(&beginning));
        let mut rooms: Vec<_> = rooms
            .take(query.limit + 1)
            .map(|(room, record)| (room.room_id(), record.members.len() as u64))
            .collect();
        let has_more = rooms.len() > query.limit;
        rooms.truncate(query.limit);
        let last = rooms.last().filter(|_| has_more);
        Ok(RoomPage {
            next: last.map(|(room, _)| room.to_string()),
            rooms,
        })
    }

    fn remove(
        &mut self,
        room: &RoomKey,
        peer: &PeerId,
        reason: LeaveReason,
    ) -> Option<(RoomLeft, RoomDelta)> {
        let record = self.rooms.get_mut(room)?;
        let entry = record.members.remove(peer)?;
        self.last_version += 1;
        let previous = std::mem::replace(&mut record.version, self.last_version);
        let delta = RoomDelta {
            previous,
            version: record.version,
            change: RoomChange::Left {
                peer: peer.clone(),
                session: entry.member.session,
                reason,
            },
        };
        let is_last = record.members.is_empty();
        if is_last {
            self.rooms.remove(room);
            if let Some(rooms) = self.rooms_of_tenant.get_mut(room.tenant()) {
                *rooms -= 1;
                if *rooms == 0 {
                    self.rooms_of_tenant.remove(room.tenant());
                }
            }
        }
        let left = RoomLeft {
            peer: peer.clone(),
            reason,
            is_last,
        };
        Some((left, delta))
    }
}
