//! The revocations in force, by tenant. A pure table: no lock, no clock.

use hashbrown::HashMap;
use switchboard_protocol::{Grant, PeerId, Revocation, RevokedTokens, TenantId};

/// Revocations that are kept without looking for those that have ended.
const SWEEP_FROM: usize = 1024;

/// A revocation to store, and the one of the same peer that it replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationChange {
    /// To be stored.
    pub revocation: Revocation,
    /// To be removed.
    pub replaces: Option<Revocation>,
}

/// Bounded by those who add: [`Table::count`] is compared with a bound before a revocation is stored.
#[derive(Debug, Default)]
pub(super) struct Table {
    tenants: HashMap<TenantId, Tenant>,
    len: usize,
    /// At this many revocations those that have ended are removed.
    sweep_at: usize,
}

#[derive(Debug, Default)]
struct Tenant {
    /// The end of each revoked `jti`, in seconds since the Unix epoch.
    tokens: HashMap<Box<str>, u64>,
    peers: HashMap<PeerId, OfPeer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OfPeer {
    issued_before_s: u64,
    until_s: u64,
}

impl Table {
    /// Whether the token of `grant` is revoked.
    pub(super) fn has(&self, grant: &Grant, now_s: u64) -> bool {
        let Some(tenant) = self.tenants.get(grant.peer.tenant()) else {
            return false;
        };
        let by_id = grant.token_id.as_ref().and_then(|id| tenant.tokens.get(id));
        if by_id.is_some_and(|until_s| now_s < *until_s) {
            return true;
        }
        tenant.peers.get(grant.peer.peer()).is_some_and(|of_peer| {
            now_s < of_peer.until_s && grant.issued_at.is_none_or(|at| at < of_peer.issued_before_s)
        })
    }

    /// What `revocation` changes: of two revocations of one peer the later moment and the later end count. `None`: nothing.
    pub(super) fn change(&self, revocation: &Revocation) -> Option<RevocationChange> {
        let new = |revocation: Revocation, replaces| Some(RevocationChange { revocation, replaces });
        let tenant = self.tenants.get(&revocation.tenant);
        match &revocation.tokens {
            RevokedTokens::Id(id) => match tenant.and_then(|tenant| tenant.tokens.get(id)) {
                Some(until_s) if *until_s >= revocation.until_s => None,
                // The same text: the longer end replaces the shorter one.
                Some(_) | None => new(revocation.clone(), None),
            },
            RevokedTokens::OfPeer {
                peer,
                issued_before_s,
            } => {
                let Some(old) = tenant.and_then(|tenant| tenant.peers.get(peer)) else {
                    return new(revocation.clone(), None);
                };
                let merged = OfPeer {
                    issued_before_s: old.issued_before_s.max(*issued_before_s),
                    until_s: old.until_s.max(revocation.until_s),
                };
                if merged == *old {
                    return None;
                }
                let of_peer = |of_peer: OfPeer| write(&revocation.tenant, peer, of_peer);
                let replaces = (merged.issued_before_s != old.issued_before_s).then(|| of_peer(*old));
                new(of_peer(merged), replaces)
            }
        }
    }

    /// Adds a revocation; false if it changes nothing.
    pub(super) fn add(&mut self, revocation: &Revocation, now_s: u64) -> bool {
        let Some(RevocationChange { revocation, .. }) = self.change(revocation) else {
            return false;
        };
        if self.len >= self.sweep_at {
            self.sweep(now_s);
        }
        let until_s = revocation.until_s;
        let tenant = self.tenants.entry(revocation.tenant).or_default();
        let is_new = match revocation.tokens {
            RevokedTokens::Id(id) => tenant.tokens.insert(id, until_s).is_none(),
            RevokedTokens::OfPeer {
                peer,
                issued_before_s,
            } => {
                let of_peer = OfPeer {
                    issued_before_s,
                    until_s,
                };
                tenant.peers.insert(peer, of_peer).is_none()
            }
        };
        self.len += usize::from(is_new);
        true
    }

    /// All of them, in no order.
    pub(super) fn list(&self) -> Vec<Revocation> {
        let mut all = Vec::with_capacity(self.len);
        for (name, tenant) in &self.tenants {
            all.extend(tenant.tokens.iter().map(|(id, until_s)| Revocation {
                tenant: name.clone(),
                tokens: RevokedTokens::Id(id.clone()),
                until_s: *until_s,
            }));
            let peers = tenant.peers.iter();
            all.extend(peers.map(|(peer, of_peer)| write(name, peer, *of_peer)));
        }
        all
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many there are: of all tenants, and of `tenant`.
    pub(super) fn count(&self, tenant: &TenantId) -> (usize, usize) {
        let own = self.tenants.get(tenant);
        let own = own.map_or(0, |tenant| tenant.tokens.len() + tenant.peers.len());
        (self.len, own)
    }

    /// Removes those that have ended.
    pub(super) fn sweep(&mut self, now_s: u64) {
        self.tenants.retain(|_, tenant| {
            tenant.tokens.retain(|_, until_s| now_s < *until_s);
            tenant.peers.retain(|_, of_peer| now_s < of_peer.until_s);
            tenant.tokens.shrink_to(tenant.tokens.len() * 2);
            tenant.peers.shrink_to(tenant.peers.len() * 2);
            !tenant.tokens.is_empty() || !tenant.peers.is_empty()
        });
        self.tenants.shrink_to(self.tenants.len() * 2);
        let tenants = self.tenants.values();
        self.len = tenants
            .map(|tenant| tenant.tokens.len() + tenant.peers.len())
            .sum();
        self.sweep_at = (self.len * 2).max(SWEEP_FROM);
    }
}

fn write(tenant: &TenantId, peer: &PeerId, of_peer: OfPeer) -> Revocation {
    Revocation {
        tenant: tenant.clone(),
        tokens: RevokedTokens::OfPeer {
            peer: peer.clone(),
            issued_before_s: of_peer.issued_before_s,
        },
        until_s: of_peer.until_s,
    }
}
