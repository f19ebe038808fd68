//! Which keys of a published set are used, and for which tokens. When the set is fetched: `jwks.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod common;

use common::{
    HandClock, TestKey, claims,
    issuer::{Answer, Issuer, unavailable},
};
use serde_json::{Value, json};
use switchboard_auth::{MAX_KEYS, MIN_REFRESH_INTERVAL_S, TokenError};

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
    assert_eq!(refusal, TokenError::Signature, "no key of a moment ago signed it");
    let refusal = verifier
        .verify(&new.token(Some("new"), &claims()))
        .await
        .unwrap_err();
    assert_eq!(
        refusal,
        unavailable(MIN_REFRESH_INTERVAL_S),
        "its name may be newer"
    );
    clock.advance(MIN_REFRESH_INTERVAL_S);
    verifier.verify(&new.token(None, &claims())).await.unwrap();

    issuer.set(Answer {
        status: 503,
        ..Answer::body("down")
    });
    clock.advance(MIN_REFRESH_INTERVAL_S);
    let stranger = TestKey::p256().token(None, &claims());
    for _ in 0..2 {
        let refusal = verifier.verify(&stranger).await.unwrap_err();
        assert_eq!(
            refusal,
            unavailable(MIN_REFRESH_INTERVAL_S),
            "its key may be published, unseen"
        );
    }
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
