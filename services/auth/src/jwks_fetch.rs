//! One request to a JWKS URL, bounded in time and size, and the decoding of its answer (RFC 7517). Not here: when to send
//! a request, and which keys to use meanwhile (`jwks`).

use std::{error::Error, time::Duration};

use jsonwebtoken::jwk::Jwk;
use reqwest::{Client, Response, Url, header::CACHE_CONTROL, redirect::Policy};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    AuthConfigError,
    key::VerifyingKey,
    key_set::{KeySet, MAX_KEYS},
};

/// How long one request may take from connect to last byte, in milliseconds. A token with an unknown `kid` waits for
/// at most this time.
pub const FETCH_TIMEOUT_MS: u64 = 3_000;

/// The largest answer read, in bytes.
pub const MAX_JWKS_BYTES: usize = 262_144;

/// Why the JWKS URL gave no keys, for logs. It never shows the URL, because the query may contain a secret.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// No answer in time.
    #[error("no complete answer within {FETCH_TIMEOUT_MS} ms")]
    Timeout,
    /// The connection failed.
    #[error("the request failed: {0}")]
    Request(String),
    /// The answer was not 200. Redirects are not followed.
    #[error("it answered HTTP {0}; 200 is needed (redirects are not followed: configure the final URL)")]
    Status(u16),
    /// More than [`MAX_JWKS_BYTES`].
    #[error("the answer is larger than {MAX_JWKS_BYTES} bytes")]
    TooLarge,
    /// Not a JSON object with `keys`.
    #[error("the answer is not a JSON Web Key Set")]
    NotAKeySet,
    /// More than [`MAX_KEYS`].
    #[error("the set has {0} keys, at most {MAX_KEYS} are read")]
    TooManyKeys(usize),
    /// No key can verify a signature. An empty set is usually an accident and not a revocation of all keys, so the
    /// previous keys stay.
    #[error("the set has no key that can verify a signature")]
    NoUsableKey,
}

pub(crate) struct Fetched {
    pub(crate) keys: KeySet,
    /// The answer's `Cache-Control: max-age`, in seconds.
    pub(crate) max_age_s: Option<u64>,
}

pub(crate) struct JwksSource {
    client: Client,
    url: Url,
}

impl JwksSource {
    pub(crate) fn new(url: &str) -> Result<Self, AuthConfigError> {
        let url = Url::parse(url).map_err(|error| AuthConfigError::JwksUrl(error.to_string()))?;
        match url.scheme() {
            "https" => {}
            "http" => {
                tracing::warn!("auth.jwks_url is http: anyone on the network path can replace the keys")
            }
            _ => return Err(AuthConfigError::JwksUrl("the scheme is not https".into())),
        }
        if !url.username().is_empty() || url.password().is_some() {
            // Every display of the configuration would show it, and public keys need no password.
            return Err(AuthConfigError::JwksUrl(
                "it carries a user name or password".into(),
            ));
        }
        let client = Client::builder()
            .timeout(Duration::from_millis(FETCH_TIMEOUT_MS))
            .redirect(Policy::none())
            .pool_max_idle_per_host(1)
            .build()
            .map_err(|error| AuthConfigError::JwksUrl(causes(error)))?;
        Ok(Self { client, url })
    }

    pub(crate) async fn fetch(&self) -> Result<Fetched, JwksError> {
        let response = self
            .client
            .get(self.url.clone())
            .send()
            .await
            .map_err(request_error)?;
        if response.status().as_u16() != 200 {
            return Err(JwksError::Status(response.status().as_u16()));
        }
        let max_age_s = max_age_s(&response);
        let body = read(response).await?;
        Ok(Fetched {
            keys: parse(&body)?,
            max_age_s,
        })
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, JwksError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(request_error)? {
        if body.len() + chunk.len() > MAX_JWKS_BYTES {
            return Err(JwksError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn request_error(error: reqwest::Error) -> JwksError {
    if error.is_timeout() {
        JwksError::Timeout
    } else {
        JwksError::Request(causes(error))
    }
}

/// The error with its causes. The text of reqwest alone is only "error sending request".
fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

fn max_age_s(response: &Response) -> Option<u64> {
    let directives = response.headers().get(CACHE_CONTROL)?.to_str().ok()?;
    directives
        .split(',')
        .find_map(|directive| match directive.trim().split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("max-age") => {
                value.trim_matches('"').parse().ok()
            }
            Some(_) | None => None,
        })
}

#[derive(Deserialize)]
struct Set<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// Reads a key set.
pub(crate) fn parse(body: &[u8]) -> Result<KeySet, JwksError> {
    let set: Set<'_> = serde_json::from_slice(body).map_err(|_| JwksError::NotAKeySet)?;
    if set.keys.len() > MAX_KEYS {
        return Err(JwksError::TooManyKeys(set.keys.len()));
    }
    let mut keys = Vec::with_capacity(set.keys.len());
    for (at, json) in set.keys.into_iter().enumerate() {
        // RFC 7517, section 5: unknown keys are ignored.
        let Ok(jwk) = serde_json::from_str::<Jwk>(json.get()) else {
            tracing::debug!(at, "ignoring an unreadable key of the JWKS");
            continue;
        };
        match VerifyingKey::from_jwk(&jwk) {
            Ok(key) => keys.push((jwk.common.key_id.map(String::into_boxed_str), key)),
            Err(reason) => tracing::debug!(at, %reason, "ignoring a key of the JWKS"),
        }
    }
    if keys.is_empty() {
        return Err(JwksError::NoUsableKey);
    }
    Ok(KeySet::new(keys))
}
