//! One verification key and the algorithms that it allows. The key's type determines the algorithms, never the token. That
//! prevents algorithm confusion. Not here: which key a token names (`key_set`).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents, VerificationAlgorithm,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    crypto::verify,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse, RSAKeyParameters},
};
use switchboard_protocol::Secret;

use crate::jws::Jws;

/// The smallest RSA key accepted, in bits (RFC 7518, section 3.3).
pub const MIN_RSA_BITS: usize = 2048;

/// The largest RSA key accepted, in bits. The work of one verification grows with the size.
pub const MAX_RSA_BITS: usize = 8192;

const HMAC: &[Algorithm] = &[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
const RSA: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];
const ES256: &[Algorithm] = &[Algorithm::ES256];
const ES384: &[Algorithm] = &[Algorithm::ES384];
const EDDSA: &[Algorithm] = &[Algorithm::EdDSA];

/// Why a key is not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No PEM block in the file.
    #[error("not a PEM file; it should start with -----BEGIN PUBLIC KEY-----")]
    NotPem,
    /// A private key instead of a public one.
    #[error("holds a PRIVATE key; keep it with the issuer and export `openssl pkey -in private.pem -pubout`")]
    Private,
    /// A PEM block of another kind.
    #[error(
        "holds a block of another kind; export the key with `openssl x509 -pubkey -noout` or `openssl pkey -pubout`"
    )]
    NotAPublicKey,
    /// A PEM public key of an unknown type, or damaged.
    #[error("is not a readable RSA (2048 to 8192 bits), P-256, P-384 or Ed25519 public key")]
    Unreadable,
    /// An RSA key that is too weak, or too slow.
    #[error("is an RSA key of {0} bits; {MIN_RSA_BITS} to {MAX_RSA_BITS} are accepted")]
    RsaBits(usize),
    /// A curve without an allowed algorithm.
    #[error("is on a curve that is not supported; P-256, P-384 and Ed25519 are")]
    Curve,
    /// A shared secret in a public key set.
    #[error("is a shared secret; a published key set must not hold one")]
    Symmetric,
    /// `use` or `key_ops` exclude verification.
    #[error("is not meant for verifying signatures (its `use` or `key_ops` says so)")]
    NotForVerifying,
    /// The key's `alg` does not fit its type.
    #[error("has an `alg` that does not fit its type")]
    AlgorithmMismatch,
    /// An unknown key type.
    #[error("has a key type that is not supported")]
    UnknownType,
}

/// A key with its allowed algorithms.
pub(crate) struct VerifyingKey {
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl VerifyingKey {
    pub(crate) fn shared(secret: &Secret) -> Self {
        Self {
            algorithms: HMAC.to_vec(),
            key: DecodingKey::from_secret(secret.expose().as_bytes()),
        }
    }

    pub(crate) fn from_public_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let text = str::from_utf8(pem).map_err(|_| KeyError::NotPem)?;
        let label = text
            .split_once("-----BEGIN ")
            .and_then(|(_, rest)| rest.split_once("-----"));
        match label.map(|(label, _)| label) {
            Some("PUBLIC KEY" | "RSA PUBLIC KEY") => {}
            Some(label) if label.contains("PRIVATE") => return Err(KeyError::Private),
            Some(_) => return Err(KeyError::NotAPublicKey),
            None => return Err(KeyError::NotPem),
        }
        let key = DecodingKey::from_rsa_pem(pem)
            .or_else(|_| DecodingKey::from_ec_pem(pem))
            .or_else(|_| DecodingKey::from_ed_pem(pem))
            .map_err(|_| KeyError::Unreadable)?;
        // The JWK form gives both key sources the same checks.
        let jwk = Jwk::from_decoding_key(&key, None).map_err(|_| KeyError::Unreadable)?;
        Self::from_jwk(&jwk)
    }

    pub(crate) fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        let for_signatures = jwk
            .common
            .public_key_use
            .as_ref()
            .is_none_or(|usage| *usage == PublicKeyUse::Signature);
        let for_verifying = jwk
            .common
            .key_operations
            .as_ref()
            .is_none_or(|all| all.contains(&KeyOperations::Verify));
        if !for_signatures || !for_verifying {
            return Err(KeyError::NotForVerifying);
        }
        let (by_type, key) = match &jwk.algorithm {
            AlgorithmParameters::RSA(rsa) => (RSA, rsa_key(rsa)?),
            AlgorithmParameters::EllipticCurve(ec) => match ec.curve {
                EllipticCurve::P256 => (ES256, point(jwk, &ECDSA_P256_SHA256_FIXED)?),
                EllipticCurve::P384 => (ES384, point(jwk, &ECDSA_P384_SHA384_FIXED)?),
                EllipticCurve::P521 | EllipticCurve::Ed25519 | _ => return Err(KeyError::Curve),
            },
            AlgorithmParameters::OctetKeyPair(okp) if okp.curve == EllipticCurve::Ed25519 => {
                (EDDSA, point(jwk, &ED25519)?)
            }
            AlgorithmParameters::OctetKeyPair(_) => return Err(KeyError::Curve),
            AlgorithmParameters::OctetKey(_) => return Err(KeyError::Symmetric),
            AlgorithmParameters::Other(_) | _ => return Err(KeyError::UnknownType),
        };
        let algorithms = match jwk.common.key_algorithm {
            None => by_type.to_vec(),
            Some(named) => {
                let named = Algorithm::try_from(named).map_err(|_| KeyError::AlgorithmMismatch)?;
                if !by_type.contains(&named) {
                    return Err(KeyError::AlgorithmMismatch);
                }
                vec![named]
            }
        };
        Ok(Self { algorithms, key })
    }

    pub(crate) fn allows(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    /// Whether this key made the signature. Always false for an algorithm that the key does not allow.
    pub(crate) fn has_signed(&self, jws: &Jws<'_>) -> bool {
        self.allows(jws.algorithm)
            && verify(jws.signature, jws.message.as_bytes(), &self.key, jws.algorithm).unwrap_or(false)
    }
}

fn rsa_key(rsa: &RSAKeyParameters) -> Result<DecodingKey, KeyError> {
    let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| KeyError::Unreadable);
    let (mut n, e) = (bytes(&rsa.n)?, bytes(&rsa.e)?);
    // Some issuers publish a sign byte in front of the modulus (against RFC 7518, section 6.3.1.1).
    let zeros = n.iter().take_while(|byte| **byte == 0).count();
    n.drain(..zeros);
    let bits = n
        .first()
        .map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
        return Err(KeyError::RsaBits(bits));
    }
    let key = DecodingKey::from_rsa_raw_components(&n, &e);
    RsaPublicKeyComponents { n, e }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .map_err(|_| KeyError::Unreadable)?;
    Ok(key)
}

/// Checks the point when the key is loaded, not when the first token arrives.
fn point(jwk: &Jwk, algorithm: &'static dyn VerificationAlgorithm) -> Result<DecodingKey, KeyError> {
    let key = DecodingKey::from_jwk(jwk).map_err(|_| KeyError::Unreadable)?;
    let bytes = key.try_get_as_bytes().map_err(|_| KeyError::Unreadable)?;
    ParsedPublicKey::new(algorithm, bytes).map_err(|_| KeyError::Unreadable)?;
    Ok(key)
}
