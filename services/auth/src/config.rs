//! The configuration of tokens (section `[auth]`): issuers with their keys. Not here: its checks (`config_check`), reading
//! the configuration file (`node`), and loading keys (`loaded`, `jwks`).

use std::{collections::BTreeMap, path::PathBuf};

use switchboard_protocol::Secret;

use crate::SubjectMapping;

/// The shortest shared secret accepted, in bytes (RFC 7518, section 3.2: as long as the hash of HS256).
pub const MIN_SECRET_BYTES: usize = 32;

/// The most shared secrets of one issuer. A token is verified with each of them, so the number bounds the work for a bad
/// token.
pub const MAX_SECRETS: usize = 8;

/// The most issuers. A look-up is linear.
pub const MAX_ISSUERS: usize = 64;

/// The largest leeway accepted, in seconds. A larger one would hide a wrong clock.
pub const MAX_LEEWAY_S: u64 = 300;

/// Which tokens are accepted.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// Who may issue tokens; at least one. With several, the `iss` of a token chooses its issuer.
    pub issuers: Vec<IssuerConfig>,
    /// A PEM file of authorities that may certify key servers, in addition to those of the system.
    pub ca_file: Option<PathBuf>,
    /// How far `nbf` and `iat` may lie in the future, in seconds.
    pub leeway_s: u64,
    /// The longest token accepted, in bytes.
    pub max_token_bytes: usize,
}

/// One issuer: its keys, and what its tokens may say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerConfig {
    /// Where it stands in the configuration, for messages: `auth` or `auth.issuers[0]`.
    pub at: String,
    /// The required `iss`; `None` accepts any.
    pub issuer: Option<String>,
    /// The required `aud`; `None` does not check it.
    pub audience: Option<String>,
    /// A shared secret for HS256, HS384 and HS512.
    pub hs256_secret: Option<Secret>,
    /// A file that holds the shared secret instead.
    pub hs256_secret_file: Option<PathBuf>,
    /// A folder of shared secrets, each `<kid>.secret`.
    pub hs256_secrets_dir: Option<PathBuf>,
    /// A folder of public keys, each `<kid>.pem`. The key's type determines the algorithms.
    pub public_keys_dir: Option<PathBuf>,
    /// Where the issuer publishes its keys (RFC 7517).
    pub jwks_url: Option<String>,
    /// Whether that URL stands in the issuer's discovery document (OpenID Connect Discovery 1.0).
    pub discovery: bool,
    /// The algorithms of its tokens; empty: those of its keys.
    pub algorithms: Vec<String>,
    /// The tenant of all its tokens; `None`: the claim `tenant_claim` names it.
    pub tenant: Option<String>,
    /// The claim that names the tenant.
    pub tenant_claim: String,
    /// Whether other issuers may issue tokens for its tenants, and so for the same peers.
    pub shared_tenant: bool,
    /// Claims that its tokens must have, each with its value, a string.
    pub required_claims: BTreeMap<String, String>,
    /// The claim that names the peer.
    pub peer_claim: String,
    /// How the peer claim becomes the peer ID.
    pub subject_mapping: SubjectMapping,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            ca_file: None,
            leeway_s: 30,
            max_token_bytes: 8192,
        }
    }
}

impl Default for IssuerConfig {
    fn default() -> Self {
        Self {
            at: "auth".into(),
            issuer: None,
            audience: Some("switchboard".into()),
            hs256_secret: None,
            hs256_secret_file: None,
            hs256_secrets_dir: None,
            public_keys_dir: None,
            jwks_url: None,
            discovery: false,
            algorithms: Vec::new(),
            tenant: None,
            tenant_claim: "tenant".into(),
            shared_tenant: false,
            required_claims: BTreeMap::new(),
            peer_claim: "sub".into(),
            subject_mapping: SubjectMapping::None,
        }
    }
}

/// One issuer alone.
impl From<IssuerConfig> for AuthConfig {
    fn from(issuer: IssuerConfig) -> Self {
        Self {
            issuers: vec![issuer],
            ..Self::default()
        }
    }
}

/// A configuration that is not valid: the configuration key, and the problem with its solution.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct AuthConfigError {
    /// The key, as `auth.issuers[0].jwks_url`.
    pub key: String,
    /// The mistake, and its correction.
    pub problem: String,
}

impl AuthConfig {
    /// Whether an issuer publishes its keys.
    pub(crate) fn needs_client(&self) -> bool {
        self.issuers.iter().any(IssuerConfig::is_published)
    }
}

impl IssuerConfig {
    /// Whether it has shared secrets.
    #[must_use]
    pub const fn has_secrets(&self) -> bool {
        self.hs256_secret.is_some() || self.hs256_secret_file.is_some() || self.hs256_secrets_dir.is_some()
    }

    /// Whether its keys come from a URL.
    pub(crate) const fn is_published(&self) -> bool {
        self.jwks_url.is_some() || self.discovery
    }

    /// Whether it has public keys, from files or from a URL.
    pub(crate) const fn has_public_keys(&self) -> bool {
        self.public_keys_dir.is_some() || self.is_published()
    }

    /// Whether it has a key of any kind.
    #[must_use]
    pub const fn has_keys(&self) -> bool {
        self.has_secrets() || self.has_public_keys()
    }

    pub(crate) fn error(&self, key: &str, problem: impl Into<String>) -> AuthConfigError {
        AuthConfigError {
            key: format!("{}.{key}", self.at),
            problem: problem.into(),
        }
    }
}
