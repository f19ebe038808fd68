//! A shared secret that is rotated under load on two nodes: no client is refused, and nobody who is connected notices.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use switchboard_auth::Minter;
use switchboard_client::{Client, ConnectOptions};
use switchboard_harness::{NodeProcess, PATIENCE, RedisServer, wait_until};
use switchboard_protocol::{MessageKind, Secret};
use switchboard_testkit::{claims, payload};
use tokio::sync::RwLock;

const OLD: &str = "the-old-secret-of-at-least-32-bytes!";
const NEW: &str = "the-new-secret-of-at-least-32-bytes!";

/// Tasks that connect all the time.
const TASKS: usize = 4;

/// Connects that must succeed in each phase of the rotation.
const CONNECTS: usize = 100;

fn token(signer: (&str, &str), peer: &str) -> Secret {
    let (kid, secret) = signer;
    let minter = Minter::hs256(&Secret::new(secret)).unwrap().with_kid(Some(kid));
    minter.mint(&claims(peer), Some("switchboard")).unwrap()
}

async fn connect(node: &NodeProcess, token: Secret) -> Result<Client, String> {
    let connected = Client::connect(&ConnectOptions::new(node.url(), token)).await;
    connected.map_err(|error| error.to_string())
}

fn write(folder: &Path, (kid, secret): (&str, &str)) {
    // As kubelets do: complete at once.
    let next = folder.join("next");
    std::fs::write(&next, secret).unwrap();
    std::fs::rename(next, folder.join(format!("{kid}.secret"))).unwrap();
}

async fn all_have_read(nodes: &[NodeProcess], changes: f64) {
    for node in nodes {
        let series = "switchboard_reloads_total{outcome=\"changed\",part=\"keys\"}";
        let has_read = async || node.metric(series).await.filter(|count| *count == changes);
        wait_until("the changed secrets", PATIENCE, has_read)
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_rotated_on_two_nodes_under_load_and_nobody_is_refused() {
    const FIRST: (&str, &str) = ("old", OLD);
    const SECOND: (&str, &str) = ("new", NEW);
    let redis = RedisServer::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), FIRST);
    let config = format!(
        "[broker]\nredis_urls = [\"{}\"]\n[auth]\nhs256_secrets_dir = {:?}\n",
        redis.url(),
        folder.path()
    );
    let spawn = |id| NodeProcess::spawn_new(id, &config).unwrap();
    let nodes = Arc::new([spawn("n1"), spawn("n2")]);
    for node in nodes.iter() {
        node.wait_ready().await.unwrap();
    }
    let mut alice = connect(&nodes[0], token(FIRST, "alice")).await.unwrap();
    let _bob = connect(&nodes[1], token(FIRST, "bob")).await.unwrap();

    // Held while a client connects: after a change no token of the earlier secret is under way.
    let signer = Arc::new(RwLock::new(FIRST));
    let (connects, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (nodes, signer) = (Arc::clone(&nodes), Arc::clone(&signer));
            let (connects, stop) = (Arc::clone(&connects), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    number += 1;
                    let signer = signer.read().await;
                    let token = token(*signer, &format!("t{task}-{number}"));
                    connect(&nodes[number % 2], token).await?.close().await;
                    connects.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<(), String>(())
            })
        })
        .collect();
    let phase = async || {
        let target = connects.load(Ordering::Relaxed) + CONNECTS;
        let reached = async || {
            let is_over = tasks.iter().any(tokio::task::JoinHandle::is_finished);
            (is_over || connects.load(Ordering::Relaxed) >= target).then_some(())
        };
        wait_until("more connects", 4 * PATIENCE, reached).await.unwrap();
    };

    phase().await;
    write(folder.path(), SECOND);
    all_have_read(&*nodes, 1.0).await;
    *signer.write().await = SECOND;
    phase().await;
    std::fs::remove_file(folder.path().join("old.secret")).unwrap();
    all_have_read(&*nodes, 2.0).await;
    phase().await;
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        assert_eq!(task.await.unwrap(), Ok(()), "nobody is refused");
    }

    for node in nodes.iter() {
        let refused = connect(node, token(FIRST, "carol")).await.err().unwrap();
        assert!(refused.contains("401"), "{refused}");
    }
    let sent = alice
        .send_and_confirm(MessageKind::Message, "bob", &payload("1").unwrap(), PATIENCE)
        .await
        .unwrap();
    assert!(sent.is_delivered(), "an open connection stays: {sent:?}");
}
