//! One command for Redis on the publisher's connection: how it is written, and what its answer means. Not
//! when it is sent (`link`), nor the scripts (`call`).

use redis::{Cmd, Pipeline, Value};
use switchboard_core::{BrokerError, BrokerEvents, Presence, StoreOutcome, StoredMessage};
use switchboard_protocol::{Mid, NodeId, PeerKey};
use switchboard_telemetry::RedisOp;
use tokio::sync::oneshot;

use super::{
    call::{self, Call, Force},
    keys, probe,
    record::{self, Holder},
    shared::Shared,
};
use crate::queue::Weighed;

/// Queued for the publisher. Every one of them is finished exactly once, whatever happens.
#[derive(Debug)]
pub(crate) enum Command {
    /// Publish an envelope on a peer's channel.
    Publish {
        mid: Mid,
        to: PeerKey,
        envelope: Vec<u8>,
    },
    /// Read a peer's record.
    Locate { mid: Mid, to: PeerKey },
    /// Read who holds a peer that is to be claimed.
    Holder {
        key: PeerKey,
        answer: oneshot::Sender<Result<Option<Holder>, BrokerError>>,
    },
    /// Does the run of the node that a record names still live?
    Lives { holder: Box<Holder>, next: Next },
    /// Publish into a node's inbox.
    Inbox { node: NodeId, message: Vec<u8> },
    /// Publish into this node's own inbox, to hear it.
    Probe { nonce: u64 },
    /// Nothing; answered when everything before it is.
    Flush(oneshot::Sender<()>),
    /// Call a script.
    Script { call: Box<Call>, with_source: bool },
}

/// Why it is asked whether a node lives.
#[derive(Debug)]
pub(crate) enum Next {
    /// To say where the peer is.
    Located { mid: Mid, to: PeerKey },
    /// To leave this in the peer's mailbox.
    Leave(Box<StoredMessage>),
}

impl Weighed for Command {
    fn bytes(&self) -> usize {
        match self {
            Self::Publish { envelope, .. } => envelope.len(),
            Self::Inbox { message, .. } => message.len(),
            Self::Script { call, .. } => call.bytes(),
            Self::Locate { .. }
            | Self::Holder { .. }
            | Self::Lives { .. }
            | Self::Probe { .. }
            | Self::Flush(_) => 0,
        }
    }
}

impl Command {
    /// A call of a script.
    pub(crate) fn script(call: Call) -> Self {
        Self::Script {
            call: Box::new(call),
            with_source: false,
        }
    }

    /// Leaves `letter` in a mailbox.
    pub(crate) fn leave(letter: StoredMessage) -> Self {
        let force = if letter.is_urgent {
            Force::Urgent
        } else {
            Force::No
        };
        Self::script(Call::Leave(letter, force))
    }

    /// Its name in metrics.
    pub(crate) fn operation(&self) -> RedisOp {
        match self {
            Self::Publish { .. } | Self::Inbox { .. } | Self::Probe { .. } => RedisOp::Publish,
            Self::Locate { .. } | Self::Holder { .. } | Self::Lives { .. } => RedisOp::Locate,
            Self::Flush(_) => RedisOp::Ping,
            Self::Script { call, .. } => call.operation(),
        }
    }

    /// Writes it; `channel` is scratch space.
    pub(crate) fn write(&self, shared: &Shared, channel: &mut Vec<u8>, pipeline: &mut Pipeline) {
        let command = match self {
            Self::Publish { to, envelope, .. } => {
                channel.clear();
                keys::write_channel(to.as_str(), channel);
                publish(channel, envelope)
            }
            Self::Inbox { node, message } => publish(keys::inbox(node.as_str()).as_bytes(), message),
            Self::Probe { nonce } => publish(
                keys::inbox(shared.node.as_str()).as_bytes(),
                &probe::encode(*nonce),
            ),
            Self::Locate { to: key, .. } | Self::Holder { key, .. } => record::ask_holder(key),
            Self::Lives { holder, .. } => {
                let mut command = Cmd::with_capacity(2, 96);
                command.arg("GET").arg(keys::lease(holder.node.as_str()));
                command
            }
            Self::Flush(_) => redis::cmd("PING"),
            Self::Script { call, with_source } => call.write(shared, *with_source),
        };
        pipeline.add_command(command);
    }

    /// Reports the answer; a command that must follow is returned.
    pub(crate) fn finish(
        self,
        reply: Result<Value, BrokerError>,
        shared: &Shared,
        events: &dyn BrokerEvents,
    ) -> Option<Self> {
        match self {
            Self::Publish { mid, to, envelope: _ } => {
                events.on_published(mid, &to, reply.and_then(|reply| count(&reply)));
                None
            }
            Self::Locate { mid, to } => finish_locate(mid, to, reply, shared, events),
            Self::Holder { answer, .. } => {
                // Whoever asked may have given up.
                let _ = answer.send(reply.and_then(|reply| record::read_holder(&reply)));
                None
            }
            Self::Lives { holder, next } => {
                let is_dead = reply.and_then(|reply| call::is_dead(&reply, &holder, shared));
                next.go_on(is_dead, *holder, events)
            }
            Self::Inbox { .. } => None,
            Self::Probe { nonce } => {
                shared.probe.on_published(nonce, reply.is_ok());
                None
            }
            Self::Flush(waiting) => {
                // Whoever waited may have given up.
                let _ = waiting.send(());
                None
            }
            Self::Script { call, .. } => call.finish(reply, shared, events),
        }
    }

    /// The same command with the script's source, for a Redis that has forgotten the script.
    pub(crate) fn with_source(self) -> Result<Self, Self> {
        match self {
            Self::Script {
                call,
                with_source: false,
            } => Ok(Self::Script {
                call,
                with_source: true,
            }),
            other @ (Self::Script { .. }
            | Self::Publish { .. }
            | Self::Locate { .. }
            | Self::Holder { .. }
            | Self::Lives { .. }
            | Self::Inbox { .. }
            | Self::Flush(_)
            | Self::Probe { .. }) => Err(other),
        }
    }
}

fn finish_locate(
    mid: Mid,
    to: PeerKey,
    reply: Result<Value, BrokerError>,
    shared: &Shared,
    events: &dyn BrokerEvents,
) -> Option<Command> {
    let outcome = match reply.and_then(|reply| record::read_holder(&reply)) {
        Ok(Some(holder)) if holder.is_attached => {
            return Some(Command::Lives {
                holder: Box::new(holder),
                next: Next::Located { mid, to },
            });
        }
        Ok(Some(_)) => Ok(Presence::Detached),
        Ok(None) => shared.absence_proves_something().map(|()| Presence::Offline),
        Err(error) => Err(error),
    };
    events.on_located(mid, &to, outcome);
    None
}

impl Next {
    fn go_on(
        self,
        is_dead: Result<bool, BrokerError>,
        holder: Holder,
        events: &dyn BrokerEvents,
    ) -> Option<Command> {
        match (self, is_dead) {
            (Self::Located { mid, to }, is_dead) => {
                let outcome = is_dead.map(|is_dead| {
                    if is_dead {
                        Presence::Offline
                    } else {
                        Presence::Attached { node: holder.node }
                    }
                });
                events.on_located(mid, &to, outcome);
                None
            }
            (Self::Leave(letter), Ok(true)) => Some(Command::script(Call::Leave(
                *letter,
                Force::HolderIsDead(holder.incarnation),
            ))),
            (Self::Leave(letter), outcome) => {
                events.on_stored(letter.mid, &letter.to, outcome.map(|_| StoreOutcome::Attached));
                None
            }
        }
    }
}

fn publish(channel: &[u8], payload: &[u8]) -> Cmd {
    let mut command = Cmd::with_capacity(3, 7 + channel.len() + payload.len());
    command.arg("PUBLISH").arg(channel).arg(payload);
    command
}

fn count(reply: &Value) -> Result<u64, BrokerError> {
    redis::from_redis_value_ref(reply).map_err(|_| BrokerError::Refused)
}
