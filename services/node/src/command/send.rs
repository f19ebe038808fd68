//! `switchboard send`: a peer that sends one message and prints its outcome.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::value::RawValue;
use switchboard_client::{Client, ConnectOptions, SendReport};
use switchboard_protocol::{
    Command, Event, JoinCommand, MessageKind, ReceiptStatus, SendCommand, SendOutcome, SendTarget,
    ServerFrame,
};

use super::{
    peer::{token, trust, with_advice},
    runtime,
};
use crate::cli::{Kind, Send};

/// How long to wait for the outcome after the time that the message may wait itself; longer than any node's send
/// deadline and resume window.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(70);

pub(super) fn run(send: Send) -> anyhow::Result<()> {
    let payload = RawValue::from_string(send.payload)
        .context("the payload is not JSON; text needs quotes of its own, as in '\"hello\"'")?;
    runtime::run(async move {
        let token = token(&send.connect)?;
        let trust = trust(&send.connect)?;
        let options = ConnectOptions {
            trust,
            ..ConnectOptions::new(send.connect.url, token)
        };
        let mut client = Client::connect(&options).await?;
        let (to, name) = match (&send.to, &send.room) {
            (_, Some(room)) => {
                join(&mut client, room).await?;
                (SendTarget::Room(room.into()), room)
            }
            (Some(peer), None) => (SendTarget::Peer(peer.into()), peer),
            (None, None) => anyhow::bail!("the receiver is missing: --to or --room"),
        };
        let id = client.next_id();
        let command = SendCommand {
            kind: kind(send.kind),
            to,
            payload: &payload,
            id: Some(id),
            hold_ms: send
                .hold
                .map(|hold| u64::try_from(hold.as_millis()).unwrap_or(u64::MAX)),
        };
        client
            .command(&Command::Send(command))
            .await
            .map_err(with_advice)?;
        let within = OUTCOME_TIMEOUT + send.hold.unwrap_or_default();
        let report = loop {
            let answer = client.expect(within, |frame| answer_to(frame, id)).await;
            match answer.map_err(with_advice)? {
                Answer::Queued => eprintln!("{name} has no connection; the message waits for it"),
                Answer::Final(report) => break report,
            }
        };
        client.close().await;
        match report.outcome {
            SendOutcome::Delivered => println!("delivered to {name}"),
            SendOutcome::Published => println!("published to {name}"),
            SendOutcome::Error(code) => anyhow::bail!("not delivered to {name}: {code}: {}", report.message),
        }
        Ok(())
    })
}

/// Becomes a member of the room: only members may send to it.
async fn join(client: &mut Client, room: &str) -> anyhow::Result<()> {
    let command = Command::Join(JoinCommand {
        room: room.into(),
        info: None,
        id: Some(client.next_id()),
    });
    let answer = client.request(&command, OUTCOME_TIMEOUT).await;
    if let Event::Error { code, message, .. } = answer.map_err(with_advice)? {
        anyhow::bail!("cannot join {room}: {code}: {message}");
    }
    Ok(())
}

/// What a node says of a send.
enum Answer {
    Queued,
    Final(SendReport),
}

/// The answer in `frame`, if it is one to the send `id`.
fn answer_to(frame: &ServerFrame, id: u64) -> Option<Answer> {
    match frame {
        ServerFrame::Event(Event::Receipt { id: of, status }) if *of == id => Some(match status {
            ReceiptStatus::Queued => Answer::Queued,
            ReceiptStatus::Delivered => Answer::Final(SendReport::delivered()),
            ReceiptStatus::Published => Answer::Final(SendReport::published()),
        }),
        ServerFrame::Event(Event::Error {
            id: of,
            code,
            message,
            ..
        }) if *of == Some(id) => Some(Answer::Final(SendReport::failed(*code, message.to_string()))),
        ServerFrame::Event(_) | ServerFrame::Message(_) => None,
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
