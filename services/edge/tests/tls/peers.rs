//! A port with TLS that echoes, and its client.

use std::{net::SocketAddr, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    version::{TLS12, TLS13},
};
use switchboard_edge::{ClientCertificates, HandshakeError, TlsPort, TlsSettings};
use switchboard_harness::{Authority, Certificate};
use switchboard_telemetry::{Port, Telemetry};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

pub(crate) const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// A port that echoes what it reads, and says how each handshake ended.
pub(crate) struct EchoPort {
    pub(crate) authority: Authority,
    pub(crate) port: Arc<TlsPort>,
    pub(crate) telemetry: Telemetry,
    address: SocketAddr,
    outcomes: mpsc::Receiver<Result<(), HandshakeError>>,
}

impl EchoPort {
    pub(crate) async fn start(clients: Option<ClientCertificates>) -> Self {
        let authority = Authority::new("test-authority").unwrap();
        let Certificate { certificate, key } = authority.issue("server", &["localhost"]).unwrap();
        let settings = TlsSettings {
            section: "server.tls",
            cert_file: certificate,
            key_file: key,
            clients: clients.map(|wanted| (authority.ca_file(), wanted)),
            only_1_3: false,
        };
        let telemetry = Telemetry::new("n1");
        let port = TlsPort::open(settings, Port::Public, telemetry.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (ended, outcomes) = mpsc::channel(64);
        tokio::spawn(accept(listener, Arc::clone(&port), ended));
        Self {
            authority,
            port,
            telemetry,
            address,
            outcomes,
        }
    }

    pub(crate) async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// How the next handshake ended.
    pub(crate) async fn outcome(&mut self) -> Result<(), HandshakeError> {
        self.outcomes.recv().await.unwrap()
    }

    /// A client's settings; `identity` is its own certificate.
    pub(crate) fn client(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        identity: Option<&Certificate>,
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(self.authority.ca_file()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(match identity {
            None => builder.with_no_client_auth(),
            Some(Certificate { certificate, key }) => builder
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_file(certificate).unwrap()],
                    PrivateKeyDer::from_pem_file(key).unwrap(),
                )
                .unwrap(),
        })
    }

    pub(crate) async fn connect(&self, config: &Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
        let name = "localhost".try_into().unwrap();
        TlsConnector::from(Arc::clone(config))
            .connect(name, self.tcp().await)
            .await
    }

    /// The value of one series.
    pub(crate) fn metric(&self, series: &str) -> String {
        let text = self.telemetry.render().unwrap();
        let found = text.lines().find_map(|line| line.strip_prefix(series));
        found.unwrap_or_default().trim().to_owned()
    }
}

async fn accept(listener: TcpListener, port: Arc<TlsPort>, ended: mpsc::Sender<Result<(), HandshakeError>>) {
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        let (port, ended) = (Arc::clone(&port), ended.clone());
        tokio::spawn(async move {
            let accepted = port.accept(tcp).await;
            let (stream, outcome) = match accepted {
                Ok(stream) => (Some(stream), Ok(())),
                Err(error) => (None, Err(error)),
            };
            let _ = ended.send(outcome).await;
            if let Some(stream) = stream {
                let (mut read, mut write) = tokio::io::split(stream);
                let _ = tokio::io::copy(&mut read, &mut write).await;
                let _ = write.shutdown().await;
            }
        });
    }
}

/// Sends `bytes` and reads as many; both at once, so that no buffer has to hold all.
pub(crate) async fn echoed(stream: TlsStream<TcpStream>, bytes: Vec<u8>) -> TlsStream<TcpStream> {
    let (mut read, mut write) = tokio::io::split(stream);
    let sent = bytes.clone();
    let sending = async {
        write.write_all(&sent).await.unwrap();
        write.flush().await.unwrap();
    };
    let mut got = vec![0; bytes.len()];
    let (_, count) = tokio::join!(sending, read.read_exact(&mut got));
    count.unwrap();
    assert!(got == bytes, "{} bytes came back changed", bytes.len());
    read.unsplit(write)
}
