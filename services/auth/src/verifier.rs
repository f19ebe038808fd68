//! Verification of a token: the result is a grant or a reason. It runs the steps in order: form (`jws`), issuer, signature
//! (`issuer`), claims (`claims`). Before the signature is valid, one claim is read, and only where there are several issuers:
//! `iss` chooses the keys.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use jsonwebtoken::Algorithm;
use switchboard_protocol::Grant;

use crate::{
    AuthConfig, AuthConfigError, Clock, Minter, Reload, RevocationView, TokenError,
    claims::Rules,
    clock::system_clock,
    issuer::{Issuer, Missing},
    jwks::Jwks,
    jwks_fetch::JwksSource,
    jws::Jws,
    key_client::KeyClient,
    loaded::{self, Loaded},
    member::member,
    revocation,
    verified_tokens::VerifiedTokens,
    watched_files::WatchedFiles,
};

/// Verifies tokens. Cheap to clone; all clones share keys and caches.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    config: AuthConfig,
    issuers: Vec<Issuer>,
    files: WatchedFiles,
    client: Option<Arc<KeyClient>>,
    verified: VerifiedTokens,
    /// Without one no token is revoked.
    revocations: OnceLock<RevocationView>,
    clock: Clock,
}

/// How tokens are signed that this configuration accepts.
#[derive(Debug)]
pub struct OwnIssuer {
    /// Signs with the first shared secret.
    pub minter: Minter,
    /// The `iss` that they must carry.
    pub issuer: Option<String>,
    /// The `aud` that they must carry.
    pub audience: Option<String>,
}

/// The counters of a verifier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VerifierStats {
    /// Requests to JWKS URLs.
    pub jwks_refreshes: u64,
    /// Requests that gave no keys.
    pub jwks_failures: u64,
    /// Keys of the last good answers.
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
        let (files, contents) = WatchedFiles::new(loaded::files(&config));
        let Loaded { keys, client } = Loaded::new(&config, &contents)?;
        let client = client.map(|client| Arc::new(KeyClient::new(client)));
        let mut issuers = Vec::with_capacity(keys.len());
        for (issuer, keys) in config.issuers.iter().zip(keys) {
            let client = client.as_ref().filter(|_| issuer.is_published());
            let source = client
                .map(|client| JwksSource::new(issuer, Arc::clone(client)))
                .transpose()?;
            let jwks = source.map(|source| Jwks::new(source, Arc::clone(&clock)));
            let rules = Rules::new(&config, issuer)?;
            issuers.push(Issuer::new(rules, issuer.allowed_algorithms()?, keys, jwks));
        }
        Ok(Self(Arc::new(Inner {
            config,
            issuers,
            files,
            client,
            verified: VerifiedTokens::default(),
            revocations: OnceLock::new(),
            clock,
        })))
    }

    /// From now on, tokens that `view` does not call valid are refused, by all clones. Only the first call counts.
    pub fn set_revocations(&self, view: RevocationView) {
        let _ = self.0.revocations.set(view);
    }

    /// Whether keys or authorities are in files, so that [`Verifier::reload`] can find a change.
    #[must_use]
    pub fn has_files(&self) -> bool {
        !self.0.files.is_empty()
    }

    /// Reads all files again, which blocks. New contents are used when two calls in a row have found them. Then all of them
    /// are used, and tokens of removed keys are refused from now on.
    ///
    /// # Errors
    /// [`AuthConfigError`], once for the same contents: they cannot be used, and the earlier keys stay.
    pub fn reload(&self) -> Result<Reload, AuthConfigError> {
        let contents = match self.0.files.poll() {
            Ok(contents) => contents,
            Err(outcome) => return Ok(outcome),
        };
        let Loaded { keys, client } = Loaded::new(&self.0.config, &contents)?;
        for (issuer, keys) in self.0.issuers.iter().zip(keys) {
            issuer.replace_keys(keys);
        }
        if let (Some(current), Some(client)) = (&self.0.client, client) {
            current.replace(client);
        }
        Ok(Reload::Changed)
    }

    /// How to sign tokens for this verifier: with the first shared secret of the first issuer whose tokens have the usual
    /// claims. `None` if there is none.
    #[must_use]
    pub fn own_issuer(&self) -> Option<OwnIssuer> {
        let both = self.0.config.issuers.iter().zip(&self.0.issuers);
        let mut usable = both.filter(|(config, issuer)| {
            let has_hs256 = issuer.algorithms.is_empty() || issuer.algorithms.contains(&Algorithm::HS256);
            has_hs256
                && config.required_claims.is_empty()
                && config.peer_claim == "sub"
                && config.tenant_claim == "tenant"
        });
        usable.find_map(|(config, issuer)| {
            let (kid, secret) = issuer.keys().first_secret.clone()?;
            Some(OwnIssuer {
                minter: Minter::hs256(&secret).ok()?.with_kid(kid.as_deref()),
                issuer: config.issuer.clone(),
                audience: config.audience.clone(),
            })
        })
    }

    /// Requests the published keys of all issuers, if any: the first token then does not wait. Returns whether the keys are
    /// there. A node also starts without them, and requests them again for a token.
    pub async fn prefetch_keys(&self) -> bool {
        let published: Vec<_> = self.published().cloned().collect();
        // Each request runs in its own task, and starts at the first poll.
        let requests = published.iter().map(|jwks| jwks.refresh());
        let outcomes = futures_util::future::join_all(requests).await;
        outcomes.iter().all(Result::is_ok)
    }

    /// Verifies `token`. It waits only if the `kid` is unknown and the issuer publishes its keys, for little more than
    /// [`FETCH_TIMEOUT_MS`](crate::FETCH_TIMEOUT_MS) at most.
    ///
    /// # Errors
    /// [`TokenError`], whose text may be shown to the client.
    pub async fn verify(&self, token: &str) -> Result<Grant, TokenError> {
        let jws = Jws::parse(token, self.0.config.max_token_bytes)?;
        let issuer = self.0.issuer_of(&jws)?;
        let missing = match self.0.verify_now(issuer, &jws) {
            Ok(outcome) => return outcome,
            Err(missing) => missing,
        };
        let Some(jwks) = &issuer.jwks else {
            return Err(missing.refusal);
        };
        // Boxed: this branch is rare, and its state would enlarge the future of every handshake.
        let refreshed = Box::pin(jwks.refresh()).await;
        match refreshed {
            // Another token's request has ended in between.
            Err(no_refresh) if jwks.known().generation == missing.generation => {
                Err(no_refresh.refusal(missing.refusal, jws.kid.is_some()))
            }
            Err(_) | Ok(()) => self
                .0
                .verify_now(issuer, &jws)
                .unwrap_or_else(|missing| Err(missing.refusal)),
        }
    }

    /// The counters so far.
    #[must_use]
    pub fn stats(&self) -> VerifierStats {
        let sum = |count: fn(&Jwks) -> u64| self.published().map(|jwks| count(jwks)).sum();
        VerifierStats {
            jwks_refreshes: sum(Jwks::refreshes),
            jwks_failures: sum(Jwks::failures),
            jwks_keys: self.published().map(|jwks| jwks.known().keys.len()).sum(),
            verified_hits: self.0.verified.hits(),
        }
    }

    fn published(&self) -> impl Iterator<Item = &Arc<Jwks>> {
        self.0.issuers.iter().filter_map(|issuer| issuer.jwks.as_ref())
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
    /// Whose token it claims to be. Only the keys of this issuer can prove it.
    fn issuer_of(&self, jws: &Jws<'_>) -> Result<&Issuer, TokenError> {
        if let [only] = self.issuers.as_slice() {
            return Ok(only);
        }
        let payload = jws.payload()?;
        let iss = member(&payload, "iss").map_err(|_| TokenError::NOT_AN_OBJECT)?;
        let iss: Option<String> = iss.and_then(|json| serde_json::from_str(json.get()).ok());
        let mut issuers = self.issuers.iter();
        let found = iss.and_then(|iss| issuers.find(|issuer| issuer.rules.is_issuer(&iss)));
        found.ok_or(TokenError::Issuer)
    }

    /// The verification with the known keys.
    fn verify_now(&self, issuer: &Issuer, jws: &Jws<'_>) -> Result<Result<Grant, TokenError>, Missing> {
        let now_s = (self.clock)();
        let signed = issuer.check_signature(jws, now_s, &self.verified)?;
        let granted = signed.and_then(|()| issuer.rules.grant(&jws.payload()?, now_s));
        Ok(granted.and_then(|grant| {
            if let Some(view) = self.revocations.get() {
                revocation::check(view, &grant, now_s)?;
            }
            Ok(grant)
        }))
    }
}
