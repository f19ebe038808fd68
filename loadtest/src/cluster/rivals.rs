//! The rivals' servers, on free ports of 127.0.0.1, in the configuration that docs/rivals.md shows: what is run and
//! with what. Nothing is installed here, and starting them is the cluster's.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::{process::Command, time::timeout};

use super::{
    ports::free_port,
    process::{Process, Recipe},
    server::{Local, Sign},
};
use crate::scenario::DriverKind;

/// A program says its version within this.
const VERSION_WITHIN: Duration = Duration::from_secs(10);
/// Beyond any run; the default of 5,000 would refuse peers.
const PEERJS_MOST_PEERS: &str = "1000000";
/// Where the rivals' npm packages are.
const FOLDER_VARIABLE: &str = "SWITCHBOARD_RIVALS";
const SPREED_PROGRAM: &str = "nextcloud-spreed-signaling-server";
/// The `internalsecret` of the spreed servers started here: they listen on loopback and live as long as a run.
pub(crate) const SPREED_SECRET: &str = "loadtest-on-loopback-only";

/// A rival's server, not started yet.
pub(super) struct Rival {
    pub(super) local: Local,
    /// What its driver connects to.
    pub(super) url: String,
}

/// The servers of `kind`, `nodes` of them where it can have several, over the Redis at `redis_port`. Their logs go
/// to `folder`. PeerServer has one node whatever is asked; so has spreed, which is run without a NATS here.
///
/// # Errors
/// When something is not installed, with the fix.
pub(super) async fn servers(
    kind: DriverKind,
    nodes: usize,
    redis_port: u16,
    folder: &Path,
) -> anyhow::Result<Vec<Rival>> {
    let version = version_text(kind).await?;
    let count = if kind == DriverKind::Socketio {
        nodes.max(1)
    } else {
        1
    };
    let rivals = (1..=count).map(|number| {
        let port = free_port()?;
        let (name, url, recipe) = recipe(kind, number, port, redis_port, folder)?;
        Ok(Rival {
            local: Local {
                process: Process::new(&name, recipe),
                sign: Sign::Answers(port),
                ops_url: None,
                program: name
                    .trim_end_matches(|c: char| c == '-' || c.is_ascii_digit())
                    .to_owned(),
                version: Some(version.clone()),
            },
            url,
        })
    });
    rivals.collect()
}

fn recipe(
    kind: DriverKind,
    number: usize,
    port: u16,
    redis_port: u16,
    folder: &Path,
) -> anyhow::Result<(String, String, Recipe)> {
    let log = |name: &str| folder.join(format!("{name}.log"));
    Ok(match kind {
        DriverKind::Peerjs => {
            let program = rivals_folder()?.join("node_modules/peer/dist/bin/peerjs.js");
            let port_text = port.to_string();
            let words = [
                "--host",
                "127.0.0.1",
                "--port",
                &port_text,
                "--concurrent_limit",
                PEERJS_MOST_PEERS,
            ];
            let mut arguments = vec![program.into_os_string()];
            arguments.extend(words.map(OsString::from));
            let recipe = Recipe {
                program: "node".into(),
                arguments,
                environment: Vec::new(),
                log: log("peerjs"),
            };
            ("peerjs".into(), format!("ws://127.0.0.1:{port}/peerjs"), recipe)
        }
        DriverKind::Socketio => {
            let name = format!("socketio-{number}");
            let recipe = Recipe {
                program: "node".into(),
                arguments: vec![rivals_folder()?.join("socketio/server.mjs").into_os_string()],
                environment: vec![
                    ("NODE_ENV", "production".into()),
                    ("NODE_NAME", name.clone()),
                    ("ADAPTER", "classic".into()),
                    ("PORT", port.to_string()),
                    ("REDIS_PORT", redis_port.to_string()),
                ],
                log: log(&name),
            };
            (name, format!("ws://127.0.0.1:{port}/socket.io/"), recipe)
        }
        DriverKind::Spreed => {
            let config = folder.join("spreed.conf");
            std::fs::write(&config, spreed_config(port))
                .with_context(|| format!("cannot write {}", config.display()))?;
            let recipe = Recipe {
                program: program(SPREED_PROGRAM)?,
                arguments: vec!["-config".into(), config.into_os_string()],
                environment: Vec::new(),
                log: log("spreed"),
            };
            ("spreed".into(), format!("ws://127.0.0.1:{port}/spreed"), recipe)
        }
        DriverKind::Switchboard | DriverKind::Redis => bail!("{kind:?} is not started as a rival"),
    })
}

/// Debian's defaults, but: one address, any backend (no Nextcloud is there), and messages within the process.
fn spreed_config(port: u16) -> String {
    let secret = SPREED_SECRET;
    let hash_key = "h".repeat(32);
    format!(
        "[http]\nlisten = 127.0.0.1:{port}\n[app]\ndebug = false\n[sessions]\nhashkey = {hash_key}\n\
         [clients]\ninternalsecret = {secret}\n[backend]\nallowall = true\nsecret = {secret}\n\
         [nats]\nurl = :loopback:\n"
    )
}

/// What would run for `kind`, each program with its version; an error that names the fix if it is not installed.
pub(crate) async fn versions(kind: DriverKind) -> anyhow::Result<Vec<(String, String)>> {
    let pair = |name: &str, version: String| (name.to_owned(), version);
    Ok(match kind {
        DriverKind::Peerjs => vec![
            pair("peer", npm_version("peer")?),
            pair("node", said("node", "--version").await?),
        ],
        DriverKind::Socketio => vec![
            pair("socket.io", npm_version("socket.io")?),
            pair(
                "@socket.io/redis-adapter",
                npm_version("@socket.io/redis-adapter")?,
            ),
            pair("node", said("node", "--version").await?),
        ],
        DriverKind::Spreed => {
            let program = program(SPREED_PROGRAM)?;
            vec![pair(
                "spreed",
                said(&program.to_string_lossy(), "-version").await?,
            )]
        }
        DriverKind::Redis => vec![pair("redis", said("redis-server", "--version").await?)],
        DriverKind::Switchboard => bail!("{kind:?} is not started as a rival"),
    })
}

async fn version_text(kind: DriverKind) -> anyhow::Result<String> {
    let versions = versions(kind).await?;
    let parts: Vec<String> = versions
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    Ok(parts.join(", "))
}

fn npm_version(package: &str) -> anyhow::Result<String> {
    let rivals = rivals_folder()?;
    let path = rivals.join("node_modules").join(package).join("package.json");
    let missing = || {
        format!(
            "the npm package {package} is not installed: run scripts/setup, or npm ci --prefix {}",
            rivals.display()
        )
    };
    let text = std::fs::read(&path).with_context(missing)?;
    let value: serde_json::Value = serde_json::from_slice(&text).with_context(missing)?;
    let version = value.get("version").and_then(serde_json::Value::as_str);
    Ok(version.with_context(missing)?.to_owned())
}

/// What `program` says to `argument`; the first version in it.
async fn said(program: &str, argument: &str) -> anyhow::Result<String> {
    let command = Command::new(program).arg(argument).kill_on_drop(true).output();
    let output = timeout(VERSION_WITHIN, command)
        .await
        .with_context(|| format!("{program} {argument} says nothing"))?;
    let output = output.with_context(|| format!("{program} cannot be run: run scripts/setup"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next().unwrap_or_default();
    let after = |mark: &str| line.split_once(mark).map(|(_, rest)| rest);
    let word = after("version ").or_else(|| after("v=")).unwrap_or(line);
    Ok(word.split_whitespace().next().unwrap_or("unknown").to_owned())
}

/// `loadtest/rivals`: named by the environment, or beside the workspace that this program or shell is in.
fn rivals_folder() -> anyhow::Result<PathBuf> {
    if let Some(folder) = env::var_os(FOLDER_VARIABLE) {
        return Ok(folder.into());
    }
    let places = [env::current_exe().ok(), env::current_dir().ok()];
    let mut ancestors = places.iter().flatten().flat_map(|place| place.ancestors());
    ancestors
        .find_map(|folder| {
            let rivals = folder.join("loadtest/rivals");
            rivals.join("package.json").is_file().then_some(rivals)
        })
        .with_context(|| {
            format!(
                "loadtest/rivals is not found: run in the project's folder, or name it in {FOLDER_VARIABLE}"
            )
        })
}

/// A program on PATH or in the workspace's `.tools/bin`.
fn program(name: &str) -> anyhow::Result<PathBuf> {
    let tools = rivals_folder().ok().map(|rivals| rivals.join("../../.tools/bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders = env::split_paths(&path).chain(tools);
    folders
        .find_map(|folder| Some(folder.join(name)).filter(|program| program.is_file()))
        .with_context(|| {
            format!("{name} is neither on PATH nor in .tools/bin: install it to compare with it")
        })
}
