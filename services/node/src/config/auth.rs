//! `[auth]`: the keys that verify tokens, and which issuer and audience they must name.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use switchboard_auth::AuthConfig;
use switchboard_protocol::Secret;

use super::{check, error::ConfigError, section::section, tls::TlsSection};

/// How `sub` becomes the peer ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SubjectMapping {
    /// It is the peer ID.
    None,
    /// Bytes that no peer ID may have, and `=`, become `=XX`.
    Escape,
}

section! {
    /// `[auth]`.
    AuthSection {
        /// A shared secret of at least 32 bytes for HS256, HS384 and HS512.
        #[schemars(with = "String")]
        hs256_secret: Secret = Secret::default(),
        /// A file that holds the shared secret.
        hs256_secret_file: Option<PathBuf> = None,
        /// A folder of public keys, each `<kid>.pem`.
        public_keys_dir: Option<PathBuf> = None,
        /// The URL of a JSON Web Key Set; empty: none.
        jwks_url: String = String::new(),
        /// How `sub` becomes the peer ID: `none`, or `escape`, which writes characters that no peer ID has as `=XX`.
        subject_mapping: SubjectMapping = SubjectMapping::None,
        /// The `iss` that tokens must carry; empty: any.
        issuer: String = String::new(),
        /// The `aud` that tokens must carry; empty: any.
        audience: String = "switchboard".into(),
    }
}

impl AuthSection {
    /// The shared secret, if one is set.
    pub(super) fn secret(&self) -> Result<Option<Secret>, ConfigError> {
        let file = self.hs256_secret_file.as_deref();
        check::secret("auth.hs256_secret", &self.hs256_secret, file)
    }

    /// `secret` is the one of [`AuthSection::secret`].
    pub(super) fn check(&self, secret: Option<Secret>, tls: &TlsSection) -> Result<AuthConfig, ConfigError> {
        let auth = AuthConfig {
            hs256_secrets: secret.into_iter().collect(),
            public_keys_dir: self.public_keys_dir.clone(),
            jwks_url: not_empty(&self.jwks_url),
            ca_file: tls.ca_file.clone(),
            subject_mapping: match self.subject_mapping {
                SubjectMapping::None => switchboard_auth::SubjectMapping::None,
                SubjectMapping::Escape => switchboard_auth::SubjectMapping::Escape,
            },
            issuer: not_empty(&self.issuer),
            audience: not_empty(&self.audience),
            ..AuthConfig::default()
        };
        if auth.hs256_secrets.is_empty() && auth.public_keys_dir.is_none() && auth.jwks_url.is_none() {
            let problem = "no key to verify tokens with; set hs256_secret, hs256_secret_file, public_keys_dir or \
                           jwks_url";
            return Err(ConfigError::new("auth", problem));
        }
        Ok(auth)
    }
}

fn not_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
