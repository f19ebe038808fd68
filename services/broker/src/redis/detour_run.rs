//! One detour of commands that a Redis Cluster sent elsewhere: it waits until everything sent before is answered, sends what came
//! back again, and ends when nothing comes back any more. Not the detours themselves (`detours`).

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use redis::Value;
use switchboard_core::{BrokerError, BrokerEvents};
use tokio::{sync::mpsc, time::sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    asking::Asking,
    command::Command,
    detours::{Begun, Detour, Detours, Drain, Redirect},
    shard::{interpret::interpret, state::Shard},
    stuck_slots::StuckSlots,
    topology::Topology,
};

/// How long commands are sent again. Less than the deadline of a send, so that its sender hears why it failed.
const PATIENCE: Duration = Duration::from_secs(4);

/// The first pause before commands are sent again.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// How often is looked whether slots are still stuck.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What every detour needs.
pub(super) struct Runner {
    pub(super) detours: Arc<Detours>,
    pub(super) topology: Arc<Topology>,
    pub(super) events: Arc<dyn BrokerEvents>,
    pub(super) tasks: TaskTracker,
    pub(super) end: CancellationToken,
    pub(super) stuck: Mutex<StuckSlots>,
}

/// Runs each detour that begins, until it is dropped.
pub(super) async fn run(runner: Arc<Runner>, mut begun: mpsc::Receiver<Begun>) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            next = begun.recv() => {
                let Some((detour, server)) = next else {
                    return;
                };
                let one = Arc::clone(&runner).run_one(detour, server);
                runner
                    .tasks
                    .spawn(runner.end.clone().run_until_cancelled_owned(one));
            }
            now = looks.tick() => runner.stuck.lock().look(now.into()),
        }
    }
}

impl Runner {
    async fn run_one(self: Arc<Self>, detour: Detour, mut server: Arc<dyn Drain>) {
        let since = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut asking = Asking::default();
        loop {
            // After that, nothing that was sent to it comes back any more.
            server.drain().await;
            let shard = || self.topology.shard_of(detour.partition);
            let Some((commands, redirect)) =
                self.detours.take(detour, |command| self.send(&shard(), command))
            else {
                return;
            };
            let current = shard();
            if since.elapsed() >= PATIENCE {
                let mut stuck = self.stuck.lock();
                stuck.refused(&current, detour.partition, commands.len(), Instant::now());
                drop(stuck);
                for command in commands {
                    (current.telemetry).redis_command(command.operation(), since.elapsed(), false);
                    self.refuse(&current, BrokerError::Unavailable, command);
                }
                continue;
            }
            match redirect {
                Redirect::Ask(address) => {
                    let replies = asking.send(&current, address, &commands).await;
                    self.answer(&current, commands, replies);
                    sleep(pause).await;
                }
                Redirect::Moved | Redirect::Later => {
                    // Meanwhile the map is read.
                    sleep(pause).await;
                    let current = shard();
                    commands
                        .into_iter()
                        .for_each(|command| self.send(&current, command));
                }
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
            server = shard();
        }
    }

    /// Sends past the detour.
    fn send(&self, shard: &Shard, command: Command) {
        if let Err((error, command)) = shard.send_here(command) {
            self.refuse(shard, error, command);
        }
    }

    /// No command follows one without an answer.
    fn refuse(&self, shard: &Shard, error: BrokerError, command: Command) {
        interpret(command, Err(error), shard, self.events.as_ref());
    }

    /// Acts on the replies of the server that was asked.
    fn answer(&self, shard: &Arc<Shard>, commands: VecDeque<Command>, replies: Result<Vec<Value>, String>) {
        let mut replies = match replies {
            Ok(replies) => replies.into_iter(),
            Err(why) => {
                tracing::debug!(why, "the server that a slot moves to was not asked");
                Vec::new().into_iter()
            }
        };
        for command in commands {
            let outcome = match replies.next() {
                None => Err((Redirect::Later, command)),
                Some(Value::ServerError(error)) => match Redirect::of_error(&error) {
                    Some(redirect) => Err((redirect, command)),
                    None => {
                        shard.on_server_error(command.operation(), &error);
                        Ok((command, Err(BrokerError::Refused)))
                    }
                },
                Some(reply) => Ok((command, Ok(reply))),
            };
            match outcome {
                Ok((command, reply)) => {
                    if let Some(next) = interpret(command, reply, shard, self.events.as_ref())
                        && let Err((error, next)) = shard.forward(next)
                    {
                        self.refuse(shard, error, next);
                    }
                }
                Err((redirect, command)) => {
                    let server = Arc::clone(shard) as Arc<dyn Drain>;
                    if let Err((error, command)) = self.detours.bounce(server, command, redirect) {
                        self.refuse(shard, error, command);
                    }
                }
            }
        }
    }
}
