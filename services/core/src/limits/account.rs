//! What one peer has of this node, over all its sessions: its rates, and what it put into offline queues. With each
//! grant its tenant and the node are charged too. Guards are in `charge`.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use switchboard_protocol::GrantLimits;
use switchboard_telemetry::{Budget, BudgetScope};

use super::{
    bucket::Bucket,
    claimed::{ClaimedQuotas, ClaimedRate},
    rules::Rules,
    scope::{Scope, Taken, TenantScope},
};

/// What one stored message costs, without its envelope: its entries in the shared record.
pub const STORED_OVERHEAD_BYTES: usize = 256;

/// The account of one peer.
#[derive(Debug)]
pub struct PeerAccount {
    pub(super) rules: Arc<Rules>,
    pub(super) tenant: Arc<TenantScope>,
    commands: Bucket,
    rate: ClaimedRate,
    quotas: ClaimedQuotas,
    control: Bucket,
    pub(super) pending_messages: Taken,
    /// Without overhead: the peer's messages are bounded by themselves.
    pub(super) own: Scope,
}

impl PeerAccount {
    pub(super) fn new(rules: Arc<Rules>, tenant: Arc<TenantScope>) -> Self {
        Self {
            rules,
            tenant,
            commands: Bucket::default(),
            rate: ClaimedRate::default(),
            quotas: ClaimedQuotas::default(),
            control: Bucket::default(),
            pending_messages: Taken::default(),
            own: Scope::default(),
        }
    }

    /// Whether its buckets have leaked, so a new account is the same.
    pub(super) fn is_empty(&self, now_ns: u64) -> bool {
        self.own.is_empty(now_ns) && self.commands.is_empty(now_ns) && self.control.is_empty(now_ns)
    }

    /// The peer's newest token has these bounds, or none.
    pub fn apply(&self, claim: Option<&GrantLimits>) {
        self.rate.set(claim, &self.rules.limits);
        self.quotas.set(claim);
        if claim.is_some_and(|claim| claim.tenant_connections.is_some()) {
            self.rules.has_quotas.store(true, Ordering::Relaxed);
        }
    }

    /// The commands per second that the peer has in the long run, and those at once.
    #[must_use]
    pub fn command_rate(&self) -> (u32, u32) {
        self.rate.get(&self.rules.limits)
    }

    /// The rooms that the peer's tenant may have on all nodes; 0: no bound.
    pub(crate) fn max_rooms_of_tenant(&self) -> usize {
        self.quotas.rooms(&self.rules.limits)
    }

    /// The bytes that the peer's tenant may hold on all nodes together; 0: no bound.
    pub(crate) fn max_held_bytes(&self) -> usize {
        self.quotas.held_bytes(&self.rules.limits)
    }

    /// Takes one command out of the rates of the peer and its tenant.
    ///
    /// # Errors
    /// The time to wait.
    pub fn take_command(&self) -> Result<(), Duration> {
        self.take_commands(1)
    }

    /// Takes `count` commands: one command that asks for so many things.
    ///
    /// # Errors
    /// The time to wait.
    pub fn take_commands(&self, count: usize) -> Result<(), Duration> {
        let now_ns = self.rules.ns(Instant::now());
        let size = self.rate.size(&self.rules.limits, self.rules.commands);
        let own = self.commands.take(count, size, now_ns);
        own.inspect_err(|_| self.refused(Budget::Commands, BudgetScope::Peer))?;
        let Some(of_tenant) = self.rules.tenant_commands else {
            return Ok(());
        };
        self.tenant
            .here
            .commands
            .take(count, of_tenant, now_ns)
            .inspect_err(|_| {
                self.commands.refund(count, size);
                self.refused(Budget::Commands, BudgetScope::Tenant);
            })
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

    /// Charges one message of `bytes` for an offline queue. What was stored leaks out within one resume window,
    /// or within the longest hold, because no stored message lives longer.
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
                self.refund_first(index, units);
                self.refused(Budget::Stored, scope);
                return Err(scope);
            }
        }
        Ok(())
    }

    /// The message of `bytes` was not stored after all.
    pub(crate) fn refund_stored(&self, bytes: usize) {
        let scopes = self.scopes().len();
        self.refund_first(scopes, bytes + STORED_OVERHEAD_BYTES);
    }

    fn refund_first(&self, scopes: usize, units: usize) {
        let sizes = self.rules.stored.iter();
        for ((_, taken), size) in self.scopes().into_iter().zip(sizes).take(scopes) {
            taken.stored.refund(units, *size);
        }
    }

    fn scopes(&self) -> [(BudgetScope, &Scope); 3] {
        [
            (BudgetScope::Peer, &self.own),
            (BudgetScope::Tenant, &self.tenant.here),
            (BudgetScope::Node, &self.rules.node),
        ]
    }

    pub(super) fn refused(&self, budget: Budget, scope: BudgetScope) {
        self.rules.refused(budget, scope);
    }

    /// Pending sends, and the payload bytes that they hold.
    #[cfg(test)]
    pub(crate) fn pending(&self) -> (usize, usize) {
        (self.pending_messages.get(), self.own.pending_bytes.get())
    }
}
