//! The revocations in force, shared by everybody who checks a token. Handshakes and renewals read it; nothing on the way of
//! a message does. Not what follows for open connections (`enforce`).

use std::{
    hash::BuildHasher as _,
    sync::atomic::{AtomicBool, Ordering},
};

use hashbrown::DefaultHashBuilder;
use parking_lot::RwLock;
use switchboard_protocol::{Grant, Revocation, RevocationStatus};

use super::{
    error::RevokeError,
    table::{RevocationChange, Table},
};

/// Revocations of all tenants, at most; each takes about 200 bytes on every node.
const MAX_REVOCATIONS: usize = 200_000;

/// The revocations that this node knows.
#[derive(Debug, Default)]
pub struct Revocations {
    table: RwLock<Table>,
    /// Whether the broker has read all of them once: until then no token is known to be valid.
    are_known: AtomicBool,
    hasher: DefaultHashBuilder,
}

impl Revocations {
    /// The status of the token of `grant` at `now_s`, in seconds since the Unix epoch.
    #[must_use]
    pub fn status(&self, grant: &Grant, now_s: u64) -> RevocationStatus {
        match self.table.read().has(grant, now_s) {
            true => RevocationStatus::Revoked,
            false if self.are_known() => RevocationStatus::Valid,
            false => RevocationStatus::Unknown,
        }
    }

    /// Whether the broker has read the revocations since this node began.
    #[must_use]
    pub fn are_known(&self) -> bool {
        self.are_known.load(Ordering::Acquire)
    }

    /// Those of one tenant, in no order; some may have ended.
    #[must_use]
    pub fn of_tenant(&self, tenant: &str) -> Vec<Revocation> {
        let mut own = self.list();
        own.retain(|revocation| revocation.tenant.as_str() == tenant);
        own
    }

    /// Those that this node knows: for each tenant and of all, at most those that may be stored.
    pub(super) fn list(&self) -> Vec<Revocation> {
        self.table.read().list()
    }

    /// What has to be stored for `revocation`; `None` if nothing.
    ///
    /// # Errors
    /// [`RevokeError::Full`] when its tenant has `max` revocations that have not ended, or all tenants have too many.
    pub(super) fn plan(
        &self,
        revocation: &Revocation,
        max: usize,
        now_s: u64,
    ) -> Result<Option<RevocationChange>, RevokeError> {
        if !self.are_known() {
            return Err(RevokeError::Unknown);
        }
        let mut table = self.table.write();
        let Some(change) = table.change(revocation) else {
            return Ok(None);
        };
        let is_full = |(all, own): (usize, usize)| all >= MAX_REVOCATIONS || own >= max;
        if change.replaces.is_none() && is_full(table.count(&revocation.tenant)) {
            table.sweep(now_s);
            if is_full(table.count(&revocation.tenant)) {
                return Err(RevokeError::Full { max });
            }
        }
        Ok(Some(change))
    }

    /// Adds `revocations`; returns those that change something.
    pub(super) fn add(&self, mut revocations: Vec<Revocation>, now_s: u64) -> Vec<Revocation> {
        let mut table = self.table.write();
        revocations.retain(|revocation| now_s < revocation.until_s && table.add(revocation, now_s));
        revocations
    }

    /// All that the broker has were added.
    pub(super) fn set_known(&self) {
        self.are_known.store(true, Ordering::Release);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.table.read().len()
    }

    /// A hash of a tenant's `jti`, above 0.
    pub(super) fn hash(&self, tenant: &str, id: &str) -> u64 {
        self.hasher.hash_one((tenant, id)).max(1)
    }
}
