//! Loads in which something breaks: an envelope that is lost between Redis and a node, and a node that dies.

use switchboard_testkit::{Cluster, NodeProcess, PATIENCE, wait_until};

use crate::{
    place,
    program::{Ended, Folder},
};

/// In every payload of the load generator.
const IN_A_PAYLOAD: &[u8] = b"\"sum\":";

/// Messages that the node sent to another one again.
const REPEATS: &str = "switchboard_retransmissions_total";

/// Streams between two nodes; while they run, one envelope on its way from Redis to n2 is lost.
async fn with_an_envelope_lost(contract: bool) -> (Ended, Cluster) {
    let cluster = Cluster::start_proxied(2, "").await.unwrap();
    let folder = Folder::new();
    let secret = folder.secret();
    let scenario = format!(
        "name = \"planted\"\nsettle = \"2s\"\nthresholds = [\"placement_missed == 0\"]\n\
         [streams]\npairs = 4\nstages = [{{ rate = 20, for = \"4s\" }}]\narrivals = \"uniform\"\n\
         placement = \"cross-node\"\noutcomes = {contract}\nresume = {contract}\n"
    );
    let scenario = folder.file("planted.toml", &scenario);
    let urls: Vec<_> = cluster.nodes.iter().map(NodeProcess::url).collect();
    let target = ["--url", &urls[0], "--url", &urls[1], "--secret-file", &secret];
    let lose = async {
        let all_there = async || {
            let sessions = cluster.nodes[1].metric("switchboard_sessions").await?;
            (sessions == 4.0).then_some(())
        };
        wait_until("the load is connected", PATIENCE, all_there)
            .await
            .unwrap();
        cluster.proxies[1].lose_next_matching(IN_A_PAYLOAD);
    };
    let (ended, ()) = tokio::join!(folder.load(&scenario, &target), lose);
    assert!(!cluster.proxies[1].is_waiting_to_lose(), "an envelope was lost");
    (ended, cluster)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_message_is_98() {
    let _place = place().await;
    let (ended, _cluster) = with_an_envelope_lost(false).await;
    let ended = ended.expect(98);
    let sent = ended.count("sent");
    assert_eq!(ended.count("lost"), 1, "{}", ended.stdout);
    assert_eq!(ended.count("arrived") + 1, sent, "the others arrived");
    let violations = ended.first_run()["violations"].clone();
    assert_eq!(violations.as_array().unwrap().len(), 1, "{violations}");
    assert!(
        violations[0].as_str().unwrap().starts_with("lost: "),
        "{violations}"
    );
    for word in ["NOT OK", "lost: 1", "violation: lost"] {
        assert!(ended.stdout.contains(word), "{word}: {}", ended.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_loss_costs_nothing_under_the_contract() {
    let _place = place().await;
    let (ended, cluster) = with_an_envelope_lost(true).await;
    let ended = ended.expect(0);
    let sent = ended.count("sent");
    assert!(sent > 0);
    assert_eq!((ended.count("arrived"), ended.count("delivered")), (sent, sent));
    let repeats = cluster.nodes[0].metric(REPEATS).await.unwrap();
    assert!(repeats >= 1.0, "it was lost once, and n1 sent it again");
}

#[tokio::test]
async fn node_kill_loses_nothing() {
    let _place = place().await;
    let more = [
        "--set",
        "streams.pairs=20",
        "--set",
        "streams.stages=[{rate=100,for=\"7s\"}]",
        "--set",
        "faults.0.at=2s",
        "--set",
        "faults.0.for=2s",
        "--set",
        "thresholds=[\"lost == 0\", \"duplicated == 0\", \"reordered == 0\", \"reconnected < 6s\"]",
    ];
    let ended = Folder::new().load("node-kill", &more).await.expect(0);
    let run = ended.first_run();
    let faults = run["faults"].as_array().unwrap();
    let kill = faults.iter().find(|fault| fault["what"] == "kill n2").unwrap();
    assert!(kill["error"].is_null(), "{kill}");
    let (before, least) = (&kill["connected_before"], &kill["connected_min"]);
    assert_eq!(before, 40, "{kill}");
    assert!(least.as_u64() < before.as_u64(), "{kill}");
    for time in ["detected_s", "reconnected_s"] {
        let seconds = kill[time].as_f64().unwrap_or_else(|| panic!("{time}: {kill}"));
        assert!((0.0..6.0).contains(&seconds), "{time}: {kill}");
    }
    assert!(ended.count("reconnects") > 0, "{run}");
}
