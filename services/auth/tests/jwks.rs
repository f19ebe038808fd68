//! JWKS behaviour against a real HTTP server on a free port. Each test sets its answers and the clock, and waits for
//! conditions with a deadline.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{Response, header::CACHE_CONTROL},
    routing::get,
};
use common::{HandClock, TestKey, claims, jwks_config};
use parking_lot::Mutex;
use serde_json::{Value, json};
use switchboard_auth::{
    DEFAULT_FRESH_S, FETCH_TIMEOUT_MS, MAX_FRESH_S, MAX_JWKS_BYTES, MAX_KEYS, MIN_FRESH_S,
    MIN_REFRESH_INTERVAL_S, TokenError, Verifier,
};
use tokio::{net::TcpListener, sync::Semaphore};

#[derive(Clone)]
struct Answer {
    status: u16,
    body: Bytes,
    cache_control: Option<&'static str>,
    /// Holds the answer back until the test adds permits.
    held: bool,
}

impl Answer {
    fn body(body: impl Into<Bytes>) -> Self {
        Self {
            status: 200,
            body: body.into(),
            cache_control: None,
            held: false,
        }
    }

    fn keys(keys: &[Value]) -> Self {
        Self::body(json!({"keys": keys}).to_string())
    }
}

#[derive(Clone)]
struct Issuer {
    answer: Arc<Mutex<Answer>>,
    requests: Arc<AtomicUsize>,
    permits: Arc<Semaphore>,
    url: String,
}

impl Issuer {
    async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = Self {
            answer: Arc::new(Mutex::new(answer)),
            requests: Arc::default(),
            permits: Arc::new(Semaphore::new(0)),
            url: format!("http://{}/jwks.json", listener.local_addr().unwrap()),
        };
        let router = Router::new()
            .route("/jwks.json", get(serve))
            .with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        issuer
    }

    fn set(&self, answer: Answer) {
        *self.answer.lock() = answer;
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    fn verifier(&self, clock: &HandClock) -> Verifier {
        Verifier::with_clock(jwks_config(self.url.clone()), clock.as_clock()).unwrap()
    }
}

async fn serve(State(issuer): State<Issuer>) -> Response<Body> {
    issuer.requests.fetch_add(1, Ordering::SeqCst);
    let answer = issuer.answer.lock().clone();
    if answer.held {
        issuer.permits.acquire().await.unwrap().forget();
    }
    let mut response = Response::builder().status(answer.status);
    if let Some(value) = answer.cache_control {
        response = response.header(CACHE_CONTROL, value);
    }
    response.body(Body::from(answer.body)).unwrap()
}

const fn unavailable(retry_after_s: u64) -> TokenError {
    TokenError::KeysUnavailable { retry_after_s }
}

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
async fn every_published_key_type_verifies() {
    let keys = [
        TestKey::rsa(),
        TestKey::p256(),
        TestKey::p384(),
        TestKey::ed25519(),
    ];
    let jwks: Vec<Value> = keys
        .iter()
        .enumerate()
        .map(|(at, key)| key.jwk(&at.to_string()))
        .collect();
    let issuer = Issuer::start(Answer::keys(&jwks)).await;
    let verifier = issuer.verifier(&HandClock::new());
    for (at, key) in keys.iter().enumerate() {
        for algorithm in &key.algorithms {
            let token = key.token_with(*algorithm, Some(&at.to_string()), &claims());
            assert!(verifier.verify(&token).await.is_ok(), "{algorithm:?}");
        }
    }
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
    let verifier = Verifier::with_clock(jwks_config(closed), clock.as_clock()).unwrap();
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
async fn use_key_ops_and_alg_of_a_published_key_are_honoured() {
    let (key, rsa) = (TestKey::p256(), TestKey::shared_rsa());
    let with = |mut jwk: Value, member: &str, value: Value| {
        jwk[member] = value;
        jwk
    };
    let issuer = Issuer::start(Answer::keys(&[
        with(key.jwk("for-encryption"), "use", json!("enc")),
        with(key.jwk("for-signing-only"), "key_ops", json!(["sign"])),
        with(key.jwk("other-alg"), "alg", json!("RS256")),
        with(key.jwk("other-curve"), "crv", json!("secp256k1")),
        with(key.jwk("off-curve"), "y", key.jwk("x")["x"].clone()),
        json!({"kty": "oct", "kid": "shared", "k": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}),
        json!({"kty": "RSA", "kid": "small", "e": "AQAB", "n": "xcXF".repeat(42)}),
        json!({"kty": "AKP", "kid": "from-the-future"}),
        json!("not even an object"),
        with(rsa.jwk("ps256-only"), "alg", json!("PS256")),
        with(
            with(key.jwk("good"), "use", json!("sig")),
            "key_ops",
            json!(["verify"]),
        ),
    ]))
    .await;
    let verifier = issuer.verifier(&HandClock::new());
    verifier
        .verify(&key.token(Some("good"), &claims()))
        .await
        .unwrap();
    assert_eq!(verifier.stats().jwks_keys, 2, "all others are passed over");
    for kid in [
        "for-encryption",
        "for-signing-only",
        "other-alg",
        "other-curve",
        "off-curve",
    ] {
        let refusal = verifier
            .verify(&key.token(Some(kid), &claims()))
            .await
            .unwrap_err();
        assert_eq!(refusal.http_status(), 503, "{kid}: the keys are of a moment ago");
    }
    let shared = common::hs_token(
        jsonwebtoken::Algorithm::HS256,
        common::SECRET.as_bytes(),
        &claims(),
    );
    assert_eq!(verifier.verify(&shared).await.unwrap_err(), TokenError::Algorithm);
    let ps256 = rsa.token_with(jsonwebtoken::Algorithm::PS256, Some("ps256-only"), &claims());
    verifier.verify(&ps256).await.unwrap();
    let rs256 = rsa.token_with(jsonwebtoken::Algorithm::RS256, Some("ps256-only"), &claims());
    assert_eq!(verifier.verify(&rs256).await.unwrap_err(), TokenError::Algorithm);
}

#[tokio::test]
async fn a_modulus_published_with_a_sign_byte_still_verifies() {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let rsa = TestKey::shared_rsa();
    let mut jwk = rsa.jwk("k1");
    let n = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    jwk["n"] = json!(URL_SAFE_NO_PAD.encode([&[0], &n[..]].concat()));
    let issuer = Issuer::start(Answer::keys(&[jwk])).await;
    issuer
        .verifier(&HandClock::new())
        .verify(&rsa.token(Some("k1"), &claims()))
        .await
        .unwrap();
}

#[tokio::test]
async fn keys_that_have_no_name_or_the_same_one_are_tried_in_turn() {
    let (first, second, stranger) = (TestKey::p256(), TestKey::p256(), TestKey::p256());
    let nameless = |key: &TestKey| {
        let mut jwk = key.jwk("");
        jwk.as_object_mut().unwrap().remove("kid");
        jwk
    };
    for (keys, kid) in [
        ([first.jwk("a"), second.jwk("b")], None),
        ([nameless(&first), nameless(&second)], None),
        (
            [nameless(&first), nameless(&second)],
            Some("named-by-the-token-only"),
        ),
        ([first.jwk("same"), second.jwk("same")], Some("same")),
    ] {
        let issuer = Issuer::start(Answer::keys(&keys)).await;
        let verifier = issuer.verifier(&HandClock::new());
        for key in [&first, &second] {
            assert!(
                verifier.verify(&key.token(kid, &claims())).await.is_ok(),
                "{kid:?} {keys:?}"
            );
        }
        assert!(verifier.verify(&stranger.token(kid, &claims())).await.is_err());
    }
}

#[tokio::test]
async fn a_token_without_a_kid_finds_a_rotated_key_too() {
    let (old, new, clock) = (TestKey::p256(), TestKey::p256(), HandClock::new());
    let issuer = Issuer::start(Answer::keys(&[old.jwk("old")])).await;
    let verifier = issuer.verifier(&clock);
    verifier.verify(&old.token(None, &claims())).await.unwrap();
    issuer.set(Answer::keys(&[old.jwk("old"), new.jwk("new")]));
    let refusal = verifier.verify(&new.token(None, &claims())).await.unwrap_err();
    assert_eq!(refusal, unavailable(MIN_REFRESH_INTERVAL_S));
    clock.advance(MIN_REFRESH_INTERVAL_S);
    verifier.verify(&new.token(None, &claims())).await.unwrap();
}

#[tokio::test]
async fn a_large_set_is_used_up_to_its_bound_and_tries_of_one_token_have_theirs() {
    let key = TestKey::p256();
    let many: Vec<Value> = (0..MAX_KEYS + 5).map(|n| key.jwk(&n.to_string())).collect();
    let issuer = Issuer::start(Answer::keys(&many)).await;
    let verifier = issuer.verifier(&HandClock::new());
    verifier.verify(&key.token(Some("70"), &claims())).await.unwrap();
    assert_eq!(verifier.stats().jwks_keys, MAX_KEYS);
    let refusal = verifier.verify(&key.token(None, &claims())).await.unwrap_err();
    assert_eq!(refusal, TokenError::AmbiguousKey);
}

#[tokio::test]
async fn numbers_of_a_key_may_be_padded() {
    let (rsa, key) = (TestKey::shared_rsa(), TestKey::p256());
    let padded = |mut jwk: Value, members: &[&str]| {
        for member in members {
            jwk[*member] = json!(format!("{}==", jwk[*member].as_str().unwrap()));
        }
        jwk
    };
    let keys = [
        padded(rsa.jwk("r"), &["n", "e"]),
        padded(key.jwk("k"), &["x", "y"]),
    ];
    let issuer = Issuer::start(Answer::keys(&keys)).await;
    let verifier = issuer.verifier(&HandClock::new());
    verifier.verify(&rsa.token(Some("r"), &claims())).await.unwrap();
    verifier.verify(&key.token(Some("k"), &claims())).await.unwrap();
}

#[tokio::test]
async fn the_future_of_a_verification_stays_small() {
    let issuer = Issuer::start(Answer::keys(&[])).await;
    let verifier = issuer.verifier(&HandClock::new());
    // It is held by every handshake's task; the rare wait for the JWKS is boxed.
    let bytes = size_of_val(&verifier.verify("token"));
    assert!(bytes <= 320, "{bytes} bytes");
}
