//! Why a fetch gave no keys, for logs. Not here: the answer to the token that waited for them (`error`).

/// How long one fetch may take from connect to last byte, in milliseconds. A token with an unknown `kid` waits for
/// at most this time.
pub const FETCH_TIMEOUT_MS: u64 = 3_000;

/// The largest answer read, in bytes.
pub const MAX_JWKS_BYTES: usize = 262_144;

/// Why the JWKS URL gave no keys, for logs. It never shows the URL, because the query may contain a secret.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// No answer in time.
    #[error("no complete answer within {FETCH_TIMEOUT_MS} ms")]
    Timeout,
    /// The connection failed.
    #[error("the request failed: {0}")]
    Request(String),
    /// The answer was not 200. Redirects are not followed.
    #[error("it answered HTTP {0}; 200 is needed (redirects are not followed: configure the final URL)")]
    Status(u16),
    /// More than [`MAX_JWKS_BYTES`].
    #[error("the answer is larger than {MAX_JWKS_BYTES} bytes")]
    TooLarge,
    /// The discovery document gave no URL.
    #[error("the discovery document: {0}")]
    Discovery(String),
    /// Not a discovery document.
    #[error("the answer is not a JSON object with `issuer` and `jwks_uri`")]
    NotADocument,
    /// The document of another issuer, which may not name this issuer's keys.
    #[error("its `issuer` is not exactly the configured one")]
    OtherIssuer,
    /// The document's URL of the keys is not acceptable.
    #[error("its `jwks_uri` is not acceptable: {0}")]
    KeysUrl(String),
    /// Not a JSON object with `keys`.
    #[error("the answer is not a JSON Web Key Set")]
    NotAKeySet,
    /// No key can verify a signature. An empty set is usually an accident and not a revocation of all keys, so the
    /// previous keys stay.
    #[error("the set has no key that can verify a signature: {0}")]
    NoUsableKey(String),
}
