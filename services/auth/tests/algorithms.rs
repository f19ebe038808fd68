//! Every allowed algorithm verifies, and no token uses a key for another algorithm.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod common;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use common::{SECRET, TestKey, claims, dir_config, hs_token, part, pem, secret_config, verifier};
use jsonwebtoken::Algorithm;
use serde_json::json;
use switchboard_auth::{AuthConfig, IssuerConfig, TokenError};
use switchboard_protocol::Secret;

#[tokio::test]
async fn each_hmac_algorithm_is_verified_with_a_shared_secret() {
    let verifier = verifier(secret_config());
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let grant = verifier
            .verify(&hs_token(algorithm, SECRET.as_bytes(), &claims()))
            .await
            .unwrap();
        assert_eq!(grant.peer.as_str(), "default/alice", "{algorithm:?}");
    }
}

#[tokio::test]
async fn each_public_key_algorithm_is_verified_with_its_pem_key() {
    let dir = tempfile::tempdir().unwrap();
    let keys = [
        ("rsa", TestKey::rsa()),
        ("p256", TestKey::p256()),
        ("p384", TestKey::p384()),
        ("ed", TestKey::ed25519()),
    ];
    for (kid, key) in &keys {
        key.write_public(dir.path(), kid);
    }
    let verifier = verifier(dir_config(dir.path()));
    let mut seen = 0;
    for (kid, key) in &keys {
        for algorithm in &key.algorithms {
            let token = key.token_with(*algorithm, Some(kid), &claims());
            let grant = verifier
                .verify(&token)
                .await
                .unwrap_or_else(|why| panic!("{algorithm:?}: {why}"));
            assert_eq!(grant.peer.peer(), "alice");
            seen += 1;
        }
    }
    assert_eq!(seen, 9, "RS and PS with three hashes each, ES256, ES384, EdDSA");
}

#[tokio::test]
async fn during_a_rotation_both_shared_secrets_are_accepted_and_no_third() {
    let other = "another-secret-of-at-least-32-bytes!";
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("new.secret"), other).unwrap();
    let verifier = verifier(IssuerConfig {
        hs256_secrets_dir: Some(dir.path().to_owned()),
        ..secret_config()
    });
    for secret in [SECRET, other] {
        assert!(
            verifier
                .verify(&hs_token(Algorithm::HS256, secret.as_bytes(), &claims()))
                .await
                .is_ok()
        );
    }
    let forged = hs_token(
        Algorithm::HS256,
        b"a third secret that nobody configured",
        &claims(),
    );
    assert_eq!(verifier.verify(&forged).await.unwrap_err(), TokenError::Signature);
}

#[tokio::test]
async fn a_public_key_never_serves_as_a_shared_secret() {
    let dir = tempfile::tempdir().unwrap();
    let key = TestKey::shared_rsa();
    key.write_public(dir.path(), "k1");
    let only_public = verifier(dir_config(dir.path()));
    let mut both = dir_config(dir.path());
    both.hs256_secret = Some(Secret::new(SECRET));
    let both = verifier(both);

    let trimmed = key.public_pem.trim_end();
    for bytes in [key.public_pem.as_bytes(), trimmed.as_bytes()] {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let forged = hs_token(algorithm, bytes, &claims());
            assert_eq!(
                only_public.verify(&forged).await.unwrap_err(),
                TokenError::Algorithm
            );
            assert_eq!(both.verify(&forged).await.unwrap_err(), TokenError::Signature);
        }
    }
}

#[tokio::test]
async fn alg_none_is_refused_in_every_spelling() {
    let verifier = verifier(secret_config());
    for alg in ["none", "None", "NONE", "nOnE", "", "HS1", "ES512"] {
        let unsigned = format!("{}.{}.", part(&json!({"alg": alg})), part(&claims()));
        assert_eq!(
            verifier.verify(&unsigned).await.unwrap_err(),
            TokenError::Algorithm,
            "{alg:?}"
        );
    }
    let without = format!("{}.{}.", part(&json!({"typ": "JWT"})), part(&claims()));
    assert_eq!(
        verifier.verify(&without).await.unwrap_err().code(),
        "token-malformed"
    );
}

#[tokio::test]
async fn a_header_cannot_name_an_algorithm_of_another_key_type() {
    let dir = tempfile::tempdir().unwrap();
    let key = TestKey::p256();
    key.write_public(dir.path(), "k1");
    let verifier = verifier(dir_config(dir.path()));
    let genuine = key.token(Some("k1"), &claims());
    let rest = genuine.split_once('.').unwrap().1;
    for alg in ["ES384", "RS256", "PS512", "EdDSA", "HS256"] {
        let swapped = format!("{}.{rest}", part(&json!({"alg": alg, "kid": "k1"})));
        let refusal = verifier.verify(&swapped).await.unwrap_err();
        assert!(matches!(refusal, TokenError::Algorithm), "{alg}: {refusal}");
    }
}

#[tokio::test]
async fn a_key_in_the_tokens_own_header_is_never_used() {
    let dir = tempfile::tempdir().unwrap();
    TestKey::p256().write_public(dir.path(), "k1");
    let verifier = verifier(dir_config(dir.path()));
    let mallory = TestKey::p256();
    let header = json!({"alg": "ES256", "kid": "k1", "jwk": mallory.jwk("k1"), "jku": "http://127.0.0.1:1/"});
    let message = format!("{}.{}", part(&header), part(&claims()));
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), &mallory.encoding(), Algorithm::ES256).unwrap();
    let refusal = verifier
        .verify(&format!("{message}.{signature}"))
        .await
        .unwrap_err();
    assert_eq!(refusal, TokenError::Signature);
}

#[tokio::test]
async fn a_changed_payload_or_signature_is_refused() {
    let verifier = verifier(secret_config());
    let token = hs_token(Algorithm::HS256, SECRET.as_bytes(), &claims());
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    let mut other = claims();
    other["sub"] = json!("bob");
    for changed in [
        format!("{header}.{}.{signature}", part(&other)),
        format!("{header}.{payload}."),
        format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode([0; 32])),
        format!("{header}.{payload}.{}", &signature[..signature.len() - 2]),
        format!("{header}.{payload}.not*base64"),
    ] {
        assert_eq!(
            verifier.verify(&changed).await.unwrap_err(),
            TokenError::Signature
        );
    }
}

#[tokio::test]
async fn a_token_without_kid_is_tried_with_each_key_that_fits() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (TestKey::p256(), TestKey::p256());
    first.write_public(dir.path(), "first");
    TestKey::ed25519().write_public(dir.path(), "other-type");
    let token = first.token(None, &claims());
    assert!(verifier(dir_config(dir.path())).verify(&token).await.is_ok());

    second.write_public(dir.path(), "second");
    let two = verifier(dir_config(dir.path()));
    assert!(two.verify(&token).await.is_ok());
    assert!(two.verify(&second.token(None, &claims())).await.is_ok());
    let stranger = TestKey::p256().token(None, &claims());
    assert_eq!(two.verify(&stranger).await.unwrap_err(), TokenError::Signature);
    assert!(two.verify(&second.token(Some("second"), &claims())).await.is_ok());
    let unknown = second.token(Some("third"), &claims());
    assert_eq!(two.verify(&unknown).await.unwrap_err(), TokenError::UnknownKey);
    let crossed = second.token(Some("first"), &claims());
    assert_eq!(two.verify(&crossed).await.unwrap_err(), TokenError::Signature);
}

#[tokio::test]
async fn a_remembered_token_still_expires() {
    let dir = tempfile::tempdir().unwrap();
    let key = TestKey::p256();
    key.write_public(dir.path(), "k1");
    let clock = common::HandClock::new();
    let verifier =
        switchboard_auth::Verifier::with_clock(dir_config(dir.path()).into(), clock.as_clock()).unwrap();
    let mut short = claims();
    short["exp"] = json!(common::NOW + 20);
    let token = key.token(Some("k1"), &short);
    assert!(verifier.verify(&token).await.is_ok());
    assert!(verifier.verify(&token).await.is_ok());
    assert_eq!(verifier.stats().verified_hits, 1);
    clock.advance(20);
    assert_eq!(verifier.verify(&token).await.unwrap_err().code(), "token-expired");
}

/// One DER value with the shortest form of its length.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let [high, low] = length.to_be_bytes();
    let length = match length {
        0..128 => vec![low],
        128..256 => vec![0x81, low],
        _ => vec![0x82, high, low],
    };
    [&[tag], &length[..], content].concat()
}

/// A PKCS#1 public key with a modulus of `bytes` bytes.
fn rsa_public_pem(bytes: usize) -> String {
    let modulus = [&[0], &vec![0xc5; bytes][..]].concat();
    let body = [der(0x02, &modulus), der(0x02, &[1, 0, 1])].concat();
    pem("RSA PUBLIC KEY", &der(0x30, &body))
}

#[test]
fn unusable_keys_are_refused_with_file_and_reason() {
    let p256 = TestKey::p256();
    for (name, text, reason) in [
        ("small", rsa_public_pem(128), "RSA key of 1024 bits"),
        ("huge", rsa_public_pem(2048), "RSA key of 16384 bits"),
        ("private", p256.private_pem.clone(), "PRIVATE key"),
        ("cert", pem("CERTIFICATE", b"x"), "another kind"),
        ("text", "hello".to_owned(), "not a PEM file"),
        (
            "broken",
            pem("PUBLIC KEY", b"\x30\x03\x02\x01\x01"),
            "not a readable",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(format!("{name}.pem")), text).unwrap();
        let refusal = switchboard_auth::Verifier::new(dir_config(dir.path()).into())
            .unwrap_err()
            .to_string();
        assert!(refusal.contains("auth.public_keys_dir"), "{refusal}");
        assert!(
            refusal.contains(&format!("{name}.pem")) && refusal.contains(reason),
            "{refusal}"
        );
    }
}

#[test]
fn a_bad_configuration_is_refused_with_the_key_to_change() {
    let empty = tempfile::tempdir().unwrap();
    let with_secret = |secret: &str| IssuerConfig {
        hs256_secret: Some(Secret::new(secret)),
        ..IssuerConfig::default()
    };
    let jwks = |url: &str| common::jwks_config(url.to_owned()).into();
    let cases: [(AuthConfig, &str); 12] = [
        (AuthConfig::default(), "set auth.hs256_secret"),
        (IssuerConfig::default().into(), "set auth.hs256_secret"),
        (with_secret("short").into(), "auth.hs256_secret: has 5 bytes"),
        (with_secret(&TestKey::p256().public_pem).into(), "is a PEM key"),
        (
            AuthConfig {
                leeway_s: 301,
                ..secret_config().into()
            },
            "auth.leeway_s: 301",
        ),
        (
            AuthConfig {
                max_token_bytes: 10,
                ..secret_config().into()
            },
            "auth.max_token_bytes: 10",
        ),
        (
            IssuerConfig {
                audience: Some(String::new()),
                ..secret_config()
            }
            .into(),
            "auth.audience: is empty",
        ),
        (dir_config(empty.path()).into(), "has no file named <kid>.pem"),
        (
            dir_config(&empty.path().join("gone")).into(),
            "auth.public_keys_dir",
        ),
        (jwks("not a url"), "auth.jwks_url"),
        (jwks("file:///etc/passwd"), "auth.jwks_url"),
        (
            jwks("https://user:word@id.example/jwks"),
            "auth.jwks_url: it carries a user name",
        ),
    ];
    for (config, words) in cases {
        let refusal = switchboard_auth::Verifier::new(config).unwrap_err().to_string();
        assert!(refusal.contains(words), "{refusal}");
        assert!(!refusal.contains(SECRET), "{refusal}");
    }
}
