//! A certificate authority of a test, and certificates that it issues: PEM files in a folder of its own. Nobody else knows
//! or trusts it.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize,
};
use tempfile::TempDir;

/// How long a certificate is valid from now on, in days.
const VALID_DAYS: i64 = 30;

/// A day, in seconds.
const DAY_S: u64 = 86_400;

/// Certificates are valid from this long ago: clocks of containers differ.
const VALID_SINCE: Duration = Duration::from_hours(1);

/// An authority. Its files are deleted when it is dropped.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate and its private key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Authority {
    /// An authority of this name.
    ///
    /// # Errors
    /// When its files cannot be written.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let mut params = params(name, &[], VALID_DAYS)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("ca.pem"), issuer.pem())?;
        Ok(Self { issuer, folder })
    }

    /// Its own certificate, as a PEM file.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The folder of its files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Issues a certificate for a server and client with these names and addresses, for example `127.0.0.1`. Its files
    /// are `name.pem` and `name.key`; one of the same name is replaced.
    ///
    /// # Errors
    /// When a name cannot be in a certificate, or the files cannot be written.
    pub fn issue(&self, name: &str, names: &[&str]) -> anyhow::Result<Certificate> {
        self.issue_until(name, names, VALID_DAYS)
    }

    /// As [`Authority::issue`]; it ends in `days`, or has ended if these are negative.
    ///
    /// # Errors
    /// As there.
    pub fn issue_until(&self, name: &str, names: &[&str], days: i64) -> anyhow::Result<Certificate> {
        self.sign(name, names, days, &KeyPair::generate()?)
    }

    /// As [`Authority::issue`], with an RSA key of 2,048 bits, as many public certificates have.
    ///
    /// # Errors
    /// As there.
    pub fn issue_rsa(&self, name: &str, names: &[&str]) -> anyhow::Result<Certificate> {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        self.sign(name, names, VALID_DAYS, &key)
    }

    fn sign(&self, name: &str, names: &[&str], days: i64, key: &KeyPair) -> anyhow::Result<Certificate> {
        let mut params = params(name, names, days)?;
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let certificate = params.signed_by(key, &self.issuer)?;
        let file = |ending: &str| self.folder.path().join(format!("{name}.{ending}"));
        let files = Certificate {
            certificate: file("pem"),
            key: file("key"),
        };
        std::fs::write(&files.certificate, certificate.pem())?;
        std::fs::write(&files.key, key.serialize_pem())?;
        Ok(files)
    }
}

fn params(name: &str, names: &[&str], days: i64) -> anyhow::Result<CertificateParams> {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, name);
    let now = SystemTime::now();
    let days_s = Duration::from_secs(days.unsigned_abs() * DAY_S);
    let end = if days < 0 { now - days_s } else { now + days_s };
    params.not_before = (now.min(end) - VALID_SINCE).into();
    params.not_after = end.into();
    Ok(params)
}
