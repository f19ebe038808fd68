//! The consequences of a peer's record and of its owner's lease.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use switchboard_core::{Asker, BrokerError, BrokerEvents, Located, Presence, StoreOutcome};
use switchboard_protocol::PeerKey;

use super::{super::state::Shard, absent};
use crate::{
    partition::Partition,
    redis::{
        command::{
            Absent, AfterLease, Command,
            script_call::{Force, ScriptCall},
        },
        periods::LEASE,
        record::Owner,
    },
};

/// The record was read: the lease of an attached owner is checked next.
pub(super) fn located(
    asker: Asker,
    to: PeerKey,
    owner: Result<Option<Owner>, BrokerError>,
    shard: &Shard,
    events: &dyn BrokerEvents,
) -> Option<Command> {
    let outcome = match owner {
        Ok(Some(owner)) if owner.is_attached => {
            return Some(Command::CheckLease {
                owner: Box::new(owner),
                next: AfterLease::Locate { asker, to },
            });
        }
        Ok(Some(owner)) => Ok(answer(owner.fence, Presence::Detached)),
        Ok(None) => return absent::found(Absent::Locate { asker, to }, shard, events),
        Err(error) => Err(error),
    };
    events.on_located(asker, &to, outcome);
    None
}

/// The lease was read: the peer is located, or the message goes into its offline queue if the owner is dead.
pub(super) fn lease_checked(
    owner: Owner,
    next: AfterLease,
    lease: Result<Option<String>, BrokerError>,
    shard: &Shard,
    events: &dyn BrokerEvents,
) -> Option<Command> {
    let partition = match &next {
        AfterLease::Locate { to, .. } => of(to),
        AfterLease::Store(message) => of(&message.to),
    };
    let is_dead = lease.and_then(|lease| is_dead(lease.as_deref(), &owner, partition, shard));
    match (next, is_dead) {
        (AfterLease::Locate { asker, to }, is_dead) => {
            let outcome = is_dead.map(|is_dead| {
                let presence = if is_dead {
                    Presence::Orphaned
                } else {
                    Presence::Attached { node: owner.node }
                };
                answer(owner.fence, presence)
            });
            events.on_located(asker, &to, outcome);
            None
        }
        (AfterLease::Store(message), Ok(true)) => Some(Command::script(ScriptCall::Store(
            *message,
            Force::OwnerIsDead(owner.incarnation),
        ))),
        (AfterLease::Store(message), outcome) => {
            events.on_stored(message.mid, &message.to, outcome.map(|_| StoreOutcome::Attached));
            None
        }
    }
}

/// The fence of a claim is its time by Redis' clock, unless that clock went back.
fn answer(fence: u64, presence: Presence) -> Located {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Located {
        presence,
        fence,
        claimed_for: now.saturating_sub(Duration::from_micros(fence)),
    }
}

/// Whether the owner's lease has run out, if that can be proved.
fn is_dead(
    lease: Option<&str>,
    owner: &Owner,
    partition: Partition,
    shard: &Shard,
) -> Result<bool, BrokerError> {
    if lease == Some(&owner.incarnation) {
        return Ok(false);
    }
    if lease.is_none() {
        // An outage may have kept that node from renewing it: only a full period with Redis up is proof.
        shard.health.reachable_for(LEASE)?;
    }
    shard.absence_is_proof(Some(partition))?;
    Ok(true)
}

fn of(peer: &PeerKey) -> Partition {
    Partition::of(peer.as_str())
}
