//! Bytes in place of a ClientHello: a clear end, in time, and no panic.

use std::time::Duration;

use proptest::prelude::*;
use rustls::{ClientConnection, HandshakeKind};
use switchboard_edge::HandshakeError;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use crate::peers::{BOTH, EchoPort, echoed};

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_client_of_plain_http_hears_that_it_needs_https() {
    let mut port = EchoPort::start(None).await;
    let mut tcp = port.tcp().await;
    tcp.write_all(b"GET /v1/ws HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(
        answer.contains("this port speaks TLS; connect with https:// or wss://"),
        "{answer}"
    );
    assert!(!answer.contains("retry-after"), "{answer}");
    assert!(matches!(port.outcome().await, Err(HandshakeError::NotTls)));
    let counted = "switchboard_tls_handshakes_total{outcome=\"not-tls\",port=\"public\"}";
    assert_eq!(port.metric(counted), "1");
}

#[tokio::test]
async fn a_health_check_that_only_connects_is_no_failure() {
    let mut port = EchoPort::start(None).await;
    drop(port.tcp().await);
    assert!(matches!(port.outcome().await, Err(HandshakeError::Empty)));
    let text = port.telemetry.render().unwrap();
    let counted = text
        .lines()
        .filter(|line| line.starts_with("switchboard_tls_handshakes_total"));
    assert!(counted.clone().count() > 3 && counted.clone().all(|line| line.ends_with(" 0")));
}

#[tokio::test]
async fn an_endless_message_of_the_handshake_ends_at_its_bound() {
    let mut port = EchoPort::start(None).await;
    let mut tcp = port.tcp().await;
    // A ClientHello of 65,000 bytes in records of 16,384.
    let mut record = vec![22, 3, 1, 0x40, 0];
    record.extend([1, 0, 0xfd, 0xe8]);
    record.resize(5 + 0x4000, 0);
    let mut bytes = record.clone();
    record[5..9].fill(0);
    for _ in 0..3 {
        bytes.extend(&record);
    }
    // It is refused before the end.
    let _ = tcp.write_all(&bytes).await;
    let outcome = timeout(PATIENCE, port.outcome()).await.unwrap();
    assert!(
        matches!(outcome, Err(HandshakeError::TooLong | HandshakeError::Refused(_))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn two_broken_records_are_answered_with_one_alert() {
    let mut port = EchoPort::start(None).await;
    let mut tcp = port.tcp().await;
    // A ServerHello, which no client sends, and a record that is too long. rustls panics if it has to read on after its alert.
    tcp.write_all(&[22, 3, 1, 0, 4, 2, 0, 0, 0, 22, 3, 1, 0xff, 0xff, 0])
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = tcp.read_to_end(&mut answer).await;
    assert_eq!((answer.first(), answer.len()), (Some(&21), 7), "{answer:?}");
    assert!(matches!(port.outcome().await, Err(HandshakeError::Refused(_))));
}

/// A ClientHello as rustls sends it.
fn client_hello(port: &EchoPort) -> Vec<u8> {
    let config = port.client(BOTH, None);
    let mut client = ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}

/// Sends `bytes` in pieces and hangs up; the port survives it.
async fn sent(port: &mut EchoPort, bytes: &[u8], piece: usize) -> Result<(), HandshakeError> {
    let mut tcp = port.tcp().await;
    for piece in bytes.chunks(piece) {
        // The port may have closed already.
        if tcp.write_all(piece).await.is_err() {
            break;
        }
    }
    let _ = tcp.shutdown().await;
    let outcome = timeout(PATIENCE, port.outcome()).await.unwrap();
    let stream = port.connect(&port.client(BOTH, None)).await.unwrap();
    assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
    echoed(stream, vec![1; 10]).await;
    port.outcome().await.unwrap();
    outcome
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_end_the_handshake_and_nothing_else(
        bytes in prop::collection::vec(any::<u8>(), 1..3_000),
        begins_as_tls: bool,
        piece in 1_usize..700,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut bytes = bytes;
        if begins_as_tls {
            let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
            bytes.splice(0..0, [22, 3, 1, length[0], length[1]]);
        }
        runtime.block_on(async {
            let mut port = EchoPort::start(None).await;
            assert!(sent(&mut port, &bytes, piece).await.is_err());
        });
    }

    #[test]
    fn a_client_hello_with_wrong_bytes_ends_the_handshake_and_nothing_else(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        piece in 1_usize..700,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut port = EchoPort::start(None).await;
            let mut hello = client_hello(&port);
            for (at, byte) in changes {
                let at = at.index(hello.len());
                hello[at] = byte;
            }
            hello.truncate(1 + cut.index(hello.len()));
            // Without the client's last flight no handshake succeeds.
            assert!(sent(&mut port, &hello, piece).await.is_err());
        });
    }
}
