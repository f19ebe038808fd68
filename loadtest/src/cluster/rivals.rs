//! The rivals' servers, started as children on free ports of 127.0.0.1 in the configuration that docs/rivals.md
//! shows. Nothing is installed here and no Redis is started: the caller brings its port.

use std::{
    env,
    fs::File,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::scenario::DriverKind;

/// A rival's server answers HTTP within this of its start.
const READY_WITHIN: Duration = Duration::from_secs(20);
const ASK_EVERY: Duration = Duration::from_millis(50);
/// A program says its version within this.
const VERSION_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of a failed server's log that stand in the error.
const LOG_TAIL_BYTES: usize = 800;
/// Beyond any run; the default of 5,000 would refuse peers.
const PEERJS_MOST_PEERS: &str = "1000000";
/// Where the rivals' npm packages are.
const FOLDER_VARIABLE: &str = "SWITCHBOARD_RIVALS";
const SPREED_PROGRAM: &str = "nextcloud-spreed-signaling-server";
/// The `internalsecret` of the spreed servers started here: they listen on loopback and live as long as a run.
pub(crate) const SPREED_SECRET: &str = "loadtest-on-loopback-only";

/// A rival's server that runs; it is killed when this is dropped.
pub(crate) struct RivalServer {
    /// Such as `socketio-1`.
    pub(crate) name: String,
    /// What its driver connects to.
    pub(crate) url: String,
    /// What runs, for the report; such as `socket.io 4.8.4, node v20.20.2`.
    pub(crate) version: String,
    /// Its process; `None` for the Redis that the caller started.
    pub(crate) pid: Option<u32>,
    /// The same, to kill or wait for.
    pub(crate) child: Option<Child>,
}

/// Starts `nodes` servers of `kind` over the Redis at `redis_port` and waits until each answers. Their logs go to
/// `folder`. PeerServer has one node whatever is asked; so has spreed, which is run without a NATS here.
pub(crate) async fn start(
    kind: DriverKind,
    nodes: usize,
    redis_port: u16,
    folder: &Path,
) -> anyhow::Result<Vec<RivalServer>> {
    let version = version_text(kind).await?;
    let count = match kind {
        DriverKind::Socketio => nodes.max(1),
        DriverKind::Peerjs | DriverKind::Spreed | DriverKind::Redis => 1,
        DriverKind::Switchboard | DriverKind::Centrifugo => bail!("{kind:?} is not started as a rival"),
    };
    if kind == DriverKind::Redis {
        return Ok(vec![RivalServer {
            name: "redis".into(),
            url: format!("redis://127.0.0.1:{redis_port}"),
            version,
            pid: None,
            child: None,
        }]);
    }
    let mut servers = Vec::new();
    for number in 1..=count {
        let port = free_port()?;
        let (name, url, mut command) = command(kind, number, port, redis_port, folder)?;
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        servers.push(RivalServer {
            name,
            url,
            version: version.clone(),
            pid: child.id(),
            child: Some(child),
        });
        // Each is awaited before the next is started: two cores are not for six starting nodes.
        if let Some(server) = servers.last_mut() {
            ready(server, port, &log).await?;
        }
    }
    Ok(servers)
}

fn command(
    kind: DriverKind,
    number: usize,
    port: u16,
    redis_port: u16,
    folder: &Path,
) -> anyhow::Result<(String, String, Command)> {
    Ok(match kind {
        DriverKind::Peerjs => {
            let program = rivals_folder()?.join("node_modules/peer/dist/bin/peerjs.js");
            let mut command = Command::new("node");
            command.arg(program).args(["--host", "127.0.0.1", "--port"]);
            command.arg(port.to_string());
            command.args(["--concurrent_limit", PEERJS_MOST_PEERS]);
            ("peerjs".into(), format!("ws://127.0.0.1:{port}/peerjs"), command)
        }
        DriverKind::Socketio => {
            let name = format!("socketio-{number}");
            let mut command = Command::new("node");
            command.arg(rivals_folder()?.join("socketio/server.mjs"));
            command.env("NODE_ENV", "production").env("NODE_NAME", &name);
            command.env("PORT", port.to_string());
            command.env("REDIS_PORT", redis_port.to_string());
            (name, format!("ws://127.0.0.1:{port}/socket.io/"), command)
        }
        DriverKind::Spreed => {
            let config = folder.join("spreed.conf");
            std::fs::write(&config, spreed_config(port))
                .with_context(|| format!("cannot write {}", config.display()))?;
            let mut command = Command::new(program(SPREED_PROGRAM)?);
            command.arg("-config").arg(config);
            ("spreed".into(), format!("ws://127.0.0.1:{port}/spreed"), command)
        }
        DriverKind::Switchboard | DriverKind::Centrifugo | DriverKind::Redis => {
            bail!("{kind:?} is not started as a rival")
        }
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

async fn ready(server: &mut RivalServer, port: u16, log: &Path) -> anyhow::Result<()> {
    let url = format!("http://127.0.0.1:{port}/");
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(2))
        .build()?;
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        // Any answer will do, a 404 too.
        if client.get(&url).send().await.is_ok() {
            return Ok(());
        }
        let ended = server.child.as_mut().map(Child::try_wait).transpose()?.flatten();
        if let Some(status) = ended {
            bail!("{} ended at once ({status}): {}", server.name, tail(log));
        }
        if Instant::now() > deadline {
            let seconds = READY_WITHIN.as_secs();
            bail!("{} does not answer after {seconds} s: {}", server.name, tail(log));
        }
        sleep(ASK_EVERY).await;
    }
}

fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let from = text.len().saturating_sub(LOG_TAIL_BYTES);
    let text = String::from_utf8_lossy(text.get(from..).unwrap_or_default());
    format!("its log {} ends: {}", log.display(), text.trim())
}

/// A port that was free a moment ago.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
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
        DriverKind::Switchboard | DriverKind::Centrifugo => bail!("{kind:?} is not started as a rival"),
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
