//! Redis is filled with messages for receivers that are not there.

use futures_util::FutureExt as _;

use crate::{
    attack::{Attack, Findings},
    flood::{Flood, flood},
    raw,
    scene::{LASTS, Scene},
};

pub(crate) const ATTACK: Attack = Attack {
    name: "fill-offline-queues",
    title: "One token fills the offline queues of 1,000 detached receivers, in a session after the other",
    before: "Redis grew by 990 MiB in 31 s; with `maxmemory 64mb` leases ended and 399 sends of bystanders failed",
    rule: "What a peer, a tenant and a node put into offline queues is bounded, and stored messages never take the \
           memory that leases need.",
    is_quick: false,
    config: "",
    run: |scene| run(scene).boxed_local(),
};

const RECEIVERS: usize = 1_000;

/// Messages of one session; a node takes that many at once.
const SENDS: u64 = 4_000;

const PAYLOAD_BYTES: usize = 24 * 1024;

async fn run(scene: Scene) -> anyhow::Result<Findings> {
    let _: String = scene
        .cluster
        .redis
        .command(&["CONFIG", "SET", "maxmemory", "64mb"])
        .await?;
    let detached = scene.detach("absent", RECEIVERS).await;
    let scene = scene.lasting(LASTS);
    let padding = "x".repeat(PAYLOAD_BYTES);
    let mut id = 0;
    let next = || {
        id += 1;
        let to = id % RECEIVERS;
        Some(raw::text(&format!(
            r#"{{"type":"message","id":{id},"to":"absent-{to}","payload":"{padding}"}}"#
        )))
    };
    let flooded = flood(
        &scene,
        Flood {
            node: 0,
            peer: "attacker".into(),
            reads: true,
            batches_per_connection: SENDS,
            next,
        },
    )
    .await;
    Ok(Findings::of(format!("{detached} receivers; {flooded}")))
}
