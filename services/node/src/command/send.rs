//! `switchboard send`: a peer that sends one message and prints its outcome.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::value::RawValue;
use switchboard_client::{Client, ConnectOptions, SendReport};
use switchboard_protocol::{Event, MessageKind, ReceiptStatus, SendOutcome, ServerFrame};

use super::{
    peer::{token, trust, with_advice},
    runtime,
};
use crate::cli::{Kind, Send};

/// How long to wait for the outcome; longer than any node's send deadline.
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
        let id = client.next_id();
        client
            .send(kind(send.kind), &send.to, Some(id), &payload)
            .await
            .map_err(with_advice)?;
        let report = loop {
            let answer = client.expect(OUTCOME_TIMEOUT, |frame| answer_to(frame, id)).await;
            match answer.map_err(with_advice)? {
                Answer::Queued => eprintln!("{} has lost its connection; the message waits for it", send.to),
                Answer::Final(report) => break report,
            }
        };
        client.close().await;
        match report.outcome {
            SendOutcome::Delivered => {
                println!("delivered to {}", send.to);
                Ok(())
            }
            SendOutcome::Published => {
                println!("published to {}", send.to);
                Ok(())
            }
            SendOutcome::Error(code) => {
                anyhow::bail!("not delivered to {}: {code}: {}", send.to, report.message)
            }
        }
    })
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
