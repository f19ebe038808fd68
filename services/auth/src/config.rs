//! The configuration of tokens (section `[auth]`), and the checks that need no file and no network. Not here: reading the
//! configuration file (`node`), and loading keys (`key_files`, `jwks`).

use std::path::PathBuf;

use switchboard_protocol::Secret;

use crate::{KeyError, SubjectMapping, claims::Rules};

/// The shortest shared secret accepted, in bytes (RFC 7518, section 3.2: as long as the hash of HS256).
pub const MIN_SECRET_BYTES: usize = 32;

/// The most shared secrets. A token is verified with each of them, so the number bounds the work for a bad token.
pub const MAX_SECRETS: usize = 8;

/// The largest leeway accepted, in seconds. A larger one would hide a wrong clock.
pub const MAX_LEEWAY_S: u64 = 300;

/// The range accepted for `max_token_bytes`.
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 256..=65_536;

/// Which tokens are accepted.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// Shared secrets for HS256, HS384 and HS512; several during a rotation.
    pub hs256_secrets: Vec<Secret>,
    /// A directory of public keys, each `<kid>.pem`. The key's type determines the algorithms.
    pub public_keys_dir: Option<PathBuf>,
    /// Where the identity provider publishes its keys (RFC 7517).
    pub jwks_url: Option<String>,
    /// A PEM file of authorities that may certify the JWKS server, in addition to those of the system.
    pub ca_file: Option<PathBuf>,
    /// The required `iss`; `None` accepts any.
    pub issuer: Option<String>,
    /// The required `aud`; `None` does not check it.
    pub audience: Option<String>,
    /// How `sub` becomes the peer ID.
    pub subject_mapping: SubjectMapping,
    /// How far `nbf` and `iat` may lie in the future, in seconds.
    pub leeway_s: u64,
    /// The longest token accepted, in bytes.
    pub max_token_bytes: usize,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            hs256_secrets: Vec::new(),
            public_keys_dir: None,
            jwks_url: None,
            ca_file: None,
            issuer: None,
            audience: Some("switchboard".into()),
            subject_mapping: SubjectMapping::None,
            leeway_s: 30,
            max_token_bytes: 8192,
        }
    }
}

/// Why a configuration is not valid. Each message names the configuration key and the solution.
#[derive(Debug, thiserror::Error)]
pub enum AuthConfigError {
    /// There is no key to verify tokens with.
    #[error(
        "auth: no key is configured, so no token could ever be accepted; set auth.hs256_secret (or \
         auth.hs256_secret_file), auth.public_keys_dir or auth.jwks_url"
    )]
    NoKeys,
    /// A shared secret is too short.
    #[error(
        "auth.hs256_secret: secret {number} has {bytes} bytes, at least {MIN_SECRET_BYTES} are needed; make \
         one with `openssl rand -base64 48`"
    )]
    SecretTooShort {
        /// Which of the secrets, counted from 1.
        number: usize,
        /// Its length in bytes.
        bytes: usize,
    },
    /// A PEM key is configured as a shared secret.
    #[error(
        "auth.hs256_secret: secret {0} is a PEM key, not a shared secret; put public keys as <kid>.pem into \
         auth.public_keys_dir"
    )]
    SecretIsPem(usize),
    /// There are too many shared secrets.
    #[error("auth.hs256_secret: {0} secrets, at most {MAX_SECRETS} are allowed; remove the old ones")]
    TooManySecrets(usize),
    /// The leeway would hide a wrong clock.
    #[error(
        "auth.leeway_s: {0} is too much, at most {MAX_LEEWAY_S} is allowed; synchronise the clocks instead"
    )]
    Leeway(u64),
    /// The token size is out of range.
    #[error("auth.max_token_bytes: {0} is out of range, it must be 256 to 65536")]
    TokenBytes(usize),
    /// A name is empty.
    #[error("auth.{0}: is empty; remove the key to skip the check, or set the value that tokens carry")]
    Empty(&'static str),
    /// The key directory cannot be read.
    #[error("auth.public_keys_dir: {path}: {source}; it must be a readable directory of <kid>.pem files")]
    KeysDir {
        /// The directory or file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The key directory has no key.
    #[error(
        "auth.public_keys_dir: {0} has no file named <kid>.pem; put a public key there, or remove the configuration key"
    )]
    NoKeyFiles(PathBuf),
    /// There are too many key files.
    #[error("auth.public_keys_dir: {path} has more than {max} keys; remove the old ones")]
    TooManyKeyFiles {
        /// The directory.
        path: PathBuf,
        /// The bound.
        max: usize,
    },
    /// A key file is not usable.
    #[error("auth.public_keys_dir: {path}: {source}")]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: KeyError,
    },
    /// The file of authorities cannot be used.
    #[error("tls.ca_file: {path}: {problem}; it must hold certificates in PEM form")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// The JWKS URL is not valid.
    #[error("auth.jwks_url: {0}; it must be an https:// URL (http:// only inside a trusted network)")]
    JwksUrl(String),
}

impl AuthConfig {
    pub(crate) fn check(&self) -> Result<(), AuthConfigError> {
        if self.hs256_secrets.is_empty() && self.public_keys_dir.is_none() && self.jwks_url.is_none() {
            return Err(AuthConfigError::NoKeys);
        }
        if self.hs256_secrets.len() > MAX_SECRETS {
            return Err(AuthConfigError::TooManySecrets(self.hs256_secrets.len()));
        }
        for (at, secret) in self.hs256_secrets.iter().enumerate() {
            if secret.expose().contains("-----BEGIN") {
                return Err(AuthConfigError::SecretIsPem(at + 1));
            }
            let bytes = secret.expose().len();
            if bytes < MIN_SECRET_BYTES {
                return Err(AuthConfigError::SecretTooShort {
                    number: at + 1,
                    bytes,
                });
            }
        }
        if self.leeway_s > MAX_LEEWAY_S {
            return Err(AuthConfigError::Leeway(self.leeway_s));
        }
        if !TOKEN_BYTES.contains(&self.max_token_bytes) {
            return Err(AuthConfigError::TokenBytes(self.max_token_bytes));
        }
        for (key, value) in [("issuer", &self.issuer), ("audience", &self.audience)] {
            if value.as_ref().is_some_and(String::is_empty) {
                return Err(AuthConfigError::Empty(key));
            }
        }
        Ok(())
    }

    pub(crate) fn rules(&self) -> Rules {
        Rules {
            issuer: self.issuer.clone().map(String::into_boxed_str),
            audience: self.audience.clone().map(String::into_boxed_str),
            subject_mapping: self.subject_mapping,
            leeway_s: self.leeway_s,
        }
    }
}
