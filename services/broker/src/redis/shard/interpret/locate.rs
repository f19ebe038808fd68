//! The consequences of a peer's record and of its owner's lease.

use switchboard_core::{BrokerError, BrokerEvents, Presence, StoreOutcome};
use switchboard_protocol::{Mid, PeerKey};

use super::super::state::Shard;
use crate::redis::{
    command::{
        AfterLease, Command,
        script_call::{Force, ScriptCall},
    },
    periods::LEASE,
    record::Owner,
};

/// The record was read: the lease of an attached owner is checked next.
pub(super) fn located(
    mid: Mid,
    to: PeerKey,
    owner: Result<Option<Owner>, BrokerError>,
    shard: &Shard,
    events: &dyn BrokerEvents,
) -> Option<Command> {
    let outcome = match owner {
        Ok(Some(owner)) if owner.is_attached => {
            return Some(Command::CheckLease {
                owner: Box::new(owner),
                next: AfterLease::Locate { mid, to },
            });
        }
        Ok(Some(_)) => Ok(Presence::Detached),
        Ok(None) => shard.absence_is_proof().map(|()| Presence::Offline),
        Err(error) => Err(error),
    };
    events.on_located(mid, &to, outcome);
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
    let is_dead = lease.and_then(|lease| is_dead(lease.as_deref(), &owner, shard));
    match (next, is_dead) {
        (AfterLease::Locate { mid, to }, is_dead) => {
            let outcome = is_dead.map(|is_dead| {
                if is_dead {
                    Presence::Offline
                } else {
                    Presence::Attached { node: owner.node }
                }
            });
            events.on_located(mid, &to, outcome);
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

/// Whether the owner's lease has run out, if that can be proved.
fn is_dead(lease: Option<&str>, owner: &Owner, shard: &Shard) -> Result<bool, BrokerError> {
    if lease == Some(&owner.incarnation) {
        return Ok(false);
    }
    if lease.is_none() {
        // An outage may have kept that node from renewing it: only a full period with Redis up is proof.
        shard.health.reachable_for(LEASE)?;
    }
    shard.absence_is_proof()?;
    Ok(true)
}
