//! Proxies of other people, as they ship: what buffers or times out there must not keep events back.

use std::{fs, time::Instant};

use anyhow::Context as _;
use serde_json::json;
use switchboard_harness::{Port, Process, Ready, Recipe, find_program, or_skip};
use switchboard_protocol::MessageKind;
use switchboard_testkit::{Cluster, payload};
use tempfile::TempDir;

use crate::client::{EventStream, Place, http, poll, post};

struct Proxy {
    base: String,
    _process: Process,
    _folder: TempDir,
}

/// Starts `program` in front of a node. `config` gets the proxy's port, the node's address and a folder for its files.
async fn start(
    program: &str,
    node: &str,
    config: impl FnOnce(u16, &str, &str) -> String,
    arguments: &[&str],
) -> anyhow::Result<Proxy> {
    let port = Port::reserve()?;
    let number = port.number();
    let folder = tempfile::tempdir()?;
    let dir = folder.path().display().to_string();
    let file = folder.path().join("proxy.conf");
    fs::write(&file, config(number, node.trim_start_matches("http://"), &dir))?;
    let arguments = arguments
        .iter()
        .map(|text| text.replace("@FILE@", &file.display().to_string()));
    let recipe = Recipe {
        program: find_program(program)?,
        arguments: arguments.map(Into::into).collect(),
        environment: Vec::new(),
        log: folder.path().join("log"),
        ready: Ready::Accepts(number),
        ports: vec![port],
    };
    let process = Process::new(program, recipe);
    process.start().await.with_context(|| program.to_owned())?;
    Ok(Proxy {
        base: format!("http://127.0.0.1:{number}"),
        _process: process,
        _folder: folder,
    })
}

/// One process: a worker would outlive a master that is killed.
async fn nginx(node: &str) -> anyhow::Result<Proxy> {
    let config = |port: u16, node: &str, dir: &str| {
        format!(
            "daemon off; master_process off; pid {dir}/pid; error_log {dir}/error.log;\nevents {{}}\nhttp {{ access_log off; \
             client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; \
             scgi_temp_path {dir}/s;\nserver {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://{node}; }} }} }}\n"
        )
    };
    start("nginx", node, config, &["-e", "stderr", "-c", "@FILE@"]).await
}

async fn haproxy(node: &str) -> anyhow::Result<Proxy> {
    let config = |port: u16, node: &str, _: &str| {
        format!(
            "defaults\n mode http\n timeout connect 5000\n timeout client 50000\n timeout server 50000\nfrontend f\n bind \
             127.0.0.1:{port}\n default_backend b\nbackend b\n server s {node}\n"
        )
    };
    start("haproxy", node, config, &["-db", "-f", "@FILE@"]).await
}

async fn events_pass(proxy: &Proxy, cluster: &Cluster) {
    let mut bob = cluster.connect(0, "bob").await.unwrap();
    let mut alice = EventStream::open(&proxy.base, "alice", "", None).await;
    let place = Place::of(&alice.welcome().await);
    assert_eq!(
        post(&proxy.base, &place, r#"{"type":"ping","id":1}"#).await.0,
        202
    );
    assert_eq!(alice.next().await.unwrap().data["type"], json!("pong"));
    for text in ["1", "2", "3"] {
        let sent = Instant::now();
        bob.send(MessageKind::Message, "alice", None, &payload(text).unwrap())
            .await
            .unwrap();
        assert_eq!(alice.next().await.unwrap().data["payload"].to_string(), text);
        println!("an event took {:?}", sent.elapsed());
    }
    let (batch, frames) = poll(&proxy.base, "carol", "").await;
    let carol = Place::of(&frames[0]);
    assert_eq!(
        post(&proxy.base, &carol, r#"{"type":"ping","id":1}"#).await.0,
        202
    );
    let query = format!("resume={}&batch={batch}", carol.resume);
    assert_eq!(
        poll(&proxy.base, "carol", &query).await.1[0]["type"],
        json!("pong")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn events_pass_through_nginx_as_it_ships() {
    let cluster = Cluster::start(1).await.unwrap();
    if let Some(proxy) = or_skip(nginx(&http(&cluster.nodes[0])).await) {
        events_pass(&proxy, &cluster).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_pass_through_haproxy_as_it_ships() {
    let cluster = Cluster::start(1).await.unwrap();
    if let Some(proxy) = or_skip(haproxy(&http(&cluster.nodes[0])).await) {
        events_pass(&proxy, &cluster).await;
    }
}
