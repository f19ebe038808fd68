//! What the tests of this crate share: fresh keys of every kind, a clock moved by hand, tokens with any
//! header and claims. No test reads a key from the repository.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "each test file uses a part of it"
)]

pub mod issuer;

use std::{
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
    },
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode, jwk::Jwk};
use serde_json::{Value, json};
use switchboard_auth::{AuthConfig, Clock, IssuerConfig, Verifier};
use switchboard_protocol::Secret;

/// The tests' present.
pub const NOW: u64 = 1_800_000_000;

/// A shared secret of the least length.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[derive(Clone)]
pub struct HandClock(Arc<AtomicU64>);

impl HandClock {
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(NOW)))
    }

    pub fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn as_clock(&self) -> Clock {
        let time = Arc::clone(&self.0);
        Arc::new(move || time.load(Ordering::SeqCst))
    }
}

/// A key pair in PEM form, made for this run.
pub struct TestKey {
    pub private_pem: String,
    pub public_pem: String,
    pub algorithms: Vec<Algorithm>,
}

impl TestKey {
    fn new(private_der: &[u8], public_der: &[u8], algorithms: &[Algorithm]) -> Self {
        Self {
            private_pem: pem("PRIVATE KEY", private_der),
            public_pem: pem("PUBLIC KEY", public_der),
            algorithms: algorithms.to_vec(),
        }
    }

    pub fn rsa() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
        let public = pair.public_key().as_der().unwrap();
        use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
        Self::new(
            private.as_ref(),
            public.as_ref(),
            &[RS256, RS384, RS512, PS256, PS384, PS512],
        )
    }

    pub fn p256() -> Self {
        Self::ec(&ECDSA_P256_SHA256_FIXED_SIGNING, Algorithm::ES256)
    }

    pub fn p384() -> Self {
        Self::ec(&ECDSA_P384_SHA384_FIXED_SIGNING, Algorithm::ES384)
    }

    fn ec(curve: &'static EcdsaSigningAlgorithm, algorithm: Algorithm) -> Self {
        let private = EcdsaKeyPair::generate_pkcs8(curve, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(curve, private.as_ref()).unwrap();
        let public = pair.public_key().as_der().unwrap();
        Self::new(private.as_ref(), public.as_ref(), &[algorithm])
    }

    pub fn ed25519() -> Self {
        let private = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(private.as_ref()).unwrap();
        let public = pair.public_key().as_der().unwrap();
        Self::new(private.as_ref(), public.as_ref(), &[Algorithm::EdDSA])
    }

    /// One RSA key for all tests of a binary: making one takes a while.
    pub fn shared_rsa() -> &'static Self {
        static KEY: OnceLock<TestKey> = OnceLock::new();
        KEY.get_or_init(Self::rsa)
    }

    pub fn encoding(&self) -> EncodingKey {
        let pem = self.private_pem.as_bytes();
        EncodingKey::from_rsa_pem(pem)
            .or_else(|_| EncodingKey::from_ec_pem(pem))
            .or_else(|_| EncodingKey::from_ed_pem(pem))
            .unwrap()
    }

    pub fn jwk(&self, kid: &str) -> Value {
        let pem = self.public_pem.as_bytes();
        let key = DecodingKey::from_rsa_pem(pem)
            .or_else(|_| DecodingKey::from_ec_pem(pem))
            .or_else(|_| DecodingKey::from_ed_pem(pem))
            .unwrap();
        let mut jwk = serde_json::to_value(Jwk::from_decoding_key(&key, None).unwrap()).unwrap();
        jwk["kid"] = json!(kid);
        jwk
    }

    /// A token signed with the key's first algorithm.
    pub fn token(&self, kid: Option<&str>, claims: &Value) -> String {
        self.token_with(self.algorithms[0], kid, claims)
    }

    pub fn token_with(&self, algorithm: Algorithm, kid: Option<&str>, claims: &Value) -> String {
        let mut header = Header::new(algorithm);
        header.kid = kid.map(ToOwned::to_owned);
        encode(&header, claims, &self.encoding()).unwrap()
    }

    pub fn write_public(&self, dir: &Path, kid: &str) {
        std::fs::write(dir.join(format!("{kid}.pem")), &self.public_pem).unwrap();
    }
}

pub fn pem(label: &str, der: &[u8]) -> String {
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in STANDARD.encode(der).as_bytes().chunks(64) {
        out.push_str(str::from_utf8(line).unwrap());
        out.push('\n');
    }
    out + &format!("-----END {label}-----\n")
}

pub fn hs_token(algorithm: Algorithm, secret: &[u8], claims: &Value) -> String {
    encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret)).unwrap()
}

pub fn part(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

pub fn claims() -> Value {
    json!({"sub": "alice", "exp": NOW + 600, "aud": "switchboard"})
}

/// [`claims`] with one more, or one changed; `null` takes it away.
pub fn claims_with(claim: &str, value: Value) -> Value {
    let mut all = claims();
    if value.is_null() {
        all.as_object_mut().unwrap().remove(claim);
    } else {
        all[claim] = value;
    }
    all
}

pub fn secret_config() -> IssuerConfig {
    IssuerConfig {
        hs256_secret: Some(Secret::new(SECRET)),
        ..IssuerConfig::default()
    }
}

pub fn verifier(config: impl Into<AuthConfig>) -> Verifier {
    Verifier::with_clock(config.into(), HandClock::new().as_clock()).unwrap()
}

pub fn dir_config(dir: &Path) -> IssuerConfig {
    IssuerConfig {
        public_keys_dir: Some(dir.to_owned()),
        ..IssuerConfig::default()
    }
}

pub fn jwks_config(url: String) -> IssuerConfig {
    IssuerConfig {
        jwks_url: Some(url),
        ..IssuerConfig::default()
    }
}
