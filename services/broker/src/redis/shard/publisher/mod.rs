//! The connection that sends commands: one task, one multiplexed connection of redis-rs, a few pipelines in
//! flight. Nothing here waits for a reply before it sends the next pipeline. Every command is interpreted, also
//! when the connection is lost. Not the consequences of replies (`interpret`).

mod handshake;
mod pipelines;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{FutureExt, future::BoxFuture};
use redis::Value;
use switchboard_core::{BrokerError, BrokerEvents};

use super::{
    health::ConnectionState,
    interpret::interpret,
    state::{OTHER_SERVER, Shard},
};
use crate::{
    queue::Receiver,
    redis::{
        backoff::Backoff,
        command::Command,
        detours::{Drain, Redirect},
        dial::CommandConnection,
        periods::TAKE_LEASE_WITHIN,
    },
};
use handshake::{OpenError, Opened};
use pipelines::{MAX_BATCH_COMMANDS, Pipelines};

/// The publisher's task.
pub(crate) struct Publisher {
    shard: Arc<Shard>,
    events: Arc<dyn BrokerEvents>,
    queue: Receiver<Command>,
    incoming: Vec<Command>,
    /// When another run of this node was first seen to hold the lease.
    foreign_since: Option<Instant>,
    /// Redis refused the last connection, so the next one may lead to another server.
    is_elsewhere: bool,
    /// What answered last.
    release: String,
}

impl Publisher {
    pub(crate) fn new(shard: Arc<Shard>, events: Arc<dyn BrokerEvents>, queue: Receiver<Command>) -> Self {
        Self {
            shard,
            events,
            queue,
            incoming: Vec::with_capacity(MAX_BATCH_COMMANDS),
            foreign_since: None,
            is_elsewhere: false,
            release: String::new(),
        }
    }

    /// Runs until the broker ends; then refuses the rest of the queue.
    pub(crate) async fn run(mut self) {
        let end = self.shard.end.clone();
        let mut backoff = Backoff::default();
        let mut wait = Duration::ZERO;
        let mut previous = None;
        while !end.is_cancelled() {
            let attempt = handshake::open(Arc::clone(&self.shard), wait, previous.clone()).boxed();
            let Some(attempt) = self.refuse_until(attempt).await else {
                break;
            };
            wait = match attempt {
                Err(error) => {
                    self.is_elsewhere |= self.shard.health.is_refused();
                    let why = match error {
                        OpenError::Failed(why) => why,
                        OpenError::Foreign => self.on_foreign_lease(),
                    };
                    self.shard.health.set_publisher(ConnectionState::Down(why));
                    backoff.after_failure()
                }
                Ok(Opened { connection, name }) => {
                    previous = name;
                    let since = Instant::now();
                    self.foreign_since = None;
                    if std::mem::take(&mut self.is_elsewhere) {
                        // The subscriber may have dialled before the name led to the new master.
                        self.shard.subscriber_redial.notify_one();
                    }
                    if self.release != connection.release {
                        self.release.clone_from(&connection.release);
                        let (node, server, release) =
                            (self.shard.node(), self.shard.endpoint.shown(), &self.release);
                        tracing::info!(%node, server, release, "connected to Redis");
                    }
                    self.shard.tables.lock().next_epoch();
                    self.shard.health.set_publisher(ConnectionState::Up);
                    self.shard.subscriber_retry.notify_one();
                    self.shard.claim_work.notify_one();
                    let why = self.serve(connection).await;
                    self.shard.health.set_publisher(ConnectionState::Down(why));
                    backoff.after_connection(Some(since))
                }
            };
        }
        self.queue.close();
        while self.queue.receive(&mut self.incoming, MAX_BATCH_COMMANDS).await > 0 {
            self.refuse_incoming();
        }
    }

    /// Another run of this node holds the lease. A run that has never held it waits, because the other one may be dead;
    /// any other run stops.
    fn on_foreign_lease(&mut self) -> String {
        let since = *self.foreign_since.get_or_insert_with(Instant::now);
        let why = self.shard.taken_name();
        if self.shard.lease.was_held() || since.elapsed() >= TAKE_LEASE_WITHIN {
            self.shard.stop(why.clone());
        }
        why
    }

    /// Answers queued commands with "unavailable" while `attempt` runs; `None` when the broker ends.
    async fn refuse_until<T>(&mut self, mut attempt: BoxFuture<'_, T>) -> Option<T> {
        let end = self.shard.end.clone();
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
        let of_clients = self.incoming.iter().filter(|command| command.is_of_clients());
        self.shard.health.count_refused(of_clients.count());
        for command in self.incoming.drain(..) {
            interpret(
                command,
                Err(BrokerError::Unavailable),
                &self.shard,
                self.events.as_ref(),
            );
        }
    }

    /// Sends commands over one connection; returns why it ended.
    async fn serve(&mut self, connection: CommandConnection) -> String {
        let end = self.shard.end.clone();
        let mut pipelines = Pipelines::new(connection.commands.clone(), connection.reads.clone());
        // A request that belongs to an earlier connection.
        let _ = self.shard.publisher_redial.notified().now_or_never();
        if !connection.is_current(&self.shard.endpoint) {
            return OTHER_SERVER.to_owned();
        }
        let why = loop {
            pipelines.send_ready(&self.shard);
            tokio::select! {
                biased;
                () = end.cancelled() => break "the node is shutting down".to_owned(),
                () = self.shard.publisher_redial.notified() => break OTHER_SERVER.to_owned(),
                () = pipelines.first_answered(), if pipelines.is_in_flight() => {
                    if let Err(why) = self.finish_first(&mut pipelines) {
                        break why;
                    }
                }
                received = self.queue.receive(&mut self.incoming, MAX_BATCH_COMMANDS),
                    if pipelines.has_room() =>
                {
                    if received == 0 {
                        break "the broker has ended".to_owned();
                    }
                    pipelines.extend(self.incoming.drain(..));
                }
            }
        };
        // From here on nothing new is queued, and every queued command is answered.
        self.shard
            .health
            .set_publisher(ConnectionState::Down(why.clone()));
        for command in pipelines.into_commands() {
            interpret(
                command,
                Err(BrokerError::Unavailable),
                &self.shard,
                self.events.as_ref(),
            );
        }
        why
    }

    fn finish_first(&self, pipelines: &mut Pipelines) -> Result<(), String> {
        let Some((batch, replies)) = pipelines.take_first(&self.shard.telemetry)? else {
            return Ok(());
        };
        let took = batch.sent_at.elapsed();
        for (command, reply) in batch.commands.into_iter().zip(replies) {
            let op = command.operation();
            let Some((command, reply)) = self.unless_redirected(command, reply) else {
                continue;
            };
            let is_ok = if let Value::ServerError(error) = &reply {
                if error.code() != "NOSCRIPT" {
                    self.shard.on_server_error(op, error);
                }
                false
            } else {
                self.shard.health.accepted(op);
                true
            };
            self.shard.telemetry.redis_command(op, took, is_ok);
            if let Some(next) = self.finish_one(command, reply) {
                self.follow_up(next, pipelines);
            }
        }
        Ok(())
    }

    /// A command that a Redis Cluster sent elsewhere is taken care of.
    fn unless_redirected(&self, command: Command, reply: Value) -> Option<(Command, Value)> {
        let (Some(detours), Value::ServerError(error)) = (&self.shard.detours, &reply) else {
            return Some((command, reply));
        };
        let Some(redirect) = Redirect::of_error(error) else {
            return Some((command, reply));
        };
        if let Err((error, command)) =
            detours.bounce(Arc::clone(&self.shard) as Arc<dyn Drain>, command, redirect)
        {
            interpret(command, Err(error), &self.shard, self.events.as_ref());
        }
        None
    }

    /// `next` follows a command that was answered; another shard may have its keys.
    fn follow_up(&self, next: Command, pipelines: &mut Pipelines) {
        if self.shard.serves(&next) {
            pipelines.extend([next]);
        } else if let Err((error, next)) = self.shard.forward(next) {
            // A failure has no further command.
            interpret(next, Err(error), &self.shard, self.events.as_ref());
        }
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
        interpret(command, reply, &self.shard, self.events.as_ref())
    }
}
