//! Signing of tokens, for `switchboard token mint`, the development server and tests. Not here: authentication. The caller
//! has decided who the peer is.

use std::{fs, path::Path};

use jsonwebtoken::{Algorithm, EncodingKey, Header, crypto::sign, encode};
use serde::Serialize;
use switchboard_protocol::{Claims, Secret};

use crate::MIN_SECRET_BYTES;

/// Why no token could be minted.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// The shared secret is shorter than verifiers accept.
    #[error(
        "the secret has {0} bytes, at least {MIN_SECRET_BYTES} are needed; make one with `openssl rand -base64 48`"
    )]
    SecretTooShort(usize),
    /// The key file cannot be read.
    #[error("the private key file cannot be read: {0}")]
    File(#[from] std::io::Error),
    /// The file has no private key that can sign.
    #[error(
        "not a private key that can sign; use an unencrypted PEM of RSA (2048 to 8192 bits), P-256, \
         P-384 or Ed25519 in PKCS#8 form: `openssl pkcs8 -topk8 -nocrypt -in key.pem`"
    )]
    Key,
    /// The claims cannot be serialised or signed.
    #[error("the token could not be signed")]
    Sign,
}

/// Signs tokens with one key.
#[derive(Debug)]
pub struct Minter {
    header: Header,
    key: EncodingKey,
}

/// The claims of crate `protocol`, and the audience, which only verifiers read.
#[derive(Serialize)]
struct Payload<'a> {
    #[serde(flatten)]
    claims: &'a Claims,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

impl Minter {
    /// Signs with HS256 and a shared secret.
    ///
    /// # Errors
    /// [`MintError::SecretTooShort`].
    pub fn hs256(secret: &Secret) -> Result<Self, MintError> {
        let bytes = secret.expose().as_bytes();
        if bytes.len() < MIN_SECRET_BYTES {
            return Err(MintError::SecretTooShort(bytes.len()));
        }
        Ok(Self {
            header: Header::new(Algorithm::HS256),
            key: EncodingKey::from_secret(bytes),
        })
    }

    /// Signs with a private key. Its type determines the algorithm: RS256, ES256, ES384 or EdDSA.
    ///
    /// # Errors
    /// [`MintError::Key`].
    pub fn from_private_pem(pem: &[u8], kid: Option<&str>) -> Result<Self, MintError> {
        let private = str::from_utf8(pem).is_ok_and(|text| text.contains("PRIVATE KEY-----"));
        let key = EncodingKey::from_rsa_pem(pem)
            .or_else(|_| EncodingKey::from_ec_pem(pem))
            .or_else(|_| EncodingKey::from_ed_pem(pem))
            .ok()
            .filter(|_| private)
            .ok_or(MintError::Key)?;
        // A test signature finds the curve of an EC key: only one algorithm accepts the key.
        let family = key.family();
        let accepts_key = |algorithm: &&Algorithm| sign(b"", &key, **algorithm).is_ok();
        let algorithm = family
            .algorithms()
            .iter()
            .find(accepts_key)
            .ok_or(MintError::Key)?;
        let mut header = Header::new(*algorithm);
        header.kid = kid.map(ToOwned::to_owned);
        Ok(Self { header, key })
    }

    /// The same with the name of the key in each token; `None`: no name.
    #[must_use]
    pub fn with_kid(mut self, kid: Option<&str>) -> Self {
        self.header.kid = kid.map(ToOwned::to_owned);
        self
    }

    /// As [`Minter::from_private_pem`], from a file.
    ///
    /// # Errors
    /// [`MintError::File`] and [`MintError::Key`].
    pub fn from_private_pem_file(path: &Path, kid: Option<&str>) -> Result<Self, MintError> {
        Self::from_private_pem(&fs::read(path)?, kid)
    }

    /// A signed token with these claims, for `audience` when there is one.
    ///
    /// # Errors
    /// [`MintError::Sign`].
    pub fn mint(&self, claims: &Claims, audience: Option<&str>) -> Result<Secret, MintError> {
        encode(
            &self.header,
            &Payload {
                claims,
                aud: audience,
            },
            &self.key,
        )
        .map(Secret::new)
        .map_err(|_| MintError::Sign)
    }
}
