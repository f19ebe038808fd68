//! `@backend` of one tenant on this node as a sender: it has ids, an outbox and an account as a session has, and no
//! connection. A call waits for the outcome of its send. Not the table of these senders (`senders`).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use switchboard_core::{OutboxSlot, PeerAccount, Sender};
use switchboard_protocol::{ErrorCode, MessageId, Mid, PeerKey, SendOutcome, SessionId};
use tokio::sync::watch;

/// How far a send has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// It has no outcome yet.
    Pending,
    /// It waits in the offline queue of its receiver.
    Queued,
    /// It ended.
    Ended(SendOutcome),
}

/// The sender.
#[derive(Debug)]
pub(super) struct BackendSender {
    id: SessionId,
    key: PeerKey,
    account: Arc<PeerAccount>,
    outbox: OutboxSlot,
    /// Held while a send is handed over, so that ids reach the outbox in order.
    last_id: Mutex<u64>,
    /// The sends without an outcome. The account's pending messages bound them.
    reports: Mutex<HashMap<u64, watch::Sender<Progress>>>,
}

impl BackendSender {
    pub(super) fn new(key: PeerKey, account: Arc<PeerAccount>) -> Arc<Self> {
        Arc::new(Self {
            id: SessionId::from_bytes(rand::random()),
            key,
            account,
            outbox: OutboxSlot::default(),
            last_id: Mutex::new(0),
            reports: Mutex::default(),
        })
    }

    /// Takes an id for a send that `hand_over` gives to the router; returns the message's name and its progress.
    pub(super) fn send(&self, hand_over: impl FnOnce(MessageId)) -> (Mid, watch::Receiver<Progress>) {
        let (report, progress) = watch::channel(Progress::Pending);
        let mut last_id = self.last_id.lock().unwrap_or_else(PoisonError::into_inner);
        *last_id += 1;
        let id = MessageId::Client(*last_id);
        self.reports().insert(*last_id, report);
        hand_over(id);
        drop(last_id);
        (Mid { session: self.id, id }, progress)
    }

    /// Whether no send of it is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.reports().is_empty()
    }

    fn reports(&self) -> MutexGuard<'_, HashMap<u64, watch::Sender<Progress>>> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sender for BackendSender {
    fn id(&self) -> SessionId {
        self.id
    }

    fn key(&self) -> &PeerKey {
        &self.key
    }

    fn outbox(&self) -> &OutboxSlot {
        &self.outbox
    }

    fn account(&self) -> Option<&Arc<PeerAccount>> {
        Some(&self.account)
    }

    fn on_outcome(&self, id: u64, outcome: SendOutcome) {
        let mut reports = self.reports();
        if let Some(report) = reports.remove(&id) {
            report.send_replace(Progress::Ended(outcome));
        }
        if reports.is_empty() {
            *reports = HashMap::new();
        }
    }

    fn on_queued(&self, id: u64) {
        if let Some(report) = self.reports().get(&id) {
            report.send_replace(Progress::Queued);
        }
    }

    /// Every send of it has an id.
    fn on_failed(&self, _code: ErrorCode) {}
}
