//! The pipelines of one connection: those in flight, and the commands that go next.
//!
//! Order: a pipeline's future is polled once when it is made, outside tokio's cooperative budget; that poll
//! hands its bytes to redis-rs's own queue, which has room for more pipelines than are ever in flight. So
//! bytes leave in the order of the queue, and replies are awaited in the same order.

use std::{
    collections::VecDeque,
    pin::Pin,
    time::{Duration, Instant},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, MaybeDone, maybe_done},
};
use redis::{Pipeline, RedisResult, Value, aio::MultiplexedConnection};
use switchboard_telemetry::ShardTelemetry;
use tokio::time::Sleep;

use super::super::state::Shard;
use crate::{
    queue::Weighed,
    redis::{
        command::{Command, encode},
        dial::Reads,
    },
};

/// The most commands in one pipeline.
pub(super) const MAX_BATCH_COMMANDS: usize = 256;

/// A pipeline is closed once it holds this many payload bytes.
const MAX_BATCH_BYTES: usize = 256 * 1024;

/// The most pipelines in flight.
const MAX_PIPELINES: usize = 4;

/// How long answers that nobody waits for may stay unread. They are read earlier if something is sent.
const MAX_UNREAD: Duration = Duration::from_millis(10);

/// The pipelines in flight and the commands that go next, on one connection.
pub(super) struct Pipelines {
    connection: MultiplexedConnection,
    /// `None`: every answer wakes the reader.
    reads: Option<Reads>,
    look: LookTimer,
    ready: VecDeque<Command>,
    in_flight: VecDeque<Batch>,
    /// Scratch space for the names of channels.
    channel: Vec<u8>,
}

type Replies = RedisResult<Vec<Value>>;

/// One pipeline in flight.
pub(super) struct Batch {
    replies: Pin<Box<MaybeDone<BoxFuture<'static, Replies>>>>,
    pub(super) commands: Vec<Command>,
    pub(super) sent_at: Instant,
    is_awaited: bool,
}

/// Says when unread answers are due. It is set anew only after it has run: setting a timer may wake a thread.
struct LookTimer {
    sleep: Pin<Box<Sleep>>,
    is_set: bool,
}

impl LookTimer {
    async fn until(&mut self, at: Instant) {
        while Instant::now() < at {
            if !self.is_set {
                self.sleep.as_mut().reset(at.into());
                self.is_set = true;
            }
            self.sleep.as_mut().await;
            self.is_set = false;
        }
    }
}

impl Pipelines {
    pub(super) fn new(connection: MultiplexedConnection, reads: Option<Reads>) -> Self {
        Self {
            connection,
            reads,
            look: LookTimer {
                sleep: Box::pin(tokio::time::sleep(MAX_UNREAD)),
                is_set: false,
            },
            ready: VecDeque::new(),
            in_flight: VecDeque::new(),
            channel: Vec::new(),
        }
    }

    /// Whether replies are awaited.
    pub(super) fn is_in_flight(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// Whether commands that come now go out at once.
    pub(super) fn has_room(&self) -> bool {
        self.in_flight.len() < MAX_PIPELINES && self.ready.is_empty()
    }

    /// These commands go next.
    pub(super) fn extend(&mut self, commands: impl IntoIterator<Item = Command>) {
        self.ready.extend(commands);
    }

    /// Sends as many pipelines as may be in flight.
    pub(super) fn send_ready(&mut self, shard: &Shard) {
        while self.in_flight.len() < MAX_PIPELINES && !self.ready.is_empty() {
            self.send_batch(shard);
        }
    }

    fn send_batch(&mut self, shard: &Shard) {
        let mut commands = Vec::with_capacity(self.ready.len().min(MAX_BATCH_COMMANDS));
        let mut pipeline = Pipeline::with_capacity(commands.capacity());
        let mut bytes = 0;
        while commands.len() < MAX_BATCH_COMMANDS && bytes < MAX_BATCH_BYTES {
            let Some(command) = self.ready.pop_front() else {
                break;
            };
            bytes += command.bytes();
            encode::write(&command, &shard.caller, &mut self.channel, &mut pipeline);
            commands.push(command);
        }
        shard.telemetry.publish_batch(commands.len());
        let is_awaited = commands.iter().any(Command::is_answer_awaited);
        self.plan_reads(is_awaited);
        let mut connection = self.connection.clone();
        let count = commands.len();
        let replies =
            tokio::task::unconstrained(
                async move { connection.send_packed_commands(&pipeline, 0, count).await },
            );
        let mut replies = Box::pin(maybe_done(replies.boxed()));
        // The first poll, which fixes the order; `maybe_done` keeps a reply that is there already.
        let _ = replies.as_mut().now_or_never();
        self.in_flight.push_back(Batch {
            replies,
            commands,
            sent_at: Instant::now(),
            is_awaited,
        });
    }

    /// The next pipeline is about to be sent, which also reads the answers that have come. Its own answers wake the
    /// reader if somebody waits for them, or for room.
    fn plan_reads(&self, is_awaited: bool) {
        let Some(reads) = &self.reads else { return };
        let is_full = self.in_flight.len() + 1 >= MAX_PIPELINES;
        reads.defer(!(is_awaited || is_full || self.in_flight.iter().any(|batch| batch.is_awaited)));
        if !self.in_flight.is_empty() {
            reads.look();
        }
    }

    /// Returns once the oldest pipeline has its replies, and they are read.
    pub(super) async fn first_answered(&mut self) {
        let Some(batch) = self.in_flight.front_mut() else {
            return;
        };
        if let Some(reads) = self.reads.as_ref().filter(|reads| reads.is_deferred()) {
            tokio::select! {
                biased;
                () = batch.replies.as_mut() => return,
                () = self.look.until(batch.sent_at + MAX_UNREAD) => reads.watch_now(),
            }
        }
        batch.replies.as_mut().await;
    }

    /// Takes the oldest pipeline and its replies, one per command.
    ///
    /// # Errors
    /// Why the connection cannot be used any more; its commands stay here.
    pub(super) fn take_first(
        &mut self,
        telemetry: &ShardTelemetry,
    ) -> Result<Option<(Batch, Vec<Value>)>, String> {
        let Some(mut batch) = self.in_flight.pop_front() else {
            return Ok(None);
        };
        let why = match batch.replies.as_mut().take_output() {
            Some(Ok(replies)) if replies.len() == batch.commands.len() => return Ok(Some((batch, replies))),
            Some(Ok(_)) | None => "Redis answered with another number of replies than commands".to_owned(),
            Some(Err(error)) => {
                let took = batch.sent_at.elapsed();
                for command in &batch.commands {
                    telemetry.redis_command(command.operation(), took, false);
                }
                error.to_string()
            }
        };
        self.in_flight.push_front(batch);
        Err(why)
    }

    /// Every command without a reply, in order.
    pub(super) fn into_commands(self) -> impl Iterator<Item = Command> {
        let in_flight = self.in_flight.into_iter().flat_map(|batch| batch.commands);
        in_flight.chain(self.ready)
    }
}
