//! The accept loop of the public port: HTTP/1.1 with bounds on time and number, upgrades enabled. Not
//! `axum::serve`, because a slow handshake must end and a connection must be a bare [`Stream`].

use std::{sync::Arc, time::Duration};

use axum::Router as Routes;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, sync::Semaphore};

use crate::{files, state::Edge, stream::Stream};

/// hyper's buffer for the head of a request; a token of the largest size fits.
const HEAD_BYTES: usize = 16 * 1024;

/// How long to wait before accepting again when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections and serves `routes` on them until the future is dropped.
pub async fn serve(edge: Arc<Edge>, listener: TcpListener, routes: Routes) {
    let permits = Arc::new(Semaphore::new(edge.config.max_handshakes));
    loop {
        // Without a permit the kernel's backlog holds clients back; `handshake_timeout` gives permits back.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((tcp, _)) if files::is_reserved(&tcp, &edge) => files::refuse(tcp, &edge),
            Ok((tcp, _)) => {
                let (edge, routes) = (Arc::clone(&edge), routes.clone());
                let tracker = edge.connections.clone();
                tracker.spawn(async move {
                    serve_one(&edge, Stream::accept(tcp), routes).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted; is the limit of open files too low?");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_one(edge: &Edge, stream: Stream, routes: Routes) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(edge.config.handshake_timeout)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes))
        .with_upgrades();
    match connection.await {
        Ok(()) => {}
        Err(error) if error.is_timeout() => edge.telemetry.handshake_timeout(),
        Err(error) => tracing::debug!(%error, "an HTTP connection ended early"),
    }
}
