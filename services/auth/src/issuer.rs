//! One issuer at run time: its keys, which can change, and the rules for its tokens. Not here: which issuer a token has
//! (`verifier`), and where keys come from (`loaded`, `jwks`).

use std::sync::Arc;

use jsonwebtoken::{Algorithm, AlgorithmFamily};
use parking_lot::RwLock;

use crate::{
    TokenError,
    claims::Rules,
    jwks::Jwks,
    jws::Jws,
    key_files::KeyFiles,
    key_set::{KeySet, Lookup},
    verified_tokens::VerifiedTokens,
};

pub(crate) struct Issuer {
    pub(crate) rules: Rules,
    /// The algorithms of its tokens; empty: those of its keys.
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) has_secrets: bool,
    pub(crate) has_public_keys: bool,
    files: RwLock<Files>,
    pub(crate) jwks: Option<Arc<Jwks>>,
}

#[derive(Clone)]
struct Files {
    keys: Arc<KeyFiles>,
    /// Counts replacements.
    generation: u64,
}

/// A refusal that newer keys could change.
pub(crate) struct Missing {
    pub(crate) refusal: TokenError,
    /// The generation of the published keys that were tried.
    pub(crate) generation: u64,
}

impl Issuer {
    pub(crate) fn new(
        rules: Rules,
        algorithms: Vec<Algorithm>,
        keys: KeyFiles,
        jwks: Option<Arc<Jwks>>,
    ) -> Self {
        Self {
            rules,
            algorithms,
            has_secrets: keys.secrets.len() > 0,
            has_public_keys: keys.public.len() > 0 || jwks.is_some(),
            files: RwLock::new(Files {
                keys: Arc::new(keys),
                generation: 0,
            }),
            jwks,
        }
    }

    /// From now on its tokens are verified with `keys`, and with its published ones. Each kind of key that it had has one key
    /// at least.
    pub(crate) fn replace_keys(&self, keys: KeyFiles) {
        let mut files = self.files.write();
        *files = Files {
            keys: Arc::new(keys),
            generation: files.generation + 1,
        };
    }

    pub(crate) fn keys(&self) -> Arc<KeyFiles> {
        Arc::clone(&self.files.read().keys)
    }

    /// Whether one of its keys signed `jws`. The outer error is the refusal if no newer key set has the token's key.
    pub(crate) fn check_signature(
        &self,
        jws: &Jws<'_>,
        now_s: u64,
        verified: &VerifiedTokens,
    ) -> Result<Result<(), TokenError>, Missing> {
        if !self.algorithms.is_empty() && !self.algorithms.contains(&jws.algorithm) {
            return Ok(Err(TokenError::Algorithm));
        }
        match jws.algorithm.family() {
            AlgorithmFamily::Hmac => Ok(self.check_secrets(jws)),
            AlgorithmFamily::Rsa | AlgorithmFamily::Ec | AlgorithmFamily::Ed => {
                self.check_public(jws, now_s, verified)
            }
        }
    }

    fn check_secrets(&self, jws: &Jws<'_>) -> Result<(), TokenError> {
        if !self.has_secrets {
            return Err(TokenError::Algorithm);
        }
        let keys = self.keys();
        match KeySet::find([&keys.secrets, &KeySet::default()], jws) {
            Lookup::Keys(secrets) if secrets.iter().any(|secret| secret.has_signed(jws)) => Ok(()),
            Lookup::Keys(_) => Err(TokenError::Signature),
            Lookup::WrongAlgorithm => Err(TokenError::Algorithm),
            Lookup::TooMany => Err(TokenError::AmbiguousKey),
            Lookup::Unknown => Err(TokenError::UnknownKey),
        }
    }

    fn check_public(
        &self,
        jws: &Jws<'_>,
        now_s: u64,
        verified: &VerifiedTokens,
    ) -> Result<Result<(), TokenError>, Missing> {
        if !self.has_public_keys {
            return Ok(Err(TokenError::Algorithm));
        }
        let files = self.files.read().clone();
        let known = self.jwks.as_ref().map(|jwks| {
            let known = jwks.known();
            jwks.refresh_if_stale(&known);
            known
        });
        let none = KeySet::default();
        let published = known.as_ref().map_or(&none, |known| &known.keys);
        let generation = known.as_ref().map_or(0, |known| known.generation);
        let missing = |refusal| Missing { refusal, generation };
        let sets = [&files.keys.public, published];
        let keys = match KeySet::find(sets, jws) {
            Lookup::Keys(keys) => keys,
            Lookup::WrongAlgorithm => return Ok(Err(TokenError::Algorithm)),
            Lookup::TooMany => return Ok(Err(TokenError::AmbiguousKey)),
            Lookup::Unknown if jws.kid.is_some() => return Err(missing(TokenError::UnknownKey)),
            Lookup::Unknown => return Err(missing(TokenError::Algorithm)),
        };
        // Both only grow, so the sum is that of the present keys only if both parts are.
        let of_all = files.generation + generation;
        let fingerprint = VerifiedTokens::fingerprint(jws.token);
        if verified.look_up(&fingerprint, now_s, of_all) {
            return Ok(Ok(()));
        }
        if keys.iter().any(|key| key.has_signed(jws)) {
            verified.remember(fingerprint, now_s, of_all);
            return Ok(Ok(()));
        }
        // A key with the token's name settles it. Without one, a newer key may have signed it.
        match KeySet::has_name(sets, jws) {
            true => Ok(Err(TokenError::Signature)),
            false => Err(missing(TokenError::Signature)),
        }
    }
}
