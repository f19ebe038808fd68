//! The connection that carries commands out: one task, one multiplexed connection of redis-rs, a few
//! pipelines under way. Nothing here waits for an answer before sending the next pipeline, and every
//! command's end is reported, also when the connection is lost.
//!
//! Order: a pipeline's future is polled once when it is made, outside tokio's cooperative budget; that poll
//! hands its bytes to redis-rs's own queue, which has room for more pipelines than are ever under way. So
//! bytes leave in the order of the queue, and answers are awaited in the same order.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, MaybeDone, maybe_done},
};
use redis::{Pipeline, RedisResult, Value, aio::MultiplexedConnection};
use switchboard_core::{BrokerError, BrokerEvents};

use super::{
    backoff::Backoff,
    command::Command,
    handshake::{self, Opened},
    health::Side,
    shared::Shared,
};
use crate::queue::{Receiver, Weighed};

/// The most commands in one pipeline.
const MAX_BATCH_COMMANDS: usize = 256;

/// A pipeline is closed once it holds this many payload bytes.
const MAX_BATCH_BYTES: usize = 256 * 1024;

/// The most pipelines under way.
const MAX_PIPELINES: usize = 4;

/// The publisher's task.
pub(crate) struct Link {
    shared: Arc<Shared>,
    events: Arc<dyn BrokerEvents>,
    queue: Receiver<Command>,
    incoming: Vec<Command>,
}

/// What is under way and what goes next on one connection.
struct Lane {
    connection: MultiplexedConnection,
    ready: VecDeque<Command>,
    under_way: VecDeque<Batch>,
    channel: Vec<u8>,
}

type Replies = RedisResult<Vec<Value>>;

struct Batch {
    replies: Pin<Box<MaybeDone<BoxFuture<'static, Replies>>>>,
    commands: Vec<Command>,
    sent_at: Instant,
}

impl Link {
    pub(crate) fn new(shared: Arc<Shared>, events: Arc<dyn BrokerEvents>, queue: Receiver<Command>) -> Self {
        Self {
            shared,
            events,
            queue,
            incoming: Vec::with_capacity(MAX_BATCH_COMMANDS),
        }
    }

    /// Runs until the broker ends; then refuses what is left in the queue.
    pub(crate) async fn run(mut self) {
        let end = self.shared.end.clone();
        let mut backoff = Backoff::default();
        let mut wait = Duration::ZERO;
        let mut before = None;
        while !end.is_cancelled() {
            let attempt = handshake::open(Arc::clone(&self.shared), wait, before.clone()).boxed();
            let Some(attempt) = self.refuse_until(attempt).await else {
                break;
            };
            wait = match attempt {
                Err(why) => {
                    self.shared.health.link(Side::Down(why));
                    backoff.after_failure()
                }
                Ok(Opened { connection, name }) => {
                    before = name;
                    let since = Instant::now();
                    self.shared.desired.lock().next_epoch();
                    self.shared.health.link(Side::Up);
                    self.shared.bus_retry.notify_one();
                    self.shared.chores.notify_one();
                    let why = self.serve(connection).await;
                    self.shared.health.link(Side::Down(why));
                    backoff.after_connection(since)
                }
            };
        }
        self.queue.close();
        while self.queue.receive(&mut self.incoming, MAX_BATCH_COMMANDS).await > 0 {
            self.refuse_incoming();
        }
    }

    /// Answers what is queued with "unavailable" while `attempt` runs; `None` when the broker ends.
    async fn refuse_until<T>(&mut self, mut attempt: BoxFuture<'_, T>) -> Option<T> {
        let end = self.shared.end.clone();
        loop {
            tokio::select! {
                () = end.cancelled() => return None,
                outcome = &mut attempt => return Some(outcome),
                received = self.queue.receive(&mut self.incoming, MAX_BATCH_COMMANDS) => {
                    if received == 0 {
                        return None;
                    }
                    self.refuse_incoming();
                }
            }
        }
    }

    fn refuse_incoming(&mut self) {
        for command in self.incoming.drain(..) {
            command.finish(Err(BrokerError::Unavailable), &self.shared, self.events.as_ref());
        }
    }

    /// Carries commands over one connection; returns why it ended.
    async fn serve(&mut self, connection: MultiplexedConnection) -> String {
        let end = self.shared.end.clone();
        let mut lane = Lane {
            connection,
            ready: VecDeque::new(),
            under_way: VecDeque::new(),
            channel: Vec::new(),
        };
        let why = loop {
            while lane.under_way.len() < MAX_PIPELINES && !lane.ready.is_empty() {
                lane.send_batch(&self.shared);
            }
            tokio::select! {
                biased;
                () = end.cancelled() => break "the node is shutting down".to_owned(),
                () = lane.first_answered(), if !lane.under_way.is_empty() => {
                    if let Err(why) = self.finish_first(&mut lane) {
                        break why;
                    }
                }
                received = self.queue.receive(&mut self.incoming, MAX_BATCH_COMMANDS),
                    if lane.under_way.len() < MAX_PIPELINES && lane.ready.is_empty() =>
                {
                    if received == 0 {
                        break "the broker has ended".to_owned();
                    }
                    lane.ready.extend(self.incoming.drain(..));
                }
            }
        };
        // From here on nothing new is queued, and all that was is answered.
        self.shared.health.link(Side::Down(why.clone()));
        let under_way = lane.under_way.into_iter().flat_map(|batch| batch.commands);
        for command in under_way.chain(lane.ready) {
            command.finish(Err(BrokerError::Unavailable), &self.shared, self.events.as_ref());
        }
        why
    }

    fn finish_first(&self, lane: &mut Lane) -> Result<(), String> {
        let Some(mut batch) = lane.under_way.pop_front() else {
            return Ok(());
        };
        let took = batch.sent_at.elapsed();
        let replies = match batch.replies.as_mut().take_output() {
            Some(Ok(replies)) if replies.len() == batch.commands.len() => replies,
            Some(Ok(_)) | None => {
                lane.under_way.push_front(batch);
                return Err("Redis answered with another number of replies than commands".to_owned());
            }
            Some(Err(error)) => {
                for command in &batch.commands {
                    self.shared
                        .telemetry
                        .redis_command(command.operation(), took, false);
                }
                lane.under_way.push_front(batch);
                return Err(error.to_string());
            }
        };
        warn_if_refused(&replies);
        for (command, reply) in batch.commands.into_iter().zip(replies) {
            let is_ok = !matches!(reply, Value::ServerError(_));
            self.shared
                .telemetry
                .redis_command(command.operation(), took, is_ok);
            lane.ready.extend(self.finish_one(command, reply));
        }
        Ok(())
    }

    fn finish_one(&self, command: Command, reply: Value) -> Option<Command> {
        let (command, reply) = if let Value::ServerError(error) = reply {
            match command.with_source() {
                Ok(again) if error.code() == "NOSCRIPT" => return Some(again),
                Ok(command) | Err(command) => (command, Err(BrokerError::Refused)),
            }
        } else {
            (command, Ok(reply))
        };
        command.finish(reply, &self.shared, self.events.as_ref())
    }
}

/// One line per pipeline, however many of its commands were refused.
fn warn_if_refused(replies: &[Value]) {
    let mut refused = replies.iter().filter_map(|reply| {
        let Value::ServerError(error) = reply else {
            return None;
        };
        (error.code() != "NOSCRIPT").then_some(error)
    });
    if let Some(first) = refused.next() {
        let count = 1 + refused.count();
        tracing::warn!(
            count,
            code = first.code(),
            detail = first.details(),
            "Redis refused commands"
        );
    }
}

impl Lane {
    fn send_batch(&mut self, shared: &Shared) {
        let mut commands = Vec::with_capacity(self.ready.len().min(MAX_BATCH_COMMANDS));
        let mut pipeline = Pipeline::with_capacity(commands.capacity());
        let mut bytes = 0;
        while commands.len() < MAX_BATCH_COMMANDS && bytes < MAX_BATCH_BYTES {
            let Some(command) = self.ready.pop_front() else {
                break;
            };
            bytes += command.bytes();
            command.write(shared, &mut self.channel, &mut pipeline);
            commands.push(command);
        }
        shared.telemetry.publish_batch(commands.len());
        let mut connection = self.connection.clone();
        let count = commands.len();
        let replies =
            tokio::task::unconstrained(
                async move { connection.send_packed_commands(&pipeline, 0, count).await },
            );
        let mut replies = Box::pin(maybe_done(replies.boxed()));
        // The first poll, which fixes the order; an answer that is there already is kept by `maybe_done`.
        let _ = replies.as_mut().now_or_never();
        self.under_way.push_back(Batch {
            replies,
            commands,
            sent_at: Instant::now(),
        });
    }

    async fn first_answered(&mut self) {
        if let Some(batch) = self.under_way.front_mut() {
            batch.replies.as_mut().await;
        }
    }
}
