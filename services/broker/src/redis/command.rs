//! One command for Redis on the publisher's connection: how it is written, and what its answer means. Not
//! when it is sent (`link`).

use redis::{Cmd, Pipeline, Value};
use switchboard_core::{BrokerError, BrokerEvents, Presence};
use switchboard_protocol::{Mid, NodeId, PeerKey};
use switchboard_telemetry::RedisOp;
use tokio::sync::oneshot;

use super::{
    claims::{self, Claimed, Operation},
    keys,
    lease::LEASE,
    probe,
    shared::Shared,
    subscriber::desired::Holding,
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
    /// Second half of a locate: does the run of the node that the record names still live?
    Lives {
        mid: Mid,
        to: PeerKey,
        holder: Box<Holder>,
    },
    /// Publish into a node's inbox.
    Inbox { node: NodeId, message: Vec<u8> },
    /// Publish into this node's own inbox, to hear it.
    Probe { nonce: u64 },
    /// Run a script on a peer's record.
    Record(Box<Record>),
}

/// Who holds a peer, by its record.
#[derive(Debug)]
pub(crate) struct Holder {
    node: NodeId,
    incarnation: String,
}

/// A call of a script.
#[derive(Debug)]
pub(crate) struct Record {
    holding: Holding,
    answer: Answer,
    epoch: u32,
    with_source: bool,
}

/// Where the answer of a script goes.
#[derive(Debug)]
pub(crate) enum Answer {
    Claim(oneshot::Sender<Result<Claimed, BrokerError>>),
    Reassert(oneshot::Sender<Result<Option<u64>, BrokerError>>),
    Release,
}

impl Weighed for Command {
    fn bytes(&self) -> usize {
        match self {
            Self::Publish { envelope, .. } => envelope.len(),
            Self::Inbox { message, .. } => message.len(),
            Self::Locate { .. } | Self::Lives { .. } | Self::Probe { .. } | Self::Record(_) => 0,
        }
    }
}

impl Command {
    /// A claim or re-assertion; `epoch` is the one it counts for.
    pub(crate) fn record(holding: Holding, answer: Answer, epoch: u32) -> Self {
        Self::Record(Box::new(Record {
            holding,
            answer,
            epoch,
            with_source: false,
        }))
    }

    /// The release of a claim.
    pub(crate) fn release(holding: Holding) -> Self {
        Self::record(holding, Answer::Release, 0)
    }

    /// Its name in metrics.
    pub(crate) fn operation(&self) -> RedisOp {
        match self {
            Self::Publish { .. } | Self::Inbox { .. } | Self::Probe { .. } => RedisOp::Publish,
            Self::Locate { .. } | Self::Lives { .. } => RedisOp::Locate,
            Self::Record(record) => match record.answer {
                Answer::Claim(_) | Answer::Reassert(_) => RedisOp::Claim,
                Answer::Release => RedisOp::Release,
            },
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
            Self::Locate { to, .. } => claims::holder(to),
            Self::Lives { holder, .. } => {
                let mut command = Cmd::with_capacity(2, 96);
                command.arg("GET").arg(keys::lease(holder.node.as_str()));
                command
            }
            Self::Record(record) => shared.scripts.call(
                match record.answer {
                    Answer::Claim(_) => Operation::Claim,
                    Answer::Reassert(_) => Operation::Reassert,
                    Answer::Release => Operation::Release,
                },
                &record.holding,
                &shared.node,
                &shared.lease,
                record.with_source,
            ),
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
                events.published(mid, &to, reply.and_then(|reply| count(&reply)));
                None
            }
            Self::Locate { mid, to } => match reply.and_then(|reply| holder(&reply)) {
                Ok(Some(holder)) => Some(Self::Lives {
                    mid,
                    to,
                    holder: Box::new(holder),
                }),
                Ok(None) => {
                    let outcome = shared.absence_proves_something().map(|()| Presence::Offline);
                    events.located(mid, &to, outcome);
                    None
                }
                Err(error) => {
                    events.located(mid, &to, Err(error));
                    None
                }
            },
            Self::Lives { mid, to, holder } => {
                events.located(
                    mid,
                    &to,
                    reply.and_then(|reply| presence(&reply, *holder, shared)),
                );
                None
            }
            Self::Inbox { .. } => None,
            Self::Probe { nonce } => {
                shared.probe.published(nonce, reply.is_ok());
                None
            }
            Self::Record(record) => record.finish(reply, shared),
        }
    }

    /// The same command with the script's source, for a Redis that has forgotten the script.
    pub(crate) fn with_source(self) -> Result<Self, Self> {
        match self {
            Self::Record(mut record) if !record.with_source => {
                record.with_source = true;
                Ok(Self::Record(record))
            }
            other @ (Self::Record(_)
            | Self::Publish { .. }
            | Self::Locate { .. }
            | Self::Lives { .. }
            | Self::Inbox { .. }
            | Self::Probe { .. }) => Err(other),
        }
    }
}

impl Record {
    fn finish(self, reply: Result<Value, BrokerError>, shared: &Shared) -> Option<Command> {
        let Holding { key, session, .. } = &self.holding;
        match self.answer {
            Answer::Claim(waiting) => {
                let outcome = reply.and_then(|reply| claims::read_claimed(&reply, *session));
                // Whoever asked may have gone; the claim stands all the same and must not be forgotten.
                if let Err(Ok(claimed)) = waiting.send(outcome) {
                    shared.claim_landed(key, *session, claimed, self.epoch);
                }
            }
            Answer::Reassert(waiting) => {
                let outcome = reply.and_then(|reply| claims::read_reasserted(&reply));
                // Only the reclaiming task asks; it is gone only when the broker is.
                let _ = waiting.send(outcome);
            }
            Answer::Release => {
                if reply == Err(BrokerError::Unavailable) {
                    shared.keep(|kept| kept.releases.push_back(self.holding));
                }
            }
        }
        None
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

fn holder(reply: &Value) -> Result<Option<Holder>, BrokerError> {
    let (node, incarnation): (Option<String>, Option<String>) =
        redis::from_redis_value_ref(reply).map_err(|_| BrokerError::Refused)?;
    Ok(node.zip(incarnation).and_then(|(node, incarnation)| {
        let node = NodeId::new(&node).ok()?;
        Some(Holder { node, incarnation })
    }))
}

fn presence(reply: &Value, holder: Holder, shared: &Shared) -> Result<Presence, BrokerError> {
    let lease: Option<String> = redis::from_redis_value_ref(reply).map_err(|_| BrokerError::Refused)?;
    if lease.as_deref() == Some(&holder.incarnation) {
        return Ok(Presence::Attached { node: holder.node });
    }
    if lease.is_none() {
        // An outage may have kept that node from renewing it: only a full period with Redis up is proof.
        shared.health.reachable_for(LEASE)?;
    }
    shared.absence_proves_something()?;
    Ok(Presence::Offline)
}
