//! The rooms in which this node has members, with these members as the shared record should name them, and the calls
//! that wait for a room's channel. No IO and no clock. Not the rosters with the members of other nodes: those are core's.

use hashbrown::HashMap;
use switchboard_core::{RoomChange, RoomDelta, RoomEntry, RoomLeave, RoomMember};
use switchboard_protocol::{MemberState, PeerId, RoomKey, SessionId};

use crate::redis::{
    command::room_call::RoomCall,
    room::{DueMember, LocalMember, Reasserted},
};

/// The table. One per shard; bounded by the memberships that core allows.
#[derive(Debug, Default)]
pub(crate) struct RoomTable {
    rooms: HashMap<RoomKey, Room>,
    /// Rooms that are due.
    due: usize,
}

#[derive(Debug, Default)]
struct Room {
    members: HashMap<PeerId, LocalMember>,
    /// The creation in the last answer of Redis: no member has to be asked while it stays.
    creation: u64,
    /// A connected member is here, so the channel has a user.
    is_used: bool,
    /// Calls that wait for the confirmation of the room's channel, in order.
    waiting: Vec<RoomCall>,
    /// The channel was lost since it was last confirmed: changes may have been missed.
    has_missed: bool,
    /// The shared record may have lost the members.
    is_due: bool,
    /// Another node may have taken this one for dead and removed the members.
    may_be_swept: bool,
}

/// A room on its way from one server to another.
#[derive(Debug)]
pub(crate) struct MovedRoom(Room);

impl Room {
    fn is_over(&self) -> bool {
        !self.is_used && self.members.is_empty()
    }
}

impl RoomTable {
    /// This node enters `member`. Whether the room's channel has a user because of that.
    pub(crate) fn enter(&mut self, room: &RoomKey, member: RoomMember) -> bool {
        let room = self.rooms.entry(room.clone()).or_default();
        let local = LocalMember {
            member,
            entered: 0,
            creation: 0,
        };
        room.members.insert(local.member.peer.clone(), local);
        !std::mem::replace(&mut room.is_used, true)
    }

    /// A join could not be sent: the entry is `before` again.
    pub(crate) fn restore(&mut self, room: &RoomKey, peer: &PeerId, before: Option<LocalMember>) {
        let Some(room) = self.rooms.get_mut(room) else {
            return;
        };
        match before {
            Some(local) => room.members.insert(peer.clone(), local),
            None => room.members.remove(peer),
        };
    }

    /// Whether the record has the room for certain: a member of this node is in it.
    pub(crate) fn is_there(&self, room: &RoomKey) -> bool {
        let room = self.rooms.get(room);
        room.is_some_and(|room| room.members.values().any(|local| local.entered > 0))
    }

    /// Returns `call` if it can go out now. Else it waits for the room's channel.
    pub(crate) fn wait(&mut self, room: &RoomKey, call: RoomCall, is_confirmed: bool) -> Option<RoomCall> {
        let waits = |room: &&mut Room| !room.waiting.is_empty() || (room.is_used && !is_confirmed);
        match self.rooms.get_mut(room).filter(waits) {
            Some(room) => {
                room.waiting.push(call);
                None
            }
            None => Some(call),
        }
    }

    /// The record names the member since `entered`, in the room of this creation.
    pub(crate) fn entered(&mut self, key: &RoomKey, member: &RoomMember, entered: u64, creation: u64) {
        let Some(room) = self.rooms.get_mut(key) else {
            return;
        };
        if let Some(local) = room.members.get_mut(&member.peer)
            && local.member.session == member.session
        {
            local.entered = entered;
            local.creation = creation;
        }
        let is_lost = self.is_lost(key, creation);
        if let Some(room) = self.rooms.get_mut(key) {
            room.creation = creation;
        }
        if is_lost {
            // The others have to be written again.
            self.make_due(key);
        }
    }

    fn make_due(&mut self, key: &RoomKey) {
        if let Some(room) = self.rooms.get_mut(key)
            && !std::mem::replace(&mut room.is_due, true)
        {
            self.due += 1;
        }
    }

    /// The member has no connection any more.
    pub(crate) fn detach(&mut self, room: &RoomKey, peer: &PeerId, session: SessionId) {
        let local = self
            .rooms
            .get_mut(room)
            .and_then(|room| room.members.get_mut(peer));
        if let Some(local) = local.filter(|local| local.member.session == session) {
            local.member.state = MemberState::Detached;
        }
    }

    /// The member that this node has entered for `peer` and not removed.
    pub(crate) fn get(&self, room: &RoomKey, peer: &PeerId) -> Option<&LocalMember> {
        self.rooms.get(room)?.members.get(peer)
    }

    /// This node removes a member.
    pub(crate) fn leave(&mut self, leave: &RoomLeave) {
        let is_meant = |local: &LocalMember| match leave.entry {
            RoomEntry::Any => true,
            RoomEntry::OfSession(session) | RoomEntry::Own(session) => local.member.session == session,
            RoomEntry::OwnDetached(session) => {
                local.member.session == session && local.member.state == MemberState::Detached
            }
        };
        self.remove_if(&leave.room, &leave.peer, is_meant);
    }

    /// The record does not name the member, or not this session.
    pub(crate) fn remove(&mut self, room: &RoomKey, peer: &PeerId, session: SessionId) {
        self.remove_if(room, peer, |local| local.member.session == session);
    }

    fn remove_if(&mut self, room: &RoomKey, peer: &PeerId, is_meant: impl Fn(&LocalMember) -> bool) {
        if let Some(room) = self.rooms.get_mut(room)
            && room.members.get(peer).is_some_and(is_meant)
        {
            room.members.remove(peer);
            if room.members.len() < room.members.capacity() / 4 {
                room.members.shrink_to(room.members.len() * 2);
            }
        }
    }

    /// A change came over the channel; `is_own`: this run made the entry. An entry that was made or removed elsewhere is
    /// not this node's any more. A room that is new although it has members of this node was lost.
    pub(crate) fn on_delta(&mut self, key: &RoomKey, delta: &RoomDelta, is_own: bool) {
        if delta.previous == 0 && self.is_lost(key, delta.version) {
            self.make_due(key);
        }
        let (peer, session) = match &delta.change {
            RoomChange::Entered(_) if is_own => return,
            RoomChange::Entered(member) => (&member.peer, None),
            RoomChange::Left { peer, session, .. } => (peer, Some(*session)),
        };
        // An entry that is not confirmed may be newer than the change.
        let is_older = |local: &LocalMember| local.entered > 0 && local.entered < delta.version;
        self.remove_if(key, peer, |local| {
            is_older(local) && session.is_none_or(|session| local.member.session == session)
        });
    }

    /// The node has no connected member any more. Whether the channel has a user less; and the calls that wait.
    pub(crate) fn forget(&mut self, room: &RoomKey) -> (bool, Vec<RoomCall>) {
        let Some(room) = self.rooms.get_mut(room) else {
            return (false, Vec::new());
        };
        room.has_missed = false;
        (
            std::mem::take(&mut room.is_used),
            std::mem::take(&mut room.waiting),
        )
    }

    /// Removes a room that nobody uses and in which this run has no member; whether there was one.
    pub(crate) fn remove_if_over(&mut self, key: &RoomKey) -> bool {
        if !self.rooms.get(key).is_some_and(Room::is_over) {
            return false;
        }
        if let Some(room) = self.rooms.remove(key) {
            self.due -= usize::from(room.is_due);
        }
        if self.rooms.len() < self.rooms.capacity() / 4 {
            self.rooms.shrink_to(self.rooms.len() * 2);
        }
        true
    }

    /// The room's channel is confirmed. Whether changes may have been missed before, and the calls that waited for it.
    pub(crate) fn subscribed(&mut self, room: &str) -> (bool, Vec<RoomCall>) {
        let Some(room) = self.rooms.get_mut(room) else {
            return (false, Vec::new());
        };
        (
            std::mem::take(&mut room.has_missed),
            std::mem::take(&mut room.waiting),
        )
    }

    /// The subscriptions are lost. The calls that waited for one.
    pub(crate) fn lost(&mut self) -> Vec<RoomCall> {
        let mut waited = Vec::new();
        for room in self.rooms.values_mut() {
            room.has_missed = room.is_used;
            waited.append(&mut room.waiting);
        }
        waited
    }

    /// The shared records may have been lost.
    pub(crate) fn next_epoch(&mut self) {
        for room in self.rooms.values_mut() {
            room.is_due = true;
        }
        self.due = self.rooms.len();
    }

    /// Others may have taken this node for dead and removed its members.
    pub(crate) fn may_be_swept(&mut self) {
        for room in self.rooms.values_mut() {
            room.may_be_swept = true;
        }
    }

    /// Gives the rooms up that `moves`: another server has their records.
    pub(crate) fn hand_over(&mut self, moves: impl Fn(&RoomKey) -> bool) -> Vec<(RoomKey, MovedRoom)> {
        let moved = self.rooms.extract_if(|key, _| moves(key));
        let moved: Vec<_> = moved.map(|(key, room)| (key, MovedRoom(room))).collect();
        let due = moved.iter().filter(|(_, MovedRoom(room))| room.is_due);
        self.due -= due.count();
        moved
    }

    /// Takes rooms over: changes may have been missed until their channels are confirmed here, and their members are to be
    /// written here, too.
    pub(crate) fn take_over(&mut self, rooms: Vec<(RoomKey, MovedRoom)>) {
        for (key, MovedRoom(mut room)) in rooms {
            room.has_missed |= room.is_used;
            room.is_due = true;
            self.due += 1;
            self.rooms.insert(key, room);
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.rooms.len()
    }

    /// How many rooms are due.
    pub(crate) fn due(&self) -> usize {
        self.due
    }

    /// Whether Redis has lost a room in which this node has members: the record has another creation.
    pub(crate) fn is_lost(&self, room: &RoomKey, creation: u64) -> bool {
        let room = self.rooms.get(room);
        room.is_some_and(|room| {
            let is_lost = |local: &LocalMember| local.entered > 0 && local.creation != creation;
            room.creation != creation && room.members.values().any(is_lost)
        })
    }

    /// The rooms that are due.
    pub(crate) fn list_due(&self) -> Vec<RoomKey> {
        if self.due == 0 {
            return Vec::new();
        }
        let due = self.rooms.iter().filter(|(_, room)| room.is_due);
        due.map(|(key, _)| key.clone()).collect()
    }

    /// The members of `room` to write again: those that were confirmed once. The others' joins are on their way.
    pub(crate) fn due_members(&self, key: &RoomKey) -> Vec<DueMember> {
        let Some(room) = self.rooms.get(key) else {
            return Vec::new();
        };
        let members = room.members.values().filter(|local| local.entered > 0);
        let members = members.map(|local| DueMember {
            room: key.clone(),
            local: local.clone(),
            may_be_swept: room.may_be_swept,
        });
        members.collect()
    }

    /// A member was written again, or is gone.
    pub(crate) fn reasserted(&mut self, due: &DueMember, outcome: Reasserted) {
        let member = &due.local.member;
        match outcome {
            Reasserted::Gone => self.remove_if(&due.room, &member.peer, |local| *local == due.local),
            Reasserted::Stands { entered, creation } => {
                let Some(room) = self.rooms.get_mut(&due.room) else {
                    return;
                };
                room.creation = creation;
                if let Some(local) = room.members.get_mut(&member.peer)
                    && local.entered == due.local.entered
                {
                    local.entered = entered;
                    local.creation = creation;
                }
            }
        }
    }

    /// Every member of `room` was written again.
    pub(crate) fn settled(&mut self, room: &RoomKey) {
        if let Some(room) = self.rooms.get_mut(room)
            && std::mem::take(&mut room.is_due)
        {
            room.may_be_swept = false;
            self.due -= 1;
        }
    }

    /// Whether this run has a member in any room.
    pub(crate) fn has_members(&self) -> bool {
        self.rooms.values().any(|room| !room.members.is_empty())
    }
}

#[cfg(test)]
#[path = "rooms_tests.rs"]
mod tests;
