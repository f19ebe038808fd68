//! A token of `switchboard dev`, which hands one to anybody. Your backend signs tokens in production.

use serde::Deserialize;
use switchboard_protocol::Secret;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// The address of `switchboard dev`: the first argument, or the default.
pub(crate) fn address() -> String {
    std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into())
}

/// The URL of the WebSocket.
pub(crate) fn websocket(address: &str) -> String {
    format!("ws://{address}/v1/ws")
}

/// A token for `peer`.
pub(crate) async fn token(address: &str, peer: &str) -> Result<Secret, Box<dyn std::error::Error>> {
    #[derive(Deserialize)]
    struct Session {
        token: Secret,
    }
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /dev/session?peer={peer} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    let (_, body) = response.split_once("\r\n\r\n").ok_or("no response body")?;
    let session: Session = serde_json::from_str(body)?;
    Ok(session.token)
}
