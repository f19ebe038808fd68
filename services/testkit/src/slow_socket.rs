//! A connection whose kernel takes as little as possible for it, so that not reading is soon felt by the node.

use std::net::Ipv4Addr;

use futures_util::StreamExt as _;
use switchboard_harness::PATIENCE;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{client::IntoClientRequest as _, http::HeaderValue},
};

use crate::{raw::dial, token};

/// What the kernel takes; the least that the system allows is taken.
const RECEIVE_BYTES: u32 = 2048;

/// A connection of `peer` that is welcome. It has read nothing else.
///
/// # Errors
/// When the node refuses.
pub async fn connect_with_small_buffer(port: u16, peer: &str) -> anyhow::Result<WebSocketStream<TcpStream>> {
    let stream = dial(port, Ipv4Addr::LOCALHOST.into(), Some(RECEIVE_BYTES)).await?;
    let mut request = format!("ws://127.0.0.1:{port}/v1/ws").into_client_request()?;
    let headers = request.headers_mut();
    let bearer = format!("Bearer {}", token(peer)?.expose());
    headers.insert("authorization", HeaderValue::try_from(bearer)?);
    headers.insert(
        "sec-websocket-protocol",
        HeaderValue::from_static("switchboard.v1"),
    );
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await?;
    let welcome = timeout(PATIENCE, socket.next()).await?;
    let welcome = welcome.ok_or_else(|| anyhow::anyhow!("no welcome"))??;
    anyhow::ensure!(welcome.into_text()?.contains("\"welcome\""), "no welcome");
    Ok(socket)
}
