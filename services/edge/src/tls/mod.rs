//! TLS of one port of a node: its certificate, which a reload replaces, its tickets, and how many handshakes compute at
//! once. Whom the node trusts as a client is not here.

mod certificate;
mod files;
pub(crate) mod handshake;

use std::{sync::Arc, thread::available_parallelism};

use parking_lot::RwLock;
use rustls::{ServerConfig, crypto::aws_lc_rs::Ticketer, server::ProducesTickets};
use switchboard_auth::{Contents, Reload, WatchedFiles};
use switchboard_telemetry::{Coalesced, Port, Telemetry, TlsHandshake};
use tokio::{net::TcpStream, sync::Semaphore};

use crate::{clock::unix_now, stream::tls::TlsStream};
use certificate::{Rest, Validity};
use files::Loaded;
pub use files::{ClientCertificates, TlsSettings};
pub use handshake::HandshakeError;

/// Handshakes that may compute at the same time, per core. More of them would only queue in front of other clients' work.
const COMPUTING_PER_CORE: usize = 2;

/// A certificate that ends sooner than this is warned of when it is read, in days.
const WARN_DAYS: i64 = 14;

/// TLS of one port.
pub struct TlsPort {
    settings: TlsSettings,
    port: Port,
    telemetry: Telemetry,
    files: WatchedFiles,
    config: RwLock<Arc<ServerConfig>>,
    tickets: Tickets,
    computing: Semaphore,
    not_tls: Coalesced,
}

impl TlsPort {
    /// Reads the files of `settings`.
    ///
    /// # Errors
    /// A sentence that names the key and the file that cannot be used.
    pub fn open(settings: TlsSettings, port: Port, telemetry: Telemetry) -> Result<Arc<Self>, String> {
        let (files, contents) = WatchedFiles::new(settings.watched());
        let tickets = Tickets::new(&settings)?;
        let Loaded { config, validity } = settings.load(&contents, tickets.of_next_config()?)?;
        let cores = available_parallelism().map_or(1, usize::from);
        let port = Self {
            settings,
            port,
            telemetry,
            files,
            config: RwLock::new(Arc::new(config)),
            tickets,
            computing: Semaphore::new(COMPUTING_PER_CORE * cores),
            not_tls: Coalesced::new(),
        };
        port.note(validity);
        Ok(Arc::new(port))
    }

    /// Whether `settings` can be used, without keeping them.
    ///
    /// # Errors
    /// As [`TlsPort::open`].
    pub fn check(settings: &TlsSettings) -> Result<(), String> {
        let (_, contents) = WatchedFiles::new(settings.watched());
        let tickets = Tickets::new(settings)?;
        settings.load(&contents, tickets.of_next_config()?).map(|_| ())
    }

    /// Reads the files again. Open connections keep what they have.
    ///
    /// # Errors
    /// Why the new files cannot be used; the earlier ones stay in use.
    pub fn reload(&self) -> Result<Reload, String> {
        match self.files.poll() {
            Err(reload) => Ok(reload),
            Ok(contents) => self.replace(&contents).map(|()| Reload::Changed),
        }
    }

    fn replace(&self, contents: &Contents) -> Result<(), String> {
        let Loaded { config, validity } = self.settings.load(contents, self.tickets.of_next_config()?)?;
        let now_s = now_s();
        if validity.not_after_s < now_s {
            let path = self.settings.cert_file.display();
            let rest = Rest { validity, now_s };
            return Err(format!("{}.cert_file: {path}: {rest}", self.settings.section));
        }
        *self.config.write() = Arc::new(config);
        self.note(validity);
        Ok(())
    }

    fn note(&self, validity: Validity) {
        self.telemetry.certificate(self.port, validity.not_after_s);
        let now_s = now_s();
        let rest = Rest { validity, now_s };
        let file = self.settings.cert_file.display();
        let is_valid = validity.not_before_s <= now_s && now_s + WARN_DAYS * 86_400 <= validity.not_after_s;
        if is_valid {
            tracing::info!(port = self.port.as_str(), %file, "the certificate is in use; {rest}");
        } else {
            tracing::warn!(port = self.port.as_str(), %file, "the certificate is in use; {rest}");
        }
    }

    /// Does the handshake of an accepted connection. It has no bound of time.
    ///
    /// # Errors
    /// [`HandshakeError`]; it is counted.
    pub async fn accept(&self, tcp: TcpStream) -> Result<TlsStream, HandshakeError> {
        let config = Arc::clone(&self.config.read());
        let accepted = handshake::accept(tcp, config, &self.computing).await;
        let outcome = match &accepted {
            Ok(stream) if stream.is_resumed() => TlsHandshake::Resumed,
            Ok(_) => TlsHandshake::Full,
            Err(HandshakeError::Empty) => return accepted,
            Err(HandshakeError::NotTls) => {
                self.not_tls.note(|count| {
                    tracing::warn!(
                        port = self.port.as_str(),
                        count,
                        "clients speak no TLS on a port that does; do they use http:// or ws://?"
                    );
                });
                TlsHandshake::NotTls
            }
            Err(error @ (HandshakeError::Lost(_) | HandshakeError::Refused(_) | HandshakeError::TooLong)) => {
                tracing::debug!(port = self.port.as_str(), %error, "a TLS handshake failed");
                TlsHandshake::Failed
            }
        };
        self.telemetry.tls_handshake(self.port, outcome);
        accepted
    }
}

/// The keys of session tickets, which change every six hours. They are this node's alone: on another node a client makes a
/// full handshake.
struct Tickets(Option<Arc<dyn ProducesTickets>>);

impl Tickets {
    /// One set of keys for all certificates of the port. With authorities of clients each config has its own: a ticket
    /// must not outlive the trust in its client's authority.
    fn new(settings: &TlsSettings) -> Result<Self, String> {
        Ok(Self(match settings.clients {
            None => Some(ticketer()?),
            Some(_) => None,
        }))
    }

    fn of_next_config(&self) -> Result<Arc<dyn ProducesTickets>, String> {
        self.0.clone().map_or_else(ticketer, Ok)
    }
}

fn ticketer() -> Result<Arc<dyn ProducesTickets>, String> {
    Ticketer::new().map_err(|error| format!("no key for TLS tickets can be made: {error}"))
}

fn now_s() -> i64 {
    i64::try_from(unix_now().as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, pem::PemObject as _},
    };
    use switchboard_harness::Authority;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };
    use tokio_rustls::TlsConnector;

    use super::*;

    #[tokio::test]
    async fn an_idle_connection_keeps_no_buffer_after_its_handshake_and_after_messages() {
        let authority = Authority::new("test-authority").unwrap();
        let files = authority.issue("server", &["localhost"]).unwrap();
        let settings = TlsSettings {
            section: "server.tls",
            cert_file: files.certificate,
            key_file: files.key,
            clients: None,
            only_1_3: false,
        };
        let port = TlsPort::open(settings, Port::Public, Telemetry::new("n1")).unwrap();
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(authority.ca_file()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connecting = async {
            let tcp = TcpStream::connect(address).await.unwrap();
            let name = "localhost".try_into().unwrap();
            TlsConnector::from(Arc::new(client))
                .connect(name, tcp)
                .await
                .unwrap()
        };
        let accepting = async {
            let (tcp, _) = listener.accept().await.unwrap();
            port.accept(tcp).await.unwrap()
        };
        let (mut client, mut server) = tokio::join!(connecting, accepting);
        assert!(server.is_lean(), "the handshake is over");
        for size in [1, 1_000, 60_000] {
            let sent = vec![7; size];
            let mut got = vec![0; size];
            let (written, read) = tokio::join!(client.write_all(&sent), server.read_exact(&mut got));
            written.unwrap();
            read.unwrap();
            let answering = async {
                server.write_all(&got).await.unwrap();
                server.flush().await.unwrap();
            };
            let mut back = vec![0; size];
            let ((), read) = tokio::join!(answering, client.read_exact(&mut back));
            read.unwrap();
            assert!(back == sent && server.is_lean(), "after {size} bytes");
        }
    }
}
