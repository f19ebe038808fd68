//! An echo route for conformance tests of the WebSocket layer (Autobahn; `examples/echo.rs`). Hidden and always
//! compiled, so that tests and the node build with the same features. No node serves it.

use axum::{
    Router as Routes,
    extract::Request,
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    close::{self, End, Goodbye},
    upgrade::{self, Socket},
};

/// The largest message echoed, in bytes: Autobahn's cases go up to 16 MiB.
const MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// A route that answers every message with itself.
pub fn routes() -> Routes {
    Routes::new().route("/", get(echo))
}

async fn echo(request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    match (upgrade::accept(&parts), parts.extensions.remove::<OnUpgrade>()) {
        (Ok(response), Some(on_upgrade)) => {
            // Owner: the connection. The task ends with it.
            tokio::task::spawn(async move {
                let Ok(upgraded) = on_upgrade.await else { return };
                if let Some(socket) = upgrade::socket(upgraded, MESSAGE_BYTES).await {
                    run(socket).await;
                }
            });
            response.into_response()
        }
        (Err(problem), _) => problem.into_response(),
        (Ok(_), None) => http::StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn run(mut socket: Socket) {
    let end = loop {
        let answer = match socket.next().await {
            Some(Ok(Message::Close(_))) => break End::ByClient(Goodbye::ForGood),
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => socket.send(message).await,
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => socket.flush().await,
            Some(Err(error)) => break End::from_error(&error),
            None => break End::Lost,
        };
        if let Err(error) = answer {
            break End::from_error(&error);
        }
    };
    close::finish(socket, end).await;
}
