//! `switchboard listen` and `switchboard send`: a peer on the command line.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use serde::Serialize;
use serde_json::value::RawValue;
use switchboard_client::{Client, ClientError, ConnectOptions, Outcome};
use switchboard_protocol::{CloseCode, Event, MessageKind, Secret, ServerFrame, ServerMessage};

use super::serve::runtime;
use crate::cli::{Connect, Kind, Listen, Send};

/// How long `send` waits for the final word; longer than any node's deadline.
const WORD_WITHIN: Duration = Duration::from_secs(70);

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

pub(super) fn listen(listen: Listen) -> anyhow::Result<()> {
    runtime()?.block_on(async move {
        let mut client = connect(listen.connect).await?;
        let welcome = client.welcome();
        eprintln!("listening as {} on node {}", welcome.peer, welcome.node);
        let mut left = listen.count;
        while left != Some(0) {
            match client.next().await {
                Ok(ServerFrame::Message(message)) => {
                    println!("{}", serde_json::to_string(&Line::from(&message))?);
                    left = left.map(|left| left - 1);
                }
                Ok(ServerFrame::Event(Event::Expiring { .. })) => eprintln!("the token ends within a minute"),
                Ok(ServerFrame::Event(Event::Goaway { .. })) => eprintln!("the node is draining"),
                Ok(ServerFrame::Event(event)) => eprintln!("{}", event.to_json()),
                Err(error) => return Err(explained(error)),
            }
        }
        client.close().await;
        Ok(())
    })
}

pub(super) fn send(send: Send) -> anyhow::Result<()> {
    let payload = RawValue::from_string(send.payload)
        .context("the payload is not JSON; text needs quotes of its own, as in '\"hello\"'")?;
    runtime()?.block_on(async move {
        let mut client = connect(send.connect).await?;
        let outcome = client
            .send_and_confirm(kind(send.kind), &send.to, &payload, WORD_WITHIN)
            .await;
        let outcome = outcome.map_err(explained)?;
        client.close().await;
        match outcome {
            Outcome::Delivered => {
                println!("delivered to {}", send.to);
                Ok(())
            }
            Outcome::Failed { code, message } => {
                anyhow::bail!("not delivered to {}: {code}: {message}", send.to)
            }
        }
    })
}

async fn connect(connect: Connect) -> anyhow::Result<Client> {
    let token = match (connect.token, connect.token_file.as_deref()) {
        (Some(token), _) => Secret::new(token.trim()),
        (None, Some(file)) => from_file(file)?,
        (None, None) => {
            anyhow::bail!("a token is needed: --token-file, or SWITCHBOARD_TOKEN in the environment")
        }
    };
    Ok(Client::connect(&ConnectOptions::new(connect.url, token)).await?)
}

fn from_file(file: &Path) -> anyhow::Result<Secret> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(Secret::new(text.trim()))
}

/// Adds what to do about a close.
fn explained(error: ClientError) -> anyhow::Error {
    let advice = match &error {
        ClientError::Closed { code, .. } => {
            CloseCode::from_code(*code).map(|code| format!("{:?}", code.client_should()))
        }
        ClientError::Timeout
        | ClientError::InboxFull(_)
        | ClientError::Frame(_)
        | ClientError::WebSocket(_) => None,
    };
    match advice {
        Some(advice) => anyhow::Error::new(error).context(format!("disconnected; advice: {advice}")),
        None => anyhow::Error::new(error),
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
