//! One request to a JWKS URL, bounded in time and size, and the decoding of its answer (RFC 7517). Not here: when to send
//! a request, and which keys to use meanwhile (`jwks`).

use std::{error::Error, fmt::Write as _, path::Path, time::Duration};

use jsonwebtoken::jwk::Jwk;
use reqwest::{Certificate, Client, Response, Url, header::CACHE_CONTROL, redirect::Policy};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

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

/// Unusable keys of one set that the log names.
const MAX_NAMED_KEYS: usize = 8;

/// Characters of a `kid` that the log shows.
const MAX_NAME_CHARS: usize = 64;

/// Characters of a reason that the log shows.
const MAX_REASON_CHARS: usize = 160;

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
    /// No key can verify a signature. An empty set is usually an accident and not a revocation of all keys, so the
    /// previous keys stay.
    #[error("the set has no key that can verify a signature: {0}")]
    NoUsableKey(String),
}

pub(crate) struct Fetched {
    pub(crate) keys: KeySet,
    /// Which keys of the set cannot be used, and why; empty: all can.
    pub(crate) dropped: String,
    /// The answer's `Cache-Control: max-age`, in seconds.
    pub(crate) max_age_s: Option<u64>,
}

pub(crate) struct JwksSource {
    client: Client,
    url: Url,
}

impl JwksSource {
    pub(crate) fn new(url: &str, ca_file: Option<&Path>) -> Result<Self, AuthConfigError> {
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
            .tls_certs_merge(ca_file.map(authorities).transpose()?.unwrap_or_default())
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
        let (keys, dropped) = parse(&body)?;
        Ok(Fetched {
            keys,
            dropped,
            max_age_s,
        })
    }
}

/// The authorities in a PEM file.
fn authorities(path: &Path) -> Result<Vec<Certificate>, AuthConfigError> {
    let refused = |problem: String| AuthConfigError::CaFile {
        path: path.to_owned(),
        problem,
    };
    let pem = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
    let authorities = Certificate::from_pem_bundle(&pem).map_err(|error| refused(causes(error)))?;
    match authorities.is_empty() {
        true => Err(refused("it has no certificate".into())),
        false => Ok(authorities),
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

/// Reads a key set: its usable keys, and which ones are not, with the reason. A bad key costs itself only (RFC 7517,
/// section 5).
pub(crate) fn parse(body: &[u8]) -> Result<(KeySet, String), JwksError> {
    let set: Set<'_> = serde_json::from_slice(body).map_err(|_| JwksError::NotAKeySet)?;
    let mut keys = Vec::with_capacity(set.keys.len().min(MAX_KEYS));
    let mut dropped = Dropped::default();
    for (at, json) in set.keys.into_iter().enumerate() {
        if keys.len() == MAX_KEYS {
            dropped.add(at, None, "is beyond the number of keys that are used");
            continue;
        }
        let mut value: Value = serde_json::from_str(json.get()).unwrap_or_default();
        unpad(&mut value);
        let kid = value.get("kid").and_then(Value::as_str).map(Box::<str>::from);
        let key = serde_json::from_value::<Jwk>(value);
        match key.map(|jwk| VerifyingKey::from_jwk(&jwk)) {
            Ok(Ok(key)) => keys.push((kid, key)),
            Ok(Err(reason)) => dropped.add(at, kid.as_deref(), &reason.to_string()),
            Err(error) => dropped.add(at, kid.as_deref(), &format!("cannot be read: {error}")),
        }
    }
    let dropped = dropped.finish();
    if keys.is_empty() {
        return Err(JwksError::NoUsableKey(dropped));
    }
    Ok((KeySet::new(keys), dropped))
}

/// Some issuers pad their base64url (against RFC 7518, section 2).
fn unpad(key: &mut Value) {
    for member in ["n", "e", "x", "y"] {
        if let Some(Value::String(text)) = key.get_mut(member) {
            text.truncate(text.trim_end_matches('=').len());
        }
    }
}

/// The unusable keys of one set, as one text for a log line.
#[derive(Default)]
struct Dropped {
    text: String,
    count: usize,
}

impl Dropped {
    fn add(&mut self, at: usize, kid: Option<&str>, reason: &str) {
        self.count += 1;
        if self.count > MAX_NAMED_KEYS {
            return;
        }
        let name: String = kid.unwrap_or_default().chars().take(MAX_NAME_CHARS).collect();
        let reason: String = reason.chars().take(MAX_REASON_CHARS).collect();
        // Writing to a string cannot fail.
        let _ = write!(self.text, "key {at} (kid {name:?}) {reason}; ");
    }

    fn finish(mut self) -> String {
        if let Some(more) = self.count.checked_sub(MAX_NAMED_KEYS).filter(|more| *more > 0) {
            let _ = write!(self.text, "and {more} more");
        }
        let end = self.text.trim_end_matches("; ").len();
        self.text.truncate(end);
        self.text
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    const GOOD: &str =
        r#"{"kty":"OKP","crv":"Ed25519","kid":"good","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    #[test]
    fn a_key_that_cannot_be_used_is_named_with_its_reason_and_costs_no_other() {
        let set = format!(
            r#"{{"keys":[{{"kty":"oct","kid":"shared","k":"MDEy"}},{{"kty":"AKP","kid":"new"}},7,{GOOD}]}}"#
        );
        let (keys, dropped) = parse(set.as_bytes()).unwrap();
        assert_eq!(keys.len(), 1);
        for part in [
            r#"key 0 (kid "shared") is a shared secret"#,
            r#"key 1 (kid "new")"#,
            "key 2",
        ] {
            assert!(dropped.contains(part), "{part}: {dropped}");
        }
        let (_, none) = parse(format!(r#"{{"keys":[{GOOD}]}}"#).as_bytes()).unwrap();
        assert_eq!(none, "");
    }

    #[test]
    fn the_log_line_about_unusable_keys_is_bounded() {
        let bad = format!(r#"{{"kid":"{}"}}"#, "k".repeat(10_000));
        let set = format!(r#"{{"keys":[{}]}}"#, vec![bad; 20].join(","));
        let error = parse(set.as_bytes()).err().unwrap().to_string();
        assert!(error.len() < 3_000 && error.ends_with("and 12 more"), "{error}");
    }
}
