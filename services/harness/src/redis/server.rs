//! One redis-server as a child process, without persistence: it loses its data when it ends. Also Sentinels, which are
//! the same program.

use std::{
    ffi::OsString,
    net::SocketAddr,
    ops::Deref,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use tokio::time::timeout;

use super::RedisTls;
use crate::{
    Port, Process, Ready, Recipe,
    resp::{self, Connection, Reply},
};

/// The name under which faults and errors know the Redis of a cluster of nodes.
pub const REDIS: &str = "redis";

/// How long a Redis may take to answer one command.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What a redis-server is started with.
#[derive(Debug, Clone, Default)]
pub struct RedisOptions {
    /// The program; `redis-server` on PATH if there is none. [`find_redis`](crate::find_redis) has others.
    pub program: Option<PathBuf>,
    /// The password it asks for.
    pub password: Option<String>,
    /// The lines of its ACL file. The user `default` keeps all rights unless a line changes it.
    pub users: Vec<String>,
    /// Serves TLS too, on a port of its own.
    pub tls: Option<RedisTls>,
    /// More arguments.
    pub arguments: Vec<String>,
}

/// A redis-server on a port of its own; killed when dropped.
#[derive(Debug)]
pub struct RedisServer {
    process: Process,
    port: u16,
    tls_port: Option<u16>,
    password: Option<String>,
    /// Its log and data, unless they are in a folder of the caller's. After the process: it goes when that is gone.
    _folder: Option<TempDir>,
}

/// The ports of a server, reserved before it starts, because others must know them.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) plain: Port,
    tls: Option<Port>,
}

impl Ports {
    pub(super) fn reserve(options: &RedisOptions) -> anyhow::Result<Self> {
        let tls = options.tls.as_ref().map(|_| Port::reserve()).transpose()?;
        Ok(Self {
            plain: Port::reserve()?,
            tls,
        })
    }

    /// Where other servers reach this one: with TLS if it has it.
    pub(super) fn for_servers(&self) -> u16 {
        self.tls.as_ref().unwrap_or(&self.plain).number()
    }
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

    /// As [`RedisServer::start_with`], with its log and data in `folder`.
    ///
    /// # Errors
    /// As [`RedisServer::start`].
    pub async fn start_in(folder: &Path, options: RedisOptions) -> anyhow::Result<Self> {
        let server = Self::spawn(folder, REDIS, Ports::reserve(&options)?, &options, Vec::new())?;
        server.process.wait_ready().await?;
        Ok(server)
    }

    /// Starts one of this `name`, without waiting until it answers. `more` are arguments in addition to those of
    /// `options`; a file that is the first of them is its configuration.
    ///
    /// # Errors
    /// When redis-server is missing.
    pub(super) fn spawn(
        folder: &Path,
        name: &str,
        ports: Ports,
        options: &RedisOptions,
        more: Vec<OsString>,
    ) -> anyhow::Result<Self> {
        // A folder for each: a replica writes the data of its master into it, and another server would load that.
        let data = folder.join(format!("{name}.data"));
        std::fs::create_dir_all(&data)?;
        let (port, tls_port) = (ports.plain.number(), ports.tls.as_ref().map(Port::number));
        let mut arguments = more;
        // Protected mode takes 127.0.0.1 alone for loopback, but peers of the load come from other addresses of it.
        let fixed = [
            "--bind",
            "127.0.0.1",
            "--protected-mode",
            "no",
            "--save",
            "",
            "--appendonly",
            "no",
        ];
        arguments.extend(fixed.map(OsString::from));
        arguments.extend(["--port".into(), port.to_string().into()]);
        arguments.extend(["--dir".into(), data.clone().into()]);
        if let Some(password) = &options.password {
            arguments.extend(["--requirepass", password, "--masterauth", password].map(OsString::from));
        }
        if !options.users.is_empty() {
            let file = data.join("users.acl");
            std::fs::write(&file, options.users.join("\n") + "\n")?;
            arguments.extend(["--aclfile".into(), file.into()]);
        }
        if let (Some(tls), Some(port)) = (&options.tls, tls_port) {
            arguments.extend(tls.arguments(port));
        }
        arguments.extend(options.arguments.iter().map(OsString::from));
        let recipe = Recipe {
            program: options.program.clone().unwrap_or_else(|| "redis-server".into()),
            arguments,
            environment: Vec::new(),
            log: folder.join(format!("{name}.log")),
            ready: Ready::Pong {
                port,
                password: options.password.clone(),
            },
            ports: [Some(ports.plain), ports.tls].into_iter().flatten().collect(),
        };
        let process = Process::new(name, recipe);
        let spawned = process.spawn();
        spawned.map_err(|error| error.context("redis-server is needed; install it with scripts/setup"))?;
        Ok(Self {
            process,
            port,
            tls_port,
            password: options.password.clone(),
            _folder: None,
        })
    }

    /// Its plain port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Where other servers of its mode, and clients, reach it: with TLS if it has it.
    #[must_use]
    pub fn shared_port(&self) -> u16 {
        self.tls_port.unwrap_or(self.port)
    }

    /// Its address, for a proxy in front of it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// `redis://…`, or `rediss://…` if it serves TLS, with its password.
    #[must_use]
    pub fn url(&self) -> String {
        let credentials = self.password.as_ref().map(|word| format!(":{word}@"));
        format!(
            "{}://{}127.0.0.1:{}",
            self.tls_port.map_or("redis", |_| "rediss"),
            credentials.unwrap_or_default(),
            self.shared_port()
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

    /// A connection for many commands.
    ///
    /// # Errors
    /// When it cannot be reached in time.
    pub async fn connect(&self) -> anyhow::Result<Connection> {
        let opened = Connection::open(self.port, self.password.as_deref());
        timeout(ANSWER_WITHIN, opened).await?
    }

    /// Its password.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
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
