//! What an account grants for a while: places and bytes of pending sends, places of connections. Each grant is a
//! guard; dropping it refunds the peer, its tenant and the node.

use std::sync::{Arc, atomic::Ordering};

use switchboard_protocol::GrantLimits;
use switchboard_telemetry::{Budget, BudgetScope};

use super::{account::PeerAccount, claimed::number_within, scope::Scope};

/// What one pending send holds without its payload: its entries in tables, and the rest of the frame that its
/// payload is a slice of.
const PENDING_OVERHEAD_BYTES: usize = 1024;

impl PeerAccount {
    /// A place for one open connection, within the bounds that its token claims.
    ///
    /// # Errors
    /// Whose places are all taken.
    pub fn connect(self: &Arc<Self>, claim: Option<&GrantLimits>) -> Result<ConnectionPlace, BudgetScope> {
        self.apply(claim);
        let (limits, claim) = (&self.rules.limits, claim.copied().unwrap_or_default());
        let raised = limits.raised;
        let own = number_within(
            claim.connections,
            limits.connections_per_peer,
            raised.connections_per_peer,
        );
        if !self.own.connections.take(1, own) {
            self.refused(Budget::Connections, BudgetScope::Peer);
            return Err(BudgetScope::Peer);
        }
        let quota = number_within(
            claim.tenant_connections,
            limits.tenant_connections,
            raised.tenant_connections,
        );
        let is_here = self
            .tenant
            .here
            .connections
            .take(1, limits.connections_per_tenant);
        let elsewhere = self.tenant.connections_elsewhere.load(Ordering::Relaxed);
        let is_within = quota == 0 || self.tenant.here.connections.get().saturating_add(elsewhere) <= quota;
        if is_here && is_within {
            return Ok(ConnectionPlace(Arc::clone(self)));
        }
        self.own.connections.refund(1);
        if is_here {
            self.tenant.here.connections.refund(1);
        }
        self.refused(Budget::Connections, BudgetScope::Tenant);
        Err(BudgetScope::Tenant)
    }

    /// Charges one pending send with a payload of `bytes`.
    ///
    /// # Errors
    /// Whose budget is used up.
    pub(crate) fn charge_pending(self: &Arc<Self>, bytes: usize) -> Result<PendingCharge, BudgetScope> {
        let taken = self.take_pending(bytes);
        taken.inspect_err(|scope| self.refused(Budget::Pending, *scope))?;
        Ok(PendingCharge {
            account: Arc::clone(self),
            bytes,
        })
    }

    fn take_pending(&self, bytes: usize) -> Result<(), BudgetScope> {
        let limits = &self.rules.limits;
        if !self
            .pending_messages
            .take(1, limits.pending_messages.saturating_mul(2))
        {
            return Err(BudgetScope::Peer);
        }
        let own_max = limits
            .pending_bytes
            .saturating_mul(2)
            .saturating_add(limits.message_bytes);
        let held = bytes + PENDING_OVERHEAD_BYTES;
        let wanted = [
            (BudgetScope::Peer, &self.own, bytes, own_max),
            (
                BudgetScope::Tenant,
                &self.tenant.here,
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
        let does_not_fit = |(_, scope, bytes, max): &(_, &Scope, usize, usize)| {
            let fits = scope.pending_bytes.take(*bytes, *max);
            !fits
        };
        let Some(at) = wanted.iter().position(does_not_fit) else {
            return Ok(());
        };
        for (_, scope, bytes, _) in wanted.iter().take(at) {
            scope.pending_bytes.refund(*bytes);
        }
        self.pending_messages.refund(1);
        Err(wanted[at].0)
    }

    fn refund_pending(&self, bytes: usize, overhead: usize) {
        self.own.pending_bytes.refund(bytes);
        self.tenant.here.pending_bytes.refund(bytes + overhead);
        self.rules.node.pending_bytes.refund(bytes + overhead);
    }
}

/// The place and the bytes of one pending send.
#[derive(Debug)]
pub(crate) struct PendingCharge {
    account: Arc<PeerAccount>,
    bytes: usize,
}

impl PendingCharge {
    /// The payload was dropped; the send still waits for its outcome.
    pub(crate) fn drop_payload(&mut self) {
        self.account.refund_pending(self.bytes, 0);
        self.bytes = 0;
    }
}

impl Drop for PendingCharge {
    fn drop(&mut self) {
        self.account.refund_pending(self.bytes, PENDING_OVERHEAD_BYTES);
        self.account.pending_messages.refund(1);
    }
}

/// The place of one open connection.
#[derive(Debug)]
pub struct ConnectionPlace(Arc<PeerAccount>);

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        self.0.own.connections.refund(1);
        self.0.tenant.here.connections.refund(1);
    }
}
