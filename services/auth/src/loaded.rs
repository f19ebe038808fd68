//! Everything of a configuration that is read from files, at the start and again: keys of all issuers, and the client of
//! key servers. All of it is good, or none of it is used. Not when to read (`node`).

use std::path::PathBuf;

use reqwest::Client;

use crate::{
    AuthConfig, AuthConfigError, IssuerConfig,
    config::MAX_SECRETS,
    key_client::{self, MAX_CA_FILE_BYTES},
    key_files::{KeyFiles, MAX_KEY_FILE_BYTES, MAX_SECRET_FILE_BYTES},
    key_set::MAX_KEYS,
    watched_files::{Contents, Watched},
};

pub(crate) struct Loaded {
    /// Of each issuer, in their order.
    pub(crate) keys: Vec<KeyFiles>,
    /// If an issuer publishes its keys.
    pub(crate) client: Option<Client>,
}

impl Loaded {
    pub(crate) fn new(config: &AuthConfig, contents: &Contents) -> Result<Self, AuthConfigError> {
        let keys = config
            .issuers
            .iter()
            .map(|issuer| KeyFiles::load(issuer, contents));
        let client = config
            .needs_client()
            .then(|| key_client::client(config.ca_file.as_deref(), contents));
        Ok(Self {
            keys: keys.collect::<Result<_, _>>()?,
            client: client.transpose()?,
        })
    }
}

/// All files and folders that hold keys or authorities.
pub(crate) fn files(config: &AuthConfig) -> Vec<Watched> {
    let mut files: Vec<_> = config.issuers.iter().flat_map(files_of).collect();
    if config.needs_client() {
        files.extend(file(&config.ca_file, MAX_CA_FILE_BYTES));
    }
    files
}

fn files_of(issuer: &IssuerConfig) -> impl Iterator<Item = Watched> {
    let folder = |path: &Option<PathBuf>, extension, max_files, max_bytes| {
        path.clone().map(|path| Watched::Folder {
            path,
            extension,
            max_files,
            max_bytes,
        })
    };
    let secrets = &issuer.hs256_secrets_dir;
    [
        file(&issuer.hs256_secret_file, MAX_SECRET_FILE_BYTES),
        folder(secrets, "secret", MAX_SECRETS, MAX_SECRET_FILE_BYTES),
        folder(&issuer.public_keys_dir, "pem", MAX_KEYS, MAX_KEY_FILE_BYTES),
    ]
    .into_iter()
    .flatten()
}

fn file(path: &Option<PathBuf>, max_bytes: u64) -> Option<Watched> {
    let path = path.clone()?;
    Some(Watched::File { path, max_bytes })
}
