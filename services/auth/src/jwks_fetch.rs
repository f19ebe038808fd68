//! The keys of a JWKS URL by one fetch, and the decoding of the answer (RFC 7517). Not here: the request (`key_client`),
//! when to send it, and which keys to use meanwhile (`jwks`).

use std::{fmt::Write as _, sync::Arc};

use jsonwebtoken::jwk::Jwk;
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{
    AuthConfigError, IssuerConfig,
    discovery::Discovery,
    jwks_error::JwksError,
    jws::is_object,
    key::VerifyingKey,
    key_client::{Http, KeyClient, is_loopback, key_url},
    key_set::{KeySet, MAX_KEYS},
};

/// Unusable keys of one set that the log names.
const MAX_NAMED_KEYS: usize = 8;

/// Characters of a `kid` that the log shows.
const MAX_NAME_CHARS: usize = 64;

/// Characters of a reason that the log shows.
const MAX_REASON_CHARS: usize = 160;

pub(crate) struct Fetched {
    pub(crate) keys: KeySet,
    /// Which keys of the set cannot be used, and why; empty: all can.
    pub(crate) dropped: String,
    /// The answer's `Cache-Control: max-age`, in seconds.
    pub(crate) max_age_s: Option<u64>,
}

/// Where one issuer publishes its keys.
pub(crate) struct JwksSource {
    /// Where the issuer stands in the configuration, for logs.
    pub(crate) at: String,
    client: Arc<KeyClient>,
    place: Place,
}

enum Place {
    Fixed(Url),
    Discovered(Discovery),
}

impl JwksSource {
    /// The place that `config` names.
    ///
    /// # Errors
    /// When its URL cannot be asked.
    pub(crate) fn new(config: &IssuerConfig, client: Arc<KeyClient>) -> Result<Self, AuthConfigError> {
        let place = match &config.jwks_url {
            None => Place::Discovered(Discovery::new(config)?),
            Some(url) => {
                let refused = |why| {
                    format!("{why}; it must be an https:// URL (http:// only inside a trusted network)")
                };
                let url =
                    key_url(url, Http::Allowed).map_err(|why| config.error("jwks_url", refused(why)))?;
                if url.scheme() == "http" && !is_loopback(&url) {
                    tracing::warn!(
                        "{}.jwks_url is http: anyone on the network path can replace the keys",
                        config.at
                    );
                }
                Place::Fixed(url)
            }
        };
        Ok(Self {
            at: config.at.clone(),
            client,
            place,
        })
    }

    /// `now_s` is the present, in seconds since 1970.
    pub(crate) async fn fetch(&self, now_s: u64) -> Result<Fetched, JwksError> {
        match &self.place {
            Place::Fixed(url) => self.fetch_from(url).await,
            Place::Discovered(discovery) => {
                let url = discovery.keys_url(&self.client, now_s).await?;
                let fetched = self.fetch_from(&url).await;
                if fetched.is_err() {
                    discovery.make_stale();
                }
                fetched
            }
        }
    }

    async fn fetch_from(&self, url: &Url) -> Result<Fetched, JwksError> {
        let answer = self.client.get(url).await?;
        let (keys, dropped) = parse(&answer.body)?;
        Ok(Fetched {
            keys,
            dropped,
            max_age_s: answer.max_age_s,
        })
    }
}

#[derive(Deserialize)]
struct Set<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// Reads a key set: its usable keys, and which ones are not, with the reason. A bad key costs itself only (RFC 7517,
/// section 5).
pub(crate) fn parse(body: &[u8]) -> Result<(KeySet, String), JwksError> {
    if !is_object(body) {
        return Err(JwksError::NotAKeySet);
    }
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
