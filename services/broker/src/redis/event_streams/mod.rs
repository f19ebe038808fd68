//! Event streams in Redis: a Redis stream with one consumer group for each partition, and a lease for the one node
//! that reads it. Not what an event means.
//!
//! All partitions of a stream share a hash tag and are on one server. The pool is their own: an event never
//! waits for a connection that the node's lease needs.

mod answers;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use redis::{Cmd, FromRedisValue, Pipeline, Value};
use switchboard_core::{
    Append, DeadEvent, EventStreams, Held, Page, ReadFrom, Replay, STREAM_PARTITIONS, StreamBounds,
    StreamEntry,
};
use switchboard_telemetry::RedisOp;
use tokio::time::Instant;

use super::{
    cluster_pool::ClusterPool,
    config::RedisConfigError,
    periods::{LEASE, millis},
    scripts::Script,
    shard::state::Shard,
    topology::Topology,
};
use crate::{keys::EventStreamNames, partition::Partition};

/// The consumer group of every partition.
const GROUP: &str = "switchboard";

/// How long a stream lasts that no node reads or appends to: its consumer was taken out of the configuration.
const UNUSED: Duration = Duration::from_secs(7 * 24 * 3_600);

/// The event streams of a cluster.
pub(crate) struct RedisEventStreams {
    /// Any: the names of streams and this run are alike on all.
    shard: Arc<Shard>,
    pool: ClusterPool,
}

impl RedisEventStreams {
    /// Those of the cluster.
    ///
    /// # Errors
    /// [`RedisConfigError`] when the configuration can never work.
    pub(crate) fn new(topology: &Arc<Topology>) -> Result<Self, RedisConfigError> {
        let pool = ClusterPool::open(topology)?;
        let shard = pool.shard();
        Ok(Self { shard, pool })
    }

    fn names(&self, stream: &str) -> EventStreamNames {
        self.shard.caller.names.event_stream(stream)
    }

    fn call(&self, script: Script, keys: usize) -> Cmd {
        self.shard.caller.scripts.call(script, keys, true)
    }

    fn reader(&self) -> &str {
        &self.shard.caller.run.incarnation
    }

    async fn query<T: FromRedisValue>(&self, pipeline: Pipeline) -> Result<T, String> {
        let began = Instant::now();
        let answer = self.pool.query(&pipeline).await;
        let telemetry = &self.shard.telemetry;
        telemetry.redis_command(RedisOp::EventStreams, began.elapsed(), answer.is_ok());
        answer
    }

    async fn ask<T: FromRedisValue>(&self, command: Cmd) -> Result<T, String> {
        let mut pipeline = Pipeline::with_capacity(1);
        pipeline.add_command(command);
        let (answer,) = self.query(pipeline).await?;
        Ok(answer)
    }
}

/// The partition of the events of `key`.
pub(crate) fn partition_of(key: &str) -> usize {
    Partition::of(key).index() % STREAM_PARTITIONS
}

impl EventStreams for RedisEventStreams {
    fn append<'a>(
        &'a self,
        events: &'a [Append],
        bounds: StreamBounds,
    ) -> BoxFuture<'a, Result<u64, String>> {
        Box::pin(async move {
            let mut pipeline = Pipeline::with_capacity(events.len());
            for (
                index,
                Append {
                    stream,
                    event,
                    at_most_every,
                },
            ) in events.iter().enumerate()
            {
                let names = self.names(stream);
                // The first call makes Redis know the script.
                let scripts = &self.shard.caller.scripts;
                let mut call = scripts.call(Script::AppendEvent, 2, index == 0);
                call.arg(names.partition(partition_of(&event.key)))
                    .arg(names.recent(&event.key))
                    .arg(&event.id)
                    .arg(&event.key)
                    .arg(event.at_ms)
                    .arg(&event.body)
                    .arg(bounds.events_per_partition)
                    .arg(millis(UNUSED))
                    .arg(at_most_every.map_or(0, millis));
                pipeline.add_command(call);
            }
            let dropped: Vec<u64> = self.query(pipeline).await?;
            Ok(dropped.into_iter().sum())
        })
    }

    fn hold<'a>(&'a self, stream: &'a str, kept: &'a [usize]) -> BoxFuture<'a, Result<Held, String>> {
        Box::pin(async move {
            let names = self.names(stream);
            let mut call = self.call(Script::HoldPartitions, 2 + 2 * STREAM_PARTITIONS);
            call.arg(names.readers()).arg(names.dead());
            for partition in 0..STREAM_PARTITIONS {
                call.arg(names.lease(partition)).arg(names.partition(partition));
            }
            call.arg(self.reader())
                .arg(millis(LEASE))
                .arg(GROUP)
                .arg(millis(UNUSED));
            for partition in 0..STREAM_PARTITIONS {
                call.arg(u8::from(kept.contains(&partition)));
            }
            self.ask(call).await.map(answers::held)
        })
    }

    fn leave<'a>(&'a self, stream: &'a str) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let names = self.names(stream);
            let mut call = self.call(Script::LeavePartitions, 1 + STREAM_PARTITIONS);
            call.arg(names.readers());
            for partition in 0..STREAM_PARTITIONS {
                call.arg(names.lease(partition));
            }
            call.arg(self.reader());
            self.ask::<u64>(call).await.map(drop)
        })
    }

    fn read<'a>(
        &'a self,
        stream: &'a str,
        from: &'a [(usize, ReadFrom, usize)],
    ) -> BoxFuture<'a, Result<Vec<Page>, String>> {
        Box::pin(async move {
            let names = self.names(stream);
            let mut call = self.call(Script::ReadPartitions, 2 * from.len());
            for (partition, ..) in from {
                call.arg(names.lease(*partition)).arg(names.partition(*partition));
            }
            call.arg(self.reader()).arg(GROUP).arg(self.shard.node().as_str());
            for (_, from, room) in from {
                let entry = match from {
                    ReadFrom::Pending(entry) => entry,
                    ReadFrom::New => "",
                };
                call.arg(entry).arg(room);
            }
            let pages: Vec<Vec<Value>> = self.ask(call).await?;
            pages.into_iter().map(answers::page).collect()
        })
    }

    fn remove<'a>(
        &'a self,
        stream: &'a str,
        entries: &'a [(usize, String)],
    ) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let names = self.names(stream);
            let mut pipeline = Pipeline::with_capacity(2 * entries.len());
            for (partition, entry) in entries {
                let partition = names.partition(*partition);
                pipeline.cmd("XACK").arg(&partition).arg(GROUP).arg(entry);
                pipeline.cmd("XDEL").arg(&partition).arg(entry);
            }
            self.query::<Vec<u64>>(pipeline).await.map(drop)
        })
    }

    fn give_up<'a>(
        &'a self,
        stream: &'a str,
        partition: usize,
        entry: &'a StreamEntry,
        reason: &'a str,
        bounds: StreamBounds,
    ) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let (names, event) = (self.names(stream), &entry.event);
            let mut call = self.call(Script::GiveUpEvent, 2);
            call.arg(names.partition(partition))
                .arg(names.dead())
                .arg(GROUP)
                .arg(&entry.entry)
                .arg(&event.id)
                .arg(&event.key)
                .arg(event.at_ms)
                .arg(&event.body)
                .arg(reason)
                .arg(partition)
                .arg(bounds.dead)
                .arg(millis(UNUSED));
            self.ask::<u64>(call).await.map(drop)
        })
    }

    fn dead<'a>(&'a self, stream: &'a str, limit: usize) -> BoxFuture<'a, Result<Vec<DeadEvent>, String>> {
        Box::pin(async move {
            let mut command = redis::cmd("XREVRANGE");
            command.arg(self.names(stream).dead()).arg("+").arg("-");
            command.arg("COUNT").arg(limit);
            let events: Vec<(String, Vec<String>)> = self.ask(command).await?;
            events
                .into_iter()
                .map(|(_, fields)| answers::dead(fields))
                .collect()
        })
    }

    fn replay<'a>(
        &'a self,
        stream: &'a str,
        which: Replay<'a>,
        now_ms: u64,
        bounds: StreamBounds,
    ) -> BoxFuture<'a, Result<u64, String>> {
        Box::pin(async move {
            let names = self.names(stream);
            let mut call = self.call(Script::ReplayEvents, 1 + STREAM_PARTITIONS);
            call.arg(names.dead());
            for partition in 0..STREAM_PARTITIONS {
                call.arg(names.partition(partition));
            }
            let (limit, id) = match which {
                Replay::Oldest(limit) => (limit, None),
                Replay::Event(id) => (bounds.dead, Some(id)),
            };
            call.arg(limit)
                .arg(now_ms)
                .arg(bounds.events_per_partition)
                .arg(millis(UNUSED))
                .arg(id);
            self.ask(call).await
        })
    }

    fn lease(&self) -> Duration {
        LEASE
    }

    fn outlives_process(&self) -> bool {
        true
    }
}
