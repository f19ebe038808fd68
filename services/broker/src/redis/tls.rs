//! TLS towards Redis: whom the node trusts, and the certificate that it shows. Not the handshake (`dial`).

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use switchboard_protocol::Secret;

/// Certificates and keys in PEM, as read from files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedisTls {
    /// The authorities that sign the servers' certificates; `None`: those of the system.
    pub authorities: Option<String>,
    /// The certificate that the node shows, with its chain, and the private key. `None`: it shows none.
    pub client: Option<(String, Secret)>,
}

/// What cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedisTlsError {
    /// There are no authorities.
    #[error("holds no certificate of an authority in PEM (-----BEGIN CERTIFICATE-----)")]
    Authorities,
    /// The system has none.
    #[error(
        "the system has no certificates of authorities; install ca-certificates, or set broker.redis_ca_file"
    )]
    NoSystemAuthorities,
    /// There is no certificate.
    #[error("holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")]
    Certificate,
    /// There is no key, or it is not that of the certificate.
    #[error("holds no private key in PEM of the certificate in broker.redis_cert_file")]
    Key,
}

impl RedisTls {
    /// The settings of every handshake. TLS 1.2 and 1.3; the name of the server is checked.
    ///
    /// # Errors
    /// [`RedisTlsError`].
    pub(crate) fn client_config(&self) -> Result<Arc<ClientConfig>, RedisTlsError> {
        let mut roots = RootCertStore::empty();
        if let Some(text) = &self.authorities {
            for certificate in certificates(text).ok_or(RedisTlsError::Authorities)? {
                roots.add(certificate).map_err(|_| RedisTlsError::Authorities)?;
            }
        } else {
            let system = rustls_native_certs::load_native_certs().certs;
            let (added, _) = roots.add_parsable_certificates(system);
            if added == 0 {
                return Err(RedisTlsError::NoSystemAuthorities);
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        #[expect(
            clippy::expect_used,
            reason = "the provider supports the versions it calls its defaults"
        )]
        let builder = builder.expect("default versions").with_root_certificates(roots);
        let config = match &self.client {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate).ok_or(RedisTlsError::Certificate)?;
                let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes());
                let key = key.map_err(|_| RedisTlsError::Key)?;
                let config = builder.with_client_auth_cert(chain, key);
                config.map_err(|_| RedisTlsError::Key)?
            }
        };
        Ok(Arc::new(config))
    }
}

/// The certificates in `text`; `None` if there is none, or one cannot be read.
fn certificates(text: &str) -> Option<Vec<CertificateDer<'static>>> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    certificates.ok().filter(|certificates| !certificates.is_empty())
}

#[cfg(test)]
mod tests {
    use switchboard_harness::Authority;

    use super::*;

    #[test]
    fn an_own_authority_and_a_client_certificate_are_used_and_their_absence_is_named() {
        let authority = Authority::new("redis").unwrap();
        let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
        let (own, other) = (
            authority.issue("own", &["node"]).unwrap(),
            authority.issue("other", &["node"]).unwrap(),
        );
        let ca = Some(read(&authority.ca_file()));
        let tls = |authorities: &Option<String>, certificate: &str, key: &str| RedisTls {
            authorities: authorities.clone(),
            client: Some((certificate.to_owned(), Secret::new(key))),
        };
        let (certificate, key) = (read(&own.certificate), read(&own.key));
        assert!(tls(&ca, &certificate, &key).client_config().is_ok());
        let refused = |tls: RedisTls| tls.client_config().map(drop).unwrap_err();
        let none = Some("no certificate".to_owned());
        assert_eq!(
            refused(tls(&none, &certificate, &key)),
            RedisTlsError::Authorities
        );
        assert_eq!(refused(tls(&ca, "none", &key)), RedisTlsError::Certificate);
        assert_eq!(refused(tls(&ca, &certificate, "none")), RedisTlsError::Key);
        let foreign = read(&other.key);
        assert_eq!(refused(tls(&ca, &certificate, &foreign)), RedisTlsError::Key);
    }
}
