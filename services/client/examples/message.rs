//! One connection: alice sends bob a message and waits for its outcome. Start `make run` first, then
//! `cargo run -p switchboard-client --example message`.

use std::time::Duration;

use serde_json::{json, value::to_raw_value};
use switchboard_client::{Client, ConnectOptions};
use switchboard_protocol::MessageKind;

mod shared;

/// How long each step may take.
const WITHIN: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = shared::address();
    let url = shared::websocket(&address);
    let mut alice = Client::connect(&ConnectOptions::new(
        &url,
        shared::token(&address, "alice").await?,
    ))
    .await?;
    let mut bob = Client::connect(&ConnectOptions::new(&url, shared::token(&address, "bob").await?)).await?;
    println!("alice is connected to {}", alice.welcome().node);

    let payload = to_raw_value(&json!({ "text": "hello" }))?;
    let report = alice
        .send_and_confirm(MessageKind::Message, "bob", &payload, WITHIN)
        .await?;
    println!("outcome: {:?}", report.outcome);

    let message = bob.message(WITHIN).await?;
    println!("bob received {} from {}", message.payload, message.from);
    alice.close().await;
    bob.close().await;
    Ok(())
}
