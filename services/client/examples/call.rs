//! The signaling of one call, with sessions that reconnect and repeat by themselves: alice offers, bob answers, and both
//! send a candidate. Start `make run` first, then `cargo run -p switchboard-client --example call`.
//!
//! The payloads stand for what a WebRTC stack gives; Switchboard forwards them unread.

use serde_json::{json, value::to_raw_value};
use switchboard_client::{Session, SessionEvent, SessionOptions};
use switchboard_protocol::MessageKind;
use tokio::sync::mpsc::Receiver;

mod shared;

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let address = shared::address();
    let (alice, mut to_alice) = start(&address, "alice").await?;
    let (bob, mut to_bob) = start(&address, "bob").await?;
    connected(&mut to_alice).await?;
    connected(&mut to_bob).await?;

    say(&alice, MessageKind::Offer, "bob").await?;
    expect(&mut to_bob, MessageKind::Offer).await?;
    say(&bob, MessageKind::Answer, "alice").await?;
    say(&bob, MessageKind::Candidate, "alice").await?;
    expect(&mut to_alice, MessageKind::Answer).await?;
    expect(&mut to_alice, MessageKind::Candidate).await?;
    say(&alice, MessageKind::Candidate, "bob").await?;
    expect(&mut to_bob, MessageKind::Candidate).await?;
    println!("the call is set up");

    alice.close().await;
    bob.close().await;
    Ok(())
}

async fn start(
    address: &str,
    peer: &str,
) -> Result<(Session, Receiver<SessionEvent>), Box<dyn std::error::Error>> {
    let token = shared::token(address, peer).await?;
    // Called for each connection: a real application gives a fresh token here.
    let source = std::sync::Arc::new(move || token.clone());
    Ok(Session::start(
        SessionOptions::new(vec![shared::websocket(address)]),
        source,
    ))
}

async fn say(session: &Session, kind: MessageKind, to: &str) -> Outcome {
    let payload = to_raw_value(&json!({ "kind": kind }))?;
    session.send(kind, to, payload).await?;
    Ok(())
}

/// Waits for the connection.
async fn connected(events: &mut Receiver<SessionEvent>) -> Outcome {
    while let Some(event) = events.recv().await {
        if matches!(event, SessionEvent::Connected { .. }) {
            return Ok(());
        }
    }
    Err("the session ended".into())
}

/// Waits for a message of this kind; outcomes of own sends may come before it.
async fn expect(events: &mut Receiver<SessionEvent>, kind: MessageKind) -> Outcome {
    while let Some(event) = events.recv().await {
        if let SessionEvent::Message(message) = event {
            println!("{} from {}", message.kind, message.from);
            if message.kind == kind {
                return Ok(());
            }
            return Err(format!("a {} came instead of a {kind}", message.kind).into());
        }
    }
    Err("the session ended".into())
}
