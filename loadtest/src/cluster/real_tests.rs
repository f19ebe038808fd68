//! Clusters of the real binary and a real Redis.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use switchboard_harness::{binary, find_program, or_skip};

use super::*;
use crate::{
    observe::Ops,
    scenario::{self, DriverKind},
};

/// A cluster, or `None` with the reason printed where the programs are missing; a failure in CI.
async fn cluster(nodes: usize, config: &str) -> Option<anyhow::Result<Cluster>> {
    or_skip(binary(None))?;
    or_skip(find_program("redis-server"))?;
    let config = config.to_owned();
    let spec = scenario::Cluster {
        nodes,
        config,
        ..scenario::Cluster::default()
    };
    Some(Cluster::start(DriverKind::Switchboard, &spec, Lots::default()).await)
}

fn server(cluster: &Cluster, name: &str) -> Server {
    let servers = cluster.servers();
    servers.into_iter().find(|server| server.name == name).unwrap()
}

#[tokio::test]
async fn nodes_and_redis_are_killed_and_come_back_at_their_addresses() {
    let Some(cluster) = cluster(2, "").await.map(Result::unwrap) else {
        return;
    };
    assert_eq!(
        (cluster.urls().len(), cluster.nodes()),
        (2, vec!["n1".into(), "n2".into()])
    );
    // The Redis first: the node is ready again only with it.
    for name in [REDIS, "n2"] {
        let (before, process) = (server(&cluster, name), cluster.process(name).unwrap());
        process.kill().await.unwrap();
        assert_eq!(server(&cluster, name).pid, None);
        let error = process.kill().await.unwrap_err().to_string();
        assert!(error.contains("does not run"), "{error}");
        process.start().await.unwrap();
        let after = server(&cluster, name);
        assert_eq!(after.ops_url, before.ops_url);
        assert_ne!(after.pid, before.pid);
    }
    let n2 = server(&cluster, "n2").ops_url.unwrap();
    assert!(Ops::new().unwrap().is_ready(&n2).await);
    let error = cluster.process("n3").err().unwrap().to_string();
    assert!(error.contains("redis, n1, n2"), "{error}");
    let versions = cluster.versions();
    let has = |name: &str| versions.contains_key(name);
    assert!(has(REDIS) && has("switchboard"), "{versions:?}");
}

#[tokio::test]
async fn a_frozen_node_answers_no_request_until_it_is_thawed_and_ends_with_its_cluster() {
    let Some(cluster) = cluster(1, "").await.map(Result::unwrap) else {
        return;
    };
    let (ops, n1) = (Ops::new().unwrap(), server(&cluster, "n1"));
    let (url, process) = (n1.ops_url.unwrap(), cluster.process("n1").unwrap());
    process.freeze().unwrap();
    // The kernel stops one thread after the other, and the last may still answer.
    let deadline = Instant::now() + Duration::from_secs(10);
    while ops.is_ready(&url).await {
        assert!(Instant::now() < deadline, "a frozen node answers");
    }
    assert_eq!(server(&cluster, "n1").pid, n1.pid);
    process.thaw().unwrap();
    assert!(ops.is_ready(&url).await);
    process.freeze().unwrap();
    let pids: Vec<_> = cluster.servers().iter().filter_map(|server| server.pid).collect();
    drop(cluster);
    for pid in pids {
        let process = format!("/proc/{pid}");
        assert!(!Path::new(&process).exists(), "{pid} outlived its cluster");
    }
}

#[tokio::test]
async fn a_node_that_does_not_start_is_reported_with_its_log() {
    let Some(outcome) = cluster(1, "[limits]\nmessage_bytes = 1\n").await else {
        return;
    };
    let error = format!("{:#}", outcome.err().unwrap());
    assert!(error.contains("n1 ended instead of serving"), "{error}");
    assert!(error.contains("limits.message_bytes"), "{error}");
    let (_, logs) = error.split_once("its logs are in ").unwrap();
    let (logs, _) = logs.split_once(": ").unwrap();
    assert!(Path::new(logs).join("n1.log").is_file(), "{error}");
    std::fs::remove_dir_all(logs).unwrap();
}
