//! Secrets in files that change while a real node serves: of TURN servers, of the operations port, and of Redis. For keys of
//! issuers: `reload`.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::{
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use common::{ALONE, Node, token};
use switchboard_auth::TurnMinter;
use switchboard_harness::{PATIENCE, RedisServer, http, wait_until};
use switchboard_protocol::{PeerId, Secret};
use tempfile::TempDir;

/// A folder with a secret in a file.
fn folder(secret: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    write(&file, secret);
    (folder, file)
}

fn write(file: &Path, secret: &str) {
    // As kubelets do: complete at once.
    let next = file.with_extension("next");
    std::fs::write(&next, format!("{secret}\n")).unwrap();
    std::fs::rename(next, file).unwrap();
}

/// A node whose operations port has no token but that of its configuration.
async fn start(folder: TempDir, more: &str) -> Node {
    let script = folder.path().join("node");
    let binary = env!("CARGO_BIN_EXE_switchboard");
    let mut file = std::fs::File::create(&script).unwrap();
    writeln!(
        file,
        "#!/bin/sh\nunset SWITCHBOARD__OPS__TOKEN\nexec {binary} \"$@\""
    )
    .unwrap();
    file.set_permissions(std::fs::Permissions::from_mode(0o700))
        .unwrap();
    drop(file);
    let node = Node::spawn_by(folder, &script, more);
    node.process.wait_ready().await.unwrap();
    node
}

async fn metric_is(node: &Node, series: &str, value: f64) {
    let is_so = async || node.process.metric(series).await.filter(|found| *found == value);
    wait_until(series, PATIENCE, is_so).await.unwrap();
}

async fn has_changed(node: &Node, part: &str, times: f64) {
    let series = format!("switchboard_reloads_total{{outcome=\"changed\",part=\"{part}\"}}");
    metric_is(node, &series, times).await;
}

async fn is_refused(node: &Node, part: &str, why: &str) {
    metric_is(
        node,
        &format!("switchboard_reload_failed{{part=\"{part}\"}}"),
        1.0,
    )
    .await;
    let ready = node.process.get("/readyz").await.unwrap();
    assert_eq!(ready.status, 200, "a bad file must not make all nodes unready");
    assert!(ready.body.contains(why), "{why} in {}", ready.body);
}

/// Whether the TURN credentials that the node gives are made with `secret`.
async fn credentials_have(node: &Node, secret: &str) -> bool {
    let port = node.process.public_port();
    let answer = http::request("GET", port, "/v1/ice", Some(token("alice").expose())).await;
    let answer: serde_json::Value = serde_json::from_str(&answer.unwrap().body).unwrap();
    let given = &answer["ice_servers"][0];
    let expires_at = answer["expires_at"].as_u64().unwrap();
    let minter = TurnMinter::new(&Secret::new(secret), 600);
    let own = minter.credentials(&PeerId::new("alice").unwrap(), expires_at - 600);
    assert_eq!(given["username"], own.username);
    given["credential"] == own.credential.expose()
}

#[tokio::test]
async fn the_secret_of_turn_servers_changes_without_a_restart() {
    let (folder, file) = folder("the-old-secret");
    let ice = format!(
        "[ice]\nturn_urls = [\"turn:turn.example\"]\nturn_secret_file = {file:?}\nturn_ttl_s = 600\n"
    );
    let node = start(folder, &format!("{ALONE}{ice}")).await;
    assert!(credentials_have(&node, "the-old-secret").await);
    write(&file, "the-new-secret");
    has_changed(&node, "ice", 1.0).await;
    assert!(credentials_have(&node, "the-new-secret").await);
    write(&file, "");
    is_refused(&node, "ice", "ice.turn_secret_file").await;
    assert!(
        credentials_have(&node, "the-new-secret").await,
        "the earlier one stays"
    );
    let log = node.process.log();
    assert!(
        !log.contains("the-old-secret") && !log.contains("the-new-secret"),
        "no secret is logged"
    );
}

#[tokio::test]
async fn the_token_of_the_operations_port_changes_without_a_restart() {
    const OLD: &str = "the-old-token-of-32-bytes-000000";
    const NEW: &str = "the-new-token-of-32-bytes-000000";
    let (folder, file) = folder(OLD);
    let node = start(folder, &format!("{ALONE}[ops]\ntoken_file = {file:?}\n")).await;
    let status = async |token| {
        let answer = http::request("POST", node.process.ops_port(), "/undrain", Some(token));
        answer.await.unwrap().status
    };
    assert_eq!((status(OLD).await, status(NEW).await), (202, 401));
    write(&file, NEW);
    has_changed(&node, "ops", 1.0).await;
    assert_eq!((status(OLD).await, status(NEW).await), (401, 202));
    write(&file, "short");
    is_refused(&node, "ops", "ops.token").await;
    assert_eq!((status("short").await, status(NEW).await), (401, 202));
    let log = node.process.log();
    assert!(!log.contains(OLD) && !log.contains(NEW), "no token is logged");
}

#[tokio::test]
async fn the_password_of_redis_changes_without_a_restart_and_the_next_connections_have_it() {
    let redis = RedisServer::start().await.unwrap();
    let user = async |rule: &str| {
        let words = ["ACL", "SETUSER", "ann", "on", "~*", "&*", "+@all", rule];
        redis.command::<String>(&words).await.unwrap();
    };
    let url = |password: &str| format!("redis://ann:{password}@{}", redis.address());
    user(">old-password").await;
    let (folder, file) = folder(&url("old-password"));
    let node = start(folder, &format!("[broker]\nredis_url_file = {file:?}\n")).await;

    user(">new-password").await;
    write(&file, &url("new-password"));
    has_changed(&node, "broker", 1.0).await;
    user("<old-password").await;
    // Redis leaves open connections alone, so these have to end before the password matters.
    let ended = redis.command::<u64>(&["CLIENT", "KILL", "USER", "ann"]).await;
    assert!(ended.unwrap() >= 2, "the node is connected as this user");
    let is_back = async || {
        let clients = redis.command::<String>(&["CLIENT", "LIST"]).await.ok()?;
        let own = clients
            .lines()
            .filter(|client| client.contains(" user=ann "))
            .count();
        let is_ready = node.process.status("/readyz").await == Some(200);
        (own >= 2 && is_ready).then_some(())
    };
    wait_until("the node is connected again", PATIENCE, is_back)
        .await
        .unwrap();

    write(&file, "redis://ann:new-password@127.0.0.1:1");
    is_refused(&node, "broker", "another host, port or database needs a restart").await;
    let log = node.process.log();
    assert!(
        !log.contains("old-password") && !log.contains("new-password"),
        "no password is logged"
    );
}
