//! The table in which a receiver keeps the order of its senders is filled.

use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::{sleep, timeout};

use crate::{
    attack::{Attack, Findings},
    raw,
    scene::{GREETERS, Scene},
};

pub(crate) const ATTACK: Attack = Attack {
    name: "fill-sender-table",
    title: "One token opens up to 4,200 sessions one after the other, each of which sends one message to the same receiver",
    before: "new callers got `queue-full` for a minute",
    rule: "A receiver's table of senders is shared by sending peer, and the oldest idle entry gives way.",
    is_quick: false,
    config: "",
    run: |scene| run(scene).boxed_local(),
};

/// More than a receiver has entries for.
const SESSIONS: u64 = 4_200;

const LASTS: Duration = Duration::from_secs(14);

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

const AFTER_REFUSAL: Duration = Duration::from_millis(20);

async fn run(scene: Scene) -> anyhow::Result<Findings> {
    let scene = scene.lasting(LASTS);
    let send = raw::text(&format!(
        r#"{{"type":"message","id":1,"to":"{}","payload":"hello"}}"#,
        GREETERS[0]
    ));
    let (mut sessions, mut refused) = (0, 0);
    while sessions < SESSIONS && !scene.is_over() {
        let visit = async {
            let mut raw = scene.raw(0, "attacker").await?;
            anyhow::ensure!(raw.read_until("welcome").await, "no welcome");
            raw.write(&send).await?;
            raw.read_until("receipt").await;
            anyhow::Ok(())
        };
        if matches!(timeout(ANSWER_WITHIN, visit).await, Ok(Ok(()))) {
            sessions += 1;
        } else {
            refused += 1;
            sleep(AFTER_REFUSAL).await;
        }
    }
    Ok(Findings::of(format!("{sessions} sessions, {refused} refused")))
}
