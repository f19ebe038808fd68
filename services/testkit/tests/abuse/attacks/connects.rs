//! The rate of connects is used up.

use std::{cell::Cell, time::Duration};

use futures_util::{FutureExt as _, future::join_all};
use tokio::time::timeout;

use crate::{
    attack::{Attack, Findings},
    raw::{Raw, RawOptions},
    scene::{ATTACKER, Scene},
};

pub(crate) const ATTACK: Attack = Attack {
    name: "connect-at-full-speed",
    title: "One token connects as fast as it can, where a node takes 1,000 connects a second",
    before: "44 of 60 honest clients got 503",
    rule: "Connects are paced by peer and by address before the rate of the node.",
    is_quick: true,
    config: "[limits]\nconnects_per_second = 1000\n",
    run: |scene| run(scene).boxed_local(),
};

/// Connects under way at a time.
const AT_A_TIME: usize = 32;

/// A connect that takes longer is given up.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

async fn run(scene: Scene) -> anyhow::Result<Findings> {
    let (welcome, refused) = (Cell::new(0_u64), Cell::new(0_u64));
    let connects = (0..AT_A_TIME).map(|number| {
        let options = RawOptions::new(scene.port(number % 2), ATTACKER, "attacker");
        let (scene, welcome, refused) = (&scene, &welcome, &refused);
        async move {
            while !scene.is_over() {
                let connected = timeout(CONNECT_WITHIN, Raw::connect(&options)).await;
                let counter = if matches!(connected, Ok(Ok(_))) {
                    welcome
                } else {
                    refused
                };
                counter.set(counter.get() + 1);
            }
        }
    });
    join_all(connects).await;
    Ok(Findings::of(format!(
        "{} connects, {} refused",
        welcome.get(),
        refused.get()
    )))
}
