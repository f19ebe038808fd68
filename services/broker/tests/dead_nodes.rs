//! Records of a node that ended without a goodbye.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use std::time::Duration;

use common::{PATIENCE, claim, key, redis_node};
use switchboard_core::{Claim, Presence};
use switchboard_harness::wait_until;

/// The resume window of the survivor's sessions.
const WINDOW: Duration = Duration::from_secs(1);

#[tokio::test]
async fn the_records_of_a_killed_node_are_gone_within_the_resume_window_of_its_lease() {
    let redis = redis!();
    let (n1, n2) = (redis_node("n1", &redis.url()), redis_node("n2", &redis.url()));
    n1.is_up().await;
    n2.is_up().await;
    let short = Claim {
        window: WINDOW,
        ..claim(1)
    };
    n1.broker.attach(&key("alice"), short).await.unwrap();
    for peer in 0..300 {
        n2.attach(&format!("p{peer}"), 2).await;
    }
    // Dropped without a shutdown, as after a kill.
    drop(n2);
    let records = async || {
        let keys: Vec<String> = redis.command(&["KEYS", "sb:{*}:s:*"]).await.ok()?;
        (keys.len() == 1).then_some(())
    };
    // The lease, a sweep, the window.
    let (_, took) = wait_until("only alice's record is left", PATIENCE * 3, records)
        .await
        .unwrap();
    println!("gone after {took:?}");
    assert_eq!(n1.locate("p7").await, Ok(Presence::Offline));
    assert_eq!(
        n1.locate("alice").await,
        Ok(Presence::Attached { node: n1.id.clone() })
    );
    let runs = async || {
        let runs: Vec<String> = redis.command(&["HVALS", "sb:runs"]).await.ok()?;
        (runs == ["n1"]).then_some(())
    };
    wait_until("the run is forgotten", PATIENCE, runs).await.unwrap();
}
