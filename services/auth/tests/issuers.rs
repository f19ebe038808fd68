//! Several issuers: which one a token has, and that none speaks for the tenant of another.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod common;

use common::{HandClock, SECRET, claims, claims_with, hs_token, secret_config, verifier};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use switchboard_auth::{AuthConfig, IssuerConfig, MAX_ISSUERS, SubjectMapping, TokenError, Verifier};
use switchboard_protocol::Secret;

const OTHER: &str = "the-other-issuers-own-shared-secret!";

fn issuer(at: usize, iss: &str, secret: &str, tenant: Option<&str>) -> IssuerConfig {
    IssuerConfig {
        at: format!("auth.issuers[{at}]"),
        issuer: Some(iss.into()),
        hs256_secret: Some(Secret::new(secret)),
        tenant: tenant.map(Into::into),
        ..IssuerConfig::default()
    }
}

fn all(issuers: Vec<IssuerConfig>) -> AuthConfig {
    AuthConfig {
        issuers,
        ..AuthConfig::default()
    }
}

/// `one` names tenants by a claim; `two` has the tenant `acme`.
fn two() -> Verifier {
    verifier(all(vec![
        issuer(0, "one", SECRET, None),
        issuer(1, "two", OTHER, Some("acme")),
    ]))
}

fn token(secret: &str, iss: &str, tenant: Option<&str>) -> String {
    let mut claims = claims_with("iss", json!(iss));
    if let Some(tenant) = tenant {
        claims["tenant"] = json!(tenant);
    }
    hs_token(Algorithm::HS256, secret.as_bytes(), &claims)
}

fn problem(config: impl Into<AuthConfig>) -> String {
    Verifier::with_clock(config.into(), HandClock::new().as_clock())
        .expect_err("the configuration should be refused")
        .to_string()
}

#[tokio::test]
async fn the_iss_of_a_token_chooses_its_issuer_with_its_keys_and_its_tenant() {
    let verifier = two();
    let grant = async |token: &str| verifier.verify(token).await;
    for (secret, iss, tenant, peer) in [
        (SECRET, "one", None, "default/alice"),
        (SECRET, "one", Some("calls"), "calls/alice"),
        (OTHER, "two", None, "acme/alice"),
        (OTHER, "two", Some("acme"), "acme/alice"),
    ] {
        let grant = grant(&token(secret, iss, tenant)).await.unwrap();
        assert_eq!(grant.peer.as_str(), peer, "{iss} {tenant:?}");
    }
    for (secret, iss, tenant, code) in [
        (SECRET, "two", None, "token-signature"),
        (OTHER, "one", None, "token-signature"),
        (SECRET, "three", None, "token-issuer"),
        (SECRET, "ONE", None, "token-issuer"),
        (SECRET, "one ", None, "token-issuer"),
        (SECRET, "one", Some("acme"), "token-claims"),
        (OTHER, "two", Some("default"), "token-claims"),
        (OTHER, "two", Some("calls"), "token-claims"),
    ] {
        let refusal = grant(&token(secret, iss, tenant)).await.unwrap_err();
        assert_eq!(refusal.code(), code, "{iss} {tenant:?}: {refusal}");
    }
    for iss in [Value::Null, json!(1), json!(["one"]), json!({"one": 1})] {
        let token = hs_token(Algorithm::HS256, SECRET.as_bytes(), &claims_with("iss", iss));
        assert_eq!(grant(&token).await.unwrap_err(), TokenError::Issuer);
    }
}

#[tokio::test]
async fn an_iss_that_is_there_twice_is_refused_before_a_key_is_chosen() {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let payload = format!(
        r#"{{"sub":"alice","exp":{},"aud":"switchboard","iss":"two","iss":"one"}}"#,
        common::NOW + 9
    );
    let message = format!(
        "{}.{}",
        common::part(&json!({"alg": "HS256"})),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    let refusal = two().verify(&format!("{message}.{signature}")).await.unwrap_err();
    assert_eq!(refusal.code(), "token-malformed");
}

#[tokio::test]
async fn issuers_that_say_so_may_share_a_tenant() {
    let shared = |at, iss, secret, tenant| IssuerConfig {
        shared_tenant: true,
        ..issuer(at, iss, secret, tenant)
    };
    let verifier = verifier(all(vec![
        shared(0, "old", SECRET, None),
        shared(1, "new", OTHER, Some("acme")),
        issuer(2, "alone", "a-third-secret-of-at-least-32-bytes", Some("own")),
    ]));
    let grant = verifier
        .verify(&token(SECRET, "old", Some("acme")))
        .await
        .unwrap();
    assert_eq!(grant.peer.as_str(), "acme/alice");
    let refusal = verifier
        .verify(&token(SECRET, "old", Some("own")))
        .await
        .unwrap_err();
    assert_eq!(refusal.code(), "token-claims", "the third one does not share");
}

#[test]
fn mistakes_among_issuers_are_named() {
    for (config, words) in [
        (
            all(vec![
                issuer(0, "a", SECRET, Some("x")),
                issuer(1, "a", OTHER, Some("y")),
            ]),
            "auth.issuers[1].issuer: is also auth.issuers[0].issuer",
        ),
        (
            all(vec![
                issuer(0, "a", SECRET, Some("x")),
                issuer(1, "b", OTHER, Some("x")),
            ]),
            "auth.issuers[1].tenant: is also auth.issuers[0].tenant",
        ),
        (
            all(vec![issuer(0, "a", SECRET, None), issuer(1, "b", OTHER, None)]),
            "both could name any tenant",
        ),
        (
            all(vec![
                issuer(0, "a", SECRET, Some("x")),
                IssuerConfig {
                    shared_tenant: true,
                    ..issuer(1, "b", OTHER, Some("x"))
                },
            ]),
            "set shared_tenant = true in both",
        ),
        (
            all(vec![
                issuer(0, "a", SECRET, Some("x")),
                IssuerConfig {
                    issuer: None,
                    ..issuer(1, "", OTHER, Some("y"))
                },
            ]),
            "auth.issuers[1].issuer: is empty; the `iss` of a token chooses",
        ),
        (
            all((0..=MAX_ISSUERS)
                .map(|at| issuer(at, &at.to_string(), SECRET, Some("x")))
                .collect()),
            "auth.issuers: 65 issuers",
        ),
        (
            all(vec![issuer(0, "a", SECRET, Some("not/a/tenant"))]),
            "auth.issuers[0].tenant",
        ),
    ] {
        let problem = problem(config);
        assert!(problem.contains(words), "{words}: {problem}");
    }
}

#[test]
fn mistakes_of_one_issuer_are_named() {
    let with = |change: fn(&mut IssuerConfig)| {
        let mut config = secret_config();
        change(&mut config);
        problem(config)
    };
    type Change = fn(&mut IssuerConfig);
    let cases: [(Change, &str); 9] = [
        (
            |c| c.algorithms = vec!["RS256".into()],
            "auth.algorithms: has RS256, for which",
        ),
        (
            |c| c.algorithms = vec!["none".into()],
            "auth.algorithms: \"none\" is none",
        ),
        (|c| c.peer_claim = String::new(), "auth.peer_claim: is empty"),
        (|c| c.tenant_claim = String::new(), "auth.tenant_claim: is empty"),
        (|c| c.discovery = true, "auth.discovery: needs the key issuer"),
        (|c| c.hs256_secret_file = Some("/x".into()), "not both"),
        (
            |c| (c.discovery, c.issuer) = (true, Some("http://id.example".into())),
            "auth.issuer: the scheme is http, which is accepted for loopback",
        ),
        (
            |c| (c.discovery, c.issuer) = (true, Some("https://id.example?a=b".into())),
            "auth.issuer: it has a query",
        ),
        (
            |c| {
                (c.discovery, c.issuer, c.jwks_url) =
                    (true, Some("https://i".into()), Some("https://j".into()))
            },
            "set either jwks_url or discovery",
        ),
    ];
    for (change, words) in cases {
        let problem = with(change);
        assert!(problem.contains(words), "{words}: {problem}");
    }
}

#[tokio::test]
async fn algorithms_of_an_issuer_can_be_restricted() {
    let verifier = verifier(IssuerConfig {
        algorithms: vec!["HS512".into()],
        ..secret_config()
    });
    let token = |algorithm| hs_token(algorithm, SECRET.as_bytes(), &claims());
    verifier.verify(&token(Algorithm::HS512)).await.unwrap();
    let refusal = verifier.verify(&token(Algorithm::HS256)).await.unwrap_err();
    assert_eq!(refusal, TokenError::Algorithm);
}

#[tokio::test]
async fn a_configured_claim_names_the_peer_and_another_one_the_tenant() {
    let verifier = verifier(IssuerConfig {
        peer_claim: "https://app.example/user".into(),
        tenant_claim: "org_id".into(),
        subject_mapping: SubjectMapping::Escape,
        ..secret_config()
    });
    let verify = async |claims: Value| {
        let token = hs_token(Algorithm::HS256, SECRET.as_bytes(), &claims);
        verifier.verify(&token).await
    };
    let mut all = claims_with("https://app.example/user", json!("ann@x.example"));
    all["org_id"] = json!("acme");
    all["tenant"] = json!("ignored here");
    assert_eq!(
        verify(all.clone()).await.unwrap().peer.as_str(),
        "acme/ann@x.example"
    );
    all.as_object_mut().unwrap().remove("sub");
    assert_eq!(
        verify(all.clone()).await.unwrap().peer.peer(),
        "ann@x.example",
        "sub is not needed"
    );
    for (claim, value) in [
        ("https://app.example/user", json!(7)),
        ("https://app.example/user", json!("")),
        ("org_id", json!("a/b")),
        ("org_id", json!(1)),
    ] {
        let mut bad = all.clone();
        bad[claim] = value;
        let refusal = verify(bad).await.unwrap_err();
        assert_eq!(refusal.code(), "token-claims");
        assert!(refusal.to_string().contains(&format!("`{claim}`")), "{refusal}");
    }
    let missing = verify(claims()).await.unwrap_err().to_string();
    assert!(
        missing.contains("`https://app.example/user`, the peer ID, is missing"),
        "{missing}"
    );
}

#[tokio::test]
async fn a_required_claim_keeps_strangers_of_a_public_issuer_out() {
    let required = [("repository_owner", "acme"), ("ref", "refs/heads/main")];
    let verifier = verifier(IssuerConfig {
        required_claims: required.map(|(name, value)| (name.into(), value.into())).into(),
        ..secret_config()
    });
    let verify = async |owner: Value| {
        let mut claims = claims_with("repository_owner", owner);
        claims["ref"] = json!("refs/heads/main");
        verifier
            .verify(&hs_token(Algorithm::HS256, SECRET.as_bytes(), &claims))
            .await
    };
    verify(json!("acme")).await.unwrap();
    for owner in [
        json!("acme2"),
        json!("Acme"),
        json!(""),
        json!(["acme"]),
        Value::Null,
    ] {
        let refusal = verify(owner.clone()).await.unwrap_err();
        assert_eq!(refusal.http_status(), 403, "{owner}");
        assert!(refusal.to_string().contains("`repository_owner`"), "{refusal}");
    }
}

#[tokio::test]
async fn own_tokens_are_accepted_by_the_issuer_that_signs_them() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.secret"), format!("{OTHER}\n")).unwrap();
    std::fs::write(dir.path().join("b.secret"), SECRET).unwrap();
    let named = IssuerConfig {
        hs256_secret: None,
        hs256_secrets_dir: Some(dir.path().to_owned()),
        audience: Some("calls".into()),
        ..issuer(1, "two", OTHER, Some("acme"))
    };
    let foreign = IssuerConfig {
        peer_claim: "email".into(),
        ..issuer(0, "one", SECRET, None)
    };
    let verifier = verifier(all(vec![foreign, named]));
    let own = verifier.own_issuer().unwrap();
    let claims = switchboard_protocol::Claims {
        sub: "alice".into(),
        exp: common::NOW + 9,
        iss: own.issuer,
        ..Default::default()
    };
    let token = own.minter.mint(&claims, own.audience.as_deref()).unwrap();
    let header = switchboard_auth::inspect(token.expose(), common::NOW)
        .unwrap()
        .header;
    assert_eq!(header["kid"], "a", "the first secret by name");
    assert_eq!(
        verifier.verify(token.expose()).await.unwrap().peer.as_str(),
        "acme/alice"
    );
}
