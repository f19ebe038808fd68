//! Temporary TURN credentials for coturn's `use-auth-secret`: the user name contains the expiry, and the password is its
//! HMAC-SHA1 (draft-uberti-behave-turn-rest-00). Not here: the servers (`ice`).

use std::{fmt, sync::Arc};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use parking_lot::RwLock;
use switchboard_protocol::{PeerId, Secret};

/// One peer's credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnCredentials {
    /// `<unix expiry>:<peer>`.
    pub username: String,
    /// base64 of HMAC-SHA1 over the user name.
    pub credential: Secret,
    /// When the TURN server refuses them for new allocations, in seconds since the Unix epoch.
    pub expires_at: u64,
}

/// Creates credentials from the secret that is shared with the TURN server. Clones share the secret.
#[derive(Clone)]
pub struct TurnMinter {
    key: Arc<RwLock<hmac::Key>>,
    ttl_s: u64,
}

impl TurnMinter {
    /// Credentials last `ttl_s` seconds.
    #[must_use]
    pub fn new(secret: &Secret, ttl_s: u64) -> Self {
        // The scheme requires SHA-1. As an HMAC it is not broken.
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.expose().as_bytes());
        let key = Arc::new(RwLock::new(key));
        Self { key, ttl_s }
    }

    /// Signs later credentials with the secret of `other`.
    pub fn use_secret_of(&self, other: &Self) {
        let key = other.key.read().clone();
        *self.key.write() = key;
    }

    /// When credentials issued at `now_s` end, in seconds since the Unix epoch.
    #[must_use]
    pub const fn expires_at(&self, now_s: u64) -> u64 {
        now_s.saturating_add(self.ttl_s)
    }

    /// Credentials for `peer`, issued at `now_s`.
    #[must_use]
    pub fn credentials(&self, peer: &PeerId, now_s: u64) -> TurnCredentials {
        let expires_at = self.expires_at(now_s);
        let username = format!("{expires_at}:{peer}");
        let credential = Secret::new(STANDARD.encode(hmac::sign(&self.key.read(), username.as_bytes())));
        TurnCredentials {
            username,
            credential,
            expires_at,
        }
    }
}

impl fmt::Debug for TurnMinter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TurnMinter")
            .field("ttl_s", &self.ttl_s)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_match_openssl() {
        // printf '1700003600:alice' | openssl dgst -sha1 -hmac north-of-the-wall -binary | base64
        let minter = TurnMinter::new(&Secret::new("north-of-the-wall"), 3_600);
        let alice = minter.credentials(&PeerId::new("alice").unwrap(), 1_700_000_000);
        assert_eq!(alice.username, "1700003600:alice");
        assert_eq!(alice.credential.expose(), "Leqf3VsXHDAw9LEfMs5oCLCEopc=");
        assert_eq!(alice.expires_at, 1_700_003_600);
    }

    #[test]
    fn a_new_secret_signs_the_next_credentials_of_all_clones() {
        let minter = TurnMinter::new(&Secret::new("old"), 60);
        let clone = minter.clone();
        let next = TurnMinter::new(&Secret::new("new"), 60);
        let alice = PeerId::new("alice").unwrap();
        assert_ne!(clone.credentials(&alice, 1), next.credentials(&alice, 1));
        minter.use_secret_of(&next);
        assert_eq!(clone.credentials(&alice, 1), next.credentials(&alice, 1));
    }

    #[test]
    fn debug_output_hides_secret_and_credential() {
        let minter = TurnMinter::new(&Secret::new("north-of-the-wall"), 3_600);
        let alice = minter.credentials(&PeerId::new("alice").unwrap(), 1_700_000_000);
        let shown = format!("{minter:?} {alice:?}");
        assert!(
            !shown.contains("north") && !shown.contains(alice.credential.expose()),
            "{shown}"
        );
    }
}
