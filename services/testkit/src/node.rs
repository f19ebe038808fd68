//! A node as a process of the real binary, with configuration and log in a folder of its own.

use std::{
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use crate::{PATIENCE, free_port, wait_until};

/// The `switchboard` binary that `cargo build` made, or the one that `SWITCHBOARD_BIN` names.
#[must_use]
pub fn binary() -> PathBuf {
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/debug/switchboard");
    std::env::var_os("SWITCHBOARD_BIN").map_or_else(|| built.into(), PathBuf::from)
}

/// A running node; killed when dropped.
pub struct NodeProcess {
    id: String,
    child: Child,
    folder: TempDir,
    public: u16,
    ops: u16,
}

impl NodeProcess {
    /// Starts `switchboard serve` with free ports and `config` (TOML without `[node]` and `[server]` addresses,
    /// which are added). Does not wait for readiness.
    ///
    /// # Errors
    /// When the binary is missing.
    pub fn start(id: &str, config: &str) -> anyhow::Result<Self> {
        let (public, ops) = (free_port()?, free_port()?);
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("node.toml"), config)?;
        let child = spawn(id, &folder, public, ops)?;
        Ok(Self {
            id: id.to_owned(),
            child,
            folder,
            public,
            ops,
        })
    }

    /// Starts it again with the same name, ports and configuration; killed first if it still runs. The log goes
    /// on. Does not wait for readiness.
    ///
    /// # Errors
    /// As [`NodeProcess::start`].
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        self.kill();
        self.child = spawn(&self.id, &self.folder, self.public, self.ops)?;
        Ok(())
    }

    /// Waits until `/readyz` is 200.
    ///
    /// # Errors
    /// When it is not in time; the log is in the message.
    pub async fn ready(&self) -> anyhow::Result<()> {
        let ready = async || (self.status("/readyz").await == Some(200)).then_some(());
        let outcome = wait_until("the node is ready", PATIENCE, ready).await;
        outcome.map(drop).map_err(|error| error.context(self.log()))
    }

    /// `ws://…/v1/ws`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/v1/ws", self.public)
    }

    /// The public port.
    #[must_use]
    pub fn public_port(&self) -> u16 {
        self.public
    }

    /// The status of a POST on the operations port; `None` when there is no answer.
    pub async fn post(&self, path: &str) -> Option<u16> {
        let url = format!("http://127.0.0.1:{}{path}", self.ops);
        let answer = reqwest::Client::new().post(url).send().await.ok()?;
        Some(answer.status().as_u16())
    }

    /// The status of a GET on the operations port; `None` when there is no answer.
    pub async fn status(&self, path: &str) -> Option<u16> {
        Some(
            reqwest::get(format!("http://127.0.0.1:{}{path}", self.ops))
                .await
                .ok()?
                .status()
                .as_u16(),
        )
    }

    /// The body of a GET on the operations port.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> anyhow::Result<String> {
        Ok(reqwest::get(format!("http://127.0.0.1:{}{path}", self.ops))
            .await?
            .text()
            .await?)
    }

    /// The value of one series in `/metrics`, written as it stands there.
    pub async fn metric(&self, series: &str) -> Option<f64> {
        let text = self.get("/metrics").await.ok()?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        line.parse().ok()
    }

    /// What the node has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Starts a drain by `POST /drain`; the node stops when it is done.
    ///
    /// # Errors
    /// When the node does not take it.
    pub async fn drain(&self) -> anyhow::Result<()> {
        let url = format!("http://127.0.0.1:{}/drain", self.ops);
        reqwest::Client::new()
            .post(url)
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal by name: `TERM`, `STOP`, `CONT`.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        crate::signal(self.child.id(), name)
    }

    /// Waits until the process has ended.
    ///
    /// # Errors
    /// When it has not in time.
    pub async fn ended(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let child = &mut self.child;
        let ended = async || child.try_wait().ok().flatten();
        wait_until("the node ends", within, ended)
            .await
            .map(|(status, _)| status)
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(id: &str, folder: &TempDir, public: u16, ops: u16) -> anyhow::Result<Child> {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(folder.path().join("log"))?;
    Command::new(binary())
        .arg("serve")
        .arg("--config")
        .arg(folder.path().join("node.toml"))
        .env("SWITCHBOARD__NODE__ID", id)
        .env("SWITCHBOARD__SERVER__LISTEN", format!("127.0.0.1:{public}"))
        .env("SWITCHBOARD__SERVER__OPS_LISTEN", format!("127.0.0.1:{ops}"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(|error| anyhow::anyhow!("{}: {error}; cargo build -p switchboard-node", binary().display()))
}
