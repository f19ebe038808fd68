//! What a session remembers of its connection's token, so that a revocation finds it. Not the grant, which the connection's
//! command gate has.

use std::sync::atomic::{AtomicU64, Ordering};

/// The fingerprint of one token.
#[derive(Debug, Default)]
pub(crate) struct TokenFingerprint {
    /// The hash of its tenant and its `jti`; 0: it has none.
    id_hash: AtomicU64,
    /// Its `iat`, in seconds since the Unix epoch; 0: it has none.
    issued_at_s: AtomicU64,
}

impl TokenFingerprint {
    pub(super) fn set(&self, id_hash: u64, issued_at_s: u64) {
        self.id_hash.store(id_hash, Ordering::Relaxed);
        self.issued_at_s.store(issued_at_s, Ordering::Relaxed);
    }

    /// The hash of the token's tenant and `jti`. A collision of 64 random bits costs its client a new token.
    pub(super) fn id_hash(&self) -> u64 {
        self.id_hash.load(Ordering::Relaxed)
    }

    /// Whether the token was issued before that second; true for one that does not say.
    pub(super) fn is_issued_before(&self, moment_s: u64) -> bool {
        self.issued_at_s.load(Ordering::Relaxed) < moment_s
    }
}
