//! Targets and keys that do not fit: said before anything starts.

use std::time::{Duration, Instant};

use switchboard_harness::{TlsServer, or_skip};
use switchboard_testkit::Cluster;

use crate::{place, program::Folder};

/// Starting the program, and at most two seconds for the answers; with room for a busy machine.
const SOON: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_server_of_another_kind_that_is_not_there_is_named() {
    let nowhere = "ws://127.0.0.1:1/peerjs";
    let target = ["--driver", "peerjs", "--url", nowhere];
    let ended = Folder::new().load("idle", &target).await.expect(2);
    for word in [nowhere, "start the server, or correct the address"] {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn a_target_behind_an_own_authority_is_asked_where_its_file_is_given() {
    let Some(server) = or_skip(TlsServer::start(&[])) else {
        return;
    };
    let (url, authority) = (format!("wss://{}/v1/ws", server.address()), server.ca_file());
    let folder = Folder::new();
    let secret = folder.secret();
    let target = ["--url", &url, "--secret-file", &secret];
    let refused = folder.load("idle", &target).await.expect(2);
    assert!(refused.stderr.contains("--ca-file"), "{}", refused.stderr);
    let target = [&target[..], &["--ca-file", authority.to_str().unwrap()]].concat();
    let answered = Folder::new().load("idle", &target).await.expect(2);
    assert!(
        answered.stderr.contains("this is no Switchboard node"),
        "{}",
        answered.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_or_target_is_named_with_its_fix_before_anything_starts() {
    let _place = place().await;
    let cluster = Cluster::start(1).await.unwrap();
    let (url, ops) = (cluster.nodes[0].url(), cluster.nodes[0].ops_url());
    let at_ops = ops.replace("http", "ws") + "/v1/ws";
    let nowhere = "ws://127.0.0.1:1/v1/ws".to_owned();
    let elsewhere = url.replace("/v1/ws", "/ws");
    for (url, ops, is_right, words) in [
        (
            &url,
            &ops,
            false,
            [
                "token-signature",
                "tokens.secret must be a key that the node trusts",
            ],
        ),
        (
            &nowhere,
            &ops,
            true,
            [&*nowhere, "start the node, or correct the address"],
        ),
        (&at_ops, &ops, true, [&*at_ops, "this is no Switchboard node"]),
        (&elsewhere, &ops, true, [&*elsewhere, "correct the address"]),
        (
            &url,
            &url.replace("ws://", "http://"),
            true,
            ["/metrics", "give the operations port"],
        ),
    ] {
        let folder = Folder::new();
        let right = folder.secret();
        let wrong = || folder.file("tokens.secret", "another-secret-that-no-node-has-seen");
        let secret = if is_right { right } else { wrong() };
        let target = ["--url", url, "--ops-url", ops, "--secret-file", &secret];
        let start = Instant::now();
        let ended = folder.load("idle", &target).await.expect(2);
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
        for word in words {
            assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
        }
        assert!(!ended.stderr.contains("connecting"), "{}", ended.stderr);
        assert!(!ended.results_file().exists());
    }
}
