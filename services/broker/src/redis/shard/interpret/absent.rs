//! The consequences of a record that is not there: after a proof that Redis has lost nothing, its peer is offline. Not the
//! conditions of the proof (`shard::absence`).

use switchboard_core::{BrokerError, BrokerEvents, Located, StoreOutcome};
use switchboard_protocol::PeerKey;

use super::super::state::Shard;
use crate::{
    partition::Partition,
    redis::command::{Absent, Command},
};

/// No record was found. What this node knows is checked first, for nothing; then its lease is read.
pub(super) fn found(absent: Absent, shard: &Shard, events: &dyn BrokerEvents) -> Option<Command> {
    match shard.absence_is_proof(Some(Partition::of(to(&absent).as_str()))) {
        Ok(()) => Some(Command::CheckAbsence(absent)),
        Err(error) => {
            report(absent, Err(error), events);
            None
        }
    }
}

/// This node's lease was read, after the record.
pub(super) fn checked(
    absent: Absent,
    lease: Result<Option<String>, BrokerError>,
    shard: &Shard,
    events: &dyn BrokerEvents,
) {
    let partition = Partition::of(to(&absent).as_str());
    let proof = lease.and_then(|lease| shard.absence_is_proved(lease.as_deref(), Some(partition)));
    report(absent, proof, events);
}

fn report(absent: Absent, proof: Result<(), BrokerError>, events: &dyn BrokerEvents) {
    match absent {
        Absent::Locate { asker, to } => events.on_located(asker, &to, proof.map(|()| Located::OFFLINE)),
        Absent::Store { mid, to } => events.on_stored(mid, &to, proof.map(|()| StoreOutcome::Offline)),
    }
}

fn to(absent: &Absent) -> &PeerKey {
    let (Absent::Locate { to, .. } | Absent::Store { to, .. }) = absent;
    to
}
