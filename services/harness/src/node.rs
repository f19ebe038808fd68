//! A node as a process of the real binary, and its operations port as a client. Not its configuration: that is the
//! caller's, apart from its name and addresses.

use std::{
    env, io,
    ops::Deref,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use tempfile::TempDir;

use crate::{
    Port, Process, Ready, Recipe,
    http::{self, Answer},
};

/// The variable that names the node's binary.
const BINARY_VARIABLE: &str = "SWITCHBOARD_BIN";

/// The token of the operations ports of nodes that are started here; they listen on loopback.
pub const OPS_TOKEN: &str = "of-nodes-started-by-the-harness";

/// The `switchboard` binary: the `named` one, or that in `SWITCHBOARD_BIN`, or the one in the folder of this program.
///
/// # Errors
/// When it is not there, with the fix.
pub fn binary(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    let named = named.map(Path::to_owned);
    if let Some(named) = named.or_else(|| env::var_os(BINARY_VARIABLE).map(PathBuf::from)) {
        anyhow::ensure!(
            named.is_file(),
            "there is no node binary at {}; build it with `cargo build -p switchboard-node`, or name another one \
             with `binary` in `[cluster]` or in {BINARY_VARIABLE}",
            named.display()
        );
        return Ok(named);
    }
    let own = env::current_exe()?;
    // A test program is one folder deeper.
    let folders = own.ancestors().skip(1).take(2);
    let mut places = folders.map(|folder| folder.join("switchboard"));
    places.find(|place| place.is_file()).with_context(|| {
        format!(
            "there is no `switchboard` next to {}; build it with `cargo build -p switchboard-node` in the same \
             profile, or name one with `binary` in `[cluster]` or in {BINARY_VARIABLE}",
            own.display()
        )
    })
}

/// A running node; killed when dropped. It comes back with the same name, ports and configuration.
#[derive(Debug)]
pub struct NodeProcess {
    process: Process,
    public: u16,
    ops: u16,
    config_file: PathBuf,
    /// Its configuration and log, unless they are in a folder of the caller's. After the process.
    _folder: Option<TempDir>,
}

impl NodeProcess {
    /// Starts `switchboard serve` with `config`: TOML without the node's name and listen addresses, which are added.
    /// Does not wait for readiness.
    ///
    /// # Errors
    /// When the binary is missing.
    pub fn spawn_new(id: &str, config: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let node = Self::spawn_in(folder.path(), &binary(None)?, id, config)?;
        Ok(Self {
            _folder: Some(folder),
            ..node
        })
    }

    /// As [`NodeProcess::spawn_new`], of this `binary`, with its configuration and log in `folder`.
    ///
    /// # Errors
    /// When the binary is missing.
    pub fn spawn_in(folder: &Path, binary: &Path, id: &str, config: &str) -> anyhow::Result<Self> {
        let (public, ops) = (Port::reserve()?, Port::reserve()?);
        let file = folder.join(format!("{id}.toml"));
        let listen = |port: &Port| format!("127.0.0.1:{}", port.number());
        let recipe = Recipe {
            program: binary.to_owned(),
            arguments: vec!["serve".into(), "--config".into(), file.clone().into()],
            environment: vec![
                ("SWITCHBOARD__OPS__TOKEN", OPS_TOKEN.to_owned()),
                ("SWITCHBOARD__NODE__ID", id.to_owned()),
                ("SWITCHBOARD__SERVER__LISTEN", listen(&public)),
                ("SWITCHBOARD__SERVER__OPS_LISTEN", listen(&ops)),
            ],
            log: folder.join(format!("{id}.log")),
            ready: Ready::Readyz(ops.number()),
            ports: Vec::new(),
        };
        let node = Self {
            public: public.number(),
            ops: ops.number(),
            config_file: file,
            process: Process::new(
                id,
                Recipe {
                    ports: vec![public, ops],
                    ..recipe
                },
            ),
            _folder: None,
        };
        node.configure(config)?;
        node.process.spawn()?;
        Ok(node)
    }

    /// Gives it another configuration, as [`NodeProcess::spawn_new`] takes it, for its next start.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn configure(&self, config: &str) -> anyhow::Result<()> {
        let written = std::fs::write(&self.config_file, config);
        written.with_context(|| format!("{} cannot be written", self.config_file.display()))
    }

    /// Where clients connect: `ws://…/v1/ws`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/v1/ws", self.public)
    }

    /// The root of its operations port.
    #[must_use]
    pub fn ops_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ops)
    }

    /// The public port.
    #[must_use]
    pub const fn public_port(&self) -> u16 {
        self.public
    }

    /// The operations port.
    #[must_use]
    pub const fn ops_port(&self) -> u16 {
        self.ops
    }

    /// The answer to a GET on the operations port.
    ///
    /// # Errors
    /// When there is none.
    pub async fn get(&self, path: &str) -> io::Result<Answer> {
        http::request("GET", self.ops, path, None).await
    }

    /// The status of a GET on the operations port; `None` when there is no answer.
    pub async fn status(&self, path: &str) -> Option<u16> {
        self.get(path).await.ok().map(|answer| answer.status)
    }

    /// The status of a POST on the operations port; `None` when there is no answer.
    pub async fn post(&self, path: &str) -> Option<u16> {
        let answer = http::request("POST", self.ops, path, Some(OPS_TOKEN)).await;
        answer.ok().map(|answer| answer.status)
    }

    /// The sum of the series in `/metrics` that have this name and these labels, written as there, and maybe others.
    /// `None` when there is none, or no answer.
    pub async fn metric(&self, series: &str) -> Option<f64> {
        let text = self.get("/metrics").await.ok()?.body;
        sum_of(&text, series)
    }

    /// Starts a drain; the node stops when it is done.
    ///
    /// # Errors
    /// When the node does not accept it.
    pub async fn drain(&self) -> anyhow::Result<()> {
        let status = self.post("/drain").await;
        anyhow::ensure!(status == Some(202), "POST /drain is answered {status:?}");
        Ok(())
    }

    /// The process alone, for a list of servers of all kinds. Its log must be in a folder of the caller's.
    #[must_use]
    pub fn into_process(self) -> Process {
        self.process
    }
}

impl Deref for NodeProcess {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

/// The sum of the series of `series`' name that have its labels.
fn sum_of(text: &str, series: &str) -> Option<f64> {
    let (name, wanted) = series.split_once('{').unwrap_or((series, ""));
    let wanted: Vec<_> = wanted.trim_end_matches('}').split(',').collect();
    let values = text.lines().filter_map(|line| {
        let (found, value) = line.rsplit_once(' ')?;
        let (found, labels) = found.split_once('{').unwrap_or((found, ""));
        let has_all = wanted.iter().all(|label| labels.contains(label));
        (found == name && has_all).then(|| value.parse::<f64>().ok())?
    });
    values.reduce(|sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_binary_is_named_with_the_fix() {
        let error = binary(Some(Path::new("nowhere/switchboard")))
            .unwrap_err()
            .to_string();
        assert!(error.contains("nowhere/switchboard"), "{error}");
        assert!(error.contains("cargo build -p switchboard-node"), "{error}");
    }
}
