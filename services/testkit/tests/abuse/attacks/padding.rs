//! Frames that are mostly a member that nobody reads.

use futures_util::FutureExt as _;
use switchboard_client::{AcksBy, Client};

use crate::{
    attack::{Attack, Findings},
    flood::{Flood, flood},
    raw,
    scene::Scene,
};

pub(crate) const ATTACK: Attack = Attack {
    name: "pad-frames",
    title: "4,000 messages with a payload of one byte and an ignored member of 64 kB, to a receiver that acknowledges none",
    before: "the sender's outbox held 246 MiB; its bound is 1 MiB",
    rule: "A budget counts the bytes that are held, not the payload.",
    is_quick: false,
    config: "",
    run: |scene| run(scene).boxed_local(),
};

const MESSAGES: u64 = 4_000;

const PAD_BYTES: usize = 64_000;

async fn run(scene: Scene) -> anyhow::Result<Findings> {
    let mut options = scene.options(1, "hoard")?;
    options.acks = AcksBy::Client;
    let mut hoard = Client::connect(&options).await?;
    let pad = "x".repeat(PAD_BYTES);
    let mut id = 0;
    let next = || {
        id += 1;
        let text = format!(r#"{{"type":"message","id":{id},"to":"hoard","payload":1,"pad":"{pad}"}}"#);
        (id <= MESSAGES).then(|| raw::text(&text))
    };
    let attack = Flood {
        node: 0,
        peer: "attacker".into(),
        reads: true,
        batches_per_connection: u64::MAX,
        next,
    };
    let (flooded, ()) = tokio::join!(flood(&scene, attack), async {
        let reads = async { while hoard.next().await.is_ok() {} };
        tokio::select! { () = reads => {} () = scene.over() => {} }
    });
    Ok(Findings::of(flooded.to_string()))
}
