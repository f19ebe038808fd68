//! Connections to servers that a slot of a Redis Cluster moves to: they answer for it only to those who say ASKING. Such a server
//! may have no shard yet. Not who is to be asked (`detours`).
//!
//! Until the slot has moved, every subscriber is on the old server. So the scripts publish nothing on the new one: they return it,
//! and the node publishes it where the slot's subscribers are (docs/adr/0061).

use std::collections::VecDeque;

use redis::{Cmd, Pipeline, Value};
use switchboard_telemetry::RedisOp;
use tokio::sync::oneshot;

use super::{
    command::{Command, encode, publish},
    detours::Redirect,
    dial::{CommandConnection, dial_for_commands},
    endpoint::{Address, Location},
    shard::state::Shard,
};
use crate::partition::Partition;

/// The connection to the server that was asked last.
#[derive(Default)]
pub(super) struct Asking(Option<(Address, CommandConnection)>);

impl Asking {
    /// Sends `commands`; a reply for each.
    pub(super) async fn send(
        &mut self,
        shard: &Shard,
        address: Address,
        commands: &VecDeque<Command>,
    ) -> Result<Vec<Value>, String> {
        let mut pipeline = Pipeline::with_capacity(commands.len());
        let mut channel = Vec::new();
        for command in commands {
            encode::write(command, &shard.caller, &mut channel, &mut pipeline);
        }
        self.ask(shard, address, &pipeline).await
    }

    /// Asks `address` for the commands of a pipeline; a reply for each.
    pub(super) async fn ask(
        &mut self,
        shard: &Shard,
        address: Address,
        pipeline: &Pipeline,
    ) -> Result<Vec<Value>, String> {
        let mut asking = Pipeline::with_capacity(2 * pipeline.len());
        let mut return_publications = Vec::with_capacity(pipeline.len());
        for command in pipeline.cmd_iter() {
            let (command, returns) = shard.caller.scripts.for_importing(command);
            asking.cmd("ASKING");
            asking.add_command(command);
            return_publications.push(returns);
        }
        let replies = self.query(shard, address, &asking).await?;
        // The others are those to ASKING.
        let replies = replies.into_iter().skip(1).step_by(2);
        let replies = replies
            .zip(return_publications)
            .map(|(reply, returns)| match returns {
                true => without_publications(shard, reply),
                false => reply,
            });
        Ok(replies.collect())
    }

    async fn query(
        &mut self,
        shard: &Shard,
        address: Address,
        pipeline: &Pipeline,
    ) -> Result<Vec<Value>, String> {
        let connection = match self.0.take().filter(|(known, _)| *known == address) {
            Some((_, connection)) => connection,
            None => {
                let endpoint = &shard.endpoint;
                let place = endpoint.at(Location::Fixed(address.clone()), endpoint.names.clone());
                dial_for_commands(&place).await?
            }
        };
        let mut commands = connection.commands.clone();
        let sent = commands.send_packed_commands(pipeline, 0, pipeline.len());
        let replies = sent.await.map_err(|error| error.to_string())?;
        self.0 = Some((address, connection));
        Ok(replies)
    }
}

/// The reply to `call`, which names keys of the shard itself: while its home is half moved, that of the server that the home moves to.
///
/// # Errors
/// Why that server did not answer, for people.
pub(crate) async fn follow(shard: &Shard, call: &Cmd, reply: Value) -> Result<Value, String> {
    let Value::ServerError(error) = &reply else {
        return Ok(reply);
    };
    let Some(Redirect::Ask(address)) = Redirect::of_error(error) else {
        return Ok(reply);
    };
    let mut pipeline = Pipeline::with_capacity(1);
    pipeline.add_command(call.clone());
    let mut replies = Asking::default().ask(shard, address, &pipeline).await?;
    replies
        .pop()
        .ok_or_else(|| "the server that the home moves to answered nothing".to_owned())
}

/// The reply of a script; what it would have published is published where the subscribers are.
fn without_publications(shard: &Shard, reply: Value) -> Value {
    let Value::Array(mut pair) = reply else {
        return reply;
    };
    let (Some(Value::Array(published)), Some(reply)) = (pair.pop(), pair.pop()) else {
        return Value::Nil;
    };
    for publication in published.chunks_exact(2) {
        if let [Value::BulkString(channel), Value::BulkString(payload)] = publication {
            publish_at_owner(shard, channel, payload);
        }
    }
    reply
}

fn publish_at_owner(shard: &Shard, channel: &[u8], payload: &[u8]) {
    let names = &shard.caller.names;
    let tag = std::str::from_utf8(channel)
        .ok()
        .and_then(|name| names.tag_and_kind(name));
    let Some(partition) = tag.and_then(|(tag, _)| Partition::of_tag(tag)) else {
        return;
    };
    // Nobody needs the answer.
    let (answer, _) = oneshot::channel();
    let command = Command::Query {
        operation: RedisOp::Publish,
        partition: Some(partition),
        call: Box::new(publish::write(names.verbs(), channel, payload)),
        answer,
    };
    // Past the detour, which waits for scripts that Redis will not run before the slot has moved.
    let sent = shard.at(partition, |shard, _| shard.send_here(command));
    if let Err((error, _)) = sent {
        tracing::debug!(%error, "nodes learn a change in a slot that moves when it has moved");
    }
}
