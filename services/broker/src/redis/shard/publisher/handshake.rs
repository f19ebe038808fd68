//! Opens the connection that sends commands, takes the lease, and leaves Redis ready for commands. Not the commands that
//! follow (`pipelines`).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use redis::{Pipeline, Value};
use switchboard_telemetry::RedisOp;
use tokio::time::timeout;

use super::super::{
    lease::Renewal,
    state::{OTHER_SERVER, Shard},
};
use crate::redis::{
    asking,
    dial::{CommandConnection, dial_for_publisher},
    refusal::Refusal,
};

/// How Redis knows one connection: number and address together, because numbers start over with Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientName {
    id: String,
    address: String,
}

/// A connection that is ready, and its name, where Redis tells it (6.2 and later).
pub(super) struct Opened {
    pub(super) connection: CommandConnection,
    pub(super) name: Option<ClientName>,
}

/// Why a connection could not be opened.
pub(super) enum OpenError {
    /// For people.
    Failed(String),
    /// Another run of this node holds the lease.
    Foreign,
}

impl From<redis::RedisError> for OpenError {
    fn from(error: redis::RedisError) -> Self {
        Self::Failed(format!("Redis cannot be used: {error}"))
    }
}

/// Waits, connects, ends the previous connection, loads the scripts and takes the lease; the error is for
/// people.
///
/// The previous connection has to end first. Otherwise a frozen Redis would execute the commands it has received
/// there after those sent now, and a claim that was given up would come back.
pub(super) async fn open(
    shard: Arc<Shard>,
    wait: Duration,
    previous: Option<ClientName>,
) -> Result<Opened, OpenError> {
    tokio::select! {
        () = tokio::time::sleep(wait) => {}
        () = shard.publisher_retry.notified() => {}
    }
    shard.endpoint.decided().await;
    // A request that belongs to an earlier connection.
    let _ = shard.publisher_redial.notified().now_or_never();
    let opened = tokio::select! {
        opened = timeout(shard.endpoint.connect_timeout * 2, connect(&shard, previous)) => opened,
        () = shard.publisher_redial.notified() => return Err(OpenError::Failed(OTHER_SERVER.to_owned())),
    };
    opened.unwrap_or_else(|_| Err(OpenError::Failed("Redis does not answer".to_owned())))
}

async fn connect(shard: &Shard, previous: Option<ClientName>) -> Result<Opened, OpenError> {
    let mut connection = dial_for_publisher(&shard.endpoint)
        .await
        .map_err(OpenError::Failed)?;
    let commands = &mut connection.commands;
    // Both may be refused – by an old Redis, by an ACL – and then such a claim can come back.
    let mut names = Pipeline::new();
    if let Some(previous) = previous {
        names
            .cmd("CLIENT")
            .arg("KILL")
            .arg("ID")
            .arg(previous.id)
            .arg("ADDR")
            .arg(previous.address);
    }
    names.cmd("CLIENT").arg("INFO");
    let replies = commands.send_packed_commands(&names, 0, names.len()).await?;
    let name = replies.last().and_then(read_name);

    let at = Instant::now();
    let mut handshake = Pipeline::new();
    shard.caller.scripts.load(&mut handshake);
    let lease = shard.lease.write(&shard.caller.scripts);
    handshake.add_command(lease.clone());
    let mut replies = commands
        .send_packed_commands(&handshake, 0, handshake.len())
        .await?;
    if let Some(reply) = replies.pop() {
        let followed = asking::follow(shard, &lease, reply).await;
        replies.push(followed.map_err(OpenError::Failed)?);
    }
    if let Some(Value::ServerError(error)) = replies
        .iter()
        .find(|reply| matches!(reply, Value::ServerError(_)))
    {
        shard.on_server_error(RedisOp::Lease, error);
        let refusal = Refusal::of(RedisOp::Lease, error.code(), error.details());
        return Err(OpenError::Failed(refusal.text()));
    }
    let renewal = replies.last().map(|reply| shard.lease.read(reply, at));
    match renewal {
        // A lease that is new after an outage is no surprise: every claim is made again.
        Some(Ok(Renewal::Kept | Renewal::New)) => {
            shard.health.accepted(RedisOp::Lease);
            Ok(Opened { connection, name })
        }
        Some(Ok(Renewal::Foreign)) => Err(OpenError::Foreign),
        Some(Err(_)) | None => Err(OpenError::Failed("what answers is not a Redis".to_owned())),
    }
}

fn read_name(info: &Value) -> Option<ClientName> {
    let info: String = redis::from_redis_value_ref(info).ok()?;
    let field = |name: &str| {
        let mut fields = info.split_whitespace();
        fields
            .find_map(|field| field.strip_prefix(name))
            .map(str::to_owned)
    };
    Some(ClientName {
        id: field("id=")?,
        address: field("addr=")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connections_name_is_its_number_and_address() {
        let info = "id=7 addr=127.0.0.1:4711 laddr=127.0.0.1:6379 fd=8 name= db=0\n";
        let name = ClientName {
            id: "7".into(),
            address: "127.0.0.1:4711".into(),
        };
        assert_eq!(read_name(&Value::BulkString(info.into())), Some(name));
        assert_eq!(read_name(&Value::Okay), None);
    }
}
