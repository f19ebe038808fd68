//! Keys of an issuer that is known by its URL alone (OpenID Connect Discovery 1.0), against a real HTTP server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod common;

use common::{
    HandClock, TestKey, claims_with,
    issuer::{Answer, Issuer, unavailable},
};
use serde_json::{Value, json};
use switchboard_auth::{
    DISCOVERY_FRESH_S, IssuerConfig, MAX_FRESH_S, MAX_JWKS_BYTES, MIN_REFRESH_INTERVAL_S, Verifier,
};

/// A server with keys, and one with the document that leads there.
struct Provider {
    document: Issuer,
    keys: Issuer,
    clock: HandClock,
}

impl Provider {
    async fn start(key: &TestKey) -> Self {
        let keys = Issuer::start(Answer::keys(&[key.jwk("k1")])).await;
        let document = Issuer::start(Answer::body("")).await;
        let provider = Self {
            document,
            keys,
            clock: HandClock::new(),
        };
        provider.lead_to(&provider.keys.url);
        provider
    }

    /// What the issuer is called: the root of the server.
    fn issuer(&self) -> String {
        self.document.url.replace("/jwks.json", "")
    }

    fn lead_to(&self, url: &str) {
        let document = json!({"issuer": self.issuer(), "jwks_uri": url, "other": {"issuer": 1}});
        self.document.set(Answer::body(document.to_string()));
    }

    fn verifier(&self) -> Verifier {
        let config = IssuerConfig {
            issuer: Some(self.issuer()),
            discovery: true,
            ..IssuerConfig::default()
        };
        Verifier::with_clock(config.into(), self.clock.as_clock()).unwrap()
    }

    fn token(&self, key: &TestKey, kid: &str) -> String {
        let mut claims = claims_with("iss", json!(self.issuer()));
        claims["exp"] = json!(common::NOW + 10 * MAX_FRESH_S);
        key.token(Some(kid), &claims)
    }
}

#[tokio::test]
async fn the_document_leads_to_the_keys_and_is_asked_once_an_hour() {
    let key = TestKey::p256();
    let provider = Provider::start(&key).await;
    let verifier = provider.verifier();
    verifier.verify(&provider.token(&key, "k1")).await.unwrap();
    assert_eq!((provider.document.requests(), provider.keys.requests()), (1, 1));
    provider.clock.advance(MIN_REFRESH_INTERVAL_S);
    assert!(verifier.verify(&provider.token(&key, "k2")).await.is_err());
    assert_eq!((provider.document.requests(), provider.keys.requests()), (1, 2));
    provider.clock.advance(DISCOVERY_FRESH_S);
    assert!(verifier.verify(&provider.token(&key, "k2")).await.is_err());
    assert_eq!((provider.document.requests(), provider.keys.requests()), (2, 3));
}

#[tokio::test]
async fn keys_that_move_are_found_after_their_old_place_has_failed() {
    let (key, moved) = (TestKey::p256(), TestKey::p256());
    let provider = Provider::start(&key).await;
    let verifier = provider.verifier();
    assert!(verifier.prefetch_keys().await);
    let elsewhere = Issuer::start(Answer::keys(&[moved.jwk("k2")])).await;
    provider.lead_to(&elsewhere.url);
    provider.keys.set(Answer {
        status: 404,
        ..Answer::body("")
    });
    provider.clock.advance(MIN_REFRESH_INTERVAL_S);
    assert!(verifier.verify(&provider.token(&moved, "k2")).await.is_err());
    provider.clock.advance(MIN_REFRESH_INTERVAL_S);
    verifier.verify(&provider.token(&moved, "k2")).await.unwrap();
}

#[tokio::test]
async fn a_document_that_goes_away_costs_nothing_that_is_known() {
    let (key, new) = (TestKey::p256(), TestKey::p256());
    let provider = Provider::start(&key).await;
    let verifier = provider.verifier();
    assert!(verifier.prefetch_keys().await);
    provider.document.set(Answer {
        status: 503,
        ..Answer::body("down")
    });
    provider.keys.set(Answer::keys(&[new.jwk("k2")]));
    provider.clock.advance(DISCOVERY_FRESH_S);
    verifier.verify(&provider.token(&new, "k2")).await.unwrap();
    assert_eq!(verifier.stats().jwks_failures, 0);
}

#[tokio::test]
async fn a_document_that_is_not_the_issuers_own_or_leads_astray_is_refused() {
    let key = TestKey::p256();
    let provider = Provider::start(&key).await;
    let (issuer, keys) = (provider.issuer(), provider.keys.url.clone());
    let document = |issuer: &str, keys: &str| json!({"issuer": issuer, "jwks_uri": keys});
    let padded = json!({"issuer": issuer, "jwks_uri": keys, "pad": "x".repeat(MAX_JWKS_BYTES)});
    let answers: Vec<Value> = vec![
        document(&format!("{issuer}/"), &keys),
        document("https://evil.example", &keys),
        document(&issuer.to_uppercase(), &keys),
        document(&issuer, "http://id.example/keys"),
        document(&issuer, "file:///etc/passwd"),
        document(&issuer, "https://user:word@id.example/keys"),
        document(&issuer, "/jwks.json"),
        document(&issuer, ""),
        json!({"issuer": issuer}),
        json!({"jwks_uri": keys}),
        json!([issuer, keys]),
        json!(7),
        padded,
    ];
    let mut answers: Vec<_> = answers
        .into_iter()
        .map(|json| Answer::body(json.to_string()))
        .collect();
    answers.push(Answer {
        status: 302,
        ..Answer::body(document(&issuer, &keys).to_string())
    });
    answers.push(Answer::body("<html>"));
    answers.push(Answer::body("[".repeat(100_000)));
    for answer in answers {
        let shown = String::from_utf8_lossy(&answer.body)
            .chars()
            .take(99)
            .collect::<String>();
        provider.document.set(answer);
        let refusal = provider
            .verifier()
            .verify(&provider.token(&key, "k1"))
            .await
            .unwrap_err();
        assert_eq!(refusal, unavailable(MIN_REFRESH_INTERVAL_S), "{shown}");
    }
    assert_eq!(provider.keys.requests(), 0, "no such document leads to a request");
}
