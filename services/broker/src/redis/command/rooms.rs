//! Rooms: arguments and answers of their scripts.

use redis::{Cmd, Value};
use serde_json::value::RawValue;
use switchboard_core::{
    BrokerError, JoinError, RoomEntry, RoomJoin, RoomJoined, RoomLeave, RoomLeft, RoomMember, RoomMembership,
    Roster,
};
use switchboard_protocol::{Info, LeaveReason, MemberState, PeerId, PeerKey, RoomId, RoomKey, SessionId};

use super::{
    super::{
        room::{DueMember, Joined, Reasserted},
        scripts::Script,
    },
    caller::{Caller, session_text},
    room_call::{Creation, RoomCall},
};
use crate::partition::Partition;

/// Bytes that a member needs in Redis without its info, about.
const MEMBER_BYTES: usize = 256;

/// The fields of a room that are no members.
const HEAD_FIELDS: u64 = 2;

/// Writes a call.
pub(crate) fn write(call: &RoomCall, caller: &Caller, with_source: bool) -> Cmd {
    match call {
        RoomCall::Join { join, creation } => write_join(caller, join, *creation, with_source),
        RoomCall::Detach { room, peer, session } => {
            let mut command = on_room(caller, Script::DetachMember, 2, room, with_source);
            command
                .arg(peer.as_str())
                .arg(&caller.run.incarnation)
                .arg(session_text(*session));
            command
        }
        RoomCall::Leave(leave) => write_leave(caller, leave, with_source),
        RoomCall::Reassert { due, .. } => write_reassert(caller, due, with_source),
        RoomCall::Unlist(room) => {
            let mut command = redis::cmd("SREM");
            command.arg(run_rooms(caller, room)).arg(room.as_str());
            command
        }
        RoomCall::Note {
            peer,
            session,
            room,
            info,
        } => {
            let mut command = caller.on_record(Script::NoteRoom, peer, with_source);
            command
                .arg(session_text(*session))
                .arg(room.as_str())
                .arg(info_text(info.as_ref()));
            command
        }
        RoomCall::RemoveNote { peer, session, room } => {
            let mut command = caller.on_record(Script::RemoveRoomNote, peer, with_source);
            command.arg(session_text(*session)).arg(room.as_str());
            command
        }
    }
}

/// A call with the first `keys` of the room, its channel, the tenant's rooms, and the rooms of this run.
fn on_room(caller: &Caller, script: Script, keys: usize, room: &RoomKey, with_source: bool) -> Cmd {
    let (names, partition) = (&caller.names, Partition::of(room.as_str()));
    let mut command = caller.scripts.call(script, keys, with_source);
    let mut channel = Vec::new();
    names.write_room_channel(partition, room.as_str(), &mut channel);
    command.arg(names.room(partition, room.as_str())).arg(channel);
    if keys > 2 {
        command.arg(names.tenant_rooms(partition, room.tenant()));
    }
    if keys > 3 {
        command.arg(run_rooms(caller, room));
    }
    command
}

fn run_rooms(caller: &Caller, room: &RoomKey) -> Vec<u8> {
    caller
        .names
        .run_rooms(Partition::of(room.as_str()), &caller.run.incarnation)
}

fn write_join(caller: &Caller, join: &RoomJoin, creation: Creation, with_source: bool) -> Cmd {
    let member = &join.member;
    let info = info_text(member.info.as_ref());
    let has_memory = caller.memory.take(MEMBER_BYTES + info.len());
    let mut command = on_room(caller, Script::JoinRoom, 4, &join.room, with_source);
    write_member(caller, &mut command, &join.room, member);
    command
        .arg(join.max_members)
        .arg(u8::from(has_memory))
        .arg(u8::from(creation != Creation::Refused))
        .arg(u8::from(join.wants_roster));
    command
}

fn write_reassert(caller: &Caller, due: &DueMember, with_source: bool) -> Cmd {
    let mut command = on_room(caller, Script::ReassertMember, 4, &due.room, with_source);
    write_member(caller, &mut command, &due.room, &due.local.member);
    command
        .arg(due.local.entered)
        .arg(due.local.creation)
        .arg(u8::from(due.may_be_swept));
    command
}

fn write_member(caller: &Caller, command: &mut Cmd, room: &RoomKey, member: &RoomMember) {
    command
        .arg(room.as_str())
        .arg(room.room())
        .arg(member.peer.as_str())
        .arg(&caller.run.incarnation)
        .arg(session_text(member.session))
        .arg(state_text(member.state))
        .arg(info_text(member.info.as_ref()));
}

fn write_leave(caller: &Caller, leave: &RoomLeave, with_source: bool) -> Cmd {
    let own = caller.run.incarnation.as_str();
    let (session, incarnation, state) = match leave.entry {
        RoomEntry::Any => (None, "", ""),
        RoomEntry::OfSession(session) => (Some(session), "", ""),
        RoomEntry::Own(session) => (Some(session), own, ""),
        RoomEntry::OwnDetached(session) => (Some(session), own, state_text(MemberState::Detached)),
    };
    let mut command = on_room(caller, Script::LeaveRoom, 3, &leave.room, with_source);
    command
        .arg(leave.room.room())
        .arg(leave.peer.as_str())
        .arg(leave.reason.as_str())
        .arg(session.map(session_text).unwrap_or_default())
        .arg(incarnation)
        .arg(state);
    command
}

/// Removes a member if the dead run of a node with this incarnation has entered it.
pub(crate) fn write_removal(
    caller: &Caller,
    room: &RoomKey,
    peer: &PeerId,
    dead: &str,
    with_source: bool,
) -> Cmd {
    let mut command = on_room(caller, Script::LeaveRoom, 3, room, with_source);
    command
        .arg(room.room())
        .arg(peer.as_str())
        .arg(LeaveReason::Lost.as_str())
        .arg("")
        .arg(dead)
        .arg("");
    command
}

/// Reads the answer of a join.
pub(crate) fn read_joined(reply: Value) -> Result<Joined, JoinError> {
    let refused = |_| JoinError::Bus(BrokerError::Refused);
    if matches!(&reply, Value::Array(words) if words.len() == 1) {
        let (why,): (String,) = redis::from_redis_value(reply).map_err(refused)?;
        return Err(match why.as_str() {
            "full" => JoinError::Full,
            "quota" => JoinError::TooManyRooms,
            _ => JoinError::Bus(BrokerError::Refused),
        });
    }
    type Fields = (u64, u64, u64, u64, Vec<(String, String)>);
    let (previous, version, creation, is_new, fields): Fields =
        redis::from_redis_value(reply).map_err(refused)?;
    let joined = RoomJoined {
        previous,
        version,
        is_new: is_new == 1,
        is_first: previous == 0,
        roster: (!fields.is_empty()).then(|| read_roster(fields).0),
    };
    Ok(Joined { joined, creation })
}

/// Reads the answer of a leave, with the session that was in the room; `None` if there was no such member.
pub(crate) fn read_left(leave: &RoomLeave, reply: &Value) -> Option<(RoomLeft, SessionId)> {
    let (left, session): (u64, String) = redis::from_redis_value_ref(reply).ok()?;
    let session = SessionId::parse(&session).ok()?;
    let left = RoomLeft {
        peer: leave.peer.clone(),
        reason: leave.reason,
        is_last: left == 0,
    };
    Some((left, session))
}

/// Reads the answer of a re-assertion.
pub(crate) fn read_reasserted(reply: &Value) -> Result<Reasserted, BrokerError> {
    if matches!(reply, Value::Array(words) if words.len() == 1) {
        return Ok(Reasserted::Gone);
    }
    let (entered, creation) = redis::from_redis_value_ref(reply).map_err(|_| BrokerError::Refused)?;
    Ok(Reasserted::Stands { entered, creation })
}

/// Asks for one member of a room, and for the version that the room had when it was created.
pub(crate) fn write_read_member(caller: &Caller, room: &RoomKey, peer: &PeerId) -> Cmd {
    let mut command = redis::cmd("HMGET");
    command
        .arg(caller.names.room(Partition::of(room.as_str()), room.as_str()))
        .arg(peer.as_str())
        .arg("#created");
    command
}

/// Asks for the names of all fields of a record.
pub(crate) fn write_read_notes(caller: &Caller, peer: &PeerKey) -> Cmd {
    let mut command = redis::cmd("HKEYS");
    command.arg(caller.names.record(Partition::of(peer.as_str()), peer.as_str()));
    command
}

/// Asks for all fields of a room.
pub(crate) fn write_read(caller: &Caller, room: &RoomKey) -> Cmd {
    let mut command = redis::cmd("HGETALL");
    command.arg(caller.names.room(Partition::of(room.as_str()), room.as_str()));
    command
}

/// The roster in the fields of a room, and the version that the room had when it was created; 0 without a room. Fields
/// that this version cannot read are left out.
pub(crate) fn read_roster(fields: Vec<(String, String)>) -> (Roster, u64) {
    let (mut roster, mut creation) = (Roster::default(), 0);
    for (field, value) in fields {
        match field.as_str() {
            "#version" => roster.version = value.parse().unwrap_or_default(),
            "#created" => creation = value.parse().unwrap_or_default(),
            peer => roster
                .members
                .extend(read_entry(peer, &value).map(|(member, _)| member)),
        }
    }
    (roster, creation)
}

/// A member in a field of a room, and the run of a node that entered it.
pub(crate) fn read_entry<'a>(peer: &str, value: &'a str) -> Option<(RoomMember, &'a str)> {
    let mut words = value.splitn(5, ' ');
    let state = read_state(words.next()?)?;
    let run = words.next()?;
    let session = SessionId::parse(words.next()?).ok()?;
    let _entered = words.next()?;
    let member = RoomMember {
        peer: PeerId::new(peer).ok()?,
        session,
        info: read_info(words.next()?),
        state,
    };
    Some((member, run))
}

/// How many members a room with this many fields has.
pub(crate) fn members(fields: u64) -> u64 {
    fields.saturating_sub(HEAD_FIELDS)
}

pub(crate) fn state_text(state: MemberState) -> &'static str {
    match state {
        MemberState::Online => "o",
        MemberState::Detached => "d",
    }
}

pub(crate) fn read_state(text: &str) -> Option<MemberState> {
    match text {
        "o" => Some(MemberState::Online),
        "d" => Some(MemberState::Detached),
        _ => None,
    }
}

fn info_text(info: Option<&Info>) -> &str {
    info.map_or("", Info::get)
}

/// The `info` with this text; none for an empty text, or one that is no JSON.
pub(crate) fn read_info(text: &str) -> Option<Info> {
    if text.is_empty() {
        return None;
    }
    RawValue::from_string(text.to_owned()).ok().map(Info::from)
}

/// The rooms that fields of a record note: `r:<room>` with session and info.
pub(crate) fn read_notes(fields: &[(Vec<u8>, Vec<u8>)]) -> Vec<RoomMembership> {
    let notes = fields.iter();
    notes
        .filter_map(|(field, value)| read_note(field, value))
        .collect()
}

/// The room whose note has this name.
pub(crate) fn read_note_name(field: &[u8]) -> Option<RoomId> {
    let room = std::str::from_utf8(field.strip_prefix(b"r:")?).ok()?;
    RoomId::new(room).ok()
}

fn read_note(field: &[u8], value: &[u8]) -> Option<RoomMembership> {
    let room = read_note_name(field)?;
    let (session, info) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    Some(RoomMembership {
        room,
        session: SessionId::parse(session).ok()?,
        info: read_info(info),
    })
}
