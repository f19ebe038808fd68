//! The checks of a configuration that need no file and no network: each issuer alone, and all issuers together. Not here:
//! keys (`loaded`).

use std::str::FromStr;

use jsonwebtoken::{Algorithm, AlgorithmFamily};
use switchboard_protocol::TenantId;

use crate::{
    AuthConfig, AuthConfigError, IssuerConfig,
    config::{MAX_ISSUERS, MAX_LEEWAY_S},
};

/// The range accepted for `max_token_bytes`.
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 256..=65_536;

impl AuthConfig {
    /// # Errors
    /// The first configuration key that cannot be used.
    pub(crate) fn check(&self) -> Result<(), AuthConfigError> {
        let error = |key: &str, problem: String| AuthConfigError {
            key: key.to_owned(),
            problem,
        };
        if self.issuers.is_empty() {
            let problem = format!("no key is configured, so no token could ever be accepted; set {KEYS}");
            return Err(error("auth", problem));
        }
        if self.issuers.len() > MAX_ISSUERS {
            let problem = format!(
                "{} issuers, at most {MAX_ISSUERS} are allowed",
                self.issuers.len()
            );
            return Err(error("auth.issuers", problem));
        }
        if self.leeway_s > MAX_LEEWAY_S {
            let problem = format!(
                "{} is too much, at most {MAX_LEEWAY_S} is allowed; synchronise the clocks instead",
                self.leeway_s
            );
            return Err(error("auth.leeway_s", problem));
        }
        if !TOKEN_BYTES.contains(&self.max_token_bytes) {
            let problem = format!(
                "{} is out of range, it must be 256 to 65536",
                self.max_token_bytes
            );
            return Err(error("auth.max_token_bytes", problem));
        }
        for (at, issuer) in self.issuers.iter().enumerate() {
            issuer.check()?;
            for earlier in self.issuers.iter().take(at) {
                issuer.check_with(earlier)?;
            }
        }
        match self.issuers.iter().find(|issuer| issuer.issuer.is_none()) {
            Some(nameless) if self.issuers.len() > 1 => Err(nameless.error(
                "issuer",
                "is empty; the `iss` of a token chooses among several issuers, so each needs its own",
            )),
            Some(_) | None => Ok(()),
        }
    }
}

/// The configuration keys that give an issuer keys.
const KEYS: &str = "auth.hs256_secret (or auth.hs256_secret_file, auth.hs256_secrets_dir), auth.public_keys_dir, \
                    auth.jwks_url or auth.discovery";

impl IssuerConfig {
    fn check(&self) -> Result<(), AuthConfigError> {
        if !self.has_keys() {
            let problem =
                format!("no key is configured, so none of its tokens could be accepted; set {KEYS}")
                    .replace("auth.", &format!("{}.", self.at));
            return Err(AuthConfigError {
                key: self.at.clone(),
                problem,
            });
        }
        if self.hs256_secret.is_some() && self.hs256_secret_file.is_some() {
            let problem = "set either hs256_secret or hs256_secret_file, not both";
            return Err(self.error("hs256_secret", problem));
        }
        if self.jwks_url.is_some() && self.discovery {
            return Err(self.error("discovery", "set either jwks_url or discovery, not both"));
        }
        if self.discovery && self.issuer.is_none() {
            let problem = "needs the key issuer: its URL leads to the discovery document";
            return Err(self.error("discovery", problem));
        }
        for (key, value) in [("issuer", &self.issuer), ("audience", &self.audience)] {
            if value.as_ref().is_some_and(String::is_empty) {
                let problem =
                    "is empty; remove the key to skip the check, or set the value that tokens carry";
                return Err(self.error(key, problem));
            }
        }
        for (key, value) in [
            ("tenant_claim", &self.tenant_claim),
            ("peer_claim", &self.peer_claim),
        ] {
            if value.is_empty() {
                return Err(self.error(key, "is empty; it must name a claim"));
            }
        }
        self.fixed_tenant()?;
        self.allowed_algorithms()?;
        Ok(())
    }

    /// The tenant of all its tokens, if it is fixed.
    pub(crate) fn fixed_tenant(&self) -> Result<Option<TenantId>, AuthConfigError> {
        let tenant = self.tenant.as_deref().map(TenantId::new).transpose();
        tenant.map_err(|error| self.error("tenant", error.to_string()))
    }

    /// The algorithms of its tokens; empty: all that its keys allow.
    pub(crate) fn allowed_algorithms(&self) -> Result<Vec<Algorithm>, AuthConfigError> {
        let one = |name: &String| {
            let algorithm = Algorithm::from_str(name).map_err(|_| {
                let problem = format!(
                    "{name:?} is none; HS256, HS384, HS512, RS256 … PS512, ES256, ES384 and EdDSA are"
                );
                self.error("algorithms", problem)
            })?;
            let has_keys = match algorithm.family() {
                AlgorithmFamily::Hmac => self.has_secrets(),
                AlgorithmFamily::Rsa | AlgorithmFamily::Ec | AlgorithmFamily::Ed => self.has_public_keys(),
            };
            match has_keys {
                true => Ok(algorithm),
                false => Err(self.error(
                    "algorithms",
                    format!("has {name}, for which this issuer has no key"),
                )),
            }
        };
        self.algorithms.iter().map(one).collect()
    }

    /// Whether both issuers can exist. Two that could issue tokens for one tenant could name each other's peers.
    fn check_with(&self, earlier: &Self) -> Result<(), AuthConfigError> {
        if self.issuer.is_some() && self.issuer == earlier.issuer {
            let problem = format!(
                "is also {}.issuer; a token's `iss` must lead to one issuer",
                earlier.at
            );
            return Err(self.error("issuer", problem));
        }
        if self.tenant != earlier.tenant || self.may_share_with(earlier) {
            return Ok(());
        }
        let what = match self.tenant {
            Some(_) => format!("is also {}.tenant", earlier.at),
            None => format!(
                "is not set, and {}.tenant is not set: both could name any tenant",
                earlier.at
            ),
        };
        let problem = format!(
            "{what}, so each of the two issuers could name the peers of the other; give each its own tenant, or set \
             shared_tenant = true in both if they are to serve the same peers"
        );
        Err(self.error("tenant", problem))
    }

    /// Whether the tenants of both may be the same.
    pub(crate) const fn may_share_with(&self, other: &Self) -> bool {
        self.shared_tenant && other.shared_tenant
    }
}
