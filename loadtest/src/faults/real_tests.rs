//! Faults done to a real cluster.

use tokio::{sync::mpsc, time::Instant};

use super::*;
use crate::{
    cluster::{Cluster, REDIS},
    observe::Watch,
    scenario::Fault,
};

/// Channel of what is told; more than any of these tests has.
const TOLD: usize = 32;

async fn told(faults: &str, cluster: &std::sync::Arc<Cluster>) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct File {
        faults: Vec<Fault>,
    }
    let file: File = toml::from_str(faults).unwrap();
    let (tx, mut rx) = mpsc::channel(TOLD);
    run(file.faults, Instant::now(), Controls::Own(cluster.clone()), tx).await;
    let mut lines = Vec::new();
    while let Some(struck) = rx.recv().await {
        assert_eq!(struck.error, None, "{struck:?}");
        lines.push(struck.what);
    }
    lines
}

#[tokio::test]
async fn faults_strike_a_real_cluster_and_are_undone() {
    let Some(cluster) = crate::cluster::real_tests::cluster(2).await else {
        return;
    };
    let shared = cluster.clone();
    let watch = Watch::begin(move || shared.servers()).unwrap();
    watch.load_starts(Instant::now()).await;
    let faults = r#"
        faults = [
            { at = "0s", do = "kill", server = "n2", for = "50ms" },
            { at = "10ms", do = "freeze", server = "redis", for = "20ms" },
        ]
    "#;
    let mut lines = told(faults, &cluster).await;
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
    // The new process of n2 has used CPU to start, and has counted from 0.
    assert!(watched.servers[2].cpu_s > 0.0, "{watched:?}");
    let probes = "switchboard_bus_probe_duration_seconds_count";
    assert!(watched.servers[2].metrics.contains_key(probes), "{watched:?}");
}

#[tokio::test]
async fn a_roll_takes_one_node_after_the_other() {
    let Some(cluster) = crate::cluster::real_tests::cluster(2).await else {
        return;
    };
    let before = cluster.servers();
    let lines = told("faults = [{ at = \"0s\", do = \"roll\" }]", &cluster).await;
    assert_eq!(
        lines,
        ["roll n1", "n1 started again", "roll n2", "n2 started again"]
    );
    for (then, now) in before.iter().zip(cluster.servers()) {
        assert_eq!(then.pid == now.pid, now.name == REDIS, "{now:?}");
    }
}

#[tokio::test]
async fn a_drain_reaches_the_node_and_is_taken_back() {
    let Some(cluster) = crate::cluster::real_tests::cluster(1).await else {
        return;
    };
    let controls = Controls::Ops(cluster.ops_urls());
    controls.drain("n1").await.unwrap();
    controls.undrain("n1").await.unwrap();
    let error = controls.drain("n2").await.unwrap_err().to_string();
    assert!(error.contains("`n2` has no address"), "{error}");
    cluster.kill("n1").await.unwrap();
    let error = format!("{:#}", controls.drain("n1").await.unwrap_err());
    assert!(error.contains("/drain fails"), "{error}");
}
