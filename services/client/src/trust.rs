//! Whom a client trusts behind `wss://`: the authorities of the system, and those in a file. Not the handshake (`connect`).

use std::{
    fmt,
    io::{Error, ErrorKind, Result},
    path::Path,
    sync::{Arc, OnceLock},
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// The authorities of a client. The default are those of the system.
#[derive(Clone, Default)]
pub struct Trust(Option<Arc<ClientConfig>>);

impl Trust {
    /// The authorities in the PEM file `path`, in addition to those of the system.
    ///
    /// # Errors
    /// When the file cannot be read, or has no certificate; the message names it.
    pub fn with_ca_file(path: &Path) -> Result<Self> {
        let refused = |why: String| {
            let text = format!("{}: {why}; it must hold certificates in PEM form", path.display());
            Error::new(ErrorKind::InvalidInput, text)
        };
        let mut roots = system_roots();
        let before = roots.len();
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| refused(error.to_string()))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| refused(error.to_string()))?;
            roots
                .add(certificate)
                .map_err(|error| refused(error.to_string()))?;
        }
        if roots.len() == before {
            return Err(refused("it has no certificate".into()));
        }
        Ok(Self(Some(config(roots))))
    }

    /// The settings for a handshake. The system's authorities are read once per process, at the first one.
    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        static SYSTEM: OnceLock<Arc<ClientConfig>> = OnceLock::new();
        let own = self.0.clone();
        own.unwrap_or_else(|| Arc::clone(SYSTEM.get_or_init(|| config(system_roots()))))
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}

/// The authorities of the system; where it has none, those of Mozilla as they were compiled in.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn config(roots: RootCertStore) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    #[expect(
        clippy::expect_used,
        reason = "the provider supports the versions it calls its defaults"
    )]
    Arc::new(
        builder
            .expect("default versions")
            .with_root_certificates(roots)
            .with_no_client_auth(),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_refused_with_its_name() {
        for path in ["Cargo.toml", "nowhere.pem"] {
            let error = Trust::with_ca_file(Path::new(path)).unwrap_err().to_string();
            assert!(error.contains(path), "{error}");
        }
    }
}
