//! Keys in files that change while tokens are verified.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::path::Path;

use common::{HandClock, SECRET, TestKey, claims, dir_config, verifier};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use switchboard_auth::{AuthConfig, IssuerConfig, Reload, TokenError, Verifier};

const NEW: &str = "a-new-secret-of-at-least-32-bytes!!";

fn settled(verifier: &Verifier) -> Result<Reload, String> {
    assert_eq!(verifier.reload().unwrap(), Reload::Settling);
    verifier.reload().map_err(|error| error.to_string())
}

fn named(secret: &str, kid: Option<&str>) -> String {
    let mut header = Header::new(Algorithm::HS256);
    header.kid = kid.map(ToOwned::to_owned);
    jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

fn secrets_config(dir: &Path) -> IssuerConfig {
    IssuerConfig {
        hs256_secrets_dir: Some(dir.to_owned()),
        ..IssuerConfig::default()
    }
}

#[tokio::test]
async fn a_shared_secret_is_rotated_without_a_refusal() {
    let dir = tempfile::tempdir().unwrap();
    let file = |kid: &str| dir.path().join(format!("{kid}.secret"));
    std::fs::write(file("2026-05"), SECRET).unwrap();
    let verifier = verifier(secrets_config(dir.path()));
    let old = [named(SECRET, Some("2026-05")), named(SECRET, None)];
    let new = [named(NEW, Some("2026-11")), named(NEW, None)];
    for token in &old {
        verifier.verify(token).await.unwrap();
    }
    assert_eq!(
        verifier.verify(&new[0]).await.unwrap_err(),
        TokenError::UnknownKey
    );
    assert_eq!(verifier.verify(&new[1]).await.unwrap_err(), TokenError::Signature);

    std::fs::write(file("2026-11"), format!("{NEW}\n")).unwrap();
    assert_eq!(settled(&verifier), Ok(Reload::Changed));
    for token in old.iter().chain(&new) {
        verifier.verify(token).await.unwrap();
    }
    let crossed = named(NEW, Some("2026-05"));
    assert_eq!(
        verifier.verify(&crossed).await.unwrap_err(),
        TokenError::Signature
    );

    std::fs::remove_file(file("2026-05")).unwrap();
    assert_eq!(settled(&verifier), Ok(Reload::Changed));
    for token in &new {
        verifier.verify(token).await.unwrap();
    }
    assert_eq!(
        verifier.verify(&old[0]).await.unwrap_err(),
        TokenError::UnknownKey
    );
    assert_eq!(verifier.verify(&old[1]).await.unwrap_err(), TokenError::Signature);
}

#[tokio::test]
async fn a_token_of_a_removed_key_is_refused_although_it_was_verified_a_moment_ago() {
    let dir = tempfile::tempdir().unwrap();
    let (kept, removed) = (TestKey::p256(), TestKey::p256());
    kept.write_public(dir.path(), "kept");
    removed.write_public(dir.path(), "removed");
    let verifier = verifier(dir_config(dir.path()));
    let token = removed.token(Some("removed"), &claims());
    verifier.verify(&token).await.unwrap();
    verifier.verify(&token).await.unwrap();
    assert_eq!(verifier.stats().verified_hits, 1);
    std::fs::remove_file(dir.path().join("removed.pem")).unwrap();
    assert_eq!(settled(&verifier), Ok(Reload::Changed));
    assert_eq!(verifier.verify(&token).await.unwrap_err(), TokenError::UnknownKey);

    // The same name with another key.
    kept.write_public(dir.path(), "removed");
    assert_eq!(settled(&verifier), Ok(Reload::Changed));
    assert_eq!(verifier.verify(&token).await.unwrap_err(), TokenError::Signature);
}

#[tokio::test]
async fn bad_files_keep_all_earlier_keys_and_are_reported_once() {
    let (secrets, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let key = TestKey::ed25519();
    key.write_public(keys.path(), "k1");
    std::fs::write(secrets.path().join("a.secret"), SECRET).unwrap();
    let verifier = verifier(AuthConfig::from(IssuerConfig {
        public_keys_dir: Some(keys.path().to_owned()),
        ..secrets_config(secrets.path())
    }));
    let accepted = async || {
        verifier.verify(&named(SECRET, Some("a"))).await.unwrap();
        verifier.verify(&key.token(Some("k1"), &claims())).await.unwrap();
    };
    for (what, words) in [
        ("short", "auth.hs256_secrets_dir: "),
        (&*key.private_pem, "is a PEM key"),
        ("", "has 0 bytes"),
    ] {
        std::fs::write(secrets.path().join("b.secret"), what).unwrap();
        let problem = settled(&verifier).unwrap_err();
        assert!(
            problem.contains(words) && problem.contains("b.secret"),
            "{problem}"
        );
        assert_eq!(verifier.reload(), Ok(Reload::Unchanged), "it is reported once");
        accepted().await;
    }
    // A good secret and a bad key: none of it is used.
    std::fs::write(secrets.path().join("b.secret"), NEW).unwrap();
    std::fs::write(keys.path().join("k2.pem"), "hello").unwrap();
    assert!(settled(&verifier).unwrap_err().contains("k2.pem"));
    assert!(verifier.verify(&named(NEW, Some("b"))).await.is_err());
    accepted().await;
    std::fs::remove_file(keys.path().join("k2.pem")).unwrap();
    assert_eq!(settled(&verifier), Ok(Reload::Changed));
    verifier.verify(&named(NEW, Some("b"))).await.unwrap();
    accepted().await;
}

#[tokio::test]
async fn the_one_secret_of_a_file_is_replaced_and_a_lost_file_is_a_problem() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    std::fs::write(&file, SECRET).unwrap();
    let verifier = verifier(IssuerConfig {
        hs256_secret_file: Some(file.clone()),
        ..IssuerConfig::default()
    });
    std::fs::write(&file, format!("{NEW}\r\n")).unwrap();
    assert_eq!(settled(&verifier), Ok(Reload::Changed));
    verifier.verify(&named(NEW, Some("any"))).await.unwrap();
    assert!(verifier.verify(&named(SECRET, None)).await.is_err());
    std::fs::remove_file(&file).unwrap();
    let problem = settled(&verifier).unwrap_err();
    assert!(
        problem.contains("auth.hs256_secret_file") && problem.contains("cannot be read"),
        "{problem}"
    );
    verifier.verify(&named(NEW, None)).await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn the_swap_of_a_link_as_kubernetes_does_it_is_one_change() {
    use std::os::unix::fs::symlink;
    let mount = tempfile::tempdir().unwrap();
    let version = |name: &str, secrets: &[(&str, &str)]| {
        let dir = mount.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        for (kid, secret) in secrets {
            std::fs::write(dir.join(format!("{kid}.secret")), secret).unwrap();
        }
        symlink(name, mount.path().join("..next")).unwrap();
        std::fs::rename(mount.path().join("..next"), mount.path().join("..data")).unwrap();
    };
    version("..1", &[("a", SECRET)]);
    symlink("..data/a.secret", mount.path().join("a.secret")).unwrap();
    let verifier = verifier(secrets_config(mount.path()));
    verifier.verify(&named(SECRET, Some("a"))).await.unwrap();
    version("..2", &[("a", NEW)]);
    assert_eq!(settled(&verifier), Ok(Reload::Changed));
    verifier.verify(&named(NEW, Some("a"))).await.unwrap();
    assert!(verifier.verify(&named(SECRET, Some("a"))).await.is_err());
}

#[tokio::test]
async fn two_secrets_in_a_file_and_a_folder_are_bounded_together() {
    let dir = tempfile::tempdir().unwrap();
    for number in 0..8 {
        std::fs::write(dir.path().join(format!("{number}.secret")), SECRET).unwrap();
    }
    verifier(secrets_config(dir.path()));
    let too_many = IssuerConfig {
        hs256_secret: Some(switchboard_protocol::Secret::new(SECRET)),
        ..secrets_config(dir.path())
    };
    let problem = Verifier::new(too_many.into()).unwrap_err().to_string();
    assert!(problem.contains("9 secrets, at most 8"), "{problem}");
    std::fs::write(dir.path().join("8.secret"), SECRET).unwrap();
    let problem = Verifier::new(secrets_config(dir.path()).into())
        .unwrap_err()
        .to_string();
    assert!(problem.contains("more than 8 files"), "{problem}");
}

#[tokio::test]
async fn a_verifier_without_files_has_nothing_to_read_again() {
    assert!(!verifier(common::secret_config()).has_files());
    let clock = HandClock::new();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.secret"), SECRET).unwrap();
    let with = Verifier::with_clock(secrets_config(dir.path()).into(), clock.as_clock()).unwrap();
    assert!(with.has_files());
}
