//! What the tasks of one Redis broker share. Not what only one of them needs: that lives in its task.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use switchboard_core::{BrokerError, BrokerEvents, Retention};
use switchboard_protocol::{NodeId, NodeMessage, PeerKey, SessionId};
use switchboard_telemetry::{Queue, Telemetry};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    call::{Call, LettingGo},
    command::Command,
    config::Endpoint,
    crowd::Meeting,
    health::Health,
    lease::Lease,
    probe::Probe,
    record::Claimed,
    scripts::Scripts,
    subscriber::desired::{Desired, Holding},
};
use crate::queue::Sender;

/// How long after an outage "nobody holds this peer" proves nothing: other nodes are re-claiming theirs.
const SETTLE: Duration = Duration::from_secs(3);

/// Releases and notices kept while Redis is away. One that does not fit leaves a record that names this
/// node for a peer it no longer has; senders to it get `timeout` instead of `peer-offline`.
const MAX_KEPT: usize = 65_536;

/// Shared by all tasks of one broker.
pub(crate) struct Shared {
    pub(crate) node: NodeId,
    pub(crate) endpoint: Endpoint,
    pub(crate) telemetry: Telemetry,
    pub(crate) queue: Sender<Command>,
    pub(crate) health: Health,
    pub(crate) lease: Lease,
    pub(crate) meeting: Meeting,
    pub(crate) scripts: Scripts,
    pub(crate) probe: Probe,
    pub(crate) desired: Mutex<Desired>,
    /// The resume window of this node's sessions, in milliseconds.
    window_ms: AtomicU64,
    /// Something to subscribe or unsubscribe.
    pub(crate) changes: Notify,
    /// Something to claim, release or tell.
    pub(crate) chores: Notify,
    /// The other direction has just connected: no need to wait any longer.
    pub(crate) link_retry: Notify,
    pub(crate) bus_retry: Notify,
    pub(crate) end: CancellationToken,
    kept: Mutex<Kept>,
}

/// What to do once Redis is back.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) letting_go: VecDeque<LettingGo>,
    /// Sessions of this node that lost their peer.
    pub(crate) lost: VecDeque<NodeMessage>,
}

impl Shared {
    pub(crate) fn new(
        node: NodeId,
        endpoint: Endpoint,
        telemetry: Telemetry,
        queue: Sender<Command>,
    ) -> Self {
        Self {
            endpoint,
            queue,
            health: Health::new(telemetry.clone()),
            lease: Lease::new(node.as_str()),
            meeting: Meeting::default(),
            scripts: Scripts::new(),
            probe: Probe::new(),
            desired: Mutex::default(),
            window_ms: AtomicU64::new(0),
            changes: Notify::new(),
            chores: Notify::new(),
            link_retry: Notify::new(),
            bus_retry: Notify::new(),
            end: CancellationToken::new(),
            kept: Mutex::default(),
            node,
            telemetry,
        }
    }

    /// Queues a command for the publisher.
    pub(crate) fn send(&self, command: Command) -> Result<(), BrokerError> {
        if !self.health.is_link_up() {
            return Err(BrokerError::Unavailable);
        }
        self.queue.push(command).inspect_err(|error| {
            if *error == BrokerError::QueueFull {
                self.telemetry.queue_overflow(Queue::Publisher);
            }
        })
    }

    /// Queues a claim or re-assertion, if its session still should have the peer; the epoch it counts for.
    ///
    /// Checked and queued under one lock: of two sessions of this node the later one's claim is the later
    /// one in Redis, too.
    pub(crate) fn send_claim(
        &self,
        holding: Holding,
        call: impl FnOnce(Holding, u32) -> Call,
    ) -> Result<u32, BrokerError> {
        let desired = self.desired.lock();
        if !desired.holds(&holding.key, holding.session) {
            return Err(BrokerError::Superseded);
        }
        let epoch = desired.epoch();
        self.send(Command::script(call(holding, epoch)))?;
        Ok(epoch)
    }

    /// Notes how long this node's sessions are kept.
    pub(crate) fn note_window(&self, window: Duration) {
        let window_ms = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        self.window_ms.store(window_ms, Ordering::Relaxed);
    }

    /// What is kept of a session whose node ends before its connection; nothing where none is kept.
    pub(crate) fn orphaned(&self) -> Option<Retention> {
        let window = Duration::from_millis(self.window_ms.load(Ordering::Relaxed));
        let saved = None;
        (!window.is_zero()).then_some(Retention {
            snapshot: saved,
            window,
        })
    }

    /// Lets a claim go: now, or when Redis is back.
    pub(crate) fn let_go(&self, letting_go: LettingGo) {
        if self
            .send(Command::script(Call::LetGo(letting_go.clone())))
            .is_err()
        {
            self.keep(|kept| kept.letting_go.push_back(letting_go));
        }
    }

    /// The same, for a session that is not to be resumed.
    pub(crate) fn release(&self, key: &PeerKey, session: SessionId, fence: u64) {
        let holding = Holding::to_let_go(key.clone(), session, fence);
        self.let_go(LettingGo { holding, keep: None });
    }

    /// `session` of this node has lost `key`; the node is told, but not from here: the caller may be inside it.
    pub(crate) fn tell_lost(&self, key: PeerKey, session: SessionId, fence: u64) {
        self.keep(|kept| kept.lost.push_back(NodeMessage::Takeover { key, session, fence }));
        self.chores.notify_one();
    }

    /// Keeps something for later, within the bound.
    pub(crate) fn keep(&self, push: impl FnOnce(&mut Kept)) {
        let mut kept = self.kept.lock();
        if kept.letting_go.len() + kept.lost.len() >= MAX_KEPT {
            self.telemetry.queue_overflow(Queue::Publisher);
            return;
        }
        push(&mut kept);
    }

    /// Takes what was kept.
    pub(crate) fn take_kept(&self) -> Kept {
        std::mem::take(&mut *self.kept.lock())
    }

    /// A claim was carried out and nobody waits for its answer any more: the record is taken over as it is,
    /// or let go.
    pub(crate) fn claim_landed(
        &self,
        holding: &Holding,
        claimed: Claimed,
        epoch: u32,
        events: &dyn BrokerEvents,
    ) {
        let Claimed {
            fence,
            previous,
            saved: _,
            mail,
        } = claimed;
        let Holding { key, session, .. } = holding;
        if !self.desired.lock().claimed(key, *session, fence, epoch) {
            return self.release(key, *session, fence);
        }
        if !mail.is_empty() {
            events.on_offline_queue(key, *session, mail);
        }
        let Some(previous) = previous.filter(|previous| previous.node != self.node) else {
            return;
        };
        let message = NodeMessage::Takeover {
            key: key.clone(),
            session: previous.session,
            fence,
        };
        let command = Command::Inbox {
            node: previous.node,
            message: message.encode(),
        };
        if let Err(error) = self.send(command) {
            tracing::warn!(%error, "could not tell a node that it lost a session");
        }
    }

    /// Whether "nobody holds this peer" can be believed.
    pub(crate) fn absence_proves_something(&self) -> Result<(), BrokerError> {
        self.health.settled_for(SETTLE)?;
        if self.desired.lock().is_complete() {
            Ok(())
        } else {
            Err(BrokerError::Unsettled)
        }
    }

    /// Exports desired against confirmed.
    pub(crate) fn report_subscriptions(&self) {
        let (desired, confirmed) = self.desired.lock().counts();
        let gauge = |count| i64::try_from(count).unwrap_or(i64::MAX);
        self.telemetry.subscriptions(gauge(desired), gauge(confirmed));
    }
}
