//! Frames that carry nothing.

use futures_util::FutureExt as _;

use crate::{
    attack::{Attack, Findings},
    flood::{Flood, Flooded, flood},
    raw,
    scene::Scene,
};

pub(crate) const ATTACK: Attack = Attack {
    name: "frames-without-content",
    title: "One client sends pings at full speed, another one empty continuation frames",
    before: "one core was used up; the bystanders' p99 went from 11 to 63 ms",
    rule: "All frames count, also pings and empty fragments; too many close the connection with 4429.",
    is_quick: false,
    config: "",
    run: |scene| run(scene).boxed_local(),
};

/// Frames of one write.
const BATCH: usize = 2_000;

async fn run(scene: Scene) -> anyhow::Result<Findings> {
    let ping = raw::frame(raw::PING, true, b"");
    let pings = ping.repeat(BATCH);
    let beginning = raw::frame(raw::TEXT, false, b"");
    let fragments = raw::frame(raw::CONTINUATION, false, b"").repeat(BATCH);
    // A message in fragments begins with a text frame and never ends.
    let mut is_first = true;
    let next_fragments = || {
        let mut batch = if is_first { beginning.clone() } else { Vec::new() };
        is_first = false;
        batch.extend_from_slice(&fragments);
        Some(batch)
    };
    let (pings, fragments) = tokio::join!(
        frames(&scene, 0, || Some(pings.clone())),
        frames(&scene, 1, next_fragments)
    );
    let mut findings = Findings::of(format!("{BATCH} pings each: {pings}"));
    findings.note(format!("{BATCH} fragments each: {fragments}"));
    Ok(findings)
}

async fn frames(scene: &Scene, node: usize, next: impl FnMut() -> Option<Vec<u8>>) -> Flooded {
    let attack = Flood {
        node,
        peer: format!("attacker-{node}"),
        reads: true,
        batches_per_connection: u64::MAX,
        next,
    };
    flood(scene, attack).await
}
