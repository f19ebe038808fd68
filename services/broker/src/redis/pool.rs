//! Pooled connections for work off the hot path: lease, cluster load, revocations and shutdown. Not for publishing or claims:
//! a connection is asked for a PING at each checkout, which costs more than they do.

use deadpool::{
    Runtime,
    managed::{self, Metrics, Object, PoolError, RecycleError, RecycleResult},
};
use redis::{FromRedisValue, Pipeline, Value};
use switchboard_telemetry::Coalesced;

use super::{
    config::RedisConfigError,
    dial::{CommandConnection, dial_for_commands},
    endpoint::Endpoint,
    refusal::Refusal,
};

/// One for the lease, one for the cluster's load, one for sweeps and questions about memory, one for the ends of sessions,
/// one for revocations and kicks. At shutdown all are free.
const CONNECTIONS: usize = 5;

/// Connections to one server. After a change of the credentials or of the server's place, later calls use new connections.
pub(crate) struct Pool {
    connections: managed::Pool<Dialler>,
    refusals: Coalesced,
}

/// Makes connections and checks them.
struct Dialler(Endpoint);

impl managed::Manager for Dialler {
    type Type = CommandConnection;
    type Error = String;

    async fn create(&self) -> Result<CommandConnection, String> {
        dial_for_commands(&self.0).await
    }

    async fn recycle(&self, connection: &mut CommandConnection, _: &Metrics) -> RecycleResult<String> {
        if !connection.is_current(&self.0) {
            return Err(RecycleError::message("the server or the credentials changed"));
        }
        let ping = redis::cmd("PING");
        let pong = ping.query_async::<()>(&mut connection.commands).await;
        pong.map_err(|error| RecycleError::Backend(error.to_string()))
    }
}

/// A pool that connects when it is first used.
pub(crate) fn open(endpoint: &Endpoint) -> Result<Pool, RedisConfigError> {
    let limit = Some(endpoint.connect_timeout);
    let connections = managed::Pool::builder(Dialler(endpoint.clone()))
        .max_size(CONNECTIONS)
        .runtime(Runtime::Tokio1)
        .wait_timeout(limit)
        .create_timeout(limit.map(|limit| limit * 2))
        .recycle_timeout(limit)
        .build()
        .map_err(|error| RedisConfigError::Url(error.to_string()))?;
    Ok(Pool {
        connections,
        refusals: Coalesced::new(),
    })
}

/// Sends one pipeline on a pooled connection and returns the reply of each command, errors of Redis included. A
/// connection with such an error is not used again: another one may lead to another server.
///
/// # Errors
/// Why there is no answer, for people.
pub(crate) async fn send(pool: &Pool, pipeline: &Pipeline) -> Result<Vec<Value>, String> {
    let mut connection = pool.connections.get().await.map_err(reason)?;
    let commands = &mut connection.commands;
    let replies = commands.send_packed_commands(pipeline, 0, pipeline.len()).await;
    let is_fit = |replies: &Vec<Value>| !replies.iter().any(|reply| matches!(reply, Value::ServerError(_)));
    if !replies.as_ref().is_ok_and(is_fit) {
        drop(Object::take(connection));
    }
    replies.map_err(|error| error.to_string())
}

fn reason(error: PoolError<String>) -> String {
    if let PoolError::Backend(why) = error {
        return why;
    }
    error.to_string()
}

/// Sends one pipeline on a pooled connection; the error is for people. The log has a line once a minute if Redis takes no such
/// command at all: no client notices that, so its work would stay undone in silence.
pub(crate) async fn query<T: FromRedisValue>(pool: &Pool, pipeline: &Pipeline) -> Result<T, String> {
    let replies = send(pool, pipeline).await?;
    note_refusal(pool, &replies);
    let replies = Value::Array(replies)
        .extract_error()
        .map_err(|error| error.to_string())?;
    redis::from_redis_value(replies).map_err(|error| error.to_string())
}

/// Logs a right that is missing, or a command that Redis does not have.
pub(crate) fn note_refusal(pool: &Pool, replies: &[Value]) {
    let refused = replies.iter().find_map(|reply| {
        let Value::ServerError(error) = reply else {
            return None;
        };
        Refusal::of_kind(error.code(), error.details())
    });
    let Some(why) = refused else { return };
    let server = pool.connections.manager().0.shown();
    pool.refusals.note(|count| {
        tracing::warn!(
            server,
            count,
            why,
            "background work is refused by Redis, and stays undone until it is allowed"
        );
    });
}
