//! Why a token was refused: a code for programs, an HTTP status for the handshake and a sentence for people. No variant
//! contains a part of the token. Not here: the problem document (`edge`).

use std::borrow::Cow;

/// Why a token was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There is no token.
    #[error(
        "no token was given; send one as `Authorization: Bearer`, or as the WebSocket subprotocol `bearer.<JWT>`"
    )]
    Missing,
    /// The token is too long. It was not parsed.
    #[error("the token has {bytes} bytes; at most {max_bytes} are accepted")]
    TooLarge {
        /// Its length in bytes.
        bytes: usize,
        /// The configured limit in bytes.
        max_bytes: usize,
    },
    /// Not a signed JWT in compact form (RFC 7515, section 3.1).
    #[error("the token is not a signed JWT: {0}")]
    Malformed(&'static str),
    /// No configured key allows the algorithm of the header. `none` is never allowed.
    #[error("the token's signature algorithm is not allowed by any key that could have signed it")]
    Algorithm,
    /// No key has its `kid`.
    #[error("the token's key (kid) is not known here")]
    UnknownKey,
    /// More keys fit than are tried.
    #[error("too many of the keys here could have signed the token; it must name its key (kid)")]
    AmbiguousKey,
    /// The signature is not valid.
    #[error("the token's signature is not valid")]
    Signature,
    /// `exp` has passed.
    #[error("the token expired {ago_s} s ago")]
    Expired {
        /// Seconds since its `exp`.
        ago_s: u64,
    },
    /// `nbf` or `iat` is further in the future than the leeway.
    #[error("the token is valid only in {in_s} s; if it was just issued, a clock is wrong")]
    NotYetValid {
        /// Seconds until then.
        in_s: u64,
    },
    /// `iss` is not the configured issuer.
    #[error("the token's issuer (iss) is not the one accepted here")]
    Issuer,
    /// `aud` does not name this server.
    #[error("the token's audience (aud) is missing or does not name this server")]
    Audience,
    /// The signature is valid, but a claim is not acceptable.
    #[error("the token's claims are not acceptable: {0}")]
    Claims(Cow<'static, str>),
    /// The backend has revoked it.
    #[error("the token was revoked; get a new one")]
    Revoked,
    /// The node has just started, and has not read the revocations.
    #[error("the node does not know yet which tokens were revoked; try again in {REVOCATIONS_RETRY_S} s")]
    RevocationsUnknown,
    /// The key may exist: the JWKS URL does not answer, or was asked a moment ago and is not asked again yet.
    #[error(
        "the token's key is not known here now; try again in {retry_after_s} s, when the keys are fetched again"
    )]
    KeysUnavailable {
        /// Seconds until then.
        retry_after_s: u64,
    },
}

/// When a client comes back to a node that does not know the revocations, in seconds.
const REVOCATIONS_RETRY_S: u64 = 2;

impl TokenError {
    pub(crate) const NOT_AN_OBJECT: Self =
        Self::Malformed("its payload is not one JSON object, each claim once");

    /// The reason for programs; stable.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "token-missing",
            Self::TooLarge { .. } => "token-too-large",
            Self::Malformed(_) => "token-malformed",
            Self::Algorithm => "token-algorithm",
            Self::UnknownKey | Self::AmbiguousKey => "token-unknown-key",
            Self::Signature => "token-signature",
            Self::Expired { .. } => "token-expired",
            Self::NotYetValid { .. } => "token-not-yet-valid",
            Self::Issuer => "token-issuer",
            Self::Audience => "token-audience",
            Self::Claims(_) => "token-claims",
            Self::Revoked => "token-revoked",
            Self::RevocationsUnknown => "revocations-unknown",
            Self::KeysUnavailable { .. } => "keys-unavailable",
        }
    }

    /// 401: another token may be accepted. 403: the token is valid, but not permitted. 503: try again.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        match self {
            Self::Missing
            | Self::TooLarge { .. }
            | Self::Malformed(_)
            | Self::Algorithm
            | Self::UnknownKey
            | Self::AmbiguousKey
            | Self::Signature
            | Self::Expired { .. }
            | Self::NotYetValid { .. }
            | Self::Issuer
            | Self::Audience
            | Self::Revoked => 401,
            Self::Claims(_) => 403,
            Self::RevocationsUnknown | Self::KeysUnavailable { .. } => 503,
        }
    }

    /// When the same token may be accepted, in seconds.
    #[must_use]
    pub const fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::RevocationsUnknown => Some(REVOCATIONS_RETRY_S),
            Self::KeysUnavailable { retry_after_s } => Some(*retry_after_s),
            Self::Missing
            | Self::TooLarge { .. }
            | Self::Malformed(_)
            | Self::Algorithm
            | Self::UnknownKey
            | Self::AmbiguousKey
            | Self::Signature
            | Self::Expired { .. }
            | Self::NotYetValid { .. }
            | Self::Issuer
            | Self::Audience
            | Self::Revoked
            | Self::Claims(_) => None,
        }
    }
}
