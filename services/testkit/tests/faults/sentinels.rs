//! What a node logs of Sentinels: nothing at a start where all is well, and that they cannot elect a master. Failovers are in
//! `modes`.

use switchboard_testkit::{Cluster, NodeProcess, PATIENCE, RedisLayout, wait_until};

use crate::{QUICK_PINGS, alone};

/// The lines about Redis that ask for attention.
fn warnings(node: &NodeProcess) -> Vec<String> {
    let log = node.log();
    let is_one = |line: &&str| line.contains("switchboard_broker") && !line.contains("\"INFO\"");
    log.lines().filter(is_one).map(str::to_owned).collect()
}

async fn until_logged(node: &NodeProcess, words: &str) {
    let is_logged = async || node.log().contains(words).then_some(());
    wait_until(words, PATIENCE, is_logged).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_in_any_mode_warns_of_nothing() {
    let _alone = alone().await;
    for layout in RedisLayout::ALL {
        let cluster = Cluster::start_on(layout, 1, QUICK_PINGS).await.unwrap();
        let lines = warnings(&cluster.nodes[0]);
        assert!(lines.is_empty(), "{layout}: {lines:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_that_cannot_elect_a_master_are_named_once_and_so_is_the_end_of_it() {
    let _alone = alone().await;
    let cluster = Cluster::start_on("sentinel".parse().unwrap(), 1, QUICK_PINGS)
        .await
        .unwrap();
    let (node, redis) = (&cluster.nodes[0], &cluster.redis);
    let lacks = "the master is down, and the Sentinels do not say that they can elect another";
    for sentinel in &redis.sentinels()[..2] {
        sentinel.kill().await.unwrap();
    }
    redis.servers()[0].freeze().unwrap();
    until_logged(node, lacks).await;
    redis.servers()[0].thaw().unwrap();
    until_logged(node, "the Sentinels reach the master again").await;
    node.wait_ready().await.unwrap();
    let log = node.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains(lacks)).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("mymaster") && lines[0].contains("NOQUORUM"),
        "{lines:?}"
    );
}
