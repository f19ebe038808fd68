//! The first question on every connection: `HELLO` says who calls, and its reply what answers. It needs no right, and
//! works while Redis loads its data. Refused is a server that a node must not use, with the fix.

use bytes::{Buf as _, BytesMut};
use switchboard_telemetry::RedisOp;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::redis::{
    endpoint::{Access, Kind},
    refusal::Refusal,
    resp::{Reply, parse_reply, write_command},
};

/// The largest reply of a handshake or of a Sentinel, in bytes.
const MAX_REPLY_BYTES: usize = 64 * 1024;

/// The oldest major version that works: shards of a cluster need sharded pub/sub, and scripts the rules of 7.0.
const OLDEST: u32 = 7;

/// One question at a time on a stream.
pub(crate) struct Conversation<S> {
    stream: S,
    buffer: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    pub(crate) fn new(stream: S) -> Self {
        let buffer = BytesMut::with_capacity(512);
        Self { stream, buffer }
    }

    /// Sends one command.
    ///
    /// # Errors
    /// For people; continues "Redis at …", as all errors here.
    pub(crate) async fn send(&mut self, words: &[&str]) -> Result<(), String> {
        let mut command = Vec::new();
        write_command(words, &mut command);
        let sent = async {
            self.stream.write_all(&command).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error| format!("cannot be reached: {error}"))
    }

    /// The next reply, or the next push of RESP3. Cancelling it loses nothing.
    ///
    /// # Errors
    /// As [`Conversation::send`].
    pub(crate) async fn receive(&mut self) -> Result<Reply, String> {
        loop {
            match parse_reply(&self.buffer) {
                Ok(Some((reply, length))) => {
                    self.buffer.advance(length);
                    return Ok(reply);
                }
                Ok(None) if self.buffer.len() < MAX_REPLY_BYTES => {}
                Ok(None) | Err(_) => return Err(no_redis()),
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) => return Err("closed the connection during the handshake".to_owned()),
                Ok(_) => {}
                Err(error) => return Err(format!("cannot be reached: {error}")),
            }
        }
    }

    /// The stream, for another client.
    ///
    /// # Errors
    /// When the server has sent more than it was asked for.
    pub(super) fn into_stream(self) -> Result<S, String> {
        self.buffer.is_empty().then_some(self.stream).ok_or_else(no_redis)
    }
}

/// Says who calls, in the protocol of this version, and checks what answers: its name and version, for people.
pub(super) async fn greet<S: AsyncRead + AsyncWrite + Unpin>(
    conversation: &mut Conversation<S>,
    protocol: &str,
    access: &Access,
    wanted: Kind,
) -> Result<String, String> {
    let mut words = vec!["HELLO", protocol];
    if let Some(password) = &access.password {
        let username = access.username.as_deref().unwrap_or("default");
        words.extend(["AUTH", username, password.expose()]);
    }
    conversation.send(&words).await?;
    match conversation.receive().await? {
        Reply::Words(words) | Reply::Push(words) => check(&words, wanted),
        Reply::Error(text) => Err(refused(&text)),
    }
}

fn refused(text: &str) -> String {
    if text.starts_with("ERR unknown command") {
        return format!("does not know HELLO, so it is older than 6.0; {}", needs());
    }
    let refusal = Refusal::of_text(RedisOp::Ping, text.as_bytes());
    format!("refuses connections, because {}", refusal.why)
}

fn needs() -> String {
    format!("nodes need Redis {OLDEST}.0 or later, or Valkey 7.2 or later")
}

/// Checks the reply of `HELLO`: a list of names and values.
fn check(words: &[String], wanted: Kind) -> Result<String, String> {
    let value = |name: &str| {
        let at = words.iter().position(|word| word == name)?;
        words.get(at + 1).map(String::as_str)
    };
    let (Some(server), Some(version), Some(mode)) = (value("server"), value("version"), value("mode")) else {
        return Err(no_redis());
    };
    let major = version
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < OLDEST) {
        return Err(format!("is {server} {version}; {}; upgrade it", needs()));
    }
    let release = format!("{server} {version}");
    match (wanted, mode) {
        (Kind::Sentinel, "sentinel") => return Ok(release),
        (Kind::Sentinel, _) => {
            return Err(
                "is no Sentinel; with redis_mode = \"sentinel\", broker.redis_urls names the Sentinels \
                        (port 26379), and they name the server"
                    .to_owned(),
            );
        }
        (_, "sentinel") => {
            return Err(
                "is a Sentinel; set broker.redis_mode = \"sentinel\" and broker.redis_sentinel_master, \
                        or use the port of Redis itself"
                    .to_owned(),
            );
        }
        (Kind::Master, "cluster") => {
            return Err("belongs to a Redis Cluster; set broker.redis_mode = \"cluster\"".to_owned());
        }
        (Kind::Master, _) | (Kind::ClusterMaster | Kind::ClusterMember, "cluster") => {}
        (Kind::ClusterMaster | Kind::ClusterMember, _) => {
            return Err(
                "does not belong to a Redis Cluster (`cluster-enabled no`); set broker.redis_mode = \
                        \"standalone\", or enable it there"
                    .to_owned(),
            );
        }
    }
    // A Sentinel has none.
    if value("role") != Some("master") && wanted != Kind::ClusterMember {
        return Err(
            "is a replica, and takes no writes; use its master, or broker.redis_mode = \"sentinel\", which \
             follows a failover"
                .to_owned(),
        );
    }
    Ok(release)
}

fn no_redis() -> String {
    "is no Redis".to_owned()
}

#[cfg(test)]
#[path = "hello_tests.rs"]
mod tests;
