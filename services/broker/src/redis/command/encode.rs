//! Writes commands as this run of this node. The hot path: PUBLISH allocates only its own bytes.

use redis::{Cmd, Pipeline};
use switchboard_protocol::NodeId;

use super::{
    super::probe_payload, Command, caller::Caller, claims, offline_queue, owner, publish, rooms,
    script_call::ScriptCall,
};

/// Appends `command` to `pipeline`; `channel` is scratch space.
pub(crate) fn write(command: &Command, caller: &Caller, channel: &mut Vec<u8>, pipeline: &mut Pipeline) {
    pipeline.add_command(match command {
        Command::Publish {
            to,
            partition,
            envelope,
            mid: _,
        } => {
            channel.clear();
            caller.names.write_channel(*partition, to.as_str(), channel);
            publish::write(caller.names.verbs(), channel, envelope)
        }
        Command::PublishToRoom {
            room,
            partition,
            envelope,
            mid: _,
        } => {
            channel.clear();
            caller
                .names
                .write_room_channel(*partition, room.as_str(), channel);
            publish::write(caller.names.verbs(), channel, envelope)
        }
        Command::PublishToNode { node, message } => publish_to_node(caller, node, message),
        Command::Probe { nonce } => publish_to_node(caller, &caller.run.node, &probe_payload::encode(*nonce)),
        Command::Locate { to: key, .. } | Command::ReadOwner { key, .. } => owner::write(caller, key),
        Command::CheckLease { owner, .. } => owner::write_lease(caller, &owner.node),
        Command::CheckAbsence(_) => owner::write_lease(caller, &caller.run.node),
        Command::Query { call, .. } => Cmd::clone(call),
        Command::Flush(_) => redis::cmd("PING"),
        Command::Script { call, with_source } => script(call, caller, *with_source),
    });
}

fn publish_to_node(caller: &Caller, node: &NodeId, message: &[u8]) -> Cmd {
    let channel = caller.names.node_channel(node.as_str());
    publish::write(caller.names.verbs(), channel.as_bytes(), message)
}

fn script(call: &ScriptCall, caller: &Caller, with_source: bool) -> Cmd {
    match call {
        ScriptCall::Claim {
            claim,
            resume,
            window,
            ..
        } => claims::write_claim(caller, claim, *resume, *window, with_source),
        ScriptCall::Reassert { claim, .. } => claims::write_reassert(caller, claim, with_source),
        ScriptCall::Release(release) => claims::write_release(caller, release, with_source),
        ScriptCall::Store(message, force) => {
            offline_queue::write_store(caller, message, force, false, with_source)
        }
        ScriptCall::StoreHeld(message, force) => {
            offline_queue::write_store(caller, message, force, true, with_source)
        }
        ScriptCall::ChargeHold(message, _) => offline_queue::write_charge_hold(caller, message, with_source),
        ScriptCall::ReadOfflineQueue(key, session) => {
            offline_queue::write_read(caller, key, *session, with_source)
        }
        ScriptCall::RemoveStored {
            key,
            session,
            messages,
            bytes,
        } => offline_queue::write_remove(caller, key, *session, (*messages, *bytes), with_source),
        ScriptCall::Touch(key, session) => offline_queue::write_touch(caller, key, *session, with_source),
        ScriptCall::Room(call) => rooms::write(call, caller, with_source),
    }
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
