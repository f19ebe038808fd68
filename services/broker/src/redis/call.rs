//! One call of a script on a peer's record: its arguments and what follows from its answer. Not the scripts'
//! text (`scripts`), nor commands that are no scripts (`command`).

use std::time::Duration;

use bytes::Bytes;
use redis::{Cmd, Value};
use switchboard_core::{BrokerError, BrokerEvents, Retention, StoreOutcome, StoredMessage};
use switchboard_protocol::{NodeId, NodeMessage, PeerKey, SessionId};
use switchboard_telemetry::RedisOp;
use tokio::sync::oneshot;

use super::{
    command::{Command, Next},
    lease::LEASE,
    record::{self, Claimed, Holder},
    scripts::Operation,
    shared::Shared,
    subscriber::desired::Holding,
};
use crate::keys;

/// Letters that one mailbox holds.
const MAILBOX_LETTERS: usize = 256;

/// Bytes that one mailbox holds.
const MAILBOX_BYTES: usize = 1024 * 1024;

/// What to do.
#[derive(Debug)]
pub(crate) enum Call {
    /// Claim a peer.
    Claim {
        holding: Holding,
        resume: bool,
        window: Duration,
        /// The epoch it counts for.
        epoch: u32,
        answer: oneshot::Sender<Result<Claimed, BrokerError>>,
    },
    /// Write a claim again, after Redis may have lost it.
    Reassert {
        holding: Holding,
        answer: oneshot::Sender<Result<Option<u64>, BrokerError>>,
    },
    /// Let a claim go; with something to keep, for a resume.
    LetGo(LettingGo),
    /// Leave a message in a mailbox.
    Leave(StoredMessage, Force),
    /// Look into the mailbox of a peer that is attached here.
    Look(PeerKey, SessionId),
    /// Drop the oldest letters.
    MailDone {
        key: PeerKey,
        session: SessionId,
        letters: usize,
        bytes: usize,
    },
    /// Say that a client was just heard.
    Alive(PeerKey, SessionId),
}

/// A claim to be let go.
#[derive(Debug, Clone)]
pub(crate) struct LettingGo {
    pub(crate) holding: Holding,
    pub(crate) keep: Option<Retention>,
}

/// Whether a letter goes into the mailbox of an attached peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Force {
    No,
    Urgent,
    /// The lease of this run of the holder has run out; nobody else's record is touched.
    HolderIsDead(String),
}

impl Force {
    fn code(&self) -> (u8, &str) {
        match self {
            Self::No => (0, ""),
            Self::Urgent => (1, ""),
            Self::HolderIsDead(run) => (2, run),
        }
    }
}

impl Call {
    pub(crate) fn operation(&self) -> RedisOp {
        match self {
            Self::Claim { .. } | Self::Reassert { .. } => RedisOp::Claim,
            Self::LetGo(_) => RedisOp::Release,
            Self::Leave(..) | Self::Look(..) | Self::MailDone { .. } | Self::Alive(..) => {
                RedisOp::OfflineQueue
            }
        }
    }

    /// Payload bytes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Leave(letter, _) => letter.envelope.len(),
            Self::Claim { .. }
            | Self::Reassert { .. }
            | Self::LetGo(_)
            | Self::Look(..)
            | Self::MailDone { .. }
            | Self::Alive(..) => 0,
        }
    }

    /// The command; `with_source` is for a Redis that has forgotten the script.
    pub(crate) fn write(&self, shared: &Shared, with_source: bool) -> Cmd {
        let begin = |operation, keys| shared.scripts.call(operation, keys, with_source);
        match self {
            Self::Claim {
                holding,
                resume,
                window,
                ..
            } => {
                let mut command = both(begin(Operation::Claim, 2), &holding.key);
                ours(&mut command, shared, holding.session);
                command
                    .arg(holding.secret().expose())
                    .arg(u8::from(*resume))
                    .arg(millis(*window));
                command
            }
            Self::Reassert { holding, .. } => {
                let mut command = begin(Operation::Reassert, 1);
                command.arg(keys::session(holding.key.as_str()));
                ours(&mut command, shared, holding.session);
                command.arg(holding.secret().expose()).arg(holding.fence);
                command
            }
            Self::LetGo(letting_go) => letting_go.write(shared, with_source),
            Self::Leave(letter, force) => {
                let mut command = both(begin(Operation::Leave, 2), &letter.to);
                command
                    .arg(text(letter.mid.session))
                    .arg(format!("{:020}", letter.id))
                    .arg(format!("{:020}", letter.prev.unwrap_or_default()))
                    .arg(force.code().0)
                    .arg(&letter.envelope)
                    .arg(MAILBOX_LETTERS)
                    .arg(MAILBOX_BYTES)
                    .arg(millis(letter.window))
                    .arg(force.code().1);
                command
            }
            Self::Look(key, session) => {
                let mut command = both(begin(Operation::Look, 2), key);
                ours(&mut command, shared, *session);
                command
            }
            Self::MailDone {
                key,
                session,
                letters,
                bytes,
            } => {
                let mut command = both(begin(Operation::MailDone, 2), key);
                ours(&mut command, shared, *session);
                command.arg(*letters).arg(*bytes);
                command
            }
            Self::Alive(key, session) => {
                let mut command = begin(Operation::Alive, 1);
                command.arg(keys::session(key.as_str()));
                ours(&mut command, shared, *session);
                command
            }
        }
    }

    /// Reports the answer; what must follow is returned.
    pub(crate) fn finish(
        self,
        reply: Result<Value, BrokerError>,
        shared: &Shared,
        events: &dyn BrokerEvents,
    ) -> Option<Command> {
        match self {
            Self::Claim {
                holding,
                epoch,
                answer,
                ..
            } => {
                let outcome = reply.and_then(|reply| record::read_claimed(&reply, holding.session));
                // Whoever asked may have gone; the claim stands all the same and must not be forgotten.
                if let Err(Ok(claimed)) = answer.send(outcome) {
                    shared.claim_landed(&holding, claimed, epoch, events);
                }
                None
            }
            Self::Reassert { answer, .. } => {
                let outcome = reply.and_then(|reply| record::read_reasserted(&reply));
                // Only the reclaiming task asks; it is gone only when the broker is.
                let _ = answer.send(outcome);
                None
            }
            Self::LetGo(letting_go) => {
                if reply == Err(BrokerError::Unavailable) {
                    shared.keep(|kept| kept.letting_go.push_back(letting_go));
                }
                None
            }
            Self::Leave(letter, force) => finish_leave(letter, force, reply, shared, events),
            Self::Look(key, session) => {
                let letters = reply
                    .and_then(|reply| {
                        redis::from_redis_value::<Vec<Vec<u8>>>(reply).map_err(|_| BrokerError::Refused)
                    })
                    .unwrap_or_default();
                if !letters.is_empty() {
                    events.on_offline_queue(&key, session, letters.into_iter().map(Bytes::from).collect());
                }
                None
            }
            // Lost with the connection: the letters come again with the next claim, and are told from new ones.
            Self::MailDone { .. } | Self::Alive(..) => None,
        }
    }
}

impl LettingGo {
    /// The command that lets go, or keeps for a resume.
    pub(crate) fn write(&self, shared: &Shared, with_source: bool) -> Cmd {
        let Holding {
            key, session, fence, ..
        } = &self.holding;
        let operation = if self.keep.is_some() {
            Operation::Detach
        } else {
            Operation::Release
        };
        let mut command = both(shared.scripts.call(operation, 2, with_source), key);
        command.arg(text(*session)).arg(shared.node.as_str()).arg(*fence);
        if let Some(Retention {
            snapshot: saved,
            window,
        }) = &self.keep
        {
            let (last, tail) = match saved {
                Some(saved) => (saved.last_seq.to_string(), record::write_tail(&saved.tail)),
                None => (String::new(), Vec::new()),
            };
            command.arg(last).arg(tail).arg(millis(*window));
            for (sender, marks) in saved.iter().flat_map(|saved| &saved.accepted) {
                command.arg(text(*sender)).arg(record::write_marks(marks));
            }
        }
        command
    }
}

fn finish_leave(
    letter: StoredMessage,
    force: Force,
    reply: Result<Value, BrokerError>,
    shared: &Shared,
    events: &dyn BrokerEvents,
) -> Option<Command> {
    let read = reply
        .and_then(|reply| redis::from_redis_value::<Vec<String>>(reply).map_err(|_| BrokerError::Refused));
    let words: Vec<String> = match read {
        Ok(words) => words,
        Err(error) => {
            events.on_stored(letter.mid, &letter.to, Err(error));
            return None;
        }
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["offline"] => shared.absence_proves_something().map(|()| StoreOutcome::Offline),
        ["attached", node, incarnation] if force == Force::No => {
            let Ok(node) = NodeId::new(node) else {
                events.on_stored(letter.mid, &letter.to, Err(BrokerError::Refused));
                return None;
            };
            let holder = Holder {
                node,
                incarnation: incarnation.to_owned(),
                session: String::new(),
                is_attached: true,
                alive: None,
            };
            return Some(Command::Lives {
                holder: Box::new(holder),
                next: Next::Leave(Box::new(letter)),
            });
        }
        ["attached", ..] => Ok(StoreOutcome::Attached),
        ["queued", kept_ms, node] => {
            if force == Force::Urgent {
                hint(node, &letter.to, shared);
            }
            let kept_ms = kept_ms.parse().unwrap_or_default();
            Ok(StoreOutcome::Queued(Duration::from_millis(kept_ms)))
        }
        ["delivered"] => Ok(StoreOutcome::Delivered),
        ["late"] => Ok(StoreOutcome::Late),
        ["gap"] => Ok(StoreOutcome::Gap),
        ["full"] => Ok(StoreOutcome::Full),
        _ => Err(BrokerError::Refused),
    };
    events.on_stored(letter.mid, &letter.to, outcome);
    None
}

/// Whether the holder's lease has run out, and that proves something.
pub(crate) fn is_dead(lease: &Value, holder: &Holder, shared: &Shared) -> Result<bool, BrokerError> {
    let lease: Option<String> = redis::from_redis_value_ref(lease).map_err(|_| BrokerError::Refused)?;
    if lease.as_deref() == Some(&holder.incarnation) {
        return Ok(false);
    }
    if lease.is_none() {
        // An outage may have kept that node from renewing it: only a full period with Redis up is proof.
        shared.health.reachable_for(LEASE)?;
    }
    shared.absence_proves_something()?;
    Ok(true)
}

/// If that node lives after all, it looks into the mailbox.
fn hint(node: &str, key: &PeerKey, shared: &Shared) {
    let Ok(node) = NodeId::new(node) else { return };
    let message = NodeMessage::OfflineQueueHint { key: key.clone() }.encode();
    if let Err(error) = shared.send(Command::Inbox { node, message }) {
        tracing::debug!(%error, "a hint was not sent; the mailbox is found at the next claim");
    }
}

fn both(mut command: Cmd, key: &PeerKey) -> Cmd {
    command
        .arg(keys::session(key.as_str()))
        .arg(keys::mailbox(key.as_str()));
    command
}

/// The arguments that tell this run of this node's session from any other.
fn ours(command: &mut Cmd, shared: &Shared, session: SessionId) {
    command
        .arg(text(session))
        .arg(shared.node.as_str())
        .arg(shared.lease.incarnation());
}

fn text(session: SessionId) -> Vec<u8> {
    let mut text = Vec::with_capacity(SessionId::CHARS);
    session.write(&mut text);
    text
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
