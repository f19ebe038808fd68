//! A token of each kind. They are signed here and not by the minter, which makes only valid ones.

use std::{
    sync::LazyLock,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use switchboard_testkit::SECRET;

use crate::table::VALID;

/// The `jti` that is revoked.
pub(crate) const REVOKED_ID: &str = "revoked-1";

/// The peer whose older tokens are revoked.
pub(crate) const REVOKED_PEER: &str = "gone";

/// One time for all tokens: a renewal depends on which of two was issued later.
static ISSUED_S: LazyLock<u64> =
    LazyLock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());

/// The end of all tokens and revocations.
pub(crate) fn until_s() -> u64 {
    *ISSUED_S + 600
}

/// Tokens of [`REVOKED_PEER`] from before this time are revoked.
pub(crate) fn revoked_before_s() -> u64 {
    *ISSUED_S - 300
}

/// The token of this kind for `peer`; `None`: no token at all.
pub(crate) fn token(kind: &str, peer: &str) -> Option<String> {
    let mut claims =
        json!({"sub": peer, "aud": "switchboard", "iat": *ISSUED_S, "exp": until_s(), "switchboard": {}});
    let mut secret = SECRET;
    let own = &mut claims["switchboard"];
    for right in ["send", "rooms"] {
        if kind.contains(&format!("narrow {right}")) {
            own[right] = json!(["team-*"]);
        }
    }
    if kind.contains("backend") {
        own["role"] = json!("backend");
    }
    if kind.contains("other") {
        claims["tenant"] = json!("other");
    }
    match kind {
        "none" => return None,
        "malformed" => return Some("not.a-token".into()),
        "alg none" => return Some(format!("{}.{}.", part(&json!({"alg": "none"})), part(&claims))),
        "forged" => secret = "another-secret-of-at-least-32-bytes",
        "expired" => claims["exp"] = json!(*ISSUED_S - 60),
        "wrong audience" => claims["aud"] = json!("another-service"),
        "revoked by jti" => claims["jti"] = json!(REVOKED_ID),
        "revoked by peer" => claims["iat"] = json!(revoked_before_s() - 300),
        "unknown member" => claims["switchboard"]["sned"] = json!(["*"]),
        "null member" => claims["switchboard"]["send"] = Value::Null,
        _ => assert!(VALID.contains(&kind), "no token of the kind {kind}"),
    }
    let text = format!("{}.{}", part(&json!({"alg": "HS256"})), part(&claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, text.as_bytes()));
    Some(format!("{text}.{signature}"))
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}
