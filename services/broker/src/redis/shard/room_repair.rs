//! Writes the members of this node's rooms again after Redis may have lost them, once the claims stand again. Not the
//! removal of dead nodes' members (`room_sweep`).

use switchboard_core::{BrokerError, BrokerEvents};
use switchboard_protocol::{PeerKey, RoomKey};
use tokio::sync::oneshot;

use super::{rooms, state::Shard};
use crate::{
    partition::Partition,
    redis::{
        command::{Command, room_call::RoomCall},
        room::{DueMember, Reasserted},
    },
};

/// Rooms whose members are listed at once: bounds the memory of the list.
const ROOMS_AT_ONCE: usize = 64;

/// Members in flight at once: messages have to pass between them.
const MAX_MEMBERS_IN_FLIGHT: usize = 256;

/// Writes the members of every room that is due. What could not be sent stays due.
pub(crate) async fn run(shard: &Shard, events: &dyn BrokerEvents) {
    let due = shard.tables.lock().rooms.list_due();
    for some in due.chunks(ROOMS_AT_ONCE) {
        let members: Vec<DueMember> = {
            let tables = shard.tables.lock();
            some.iter()
                .flat_map(|room| tables.rooms.due_members(room))
                .collect()
        };
        let mut changed = Vec::new();
        for members in members.chunks(MAX_MEMBERS_IN_FLIGHT) {
            if write(shard, members, &mut changed).await.is_err() {
                return;
            }
        }
        let mut tables = shard.tables.lock();
        // Those that have moved meanwhile are due on their new shard.
        some.iter().for_each(|room| tables.rooms.settled(room));
        drop(tables);
        for room in changed {
            events.on_room_gap(&room);
        }
    }
    if !due.is_empty() {
        tracing::info!(
            rooms = due.len(),
            "members of rooms were written again after an interruption"
        );
    }
}

/// Writes members, and notes the rooms in which one is gone.
async fn write(shard: &Shard, members: &[DueMember], changed: &mut Vec<RoomKey>) -> Result<(), BrokerError> {
    let mut in_flight = Vec::with_capacity(members.len());
    let mut sent = Ok(());
    for due in members {
        match send(shard, due) {
            Ok(Some(answer)) => in_flight.push((due, answer)),
            // It has left since the list was made.
            Ok(None) => {}
            Err(error) => {
                sent = Err(error);
                break;
            }
        }
    }
    for (due, answer) in in_flight {
        let outcome = match answer.await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(BrokerError::Unavailable)) | Err(_) => {
                sent = Err(BrokerError::Unavailable);
                continue;
            }
            // Redis refuses this one; the next interruption, or the member's end, tries again.
            Ok(Err(_)) => continue,
        };
        shard.at(Partition::of(due.room.as_str()), |_, tables| {
            tables.rooms.reasserted(due, outcome)
        });
        match outcome {
            Reasserted::Gone if changed.last() != Some(&due.room) => changed.push(due.room.clone()),
            Reasserted::Gone => {}
            Reasserted::Stands { .. } => note(shard, due),
        }
    }
    sent
}

/// Checked and queued under one lock: a member that leaves now leaves in Redis afterwards, too.
fn send(
    shard: &Shard,
    due: &DueMember,
) -> Result<Option<oneshot::Receiver<Result<Reasserted, BrokerError>>>, BrokerError> {
    let tables = shard.tables.lock();
    let Some(local) = tables.rooms.get(&due.room, &due.local.member.peer) else {
        return Ok(None);
    };
    if local.member.session != due.local.member.session || local.entered != due.local.entered {
        return Ok(None);
    }
    let (answer, outcome) = oneshot::channel();
    let mut due = due.clone();
    due.local = local.clone();
    // The claims may be made again before the pause that a lapsed lease leads to.
    due.may_be_swept |= shard.lease.may_be_lost();
    shard.send(Command::room(RoomCall::Reassert { due, answer }))?;
    Ok(Some(outcome))
}

fn note(shard: &Shard, due: &DueMember) {
    let member = &due.local.member;
    let call = RoomCall::Note {
        peer: PeerKey::new(due.room.tenant(), &member.peer),
        session: member.session,
        room: due.room.room_id(),
        info: member.info.clone(),
    };
    rooms::note(shard, call);
}
