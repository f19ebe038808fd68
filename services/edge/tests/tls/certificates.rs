//! Certificates of the port and of its clients, and what a reload does with them.

use std::time::{SystemTime, UNIX_EPOCH};

use rustls::{HandshakeKind, pki_types::CertificateDer, version::TLS13};
use switchboard_auth::Reload;
use switchboard_edge::{ClientCertificates, HandshakeError};
use switchboard_harness::Authority;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use crate::peers::{BOTH, EchoPort, echoed};

const NOT_AFTER: &str = "switchboard_certificate_not_after_timestamp_seconds{port=\"public\"}";

/// Reads until the files have settled.
fn reload(port: &EchoPort) -> Result<Reload, String> {
    match port.port.reload() {
        Ok(Reload::Settling) => port.port.reload(),
        other => other,
    }
}

fn certificate_of(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections_and_open_ones_go_on() {
    let port = EchoPort::start(None).await;
    let before = port.connect(&port.client(BOTH, None)).await.unwrap();
    assert_eq!(reload(&port), Ok(Reload::Unchanged));
    let _ = port.authority.issue_until("server", &["localhost"], 40).unwrap();
    assert_eq!(reload(&port), Ok(Reload::Changed));
    let after = port.connect(&port.client(BOTH, None)).await.unwrap();
    assert_ne!(certificate_of(&before), certificate_of(&after));
    echoed(before, vec![1; 100]).await;
    let not_after: u64 = port.metric(NOT_AFTER).parse().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!((39 * 86_400..=40 * 86_400).contains(&(not_after - now)));
}

#[tokio::test]
async fn files_that_cannot_be_used_leave_the_certificate_as_it_was_and_are_named() {
    let port = EchoPort::start(None).await;
    let (cert, key) = (
        port.authority.folder().join("server.pem"),
        port.authority.folder().join("server.key"),
    );
    let good = (std::fs::read(&cert).unwrap(), std::fs::read(&key).unwrap());
    let before = certificate_of(&port.connect(&port.client(BOTH, None)).await.unwrap());
    let other = port.authority.issue("other", &["localhost"]).unwrap();
    let expired = port.authority.issue_until("expired", &["localhost"], -2).unwrap();
    let read = |path| std::fs::read(path).unwrap();
    for (name, cert_bytes, key_bytes, named) in [
        (
            "not PEM",
            b"nonsense".to_vec(),
            good.1.clone(),
            "server.tls.cert_file",
        ),
        (
            "half a file",
            good.0[..good.0.len() / 2].to_vec(),
            good.1.clone(),
            "server.tls.cert_file",
        ),
        ("no key", good.0.clone(), Vec::new(), "server.tls.key_file"),
        (
            "another key",
            good.0.clone(),
            read(&other.key),
            "is not the key of",
        ),
        (
            "expired",
            read(&expired.certificate),
            read(&expired.key),
            "it ended 2 days ago",
        ),
    ] {
        std::fs::write(&cert, cert_bytes).unwrap();
        std::fs::write(&key, key_bytes).unwrap();
        let problem = reload(&port).unwrap_err();
        assert!(problem.contains(named), "{name}: {problem}");
        assert!(!problem.contains("PRIVATE"), "{name}: {problem}");
        let now = certificate_of(&port.connect(&port.client(BOTH, None)).await.unwrap());
        assert!(now == before, "{name}");
    }
    std::fs::remove_file(&key).unwrap();
    assert!(reload(&port).unwrap_err().contains("server.key"));
}

#[tokio::test]
async fn clients_without_a_trusted_certificate_are_refused_where_one_is_required() {
    let mut port = EchoPort::start(Some(ClientCertificates::Required)).await;
    let own = port.authority.issue("client", &["alice"]).unwrap();
    let other = Authority::new("another-authority").unwrap();
    let foreign = other.issue("client", &["alice"]).unwrap();
    let stream = port.connect(&port.client(BOTH, Some(&own))).await.unwrap();
    echoed(stream, vec![1; 10]).await;
    assert!(port.outcome().await.is_ok());
    for identity in [None, Some(&foreign)] {
        // With TLS 1.3 a client is ready before it hears that it was refused.
        let said = match port.connect(&port.client(BOTH, identity)).await {
            Ok(mut stream) => stream.read_u8().await.unwrap_err(),
            Err(error) => error,
        };
        assert!(said.to_string().contains("alert"), "{said}");
        assert!(matches!(port.outcome().await, Err(HandshakeError::Refused(_))));
    }
    let failed = "switchboard_tls_handshakes_total{outcome=\"failed\",port=\"public\"}";
    assert_eq!(port.metric(failed), "2");
}

#[tokio::test]
async fn a_certificate_that_is_optional_may_be_missing_but_not_foreign() {
    let port = EchoPort::start(Some(ClientCertificates::Optional)).await;
    let other = Authority::new("another-authority").unwrap();
    let foreign = other.issue("client", &["alice"]).unwrap();
    let stream = port.connect(&port.client(BOTH, None)).await.unwrap();
    echoed(stream, vec![1; 10]).await;
    let refused = match port.connect(&port.client(BOTH, Some(&foreign))).await {
        Ok(mut stream) => stream.read_u8().await.is_err(),
        Err(_) => true,
    };
    assert!(refused);
}

/// Connects and exchanges a byte, so that the client has read its tickets. Whether the session was resumed.
async fn is_resumed(port: &EchoPort, config: &std::sync::Arc<rustls::ClientConfig>) -> bool {
    let mut stream = port.connect(config).await.unwrap();
    stream.write_all(b"x").await.unwrap();
    stream.read_u8().await.unwrap();
    stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed)
}

#[tokio::test]
async fn a_session_is_resumed_and_outlives_a_new_certificate() {
    let port = EchoPort::start(None).await;
    for versions in [BOTH, &[&rustls::version::TLS12]] {
        let client = port.client(versions, None);
        assert!(!is_resumed(&port, &client).await);
        assert!(is_resumed(&port, &client).await);
        let _ = port.authority.issue("server", &["localhost"]).unwrap();
        assert_eq!(reload(&port), Ok(Reload::Changed));
        assert!(is_resumed(&port, &client).await);
    }
    let resumed = "switchboard_tls_handshakes_total{outcome=\"resumed\",port=\"public\"}";
    assert_eq!(port.metric(resumed), "4");
}

#[tokio::test]
async fn a_session_of_a_client_with_a_certificate_ends_with_the_trust_in_its_authority() {
    let port = EchoPort::start(Some(ClientCertificates::Required)).await;
    let own = port.authority.issue("client", &["alice"]).unwrap();
    let client = port.client(&[&TLS13], Some(&own));
    assert!(!is_resumed(&port, &client).await);
    assert!(is_resumed(&port, &client).await);
    // Another authority takes the place of the first one.
    let other = Authority::new("another-authority").unwrap();
    std::fs::copy(other.ca_file(), port.authority.ca_file()).unwrap();
    assert_eq!(reload(&port), Ok(Reload::Changed));
    let refused = match port.connect(&client).await {
        Ok(mut stream) => stream.read_u8().await.is_err(),
        Err(_) => true,
    };
    assert!(refused, "its ticket is worth nothing");
}

#[tokio::test]
async fn only_http_1_1_is_spoken() {
    let port = EchoPort::start(None).await;
    for (offered, is_taken) in [
        (vec![], true),
        (vec!["http/1.1"], true),
        (vec!["h2", "http/1.1"], true),
        (vec!["h2"], false),
    ] {
        let mut client = (*port.client(BOTH, None)).clone();
        client.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = port.connect(&client.into()).await;
        assert_eq!(stream.is_ok(), is_taken, "{offered:?}");
        if let Ok(stream) = stream {
            let chosen = stream.get_ref().1.alpn_protocol();
            assert_eq!(chosen, (!offered.is_empty()).then_some(&b"http/1.1"[..]));
        }
    }
}
