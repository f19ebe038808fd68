//! `[server.tls]`, `[server.api_tls]` and `[ops.tls]`: TLS of a port of the node. Whom the node trusts as a client is in
//! `[tls]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::IntoDeserializer as _};
use switchboard_edge::{ClientCertificates, TlsPort, TlsSettings};

use super::{error::ConfigError, section::section};

/// The oldest version of TLS that a port speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MinVersion {
    /// TLS 1.2 with forward secrecy, and 1.3.
    #[serde(rename = "1.2")]
    Tls12,
    /// Only TLS 1.3.
    #[serde(rename = "1.3")]
    Tls13,
}

/// Whether clients show a certificate of `client_ca_file`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// A client without one is refused.
    Required,
    /// A client may show one; a bad one is refused.
    Optional,
}

/// Reads a version as text, because the value of a variable is taken for a number first.
fn version<'de, D: Deserializer<'de>>(value: D) -> Result<MinVersion, D::Error> {
    let text = String::deserialize(value)?;
    MinVersion::deserialize(text.into_deserializer())
}

section! {
    /// TLS of a port.
    PortTlsSection {
        /// A PEM file with the certificate of the port and those between it and its authority.
        cert_file: Option<PathBuf> = None,
        /// A PEM file with its key.
        key_file: Option<PathBuf> = None,
        /// A PEM file of authorities that sign certificates of clients. It does not replace the token.
        client_ca_file: Option<PathBuf> = None,
        /// Whether clients need a certificate of `client_ca_file`.
        client_auth: ClientAuth = ClientAuth::Required,
        /// The oldest version that clients may use.
        #[serde(deserialize_with = "version")]
        min_version: MinVersion = MinVersion::Tls12,
    }
}

impl PortTlsSection {
    /// Whether no file is named: the port speaks plain HTTP.
    pub(crate) const fn is_empty(&self) -> bool {
        self.cert_file.is_none() && self.key_file.is_none() && self.client_ca_file.is_none()
    }

    /// The settings of the port, if its section names a certificate; `name` is that of the section.
    pub(super) fn check(&self, name: &'static str) -> Result<Option<TlsSettings>, ConfigError> {
        let missing = |key, other| {
            let problem = format!("is missing; {name}.{other} needs it");
            Err(ConfigError::new(format!("{name}.{key}"), problem))
        };
        let (cert_file, key_file) = match (&self.cert_file, &self.key_file) {
            (Some(cert_file), Some(key_file)) => (cert_file.clone(), key_file.clone()),
            (None, None) if self.is_empty() => return Ok(None),
            (None, None) => return missing("cert_file", "client_ca_file"),
            (None, Some(_)) => return missing("cert_file", "key_file"),
            (Some(_), None) => return missing("key_file", "cert_file"),
        };
        let wanted = match self.client_auth {
            ClientAuth::Required => ClientCertificates::Required,
            ClientAuth::Optional => ClientCertificates::Optional,
        };
        let settings = TlsSettings {
            section: name,
            cert_file,
            key_file,
            clients: self.client_ca_file.clone().map(|path| (path, wanted)),
            only_1_3: self.min_version == MinVersion::Tls13,
        };
        TlsPort::check(&settings).map_err(|sentence| {
            // It begins with the key.
            let (key, problem) = sentence.split_once(": ").unwrap_or((name, &sentence));
            ConfigError::new(key, problem)
        })?;
        Ok(Some(settings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_of_a_section_names_the_missing_half() {
        for (section, key) in [
            (
                PortTlsSection {
                    cert_file: Some("a.pem".into()),
                    ..PortTlsSection::default()
                },
                "ops.tls.key_file",
            ),
            (
                PortTlsSection {
                    key_file: Some("a.key".into()),
                    ..PortTlsSection::default()
                },
                "ops.tls.cert_file",
            ),
            (
                PortTlsSection {
                    client_ca_file: Some("ca.pem".into()),
                    ..PortTlsSection::default()
                },
                "ops.tls.cert_file",
            ),
        ] {
            assert_eq!(section.check("ops.tls").unwrap_err().key, key);
        }
        assert!(PortTlsSection::default().check("ops.tls").unwrap().is_none());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_with_its_key() {
        let section = PortTlsSection {
            cert_file: Some("/nowhere/a.pem".into()),
            key_file: Some("/nowhere/a.key".into()),
            ..PortTlsSection::default()
        };
        let error = section.check("server.tls").unwrap_err();
        assert_eq!(error.key, "server.tls.cert_file");
        assert!(error.problem.contains("/nowhere/a.pem"), "{}", error.problem);
    }
}
