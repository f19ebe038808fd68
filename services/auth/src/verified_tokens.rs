//! Remembers tokens with a valid signature for a short time. A reconnect storm brings the same tokens again, and a
//! public-key verification costs many times a hash. It is not a cache of grants: claims and clock are checked every time,
//! so an expired token is refused.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
};

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use parking_lot::Mutex;

/// The most tokens remembered; 48 bytes each.
pub const MAX_VERIFIED: usize = 4_096;

/// How long a valid signature is remembered, in seconds.
pub const VERIFIED_FOR_S: u64 = 60;

/// SHA-256 of a whole token, signature included.
pub(crate) type Fingerprint = [u8; SHA256_OUTPUT_LEN];

#[derive(Default)]
pub(crate) struct VerifiedTokens {
    tokens: Mutex<HashMap<Fingerprint, Entry>>,
    hits: AtomicU64,
}

#[derive(Clone, Copy)]
struct Entry {
    verified_at_s: u64,
    /// The generation of the JWKS at that time. New keys invalidate the entry.
    generation: u64,
}

impl Entry {
    fn is_valid(self, now_s: u64, generation: u64) -> bool {
        self.generation == generation && now_s.abs_diff(self.verified_at_s) < VERIFIED_FOR_S
    }
}

impl VerifiedTokens {
    pub(crate) fn fingerprint(token: &str) -> Fingerprint {
        let mut out = [0; SHA256_OUTPUT_LEN];
        out.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        out
    }

    /// Looks up a token and counts a hit.
    pub(crate) fn look_up(&self, token: &Fingerprint, now_s: u64, generation: u64) -> bool {
        let hit = self
            .tokens
            .lock()
            .get(token)
            .is_some_and(|entry| entry.is_valid(now_s, generation));
        if hit {
            self.hits.fetch_add(1, Ordering::Relaxed);
        }
        hit
    }

    pub(crate) fn remember(&self, token: Fingerprint, now_s: u64, generation: u64) {
        let mut tokens = self.tokens.lock();
        if tokens.len() >= MAX_VERIFIED {
            tokens.retain(|_, entry| entry.is_valid(now_s, generation));
        }
        if tokens.len() >= MAX_VERIFIED {
            // All entries are recent. Clearing costs one verification each. An eviction order would cost every call.
            tokens.clear();
        }
        tokens.insert(
            token,
            Entry {
                verified_at_s: now_s,
                generation,
            },
        );
    }

    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_forgotten_after_its_time_or_with_new_keys() {
        let verified = VerifiedTokens::default();
        let token = VerifiedTokens::fingerprint("a.b.c");
        verified.remember(token, 1_000, 1);
        assert!(verified.look_up(&token, 1_000 + VERIFIED_FOR_S - 1, 1));
        assert!(!verified.look_up(&token, 1_000 + VERIFIED_FOR_S, 1));
        assert!(!verified.look_up(&token, 1_000, 2), "the keys changed");
        assert!(!verified.look_up(&VerifiedTokens::fingerprint("a.b.d"), 1_000, 1));
        assert_eq!(verified.hits(), 1);
    }

    #[test]
    fn the_number_of_remembered_tokens_is_bounded() {
        let verified = VerifiedTokens::default();
        for number in 0..3 * MAX_VERIFIED {
            verified.remember(VerifiedTokens::fingerprint(&number.to_string()), 1_000, 1);
            assert!(verified.tokens.lock().len() <= MAX_VERIFIED);
        }
    }
}
