//! An echo over the WebSocket layer, for conformance tests (Autobahn; `examples/echo.rs`). Hidden and always
//! compiled, so that tests and the node build with the same features. No node serves it.

use std::{convert::Infallible, future::poll_fn};

use axum::{
    body::Body,
    response::{IntoResponse as _, Response},
};
use http::{Request, StatusCode};
use hyper::{body::Incoming, server::conn::http1, service::service_fn, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use switchboard_protocol::codec::native::Native;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::{
    connection::{
        end::ConnectionEnd,
        transport::{Frame, Transport as _},
    },
    stream::Stream,
    transport::websocket::{WebSocket, handshake, upgrade},
};

/// The largest message echoed, in bytes: Autobahn's cases go up to 16 MiB.
const MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// Answers every message with itself, on each connection to `listener`, for ever.
///
/// # Errors
/// When no more connections can be accepted.
pub async fn serve_echo(listener: TcpListener) -> std::io::Result<Infallible> {
    let tasks = TaskTracker::new();
    loop {
        let (tcp, _) = listener.accept().await?;
        let upgraded = tasks.clone();
        let service = service_fn(move |request| {
            let answer = answer(request, &upgraded);
            async { Ok::<_, Infallible>(answer) }
        });
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(Stream::accept(tcp)), service)
            .with_upgrades();
        tasks.spawn(connection);
    }
}

fn answer(request: Request<Incoming>, tasks: &TaskTracker) -> Response<Body> {
    let (mut parts, _) = request.into_parts();
    let response = match handshake::accept::<Native>(&parts) {
        Ok(response) => response,
        Err(problem) => return problem.into_response(),
    };
    let Some(on_upgrade) = parts.extensions.remove::<OnUpgrade>() else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    tasks.spawn(async move {
        let Ok(upgraded) = on_upgrade.await else { return };
        if let Some(socket) = upgrade::socket(upgraded, MESSAGE_BYTES) {
            echo(WebSocket::new(socket)).await;
        }
    });
    response
}

async fn echo(mut socket: WebSocket) {
    let end = loop {
        match poll_fn(|cx| socket.poll_frame(cx)).await {
            Ok(Frame::Close(close)) => break ConnectionEnd::ByClient(close),
            Ok(Frame::Text(text)) => {
                socket.write_text(|out| out.extend_from_slice(text.as_bytes()));
            }
            Ok(Frame::Binary(bytes)) => socket.write_binary(&bytes),
            Ok(Frame::Ping | Frame::Pong | Frame::Fragment(_) | Frame::Oversized(_)) => {}
            Err(end) => break end,
        }
        if let Err(end) = poll_fn(|cx| socket.poll_flush(cx)).await {
            break end;
        }
    };
    socket.close(end).await;
}
