//! Call records in Redis: one key each, which Redis ends. They are as many as the rate of the calls allows within the
//! life of a record.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use redis::{FromRedisValue, Pipeline};
use switchboard_core::{BrokerError, CallRecords};
use switchboard_telemetry::RedisOp;

use super::{cluster_pool::ClusterPool, config::RedisConfigError, topology::Topology};

/// The call records of a cluster.
pub(crate) struct RedisCallRecords {
    pool: ClusterPool,
}

impl RedisCallRecords {
    /// Those of the cluster.
    ///
    /// # Errors
    /// [`RedisConfigError`] when the configuration can never work.
    pub(crate) fn new(topology: &Arc<Topology>) -> Result<Self, RedisConfigError> {
        let pool = ClusterPool::open(topology)?;
        Ok(Self { pool })
    }

    /// SET with these options after the value.
    async fn set<T: FromRedisValue>(
        &self,
        (name, record): (String, String),
        ttl: Duration,
        options: &[&str],
    ) -> Result<T, BrokerError> {
        let mut pipeline = Pipeline::with_capacity(1);
        pipeline
            .cmd("SET")
            .arg(self.key(&name))
            .arg(record)
            .arg("EX")
            .arg(ttl.as_secs().max(1))
            .arg(options);
        self.query(&pipeline).await
    }

    fn key(&self, name: &str) -> String {
        self.pool.shard().caller.names.call_record(name)
    }

    async fn query<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, BrokerError> {
        let at = Instant::now();
        let reply = self.pool.query::<(T,)>(pipeline).await;
        self.pool
            .shard()
            .telemetry
            .redis_command(RedisOp::CallRecord, at.elapsed(), reply.is_ok());
        let (reply,) = reply.map_err(|error| {
            tracing::debug!(%error, "a call record was not read or written");
            BrokerError::Unavailable
        })?;
        Ok(reply)
    }
}

impl CallRecords for RedisCallRecords {
    fn begin(
        &self,
        name: String,
        record: String,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<Option<String>, BrokerError>> {
        Box::pin(self.set((name, record), ttl, &["NX", "GET"]))
    }

    fn replace(&self, name: String, record: String, ttl: Duration) -> BoxFuture<'_, Result<(), BrokerError>> {
        // Only an existing one: a removed record stays so.
        Box::pin(async move {
            let _: Option<String> = self.set((name, record), ttl, &["XX"]).await?;
            Ok(())
        })
    }

    fn remove(&self, name: String) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(async move {
            let mut pipeline = Pipeline::with_capacity(1);
            pipeline.cmd("DEL").arg(self.key(&name));
            let _: u64 = self.query(&pipeline).await?;
            Ok(())
        })
    }
}
