//! A connection to a Redis on this machine, for the commands of tests. Plain TCP: a server with TLS has a plain port too.

use std::net::Ipv4Addr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{Malformed, Reply, command, parse};

/// One connection, one command at a time. Nothing here has a deadline; the caller sets one.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// The bytes that follow the last reply.
    received: Vec<u8>,
}

impl Connection {
    /// Connects to `port` of 127.0.0.1.
    ///
    /// # Errors
    /// When the Redis cannot be reached, or refuses the password.
    pub async fn open(port: u16, password: Option<&str>) -> anyhow::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.set_nodelay(true)?;
        let mut connection = Self {
            stream,
            received: Vec::new(),
        };
        if let Some(password) = password {
            let reply = connection.call(&["AUTH", password]).await?;
            anyhow::ensure!(
                reply == Reply::Text("OK".to_owned()),
                "AUTH is answered {reply:?}"
            );
        }
        Ok(connection)
    }

    /// Sends one command and reads its reply. A reply that is an error is returned as a reply.
    ///
    /// # Errors
    /// When the connection ends, or the reply is malformed.
    pub async fn call(&mut self, words: &[&str]) -> anyhow::Result<Reply> {
        let mut bytes = Vec::new();
        command(&mut bytes, words);
        self.stream.write_all(&bytes).await?;
        self.read().await
    }

    /// As [`Connection::call`], for a reply of a wanted type.
    ///
    /// # Errors
    /// Also when the reply is an error or of another type; with the command.
    pub async fn ask<T>(&mut self, words: &[&str]) -> anyhow::Result<T>
    where
        T: TryFrom<Reply, Error = anyhow::Error>,
    {
        let reply = self.call(words).await.and_then(T::try_from);
        // Only the beginning: the words may be many, or a password.
        let name = words.get(..words.len().min(2)).unwrap_or_default().join(" ");
        reply.map_err(|error| error.context(name))
    }

    async fn read(&mut self) -> anyhow::Result<Reply> {
        loop {
            let parsed = parse(&self.received);
            let parsed = parsed.map_err(|Malformed| anyhow::anyhow!("the reply is no RESP"))?;
            if let Some((reply, length)) = parsed {
                self.received.drain(..length);
                return Ok(reply);
            }
            let count = self.stream.read_buf(&mut self.received).await?;
            anyhow::ensure!(count > 0, "the Redis closed the connection without a reply");
        }
    }
}

/// Sends one command on a connection of its own and reads its reply. Waits without a deadline.
///
/// # Errors
/// As [`Connection::open`] and [`Connection::call`].
pub async fn call(port: u16, password: Option<&str>, words: &[&str]) -> anyhow::Result<Reply> {
    Connection::open(port, password).await?.call(words).await
}
