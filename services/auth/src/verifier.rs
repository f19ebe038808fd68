//! Verification of a token: the result is a grant or a reason. It runs the steps in order: form (`jws`), key (`key_set`,
//! `jwks`), signature (`key`, `verified_tokens`), claims (`claims`). No claim is read before the signature is valid.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use jsonwebtoken::AlgorithmFamily;
use switchboard_protocol::Grant;

use crate::{
    AuthConfig, AuthConfigError, Clock, RevocationView, TokenError,
    claims::Rules,
    clock::system_clock,
    jwks::Jwks,
    jws::Jws,
    key::VerifyingKey,
    key_files,
    key_set::{KeySet, Lookup},
    revocation,
    verified_tokens::VerifiedTokens,
};

/// Verifies tokens. Cheap to clone; all clones share keys and caches.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    secrets: Vec<VerifyingKey>,
    files: KeySet,
    jwks: Option<Arc<Jwks>>,
    rules: Rules,
    max_token_bytes: usize,
    verified: VerifiedTokens,
    /// Without one no token is revoked.
    revocations: OnceLock<RevocationView>,
    clock: Clock,
}

/// The counters of a verifier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VerifierStats {
    /// Requests to the JWKS URL.
    pub jwks_refreshes: u64,
    /// Requests that gave no keys.
    pub jwks_failures: u64,
    /// Keys of the last good answer.
    pub jwks_keys: usize,
    /// Tokens whose signature was verified a short time before.
    pub verified_hits: u64,
}

impl Verifier {
    /// Loads the keys that need no network.
    ///
    /// # Errors
    /// [`AuthConfigError`], which names the configuration key and the solution.
    pub fn new(config: AuthConfig) -> Result<Self, AuthConfigError> {
        Self::with_clock(config, system_clock())
    }

    /// As [`Verifier::new`], with the caller's clock.
    ///
    /// # Errors
    /// [`AuthConfigError`], which names the configuration key and the solution.
    pub fn with_clock(config: AuthConfig, clock: Clock) -> Result<Self, AuthConfigError> {
        config.check()?;
        let files = match &config.public_keys_dir {
            Some(dir) => key_files::load(dir)?,
            None => KeySet::default(),
        };
        let jwks = config
            .jwks_url
            .as_ref()
            .map(|url| Jwks::new(url, config.ca_file.as_deref(), Arc::clone(&clock)))
            .transpose()?;
        Ok(Self(Arc::new(Inner {
            secrets: config.hs256_secrets.iter().map(VerifyingKey::shared).collect(),
            files,
            jwks,
            rules: config.rules(),
            max_token_bytes: config.max_token_bytes,
            verified: VerifiedTokens::default(),
            revocations: OnceLock::new(),
            clock,
        })))
    }

    /// From now on, tokens that `view` does not call valid are refused, by all clones. Only the first call counts.
    pub fn set_revocations(&self, view: RevocationView) {
        let _ = self.0.revocations.set(view);
    }

    /// Requests the JWKS, if one is configured: the first token then does not wait. Returns whether the keys are there. A node
    /// also starts without them, and requests them again for a token.
    pub async fn prefetch_keys(&self) -> bool {
        match &self.0.jwks {
            Some(jwks) => jwks.refresh().await.is_ok(),
            None => true,
        }
    }

    /// Verifies `token`. It waits only if the `kid` is unknown and a JWKS URL is configured, for little more than
    /// [`FETCH_TIMEOUT_MS`](crate::FETCH_TIMEOUT_MS) at most.
    ///
    /// # Errors
    /// [`TokenError`], whose text may be shown to the client.
    pub async fn verify(&self, token: &str) -> Result<Grant, TokenError> {
        let jws = Jws::parse(token, self.0.max_token_bytes)?;
        let missing = match self.0.verify_now(&jws) {
            Ok(outcome) => return outcome,
            Err(missing) => missing,
        };
        let Some(jwks) = &self.0.jwks else {
            return Err(missing);
        };
        // Boxed: this branch is rare, and its state would enlarge the future of every handshake.
        Box::pin(jwks.refresh())
            .await
            .map_err(|retry_after_s| TokenError::KeysUnavailable { retry_after_s })?;
        self.0.verify_now(&jws).unwrap_or_else(Err)
    }

    /// The counters so far.
    #[must_use]
    pub fn stats(&self) -> VerifierStats {
        let jwks = self.0.jwks.as_ref();
        VerifierStats {
            jwks_refreshes: jwks.map_or(0, |jwks| jwks.refreshes()),
            jwks_failures: jwks.map_or(0, |jwks| jwks.failures()),
            jwks_keys: jwks.map_or(0, |jwks| jwks.known().keys.len()),
            verified_hits: self.0.verified.hits(),
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// The verification with the known keys; the outer error is the refusal if no newer key set has the token's key.
    fn verify_now(&self, jws: &Jws<'_>) -> Result<Result<Grant, TokenError>, TokenError> {
        let now_s = (self.clock)();
        let signed = match jws.algorithm.family() {
            AlgorithmFamily::Hmac => self.check_secrets(jws),
            AlgorithmFamily::Rsa | AlgorithmFamily::Ec | AlgorithmFamily::Ed => {
                self.check_public(jws, now_s)?
            }
        };
        let granted = signed.and_then(|()| self.rules.grant(&jws.payload()?, now_s));
        Ok(granted.and_then(|grant| {
            if let Some(view) = self.revocations.get() {
                revocation::check(view, &grant, now_s)?;
            }
            Ok(grant)
        }))
    }

    fn check_secrets(&self, jws: &Jws<'_>) -> Result<(), TokenError> {
        if self.secrets.is_empty() {
            return Err(TokenError::Algorithm);
        }
        match self.secrets.iter().any(|secret| secret.has_signed(jws)) {
            true => Ok(()),
            false => Err(TokenError::Signature),
        }
    }

    fn check_public(&self, jws: &Jws<'_>, now_s: u64) -> Result<Result<(), TokenError>, TokenError> {
        if self.files.len() == 0 && self.jwks.is_none() {
            return Ok(Err(TokenError::Algorithm));
        }
        let known = self.jwks.as_ref().map(|jwks| {
            let known = jwks.known();
            jwks.refresh_if_stale(&known);
            known
        });
        let none = KeySet::default();
        let published = known.as_ref().map_or(&none, |known| &known.keys);
        let sets = [&self.files, published];
        let keys = match KeySet::find(sets, jws) {
            Lookup::Keys(keys) => keys,
            Lookup::WrongAlgorithm => return Ok(Err(TokenError::Algorithm)),
            Lookup::TooMany => return Ok(Err(TokenError::AmbiguousKey)),
            Lookup::Unknown if jws.kid.is_some() => return Err(TokenError::UnknownKey),
            Lookup::Unknown => return Err(TokenError::Algorithm),
        };
        let generation = known.as_ref().map_or(0, |known| known.generation);
        let fingerprint = VerifiedTokens::fingerprint(jws.token);
        if self.verified.look_up(&fingerprint, now_s, generation) {
            return Ok(Ok(()));
        }
        if keys.iter().any(|key| key.has_signed(jws)) {
            self.verified.remember(fingerprint, now_s, generation);
            return Ok(Ok(()));
        }
        // A key with the token's name settles it. Without one, a newer key may have signed it.
        match KeySet::has_name(sets, jws) {
            true => Ok(Err(TokenError::Signature)),
            false => Err(TokenError::Signature),
        }
    }
}
