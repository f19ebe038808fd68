//! Minted tokens are accepted, and an inspection never claims to be a verification.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod common;

use common::{NOW, SECRET, TestKey, claims_with, dir_config, secret_config, verifier};
use serde_json::value::RawValue;
use switchboard_auth::{MintError, Minter, TokenError, inspect};
use switchboard_protocol::{Claims, DuplicatePolicy, Role, Secret, SwitchboardClaims};

fn full_claims() -> Claims {
    Claims {
        sub: "alice".into(),
        exp: NOW + 600,
        nbf: None,
        iat: Some(NOW),
        iss: None,
        jti: Some("t-1".into()),
        tenant: Some("acme".into()),
        switchboard: SwitchboardClaims {
            role: Role::Backend,
            send: Some(vec!["team-*".into()]),
            rooms: None,
            info: Some(RawValue::from_string(r#"{"name": "Alice"}"#.into()).unwrap()),
            duplicate: DuplicatePolicy::Reject,
            limits: None,
            region: None,
        },
    }
}

#[tokio::test]
async fn a_token_minted_with_a_secret_carries_every_claim() {
    let token = Minter::hs256(&Secret::new(SECRET))
        .unwrap()
        .mint(&full_claims(), Some("switchboard"))
        .unwrap();
    let grant = verifier(secret_config()).verify(token.expose()).await.unwrap();
    assert_eq!(grant.peer.as_str(), "acme/alice");
    assert_eq!(
        (grant.role, grant.duplicate),
        (Role::Backend, DuplicatePolicy::Reject)
    );
    assert!(grant.send.allow("team-1") && !grant.send.allow("bob") && grant.rooms.allow("any"));
    assert_eq!(grant.info.unwrap().get(), r#"{"name": "Alice"}"#);
    assert_eq!(
        (grant.issued_at, grant.token_id.as_deref()),
        (Some(NOW), Some("t-1"))
    );
}

#[tokio::test]
async fn every_private_key_type_mints_what_its_public_key_verifies() {
    let dir = tempfile::tempdir().unwrap();
    for (kid, key) in [
        ("rsa", TestKey::rsa()),
        ("p256", TestKey::p256()),
        ("p384", TestKey::p384()),
        ("ed", TestKey::ed25519()),
    ] {
        key.write_public(dir.path(), kid);
        let private = dir.path().join(format!("{kid}.private"));
        std::fs::write(&private, &key.private_pem).unwrap();
        let minter = Minter::from_private_pem_file(&private, Some(kid)).unwrap();
        let token = minter.mint(&full_claims(), Some("switchboard")).unwrap();
        verifier(dir_config(dir.path()))
            .verify(token.expose())
            .await
            .unwrap();
        let header = inspect(token.expose(), NOW).unwrap().header;
        assert_eq!(header["kid"], kid);
        assert!(!format!("{minter:?}").contains("PRIVATE"));
    }
}

#[tokio::test]
async fn a_token_minted_for_another_audience_is_refused() {
    let minter = Minter::hs256(&Secret::new(SECRET)).unwrap();
    for audience in [None, Some("elsewhere")] {
        let token = minter.mint(&full_claims(), audience).unwrap();
        let refusal = verifier(secret_config())
            .verify(token.expose())
            .await
            .unwrap_err();
        assert_eq!(refusal, TokenError::Audience);
    }
}

#[test]
fn a_key_that_cannot_sign_is_refused_with_the_solution() {
    assert!(matches!(
        Minter::hs256(&Secret::new("short")),
        Err(MintError::SecretTooShort(5))
    ));
    for pem in [
        TestKey::p256().public_pem,
        TestKey::shared_rsa().public_pem.clone(),
        "hello".into(),
    ] {
        let refusal = Minter::from_private_pem(pem.as_bytes(), None).unwrap_err();
        assert!(matches!(refusal, MintError::Key), "{refusal}");
        assert!(refusal.to_string().contains("openssl pkcs8"), "{refusal}");
    }
}

#[test]
fn inspecting_shows_times_for_people_and_says_that_nothing_was_verified() {
    let token = Minter::hs256(&Secret::new(SECRET))
        .unwrap()
        .mint(&full_claims(), Some("switchboard"))
        .unwrap();
    let forged = format!("{}x", token.expose());
    let inspection = inspect(&forged, NOW).unwrap();
    let shown = inspection.to_string();
    assert!(shown.starts_with("NOT VERIFIED"), "{shown}");
    assert!(
        shown.contains("expires     2027-01-15 08:10:00 UTC  (in 10 min)"),
        "{shown}"
    );
    assert!(
        shown.contains("\"HS256\"") && shown.contains("\"alice\""),
        "{shown}"
    );
    assert_eq!(serde_json::to_value(&inspection).unwrap()["verified"], false);
}

#[test]
fn inspecting_names_a_time_in_milliseconds() {
    let claims = claims_with("exp", serde_json::json!((NOW + 600) * 1_000));
    let token = common::hs_token(jsonwebtoken::Algorithm::HS256, SECRET.as_bytes(), &claims);
    let shown = inspect(&token, NOW).unwrap().to_string();
    assert!(
        shown.contains("expires     too late") && shown.contains("milliseconds"),
        "{shown}"
    );
}

#[test]
fn inspecting_an_invalid_token_names_the_problem() {
    assert_eq!(inspect("", NOW).unwrap_err(), TokenError::Missing);
    for text in ["x", "a.b.c", "e30.e30", "e30.e30.x.y", "W10.e30.x"] {
        assert_eq!(
            inspect(text, NOW).unwrap_err().code(),
            "token-malformed",
            "{text}"
        );
    }
    assert_eq!(
        inspect(&"x".repeat(65_537), NOW).unwrap_err().code(),
        "token-too-large"
    );
    let unsigned = format!("{}.e30.", common::part(&serde_json::json!({"alg": "none"})));
    assert!(inspect(&unsigned, NOW).unwrap().to_string().contains("never"));
}
