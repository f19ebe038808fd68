//! A real redis-server as a child process, without persistence: what is killed has lost everything.

use std::process::{Child, Command, Stdio};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{PATIENCE, free_port, wait_until};

/// A running server; killed when dropped.
pub struct RedisServer {
    child: Child,
    port: u16,
}

impl RedisServer {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When there is no redis-server, or it does not answer.
    pub async fn start() -> anyhow::Result<Self> {
        let port = free_port()?;
        let server = Self {
            child: spawn(port)?,
            port,
        };
        server.answers().await?;
        Ok(server)
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The same for a proxy in front of it.
    #[must_use]
    pub fn address(&self) -> std::net::SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal by name: `STOP`, `CONT`.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        crate::signal(self.child.id(), name)
    }

    /// Starts it again on the same port, empty.
    ///
    /// # Errors
    /// As [`RedisServer::start`].
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        self.kill();
        self.child = spawn(self.port)?;
        self.answers().await
    }

    /// Sends one inline command and returns the first bytes of the answer.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn command(&self, line: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        let mut answer = [0; 256];
        let count = stream.read(&mut answer).await?;
        Ok(String::from_utf8_lossy(answer.get(..count).unwrap_or_default()).into_owned())
    }

    async fn answers(&self) -> anyhow::Result<()> {
        let pong = async || {
            self.command("PING")
                .await
                .ok()
                .filter(|answer| answer.starts_with("+PONG"))
        };
        wait_until("redis-server answers", PATIENCE, pong).await.map(drop)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(port: u16) -> anyhow::Result<Child> {
    Command::new("redis-server")
        .args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| anyhow::anyhow!("redis-server cannot be started ({error}); run scripts/setup"))
}
