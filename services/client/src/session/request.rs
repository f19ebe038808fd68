//! What an application asks of its session, owned until the node's answer. Not here: when it is written (`outbox`).

use std::{borrow::Cow, time::Duration};

use serde_json::value::RawValue;
use switchboard_protocol::{Command, JoinCommand, MessageKind, SendCommand, SendTarget, encode_command};

/// One command with an answer.
#[derive(Debug)]
pub(super) enum Request {
    /// A message. Its answer is its outcome.
    Send {
        kind: MessageKind,
        to: Target,
        payload: Box<RawValue>,
        hold: Option<Duration>,
    },
    /// Become a member of a room.
    Join {
        room: String,
        info: Option<Box<RawValue>>,
    },
    /// Stop being a member of a room.
    Leave { room: String },
    /// The presence of peers, once.
    Lookup { peers: Vec<String> },
    /// The presence of peers, now and at each change.
    Watch { peers: Vec<String> },
    /// The end of a watch.
    Unwatch { peers: Vec<String> },
}

/// Who gets a message.
#[derive(Debug)]
pub(super) enum Target {
    Peer(String),
    Room(String),
}

impl Request {
    /// The frame of this request, with this `id`.
    pub(super) fn text(&self, id: u64) -> String {
        encode_command(&self.command(Some(id)))
    }

    fn command(&self, id: Option<u64>) -> Command<'_> {
        match self {
            Self::Send {
                kind,
                to,
                payload,
                hold,
            } => Command::Send(SendCommand {
                kind: *kind,
                to: match to {
                    Target::Peer(peer) => SendTarget::Peer(peer.into()),
                    Target::Room(room) => SendTarget::Room(room.into()),
                },
                payload,
                id,
                hold_ms: hold.map(|hold| u64::try_from(hold.as_millis()).unwrap_or(u64::MAX)),
            }),
            Self::Join { room, info } => Command::Join(JoinCommand {
                room: room.into(),
                info: info.as_deref(),
                id,
            }),
            Self::Leave { room } => Command::Leave {
                room: room.into(),
                id,
            },
            Self::Lookup { peers } => Command::Lookup {
                peers: borrowed(peers),
                id,
            },
            Self::Watch { peers } => Command::Watch {
                peers: borrowed(peers),
                id,
            },
            Self::Unwatch { peers } => Command::Unwatch {
                peers: borrowed(peers),
                id,
            },
        }
    }

    /// Whether the outcome belongs to a message. The answer to another request may be given twice without harm.
    pub(super) const fn is_send(&self) -> bool {
        matches!(self, Self::Send { .. })
    }
}

fn borrowed(peers: &[String]) -> Vec<Cow<'_, str>> {
    peers.iter().map(Cow::from).collect()
}
