//! Pooled connections for work off the hot path: lease, cluster load and shutdown. Not for publishing or claims:
//! deadpool pings a connection at each checkout, which costs more than they do.

use deadpool_redis::{Manager, Pool, Runtime, redis::Pipeline};
use redis::{AsyncConnectionConfig, FromRedisValue};

use super::config::{Endpoint, RedisConfigError};

/// One for the lease, one for the cluster's load. At shutdown both are free.
const CONNECTIONS: usize = 2;

/// A pool that connects when it is first used.
pub(crate) fn open(endpoint: &Endpoint) -> Result<Pool, RedisConfigError> {
    let limit = Some(endpoint.connect_timeout);
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(limit)
        .set_response_timeout(Some(endpoint.response_timeout));
    let manager = Manager::new_with_config(endpoint.info.clone(), config)
        .map_err(|error| RedisConfigError::Url(error.category().to_owned()))?;
    Pool::builder(manager)
        .max_size(CONNECTIONS)
        .runtime(Runtime::Tokio1)
        .wait_timeout(limit)
        .create_timeout(limit)
        .recycle_timeout(limit)
        .build()
        .map_err(|error| RedisConfigError::Url(error.to_string()))
}

/// Sends one pipeline on a pooled connection; the error is for people.
pub(crate) async fn query<T: FromRedisValue>(pool: &Pool, pipeline: &Pipeline) -> Result<T, String> {
    let mut connection = pool.get().await.map_err(|error| error.to_string())?;
    pipeline
        .query_async(&mut connection)
        .await
        .map_err(|error| error.to_string())
}
