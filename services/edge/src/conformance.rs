//! An echo over the WebSocket layer, for conformance tests (Autobahn; `examples/echo.rs`). Hidden and always
//! compiled, so that tests and the node build with the same features. No node serves it.

use std::{convert::Infallible, future::poll_fn};

use axum::response::{IntoResponse as _, Response};
use http::Request;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::rt::TokioIo;
use switchboard_protocol::codec::native::Native;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::{
    connection::{end::ConnectionEnd, frame::Frame, transport::Transport as _},
    stream::Stream,
    takeover::{self, Requests, Takeover},
    transport::websocket::{Upgrading, WebSocket, handshake},
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
        let taken = tasks.clone();
        let requests = Requests::new(move |request| {
            let answer = answer(request, &taken);
            Box::pin(async { answer })
        });
        let stream = TokioIo::new(Stream::accept(tcp));
        let mut connection = http1::Builder::new().serve_connection(stream, requests);
        tasks.spawn(async move {
            let _ = takeover::run(&mut connection).await;
            takeover::finish(connection).await;
        });
    }
}

fn answer(request: Request<Incoming>, tasks: &TaskTracker) -> Response {
    let (parts, _) = request.into_parts();
    let mut response = match handshake::accept::<Native>(&parts) {
        Ok(response) => response,
        Err(problem) => return problem.into_response(),
    };
    let tasks = tasks.clone();
    response.extensions_mut().insert(Takeover::new(move |stream| {
        tasks.spawn(async move {
            if let Some(socket) = WebSocket::open(Upgrading::new(stream, MESSAGE_BYTES)).await {
                echo(socket).await;
            }
        });
    }));
    response
}

async fn echo(mut socket: WebSocket) {
    let end = loop {
        match poll_fn(|cx| socket.poll_frame(cx)).await {
            Ok(Frame::Close(close)) => break ConnectionEnd::ByClient(close),
            Ok(Frame::Text(text)) => {
                socket.write_text(None, |out| out.extend_from_slice(text.as_bytes()));
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
