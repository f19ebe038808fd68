//! Whom a client trusts behind `wss://`: the authorities of the system, and those in a file. Not the handshake (`connect`).

use std::{
    fmt,
    io::{Error, ErrorKind, Read, Result, Write},
    path::Path,
    sync::{Arc, OnceLock},
};

use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
    StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{
        CertificateDer, InvalidDnsNameError, PrivateKeyDer, ServerName, UnixTime,
        pem::{self, PemObject as _},
    },
    sign::{CertifiedKey, SingleCertAndKey},
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

    /// The same, with a certificate of the client's own for servers that want one: PEM files with it and with its key.
    ///
    /// # Errors
    /// When a file cannot be used; the message names it.
    pub fn with_identity(&self, cert_file: &Path, key_file: &Path) -> Result<Self> {
        let refused = |path: &Path, why: String| {
            Error::new(ErrorKind::InvalidInput, format!("{}: {why}", path.display()))
        };
        let bad_chain = |error: pem::Error| refused(cert_file, error.to_string());
        let chain = CertificateDer::pem_file_iter(cert_file).map_err(bad_chain)?;
        let chain: Vec<_> = chain.collect::<std::result::Result<_, _>>().map_err(bad_chain)?;
        let key =
            PrivateKeyDer::from_pem_file(key_file).map_err(|error| refused(key_file, error.to_string()))?;
        let mut config = ClientConfig::clone(&self.config());
        let identity = CertifiedKey::from_der(chain, key, config.crypto_provider());
        let identity = identity.map_err(|error| refused(cert_file, error.to_string()))?;
        config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(identity));
        Ok(Self(Some(Arc::new(config))))
    }

    /// Any certificate at all. Only for questions without a secret to this machine, whose certificate names its public host.
    #[must_use]
    pub fn anything() -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::clone(&Self::default().config());
        config
            .dangerous()
            .set_certificate_verifier(Arc::new(WithoutName { provider, only: None }));
        Self(Some(Arc::new(config)))
    }

    /// The first certificate in the PEM file `path` and no other, whatever the server is called: for a server whose own files are
    /// at hand.
    ///
    /// # Errors
    /// When the file cannot be read, or has no certificate; the message names it.
    pub fn exactly(path: &Path) -> Result<Self> {
        let only = CertificateDer::from_pem_file(path)
            .map_err(|error| Error::new(ErrorKind::InvalidInput, format!("{}: {error}", path.display())))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::clone(&Self::default().config());
        let only = Some(only);
        config
            .dangerous()
            .set_certificate_verifier(Arc::new(WithoutName { provider, only }));
        Ok(Self(Some(Arc::new(config))))
    }

    /// TLS over a connection to `host`, for blocking reads and writes; the first of them does the handshake.
    ///
    /// # Errors
    /// When `host` is no name and no address.
    pub fn secure<S: Read + Write>(&self, host: &str, stream: S) -> Result<impl Read + Write + use<S>> {
        let invalid =
            |error: InvalidDnsNameError| Error::new(ErrorKind::InvalidInput, format!("{host}: {error}"));
        let name = ServerName::try_from(host.to_owned()).map_err(invalid)?;
        let session = ClientConnection::new(self.config(), name).map_err(Error::other)?;
        Ok(StreamOwned::new(session, stream))
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

/// Takes every certificate whose key the server has, or one of them, without regard to the name in it.
#[derive(Debug)]
struct WithoutName {
    provider: Arc<CryptoProvider>,
    only: Option<CertificateDer<'static>>,
}

impl ServerCertVerifier for WithoutName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        match &self.only {
            Some(only) if only != end_entity => Err(CertificateError::UnknownIssuer.into()),
            Some(_) | None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
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
            for refused in [
                Trust::with_ca_file(Path::new(path)),
                Trust::exactly(Path::new(path)),
            ] {
                let error = refused.unwrap_err().to_string();
                assert!(error.contains(path), "{error}");
            }
        }
    }
}
