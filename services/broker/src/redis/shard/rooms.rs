//! What this node asks of rooms, in the order in which it asks. A call for a room whose channel is not confirmed yet
//! waits for it: a member that enters hears every change from then on. Not the consequences of answers
//! (`interpret::rooms`), not the repair after a loss (`room_repair`).

use switchboard_core::{BrokerError, BrokerEvents, JoinError, RoomEntry, RoomJoin, RoomLeave};
use switchboard_protocol::{LeaveReason, PeerId, RoomKey, SessionId};
use switchboard_telemetry::BusDrop;

use super::{state::Shard, tables::Tables};
use crate::{
    partition::Partition,
    redis::command::{
        Command,
        room_call::{Creation, RoomCall},
        room_delta,
    },
};

/// Enters a member.
///
/// # Errors
/// Nothing was done and no event follows.
pub(crate) fn join(shard: &Shard, join: RoomJoin) -> Result<(), BrokerError> {
    if !shard.health.is_connected() {
        return Err(BrokerError::Unavailable);
    }
    let (room, member) = (join.room.clone(), join.member.clone());
    let peer = member.peer.clone();
    // Queued under the lock: the calls of one room go out in their order.
    shard.at(of(&room), |shard, tables| {
        let creation = if join.max_rooms == 0 || tables.rooms.is_there(&room) {
            Creation::Free
        } else if shard.tenant_rooms.reserve(room.tenant(), join.max_rooms) {
            Creation::Reserved
        } else {
            Creation::Refused
        };
        let before = tables.rooms.get(&room, &peer).cloned();
        let call = tables.enter_room(&room, member, RoomCall::Join { join, creation });
        let sent = call.map_or(Ok(()), |call| shard.send(Command::room(call)));
        if sent.is_err() {
            tables.rooms.restore(&room, &peer, before);
        }
        shard.subscription_changes.notify_one();
        sent
    })
}

fn of(room: &RoomKey) -> Partition {
    Partition::of(room.as_str())
}

/// Removes a member now, or when Redis is back.
pub(crate) fn leave(shard: &Shard, leave: RoomLeave) {
    let room = leave.room.clone();
    shard.at(of(&room), |shard, tables| {
        tables.rooms.leave(&leave);
        if let Some(RoomCall::Leave(leave)) = tables.after_room_calls(&room, RoomCall::Leave(leave)) {
            send_leave(shard, leave);
        }
        if tables.rooms.remove_if_over(&room) {
            unlist(shard, room.clone());
        }
    });
}

/// Sends a leave now, or when Redis is back.
pub(crate) fn send_leave(shard: &Shard, leave: RoomLeave) {
    if shard.send(Command::room(RoomCall::Leave(leave.clone()))).is_err() {
        shard.pending.add_leave(leave);
    }
}

/// Sends a leave that had to wait, unless the session has entered the room again since.
pub(crate) fn leave_later(shard: &Shard, leave: RoomLeave) {
    shard.at(of(&leave.room), |shard, tables| {
        let local = tables.rooms.get(&leave.room, &leave.peer);
        let has_come_back = local.is_some_and(|local| match leave.entry {
            RoomEntry::Any => false,
            RoomEntry::OfSession(session) | RoomEntry::Own(session) | RoomEntry::OwnDetached(session) => {
                local.member.session == session
            }
        });
        if !has_come_back {
            send_leave(shard, leave.clone());
        }
    });
}

/// Notes that a member has no connection. If it cannot be sent, the next repair writes it.
pub(crate) fn detach(shard: &Shard, room: &RoomKey, peer: &PeerId, session: SessionId) {
    shard.at(of(room), |shard, tables| {
        tables.rooms.detach(room, peer, session);
        let call = RoomCall::Detach {
            room: room.clone(),
            peer: peer.clone(),
            session,
        };
        if let Some(call) = tables.after_room_calls(room, call) {
            note(shard, call);
        }
    });
}

/// The node has no connected member of the room any more.
pub(crate) fn forget(shard: &Shard, room: &RoomKey) {
    shard.at(of(room), |shard, tables| {
        let waited = tables.forget_room(room);
        for call in waited {
            give_up(shard, tables, call);
        }
        if tables.rooms.remove_if_over(room) {
            unlist(shard, room.clone());
        }
        shard.subscription_changes.notify_one();
    });
}

/// Redis confirmed the channel of `room` (`tenant/room`).
pub(crate) fn subscribed(shard: &Shard, events: &dyn BrokerEvents, room: &str) {
    let mut tables = shard.tables.lock();
    let (has_missed, waited) = tables.room_subscribed(room);
    for call in waited {
        send_or_give_up(shard, &mut tables, call);
    }
    drop(tables);
    if has_missed && let Ok(room) = RoomKey::parse(room) {
        events.on_room_gap(&room);
    }
}

/// A change came over the channel of `room` (`tenant/room`).
pub(crate) fn on_delta(shard: &Shard, events: &dyn BrokerEvents, room: &str, payload: &[u8]) {
    let (Ok(room), Some((delta, run))) = (RoomKey::parse(room), room_delta::read(payload)) else {
        let why = format!("a change of {} bytes that cannot be read", payload.len());
        return shard.telemetry.bus_message_dropped(BusDrop::Malformed, &why);
    };
    let mut tables = shard.tables.lock();
    let before = tables.rooms.due();
    tables
        .rooms
        .on_delta(&room, &delta, run == shard.lease.incarnation());
    if tables.rooms.remove_if_over(&room) {
        unlist(shard, room.clone());
    }
    let is_lost = tables.rooms.due() > before;
    drop(tables);
    if is_lost {
        room_lost(shard);
    }
    events.on_room_delta(&room, delta);
}

/// Redis has lost a room: its members are written again, and until the other nodes have done so, no roster is believed.
pub(crate) fn room_lost(shard: &Shard) {
    shard.health.records_lost();
    shard.claim_work.notify_one();
}

/// The subscriptions are lost: the calls that waited for one are not carried out.
pub(crate) fn subscriptions_lost(shard: &Shard) {
    let mut tables = shard.tables.lock();
    tables.subscriptions.lost();
    for call in tables.rooms.lost() {
        give_up(shard, &mut tables, call);
    }
}

/// Sends a call that waited for its room's channel.
fn send_or_give_up(shard: &Shard, tables: &mut Tables, call: RoomCall) {
    let RoomCall::Join { join, creation } = call else {
        return give_up(shard, tables, call);
    };
    let call = RoomCall::Join {
        join: join.clone(),
        creation,
    };
    if shard.send(Command::room(call)).is_err() {
        give_up(shard, tables, RoomCall::Join { join, creation });
    }
}

/// A call that waited for its room's channel goes out without it, but a join does not. The node learns that later: the
/// caller may be inside it.
fn give_up(shard: &Shard, tables: &mut Tables, call: RoomCall) {
    match call {
        RoomCall::Join { join, .. } => {
            let member = &join.member;
            tables.rooms.remove(&join.room, &member.peer, member.session);
            // The record may have an entry of an earlier join.
            shard.pending.add_leave(RoomLeave {
                room: join.room.clone(),
                peer: member.peer.clone(),
                entry: RoomEntry::Own(member.session),
                reason: LeaveReason::Lost,
            });
            shard.pending.add_refused(join);
            shard.claim_work.notify_one();
        }
        RoomCall::Leave(leave) => send_leave(shard, leave),
        call @ (RoomCall::Detach { .. }
        | RoomCall::Reassert { .. }
        | RoomCall::Unlist(_)
        | RoomCall::Note { .. }
        | RoomCall::RemoveNote { .. }) => note(shard, call),
    }
}

/// Reports a join that was not carried out.
pub(crate) fn refuse(events: &dyn BrokerEvents, join: &RoomJoin, error: BrokerError) {
    let member = &join.member;
    events.on_room_joined(
        &join.room,
        &member.peer,
        member.session,
        Err(JoinError::Bus(error)),
    );
}

/// This run has no member of the room any more. If that is lost, its sweep finds nothing there.
pub(crate) fn unlist(shard: &Shard, room: RoomKey) {
    note(shard, RoomCall::Unlist(room));
}

/// Sends a call whose loss is repaired later.
pub(crate) fn note(shard: &Shard, call: RoomCall) {
    if let Err(error) = shard.send(Command::room(call)) {
        tracing::debug!(%error, "a note about a room was not sent");
    }
}
