//! A real redis-server as a child process on a free port, killed on drop. Not a mock.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use redis::{AsyncConnectionConfig, FromRedisValue, aio::MultiplexedConnection};

use super::PATIENCE;

/// A running server, without persistence: what is killed has lost everything.
pub(crate) struct RedisServer {
    child: Child,
    port: u16,
    password: Option<&'static str>,
}

impl RedisServer {
    /// Starts one; `None`, with the reason printed, where there is none and CI is not set.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with(None).await
    }

    /// The same, asking for a password.
    pub(crate) async fn start_with(password: Option<&'static str>) -> Option<Self> {
        let port = free_port();
        match spawn(port, password) {
            Ok(child) => {
                let server = Self {
                    child,
                    port,
                    password,
                };
                server.answers().await;
                Some(server)
            }
            Err(error) => {
                let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
                assert!(!in_ci, "redis-server cannot be started: {error}");
                println!("skipped: redis-server cannot be started: {error}");
                None
            }
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        let credentials = self.password.map(|word| format!(":{word}@")).unwrap_or_default();
        format!("redis://{credentials}127.0.0.1:{}", self.port)
    }

    /// `kill -9`; the data is lost.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on the same port, empty, and waits until it answers.
    pub(crate) async fn start_again(&mut self) {
        self.kill();
        self.child = spawn(self.port, self.password).unwrap();
        self.answers().await;
    }

    /// Freezes or thaws it, by SIGSTOP or SIGCONT.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Runs one command on a connection of its own.
    pub(crate) async fn command<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut connection = self.connect().await.unwrap();
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(word);
        }
        command.query_async(&mut connection).await.unwrap()
    }

    async fn connect(&self) -> redis::RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        let client = redis::Client::open(self.url())?;
        client.get_multiplexed_async_connection_with_config(&config).await
    }

    async fn answers(&self) {
        let answered = async {
            while self.connect().await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, answered)
            .await
            .expect("redis-server answers");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(port: u16, password: Option<&str>) -> std::io::Result<Child> {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no"])
        .args(["--requirepass", password.unwrap_or_default()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// A port that nobody listens on at this moment.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
