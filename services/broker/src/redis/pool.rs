//! Pooled connections for work off the hot path: lease, cluster load, revocations and shutdown. Not for publishing or claims:
//! deadpool pings a connection at each checkout, which costs more than they do.

use std::sync::Arc;

use deadpool_redis::{Connection, Manager, Runtime, redis::Pipeline};
use parking_lot::Mutex;
use redis::{AsyncConnectionConfig, ConnectionInfo, FromRedisValue, Value};

use super::config::{Endpoint, RedisConfigError};

/// One for the lease, one for the cluster's load, one for sweeps and questions about memory, one for the ends of sessions,
/// one for revocations and kicks. At shutdown all are free.
const CONNECTIONS: usize = 5;

/// Connections to one server. After a change of the credentials, later calls use new connections.
pub(crate) struct Pool {
    endpoint: Endpoint,
    /// With what they were opened.
    current: Mutex<(Arc<ConnectionInfo>, deadpool_redis::Pool)>,
}

impl Pool {
    fn current(&self) -> Result<deadpool_redis::Pool, String> {
        let info = self.endpoint.info();
        let mut current = self.current.lock();
        if !Arc::ptr_eq(&info, &current.0) {
            let pool = connections(&self.endpoint, &info).map_err(|error| error.to_string())?;
            *current = (info, pool);
        }
        Ok(current.1.clone())
    }
}

/// A pool that connects when it is first used.
pub(crate) fn open(endpoint: &Endpoint) -> Result<Pool, RedisConfigError> {
    let info = endpoint.info();
    let pool = connections(endpoint, &info)?;
    Ok(Pool {
        endpoint: endpoint.clone(),
        current: Mutex::new((info, pool)),
    })
}

fn connections(endpoint: &Endpoint, info: &ConnectionInfo) -> Result<deadpool_redis::Pool, RedisConfigError> {
    let limit = Some(endpoint.connect_timeout);
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(limit)
        .set_response_timeout(Some(endpoint.response_timeout));
    let manager = Manager::new_with_config(info.clone(), config)
        .map_err(|error| RedisConfigError::Url(error.category().to_owned()))?;
    deadpool_redis::Pool::builder(manager)
        .max_size(CONNECTIONS)
        .runtime(Runtime::Tokio1)
        .wait_timeout(limit)
        .create_timeout(limit)
        .recycle_timeout(limit)
        .build()
        .map_err(|error| RedisConfigError::Url(error.to_string()))
}

/// Sends one pipeline on a pooled connection and returns the reply of each command, errors of Redis included. A
/// connection with such an error is not used again: another one may lead to another server.
///
/// # Errors
/// Why there is no answer, for people.
pub(crate) async fn send(pool: &Pool, pipeline: &Pipeline) -> Result<Vec<Value>, String> {
    let pool = pool.current()?;
    let mut connection = pool.get().await.map_err(|error| error.to_string())?;
    let replies = connection.send_packed_commands(pipeline, 0, pipeline.len()).await;
    let is_fit = |replies: &Vec<Value>| !replies.iter().any(|reply| matches!(reply, Value::ServerError(_)));
    if !replies.as_ref().is_ok_and(is_fit) {
        drop(Connection::take(connection));
    }
    replies.map_err(|error| error.to_string())
}

/// Sends one pipeline on a pooled connection; the error is for people.
pub(crate) async fn query<T: FromRedisValue>(pool: &Pool, pipeline: &Pipeline) -> Result<T, String> {
    let replies = send(pool, pipeline).await?;
    let replies = Value::Array(replies)
        .extract_error()
        .map_err(|error| error.to_string())?;
    redis::from_redis_value(replies).map_err(|error| error.to_string())
}
