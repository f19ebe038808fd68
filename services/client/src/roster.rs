//! The members of the rooms of one session, as its events say. An application that wants them gives each event to
//! [`Rosters::apply`]. Pure data. Not here: how a session stays a member (`session`).

use std::collections::BTreeMap;

use switchboard_protocol::{Joined, Member, MemberState, PeerId, RoomId};

use crate::RoomEvent;

/// One room as its last event left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    version: u64,
    count: u64,
    members: Option<BTreeMap<PeerId, Member>>,
}

impl Roster {
    fn new(joined: &Joined) -> Self {
        let members = joined.members.as_ref().map(|members| {
            let members = members.iter();
            members
                .map(|member| (member.peer.clone(), member.clone()))
                .collect()
        });
        Self {
            version: joined.version,
            count: joined.count,
            members,
        }
    }

    /// The version of the roster: it grows with each change. In a large room it is that of the last `joined`.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// How many members the room has.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.members
            .as_ref()
            .map_or(self.count, |members| members.len() as u64)
    }

    /// The members by peer ID, this session's peer among them; `None` in a large room.
    #[must_use]
    pub const fn members(&self) -> Option<&BTreeMap<PeerId, Member>> {
        self.members.as_ref()
    }

    /// Changes the members, unless the roster has this version already.
    fn change(&mut self, version: u64, change: impl FnOnce(&mut BTreeMap<PeerId, Member>)) {
        if version <= self.version {
            return;
        }
        self.version = version;
        if let Some(members) = &mut self.members {
            change(members);
        }
    }
}

/// The rooms of one session. The node's limit of rooms bounds them.
#[derive(Debug, Clone, Default)]
pub struct Rosters {
    rooms: BTreeMap<RoomId, Roster>,
}

impl Rosters {
    /// The room with this name, if the session is a member.
    #[must_use]
    pub fn get(&self, room: &str) -> Option<&Roster> {
        self.rooms.get(room)
    }

    /// All rooms of the session, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&RoomId, &Roster)> {
        self.rooms.iter()
    }

    /// Forgets the room with this name: a lost session that could not join it again gets no event of the room.
    pub fn remove(&mut self, room: &str) {
        self.rooms.remove(room);
    }

    /// Takes one event in.
    pub fn apply(&mut self, event: &RoomEvent) {
        match event {
            RoomEvent::Joined(joined) => {
                self.rooms.insert(joined.room.clone(), Roster::new(joined));
            }
            RoomEvent::Left { room, .. } => {
                self.rooms.remove(room);
            }
            RoomEvent::PeerJoined(joined) => {
                let member = Member {
                    peer: joined.peer.clone(),
                    info: joined.info.clone(),
                    state: MemberState::Online,
                };
                self.change(&joined.room, joined.version, |members| {
                    members.insert(member.peer.clone(), member);
                });
            }
            RoomEvent::PeerLeft {
                room, version, peer, ..
            } => self.change(room, *version, |members| {
                members.remove(peer);
            }),
            RoomEvent::Count { room, count } => {
                if let Some(roster) = self.rooms.get_mut(room) {
                    roster.count = *count;
                    roster.members = None;
                }
            }
        }
    }

    fn change(&mut self, room: &RoomId, version: u64, change: impl FnOnce(&mut BTreeMap<PeerId, Member>)) {
        if let Some(roster) = self.rooms.get_mut(room) {
            roster.change(version, change);
        }
    }
}

#[cfg(test)]
mod tests {
    use switchboard_protocol::{LeaveReason, PeerJoined};

    use super::*;

    fn room() -> RoomId {
        RoomId::new("lobby").unwrap()
    }

    fn peer(name: &str) -> PeerId {
        PeerId::new(name).unwrap()
    }

    fn joined(version: u64, members: Option<&[&str]>) -> RoomEvent {
        let members: Option<Vec<Member>> = members.map(|names| {
            let names = names.iter();
            names
                .map(|name| Member {
                    peer: peer(name),
                    info: None,
                    state: MemberState::Online,
                })
                .collect()
        });
        RoomEvent::Joined(Box::new(Joined {
            id: None,
            room: room(),
            version,
            count: members.as_ref().map_or(900, Vec::len) as u64,
            members,
            gap: false,
        }))
    }

    fn peer_joined(version: u64, name: &str) -> RoomEvent {
        RoomEvent::PeerJoined(PeerJoined {
            room: room(),
            version,
            peer: peer(name),
            info: None,
        })
    }

    fn peer_left(version: u64, name: &str) -> RoomEvent {
        RoomEvent::PeerLeft {
            room: room(),
            version,
            peer: peer(name),
            reason: LeaveReason::Left,
        }
    }

    fn names(rosters: &Rosters) -> Vec<&str> {
        let members = rosters.get("lobby").unwrap().members().unwrap();
        members.keys().map(PeerId::as_str).collect()
    }

    #[test]
    fn a_roster_follows_the_changes_of_its_room() {
        let mut rosters = Rosters::default();
        rosters.apply(&peer_joined(1, "early"));
        assert!(rosters.get("lobby").is_none(), "not a member yet");
        rosters.apply(&joined(5, Some(&["alice", "bob"])));
        rosters.apply(&peer_joined(6, "carol"));
        rosters.apply(&peer_left(7, "bob"));
        assert_eq!(names(&rosters), ["alice", "carol"]);
        let roster = rosters.get("lobby").unwrap();
        assert_eq!((roster.version(), roster.count()), (7, 2));
        rosters.apply(&RoomEvent::Left {
            id: None,
            room: room(),
            reason: Some(LeaveReason::Kicked),
        });
        assert_eq!(rosters.iter().count(), 0);
    }

    #[test]
    fn a_change_that_the_roster_has_already_changes_nothing() {
        let mut rosters = Rosters::default();
        rosters.apply(&joined(5, Some(&["alice", "bob"])));
        rosters.apply(&peer_left(5, "bob"));
        rosters.apply(&peer_joined(4, "carol"));
        assert_eq!(names(&rosters), ["alice", "bob"]);
    }

    #[test]
    fn a_large_room_has_a_count_and_a_new_roster_replaces_it() {
        let mut rosters = Rosters::default();
        rosters.apply(&joined(5, None));
        rosters.apply(&RoomEvent::Count {
            room: room(),
            count: 901,
        });
        let roster = rosters.get("lobby").unwrap();
        assert_eq!((roster.count(), roster.members()), (901, None));
        rosters.apply(&joined(9, Some(&["alice"])));
        assert_eq!(names(&rosters), ["alice"]);
        rosters.apply(&RoomEvent::Count {
            room: room(),
            count: 700,
        });
        assert!(rosters.get("lobby").unwrap().members().is_none());
    }
}
