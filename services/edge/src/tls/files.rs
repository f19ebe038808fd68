//! The files of a TLS port as settings of rustls: certificate and key, and the authorities of clients. Not when they are
//! read (`node`), and not the port (`mod`).

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    Error, RootCertStore, ServerConfig, SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{NoServerSessionStorage, ProducesTickets, WebPkiClientVerifier},
    version::{TLS12, TLS13},
};
use switchboard_auth::{Contents, Watched};

use super::certificate::Validity;

/// The largest file, in bytes: a bundle of authorities.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The protocol of the ports (RFC 7301). A client that wants another one is refused in the handshake.
const ALPN: &[u8] = b"http/1.1";

/// Whether clients show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificates {
    /// A client without one is refused.
    Required,
    /// A client may show one; a bad one is refused.
    Optional,
}

/// TLS of one port, as it is configured.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// The section, for messages: `server.tls`.
    pub section: &'static str,
    /// The certificate of the port and those between it and its authority, as PEM.
    pub cert_file: PathBuf,
    /// Its key, as PEM.
    pub key_file: PathBuf,
    /// The authorities of clients, and whether these need a certificate.
    pub clients: Option<(PathBuf, ClientCertificates)>,
    /// Whether TLS 1.2 is refused.
    pub only_1_3: bool,
}

/// Settings that can be used, with the end of their certificate.
pub(super) struct Loaded {
    pub(super) config: ServerConfig,
    pub(super) validity: Validity,
}

impl TlsSettings {
    /// The files that are read.
    pub(super) fn watched(&self) -> Vec<Watched> {
        let authorities = self.clients.iter().map(|(path, _)| path);
        let files = [&self.cert_file, &self.key_file].into_iter().chain(authorities);
        files
            .map(|path| Watched::File {
                path: path.clone(),
                max_bytes: MAX_FILE_BYTES,
            })
            .collect()
    }

    /// Settings of the files' `contents`. The error names the key and the file.
    pub(super) fn load(
        &self,
        contents: &Contents,
        tickets: Arc<dyn ProducesTickets>,
    ) -> Result<Loaded, String> {
        let refused = |key: &str, path: &Path, why: String| {
            format!("{}.{key}: {}: {why}", self.section, path.display())
        };
        let bad_certificate = |why| refused("cert_file", &self.cert_file, why);
        let bad_key = |why| refused("key_file", &self.key_file, why);
        let read = |key: &str, path: &Path| {
            let found = contents.file(path);
            found.map_err(|why| format!("{}.{key}: {why}", self.section))
        };
        let chain = certificates(read("cert_file", &self.cert_file)?).map_err(bad_certificate)?;
        let leaf = chain
            .first()
            .ok_or_else(|| bad_certificate(NO_CERTIFICATE.into()))?;
        let validity = Validity::of(leaf).map_err(|error| bad_certificate(error.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(read("key_file", &self.key_file)?)
            .map_err(|error| bad_key(format!("{error}; it must hold one key in PEM form")))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions: &[&SupportedProtocolVersion] = if self.only_1_3 {
            &[&TLS13]
        } else {
            &[&TLS13, &TLS12]
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder
            .with_protocol_versions(versions)
            .map_err(|error| format!("{}.min_version: {error}", self.section))?;
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some((path, wanted)) => {
                let bad = |why| refused("client_ca_file", path, why);
                let mut roots = RootCertStore::empty();
                for certificate in certificates(read("client_ca_file", path)?).map_err(bad)? {
                    roots.add(certificate).map_err(|error| bad(error.to_string()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = match wanted {
                    ClientCertificates::Required => verifier,
                    ClientCertificates::Optional => verifier.allow_unauthenticated(),
                };
                builder.with_client_cert_verifier(verifier.build().map_err(|error| bad(error.to_string()))?)
            }
        };
        let config = builder.with_single_cert(chain, key);
        let mut config = config.map_err(|error| {
            if matches!(error, Error::InconsistentKeys(_)) {
                let cert_file = self.cert_file.display();
                bad_key(format!("it is not the key of the certificate in {cert_file}"))
            } else {
                bad_certificate(error.to_string())
            }
        })?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        // Tickets alone: a table of sessions would be one more thing that clients can fill.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = tickets;
        Ok(Loaded { config, validity })
    }
}

const NO_CERTIFICATE: &str = "it has no certificate in PEM form";

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(NO_CERTIFICATE.into()),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("{error}; it must hold certificates in PEM form")),
    }
}
