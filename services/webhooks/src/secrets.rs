//! The secrets of one endpoint: those of the configuration, and those in files, which can be read again.

use std::{path::PathBuf, sync::Arc};

use parking_lot::RwLock;
use switchboard_protocol::Secret;

use crate::{error::EndpointError, signature::SigningSecret};

/// The most secrets of one endpoint: a rotation needs two.
const MAX_SECRETS: usize = 4;

/// Where the secrets are, and those read last. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Secrets {
    configured: Vec<Secret>,
    files: Vec<PathBuf>,
    current: Arc<RwLock<Arc<[SigningSecret]>>>,
}

impl Secrets {
    /// Reads them for the first time.
    pub(crate) fn read(configured: Vec<Secret>, files: Vec<PathBuf>) -> Result<Self, EndpointError> {
        let secrets = Self {
            configured,
            files,
            current: Arc::new(RwLock::new(Arc::new([]))),
        };
        secrets.read_again()?;
        Ok(secrets)
    }

    /// Reads the files again. After an error the earlier secrets stay.
    pub(crate) fn read_again(&self) -> Result<(), EndpointError> {
        let mut secrets = Vec::new();
        for secret in &self.configured {
            secrets.push(SigningSecret::parse(secret)?);
        }
        for file in &self.files {
            let text = std::fs::read_to_string(file).map_err(|error| EndpointError::SecretFile {
                path: file.clone(),
                problem: error.to_string(),
            })?;
            // One secret in each line, so that one mounted file is enough for a rotation.
            for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
                secrets.push(SigningSecret::parse(&Secret::new(line))?);
            }
        }
        if !(1..=MAX_SECRETS).contains(&secrets.len()) {
            return Err(EndpointError::Secrets(secrets.len()));
        }
        *self.current.write() = secrets.into();
        Ok(())
    }

    /// Their files.
    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Those to sign with.
    pub(crate) fn current(&self) -> Arc<[SigningSecret]> {
        Arc::clone(&self.current.read())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::sign;

    const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NEW: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    #[test]
    fn a_file_is_read_again_and_a_broken_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        let signatures = |secrets: &Secrets| sign(&secrets.current(), "id", 1, "{}");
        std::fs::write(&file, format!("{OLD}\n")).unwrap();
        let secrets = Secrets::read(Vec::new(), vec![file.clone()]).unwrap();
        let old = signatures(&secrets);
        std::fs::write(&file, format!("{NEW}\n{OLD}\n")).unwrap();
        secrets.read_again().unwrap();
        let both = signatures(&secrets);
        assert!(both.ends_with(&format!(" {old}")), "{both}");
        for broken in ["", "whsec_short\n", &format!("{OLD}\n").repeat(5)] {
            std::fs::write(&file, broken).unwrap();
            secrets.read_again().unwrap_err();
            assert_eq!(signatures(&secrets), both);
        }
    }
}
