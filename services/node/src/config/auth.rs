//! `[auth]`: who may issue tokens, with which keys, and for which tenant. The section itself is one issuer; `[[auth.issuers]]`
//! has the same keys. Not their checks (`switchboard-auth`).

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use switchboard_auth::{AuthConfig, IssuerConfig};
use switchboard_protocol::Secret;

use super::{error::ConfigError, section::section, tls::TlsSection};

/// How the peer claim becomes the peer ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SubjectMapping {
    /// It is the peer ID.
    None,
    /// Bytes that no peer ID may have, and `=`, become `=XX`.
    Escape,
}

/// A section with the keys of one issuer, and more.
macro_rules! issuer_section {
    ($(#[$doc:meta])* $name:ident { $($more:tt)* }) => {
        section! {
            $(#[$doc])*
            $name {
                /// A shared secret of at least 32 bytes for HS256, HS384 and HS512.
                #[schemars(with = "String")]
                hs256_secret: Secret = Secret::default(),
                /// A file that holds the shared secret.
                hs256_secret_file: Option<PathBuf> = None,
                /// A folder of shared secrets, each `<kid>.secret`. Several are accepted at once.
                hs256_secrets_dir: Option<PathBuf> = None,
                /// A folder of public keys, each `<kid>.pem`.
                public_keys_dir: Option<PathBuf> = None,
                /// The URL of a JSON Web Key Set; empty: none.
                jwks_url: String = String::new(),
                /// Take that URL from the discovery document of `issuer` (OpenID Connect).
                discovery: bool = false,
                /// The `iss` that tokens must carry; empty: any.
                issuer: String = String::new(),
                /// The `aud` that tokens must carry; empty: any.
                audience: String = "switchboard".into(),
                /// The algorithms that tokens may have, for example `RS256`; empty: those of the keys.
                algorithms: Vec<String> = Vec::new(),
                /// The tenant of all tokens; empty: the claim `tenant_claim` names it.
                tenant: String = String::new(),
                /// The claim that names the tenant.
                tenant_claim: String = "tenant".into(),
                /// Whether other issuers that say the same may issue tokens for the same peers.
                shared_tenant: bool = false,
                /// Claims that tokens must have, each with its value: `{ repository_owner = "acme" }`. Only in the file.
                #[serde(skip_serializing_if = "BTreeMap::is_empty")]
                required_claims: BTreeMap<String, String> = BTreeMap::new(),
                /// The claim that names the peer.
                peer_claim: String = "sub".into(),
                /// How that claim becomes the peer ID: `none`, or `escape`, which writes characters that no peer ID has as `=XX`.
                subject_mapping: SubjectMapping = SubjectMapping::None,
                $($more)*
            }
        }

        impl $name {
            /// The issuer that stands at `at` in the configuration.
            fn issuer(&self, at: String) -> IssuerConfig {
                IssuerConfig {
                    at,
                    issuer: not_empty(&self.issuer),
                    audience: not_empty(&self.audience),
                    hs256_secret: (!self.hs256_secret.is_empty()).then(|| self.hs256_secret.clone()),
                    hs256_secret_file: self.hs256_secret_file.clone(),
                    hs256_secrets_dir: self.hs256_secrets_dir.clone(),
                    public_keys_dir: self.public_keys_dir.clone(),
                    jwks_url: not_empty(&self.jwks_url),
                    discovery: self.discovery,
                    algorithms: self.algorithms.clone(),
                    tenant: not_empty(&self.tenant),
                    tenant_claim: self.tenant_claim.clone(),
                    shared_tenant: self.shared_tenant,
                    required_claims: self.required_claims.clone(),
                    peer_claim: self.peer_claim.clone(),
                    subject_mapping: match self.subject_mapping {
                        SubjectMapping::None => switchboard_auth::SubjectMapping::None,
                        SubjectMapping::Escape => switchboard_auth::SubjectMapping::Escape,
                    },
                }
            }
        }
    };
}

issuer_section! {
    /// `[auth]`.
    AuthSection {
        /// More issuers, each a table `[[auth.issuers]]` with the keys of this section. Only in the file.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        issuers: Vec<IssuerSection> = Vec::new(),
    }
}

issuer_section! {
    /// `[[auth.issuers]]`.
    IssuerSection {}
}

impl AuthSection {
    pub(super) fn check(&self, tls: &TlsSection) -> Result<AuthConfig, ConfigError> {
        let at = || "auth".to_owned();
        let own = self.issuer(at());
        let listed = (0..).zip(&self.issuers);
        let mut issuers: Vec<_> = listed
            .map(|(number, issuer)| issuer.issuer(format!("auth.issuers[{number}]")))
            .collect();
        if own.has_keys() || issuers.is_empty() {
            issuers.insert(0, own);
        } else if own != Self::default().issuer(at()) {
            let problem = "has settings but no keys, so they have no effect; move them into [[auth.issuers]]";
            return Err(ConfigError::new("auth", problem));
        }
        Ok(AuthConfig {
            issuers,
            ca_file: tls.ca_file.clone(),
            ..AuthConfig::default()
        })
    }
}

fn not_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
