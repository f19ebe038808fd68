//! A node with certificates of its own authority, and its clients.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    path::PathBuf,
};

use switchboard_client::{Client, ConnectError, ConnectOptions, Trust};
use switchboard_harness::{Authority, PATIENCE, wait_until};

use crate::common::{ALONE, Node, token};

/// A node whose public port has TLS.
pub(crate) struct Secure {
    pub(crate) node: Node,
    pub(crate) authority: Authority,
}

/// An authority and its certificate `node`, which is for `localhost`.
pub(crate) fn certificates() -> Authority {
    let authority = Authority::new("test-authority").unwrap();
    let _ = authority.issue("node", &["localhost"]).unwrap();
    authority
}

/// The two keys of a section of TLS.
pub(crate) fn files(authority: &Authority) -> String {
    let file = |end: &str| authority.folder().join(format!("node.{end}"));
    format!("cert_file = {:?}\nkey_file = {:?}\n", file("pem"), file("key"))
}

impl Secure {
    /// With `more` in its configuration.
    pub(crate) async fn start(more: &str) -> Self {
        let secure = Self::spawn(more);
        secure.node.process.wait_ready().await.unwrap();
        secure
    }

    pub(crate) fn spawn(more: &str) -> Self {
        let authority = certificates();
        let config = format!("{ALONE}[server.tls]\n{}{more}", files(&authority));
        Self::spawn_with(authority, &config)
    }

    pub(crate) fn spawn_with(authority: Authority, config: &str) -> Self {
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_switchboard"));
        let node = Node::spawn_by(tempfile::tempdir().unwrap(), &binary, config);
        Self { node, authority }
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::with_ca_file(&self.authority.ca_file()).unwrap()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.node.process.public_port()))
    }

    pub(crate) fn options(&self, peer: &str) -> ConnectOptions {
        let port = self.node.process.public_port();
        ConnectOptions {
            address: Some(self.address()),
            trust: self.trust(),
            ..ConnectOptions::new(format!("wss://localhost:{port}/v1/ws"), token(peer))
        }
    }

    pub(crate) async fn connect(&self, peer: &str) -> Client {
        Client::connect(&self.options(peer)).await.unwrap()
    }

    pub(crate) async fn connect_from(&self, peer: &str, from: [u8; 4]) -> Result<Client, ConnectError> {
        let options = self.options(peer).bind_address(IpAddr::from(from));
        Client::connect(&options).await
    }

    /// The answer to a whole request over TLS, up to its end.
    pub(crate) fn https(&self, request: &str) -> String {
        https(self.address(), &self.trust(), request).unwrap()
    }

    pub(crate) async fn metric_is(&self, series: &str, value: f64) {
        let is_so = async || {
            self.node
                .process
                .metric(series)
                .await
                .filter(|found| *found == value)
        };
        wait_until(series, PATIENCE, is_so).await.unwrap();
    }
}

/// The answer of `address` to a whole request over TLS, up to its end.
pub(crate) fn https(address: SocketAddr, trust: &Trust, request: &str) -> io::Result<String> {
    let tcp = TcpStream::connect(address)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    let mut stream = trust.secure("localhost", tcp)?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
