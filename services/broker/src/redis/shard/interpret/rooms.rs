//! The consequences of answers about rooms.

use redis::Value;
use switchboard_core::{BrokerError, BrokerEvents, JoinError, RoomEntry, RoomJoin, RoomLeave};
use switchboard_protocol::{LeaveReason, PeerKey};

use super::super::{rooms as asked, state::Shard};
use crate::{
    partition::Partition,
    redis::{
        command::{
            room_call::{Creation, RoomCall},
            rooms,
        },
        room::Joined,
    },
};

/// Acts on the reply to `call`.
pub(super) fn answered(
    call: RoomCall,
    reply: Result<Value, BrokerError>,
    shard: &Shard,
    events: &dyn BrokerEvents,
) {
    match call {
        RoomCall::Join { join, creation } => {
            let outcome = reply.map_err(JoinError::Bus).and_then(rooms::read_joined);
            let created = i64::from(outcome.as_ref().is_ok_and(|outcome| outcome.joined.is_first));
            let reserved = i64::from(creation == Creation::Reserved);
            shard.tenant_rooms.add(join.room.tenant(), created - reserved);
            joined(&join, outcome, shard, events);
        }
        RoomCall::Leave(leave) => left(leave, reply, shard, events),
        RoomCall::Reassert { answer, .. } => {
            // Only the repair asks; it is gone only when the broker is.
            let _ = answer.send(reply.and_then(|reply| rooms::read_reasserted(&reply)));
        }
        // The next repair writes the state.
        RoomCall::Detach { .. } => {}
        RoomCall::Unlist(_) | RoomCall::Note { .. } | RoomCall::RemoveNote { .. } => {}
    }
}

fn joined(join: &RoomJoin, outcome: Result<Joined, JoinError>, shard: &Shard, events: &dyn BrokerEvents) {
    let (room, member) = (&join.room, &join.member);
    let key = PeerKey::new(room.tenant(), &member.peer);
    let partition = Partition::of(room.as_str());
    let outcome = match outcome {
        Ok(Joined { joined, creation }) => {
            shard.at(partition, |shard, tables| {
                let before = tables.rooms.due();
                tables.rooms.entered(room, member, joined.version, creation);
                if tables.rooms.due() > before {
                    asked::room_lost(shard);
                }
            });
            let note = RoomCall::Note {
                peer: key,
                session: member.session,
                room: room.room_id(),
                info: member.info.clone(),
            };
            asked::note(shard, note);
            Ok(joined)
        }
        Err(error) => {
            shard.at(partition, |_, tables| {
                tables.rooms.remove(room, &member.peer, member.session)
            });
            if error == JoinError::Bus(BrokerError::Unavailable) {
                // It may have been carried out.
                shard.pending.add_leave(RoomLeave {
                    room: room.clone(),
                    peer: member.peer.clone(),
                    entry: RoomEntry::Own(member.session),
                    reason: LeaveReason::Lost,
                });
            }
            Err(error)
        }
    };
    events.on_room_joined(room, &member.peer, member.session, outcome);
}

fn left(leave: RoomLeave, reply: Result<Value, BrokerError>, shard: &Shard, events: &dyn BrokerEvents) {
    let reply = match reply {
        Ok(reply) => reply,
        Err(BrokerError::Unavailable) => return shard.pending.add_leave(leave),
        Err(_) => return,
    };
    let Some((left, session)) = rooms::read_left(&leave, &reply) else {
        return;
    };
    shard
        .tenant_rooms
        .add(leave.room.tenant(), -i64::from(left.is_last));
    let note = RoomCall::RemoveNote {
        peer: PeerKey::new(leave.room.tenant(), &leave.peer),
        session,
        room: leave.room.room_id(),
    };
    asked::note(shard, note);
    events.on_room_left(&leave.room, left);
}
