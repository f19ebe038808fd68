//! Faults done to a real cluster.

use switchboard_harness::{binary, find_program, or_skip};
use tokio::time::Instant;

use super::*;
use crate::{cluster::REDIS, observe::Watch, scenario::load, servers::Servers};

/// Runs faults against a cluster of its own; `None` where a program is missing.
async fn with_cluster(nodes: usize) -> Option<Servers> {
    or_skip(binary(None))?;
    or_skip(find_program("redis-server"))?;
    let drain = "drain = { settle_ms = 10, window_ms = 50, grace_ms = 50, deadline_ms = 500 }";
    let text = format!("name = \"t\"\n[cluster]\nnodes = {nodes}\nconfig = '{drain}'\n");
    Some(Servers::start(&load(&text, &[]).unwrap(), 0).await.unwrap())
}

async fn reports(faults: &str, servers: &Servers) -> Vec<String> {
    let scenario = load(&format!("name = \"t\"\nfaults = {faults}"), &[]).unwrap();
    let done = DoneFaults::default();
    run(scenario.faults, Instant::now(), servers.clone(), done.clone()).await;
    let done = done.lock();
    assert!(done.iter().all(|done| done.error.is_none()), "{done:?}");
    done.iter().map(|done| done.what.clone()).collect()
}

#[tokio::test]
async fn faults_are_done_to_a_real_cluster_and_undone() {
    let Some(servers) = with_cluster(2).await else {
        return;
    };
    let watched = servers.clone();
    let watch = Watch::begin(move || watched.list()).unwrap();
    watch.load_starts(Instant::now()).await;
    let faults = r#"[
        { at = "0s", do = "kill", server = "n2", for = "50ms" },
        { at = "10ms", do = "freeze", server = "redis", for = "20ms" },
    ]"#;
    let mut lines = reports(faults, &servers).await;
    lines.sort();
    assert_eq!(
        lines,
        ["freeze redis", "kill n2", "n2 started again", "redis thawed"]
    );
    let watched = watch.load_ended().await;
    let names: Vec<_> = watched
        .servers
        .iter()
        .map(|server| server.name.as_str())
        .collect();
    assert_eq!(names, [REDIS, "n1", "n2"]);
    let [redis, _, n2] = watched.servers.as_slice() else {
        panic!("{watched:?}")
    };
    assert!(redis.metrics["redis_commands_processed_total"] > 0.0, "{redis:?}");
    // The new process of n2 has used CPU to start, and has counted from 0.
    assert!(n2.cpu_s > 0.0, "{n2:?}");
    assert!(
        n2.metrics
            .keys()
            .any(|series| series.starts_with("switchboard_bus_probe_duration_seconds_count")),
        "{n2:?}"
    );
}

#[tokio::test]
async fn a_roll_takes_one_node_after_the_other() {
    let Some(servers) = with_cluster(2).await else {
        return;
    };
    let before = servers.list();
    let lines = reports("[{ at = \"0s\", do = \"roll\" }]", &servers).await;
    assert_eq!(
        lines,
        ["roll n1", "n1 started again", "roll n2", "n2 started again"]
    );
    for (before, after) in before.iter().zip(servers.list()) {
        assert_eq!(before.pid == after.pid, after.name == REDIS, "{after:?}");
    }
}

#[tokio::test]
async fn a_drain_reaches_the_node_and_is_taken_back() {
    let Some(servers) = with_cluster(1).await else {
        return;
    };
    for what in ["drain", "undrain"] {
        servers.post("n1", what).await.unwrap();
    }
    let error = servers.post("n2", "drain").await.unwrap_err().to_string();
    assert!(error.contains("`n2` has no address"), "{error}");
    servers.process("n1").unwrap().kill().await.unwrap();
    let error = format!("{:#}", servers.post("n1", "drain").await.unwrap_err());
    assert!(error.contains("/drain fails"), "{error}");
}
