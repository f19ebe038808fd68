//! Where an issuer publishes its keys, by its discovery document (OpenID Connect Discovery 1.0, section 4). Not the keys
//! (`jwks_fetch`), and no other member of the document.

use parking_lot::Mutex;
use reqwest::Url;
use serde::Deserialize;

use crate::{
    AuthConfigError, IssuerConfig,
    jwks_error::JwksError,
    jws::is_object,
    key_client::{Http, KeyClient, key_url},
};

/// How long the URL of a document is used, in seconds.
pub const DISCOVERY_FRESH_S: u64 = 3_600;

/// The discovery document of one issuer.
pub(crate) struct Discovery {
    issuer: Box<str>,
    document: Url,
    found: Mutex<Option<Found>>,
}

/// The result of the last good document.
#[derive(Clone)]
struct Found {
    keys: Url,
    fresh_until_s: u64,
}

impl Discovery {
    /// # Errors
    /// When the issuer is no URL that can be asked.
    pub(crate) fn new(config: &IssuerConfig) -> Result<Self, AuthConfigError> {
        let issuer = config.issuer.as_deref().unwrap_or_default();
        // Section 4.1: a terminating slash is removed.
        let document = format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        );
        let refused = |why| {
            config.error(
                "issuer",
                format!("{why}; for discovery it must be an https:// URL"),
            )
        };
        let document = key_url(&document, Http::Loopback).map_err(refused)?;
        if document.query().is_some() || document.fragment().is_some() {
            return Err(refused("it has a query or a fragment".into()));
        }
        Ok(Self {
            issuer: issuer.into(),
            document,
            found: Mutex::default(),
        })
    }

    /// The URL of the keys. A known one stays in use while the document is away.
    ///
    /// # Errors
    /// When no document was ever read.
    pub(crate) async fn keys_url(&self, client: &KeyClient, now_s: u64) -> Result<Url, JwksError> {
        let known = self.found.lock().clone();
        if let Some(known) = &known
            && now_s < known.fresh_until_s
        {
            return Ok(known.keys.clone());
        }
        let answer = client.get(&self.document).await;
        match (answer.and_then(|answer| parse(&answer.body, &self.issuer)), known) {
            (Ok(keys), _) => {
                *self.found.lock() = Some(Found {
                    keys: keys.clone(),
                    fresh_until_s: now_s + DISCOVERY_FRESH_S,
                });
                Ok(keys)
            }
            (Err(reason), Some(known)) => {
                tracing::warn!(%reason, issuer = %self.issuer, "the discovery document cannot be used; the known URL of the keys stays in use");
                Ok(known.keys)
            }
            (Err(reason), None) => Err(JwksError::Discovery(reason.to_string())),
        }
    }

    /// The known URL gave no keys: the next fetch reads the document again.
    pub(crate) fn make_stale(&self) {
        if let Some(found) = &mut *self.found.lock() {
            found.fresh_until_s = 0;
        }
    }
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
}

/// The URL of the keys in the discovery document of `issuer`.
///
/// # Errors
/// When it is not the document of this issuer (section 4.3), or its URL is not acceptable.
pub(crate) fn parse(body: &[u8], issuer: &str) -> Result<Url, JwksError> {
    if !is_object(body) {
        return Err(JwksError::NotADocument);
    }
    let document: Document = serde_json::from_slice(body).map_err(|_| JwksError::NotADocument)?;
    if document.issuer != issuer {
        return Err(JwksError::OtherIssuer);
    }
    key_url(&document.jwks_uri, Http::Loopback).map_err(JwksError::KeysUrl)
}
