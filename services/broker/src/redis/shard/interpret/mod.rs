//! The consequences of replies, in one place. Every command ends here exactly once, also without a reply. Not how
//! replies are read (`command`).

mod absent;
pub(crate) mod claimed;
mod locate;
mod rooms;
mod store;

use redis::Value;
use switchboard_core::{BrokerError, BrokerEvents};

use super::state::Shard;
use crate::redis::command::{Command, claims, offline_queue, owner, publish, script_call::ScriptCall};

/// Acts on the reply to `command`; a command that has to follow is returned.
pub(crate) fn interpret(
    command: Command,
    reply: Result<Value, BrokerError>,
    shard: &Shard,
    events: &dyn BrokerEvents,
) -> Option<Command> {
    match command {
        Command::Publish { mid, to, .. } => {
            events.on_published(mid, &to, reply.and_then(|reply| publish::read(&reply)));
        }
        Command::PublishToRoom { mid, room, .. } => {
            let outcome = reply.and_then(|reply| publish::read(&reply));
            events.on_room_published(&room, mid, outcome.map(drop));
        }
        Command::Locate { asker, to } => {
            let owner = reply.and_then(|reply| owner::read(&reply));
            return locate::located(asker, to, owner, shard, events);
        }
        Command::ReadOwner { answer, .. } => {
            // An error means that the attach has given up.
            let _ = answer.send(reply.and_then(|reply| owner::read(&reply)));
        }
        Command::CheckLease { owner, next } => {
            let lease = reply.and_then(|reply| owner::read_lease(&reply));
            return locate::lease_checked(*owner, next, lease, shard, events);
        }
        Command::CheckAbsence(absent) => {
            let lease = reply.and_then(|reply| owner::read_lease(&reply));
            absent::checked(absent, lease, shard, events);
        }
        Command::PublishToNode { .. } => {}
        Command::Probe { nonce } => shard.probe.on_published(nonce, reply.is_ok()),
        Command::Query { answer, .. } => {
            // An error means that the caller has given up.
            let _ = answer.send(reply);
        }
        Command::Flush(answer) => {
            // An error means that the caller has given up.
            let _ = answer.send(());
        }
        Command::Script { call, .. } => return script(*call, reply, shard, events),
    }
    None
}

fn script(
    call: ScriptCall,
    reply: Result<Value, BrokerError>,
    shard: &Shard,
    events: &dyn BrokerEvents,
) -> Option<Command> {
    match call {
        ScriptCall::Claim {
            claim, epoch, answer, ..
        } => {
            let outcome = reply.and_then(|reply| claims::read_claimed(&reply));
            // The attach may have given up. The claim stands all the same and must not be forgotten.
            if let Err(Ok(claimed)) = answer.send(outcome) {
                claimed::adopt(shard, &claim, claimed, epoch, events);
            }
        }
        ScriptCall::Reassert { answer, .. } => {
            // Only the claim worker asks; it is gone only when the broker is.
            let _ = answer.send(reply.and_then(|reply| claims::read_reasserted(&reply)));
        }
        ScriptCall::Release(release) => {
            if reply == Err(BrokerError::Unavailable) {
                shard.pending.add_release(release);
            }
        }
        ScriptCall::ChargeHold(message, force) => {
            let fits = reply.and_then(|reply| offline_queue::read_charge_hold(&reply));
            return store::charged(message, force, fits, events);
        }
        ScriptCall::Store(message, force) | ScriptCall::StoreHeld(message, force) => {
            let outcome = reply.and_then(|reply| offline_queue::read_store(&reply));
            return store::stored(message, &force, outcome, shard, events);
        }
        ScriptCall::ReadOfflineQueue(key, session) => {
            let messages = reply.and_then(offline_queue::read_messages).unwrap_or_default();
            if !messages.is_empty() {
                events.on_offline_queue(&key, session, messages);
            }
        }
        // Lost with the connection, stored messages come again with the next claim, and the node knows them.
        ScriptCall::RemoveStored { .. } | ScriptCall::Touch(..) => {}
        ScriptCall::Room(call) => rooms::answered(call, reply, shard, events),
    }
    None
}

#[cfg(test)]
mod tests;
