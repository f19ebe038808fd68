//! The accounts of all peers and tenants of a node, and the node's own. An account outlives its sessions until
//! nothing is in it: a peer keeps its charge when it opens another session.

use std::{sync::Arc, time::Instant};

use hashbrown::HashMap;
use parking_lot::Mutex;
use switchboard_protocol::PeerKey;
use switchboard_telemetry::Telemetry;

use super::{
    account::{PeerAccount, Scope},
    bounds::Limits,
    bucket::{BucketSize, whole_ns},
};

/// Accounts that are kept without looking for empty ones.
const SWEEP_FROM: usize = 1024;

/// What all accounts of a node share.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(super) limits: Arc<Limits>,
    pub(super) telemetry: Telemetry,
    pub(super) node: Scope,
    pub(super) commands: BucketSize,
    pub(super) control: BucketSize,
    /// For a peer, a tenant, the node.
    pub(super) stored: [BucketSize; 3],
    started_at: Instant,
}

impl Rules {
    pub(super) fn ns(&self, now: Instant) -> u64 {
        whole_ns(now.saturating_duration_since(self.started_at))
    }
}

/// All accounts of a node. Bounded: an account without sessions leaves when its buckets have leaked, and what was
/// put into them is bounded for the node.
#[derive(Debug)]
pub(crate) struct Budgets {
    rules: Arc<Rules>,
    accounts: Mutex<Accounts>,
}

#[derive(Debug, Default)]
struct Accounts {
    peers: HashMap<PeerKey, Arc<PeerAccount>>,
    tenants: HashMap<String, Arc<Scope>>,
    /// At this many peers the next sweep begins.
    sweep_at: usize,
}

impl Budgets {
    pub(crate) fn new(limits: &Arc<Limits>, telemetry: &Telemetry) -> Self {
        let stored = [
            limits.peer_stored_bytes,
            limits.tenant_stored_bytes,
            limits.node_stored_bytes,
        ];
        let rules = Rules {
            limits: Arc::clone(limits),
            telemetry: telemetry.clone(),
            node: Scope::default(),
            commands: BucketSize::per_second(limits.messages_per_second, limits.message_burst),
            control: BucketSize::per_second(limits.control_frames_per_second, limits.control_burst),
            stored: stored.map(|bytes| BucketSize::per_window(bytes, limits.resume_window)),
            started_at: Instant::now(),
        };
        Self {
            rules: Arc::new(rules),
            accounts: Mutex::default(),
        }
    }

    /// The account of `key`, shared by all its sessions.
    pub(crate) fn account(&self, key: &PeerKey, now: Instant) -> Arc<PeerAccount> {
        let mut accounts = self.accounts.lock();
        if let Some(account) = accounts.peers.get(key) {
            return Arc::clone(account);
        }
        if accounts.peers.len() >= accounts.sweep_at {
            accounts.sweep(self.rules.ns(now));
        }
        let tenant = Arc::clone(accounts.tenants.entry_ref(key.tenant()).or_default());
        let account = Arc::new(PeerAccount::new(Arc::clone(&self.rules), tenant));
        accounts.peers.insert(key.clone(), Arc::clone(&account));
        account
    }

    /// Accounts of peers.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.accounts.lock().peers.len()
    }
}

impl Accounts {
    /// Removes accounts that nobody has and that have nothing in them. Twice as many as are left come before the
    /// next sweep, so it costs nothing per account.
    fn sweep(&mut self, now_ns: u64) {
        self.peers
            .retain(|_, account| Arc::strong_count(account) > 1 || !account.is_empty(now_ns));
        self.tenants
            .retain(|_, tenant| Arc::strong_count(tenant) > 1 || !tenant.is_empty(now_ns));
        self.sweep_at = (self.peers.len() * 2).max(SWEEP_FROM);
        self.peers.shrink_to(self.sweep_at);
        self.tenants.shrink_to(self.tenants.len() * 2);
    }
}
