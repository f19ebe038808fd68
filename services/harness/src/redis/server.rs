//! One redis-server as a child process, without persistence: it loses its data when it ends.

use std::{ffi::OsString, net::SocketAddr, ops::Deref, path::Path, time::Duration};

use tempfile::TempDir;
use tokio::time::timeout;

use crate::{
    Port, Process, Ready, Recipe,
    resp::{self, Reply},
};

/// The name under which faults and errors know the Redis of a cluster.
pub const REDIS: &str = "redis";

/// How long a Redis may take to answer one command.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What a redis-server is started with.
#[derive(Debug, Clone, Default)]
pub struct RedisOptions {
    /// The password it asks for.
    pub password: Option<String>,
    /// More arguments, for example those that make it a sentinel.
    pub arguments: Vec<String>,
}

/// A redis-server on a port of its own; killed when dropped.
#[derive(Debug)]
pub struct RedisServer {
    process: Process,
    port: u16,
    password: Option<String>,
    /// Its log, unless that is in a folder of the caller's. After the process: it goes when that is gone.
    _folder: Option<TempDir>,
}

impl RedisServer {
    /// Starts one and waits until it answers.
    ///
    /// # Errors
    /// When redis-server is missing or does not come up; with the end of its log.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(RedisOptions::default()).await
    }

    /// As [`RedisServer::start`], with options.
    ///
    /// # Errors
    /// As [`RedisServer::start`].
    pub async fn start_with(options: RedisOptions) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let server = Self::start_in(folder.path(), options).await?;
        Ok(Self {
            _folder: Some(folder),
            ..server
        })
    }

    /// As [`RedisServer::start_with`], with its log in `folder`.
    ///
    /// # Errors
    /// As [`RedisServer::start`].
    pub async fn start_in(folder: &Path, options: RedisOptions) -> anyhow::Result<Self> {
        let reserved = Port::reserve()?;
        let port = reserved.number();
        let port_text = port.to_string();
        let password = options.password.clone();
        // Protected mode takes 127.0.0.1 alone for loopback, but peers of the load come from other addresses of it.
        let arguments = [
            "--port",
            &port_text,
            "--bind",
            "127.0.0.1",
            "--protected-mode",
            "no",
        ];
        let no_persistence = ["--save", "", "--appendonly", "no"];
        let require = password.as_deref().map(|password| ["--requirepass", password]);
        let arguments = arguments
            .into_iter()
            .chain(no_persistence)
            .chain(require.into_iter().flatten())
            .chain(options.arguments.iter().map(String::as_str));
        // A replica writes the data of its master into its folder, and the next server there would load it.
        let data = [OsString::from("--dir"), folder.into()];
        let recipe = Recipe {
            program: "redis-server".into(),
            arguments: arguments.map(Into::into).chain(data).collect(),
            environment: Vec::new(),
            log: folder.join("redis.log"),
            ready: Ready::Pong {
                port,
                password: password.clone(),
            },
            ports: vec![reserved],
        };
        let process = Process::new(REDIS, recipe);
        let started = process.start().await;
        started.map_err(|error| error.context("redis-server is needed; install it with scripts/setup"))?;
        Ok(Self {
            process,
            port,
            password,
            _folder: None,
        })
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its address, for a proxy in front of it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// `redis://…`, with its password.
    #[must_use]
    pub fn url(&self) -> String {
        let credentials = self.password.as_ref().map(|word| format!(":{word}@"));
        format!(
            "redis://{}127.0.0.1:{}",
            credentials.unwrap_or_default(),
            self.port
        )
    }

    /// Runs one command on a connection of its own.
    ///
    /// # Errors
    /// When there is no reply in time, it is an error, or it is not of the wanted type.
    pub async fn command<T>(&self, words: &[&str]) -> anyhow::Result<T>
    where
        T: TryFrom<Reply, Error = anyhow::Error>,
    {
        let reply = resp::call(self.port, self.password.as_deref(), words);
        T::try_from(timeout(ANSWER_WITHIN, reply).await??)
    }

    /// The process alone, for a list of servers of all kinds. Its log must be in a folder of the caller's.
    #[must_use]
    pub fn into_process(self) -> Process {
        self.process
    }
}

impl Deref for RedisServer {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}
