//! What a connect costs a node: token verified, channel subscribed, claim made.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use anyhow::Context as _;
use switchboard_client::{Client, ConnectOptions};
use tokio::task::JoinSet;

use super::{
    Size, bars,
    report::Report,
    stage::{CpuMeter, KeyFiles, Stage},
};

/// Handshakes under way at once.
const AT_ONCE: usize = 32;

/// Measures connects with HS256 and ES256, `size.repeats` times each in turn.
pub(crate) async fn run(binary: &Path, size: &Size, report: &mut Report) -> anyhow::Result<()> {
    let (mut hs256, mut es256) = (Vec::new(), Vec::new());
    let folder = tempfile::tempdir()?;
    let keys = ec_key(folder.path());
    for _ in 0..size.repeats {
        hs256.push(connect(&Stage::set(binary, 1, None).await?, size.connects).await?);
        if let Ok((private, trusted)) = &keys {
            let keys = KeyFiles { private, trusted };
            es256.push(connect(&Stage::set(binary, 1, Some(keys)).await?, size.connects).await?);
        }
    }
    report.figure(bars::CONNECT_HS256, hs256);
    match keys {
        Ok(_) => report.figure(bars::CONNECT_ES256, es256),
        Err(error) => report.note(format!("connect with ES256 was not measured: {error:#}")),
    }
    Ok(())
}

/// A fresh P-256 key, and the folder with its public half.
fn ec_key(folder: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
    let (private, keys) = (folder.join("private.pem"), folder.join("keys"));
    std::fs::create_dir_all(&keys)?;
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl")
            .args(arguments)
            .output()
            .context("openssl makes the key")?;
        anyhow::ensure!(
            output.status.success(),
            "openssl: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        anyhow::Ok(())
    };
    let (private_text, public) = (
        private.display().to_string(),
        keys.join("bench.pem").display().to_string(),
    );
    openssl(&[
        "genpkey",
        "-algorithm",
        "EC",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-out",
        &private_text,
    ])?;
    openssl(&["pkey", "-in", &private_text, "-pubout", "-out", &public])?;
    Ok((private, keys))
}

/// Connects `count` times and stays; returns the node's CPU time per connect, in microseconds.
async fn connect(stage: &Stage, count: usize) -> anyhow::Result<f64> {
    let node = stage.node(0)?;
    let cpu = CpuMeter::start(&[node.pid])?;
    let mut clients = Vec::with_capacity(count);
    let mut connecting = JoinSet::new();
    for number in 0..count {
        if connecting.len() >= AT_ONCE
            && let Some(client) = connecting.join_next().await
        {
            clients.push(client??);
        }
        let token = stage.tokens.mint(&format!("peer-{number}"))?;
        let options = Arc::new(ConnectOptions::new(&node.url, token));
        connecting.spawn(async move { Client::connect(&options).await });
    }
    while let Some(client) = connecting.join_next().await {
        clients.push(client??);
    }
    Ok(cpu.micros()? / clients.len() as f64)
}
