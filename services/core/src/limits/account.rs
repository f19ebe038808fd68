//! What one peer has of this node, over all its sessions: rates, bytes of pending sends, bytes in offline queues,
//! places for connections. With each grant its tenant and the node are charged too. Not the guards that give
//! back (`charge`).

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use switchboard_telemetry::{Budget, BudgetScope};

use super::{
    bucket::Bucket,
    budgets::Rules,
    charge::{ConnectionPlace, PendingCharge},
};

/// What one pending send holds besides its payload: its entries in tables, and the rest of the frame that its
/// payload is a slice of.
pub(crate) const PENDING_OVERHEAD_BYTES: usize = 1024;

/// What one stored message costs besides its envelope: its entries in the shared record.
pub(crate) const STORED_OVERHEAD_BYTES: usize = 256;

/// The account of one peer.
#[derive(Debug)]
pub struct PeerAccount {
    rules: Arc<Rules>,
    tenant: Arc<Scope>,
    commands: Bucket,
    control: Bucket,
    pending_messages: AtomicUsize,
    /// Without overhead: the peer's messages are bounded by themselves.
    own: Scope,
}

/// What a peer, a tenant or the node has taken.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pending_bytes: AtomicUsize,
    connections: AtomicUsize,
    stored: Bucket,
}

impl Scope {
    pub(super) fn is_empty(&self, now_ns: u64) -> bool {
        self.stored.is_empty(now_ns)
    }
}

impl PeerAccount {
    pub(super) fn new(rules: Arc<Rules>, tenant: Arc<Scope>) -> Self {
        Self {
            rules,
            tenant,
            commands: Bucket::default(),
            control: Bucket::default(),
            pending_messages: AtomicUsize::new(0),
            own: Scope::default(),
        }
    }

    /// Whether its buckets have leaked, so a new account is the same.
    pub(super) fn is_empty(&self, now_ns: u64) -> bool {
        self.own.is_empty(now_ns) && self.commands.is_empty(now_ns) && self.control.is_empty(now_ns)
    }

    /// Takes one command out of the peer's rate.
    ///
    /// # Errors
    /// The time to wait.
    pub fn take_command(&self) -> Result<(), Duration> {
        self.commands
            .take(1, self.rules.commands, self.rules.ns(Instant::now()))
    }

    /// Takes one frame that carries no command, or one that acknowledges nothing, out of its own rate. Only the
    /// peer itself decides how many of them it sends, so nobody can push it over.
    ///
    /// # Errors
    /// The time to wait.
    pub fn take_control(&self) -> Result<(), Duration> {
        self.control
            .take(1, self.rules.control, self.rules.ns(Instant::now()))
    }

    /// A place for one open connection.
    ///
    /// # Errors
    /// Whose places are all taken.
    pub fn connect(self: &Arc<Self>) -> Result<ConnectionPlace, BudgetScope> {
        let limits = &self.rules.limits;
        let scopes = [
            (BudgetScope::Peer, &self.own, limits.connections_per_peer),
            (BudgetScope::Tenant, &*self.tenant, limits.connections_per_tenant),
        ];
        for (index, (scope, taken, max)) in scopes.into_iter().enumerate() {
            if !add(&taken.connections, 1, max) {
                for (_, taken, _) in scopes.iter().take(index) {
                    taken.connections.fetch_sub(1, Ordering::Relaxed);
                }
                self.refused(Budget::Connections, scope);
                return Err(scope);
            }
        }
        Ok(ConnectionPlace::new(Arc::clone(self)))
    }

    pub(super) fn disconnect(&self) {
        self.own.connections.fetch_sub(1, Ordering::Relaxed);
        self.tenant.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Charges one pending send with a payload of `bytes`.
    ///
    /// # Errors
    /// Whose budget is used up.
    pub(crate) fn charge_pending(self: &Arc<Self>, bytes: usize) -> Result<PendingCharge, BudgetScope> {
        let limits = &self.rules.limits;
        if !add(
            &self.pending_messages,
            1,
            limits.pending_messages.saturating_mul(2),
        ) {
            self.refused(Budget::Pending, BudgetScope::Peer);
            return Err(BudgetScope::Peer);
        }
        // Made before the bytes are charged: dropping it gives the message's place back.
        let mut charge = PendingCharge::new(Arc::clone(self));
        let own_max = limits
            .pending_bytes
            .saturating_mul(2)
            .saturating_add(limits.message_bytes);
        let held = bytes + PENDING_OVERHEAD_BYTES;
        let scopes = [
            (BudgetScope::Peer, &self.own, bytes, own_max),
            (
                BudgetScope::Tenant,
                &*self.tenant,
                held,
                limits.tenant_pending_bytes,
            ),
            (
                BudgetScope::Node,
                &self.rules.node,
                held,
                limits.node_pending_bytes,
            ),
        ];
        for (index, (scope, taken, bytes, max)) in scopes.into_iter().enumerate() {
            if !add(&taken.pending_bytes, bytes, max) {
                for (_, taken, bytes, _) in scopes.iter().take(index) {
                    taken.pending_bytes.fetch_sub(*bytes, Ordering::Relaxed);
                }
                self.refused(Budget::Pending, scope);
                return Err(scope);
            }
        }
        charge.set_bytes(bytes);
        Ok(charge)
    }

    /// Gives the place of one pending send back, and with it `bytes` if they were charged.
    pub(super) fn end_pending(&self, bytes: Option<usize>) {
        self.pending_messages.fetch_sub(1, Ordering::Relaxed);
        if let Some(bytes) = bytes {
            self.give_back_pending(bytes, bytes + PENDING_OVERHEAD_BYTES);
        }
    }

    /// Gives `bytes` of the payload of a pending send back, and `held` of what its tenant and the node hold.
    pub(super) fn give_back_pending(&self, bytes: usize, held: usize) {
        self.own.pending_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.tenant.pending_bytes.fetch_sub(held, Ordering::Relaxed);
        self.rules.node.pending_bytes.fetch_sub(held, Ordering::Relaxed);
    }

    /// Charges one message of `bytes` for an offline queue. What was stored leaks out within one resume window,
    /// because no stored message lives longer.
    ///
    /// # Errors
    /// Whose budget is used up.
    pub(crate) fn charge_stored(&self, bytes: usize, now: Instant) -> Result<(), BudgetScope> {
        let now_ns = self.rules.ns(now);
        let units = bytes + STORED_OVERHEAD_BYTES;
        for (index, (scope, taken)) in self.scopes().into_iter().enumerate() {
            if taken
                .stored
                .take(units, self.rules.stored[index], now_ns)
                .is_err()
            {
                self.give_back_first(index, units);
                self.refused(Budget::Stored, scope);
                return Err(scope);
            }
        }
        Ok(())
    }

    /// The message of `bytes` was not stored after all.
    pub(crate) fn give_back_stored(&self, bytes: usize) {
        let scopes = self.scopes().len();
        self.give_back_first(scopes, bytes + STORED_OVERHEAD_BYTES);
    }

    fn give_back_first(&self, scopes: usize, units: usize) {
        let sizes = self.rules.stored.iter();
        for ((_, taken), size) in self.scopes().into_iter().zip(sizes).take(scopes) {
            taken.stored.give_back(units, *size);
        }
    }

    fn scopes(&self) -> [(BudgetScope, &Scope); 3] {
        [
            (BudgetScope::Peer, &self.own),
            (BudgetScope::Tenant, &self.tenant),
            (BudgetScope::Node, &self.rules.node),
        ]
    }

    fn refused(&self, budget: Budget, scope: BudgetScope) {
        self.rules.telemetry.budget_refused(budget, scope);
    }

    /// Pending sends, and the payload bytes that they hold.
    #[cfg(test)]
    pub(crate) fn pending(&self) -> (usize, usize) {
        let bytes = self.own.pending_bytes.load(Ordering::Relaxed);
        (self.pending_messages.load(Ordering::Relaxed), bytes)
    }
}

/// Adds `amount` unless that passes `max`; 0: no bound.
fn add(taken: &AtomicUsize, amount: usize, max: usize) -> bool {
    let before = taken.fetch_add(amount, Ordering::Relaxed);
    let fits = max == 0 || before.saturating_add(amount) <= max;
    if !fits {
        taken.fetch_sub(amount, Ordering::Relaxed);
    }
    fits
}
