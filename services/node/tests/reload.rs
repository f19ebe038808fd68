//! A real node whose key files change while it serves: on SIGHUP and by itself.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use common::{ALONE, Node};
use switchboard_auth::Minter;
use switchboard_client::{Client, ConnectOptions};
use switchboard_harness::{NodeProcess, PATIENCE, TlsServer, or_skip, wait_until};
use switchboard_protocol::{Claims, Secret};

const OLD: &str = "the-old-secret-of-at-least-32-bytes!";
const NEW: &str = "the-new-secret-of-at-least-32-bytes!";

fn token(secret: &str, kid: Option<&str>) -> Secret {
    let claims = Claims {
        sub: "alice".to_owned(),
        exp: u64::from(u32::MAX),
        ..Claims::default()
    };
    let minter = Minter::hs256(&Secret::new(secret)).unwrap().with_kid(kid);
    minter.mint(&claims, Some("switchboard")).unwrap()
}

async fn is_accepted(node: &NodeProcess, token: Secret) -> bool {
    match Client::connect(&ConnectOptions::new(node.url(), token)).await {
        Ok(client) => {
            client.close().await;
            true
        }
        Err(_) => false,
    }
}

fn write(folder: &Path, kid: &str, text: &str) {
    std::fs::write(folder.join(format!("{kid}.secret")), text).unwrap();
}

/// A node with the shared secrets of a folder, and that folder.
fn spawn(first: &str) -> (Node, PathBuf) {
    spawn_with(first, ALONE)
}

fn spawn_with(first: &str, more: &str) -> (Node, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let secrets = folder.path().join("secrets");
    std::fs::create_dir(&secrets).unwrap();
    write(&secrets, "old", first);
    let config = format!("[auth]\nhs256_secrets_dir = {secrets:?}\n{more}");
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_switchboard"));
    let process = NodeProcess::spawn_in(folder.path(), &binary, "n1", &config).unwrap();
    (Node { process, folder }, secrets)
}

async fn logged(node: &Node, words: &str) {
    let is_there = async || node.process.log().contains(words).then_some(());
    wait_until(words, PATIENCE, is_there).await.unwrap();
}

async fn metric_is(node: &Node, series: &str, value: f64) {
    let is_so = async || node.process.metric(series).await.filter(|found| *found == value);
    wait_until(series, PATIENCE, is_so).await.unwrap();
}

#[tokio::test]
async fn a_hangup_brings_a_new_secret_into_use_at_once() {
    let (node, secrets) = spawn(OLD);
    node.process.wait_ready().await.unwrap();
    assert!(is_accepted(&node.process, token(OLD, None)).await);
    assert!(!is_accepted(&node.process, token(NEW, Some("new"))).await);
    write(&secrets, "new", NEW);
    node.process.hang_up().unwrap();
    metric_is(
        &node,
        "switchboard_reloads_total{outcome=\"changed\",part=\"keys\"}",
        1.0,
    )
    .await;
    for token in [token(OLD, Some("old")), token(NEW, Some("new")), token(NEW, None)] {
        assert!(is_accepted(&node.process, token).await);
    }
}

#[tokio::test]
async fn a_changed_file_is_noticed_without_a_signal() {
    let (node, secrets) = spawn(OLD);
    node.process.wait_ready().await.unwrap();
    write(&secrets, "old", NEW);
    metric_is(
        &node,
        "switchboard_reloads_total{outcome=\"changed\",part=\"keys\"}",
        1.0,
    )
    .await;
    assert!(is_accepted(&node.process, token(NEW, None)).await);
    assert!(!is_accepted(&node.process, token(OLD, None)).await);
    let log = node.process.log();
    assert!(!log.contains(OLD) && !log.contains(NEW), "no secret is logged");
}

#[tokio::test]
async fn a_bad_file_keeps_the_old_keys_and_shows_in_metrics_log_and_readyz() {
    let (node, secrets) = spawn(OLD);
    node.process.wait_ready().await.unwrap();
    write(&secrets, "old", "short");
    node.process.hang_up().unwrap();
    metric_is(&node, "switchboard_reload_failed{part=\"keys\"}", 1.0).await;
    assert!(is_accepted(&node.process, token(OLD, None)).await);
    let ready = node.process.get("/readyz").await.unwrap();
    assert_eq!(ready.status, 200, "a bad file must not make all nodes unready");
    for part in [
        "reload-failed",
        "auth.hs256_secrets_dir",
        "old.secret has 5 bytes",
    ] {
        assert!(ready.body.contains(part), "{part}: {}", ready.body);
    }
    node.process.hang_up().unwrap();
    logged(&node, "the files have not changed").await;
    let problem = "files have changed and cannot be used";
    assert_eq!(
        node.process.log().matches(problem).count(),
        1,
        "{}",
        node.process.log()
    );
    write(&secrets, "old", OLD);
    node.process.hang_up().unwrap();
    metric_is(&node, "switchboard_reload_failed{part=\"keys\"}", 0.0).await;
    let ready = node.process.get("/readyz").await.unwrap();
    assert!(!ready.body.contains("reload-failed"), "{}", ready.body);
}

#[tokio::test]
async fn a_storm_of_hangups_ends_no_node_not_even_one_that_starts() {
    let (node, secrets) = spawn(OLD);
    // The node handles the signal from its first moment on; the process alone, before its program runs, cannot.
    logged(&node, "listening").await;
    for _ in 0..50 {
        node.process.hang_up().unwrap();
    }
    node.process.wait_ready().await.unwrap();
    write(&secrets, "new", NEW);
    for _ in 0..50 {
        node.process.hang_up().unwrap();
    }
    metric_is(
        &node,
        "switchboard_reloads_total{outcome=\"changed\",part=\"keys\"}",
        1.0,
    )
    .await;
    assert!(is_accepted(&node.process, token(NEW, Some("new"))).await);
    node.process.terminate().unwrap();
    // Until it has ended.
    while node.process.hang_up().is_ok() {
        tokio::task::yield_now().await;
    }
    let status = node.process.wait_ended(PATIENCE).await.unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn a_node_that_is_not_ready_reads_its_files_on_a_hangup_too() {
    let nobody = switchboard_harness::Port::reserve().unwrap();
    let redis = format!(
        "[broker]\nredis_urls = [\"redis://127.0.0.1:{}\"]\n",
        nobody.number()
    );
    let (node, secrets) = spawn_with(OLD, &redis);
    logged(&node, "listening").await;
    write(&secrets, "new", NEW);
    for _ in 0..20 {
        node.process.hang_up().unwrap();
    }
    metric_is(
        &node,
        "switchboard_reloads_total{outcome=\"changed\",part=\"keys\"}",
        1.0,
    )
    .await;
    assert_eq!(node.process.status("/readyz").await, Some(503));
    assert_eq!(node.process.status("/livez").await, Some(200));
}

#[tokio::test]
async fn a_development_node_survives_a_hangup() {
    let (public, ops) = ("127.0.0.1:0", "127.0.0.1:0");
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_switchboard"))
        .args(["dev", "--listen", public, "--ops-listen", ops, "--no-turn"])
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = tokio::io::BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    while !said.contains("Stop with Ctrl-C") {
        use tokio::io::AsyncBufReadExt as _;
        assert_ne!(lines.read_line(&mut said).await.unwrap(), 0, "{said}");
    }
    let pid = child.id().unwrap().to_string();
    for signal in ["-HUP", "-HUP", "-TERM"] {
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }
    let status = child.wait().await.unwrap();
    assert!(
        status.success(),
        "SIGHUP would have ended it by the signal: {status}"
    );
}

const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

#[tokio::test]
async fn discovery_works_behind_an_own_authority_and_the_authority_can_be_replaced() {
    let Some(server) = or_skip(TlsServer::start(&[("jwks.json", KEYS)])) else {
        return;
    };
    let Some(other) = or_skip(TlsServer::start(&[])) else {
        return;
    };
    let issuer = format!("https://{}", server.address());
    let document = format!("{{\"issuer\":\"{issuer}\",\"jwks_uri\":\"{issuer}/jwks.json\"}}");
    server.add(".well-known/openid-configuration", &document).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::copy(other.ca_file(), &ca_file).unwrap();
    let config = format!(
        "[[auth.issuers]]\nissuer = \"{issuer}\"\ndiscovery = true\n{ALONE}[tls]\nca_file = {ca_file:?}\n"
    );
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_switchboard"));
    let process = NodeProcess::spawn_in(folder.path(), &binary, "n1", &config).unwrap();
    process.wait_ready().await.unwrap();
    let node = Node { process, folder };
    logged(&node, "the JWKS URL gave no keys").await;
    assert!(
        node.process.log().contains("discovery document"),
        "{}",
        node.process.log()
    );
    std::fs::copy(server.ca_file(), &ca_file).unwrap();
    let keys = async || {
        // Keys are requested again 10 s after the last request at the earliest. The pause spares the machine signals.
        tokio::time::sleep(Duration::from_millis(500)).await;
        node.process.hang_up().unwrap();
        let keys = node.process.metric("switchboard_jwks_keys").await;
        keys.filter(|keys| *keys == 1.0)
    };
    wait_until("the keys are there", 2 * PATIENCE, keys)
        .await
        .unwrap();
}
