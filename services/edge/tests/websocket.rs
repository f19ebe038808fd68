//! The WebSocket layer alone, by its echo: frames of each kind, and both sides of the close handshake. Autobahn tests
//! the same in depth (tests/autobahn).

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, protocol::frame::coding::CloseCode},
};

async fn client() -> WebSocketStream<MaybeTlsStream<TcpStream>> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    tokio::spawn(switchboard_edge::conformance::serve_echo(listener));
    connect_async(url).await.unwrap().0
}

#[tokio::test]
async fn text_and_bytes_come_back_and_a_ping_is_answered() {
    let mut client = client().await;
    for message in [Message::text("ä"), Message::binary(vec![0; 100_000])] {
        client.send(message.clone()).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), message);
    }
    client.send(Message::Ping("p".into())).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong("p".into()));
}

#[tokio::test]
async fn a_close_of_the_client_is_answered_and_then_the_stream_ends() {
    let mut client = client().await;
    client.close(None).await.unwrap();
    assert!(matches!(client.next().await, Some(Ok(Message::Close(_)))));
    assert!(client.next().await.is_none());
}

#[tokio::test]
async fn a_client_that_breaks_the_protocol_hears_1002() {
    let mut client = client().await;
    // A server must refuse a frame without a mask (RFC 6455, section 5.1).
    let MaybeTlsStream::Plain(tcp) = client.get_mut() else {
        panic!("not over TLS")
    };
    tokio::io::AsyncWriteExt::write_all(tcp, &[0x81, 1, b'x'])
        .await
        .unwrap();
    let Some(Ok(Message::Close(Some(close)))) = client.next().await else {
        panic!("no close frame")
    };
    assert_eq!(close.code, CloseCode::Protocol);
}
