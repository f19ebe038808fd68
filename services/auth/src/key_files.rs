//! Public keys from a directory, each a file `<kid>.pem`. A node reads them once at its start, so a new key needs a
//! restart. An issuer with frequent rotation should use a JWKS URL.

use std::{fs::File, io::Read, path::Path};

use crate::{
    AuthConfigError,
    key::VerifyingKey,
    key_set::{KeySet, MAX_KEYS},
};

/// The largest key file, in bytes. An RSA key of 8192 bits has about 1,500.
pub const MAX_KEY_FILE_BYTES: u64 = 16_384;

pub(crate) fn load(dir: &Path) -> Result<KeySet, AuthConfigError> {
    let dir_error = |path: &Path| {
        let path = path.to_owned();
        |source| AuthConfigError::KeysDir { path, source }
    };
    let mut keys = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(dir_error(dir))? {
        let path = entry.map_err(dir_error(dir))?.path();
        let Some(kid) = kid_of(&path) else { continue };
        if keys.len() == MAX_KEYS {
            return Err(AuthConfigError::TooManyKeyFiles {
                path: dir.to_owned(),
                max: MAX_KEYS,
            });
        }
        let mut pem = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(MAX_KEY_FILE_BYTES).read_to_end(&mut pem))
            .map_err(dir_error(&path))?;
        let key = VerifyingKey::from_public_pem(&pem).map_err(|source| AuthConfigError::KeyFile {
            path: path.clone(),
            source,
        })?;
        keys.push((Some(kid), key));
    }
    if keys.is_empty() {
        return Err(AuthConfigError::NoKeyFiles(dir.to_owned()));
    }
    Ok(KeySet::new(keys))
}

fn kid_of(path: &Path) -> Option<Box<str>> {
    (path.extension()? == "pem").then_some(())?;
    path.file_stem()?.to_str().map(Into::into)
}
