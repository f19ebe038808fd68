//! Messages that are larger than the bus carries.

use std::time::Duration;

use futures_util::FutureExt as _;
use switchboard_client::Client;
use switchboard_protocol::ServerFrame;

use crate::{
    attack::{Attack, Findings},
    flood::{Flood, flood},
    raw,
    scene::Scene,
};

pub(crate) const ATTACK: Attack = Attack {
    name: "large-messages",
    title: "Where `message_bytes` is 2,000,000, five messages of 1.2 MB go across the nodes",
    before: "the bus was built again 19 times, and 168 sends of bystanders got `timeout`",
    rule: "`config check` refuses a `message_bytes` that the bus cannot carry; a message that is too large costs itself.",
    is_quick: false,
    config: "[limits]\nmessage_bytes = 2000000\n",
    run: |scene| run(scene).boxed_local(),
};

const MESSAGES: usize = 5;

const PAYLOAD_BYTES: usize = 1_200_000;

/// The largest message that the receiver takes.
const RECEIVE_BYTES: usize = 4 << 20;

async fn run(scene: Scene) -> anyhow::Result<Findings> {
    let mut options = scene.options(1, "sink")?;
    options.message_bytes = RECEIVE_BYTES;
    let mut sink = Client::connect(&options).await?;
    let padding = "x".repeat(PAYLOAD_BYTES);
    let mut sent = 0;
    let next = || {
        sent += 1;
        let text = format!(r#"{{"type":"message","id":{sent},"to":"sink","payload":"{padding}"}}"#);
        (sent <= MESSAGES).then(|| raw::text(&text))
    };
    let attack = Flood {
        node: 0,
        peer: "attacker".into(),
        reads: true,
        batches_per_connection: u64::MAX,
        next,
    };
    let flooded = flood(&scene, attack).await;
    let mut arrived = 0;
    while let Ok(frame) = sink.next_within(Duration::from_millis(100)).await {
        arrived += usize::from(matches!(frame, ServerFrame::Message(_)));
    }
    let mut findings = Findings::of(format!("{arrived} of {MESSAGES} arrived; {flooded}"));
    match &scene.refused_config {
        Some(words) => findings.note(format!("the configuration is refused: {words}")),
        None => findings.check(arrived == MESSAGES, format!("{arrived} of {MESSAGES} arrived")),
    }
    Ok(findings)
}
