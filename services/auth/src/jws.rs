//! The parser of a compact JWS (RFC 7515, section 7.1): sizes, three parts, header. Not here: its signature (`key`) and its
//! payload (`claims`).

use std::{borrow::Cow, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde::{Deserialize, de::IgnoredAny};

use crate::TokenError;

/// The longest `kid` accepted, in bytes.
const MAX_KID_BYTES: usize = 256;

/// A well-formed token. Nothing in it is verified.
pub(crate) struct Jws<'a> {
    /// The whole token.
    pub(crate) token: &'a str,
    /// The signed part: header and payload with the dot between them.
    pub(crate) message: &'a str,
    /// The payload, still base64url.
    payload: &'a str,
    /// The signature, still base64url.
    pub(crate) signature: &'a str,
    /// The header's algorithm. It is only compared with the algorithms that a key allows.
    pub(crate) algorithm: Algorithm,
    /// The header's key ID.
    pub(crate) kid: Option<Box<str>>,
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    kid: Option<Cow<'a, str>>,
    crit: Option<IgnoredAny>,
}

impl<'a> Jws<'a> {
    pub(crate) fn parse(token: &'a str, max_bytes: usize) -> Result<Self, TokenError> {
        if token.is_empty() {
            return Err(TokenError::Missing);
        }
        if token.len() > max_bytes {
            return Err(TokenError::TooLarge {
                bytes: token.len(),
                max_bytes,
            });
        }
        let (message, signature) = token.rsplit_once('.').ok_or(NOT_THREE_PARTS)?;
        let (header, payload) = message.split_once('.').ok_or(NOT_THREE_PARTS)?;
        if payload.contains('.') {
            return Err(NOT_THREE_PARTS);
        }

        let json = decode(header, "its header is not base64url")?;
        if !is_object(&json) {
            return Err(BAD_HEADER);
        }
        let header: Header<'_> = serde_json::from_slice(&json).map_err(|_| BAD_HEADER)?;
        if header.crit.is_some() {
            // RFC 7515, section 4.1.11: unknown critical extensions must be refused.
            return Err(TokenError::Malformed(
                "its header asks for extensions (crit) that are not understood",
            ));
        }
        if header.kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID_BYTES) {
            return Err(TokenError::Malformed("its key id (kid) is longer than 256 bytes"));
        }
        // `none` and unknown names have no `Algorithm`.
        let algorithm = Algorithm::from_str(&header.alg).map_err(|_| TokenError::Algorithm)?;
        let kid = header.kid.map(|kid| kid.into_owned().into_boxed_str());
        Ok(Self {
            token,
            message,
            payload,
            signature,
            algorithm,
            kid,
        })
    }

    /// The payload's bytes.
    pub(crate) fn payload(&self) -> Result<Vec<u8>, TokenError> {
        decode(self.payload, "its payload is not base64url")
    }
}

const NOT_THREE_PARTS: TokenError = TokenError::Malformed("it must have three parts with dots between");
const BAD_HEADER: TokenError = TokenError::Malformed("its header is not a JSON object with `alg`");

fn decode(part: &str, complaint: &'static str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenError::Malformed(complaint))
}

/// Whether `json` can be an object: UTF-8 (RFC 8259, section 8.1) that begins with a brace. Serde would also read an array
/// into a struct, and does not look at the bytes of members that it skips.
pub(crate) fn is_object(json: &[u8]) -> bool {
    std::str::from_utf8(json).is_ok_and(|text| text.trim_ascii_start().starts_with('{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_utf_8_also_in_members_that_nobody_reads() {
        assert!(is_object(b" \n{\"other\":1}") && is_object("{\"other\":\"é\"}".as_bytes()));
        for other in [
            &b"[1]"[..],
            b"\"{\"",
            b"",
            b"{\"other\":\"\xff\"}",
            b"\xef\xbb\xbf{}",
        ] {
            assert!(!is_object(other), "{}", other.escape_ascii());
        }
    }
}
