//! Answers that are as long as the mistakes they answer, to a client that reads none of them.

use futures_util::FutureExt as _;

use crate::{
    attack::{Attack, Findings},
    flood::{Flood, flood},
    raw,
    scene::Scene,
};

pub(crate) const ATTACK: Attack = Attack {
    name: "reflect-text",
    title: "Two clients send pings whose `id` is 64 KiB of text, and read no answer",
    before: "a node grew by 1.2 GiB; zero-width text cost 5 ms of CPU a frame",
    rule: "An answer repeats at most 64 characters of a client's text, and answers that wait unread are bounded.",
    is_quick: true,
    config: "",
    run: |scene| run(scene).boxed_local(),
};

/// Bytes of each text; its frame is just within `limits.message_bytes`.
const TEXT_BYTES: usize = 65_000;

/// Bad frames between two good ones: ten in a row end the connection.
const BAD: usize = 9;

async fn run(scene: Scene) -> anyhow::Result<Findings> {
    let (plain, invisible) = tokio::join!(pings(&scene, 0, "x"), pings(&scene, 1, "\u{200b}"));
    let mut findings = Findings::of(format!("plain text: {plain}"));
    findings.note(format!("zero-width text: {invisible}"));
    Ok(findings)
}

async fn pings(scene: &Scene, node: usize, symbol: &str) -> crate::flood::Flooded {
    let text = symbol.repeat(TEXT_BYTES / symbol.len());
    let bad = raw::text(&format!(r#"{{"type":"ping","id":"{text}"}}"#));
    let mut batch = bad.repeat(BAD);
    batch.extend(raw::text(r#"{"type":"ping"}"#));
    let attack = Flood {
        node,
        peer: format!("attacker-{node}"),
        reads: false,
        batches_per_connection: u64::MAX,
        next: || Some(batch.clone()),
    };
    flood(scene, attack).await
}
