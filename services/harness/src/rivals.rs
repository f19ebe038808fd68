//! The servers of rivals, on ports of 127.0.0.1, in the configuration that docs/rivals.md shows. Nothing is installed
//! here, and what they are compared in is the load generator's.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::{Port, Process, Ready, Recipe, find_program, program_version};

/// Beyond any run; the default of 5,000 would refuse peers.
const PEERJS_MAX_PEERS: &str = "1000000";

/// The variable that names the folder of the rivals' npm packages.
const FOLDER_VARIABLE: &str = "SWITCHBOARD_RIVALS";

const SPREED_PROGRAM: &str = "nextcloud-spreed-signaling-server";

/// The `internalsecret` of the spreed servers started here: they listen on loopback and live as long as a run.
pub const SPREED_SECRET: &str = "loadtest-on-loopback-only";

/// A rival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rival {
    /// PeerServer, on Node.js.
    Peerjs,
    /// Socket.IO with its Redis adapter, on Node.js.
    Socketio,
    /// Nextcloud's spreed signaling server.
    Spreed,
}

/// A rival's server, not started yet.
#[derive(Debug)]
pub struct RivalServer {
    /// Its process.
    pub process: Process,
    /// Where its driver connects.
    pub url: String,
    /// The name under which its version is reported.
    pub program: &'static str,
}

impl Rival {
    /// Its servers: `nodes` of them where it can have several, over the Redis at `redis_port`. Their logs go to
    /// `folder`. PeerServer always has one node, and so has spreed, which runs without NATS here.
    ///
    /// # Errors
    /// When something is not installed, with the fix.
    pub fn servers(self, nodes: usize, redis_port: u16, folder: &Path) -> anyhow::Result<Vec<RivalServer>> {
        let count = if self == Self::Socketio { nodes.max(1) } else { 1 };
        (1..=count)
            .map(|number| self.server(number, redis_port, folder))
            .collect()
    }

    fn server(self, number: usize, redis_port: u16, folder: &Path) -> anyhow::Result<RivalServer> {
        let reserved = Port::reserve()?;
        let port = reserved.number();
        let recipe = |name: &str, program: PathBuf| Recipe {
            program,
            arguments: Vec::new(),
            environment: Vec::new(),
            log: folder.join(format!("{name}.log")),
            ready: Ready::Answers(port),
            ports: vec![reserved],
        };
        let (name, path, recipe) = match self {
            Self::Peerjs => {
                let script = rivals_folder()?.join("node_modules/peer/dist/bin/peerjs.js");
                let port_text = port.to_string();
                let address = ["--host", "127.0.0.1", "--port", &port_text];
                let words = address
                    .into_iter()
                    .chain(["--concurrent_limit", PEERJS_MAX_PEERS]);
                let arguments = [script.into()].into_iter().chain(words.map(Into::into));
                let recipe = Recipe {
                    arguments: arguments.collect(),
                    ..recipe("peerjs", "node".into())
                };
                ("peerjs".to_owned(), "peerjs", recipe)
            }
            Self::Socketio => {
                let name = format!("socketio-{number}");
                let recipe = Recipe {
                    arguments: vec![rivals_folder()?.join("socketio/server.mjs").into()],
                    environment: vec![
                        ("NODE_ENV", "production".into()),
                        ("NODE_NAME", name.clone()),
                        ("ADAPTER", "classic".into()),
                        ("PORT", port.to_string()),
                        ("REDIS_PORT", redis_port.to_string()),
                    ],
                    ..recipe(&name, "node".into())
                };
                (name, "socket.io/", recipe)
            }
            Self::Spreed => {
                let config = folder.join("spreed.conf");
                std::fs::write(&config, spreed_config(port))
                    .with_context(|| format!("{} cannot be written", config.display()))?;
                let recipe = Recipe {
                    arguments: vec!["-config".into(), config.into()],
                    ..recipe("spreed", spreed()?)
                };
                ("spreed".to_owned(), "spreed", recipe)
            }
        };
        Ok(RivalServer {
            process: Process::new(&name, recipe),
            url: format!("ws://127.0.0.1:{port}/{path}"),
            program: self.program(),
        })
    }

    const fn program(self) -> &'static str {
        match self {
            Self::Peerjs => "peerjs",
            Self::Socketio => "socketio",
            Self::Spreed => "spreed",
        }
    }

    /// The steps that make it ready to start.
    const fn set_up(self) -> &'static str {
        match self {
            Self::Peerjs | Self::Socketio => {
                "needs Node.js on PATH and its packages: `npm ci --prefix loadtest/rivals` (scripts/setup does both)"
            }
            Self::Spreed => {
                "needs nextcloud-spreed-signaling-server on PATH or in .tools/bin: \
                 `apt-get install nextcloud-spreed-signaling` (Debian 12)"
            }
        }
    }

    /// Its programs with their versions, as one text.
    ///
    /// # Errors
    /// When one is not installed, with the steps of the set-up.
    pub async fn version(self) -> anyhow::Result<String> {
        let versions = self.versions().await;
        versions.with_context(|| format!("{} {}", self.program(), self.set_up()))
    }

    async fn versions(self) -> anyhow::Result<String> {
        let packages: &[&str] = match self {
            Self::Peerjs => &["peer"],
            Self::Socketio => &["socket.io", "@socket.io/redis-adapter"],
            Self::Spreed => {
                return Ok(format!(
                    "spreed {}",
                    program_version(&spreed()?, "-version").await?
                ));
            }
        };
        let mut parts = Vec::new();
        for package in packages {
            parts.push(format!("{package} {}", npm_version(package)?));
        }
        parts.push(format!(
            "node {}",
            program_version(Path::new("node"), "--version").await?
        ));
        Ok(parts.join(", "))
    }
}

/// Debian's defaults, except: one address, any backend (no Nextcloud is there), and messages within the process.
fn spreed_config(port: u16) -> String {
    let secret = SPREED_SECRET;
    let hash_key = "h".repeat(32);
    format!(
        "[http]\nlisten = 127.0.0.1:{port}\n[app]\ndebug = false\n[sessions]\nhashkey = {hash_key}\n\
         [clients]\ninternalsecret = {secret}\n[backend]\nallowall = true\nsecret = {secret}\n\
         [nats]\nurl = :loopback:\n"
    )
}

fn npm_version(package: &str) -> anyhow::Result<String> {
    let rivals = rivals_folder()?;
    let path = rivals.join("node_modules").join(package).join("package.json");
    let missing = || format!("the npm package {package} is not in {}", rivals.display());
    let text = std::fs::read(&path).with_context(missing)?;
    let value: serde_json::Value = serde_json::from_slice(&text).with_context(missing)?;
    let version = value.get("version").and_then(serde_json::Value::as_str);
    Ok(version.with_context(missing)?.to_owned())
}

/// `loadtest/rivals`: named by the environment, or in the workspace that holds this program or the current folder.
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

/// spreed, on PATH or in the workspace's `.tools/bin`.
fn spreed() -> anyhow::Result<PathBuf> {
    let tools = rivals_folder().map(|rivals| rivals.join("../../.tools/bin").join(SPREED_PROGRAM));
    let in_tools = tools.ok().filter(|program| program.is_file());
    find_program(SPREED_PROGRAM).or_else(|error| in_tools.ok_or(error))
}
