//! Rooms for the broker's tests: joins that wait for their answer, and rosters that can be compared.

use switchboard_core::{
    BrokerError, JoinError, RoomChange, RoomEntry, RoomJoin, RoomJoined, RoomLeave, RoomLeft, RoomMember,
    Roster,
};
use switchboard_protocol::{Info, LeaveReason, MemberState, PeerId, RoomKey, SessionId};

use super::{Node, PATIENCE, next_mid, session_id, until};
use switchboard_harness::wait_until;

/// Members that every room takes here, unless a test says otherwise.
pub(crate) const MANY: usize = 100_000;

pub(crate) fn room(name: &str) -> RoomKey {
    RoomKey::parse(&format!("acme/{name}")).unwrap()
}

pub(crate) fn peer(name: &str) -> PeerId {
    PeerId::new(name).unwrap()
}

pub(crate) fn info(json: &str) -> Option<Info> {
    Some(
        serde_json::value::RawValue::from_string(json.to_owned())
            .unwrap()
            .into(),
    )
}

/// The session of this number, online and without an info.
pub(crate) fn member(name: &str, session: u8) -> RoomMember {
    RoomMember {
        peer: peer(name),
        session: session_id(session),
        info: None,
        state: MemberState::Online,
    }
}

pub(crate) fn join(name: &str, member: RoomMember) -> RoomJoin {
    RoomJoin {
        room: room(name),
        member,
        wants_roster: false,
        max_members: MANY,
        max_rooms: 0,
    }
}

/// `<peer>` of each member that is online, `<peer>?` of each that is detached, in order.
pub(crate) fn names(roster: &Roster) -> Vec<String> {
    let names = roster.members.iter().map(|member| match member.state {
        MemberState::Online => member.peer.to_string(),
        MemberState::Detached => format!("{}?", member.peer),
    });
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

impl Node {
    /// Joins and waits for the answer.
    pub(crate) async fn join_with(&self, join: RoomJoin) -> Result<RoomJoined, JoinError> {
        let (room, member) = (join.room.clone(), join.member.clone());
        let answers = || {
            let joined = self.seen.room_joined.lock();
            let mut own = joined
                .iter()
                .filter(|(of, peer, session, _)| {
                    *of == room && *peer == member.peer && *session == member.session
                })
                .map(|(.., outcome)| outcome.clone());
            (own.clone().count(), own.next_back())
        };
        let (before, _) = answers();
        self.broker.join_room(join)?;
        until("the join is answered", PATIENCE, || answers().0 > before).await;
        answers().1.unwrap()
    }

    /// Joins as the session of this number.
    pub(crate) async fn join(&self, name: &str, peer: &str, session: u8) -> RoomJoined {
        self.join_with(join(name, member(peer, session))).await.unwrap()
    }

    pub(crate) fn leave_as(&self, name: &str, of: &str, entry: RoomEntry, reason: LeaveReason) {
        self.broker.leave_room(RoomLeave {
            room: room(name),
            peer: peer(of),
            entry,
            reason,
        });
    }

    /// Leaves as the session of this number, on this node.
    pub(crate) fn leave(&self, name: &str, peer: &str, session: u8) {
        let entry = RoomEntry::Own(session_id(session));
        self.leave_as(name, peer, entry, LeaveReason::Left);
    }

    /// The members as the record names them.
    pub(crate) async fn members(&self, name: &str) -> Result<Vec<String>, BrokerError> {
        self.broker.roster(&room(name)).await.map(|roster| names(&roster))
    }

    /// Waits until the record names exactly these members.
    pub(crate) async fn until_members(&self, name: &str, wanted: &[&str]) {
        let what = format!("{name} has the members {wanted:?}");
        let found = async || {
            let members = self.members(name).await.ok()?;
            (members == wanted).then_some(())
        };
        wait_until(&what, PATIENCE * 3, found).await.unwrap();
    }

    /// Waits until the record names this many members.
    pub(crate) async fn until_members_count(&self, name: &str, count: usize) {
        let found = async || (self.members(name).await.ok()?.len() == count).then_some(());
        wait_until(&format!("{name} has {count} members"), PATIENCE, found)
            .await
            .unwrap();
    }

    /// The members that this node removed from the room.
    pub(crate) fn removed(&self, name: &str) -> Vec<RoomLeft> {
        let left = self.seen.room_left.lock();
        left.iter()
            .filter(|(of, _)| *of == room(name))
            .map(|(_, left)| left.clone())
            .collect()
    }

    /// The changes of the room that this node received, as `+<peer>`, `?<peer>` for a detached one, or `-<peer> <reason>`.
    /// Checks that none is missing since the first one.
    pub(crate) fn changes(&self, name: &str) -> Vec<String> {
        let deltas = self.seen.room_deltas.lock();
        let deltas: Vec<_> = deltas.iter().filter(|(of, _)| *of == room(name)).collect();
        for pair in deltas.windows(2) {
            let [(_, before), (_, after)] = pair else {
                unreachable!("windows of two")
            };
            assert!(after.version > before.version, "{before:?} {after:?}");
            assert!(
                after.previous == before.version || after.previous == 0,
                "{before:?} {after:?}"
            );
        }
        let text = |change: &RoomChange| match change {
            RoomChange::Entered(member) if member.state == MemberState::Online => format!("+{}", member.peer),
            RoomChange::Entered(member) => format!("?{}", member.peer),
            RoomChange::Left { peer, reason, .. } => format!("-{peer} {}", reason.as_str()),
        };
        deltas.iter().map(|(_, delta)| text(&delta.change)).collect()
    }

    pub(crate) async fn until_changes(&self, name: &str, wanted: &[&str]) {
        until(&format!("{wanted:?} came"), PATIENCE, || {
            self.changes(name).len() >= wanted.len()
        })
        .await;
        assert_eq!(self.changes(name), wanted);
    }

    /// Publishes to a room and waits for the report.
    pub(crate) async fn publish_to_room(&self, name: &str, envelope: &[u8]) -> Result<(), BrokerError> {
        let mid = next_mid();
        self.broker.publish_to_room(&room(name), mid, envelope.to_vec())?;
        super::answer(&self.seen.room_published, mid).await
    }

    /// The messages to the room that this node received.
    pub(crate) fn room_messages(&self, name: &str) -> Vec<Vec<u8>> {
        let messages = self.seen.room_messages.lock();
        let own = messages.iter().filter(|(of, _)| of == room(name).as_str());
        own.map(|(_, envelope)| envelope.to_vec()).collect()
    }

    pub(crate) fn gaps(&self, name: &str) -> usize {
        self.seen
            .room_gaps
            .lock()
            .iter()
            .filter(|of| **of == room(name))
            .count()
    }
}

/// The session of this number, for a [`RoomEntry`].
pub(crate) fn own(session: u8) -> SessionId {
    session_id(session)
}
