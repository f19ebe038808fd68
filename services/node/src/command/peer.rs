//! `switchboard listen` and `switchboard send`: a peer on the command line.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use serde::Serialize;
use serde_json::value::RawValue;
use switchboard_client::{
    Client, ClientError, ConnectOptions, SendReport, Session, SessionEvent, SessionOptions,
};
use switchboard_protocol::{
    ClientShould, CloseCode, Event, MessageKind, ReceiptStatus, Secret, SendOutcome, ServerFrame,
    ServerMessage,
};

use super::serve::runtime;
use crate::cli::{Connect, Kind, Listen, Send};

/// How long `send` waits for the final word; longer than any node's deadline.
const WORD_WITHIN: Duration = Duration::from_secs(70);

/// How long `listen` tries to get its connection back: as long as a node keeps its session, and a bit.
const GIVE_UP_AFTER: Duration = Duration::from_secs(70);

/// One line of `listen`; the payload stands as its sender wrote it.
#[derive(Serialize)]
struct Line<'a> {
    r#type: MessageKind,
    from: &'a str,
    payload: &'a RawValue,
}

impl<'a> From<&'a ServerMessage> for Line<'a> {
    fn from(message: &'a ServerMessage) -> Self {
        Self {
            r#type: message.kind,
            from: &message.from,
            payload: &message.payload,
        }
    }
}

/// Listens until `count` messages came or the session ends; a lost connection does not end it.
pub(super) fn listen(listen: Listen) -> anyhow::Result<()> {
    runtime()?.block_on(async move {
        let token = token(&listen.connect)?;
        let options = SessionOptions {
            give_up_after: Some(GIVE_UP_AFTER),
            ..SessionOptions::new(vec![listen.connect.url])
        };
        let (session, mut events) = Session::start(options, Arc::new(move || token.clone()));
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
                        (_, true) => ", after an interruption in which something may have been missed",
                        (true, false) => ", where it was left off",
                        (false, false) => "",
                    };
                    eprintln!("listening on node {node}{how}");
                }
                Some(SessionEvent::Disconnected { reason }) => {
                    eprintln!("disconnected ({reason}); trying again")
                }
                Some(SessionEvent::Ended { code, reason }) => {
                    let advice = CloseCode::from_code(code).map(CloseCode::client_should);
                    anyhow::bail!("the session ended with {code} {reason}{}", advised(advice));
                }
                // Words on sends; a listener sends nothing.
                Some(SessionEvent::Queued { .. } | SessionEvent::Outcome { .. }) => {}
                None => break,
            }
        }
        session.close().await;
        Ok(())
    })
}

pub(super) fn send(send: Send) -> anyhow::Result<()> {
    let payload = RawValue::from_string(send.payload)
        .context("the payload is not JSON; text needs quotes of its own, as in '\"hello\"'")?;
    runtime()?.block_on(async move {
        let token = token(&send.connect)?;
        let mut client = Client::connect(&ConnectOptions::new(send.connect.url, token)).await?;
        let id = client.next_id();
        client
            .send(kind(send.kind), &send.to, Some(id), &payload)
            .await
            .map_err(explained)?;
        let outcome = loop {
            match client
                .expect(WORD_WITHIN, |frame| word(frame, id))
                .await
                .map_err(explained)?
            {
                Word::Queued => eprintln!("{} has lost its connection; the message waits for it", send.to),
                Word::Final(outcome) => break outcome,
            }
        };
        client.close().await;
        match outcome.outcome {
            SendOutcome::Delivered => {
                println!("delivered to {}", send.to);
                Ok(())
            }
            SendOutcome::Error(code) => {
                anyhow::bail!("not delivered to {}: {code}: {}", send.to, outcome.message)
            }
        }
    })
}

/// What a node says of a send.
enum Word {
    Queued,
    Final(SendReport),
}

fn word(frame: &ServerFrame, id: u64) -> Option<Word> {
    match frame {
        ServerFrame::Event(Event::Receipt { id: of, status }) if *of == id => Some(match status {
            ReceiptStatus::Queued => Word::Queued,
            ReceiptStatus::Delivered => Word::Final(SendReport::delivered()),
        }),
        ServerFrame::Event(Event::Error {
            id: of,
            code,
            message,
            ..
        }) if *of == Some(id) => Some(Word::Final(SendReport::failed(*code, message.to_string()))),
        ServerFrame::Event(_) | ServerFrame::Message(_) => None,
    }
}

fn token(connect: &Connect) -> anyhow::Result<Secret> {
    match (&connect.token, connect.token_file.as_deref()) {
        (Some(token), _) => Ok(Secret::new(token.trim())),
        (None, Some(file)) => from_file(file),
        (None, None) => {
            anyhow::bail!("a token is needed: --token-file, or SWITCHBOARD_TOKEN in the environment")
        }
    }
}

pub(super) fn from_file(file: &Path) -> anyhow::Result<Secret> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(Secret::new(text.trim()))
}

/// Adds what to do about a close.
fn explained(error: ClientError) -> anyhow::Error {
    let advice = match &error {
        ClientError::Closed { code, .. } => CloseCode::from_code(*code).map(CloseCode::client_should),
        ClientError::Timeout
        | ClientError::BufferFull(_)
        | ClientError::Frame(_)
        | ClientError::WebSocket(_) => None,
    };
    let advice = advised(advice);
    anyhow::Error::new(error).context(format!("disconnected{advice}"))
}

/// What to do, as the end of a sentence; empty without advice.
fn advised(advice: Option<ClientShould>) -> &'static str {
    match advice {
        Some(ClientShould::Stop) => "; it is over",
        Some(ClientShould::StopAndFix) => "; mend that before you try again",
        Some(ClientShould::Resume | ClientShould::ResumeAtOnce) => "; try again",
        Some(ClientShould::RenewToken) => "; get a new token (switchboard token mint)",
        None => "",
    }
}

const fn kind(kind: Kind) -> MessageKind {
    match kind {
        Kind::Offer => MessageKind::Offer,
        Kind::Answer => MessageKind::Answer,
        Kind::Candidate => MessageKind::Candidate,
        Kind::Bye => MessageKind::Bye,
        Kind::Message => MessageKind::Message,
    }
}
