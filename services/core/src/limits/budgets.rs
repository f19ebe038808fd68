//! The accounts of all peers and tenants of a node, and the node's own. An account outlives its sessions until
//! nothing is in it: a peer keeps its charge when it opens another session.

use std::{
    net::IpAddr,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use hashbrown::HashMap;
use parking_lot::Mutex;
use switchboard_protocol::PeerKey;
use switchboard_telemetry::Telemetry;

use super::{
    account::PeerAccount,
    address::{AddressAccount, Addresses},
    bounds::Limits,
    rules::Rules,
    scope::TenantScope,
};
use crate::broker::usage::TenantUsage;

/// Accounts that are kept without looking for empty ones.
const SWEEP_FROM: usize = 1024;

/// All accounts of a node. Bounded: an account without sessions leaves when its buckets have leaked, and what was
/// put into them is bounded for the node.
#[derive(Debug)]
pub(crate) struct Budgets {
    rules: Arc<Rules>,
    accounts: Mutex<Accounts>,
    addresses: Addresses,
}

#[derive(Debug, Default)]
struct Accounts {
    peers: HashMap<PeerKey, Arc<PeerAccount>>,
    tenants: HashMap<String, Arc<TenantScope>>,
    /// At this many peers the next sweep begins.
    sweep_at: usize,
}

impl Budgets {
    pub(crate) fn new(limits: &Arc<Limits>, telemetry: &Telemetry) -> Self {
        Self {
            rules: Arc::new(Rules::new(limits, telemetry)),
            accounts: Mutex::default(),
            addresses: Addresses::default(),
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

    /// The account of the clients of `address`; `None` where the operator sets no bound.
    pub(crate) fn address(&self, address: IpAddr) -> Option<Arc<AddressAccount>> {
        let is_bounded = self.rules.limits.address_messages_per_second > 0;
        is_bounded.then(|| self.addresses.account(address, &self.rules))
    }

    /// Whether a tenant has a quota over all nodes.
    pub(crate) fn has_quotas(&self) -> bool {
        self.rules.has_quotas.load(Ordering::Relaxed)
    }

    /// What tenants have on this node.
    pub(crate) fn usage(&self) -> TenantUsage {
        let accounts = self.accounts.lock();
        let tenants = accounts.tenants.iter();
        let counts = tenants.map(|(name, tenant)| (name.clone(), tenant.here.connections.get()));
        TenantUsage::new(counts.filter(|(_, count)| *count > 0).collect())
    }

    /// What they have on the others.
    pub(crate) fn set_elsewhere(&self, elsewhere: &TenantUsage) {
        for (name, tenant) in &self.accounts.lock().tenants {
            let count = elsewhere.connections(name);
            tenant.connections_elsewhere.store(count, Ordering::Relaxed);
        }
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
            .retain(|_, tenant| Arc::strong_count(tenant) > 1 || !tenant.here.is_empty(now_ns));
        self.sweep_at = (self.peers.len() * 2).max(SWEEP_FROM);
        self.peers.shrink_to(self.sweep_at);
        self.tenants.shrink_to(self.tenants.len() * 2);
    }
}
