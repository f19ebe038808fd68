//! JWKS behaviour against a real HTTP server on a free port. Each test sets its answers and the clock, and waits for
//! conditions with a deadline. Which keys of a set are used: `key_sets.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::time::{Duration, Instant};

use common::{
    HandClock, TestKey, claims,
    issuer::{Answer, Issuer, unavailable},
    jwks_config,
};
use serde_json::json;
use switchboard_auth::{
    DEFAULT_FRESH_S, FETCH_TIMEOUT_MS, MAX_FRESH_S, MAX_JWKS_BYTES, MIN_FRESH_S, MIN_REFRESH_INTERVAL_S,
    TokenError, Verifier,
};
use tokio::net::TcpListener;

/// Waits until `condition` holds.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not happen within 10 s");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn keys_are_fetched_once_and_then_served_from_memory() {
    let (key, clock) = (TestKey::p256(), HandClock::new());
    let issuer = Issuer::start(Answer::keys(&[key.jwk("k1")])).await;
    let verifier = issuer.verifier(&clock);
    assert!(verifier.prefetch_keys().await);
    for jti in 0..20 {
        let mut claims = claims();
        claims["jti"] = json!(jti.to_string());
        verifier.verify(&key.token(Some("k1"), &claims)).await.unwrap();
    }
    assert_eq!(issuer.requests(), 1);
    assert_eq!(
        (verifier.stats().jwks_keys, verifier.stats().jwks_refreshes),
        (1, 1)
    );
}

#[tokio::test]
async fn a_rotated_key_is_found_through_its_unknown_kid() {
    let (old, new, clock) = (TestKey::p256(), TestKey::ed25519(), HandClock::new());
    let issuer = Issuer::start(Answer::keys(&[old.jwk("old")])).await;
    let verifier = issuer.verifier(&clock);
    let old_token = old.token(Some("old"), &claims());
    verifier.verify(&old_token).await.unwrap();
    issuer.set(Answer::keys(&[new.jwk("new")]));
    clock.advance(MIN_REFRESH_INTERVAL_S);
    verifier.verify(&new.token(Some("new"), &claims())).await.unwrap();
    assert_eq!(
        verifier.verify(&old_token).await.unwrap_err(),
        unavailable(MIN_REFRESH_INTERVAL_S),
        "a withdrawn key is gone, also for tokens verified a moment ago"
    );
}

#[tokio::test]
async fn unknown_kids_cause_at_most_one_request_in_ten_seconds() {
    let (key, clock) = (TestKey::p256(), HandClock::new());
    let issuer = Issuer::start(Answer::keys(&[key.jwk("k1")])).await;
    let verifier = issuer.verifier(&clock);
    let forged = |n: u32| key.token(Some(&format!("guess-{n}")), &claims());
    let first = verifier.verify(&forged(0)).await.unwrap_err();
    assert_eq!(first, TokenError::UnknownKey, "the keys are of this moment");
    for n in 1..50 {
        let refusal = verifier.verify(&forged(n)).await.unwrap_err();
        assert_eq!(refusal, unavailable(MIN_REFRESH_INTERVAL_S));
    }
    assert_eq!(issuer.requests(), 1);
    clock.advance(MIN_REFRESH_INTERVAL_S - 1);
    let refusal = verifier.verify(&forged(50)).await.unwrap_err();
    assert_eq!((refusal.http_status(), refusal), (503, unavailable(1)));
    assert_eq!(issuer.requests(), 1);
    clock.advance(1);
    verifier.verify(&forged(51)).await.unwrap_err();
    assert_eq!(issuer.requests(), 2);
}

#[tokio::test]
async fn many_tokens_waiting_for_a_key_share_one_request() {
    let key = TestKey::p256();
    let issuer = Issuer::start(Answer {
        held: true,
        ..Answer::keys(&[key.jwk("k1")])
    })
    .await;
    let verifier = issuer.verifier(&HandClock::new());
    let token = key.token(Some("k1"), &claims());
    let waiting: Vec<_> = (0..40)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), token.clone());
            tokio::spawn(async move { verifier.verify(&token).await.map(drop) })
        })
        .collect();
    until("the request", || issuer.requests() == 1).await;
    issuer.permits.add_permits(1);
    for task in waiting {
        assert_eq!(task.await.unwrap(), Ok(()));
    }
    assert_eq!(issuer.requests(), 1);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_cancel_the_request_for_others() {
    let key = TestKey::p256();
    let issuer = Issuer::start(Answer {
        held: true,
        ..Answer::keys(&[key.jwk("k1")])
    })
    .await;
    let verifier = issuer.verifier(&HandClock::new());
    let token = key.token(Some("k1"), &claims());
    let gone = tokio::spawn({
        let (verifier, token) = (verifier.clone(), token.clone());
        async move { verifier.verify(&token).await.map(drop) }
    });
    until("the request", || issuer.requests() == 1).await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    issuer.permits.add_permits(1);
    assert!(verifier.verify(&token).await.is_ok());
    assert_eq!(issuer.requests(), 1);
}

#[tokio::test]
async fn a_known_key_does_not_wait_while_a_request_hangs() {
    let (key, clock) = (TestKey::p256(), HandClock::new());
    let issuer = Issuer::start(Answer::keys(&[key.jwk("k1")])).await;
    let verifier = issuer.verifier(&clock);
    assert!(verifier.prefetch_keys().await);
    issuer.set(Answer {
        held: true,
        ..Answer::keys(&[key.jwk("k1")])
    });
    clock.advance(DEFAULT_FRESH_S);
    let unknown = tokio::spawn({
        let (verifier, token) = (verifier.clone(), key.token(Some("k2"), &claims()));
        async move { verifier.verify(&token).await.map(drop) }
    });
    until("the second request", || issuer.requests() == 2).await;
    for jti in 0..20 {
        let mut claims = claims();
        claims["jti"] = json!(jti.to_string());
        verifier.verify(&key.token(Some("k1"), &claims)).await.unwrap();
    }
    assert!(!unknown.is_finished(), "the request still hangs");
    issuer.permits.add_permits(1);
    assert_eq!(unknown.await.unwrap(), Err(TokenError::UnknownKey));
}

#[tokio::test]
async fn during_an_outage_the_old_keys_stay_and_unknown_ones_are_unavailable() {
    let (key, clock) = (TestKey::p256(), HandClock::new());
    let issuer = Issuer::start(Answer::keys(&[key.jwk("k1")])).await;
    let verifier = issuer.verifier(&clock);
    assert!(verifier.prefetch_keys().await);
    issuer.set(Answer {
        status: 503,
        ..Answer::body("down")
    });
    let mut long = claims();
    long["exp"] = json!(common::NOW + 100 * MAX_FRESH_S);
    for round in 1..=3 {
        clock.advance(MAX_FRESH_S);
        let refusal = verifier.verify(&key.token(Some("k2"), &long)).await.unwrap_err();
        assert_eq!((refusal.code(), refusal.http_status()), ("keys-unavailable", 503));
        verifier.verify(&key.token(Some("k1"), &long)).await.unwrap();
        assert_eq!(verifier.stats().jwks_failures, round);
    }
    let refusal = verifier.verify(&key.token(Some("k3"), &long)).await.unwrap_err();
    assert_eq!(
        refusal,
        unavailable(MIN_REFRESH_INTERVAL_S),
        "no new request so soon, and still not known"
    );

    issuer.set(Answer::keys(&[key.jwk("k2")]));
    clock.advance(MIN_REFRESH_INTERVAL_S);
    verifier.verify(&key.token(Some("k2"), &long)).await.unwrap();
}

#[tokio::test]
async fn before_the_first_good_answer_keys_are_unavailable() {
    let key = TestKey::p256();
    let clock = HandClock::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let verifier = Verifier::with_clock(jwks_config(closed).into(), clock.as_clock()).unwrap();
    assert!(!verifier.prefetch_keys().await);
    let refusal = verifier
        .verify(&key.token(Some("k1"), &claims()))
        .await
        .unwrap_err();
    assert_eq!(refusal, unavailable(MIN_REFRESH_INTERVAL_S));
}

#[tokio::test]
async fn stale_keys_are_replaced_in_the_background() {
    for (cache_control, fresh_s) in [
        (None, DEFAULT_FRESH_S),
        (Some("public, max-age=900"), 900),
        (Some("max-age=1"), MIN_FRESH_S),
        (Some("Max-Age=\"99999999\", immutable"), MAX_FRESH_S),
    ] {
        let (key, clock) = (TestKey::p256(), HandClock::new());
        let issuer = Issuer::start(Answer {
            cache_control,
            ..Answer::keys(&[key.jwk("k1")])
        })
        .await;
        let verifier = issuer.verifier(&clock);
        assert!(verifier.prefetch_keys().await);
        let mut long = claims();
        long["exp"] = json!(common::NOW + 2 * MAX_FRESH_S);
        let token = key.token(Some("k1"), &long);
        clock.advance(fresh_s - 1);
        verifier.verify(&token).await.unwrap();
        assert_eq!(verifier.stats().jwks_refreshes, 1, "{cache_control:?}");
        clock.advance(1);
        verifier.verify(&token).await.unwrap();
        until("the background request", || verifier.stats().jwks_refreshes == 2).await;
    }
}

#[tokio::test]
async fn a_bad_answer_is_refused_and_the_old_keys_stay() {
    let key = TestKey::p256();
    let padded = json!({"keys": [key.jwk("k2")], "pad": "x".repeat(MAX_JWKS_BYTES)}).to_string();
    for bad in [
        Answer::body("<html>maintenance</html>"),
        Answer::body(vec![0xff; 1_000]),
        Answer::body("{}"),
        Answer::body("{\"keys\":7}"),
        Answer::body("[".repeat(100_000)),
        Answer::keys(&[]),
        Answer::body(padded),
        Answer {
            status: 302,
            ..Answer::keys(&[key.jwk("k2")])
        },
        Answer {
            status: 404,
            ..Answer::keys(&[key.jwk("k2")])
        },
    ] {
        let clock = HandClock::new();
        let issuer = Issuer::start(Answer::keys(&[key.jwk("k1")])).await;
        let verifier = issuer.verifier(&clock);
        assert!(verifier.prefetch_keys().await);
        issuer.set(bad);
        clock.advance(MIN_REFRESH_INTERVAL_S);
        let refusal = verifier
            .verify(&key.token(Some("k2"), &claims()))
            .await
            .unwrap_err();
        assert_eq!(refusal, unavailable(MIN_REFRESH_INTERVAL_S));
        verifier.verify(&key.token(Some("k1"), &claims())).await.unwrap();
        assert_eq!(verifier.stats().jwks_failures, 1);
    }
}

#[tokio::test]
async fn a_silent_url_costs_a_token_no_more_than_the_time_limit() {
    let key = TestKey::p256();
    let issuer = Issuer::start(Answer {
        held: true,
        ..Answer::keys(&[key.jwk("k1")])
    })
    .await;
    let verifier = issuer.verifier(&HandClock::new());
    let started = Instant::now();
    let refusal = verifier
        .verify(&key.token(Some("k1"), &claims()))
        .await
        .unwrap_err();
    assert_eq!(refusal, unavailable(MIN_REFRESH_INTERVAL_S));
    let waited = started.elapsed();
    assert!(
        waited < Duration::from_millis(FETCH_TIMEOUT_MS + 1_500),
        "{waited:?}"
    );
}

#[tokio::test]
async fn the_future_of_a_verification_stays_small() {
    let issuer = Issuer::start(Answer::keys(&[])).await;
    let verifier = issuer.verifier(&HandClock::new());
    // It is held by every handshake's task; the rare wait for the JWKS is boxed.
    let bytes = size_of_val(&verifier.verify("token"));
    assert!(bytes <= 320, "{bytes} bytes");
}
