//! Commands that a Redis Cluster sent elsewhere, and those that have to wait behind them. While a slot moves, the commands of its
//! partition go out one group after the other, so that a release never overtakes the claim before it. Not the map (`topology`),
//! and not the way (`detour_run`).
//!
//! Messages and records have a detour each: a message need not wait for a script that Redis will not run before the slot has moved.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::future::BoxFuture;
use hashbrown::HashMap;
use parking_lot::Mutex;
use redis::ServerError;
use switchboard_core::BrokerError;
use tokio::sync::{Notify, mpsc};

use super::{command::Command, endpoint::Address};
use crate::{
    partition::Partition,
    queue::{MAX_QUEUED_BYTES, MAX_QUEUED_COMMANDS, Weighed},
};

/// Where a Redis Cluster wants a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Redirect {
    /// Another server has the slot.
    Moved,
    /// This command, and only this one, goes to the server that the slot moves to.
    Ask(Address),
    /// Later: some of the keys have moved, or nobody serves the slot at the moment.
    Later,
}

impl Redirect {
    /// The redirection in an error; none if it is another error.
    pub(crate) fn of(code: &str, details: Option<&str>) -> Option<Self> {
        match code {
            "MOVED" => Some(Self::Moved),
            "ASK" => {
                let address = details?.split_whitespace().nth(1)?;
                let (host, port) = address.rsplit_once(':')?;
                let host = host.trim_matches(['[', ']']).to_owned();
                Some(Self::Ask(Address {
                    host,
                    port: port.parse().ok()?,
                }))
            }
            "TRYAGAIN" | "CLUSTERDOWN" => Some(Self::Later),
            _ => None,
        }
    }

    /// The same of an error of redis-rs.
    pub(crate) fn of_error(error: &ServerError) -> Option<Self> {
        Self::of(error.code(), error.details())
    }
}

/// The commands of one partition that keep their order: its messages, or the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Detour {
    pub(super) partition: Partition,
    is_of_messages: bool,
}

impl Detour {
    fn of(command: &Command) -> Option<Self> {
        Some(Self {
            partition: command.partition()?,
            is_of_messages: command.is_message(),
        })
    }

    /// The detour of a command that `server` sent elsewhere. A message to a node goes where the home of that server is now:
    /// every node hears its own channel on every shard. No later one waits for it.
    fn of_bounced(command: &Command, server: &dyn Drain) -> Option<Self> {
        if matches!(command, Command::PublishToNode { .. }) {
            return Some(Self {
                partition: server.home()?,
                is_of_messages: true,
            });
        }
        Self::of(command)
    }
}

/// The detours with commands in them.
pub(crate) struct Detours {
    all: Mutex<OpenDetours>,
    /// How many detours there are: read without a lock for each command.
    count: AtomicUsize,
    /// The map of the cluster may have changed.
    pub(crate) stale: Notify,
    /// The detours that begin.
    begun: mpsc::Sender<Begun>,
}

/// Messages and the rest, of each partition. A detour begins once before it ends.
const MAX_DETOURS: usize = 2 * crate::partition::PARTITIONS as usize;

/// A detour that begins, and the server that may still answer commands of it.
pub(super) type Begun = (Detour, Arc<dyn Drain>);

/// A server that answers what it was sent.
pub(crate) trait Drain: Send + Sync {
    /// Returns once all commands queued so far are answered.
    fn drain(&self) -> BoxFuture<'_, ()>;

    /// Its home, in a Redis Cluster.
    fn home(&self) -> Option<Partition>;
}

#[derive(Default)]
struct OpenDetours {
    open: HashMap<Detour, Waiting>,
    commands: usize,
    bytes: usize,
}

#[derive(Default)]
struct Waiting {
    /// Sent before, and sent elsewhere by Redis.
    bounced: VecDeque<Command>,
    redirect: Option<Redirect>,
    /// Behind them.
    held: VecDeque<Command>,
}

impl OpenDetours {
    fn add(&mut self, command: &Command) -> Result<(), BrokerError> {
        let bytes = command.bytes();
        if self.commands >= MAX_QUEUED_COMMANDS || self.bytes + bytes > MAX_QUEUED_BYTES {
            return Err(BrokerError::QueueFull);
        }
        self.commands += 1;
        self.bytes += bytes;
        Ok(())
    }

    fn remove(&mut self, commands: &VecDeque<Command>) {
        self.commands -= commands.len();
        self.bytes -= commands.iter().map(Weighed::bytes).sum::<usize>();
    }
}

impl Detours {
    /// Without detours, and the detours that will begin.
    pub(crate) fn new() -> (Arc<Self>, mpsc::Receiver<Begun>) {
        let (begun, all) = mpsc::channel(MAX_DETOURS);
        let detours = Self {
            all: Mutex::default(),
            count: AtomicUsize::new(0),
            stale: Notify::new(),
            begun,
        };
        (Arc::new(detours), all)
    }

    /// Keeps `command` if others of its detour wait; else returns it, to be sent.
    pub(crate) fn hold(&self, command: Command) -> Result<Option<Command>, (BrokerError, Command)> {
        if self.count.load(Ordering::Acquire) == 0 {
            return Ok(Some(command));
        }
        let Some(detour) = Detour::of(&command) else {
            return Ok(Some(command));
        };
        let mut all = self.all.lock();
        if !all.open.contains_key(&detour) {
            return Ok(Some(command));
        }
        if let Err(error) = all.add(&command) {
            return Err((error, command));
        }
        if let Some(waiting) = all.open.get_mut(&detour) {
            waiting.held.push_back(command);
        }
        Ok(None)
    }

    /// `server` sent `command` elsewhere. It is sent again, before later ones of its detour. A command that cannot wait is
    /// returned with the reason.
    pub(crate) fn bounce(
        &self,
        server: Arc<dyn Drain>,
        command: Command,
        redirect: Redirect,
    ) -> Result<(), (BrokerError, Command)> {
        if redirect == Redirect::Moved {
            self.stale.notify_one();
        }
        let Some(detour) = Detour::of_bounced(&command, server.as_ref()) else {
            return Err((BrokerError::Unavailable, command));
        };
        let mut all = self.all.lock();
        if let Err(error) = all.add(&command) {
            return Err((error, command));
        }
        let is_new = self.open(&mut all, detour);
        if let Some(waiting) = all.open.get_mut(&detour) {
            waiting.bounced.push_back(command);
            waiting.redirect = Some(redirect);
        }
        drop(all);
        if is_new {
            self.start(detour, server);
        }
        Ok(())
    }

    /// `partition` moves away from `server`: later commands wait until those sent before are answered.
    pub(crate) fn begin(&self, partition: Partition, server: &Arc<dyn Drain>) {
        for is_of_messages in [false, true] {
            let detour = Detour {
                partition,
                is_of_messages,
            };
            let is_new = self.open(&mut self.all.lock(), detour);
            if is_new {
                self.start(detour, Arc::clone(server));
            }
        }
    }

    fn open(&self, all: &mut OpenDetours, detour: Detour) -> bool {
        let before = all.open.len();
        all.open.entry(detour).or_default();
        self.count.store(all.open.len(), Ordering::Release);
        all.open.len() > before
    }

    fn start(&self, detour: Detour, server: Arc<dyn Drain>) {
        // An error means that the broker ends.
        let _ = self.begun.try_send((detour, server));
    }

    /// The commands of a detour that were sent elsewhere, once everything sent before is answered. Without any, `send` gets those
    /// behind them, and the detour ends.
    pub(super) fn take(
        &self,
        detour: Detour,
        send: impl Fn(Command),
    ) -> Option<(VecDeque<Command>, Redirect)> {
        let mut all = self.all.lock();
        let waiting = all.open.get_mut(&detour)?;
        let bounced = std::mem::take(&mut waiting.bounced);
        if let Some(redirect) = waiting.redirect.take().filter(|_| !bounced.is_empty()) {
            all.remove(&bounced);
            return Some((bounced, redirect));
        }
        if let Some(Waiting { held, .. }) = all.open.remove(&detour) {
            all.remove(&held);
            // Under the lock: what comes from now on is sent behind them.
            held.into_iter().for_each(send);
        }
        self.count.store(all.open.len(), Ordering::Release);
        None
    }
}

#[cfg(test)]
mod tests {
    use switchboard_protocol::NodeId;

    use super::*;

    /// A master with this home.
    struct Master(Option<Partition>);

    impl Drain for Master {
        fn drain(&self) -> BoxFuture<'_, ()> {
            Box::pin(std::future::ready(()))
        }

        fn home(&self) -> Option<Partition> {
            self.0
        }
    }

    #[test]
    fn a_message_to_a_node_follows_the_home_of_its_shard_and_no_later_one_waits_for_it() {
        let to_node = || Command::PublishToNode {
            node: NodeId::new("n2").unwrap(),
            message: b"ack".to_vec(),
        };
        let (detours, mut begun) = Detours::new();
        let home = Partition::from_index(7);
        let bounced = detours.bounce(Arc::new(Master(Some(home))), to_node(), Redirect::Moved);
        assert!(bounced.is_ok(), "{bounced:?}");
        let (detour, _) = begun.try_recv().unwrap();
        assert_eq!(detour.partition, home);
        assert!(detours.hold(to_node()).unwrap().is_some(), "it is sent at once");
        let (commands, redirect) = detours
            .take(detour, |_| unreachable!("nothing waits behind it"))
            .unwrap();
        assert!(
            matches!(
                commands.iter().collect::<Vec<_>>()[..],
                [Command::PublishToNode { .. }]
            ),
            "{commands:?}"
        );
        assert_eq!(redirect, Redirect::Moved);
        let probe = Command::Probe { nonce: 1 };
        let bounced = detours.bounce(Arc::new(Master(Some(home))), probe, Redirect::Moved);
        assert!(bounced.is_err(), "a probe is of its connection");
    }

    #[test]
    fn a_redirection_is_read_with_names_and_addresses_of_every_kind() {
        let ask = |host: &str, port| {
            let host = host.to_owned();
            Some(Redirect::Ask(Address { host, port }))
        };
        assert_eq!(
            Redirect::of("ASK", Some("93 10.0.0.1:7000")),
            ask("10.0.0.1", 7000)
        );
        assert_eq!(Redirect::of("ASK", Some("93 fd00::1:7000")), ask("fd00::1", 7000));
        assert_eq!(Redirect::of("ASK", Some("93 a.b:7000")), ask("a.b", 7000));
        assert_eq!(Redirect::of("ASK", Some("93")), None);
        assert_eq!(Redirect::of("MOVED", Some("93 :7000")), Some(Redirect::Moved));
        assert_eq!(Redirect::of("TRYAGAIN", None), Some(Redirect::Later));
        assert_eq!(Redirect::of("CLUSTERDOWN", None), Some(Redirect::Later));
        assert_eq!(Redirect::of("OOM", None), None);
    }
}
