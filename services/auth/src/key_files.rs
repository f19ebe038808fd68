//! Keys from files: shared secrets and public keys, as `WatchedFiles` has read them. Not reading them (`watched_files`), and
//! not published keys (`jwks`).

use switchboard_protocol::Secret;

use crate::{
    AuthConfigError, IssuerConfig,
    config::{MAX_SECRETS, MIN_SECRET_BYTES},
    key::VerifyingKey,
    key_set::KeySet,
    watched_files::Contents,
};

/// The largest key file, in bytes. An RSA key of 8192 bits has about 1,500.
pub const MAX_KEY_FILE_BYTES: u64 = 16_384;

/// The largest file of a shared secret, in bytes.
pub const MAX_SECRET_FILE_BYTES: u64 = 4_096;

/// A shared secret and its name.
pub(crate) type NamedSecret = (Option<Box<str>>, Secret);

/// The keys of one issuer that need no network.
#[derive(Default)]
pub(crate) struct KeyFiles {
    pub(crate) secrets: KeySet,
    pub(crate) public: KeySet,
    /// The first shared secret. The node's own tokens are signed with it.
    pub(crate) first_secret: Option<NamedSecret>,
}

impl KeyFiles {
    pub(crate) fn load(config: &IssuerConfig, contents: &Contents) -> Result<Self, AuthConfigError> {
        let secrets = secrets(config, contents)?;
        let first_secret = secrets.first().cloned();
        let keys = secrets
            .iter()
            .map(|(kid, secret)| (kid.clone(), VerifyingKey::shared(secret)));
        Ok(Self {
            secrets: KeySet::new(keys.collect()),
            public: public_keys(config, contents)?,
            first_secret,
        })
    }
}

/// The shared secrets in the order in which a token without `kid` is tried with them.
fn secrets(config: &IssuerConfig, contents: &Contents) -> Result<Vec<NamedSecret>, AuthConfigError> {
    let mut secrets = Vec::new();
    if let Some(secret) = &config.hs256_secret {
        check_secret(secret).map_err(|why| config.error("hs256_secret", why))?;
        secrets.push((None, secret.clone()));
    }
    if let Some(path) = &config.hs256_secret_file {
        let refused = |why: String| config.error("hs256_secret_file", why);
        let bytes = contents.file(path).map_err(refused)?;
        let secret = secret(bytes).map_err(|why| refused(format!("{} {why}", path.display())))?;
        secrets.push((None, secret));
    }
    if let Some(dir) = &config.hs256_secrets_dir {
        let refused = |why: String| config.error("hs256_secrets_dir", why);
        let files = contents.folder(dir).map_err(refused)?;
        if files.is_empty() {
            let why = format!(
                "{} has no file named <kid>.secret; put a secret there",
                dir.display()
            );
            return Err(refused(why));
        }
        for file in files {
            let secret =
                secret(file.bytes).map_err(|why| refused(format!("{} {why}", file.path.display())))?;
            secrets.push((Some(file.stem.into()), secret));
        }
    }
    if secrets.len() > MAX_SECRETS {
        let why = format!(
            "{} secrets, at most {MAX_SECRETS} are allowed; remove the old ones",
            secrets.len()
        );
        return Err(config.error("hs256_secrets_dir", why));
    }
    Ok(secrets)
}

/// A secret from a file; the end of its line does not count.
fn secret(bytes: &[u8]) -> Result<Secret, String> {
    let text = str::from_utf8(bytes).map_err(|_| "is not text in UTF-8".to_owned())?;
    let secret = Secret::new(text.trim_end_matches(['\n', '\r']));
    check_secret(&secret)?;
    Ok(secret)
}

fn check_secret(secret: &Secret) -> Result<(), String> {
    if secret.expose().contains("-----BEGIN") {
        return Err(
            "is a PEM key, not a shared secret; put public keys as <kid>.pem into public_keys_dir".into(),
        );
    }
    match secret.expose().len() {
        MIN_SECRET_BYTES.. => Ok(()),
        bytes => Err(format!(
            "has {bytes} bytes, at least {MIN_SECRET_BYTES} are needed; make a secret with `openssl rand -base64 48`"
        )),
    }
}

fn public_keys(config: &IssuerConfig, contents: &Contents) -> Result<KeySet, AuthConfigError> {
    let Some(dir) = &config.public_keys_dir else {
        return Ok(KeySet::default());
    };
    let files = contents
        .folder(dir)
        .map_err(|why| config.error("public_keys_dir", why))?;
    let keys = files.into_iter().map(|file| {
        let key = VerifyingKey::from_public_pem(file.bytes);
        let refused = |error| config.error("public_keys_dir", format!("{} {error}", file.path.display()));
        Ok((Some(file.stem.into()), key.map_err(refused)?))
    });
    let keys: Vec<_> = keys.collect::<Result<_, AuthConfigError>>()?;
    match keys.is_empty() {
        true => {
            let why = format!(
                "{} has no file named <kid>.pem; put a public key there, or remove the configuration key",
                dir.display()
            );
            Err(config.error("public_keys_dir", why))
        }
        false => Ok(KeySet::new(keys)),
    }
}
