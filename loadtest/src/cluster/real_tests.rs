//! Clusters of the real binary and a real Redis.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use switchboard_harness::{binary, find_program, or_skip};

use super::*;
use crate::{
    observe::Ops,
    scenario::{self, DriverKind},
};

/// Drains fast, so that a test does not wait for clients that are not there.
const CONFIG: &str = "[drain]\nsettle_ms = 10\nwindow_ms = 50\ngrace_ms = 50\ndeadline_ms = 500\n";

/// A cluster, or `None` with the reason printed where the programs are missing.
///
/// # Panics
/// Where they must not be missing, in CI.
pub(crate) async fn cluster(nodes: usize) -> Option<Arc<Cluster>> {
    or_skip(binary(None))?;
    or_skip(find_program("redis-server"))?;
    let spec = scenario::Cluster {
        nodes,
        binary: None,
        config: CONFIG.to_owned(),
    };
    let cluster = Cluster::start(DriverKind::Switchboard, &spec, Lots::default()).await;
    Some(Arc::new(cluster.unwrap()))
}

fn pid(cluster: &Cluster, name: &str) -> Option<u32> {
    let servers = cluster.servers();
    servers.iter().find(|server| server.name == name).unwrap().pid
}

#[tokio::test]
async fn nodes_and_redis_are_killed_and_come_back_at_their_addresses() {
    let Some(cluster) = cluster(2).await else { return };
    assert_eq!(
        (cluster.urls().len(), cluster.nodes()),
        (2, vec!["n1".into(), "n2".into()])
    );
    let ops_urls = cluster.ops_urls();
    // The Redis first: the node is ready again only with it.
    for name in [REDIS, "n2"] {
        let first = pid(&cluster, name).unwrap();
        cluster.kill(name).await.unwrap();
        assert!(!cluster.is_running(name).unwrap());
        assert!(
            cluster
                .kill(name)
                .await
                .unwrap_err()
                .to_string()
                .contains("does not run")
        );
        cluster.start_again(name).await.unwrap();
        assert_ne!(pid(&cluster, name), Some(first));
    }
    assert!(Ops::new().unwrap().is_ready(&ops_urls[1]).await);
    assert!(
        cluster
            .is_running("n3")
            .unwrap_err()
            .to_string()
            .contains("redis, n1, n2")
    );
    let versions = cluster.versions();
    assert!(
        versions.contains_key(REDIS) && versions.contains_key("switchboard"),
        "{versions:?}"
    );
}

#[tokio::test]
async fn a_frozen_node_answers_nobody_until_it_is_thawed() {
    let Some(cluster) = cluster(1).await else { return };
    let (ops, ops_url) = (Ops::new().unwrap(), cluster.ops_url("n1").unwrap());
    cluster.freeze("n1").unwrap();
    // The kernel stops one thread after the other, and the last may still answer.
    let deadline = Instant::now() + Duration::from_secs(10);
    while ops.is_ready(ops_url).await {
        assert!(Instant::now() < deadline, "a frozen node answers");
    }
    assert!(cluster.is_running("n1").unwrap());
    cluster.thaw("n1").unwrap();
    assert!(ops.is_ready(ops_url).await);
    let pids: Vec<_> = cluster.servers().iter().filter_map(|server| server.pid).collect();
    cluster.freeze("n1").unwrap();
    drop(cluster);
    for pid in pids {
        assert!(
            !Path::new(&format!("/proc/{pid}")).exists(),
            "{pid} outlived its cluster"
        );
    }
}

#[tokio::test]
async fn a_node_that_does_not_come_up_is_reported_with_its_log() {
    let Some(cluster) = cluster(1).await else { return };
    drop(cluster);
    let spec = scenario::Cluster {
        nodes: 1,
        binary: None,
        config: "[limits]\nmessage_bytes = 1\n".to_owned(),
    };
    let outcome = Cluster::start(DriverKind::Switchboard, &spec, Lots::default()).await;
    let error = format!("{:#}", outcome.err().unwrap());
    assert!(error.contains("n1 ended instead of serving"), "{error}");
    assert!(error.contains("limits.message_bytes"), "{error}");
    let logs = error
        .split("its logs are in ")
        .nth(1)
        .unwrap()
        .split(": ")
        .next()
        .unwrap();
    assert!(Path::new(logs).join("n1.log").is_file(), "{error}");
    std::fs::remove_dir_all(logs).unwrap();
}
