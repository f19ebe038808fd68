//! What an operator does about events that were given up: on the operations port, and with `switchboard webhooks`.

use std::{
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use switchboard_testkit::{
    Cluster, NodeProcess, OPS_TOKEN, PATIENCE, Port, Received, Reply, WebhookReceiver, binary, wait_until,
};
use tokio::process::Command;

use crate::{hooks, json};

/// A receiver that refuses every event until it is repaired, a node with it, and peers whose events were given up.
struct Scene {
    receiver: WebhookReceiver,
    is_repaired: Arc<AtomicBool>,
    cluster: Cluster,
}

impl Scene {
    async fn start(peers: &[&str]) -> Self {
        let is_repaired = Arc::new(AtomicBool::new(false));
        let repaired = Arc::clone(&is_repaired);
        let answer = move |_: &Received| match repaired.load(Ordering::Relaxed) {
            true => Reply::status(200),
            false => Reply::status(500),
        };
        let receiver = WebhookReceiver::start(answer).await.unwrap();
        // The end of a connection is no event here.
        let config = hooks(receiver.address(), "refusals = 3") + "events = [\"peer.connected\"]\n";
        let cluster = Cluster::start_with(1, &config).await.unwrap();
        for peer in peers {
            cluster.connect(0, peer).await.unwrap();
        }
        let scene = Self {
            receiver,
            is_repaired,
            cluster,
        };
        let all = async || (scene.dead().await.len() == peers.len()).then_some(());
        wait_until("the events are dead", PATIENCE, all).await.unwrap();
        scene
    }

    fn node(&self) -> &NodeProcess {
        &self.cluster.nodes[0]
    }

    /// The IDs of the dead events with their peers, sorted by peer.
    async fn dead(&self) -> Vec<(String, String)> {
        let (_, dead) = json("GET", self.node(), "/webhooks/app/dead").await;
        let dead = dead["dead_events"].as_array().cloned().unwrap_or_default();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let dead = dead
            .iter()
            .map(|dead| (text(&dead["event"]["data"]["peer"]), text(&dead["id"])));
        let mut dead: Vec<_> = dead.collect();
        dead.sort();
        dead
    }

    async fn command(&self, arguments: &[&str]) -> Output {
        command(&self.node().ops_url(), OPS_TOKEN, arguments).await
    }
}

async fn command(url: &str, token: &str, arguments: &[&str]) -> Output {
    Command::new(binary(None).unwrap())
        .arg("webhooks")
        .args(arguments)
        .env("SWITCHBOARD_OPS_URL", url)
        .env("SWITCHBOARD_OPS_TOKEN", token)
        .output()
        .await
        .unwrap()
}

/// What a command that succeeded printed.
fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", refused(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What a command said of its failure.
fn refused(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_refused_too_often_is_listed_and_replayed_by_an_operator() {
    let scene = Scene::start(&["bob"]).await;
    let node = scene.node();
    let (_, dead) = json("GET", node, "/webhooks/app/dead").await;
    let dead = &dead["dead_events"][0];
    assert_eq!(dead["reason"], "refused 3 times, at last with HTTP 500");
    for (method, path) in [("GET", "/webhooks/app/dead"), ("POST", "/webhooks/app/replay")] {
        let answer = switchboard_harness::http::request(method, node.ops_port(), path, None);
        assert_eq!(
            answer.await.unwrap().status,
            401,
            "{method} {path} without a token"
        );
    }
    assert_eq!(json("POST", node, "/webhooks/other/replay").await.0, 404);
    scene.is_repaired.store(true, Ordering::Relaxed);
    let (status, replayed) = json("POST", node, "/webhooks/app/replay").await;
    assert_eq!((status, &replayed["replayed"]), (200, &1.into()));
    let events = scene.receiver.take(1, PATIENCE).await.unwrap();
    assert_eq!(events[0].header("webhook-id"), dead["id"].as_str().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_lists_dead_events_and_replays_one_of_them_and_then_the_others() {
    let scene = Scene::start(&["ann", "bob", "eve"]).await;
    let dead = scene.dead().await;
    // The node reads what waits every few seconds.
    let row = async || {
        let table = printed(&scene.command(&[]).await);
        let row = table.lines().find(|line| line.starts_with("app "))?.to_owned();
        row.ends_with(" 3").then_some(table)
    };
    let (table, _) = wait_until("the table counts them", PATIENCE, row).await.unwrap();
    assert!(table.contains("switchboard webhooks dead app"), "{table}");

    let list = printed(&scene.command(&["dead", "app"]).await);
    assert_eq!(list.lines().count(), 3);
    for (peer, id) in &dead {
        let line = list.lines().find(|line| line.starts_with(id.as_str())).unwrap();
        let parts = [
            "  peer.connected  ",
            &format!("  default/{peer}  "),
            "refused 3 times, at last with HTTP 500",
        ];
        for part in parts {
            assert!(line.contains(part), "{part} in {line}");
        }
    }
    let list = printed(&scene.command(&["dead", "app", "--limit", "1", "--json"]).await);
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["dead_events"].as_array().unwrap().len(), 1);

    scene.is_repaired.store(true, Ordering::Relaxed);
    let one = scene.command(&["replay", "app", "--id", &dead[1].1]).await;
    assert_eq!(printed(&one), "1 event is sent to app again\n");
    let events = scene.receiver.take(1, PATIENCE).await.unwrap();
    assert_eq!(events[0].data("peer"), "bob");
    assert_eq!(scene.dead().await, [dead[0].clone(), dead[2].clone()]);
    let again = scene.command(&["replay", "app", "--id", &dead[1].1]).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(
        refused(&again).contains("has no dead event"),
        "{}",
        refused(&again)
    );

    let others = scene.command(&["replay", "app"]).await;
    assert_eq!(printed(&others), "2 events are sent to app again\n");
    scene.receiver.take(3, PATIENCE).await.unwrap();
    let none = scene.command(&["dead", "app"]).await;
    assert_eq!(printed(&none), "no event of app was given up\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_command_names_the_wrong_part_and_the_fix() {
    let scene = Scene::start(&[]).await;
    let url = scene.node().ops_url();
    let nobody = Port::reserve().unwrap();
    let nobody = format!("http://127.0.0.1:{}", nobody.number());
    let cases: [(&str, &str, &[&str], &str); 6] = [
        (
            &url,
            OPS_TOKEN,
            &["dead", "other"],
            "no endpoint is called `other`; there are: app",
        ),
        (
            &url,
            OPS_TOKEN,
            &["replay", "other"],
            "no endpoint is called `other`; there are: app",
        ),
        (
            &url,
            "another-token-of-16-bytes",
            &["replay", "app"],
            "ops.token_file",
        ),
        (&nobody, OPS_TOKEN, &[], "--url"),
        (&url, OPS_TOKEN, &["dead", "a/b"], "a-z 0-9 -"),
        (&url, OPS_TOKEN, &["replay", "app", "--id", "7"], "webhook-id"),
    ];
    for (url, token, arguments, expected) in cases {
        let output = command(url, token, arguments).await;
        let said = refused(&output);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert!(!said.contains(token), "no token is shown");
    }
}
