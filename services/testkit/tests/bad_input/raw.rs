//! A client that writes its own bytes: the handshake, and frames with a mask of zeros.

use std::net::SocketAddr;

use switchboard_testkit::{NodeProcess, token};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

/// A connection after its handshake. Nothing answers the node's pings.
pub(crate) struct RawClient {
    pub(crate) stream: TcpStream,
}

impl RawClient {
    /// Connects `peer`, with a receive buffer of so many bytes if given.
    pub(crate) async fn connect(node: &NodeProcess, peer: &str, receive_buffer_bytes: Option<u32>) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(bytes) = receive_buffer_bytes {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        let address = SocketAddr::from(([127, 0, 0, 1], node.public_port()));
        let mut stream = socket.connect(address).await.unwrap();
        let head = format!(
            "GET /v1/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Authorization: Bearer {}\r\n\r\n",
            token(peer).unwrap().expose()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 101");
        Self { stream }
    }
}

/// A client's frame; `first` is its first byte.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        length @ 0..=125 => out.push(0x80 | length as u8),
        length => {
            out.push(0x80 | 126);
            out.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
    out
}
