//! Reads a token without a key, for `switchboard token inspect`. It verifies **nothing**, and its output says so. Admission
//! never uses it.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::Value;

use crate::{
    TokenError,
    claims::MAX_TIME_S,
    utc::{Distance, Utc},
};

/// The longest token inspected, in bytes.
const MAX_INSPECT_BYTES: usize = 65_536;

/// The content of a token. Its text form starts with the warning that nothing was verified.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// The header.
    pub header: Value,
    /// The claims.
    pub claims: Value,
    /// Always `false`.
    pub verified: bool,
    #[serde(skip)]
    now_s: u64,
}

/// Reads `token`. It ignores the signature and accepts any `alg`.
///
/// # Errors
/// [`TokenError::Missing`], [`TokenError::TooLarge`] or [`TokenError::Malformed`].
pub fn inspect(token: &str, now_s: u64) -> Result<Inspection, TokenError> {
    if token.is_empty() {
        return Err(TokenError::Missing);
    }
    if token.len() > MAX_INSPECT_BYTES {
        return Err(TokenError::TooLarge {
            bytes: token.len(),
            max_bytes: MAX_INSPECT_BYTES,
        });
    }
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(TokenError::Malformed(
            "it must have three parts with dots between",
        ));
    };
    let header = object(header, "its header is not a JSON object in base64url")?;
    let claims = object(claims, "its payload is not a JSON object in base64url")?;
    Ok(Inspection {
        header,
        claims,
        verified: false,
        now_s,
    })
}

fn object(part: &str, complaint: &'static str) -> Result<Value, TokenError> {
    let json = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenError::Malformed(complaint))?;
    let value: Value = serde_json::from_slice(&json).map_err(|_| TokenError::Malformed(complaint))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(TokenError::Malformed(complaint))
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "NOT VERIFIED: the signature was not checked; anyone can write such a token."
        )?;
        writeln!(f, "header  {:#}", self.header)?;
        writeln!(f, "claims  {:#}", self.claims)?;
        for (claim, label) in [("iat", "issued"), ("nbf", "not before"), ("exp", "expires")] {
            let Some(at_s) = self.claims.get(claim).and_then(seconds) else {
                continue;
            };
            if at_s > MAX_TIME_S {
                writeln!(
                    f,
                    "{label:<11} too late for a time in seconds (in milliseconds?): such a token is refused"
                )?;
                continue;
            }
            writeln!(
                f,
                "{label:<11} {}  ({})",
                Utc(at_s),
                Distance {
                    at_s,
                    now_s: self.now_s
                }
            )?;
        }
        if self.claims.get("exp").is_none() {
            writeln!(f, "expires     never: such a token is refused")?;
        }
        Ok(())
    }
}

fn seconds(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        value
            .as_f64()
            .filter(|seconds| *seconds >= 0.0)
            .map(|seconds| seconds as u64)
    })
}
