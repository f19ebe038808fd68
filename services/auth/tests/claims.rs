//! Every rule about claims, each with the code and the status a client sees.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod common;

use common::{NOW, SECRET, claims, claims_with, hs_token, secret_config, verifier};
use jsonwebtoken::Algorithm;
use proptest::prelude::{any, prop, prop_assert, proptest};
use serde_json::{Value, json};
use switchboard_auth::{IssuerConfig, SubjectMapping, TokenError};
use switchboard_protocol::{DuplicatePolicy, Grant, Role};

async fn verify_with(config: IssuerConfig, claims: &Value) -> Result<Grant, TokenError> {
    verifier(config)
        .verify(&hs_token(Algorithm::HS256, SECRET.as_bytes(), claims))
        .await
}

async fn verify(claims: &Value) -> Result<Grant, TokenError> {
    verify_with(secret_config(), claims).await
}

async fn refusal(claims: &Value) -> (&'static str, u16) {
    let error = verify(claims).await.expect_err("the token should be refused");
    (error.code(), error.http_status())
}

#[tokio::test]
async fn all_claims_reach_the_grant() {
    let grant = verify(&json!({
        "sub": "alice", "exp": NOW + 600, "iat": NOW - 5, "nbf": NOW, "aud": ["other", "switchboard"],
        "jti": "t-1", "tenant": "acme", "unknown": {"is": "ignored"},
        "switchboard": {
            "role": "backend", "send": ["team-*"], "rooms": [], "duplicate": "reject",
            "info": {"name": "Alice"},
            "region": "eu",
        },
    }))
    .await
    .unwrap();
    assert_eq!(grant.peer.as_str(), "acme/alice");
    assert_eq!(grant.role, Role::Backend);
    assert!(grant.send.allow("team-7") && !grant.send.allow("bob"));
    assert!(!grant.rooms.allow("lobby"), "an empty list allows nothing");
    assert_eq!(grant.info.unwrap().get(), r#"{"name":"Alice"}"#);
    assert_eq!(grant.region.unwrap().as_str(), "eu");
    assert_eq!(grant.duplicate, DuplicatePolicy::Reject);
    assert_eq!((grant.expires_at, grant.issued_at), (NOW + 600, Some(NOW - 5)));
    assert_eq!(grant.token_id.as_deref(), Some("t-1"));
}

#[tokio::test]
async fn absent_claims_have_the_defaults_of_the_protocol() {
    let grant = verify(&claims()).await.unwrap();
    assert_eq!(grant.peer.as_str(), "default/alice");
    assert_eq!(
        (grant.role, grant.duplicate),
        (Role::Peer, DuplicatePolicy::Replace)
    );
    assert!(grant.send.allow("anyone") && grant.rooms.allow("anywhere"));
    assert!(grant.info.is_none() && grant.token_id.is_none() && grant.issued_at.is_none());
}

#[tokio::test]
async fn a_token_ends_at_its_exp_without_leeway() {
    assert_eq!(
        verify(&claims_with("exp", json!(NOW + 1)))
            .await
            .unwrap()
            .expires_at,
        NOW + 1
    );
    for exp in [json!(NOW), json!(NOW - 1), json!(0), json!(NOW as f64 - 0.5)] {
        assert_eq!(refusal(&claims_with("exp", exp)).await, ("token-expired", 401));
    }
}

#[tokio::test]
async fn a_token_may_start_up_to_the_leeway_in_the_future() {
    for claim in ["nbf", "iat"] {
        assert!(verify(&claims_with(claim, json!(NOW + 30))).await.is_ok());
        assert_eq!(
            refusal(&claims_with(claim, json!(NOW + 31))).await,
            ("token-not-yet-valid", 401)
        );
    }
}

#[tokio::test]
async fn a_time_may_have_a_fraction() {
    let grant = verify(&claims_with("exp", json!(NOW as f64 + 600.75)))
        .await
        .unwrap();
    assert_eq!(grant.expires_at, NOW + 600);
}

#[tokio::test]
async fn sub_and_exp_are_required() {
    assert_eq!(
        refusal(&claims_with("sub", Value::Null)).await,
        ("token-claims", 403)
    );
    assert_eq!(
        refusal(&claims_with("exp", Value::Null)).await,
        ("token-claims", 403)
    );
}

#[tokio::test]
async fn issuer_and_audience_are_checked_when_configured() {
    let strict = || IssuerConfig {
        issuer: Some("https://id.example".into()),
        ..secret_config()
    };
    let good = claims_with("iss", json!("https://id.example"));
    assert!(verify_with(strict(), &good).await.is_ok());
    for bad in [claims(), claims_with("iss", json!("https://evil.example"))] {
        let error = verify_with(strict(), &bad).await.unwrap_err();
        assert_eq!((error.code(), error.http_status()), ("token-issuer", 401));
    }
    for aud in [
        Value::Null,
        json!("other"),
        json!([]),
        json!(["a", "b"]),
        json!("switchboard2"),
    ] {
        assert_eq!(refusal(&claims_with("aud", aud)).await, ("token-audience", 401));
    }
    let open = || IssuerConfig {
        audience: None,
        ..secret_config()
    };
    assert!(
        verify_with(open(), &claims_with("aud", Value::Null))
            .await
            .is_ok()
    );
    assert!(
        verify_with(open(), &claims_with("aud", json!("other")))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_claim_of_the_wrong_form_is_named_in_the_refusal() {
    let switchboard = |member: &str, value: Value| claims_with("switchboard", json!({ member: value }));
    for (bad, name) in [
        (claims_with("sub", json!(7)), "`sub`"),
        (claims_with("sub", json!("")), "`sub`"),
        (claims_with("sub", json!("al ice")), "`sub`"),
        (claims_with("sub", json!("a".repeat(129))), "`sub`"),
        (claims_with("sub", json!("other/alice")), "`sub`"),
        (claims_with("exp", json!("soon")), "`exp`"),
        (claims_with("exp", json!(-1)), "`exp`"),
        (claims_with("iat", json!([])), "`iat`"),
        (claims_with("nbf", json!({})), "`nbf`"),
        (claims_with("jti", json!(1)), "`jti`"),
        (claims_with("aud", json!(1)), "`aud`"),
        (claims_with("tenant", json!("")), "`tenant`"),
        (claims_with("tenant", json!("a/b")), "`tenant`"),
        (claims_with("switchboard", json!([])), "`switchboard`"),
        (claims_with("switchboard", json!("x")), "`switchboard`"),
        (switchboard("role", json!("admin")), "`switchboard.role`"),
        (switchboard("duplicate", json!(true)), "`switchboard.duplicate`"),
        (
            switchboard("sendd", json!(["bob"])),
            "`switchboard.sendd` is not known",
        ),
        (
            switchboard("Role", json!("peer")),
            "`switchboard.Role` is not known",
        ),
        (
            claims_with("exp", json!((NOW + 600) * 1_000)),
            "`exp` is too large for a time in seconds",
        ),
        (claims_with("iat", json!(NOW * 1_000)), "milliseconds"),
        (claims_with("nbf", json!(NOW as f64 * 1_000.0)), "milliseconds"),
        (claims_with("exp", json!(1e300)), "milliseconds"),
        (
            claims_with("sub", json!("auth0|507f1f77")),
            "auth.subject_mapping",
        ),
        (switchboard("SEND", json!([])), "`switchboard.SEND` is not known"),
        (
            switchboard("send ", json!([])),
            "`switchboard.send ` is not known",
        ),
        (switchboard("", json!([])), "`switchboard.` is not known"),
        (switchboard("sub", json!("bob")), "`switchboard.sub` is not known"),
        (
            switchboard("tenant", json!("acme")),
            "`switchboard.tenant` is not known",
        ),
        (
            switchboard("switchboard", json!({"send": []})),
            "`switchboard.switchboard` is not known",
        ),
        (
            switchboard("send.rooms", json!([])),
            "`switchboard.send.rooms` is not known",
        ),
        (
            switchboard("__proto__", json!({})),
            "`switchboard.__proto__` is not known",
        ),
        (
            claims_with("switchboard", json!([{"send": []}])),
            "`switchboard` must be an object",
        ),
        (switchboard("send", json!("*")), "`switchboard.send`"),
        (switchboard("send", json!([1])), "`switchboard.send`"),
        (
            switchboard("rooms", json!(vec!["x"; 65])),
            "`switchboard.rooms` has 65 patterns",
        ),
        (switchboard("info", json!("Alice")), "`switchboard.info`"),
        (
            switchboard("info", json!({"name": "a".repeat(1024)})),
            "`switchboard.info` has 1035 bytes",
        ),
        (switchboard("region", json!(["eu"])), "`switchboard.region`"),
        (
            switchboard("region", json!("e u")),
            "`switchboard.region`: the name",
        ),
    ] {
        let error = verify(&bad).await.expect_err(name);
        assert_eq!(
            (error.code(), error.http_status()),
            ("token-claims", 403),
            "{bad}"
        );
        assert!(error.to_string().contains(name), "{error}");
    }
}

/// Signs a payload that no JSON library would write.
fn signed(payload: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let header = common::part(&json!({"alg": "HS256"}));
    let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload));
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

#[tokio::test]
async fn a_payload_that_is_not_one_plain_object_is_malformed() {
    let verifier = verifier(secret_config());
    for payload in [
        &b""[..],
        b"null",
        b"[\"alice\", 9999999999]",
        b"{\"sub\":\"a\"",
        b"{\"sub\":\"alice\",\"sub\":\"bob\",\"exp\":9999999999,\"aud\":\"switchboard\"}",
        b"{\"sub\":\"\xff\"}",
        "[".repeat(4000).as_bytes(),
    ] {
        let error = verifier.verify(&signed(payload)).await.unwrap_err();
        assert_eq!(
            error.code(),
            "token-malformed",
            "{}",
            String::from_utf8_lossy(payload)
        );
    }
}

#[tokio::test]
async fn a_restriction_that_is_there_twice_or_null_never_counts_as_none() {
    let verifier = verifier(secret_config());
    for (claims, code) in [
        (
            r#""switchboard":{"role":"peer","role":"backend"}"#,
            "token-claims",
        ),
        (r#""switchboard":{"send":[],"send":["*"]}"#, "token-claims"),
        (r#""switchboard":{"send":[],"s\u0065nd":["*"]}"#, "token-claims"),
        (r#""switchboard":{"rooms":[],"roomz":["*"]}"#, "token-claims"),
        (r#""switchboard":{"send":[]},"switchboard":{}"#, "token-malformed"),
        (
            r#""switchboard":{"send":[]},"switchb\u006fard":{}"#,
            "token-malformed",
        ),
        (r#""switchboard":null"#, "token-claims"),
        (r#""switchboard":{"send":null}"#, "token-claims"),
        (r#""switchboard":{"rooms":null}"#, "token-claims"),
        (r#""switchboard":{"role":null}"#, "token-claims"),
        (r#""switchboard":{"info":null}"#, "token-claims"),
        (r#""switchboard":{"region":null}"#, "token-claims"),
        (r#""switchboard":{"duplicate":null}"#, "token-claims"),
        (r#""switchboard":{"sendd":null}"#, "token-claims"),
        (r#""tenant":null"#, "token-claims"),
        (r#""tenant":"a","tenant":"b""#, "token-malformed"),
    ] {
        let payload = format!(r#"{{"sub":"a","exp":9999999999,"aud":"switchboard",{claims}}}"#);
        let refusal = verifier.verify(&signed(payload.as_bytes())).await.unwrap_err();
        assert_eq!(refusal.code(), code, "{claims}: {refusal}");
    }
}

#[tokio::test]
async fn a_malformed_token_is_refused_before_any_look_up() {
    let verifier = verifier(secret_config());
    assert_eq!(verifier.verify("").await.unwrap_err(), TokenError::Missing);
    for token in [
        "x",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "e30.e30.",
        "bnVsbA.e30.x",
        "W10.e30.x",
    ] {
        let error = verifier.verify(token).await.unwrap_err();
        assert_eq!(
            (error.code(), error.http_status()),
            ("token-malformed", 401),
            "{token}"
        );
    }
    let critical = format!(
        "{}.e30.x",
        common::part(&json!({"alg": "HS256", "crit": ["b64"], "b64": false}))
    );
    assert!(
        verifier
            .verify(&critical)
            .await
            .unwrap_err()
            .to_string()
            .contains("crit")
    );
    let long_kid = format!(
        "{}.e30.x",
        common::part(&json!({"alg": "ES256", "kid": "k".repeat(257)}))
    );
    assert!(
        verifier
            .verify(&long_kid)
            .await
            .unwrap_err()
            .to_string()
            .contains("kid")
    );
}

#[tokio::test]
async fn a_token_over_the_limit_is_refused_by_its_length_alone() {
    let token = "x".repeat(8193);
    let error = verifier(secret_config()).verify(&token).await.unwrap_err();
    assert_eq!(
        error,
        TokenError::TooLarge {
            bytes: 8193,
            max_bytes: 8192
        }
    );
    assert_eq!((error.code(), error.http_status()), ("token-too-large", 401));
}

#[tokio::test]
async fn a_subject_with_other_characters_is_a_peer_where_the_mapping_says_how() {
    let mapped = IssuerConfig {
        subject_mapping: SubjectMapping::Escape,
        ..secret_config()
    };
    let grant = verify_with(mapped, &claims_with("sub", json!("auth0|507f1f77")))
        .await
        .unwrap();
    assert_eq!(grant.peer.as_str(), "default/auth0=7C507f1f77");
}

#[tokio::test]
async fn no_refusal_shows_a_part_of_the_token() {
    let marker = "zq7-marker";
    for (claim, value) in [
        ("sub", json!(format!("{marker} {marker}"))),
        ("tenant", json!(format!("{marker}/"))),
        ("exp", json!(marker)),
        ("aud", json!(marker)),
        ("switchboard", json!({"role": marker})),
        ("switchboard", json!({"send": marker})),
    ] {
        let error = verify(&claims_with(claim, value)).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains(marker), "{error:?}");
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

proptest! {
    #[test]
    fn any_text_is_refused_without_a_panic(token in any::<String>()) {
        prop_assert!(run(verifier(secret_config()).verify(&token)).is_err());
    }

    #[test]
    fn three_parts_of_anything_are_refused_without_a_panic(parts in prop::array::uniform3("[A-Za-z0-9_-]{0,80}")) {
        prop_assert!(run(verifier(secret_config()).verify(&parts.join("."))).is_err());
    }

    #[test]
    fn a_truncated_token_is_refused(keep in 0.0..1.0_f64) {
        let token = hs_token(Algorithm::HS256, SECRET.as_bytes(), &claims());
        let cut = (token.len() as f64 * keep) as usize;
        prop_assert!(run(verifier(secret_config()).verify(&token[..cut])).is_err());
    }

    #[test]
    fn any_signed_payload_is_checked_without_a_panic(payload in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(run(verifier(secret_config()).verify(&signed(&payload))).is_err());
    }
}
