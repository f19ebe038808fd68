//! An endpoint behind a private authority, whose file changes while a node runs.

use switchboard_harness::{TlsServer, or_skip};
use switchboard_testkit::{NodeProcess, PATIENCE, SECRET, wait_until};

use crate::{TAKEOVER, json, visit};

/// Why the node gave up the event of `peer`.
async fn reason(node: &NodeProcess, peer: &str) -> String {
    let given_up = async || {
        let (_, dead) = json("GET", node, "/webhooks/app/dead").await;
        let mut dead = dead["dead_events"].as_array()?.iter();
        let own = dead.find(|dead| dead["event"]["data"]["peer"] == peer)?;
        own["reason"].as_str().map(str::to_owned)
    };
    wait_until(&format!("the dead event of {peer}"), TAKEOVER, given_up)
        .await
        .unwrap()
        .0
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authority_of_an_endpoint_can_be_replaced_while_the_node_runs() {
    // It speaks TLS, and answers no POST. So the reason tells whether the node believed its certificate.
    let Some(server) = or_skip(TlsServer::start(&[])) else {
        return;
    };
    let Some(other) = or_skip(TlsServer::start(&[])) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::copy(other.ca_file(), &ca_file).unwrap();
    let config = format!(
        "[broker]\nkind = \"memory\"\n[auth]\nhs256_secret = \"{SECRET}\"\n[tls]\nca_file = {ca_file:?}\n\
         [webhooks]\nfirst_retry_ms = 10\nlongest_retry_ms = 100\ntimeout_ms = 5000\nretry_for_s = 1\n\
         [[webhooks.endpoints]]\nname = \"app\"\nurl = \"https://{}/hooks\"\n\
         secrets = [\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]\nevents = [\"peer.connected\"]\n",
        server.address()
    );
    let node = NodeProcess::spawn_new("n1", &config).unwrap();
    node.wait_ready().await.unwrap();
    visit(&node, "before", None).await;
    let unknown = reason(&node, "before").await;
    assert!(unknown.contains("certificate"), "{unknown}");

    std::fs::copy(server.ca_file(), &ca_file).unwrap();
    let series = "switchboard_reloads_total{outcome=\"changed\",part=\"webhooks\"}";
    let changed = async || node.metric(series).await.filter(|count| *count == 1.0);
    wait_until("the new authority", PATIENCE, changed).await.unwrap();
    visit(&node, "after", None).await;
    let known = reason(&node, "after").await;
    assert!(!known.contains("certificate"), "{known}");
}
