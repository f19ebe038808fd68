//! `switchboard listen`: a peer that prints the messages it gets, one JSON object per line, and what happens in its rooms
//! and to the peers that it watches, as the events of the protocol.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use serde::Serialize;
use serde_json::value::RawValue;
use switchboard_client::{Session, SessionEvent, SessionOptions};
use switchboard_protocol::{Event, MAX_PEERS_PER_COMMAND, MessageKind, ServerMessage};

use super::{
    peer::{advice, token, trust},
    runtime,
};
use crate::cli::Listen;

/// How long to try to reconnect: as long as a node keeps a session by default, and some more.
const GIVE_UP_AFTER: Duration = Duration::from_secs(70);

/// One line; the payload is printed as its sender wrote it.
#[derive(Serialize)]
struct Line<'a> {
    r#type: MessageKind,
    from: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<&'a str>,
    payload: &'a RawValue,
}

impl<'a> From<&'a ServerMessage> for Line<'a> {
    fn from(message: &'a ServerMessage) -> Self {
        Self {
            r#type: message.kind,
            from: &message.from,
            room: message.room.as_deref(),
            payload: &message.payload,
        }
    }
}

/// Listens until `count` messages came or the session ends; a lost connection does not end it.
pub(super) fn run(listen: Listen) -> anyhow::Result<()> {
    let info = listen.info.map(RawValue::from_string).transpose();
    let info = info.context("--info is not JSON; it is an object, as in '{\"name\":\"Bob\"}'")?;
    runtime::run(async move {
        let token = token(&listen.connect)?;
        let trust = trust(&listen.connect)?;
        let mut options = SessionOptions {
            give_up_after: Some(GIVE_UP_AFTER),
            ..SessionOptions::new(vec![listen.connect.url])
        };
        options.connect.trust = trust;
        let (session, mut events) = Session::start(options, Arc::new(move || token.clone()));
        for room in &listen.rooms {
            session.join(room, info.clone()).await?;
        }
        for peers in listen.watched.chunks(MAX_PEERS_PER_COMMAND) {
            session.watch(peers.to_vec()).await?;
        }
        let mut left = listen.count;
        while left != Some(0) {
            match events.recv().await {
                Some(SessionEvent::Message(message)) => {
                    println!("{}", serde_json::to_string(&Line::from(&message))?);
                    left = left.map(|left| left - 1);
                }
                Some(SessionEvent::Connected {
                    node, resumed, gap, ..
                }) => {
                    let how = match (resumed, gap) {
                        (_, true) => "; messages may have been lost during an interruption",
                        (true, false) => "; the session was resumed",
                        (false, false) => "",
                    };
                    eprintln!("listening on node {node}{how}");
                }
                Some(SessionEvent::Disconnected { reason }) => {
                    eprintln!("disconnected ({reason}); trying again")
                }
                Some(SessionEvent::Ended { code, reason }) => {
                    anyhow::bail!("the session ended with {code} {reason}{}", advice(code));
                }
                Some(SessionEvent::Room(event)) => println!("{}", Event::from(event).to_json()),
                Some(SessionEvent::Presence { id, peers }) => {
                    println!("{}", Event::Presence { id, peers }.to_json());
                }
                Some(SessionEvent::Failed { code, message, .. }) => {
                    anyhow::bail!("a room or a peer was refused: {code}: {message}");
                }
                // A listener sends nothing, so it gets no outcome.
                Some(SessionEvent::Queued { .. } | SessionEvent::Outcome { .. }) => {}
                None => break,
            }
        }
        session.close().await;
        Ok(())
    })
}
