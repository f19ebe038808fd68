//! Prints the cost of one verification by algorithm: for a new token, and for one that was verified within a minute
//! (`verified_tokens`).
//! Run with `cargo run --release -p switchboard-auth --example verify_cost`.
#![expect(clippy::unwrap_used, reason = "an example may stop at the first error")]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use switchboard_auth::{IssuerConfig, Minter, Verifier};
use switchboard_protocol::{Claims, Secret};

const TOKENS: u64 = 2_000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let secret = Secret::new("0123456789abcdef0123456789abcdef");
    let dir = tempfile::tempdir().unwrap();
    let rng = SystemRandom::new();

    let private = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private.as_ref()).unwrap();
    let public = pair.public_key().as_der().unwrap();
    std::fs::write(dir.path().join("es256.pem"), pem("PUBLIC", public.as_ref())).unwrap();
    let es256 = Minter::from_private_pem(pem("PRIVATE", private.as_ref()).as_bytes(), Some("es256")).unwrap();

    let private = Ed25519KeyPair::generate_pkcs8v1(&rng).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(private.as_ref()).unwrap();
    let public = pair.public_key().as_der().unwrap();
    std::fs::write(dir.path().join("eddsa.pem"), pem("PUBLIC", public.as_ref())).unwrap();
    let eddsa = Minter::from_private_pem(pem("PRIVATE", private.as_ref()).as_bytes(), Some("eddsa")).unwrap();

    let verifier = Verifier::new(
        IssuerConfig {
            hs256_secret: Some(secret.clone()),
            public_keys_dir: Some(dir.path().to_owned()),
            ..IssuerConfig::default()
        }
        .into(),
    )
    .unwrap();
    println!("{:<8}{:>16}{:>16}", "", "first, µs", "again, µs");
    for (name, minter) in [
        ("HS256", Minter::hs256(&secret).unwrap()),
        ("ES256", es256),
        ("EdDSA", eddsa),
    ] {
        let tokens: Vec<Secret> = (0..TOKENS).map(|number| token(&minter, number)).collect();
        let first = run(&verifier, &tokens).await;
        let again = run(&verifier, &tokens).await;
        println!("{name:<8}{first:>16.1}{again:>16.1}");
    }
}

async fn run(verifier: &Verifier, tokens: &[Secret]) -> f64 {
    let start = Instant::now();
    for token in tokens {
        verifier.verify(token.expose()).await.unwrap();
    }
    start.elapsed().as_secs_f64() * 1e6 / tokens.len() as f64
}

fn token(minter: &Minter, number: u64) -> Secret {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = Claims {
        sub: format!("peer-{number}"),
        exp: now_s + 600,
        iat: Some(now_s),
        ..Claims::default()
    };
    minter.mint(&claims, Some("switchboard")).unwrap()
}

fn pem(kind: &str, der: &[u8]) -> String {
    format!(
        "-----BEGIN {kind} KEY-----\n{}\n-----END {kind} KEY-----\n",
        STANDARD.encode(der)
    )
}
