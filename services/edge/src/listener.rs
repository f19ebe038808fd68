//! The accept loop of the public port: HTTP/1.1 with bounds on time and number, upgrades enabled. Its own
//! loop rather than `axum::serve`, because a slow handshake must end and sockets must be plain TCP.

use std::{sync::Arc, time::Duration};

use axum::Router as Routes;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use crate::Edge;

/// hyper's buffer for a request's head; a token of the largest size fits.
const HEAD_BYTES: usize = 16 * 1024;

/// How long to wait when the process has run out of files before accepting again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections and serves `routes` on them until the future is dropped.
pub async fn serve(edge: Arc<Edge>, listener: TcpListener, routes: Routes) {
    let places = Arc::new(Semaphore::new(edge.config.max_handshakes));
    loop {
        // With no place free the kernel's backlog holds clients back, and `handshake_timeout` frees places.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((tcp, _)) => {
                let (edge, routes) = (Arc::clone(&edge), routes.clone());
                let tracker = edge.connections.clone();
                tracker.spawn(async move {
                    serve_one(&edge, tcp, routes).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted; is the limit of open files too low?");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_one(edge: &Edge, tcp: TcpStream, routes: Routes) {
    // Signaling is small messages that somebody waits for; a failure only costs latency.
    let _ = tcp.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(edge.config.handshake_timeout)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(tcp), TowerToHyperService::new(routes))
        .with_upgrades();
    match connection.await {
        Ok(()) => {}
        Err(error) if error.is_timeout() => edge.telemetry.handshake_timeout(),
        Err(error) => tracing::debug!(%error, "an HTTP connection ended early"),
    }
}
